"""Forecasting passes the test that every task passes."""

import numpy as np
import pandas

from recurra.pipelines.testing import check_task


def test_the_contract(tmp_path):
    hours = np.arange(500)
    noise = np.random.default_rng(0).normal(size=(2, len(hours)))
    frame = pandas.DataFrame(
        {
            "time": pandas.date_range("2021-01-01", periods=len(hours), freq="h"),
            "T (degC)": 10 + 5 * np.sin(hours / 24 * 2 * np.pi) + noise[0],
            "p (mbar)": 1000 + np.cumsum(noise[1]),
        }
    )
    data = tmp_path / "station.csv"
    frame.to_csv(data, index=False)
    folder = tmp_path / "checked"
    folder.mkdir()
    check_task(
        "weather",
        data=data,
        folder=folder,
        settings=[
            *("data.history=24", "data.horizon=6", "model.units=8"),
            *("model.head_units=8", "training.epochs=2", "training.batch_size=32"),
        ],
    )
