"""Every way of writing times, read as what it is or told to a person."""

import importlib.util
import sys
from pathlib import Path

import hypothesis
import numpy as np
import pandas as pd
import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.reading import PlanBuilder
from recurra.pipelines.data.series.repairs import RepairLog
from recurra.pipelines.data.series.time_columns import find_time_columns
from recurra.pipelines.data.series.time_stamps import (
    NO_STAMP,
    TimeSource,
    decide_times,
    format_stamp,
    read_stamps,
)

_FUZZ = Path(__file__).parents[4] / "benchmarks" / "reading_fuzz.py"
_SPEC = importlib.util.spec_from_file_location("reading_fuzz", _FUZZ)
assert _SPEC is not None and _SPEC.loader is not None
fuzz = importlib.util.module_from_spec(_SPEC)
sys.modules["reading_fuzz"] = fuzz
_SPEC.loader.exec_module(fuzz)

TIMES = pd.date_range("2015-01-01", periods=480, freq="1h")


def seconds_of(times):
    return pd.DatetimeIndex(times).to_numpy("datetime64[s]").astype(np.int64)


def stamps_of(values, plan=None, log=None, **columns):
    frame = pd.DataFrame({"time": values, **columns, "x": "1.5"})
    found = find_time_columns(frame, None, "a.csv")
    rules = decide_times([TimeSource(frame, found, "a.csv")], plan or PlanBuilder())
    return read_stamps(frame, found, None, log or RepairLog(""), "a.csv", rules=rules)


@hypothesis.settings(max_examples=300, deadline=None, derandomize=True)
@hypothesis.given(fuzz.written_times())
def test_what_is_read_is_what_was_written(written):
    assert fuzz.outcome(written) in ("read", "refused", "told")


@hypothesis.settings(max_examples=80, deadline=None, derandomize=True)
@hypothesis.given(fuzz.written_tables())
def test_a_table_is_read_as_what_was_written(written):
    assert fuzz.table_outcome(written) in ("read", "refused", "told")


@pytest.mark.parametrize(
    "form",
    [
        "%m/%d/%y %H:%M", "%d.%m.%y %H:%M", "%d-%b-%Y %H:%M", "%Y-%m-%d %I:%M %p",
        "%d/%m/%Y %I:%M %p", "%I:%M %p %d/%m/%Y", "%H:%M %d.%m.%Y", "%b %d, %Y %H:%M",
        "%A, %d %B %Y %H:%M", "%c", "%d%b%Y:%H:%M:%S", "%Y%m%dT%H%MZ", "%y%m%d%H%M%S",
        "%d%m%Y %H%M", "%Y-%jT%H:%M", "%Y.%m.%d %H.%M.%S", "%Y-%m-%d_%H:%M",
        "%d/%b/%Y:%H:%M:%S +0000", "%Y-%m-%d at %H:%M", "%Y-%m-%dT%H:%M:%S.%f",
    ],
)  # fmt: skip
def test_forms_with_a_clock(form):
    assert (stamps_of(TIMES.strftime(form)) == seconds_of(TIMES)).all()


@pytest.mark.parametrize(
    ("values", "freq"),
    [
        (["2015-01", "2015-02", "2015-03"], "MS"),
        (["01/2015", "02/2015", "03/2015"], "MS"),
        (["Jan 2015", "Feb 2015", "Mar 2015"], "MS"),
        (["januar 2015", "februar 2015", "märz 2015"], "MS"),
        (["201501", "201502", "201503"], "MS"),
        (["2015M1", "2015M2", "2015M3"], "MS"),
        (["2015Q1", "2015Q2", "2015Q3"], "QS"),
        (["2015-Q1", "2015-Q2", "2015-Q3"], "QS"),
        (["Q1 2015", "Q2 2015", "Q3 2015"], "QS"),
        (["2015", "2016", "2017"], "YS"),
    ],
)
def test_months_quarters_and_years(values, freq):
    expected = pd.date_range("2015-01-01", periods=3, freq=freq)
    assert (stamps_of(values) == seconds_of(expected)).all()


def test_weeks_of_iso():
    monday = pd.date_range("2014-12-29", periods=60, freq="7D")
    assert (stamps_of(monday.strftime("%G-W%V")) == seconds_of(monday)).all()
    days = pd.date_range("2019-12-28", periods=400, freq="1D")
    assert (stamps_of(days.strftime("%G-W%V-%u")) == seconds_of(days)).all()


@pytest.mark.parametrize(
    "text",
    [
        "1 janv. 2015",
        "1 févr. 2015",
        "1. März 2015",
        "1 avr. 2015",
        "1 de mayo de 2015",
    ],
)
def test_names_of_months(text):
    month = {"j": 1, "f": 2, "M": 3, "a": 4, "d": 5}[text.split()[1][0]]
    assert format_stamp(stamps_of([text] * 2)[0]) == f"2015-{month:02}-01 00:00:00"


def test_midnights_as_24_00_are_of_the_next_day():
    text = [
        f"{time - pd.Timedelta('1D'):%d.%m.%Y} 24:00"
        if time.hour == 0
        else f"{time:%d.%m.%Y %H:%M}"
        for time in TIMES
    ]
    assert (stamps_of(text) == seconds_of(TIMES)).all()


@pytest.mark.parametrize("date", ["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y", "%Y-%m-%d"])
def test_bare_dates_are_midnights_in_the_order_of_the_rest(date):
    text = [
        time.strftime(date if time.hour == 0 else f"{date} %H:%M") for time in TIMES
    ]
    assert (stamps_of(text) == seconds_of(TIMES)).all()
    # Without a day above the twelfth too.
    assert (stamps_of(text[:250]) == seconds_of(TIMES[:250])).all()


@pytest.mark.parametrize("digits", [5, 8, 10])
def test_days_of_a_spreadsheet(digits):
    days = seconds_of(TIMES) / 86_400 + 25_569
    text = [f"{day:.{digits}f}" for day in days]
    assert (stamps_of(text) == seconds_of(TIMES)).all()
    assert (stamps_of(days) == seconds_of(TIMES)).all()


@pytest.mark.parametrize("scale", [1, 10**3, 10**6, 10**9])
def test_numbers_since_1970(scale):
    assert (stamps_of(seconds_of(TIMES) * scale) == seconds_of(TIMES)).all()


def test_a_decimal_comma_of_a_spreadsheet():
    days = seconds_of(TIMES) / 86_400 + 25_569
    text = [f"{day:.8f}".replace(".", ",") for day in days]
    assert (stamps_of(text) == seconds_of(TIMES)).all()


@pytest.mark.parametrize("form", ["%Y%m%d%H%M", "%Y%m%d%H", "%Y%m%d%H%M%S"])
def test_packed_dates_that_became_floats(form):
    text = TIMES.strftime(form)
    assert (stamps_of(text + ".0") == seconds_of(TIMES)).all()
    assert (stamps_of(text.astype(float)) == seconds_of(TIMES)).all()


def test_numbers_that_lost_their_digits_are_no_times():
    with pytest.raises(UserError, match="no column of times"):
        stamps_of([f"{float(text):.5E}" for text in TIMES.strftime("%Y%m%d%H%M")])


def test_an_interval_is_known_by_its_begin():
    text = [f"{time:%d.%m.%Y %H:%M} - {time + pd.Timedelta('1h'):%d.%m.%Y %H:%M}"
            for time in TIMES]  # fmt: skip
    assert (stamps_of(text) == seconds_of(TIMES)).all()


def test_a_month_with_two_digits_is_followed_by_the_next():
    months = pd.date_range("2010-01-01", periods=60, freq="MS")
    assert (stamps_of(months.strftime("%b-%y")) == seconds_of(months)).all()
    days = pd.date_range("2015-01-01", periods=60, freq="1D")
    with pytest.raises(UserError, match="no column of times"):
        stamps_of(days.strftime("%b-%d"))


def test_seconds_elapsed_are_no_times():
    with pytest.raises(UserError, match="no column of times"):
        stamps_of(np.arange(0, 90_000, 60))


def test_fractions_are_rounded_and_steps_below_a_second_refused():
    text = [f"{time:%Y-%m-%d %H:%M:%S}.4" for time in TIMES]
    assert (stamps_of(text) == seconds_of(TIMES)).all()
    fast = pd.date_range("2015-01-01", periods=100, freq="100ms")
    with pytest.raises(UserError, match="less than a second apart"):
        stamps_of([each.isoformat() for each in fast])


def test_day_or_month_is_told_where_the_data_do_not_settle_it(caplog):
    plan = PlanBuilder()
    day = pd.date_range("2015-03-05", periods=24, freq="1h")
    stamps_of(day.strftime("%d/%m/%Y %H:%M"), plan)
    (finding,) = [each for each in plan.plan().findings if each.key == "time_format"]
    assert finding.value == "%m/%d/%Y %H:%M"
    assert finding.alternative == "%d/%m/%Y %H:%M"
    assert "day and month could be either" in caplog.text
    assert "data.time_format chooses" in caplog.text


def test_the_users_form_decides():
    day = pd.date_range("2015-03-05", periods=24, freq="1h")
    for form in ("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"):
        plan = PlanBuilder({"time_format": form})
        assert (stamps_of(day.strftime(form), plan) == seconds_of(day)).all()
        assert plan.plan().warnings == []
    # One that no other has.
    form = "%M past %H on %Y, %d/%m"
    plan = PlanBuilder({"time_format": form})
    frame = pd.DataFrame({"time": TIMES.strftime(form)})
    columns = find_time_columns(frame, None, "a.csv", time_format=form)
    rules = decide_times([TimeSource(frame, columns, "a.csv")], plan)
    stamps = read_stamps(frame, columns, None, RepairLog(""), "a.csv", rules=rules)
    assert (stamps == seconds_of(TIMES)).all()
    with pytest.raises(UserError, match="expected for example the form %Y of data"):
        decide_times(
            [TimeSource(frame, columns, "a.csv")], PlanBuilder({"time_format": "%Y"})
        )


def test_a_form_that_is_none_is_refused():
    plan = PlanBuilder({"time_format": "DD/MM/YYYY"})
    with pytest.raises(UserError, match="'DD/MM/YYYY' says no date; expected .*%d/%m"):
        stamps_of(TIMES.strftime("%d/%m/%Y %H:%M"), plan)


def test_the_form_of_training_is_kept():
    plan = PlanBuilder()
    stamps_of(TIMES.strftime("%d/%m/%Y %H:%M"), plan)
    kept = plan.plan()
    day = pd.date_range("2015-03-05", periods=24, freq="1h")
    later = PlanBuilder({}, kept)
    stamps = stamps_of(day.strftime("%d/%m/%Y %H:%M"), later)
    assert (stamps == seconds_of(day)).all()
    assert later.plan().warnings == []
    # A file that cannot be read by it is read as it says, with a line.
    later = PlanBuilder({}, kept)
    stamps = stamps_of(TIMES.strftime("%m/%d/%Y %H:%M"), later)
    assert (stamps == seconds_of(TIMES)).all()
    assert "data.time_format is '%m/%d/%Y %H:%M' here" in later.plan().warnings[0]


def test_one_bad_row_does_not_turn_day_and_month():
    text = list(TIMES[:48].strftime("%m/%d/%Y %H:%M"))
    text[30] = "13/02/2015 06:00"
    stamps = stamps_of(text)
    assert stamps[30] == NO_STAMP
    assert (np.delete(stamps, 30) == np.delete(seconds_of(TIMES[:48]), 30)).all()


def test_all_files_have_one_order():
    short, long = TIMES[:24], TIMES
    frames = [
        pd.DataFrame({"time": times.strftime("%d/%m/%Y %H:%M")})
        for times in (short, long)
    ]
    columns = find_time_columns(frames[0], None, "a.csv")
    sources = [TimeSource(frame, columns, "a.csv") for frame in frames]
    rules = decide_times(sources, PlanBuilder())
    stamps = read_stamps(frames[0], columns, None, RepairLog(""), "a.csv", rules=rules)
    assert (stamps == seconds_of(short)).all()


def test_losses_are_counted_by_reason():
    text = list(TIMES.strftime("%Y-%m-%d %H:%M"))
    text[3], text[50], text[51], text[400] = "", "soon", "2015-02-30 00:00", "12#5"
    log = RepairLog("")
    assert np.flatnonzero(stamps_of(text, log=log) == NO_STAMP).tolist() == [
        3, 50, 51, 400,
    ]  # fmt: skip
    assert [repair.action for repair in log.repairs] == [
        "row left out, it is empty",
        "row left out, it is a word",
        "row left out, there is no such time",
        "row left out, the form is unknown",
    ]


@pytest.mark.parametrize(
    ("lost", "match"),
    [
        (lambda time: "midnight 3" if time.hour == 0 else None, "written like"),
        (lambda time: "" if time.hour == 5 else None, "every 24th row, from row 6"),
        (
            lambda time: f"{time:%Y-13-%d %H:%M}" if time.day == 7 else None,
            "dates of which 'there is none'",
        ),
    ],
)
def test_losses_with_a_pattern_are_refused(lost, match):
    text = [
        f"{time:%Y-%m-%d %H:%M}" if lost(time) is None else lost(time) for time in TIMES
    ]
    with pytest.raises(UserError, match=f"not by accident.*{match}"):
        stamps_of(text)
