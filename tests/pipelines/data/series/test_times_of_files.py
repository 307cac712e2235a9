"""Files whose times are written in ways that people have, to regular series."""

import numpy as np
import pandas as pd
import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.series.time_series import load_time_series

TIMES = pd.date_range("2015-01-01", periods=480, freq="1h")
VALUES = np.round(np.sin(np.arange(480)) * 10, 1)


def load(tmp_path, columns, name="a.csv", **options):
    pd.DataFrame(columns).to_csv(tmp_path / name, index=False)
    series = load_time_series(str(tmp_path / name), **options)
    (station,) = series.stations
    return series, station


def test_a_spreadsheet_drops_its_midnights(tmp_path):
    text = [
        time.strftime("%d/%m/%Y" if time.hour == 0 else "%d/%m/%Y %H:%M")
        for time in TIMES
    ]
    _, station = load(tmp_path, {"time": text, "T": VALUES})
    assert (station.times() == TIMES.to_numpy("datetime64[s]")).all()
    np.testing.assert_array_equal(station.values[:, 0], VALUES.astype(np.float32))


@pytest.mark.parametrize(
    ("date", "name", "clock"),
    [
        ("%Y-%m-%d", "hour", "%-H"),
        ("%d/%m/%Y", "Time", "%H.%M.%S"),
        ("%d/%m/%Y", "Time", "%I:%M %p"),
    ],
)
def test_dates_and_hours_in_two_columns(tmp_path, date, name, clock):
    columns = {"Date": TIMES.strftime(date), name: TIMES.strftime(clock), "T": VALUES}
    for options in ({}, {"time_column": "Date"}):
        series, station = load(tmp_path, columns, **options)
        assert [variable.name for variable in series.variables] == ["T"]
        assert (station.times() == TIMES.to_numpy("datetime64[s]")).all()


@pytest.mark.parametrize(
    "form",
    [
        "%m/%d/%y %H:%M", "%d.%m.%y %H:%M", "%d-%b-%Y %H:%M", "%Y-%m-%d %I:%M %p",
        "%d/%m/%Y %I:%M %p",
    ],
)  # fmt: skip
def test_usual_forms(tmp_path, form):
    _, station = load(tmp_path, {"time": TIMES.strftime(form), "T": VALUES})
    assert (station.times() == TIMES.to_numpy("datetime64[s]")).all()


def test_newest_first_with_a_doubled_hour(tmp_path):
    utc = pd.date_range("2015-10-20", periods=313, freq="1h", tz="UTC")[::-1]
    wall = utc.tz_convert("Europe/Berlin").strftime("%Y-%m-%d %H:%M")
    columns = {"time": wall, "x": np.arange(313)[::-1]}
    _, station = load(tmp_path, columns, time_zone="Europe/Berlin")
    assert (np.diff(station.values[:, 0]) == 1).all()


@pytest.mark.parametrize(
    ("freq", "form", "words"),
    [
        ("MS", "%Y-%m", "month"),
        ("ME", "%Y-%m-%d", "month"),
        ("QS", "%Y-%m-%d", "quarter"),
        ("YS", "%Y", "year"),
        ("B", "%Y-%m-%d", "business day"),
    ],
)
def test_steps_of_the_calendar(tmp_path, freq, form, words):
    times = pd.date_range("1980-01-01", periods=120, freq=freq)
    columns = {"date": times.strftime(form), "sales": np.arange(120)}
    series, station = load(tmp_path, columns)
    assert str(station.calendar_step) == words
    assert (station.times() == times.to_numpy("datetime64[s]")).all()
    assert (station.values[:, 0] == np.arange(120)).all()
    assert series.repairs == ()


def test_a_month_without_a_row_is_missing(tmp_path):
    times = pd.date_range("2000-01-01", periods=60, freq="MS").delete(20)
    columns = {"date": times.strftime("%Y-%m-%d"), "sales": np.arange(59)}
    _, station = load(tmp_path, columns)
    assert len(station) == 60
    assert np.flatnonzero(np.isnan(station.values[:, 0])).tolist() == [20]


def test_irregular_reports_by_the_hour(tmp_path):
    regular = pd.date_range("2015-01-01 00:53", periods=480, freq="1h")
    special = pd.DatetimeIndex(
        np.random.default_rng(0).choice(
            pd.date_range("2015-01-01 01:00", periods=28_000, freq="1min"), 200, False
        )
    )
    times = regular.union(special)
    columns = {"valid": times.strftime("%Y-%m-%d %H:%M"), "tmpf": np.ones(len(times))}
    _, station = load(tmp_path, columns, step="1h")
    assert station.times()[0] == np.datetime64("2015-01-01T01:00:00")
    assert len(station) == 480 and (station.values == 1).all()
    with pytest.raises(UserError, match="data.step|regular step"):
        load(tmp_path, columns)


def test_a_station_that_changed_its_step(tmp_path):
    often = pd.date_range("2015-01-01", periods=600, freq="10min")
    hourly = pd.date_range(often[-1] + pd.Timedelta("10min"), periods=600, freq="1h")
    times = often.union(hourly)
    columns = {"time": times.strftime("%Y-%m-%d %H:%M"), "T": np.ones(len(times))}
    _, station = load(tmp_path, columns, step="1h")
    assert len(station) == 700 and (station.values == 1).all()


def test_columns_of_extremes(tmp_path):
    days = pd.date_range("2015-01-01", periods=400, freq="1D")
    columns = {
        "Year": days.year, "Month": days.month, "Day": days.day,
        "Max": np.arange(400) % 9 + 20.4, "Min": np.arange(400) % 9 + 12.4,
    }  # fmt: skip
    series, station = load(tmp_path, columns)
    assert [variable.column for variable in series.variables] == ["Max", "Min"]
    assert (station.times() == days.to_numpy("datetime64[s]")).all()
