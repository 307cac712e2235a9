"""Weather forecasting: from raw station files to calibrated forecasts."""
