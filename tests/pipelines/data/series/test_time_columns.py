"""Which columns make a time, by names and by values."""

import numpy as np
import pandas as pd
import pytest

from recurra.pipelines.data.series.repairs import RepairLog
from recurra.pipelines.data.series.time_columns import find_time_columns
from recurra.pipelines.data.series.time_stamps import read_stamps

TIMES = pd.date_range("2015-01-01", periods=480, freq="1h")
DAYS = pd.date_range("2015-01-01", periods=400, freq="1D")


def seconds_of(times):
    return pd.DatetimeIndex(times).to_numpy("datetime64[s]").astype(np.int64)


def found(columns, asked=None):
    """The columns of time, and the stamps that they make."""
    frame = pd.DataFrame(columns).astype(str)
    columns = find_time_columns(frame, asked, "a.csv")
    stamps = read_stamps(frame, columns, None, RepairLog(""), "a.csv")
    return columns.columns, stamps


@pytest.mark.parametrize(
    ("name", "clock"),
    [
        ("hour", TIMES.hour),
        ("HH", TIMES.hour),
        ("Time", TIMES.strftime("%H.%M.%S")),
        ("Time", TIMES.strftime("%I:%M %p")),
        ("Time (UTC)", TIMES.strftime("%H:%M")),
        ("HHMM", TIMES.strftime("%H%M")),
        ("HHMM", TIMES.hour * 100),
        ("time", TIMES.strftime("%H%M%S")),
        ("Uhrzeit", TIMES.strftime("%H:%M Uhr")),
        ("hour", TIMES.strftime("%Hh")),
    ],
)
@pytest.mark.parametrize("asked", [None, "Date"])
def test_a_column_of_dates_and_one_of_clock_times(name, clock, asked):
    values = {"Date": TIMES.strftime("%d/%m/%Y"), name: clock, "T": "1.5"}
    columns, stamps = found(values, asked)
    assert columns == ("Date", name)
    assert (stamps == seconds_of(TIMES)).all()


def test_hours_from_1_to_24_end():
    # KNMI: the hour 24 of a day ends with it.
    begins = TIMES
    columns, stamps = found(
        {"YYYYMMDD": begins.strftime("%Y%m%d"), "HH": begins.hour + 1, "T": "15"}
    )
    assert columns == ("YYYYMMDD", "HH")
    assert (stamps == seconds_of(begins + pd.Timedelta("1h"))).all()


@pytest.mark.parametrize("form", ["%Y%m%d%H", "%Y%m%d%H%M"])
def test_the_dates_of_the_german_service(form):
    columns, stamps = found(
        {"STATIONS_ID": 433, "MESS_DATUM": TIMES.strftime(form), "TT_TU": 1.5}
    )
    assert columns == ("MESS_DATUM",)
    assert (stamps == seconds_of(TIMES)).all()


def test_columns_of_extremes_are_values():
    columns, stamps = found(
        {
            "Year": DAYS.year,
            "Month": DAYS.month,
            "Day": DAYS.day,
            "Max": np.arange(400) % 30 + 0.4,
            "Min": np.arange(400) % 20,
        }
    )
    assert columns == ("Year", "Month", "Day")
    assert (stamps == seconds_of(DAYS)).all()


def test_minutes_are_those_of_an_hour():
    times = pd.date_range("2015-01-01", periods=200, freq="10min")
    parts = {
        "#YY": times.year,
        "MM": times.month,
        "DD": times.day,
        "hh": times.hour,
        "mm": times.minute,
        "WDIR": 7,
    }
    columns, stamps = found(parts)
    assert columns == ("#YY", "MM", "DD", "hh", "mm")
    assert (stamps == seconds_of(times)).all()
    # Decimals are of no clock.
    columns, _ = found(
        {
            "Year": TIMES.year, "Mo": TIMES.month, "Day": TIMES.day,
            "Hour": TIMES.hour, "Min": np.arange(480) % 9 + 0.5,
        }
    )  # fmt: skip
    assert columns == ("Year", "Mo", "Day", "Hour")


def test_year_month_day_and_a_clock():
    columns, stamps = found(
        {
            "year": TIMES.year, "month": TIMES.month, "day": TIMES.day,
            "time": TIMES.strftime("%H:%M"), "T": 1.5,
        }
    )  # fmt: skip
    assert columns == ("year", "month", "day", "time")
    assert (stamps == seconds_of(TIMES)).all()


@pytest.mark.parametrize("name", ["DOY", "yday", "Day"])
def test_the_day_of_the_year(name):
    columns, stamps = found(
        {"Year": TIMES.year, name: TIMES.day_of_year, "Hour": TIMES.hour, "T": 1}
    )
    assert columns == ("Year", name, "Hour")
    assert (stamps == seconds_of(TIMES)).all()


@pytest.mark.parametrize(
    ("name", "freq", "value"),
    [
        ("Month", "MS", lambda times: times.month),
        ("Quarter", "QS", lambda times: times.quarter),
    ],
)
def test_year_and_month_or_quarter(name, freq, value):
    times = pd.date_range("2001-01-01", periods=60, freq=freq)
    columns, stamps = found({"Year": times.year, name: value(times), "sales": 1.5})
    assert columns == ("Year", name)
    assert (stamps == seconds_of(times)).all()


def test_a_year_alone():
    times = pd.date_range("1900-01-01", periods=60, freq="YS")
    columns, stamps = found({"Year": times.year, "spots": 1.5})
    assert columns == ("Year",)
    assert (stamps == seconds_of(times)).all()


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y", "%Y-%m"])
def test_series_of_former_centuries(form):
    times = pd.date_range("1659-01-01", periods=600, freq="MS", unit="s")
    columns, stamps = found({"date": times.strftime(form), "T": 1.5})
    assert columns == ("date",)
    assert (stamps == seconds_of(times)).all()


def test_a_date_that_says_its_clock_takes_no_other_column():
    columns, _ = found(
        {"date": TIMES.strftime("%Y-%m-%d %H:%M"), "hour": TIMES.hour, "T": 1.5}
    )
    assert columns == ("date",)


def test_am_and_pm_in_a_column_of_their_own():
    columns, stamps = found(
        {
            "Date": TIMES.strftime("%Y-%m-%d"),
            "Time": TIMES.strftime("%I:%M"),
            "AM/PM": TIMES.strftime("%p"),
            "T": 1.5,
        }
    )
    assert columns == ("Date", "Time", "AM/PM")
    assert (stamps == seconds_of(TIMES)).all()


def test_a_clock_of_12_hours_with_one_letter():
    # Davis WeatherLink: 12:00a is midnight.
    clock = TIMES.strftime("%-I:%M%p").str.lower().str.rstrip("m")
    columns, stamps = found(
        {"Date": TIMES.strftime("%m/%d/%y"), "Time": clock, "T": 1.5}
    )
    assert columns == ("Date", "Time")
    assert (stamps == seconds_of(TIMES)).all()


def test_names_of_months_in_a_column():
    columns, stamps = found(
        {"Year": DAYS.year, "Month": DAYS.strftime("%b"), "Day": DAYS.day, "T": 1.5}
    )
    assert columns == ("Year", "Month", "Day")
    assert (stamps == seconds_of(DAYS)).all()
