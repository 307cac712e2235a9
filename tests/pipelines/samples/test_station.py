"""The embedded station: its columns, its cycles, and its faults."""

import numpy as np
import pytest

from recurra.pipelines.data.series.time_series import load_time_series
from recurra.pipelines.samples.station import generate_record, sample_table


@pytest.fixture(scope="module")
def hourly():
    return load_time_series("sample")


@pytest.fixture(scope="module")
def record():
    return generate_record(3, 20190101)


def test_three_years_of_hours(hourly):
    (station,) = hourly.stations
    assert station.step == np.timedelta64(3600, "s")
    assert len(station) >= 3 * 365 * 24
    assert {repair.words for repair in hourly.repairs} == {
        "sentinel -9999 in wv (m/s)",
        "sentinel -9999 in max. wv (m/s)",
        "duplicate time with equal values",
        "gap",
    }


def test_ten_minutes():
    table = sample_table("10min")
    times = table.frame["Date Time"].to_numpy()
    assert np.median(np.diff(times)) == np.timedelta64(600, "s")
    assert len(table.frame) > 3 * 365 * 144 - 3000


def test_the_same_seed_gives_the_same_record():
    generate_record.cache_clear()
    first = generate_record(1, 7)
    generate_record.cache_clear()
    assert first.equals(generate_record(1, 7))
    assert not first.equals(generate_record(1, 8))


def test_the_variables_agree_with_each_other(record):
    assert (record["Tdew (degC)"] <= record["T (degC)"]).all()
    assert record["rh (%)"].between(0, 100).all()
    assert record["wd (deg)"].between(0, 360).all()
    assert (record["max. wv (m/s)"] >= record["wv (m/s)"]).all()
    assert (record["rain (mm)"] >= 0).all()
    deficit = record["VPmax (mbar)"] - record["VPact (mbar)"]
    np.testing.assert_allclose(deficit, record["VPdef (mbar)"], atol=0.011)
    relative = 100 * record["VPact (mbar)"] / record["VPmax (mbar)"]
    np.testing.assert_allclose(relative, record["rh (%)"], atol=0.3)


def test_days_and_years_have_their_cycles(record):
    hour = (np.arange(len(record)) + 1) // 6 % 24
    month = (np.arange(len(record)) + 1) // 144 % 365 // 31
    temperature = record["T (degC)"].to_numpy()
    assert temperature[month == 6].mean() - temperature[month == 0].mean() > 12
    assert temperature[hour == 14].mean() - temperature[hour == 4].mean() > 4
    assert record["SWDR (W/m²)"].to_numpy()[hour == 0].max() == 0


def test_a_front_brings_a_fall_in_temperature_and_a_rise_in_pressure(record):
    temperature = record["T (degC)"].to_numpy()
    pressure = record["p (mbar)"].to_numpy()
    later, now = slice(6 * 6, None), slice(None, -6 * 6)
    rises = pressure[later] - pressure[now] > 8
    assert rises.mean() > 0.01
    assert (temperature[later] - temperature[now])[rises].mean() < -2
