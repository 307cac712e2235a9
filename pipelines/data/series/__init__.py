"""Regular time series of stations, with every repair."""
