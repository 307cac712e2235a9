"""Columns of time: found, assembled, and read in any usual form."""

import numpy as np
import pandas as pd
import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.series.repairs import RepairLog
from recurra.pipelines.data.series.time_stamps import (
    NO_STAMP,
    TimeColumns,
    find_time_columns,
    format_stamp,
    read_stamps,
)

TIMES = pd.date_range("2009-01-01 00:10:00", periods=400, freq="1h")
SECONDS = TIMES.to_numpy().astype("datetime64[s]").astype(np.int64)


def read(values, time_zone=None, log=None):
    frame = pd.DataFrame({"t": values})
    log = log or RepairLog("here")
    return read_stamps(frame, TimeColumns(("t",)), time_zone, log, "a.csv")


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%dT%H:%M:%S.000",
        "%d.%m.%Y %H:%M:%S",
        "%d.%m.%Y %H:%M",
        "%m/%d/%Y %H:%M",
        "%d/%m/%Y %H:%M:%S",
        "%m/%d/%Y %I:%M %p",
        "%Y/%m/%d %H:%M",
        "%d-%m-%Y %H:%M",
        "%Y%m%d%H%M",
        "%Y%m%d %H:%M",
        "%Y-%m-%dT%H:%M:%SZ",
        "%Y-%m-%d %H:%M:%S UTC",
    ],
)
def test_every_form_is_read(form):
    assert (read(TIMES.strftime(form)) == SECONDS).all()


def test_day_and_month_are_told_apart_by_regularity():
    # No day after the twelfth, so that either order can be read.
    days = pd.date_range("2009-02-01", periods=11 * 24, freq="1h")
    for form in ("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"):
        assert format_stamp(read(days.strftime(form))[-1]) == "2009-02-11 23:00:00"


@pytest.mark.parametrize("scale", [1, 1_000])
def test_seconds_and_milliseconds_since_1970(scale):
    assert (read(SECONDS * scale) == SECONDS).all()
    assert (read((SECONDS * scale).astype(str)) == SECONDS).all()


def test_offsets_are_brought_to_one_clock():
    berlin = TIMES.tz_localize("UTC").tz_convert("Europe/Berlin")
    text = [time.isoformat() for time in berlin]
    assert (read(text) == SECONDS).all()
    assert (read(pd.Series(berlin)) == SECONDS).all()
    # An offset in the data says more than a zone in the configuration.
    assert (read(text, time_zone="America/New_York") == SECONDS).all()


def test_daylight_saving_of_a_named_zone():
    # A whole year of hours; one hour is skipped in spring and one comes twice.
    utc = pd.date_range("2020-01-01", periods=366 * 24, freq="1h", tz="UTC")
    wall = utc.tz_convert("Europe/Berlin").strftime("%Y-%m-%d %H:%M")
    seconds = read(wall, time_zone="Europe/Berlin")
    assert (np.diff(seconds) == 3600).all()
    assert format_stamp(seconds[0]) == "2020-01-01 00:00:00"


def test_a_time_that_the_clock_skips_is_listed():
    log = RepairLog("here")
    wall = ["2020-03-29 01:00", "2020-03-29 02:00", "2020-03-29 04:00"]
    seconds = read(wall, time_zone="Europe/Berlin", log=log)
    # 02:00 is not there; standard time written on is 01:00 UTC.
    assert [format_stamp(each)[11:13] for each in seconds] == ["00", "01", "02"]
    assert [repair.kind for repair in log.repairs] == ["time that the clock skips"]


def test_without_a_zone_the_clock_is_left_alone():
    wall = ["2020-03-29 01:00", "2020-03-29 02:00", "2020-03-29 03:00"]
    assert np.diff(read(wall)).tolist() == [3600, 3600]


def test_an_unknown_zone_is_refused():
    with pytest.raises(UserError, match=r"no time zone 'Berlin'; expected .* Europe"):
        read(TIMES.astype(str), time_zone="Berlin")


def test_what_is_no_time_is_marked():
    values = list(TIMES.strftime("%Y-%m-%d %H:%M"))
    values[3], values[5] = "soon", ""
    seconds = read(values)
    assert np.flatnonzero(seconds == NO_STAMP).tolist() == [3, 5]


def test_rows_in_another_form_are_read_and_listed():
    log = RepairLog("here")
    values = list(TIMES.strftime("%Y-%m-%d %H:%M"))
    values[7] = TIMES[7].strftime("%d.%m.%Y %H:%M:%S")
    assert (read(values, log=log) == SECONDS).all()
    assert [repair.kind for repair in log.repairs] == ["time in another form"]


def test_rows_of_another_clock_are_settled_with_a_line(caplog):
    values = list(TIMES.strftime("%Y-%m-%d %H:%M"))
    values[9] = TIMES[9].strftime("%Y-%m-%dT%H:%MZ")
    assert (read(values) == SECONDS).all()
    assert "1 of 400 times state an offset" in caplog.text
    assert "data.time_zone chooses" in caplog.text
    values = list(TIMES.strftime("%Y-%m-%d %H:%M+01:00"))
    values[9] = TIMES[9].strftime("%Y-%m-%d %H:%M")
    assert (read(values) == SECONDS - 3600).all()
    # In UTC, where that is what makes the rows regular.
    values[9] = (TIMES[9] - pd.Timedelta("1h")).strftime("%Y-%m-%d %H:%M")
    assert (read(values) == SECONDS - 3600).all()


def test_a_column_without_times_is_refused():
    with pytest.raises(UserError, match="'t' holds no times .* first value is 'cat'"):
        read(["cat", "dog"])


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        (("Date Time", "T"), ("Date Time",)),
        (("T", "valid_time"), ("valid_time",)),
        (("T", "when"), ("when",)),
        (("T", "Datum"), ("Datum",)),
    ],
)
def test_the_column_is_found(columns, found):
    text = list(TIMES.strftime("%d.%m.%Y %H:%M:%S"))
    values = {name: ["1.5"] * len(text) for name in columns} | {found[0]: text}
    frame = pd.DataFrame({name: values[name] for name in columns})
    assert find_time_columns(frame, None, "a.csv").columns == found


def test_a_date_and_a_clock_are_joined():
    frame = pd.DataFrame(
        {"date": TIMES.strftime("%d.%m.%Y"), "time": TIMES.strftime("%H:%M"), "T": "1"}
    )
    columns = find_time_columns(frame, None, "a.csv")
    assert columns.columns == ("date", "time")
    assert (read_stamps(frame, columns, None, RepairLog(""), "a.csv") == SECONDS).all()


@pytest.mark.parametrize("first_hour", [0, 1])
def test_year_month_day_and_hour_are_assembled(first_hour):
    hours = pd.date_range("2013-12-31", periods=72, freq="1h")
    shifted = hours - pd.Timedelta(hours=first_hour)
    frame = pd.DataFrame(
        {
            "No": range(72),
            "year": shifted.year,
            "month": shifted.month,
            "day": shifted.day,
            "hour": shifted.hour + first_hour,
            "T": 1.0,
        }
    )
    columns = find_time_columns(frame, None, "a.csv")
    assert columns.columns == ("year", "month", "day", "hour")
    stamps = read_stamps(frame, columns, None, RepairLog(""), "a.csv")
    assert (np.diff(stamps) == 3600).all()
    assert format_stamp(stamps[0]) == "2013-12-31 00:00:00"


def test_a_named_column_that_is_not_there():
    frame = pd.DataFrame({"a": ["1"], "b": ["2"]})
    with pytest.raises(UserError, match=r"no column 'c' for --time-column.* a, b"):
        find_time_columns(frame, "c", "a.csv")
    with pytest.raises(UserError, match=r"no column of times is found.*--time-column"):
        find_time_columns(frame, None, "a.csv")
