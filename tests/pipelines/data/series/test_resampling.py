"""Coarser steps by a rule for each variable, of what was known then alone."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.series.regular_grid import GridSeries
from recurra.pipelines.data.series.resampling import resample, resampled
from recurra.pipelines.data.series.steps import parse_step

NAN = np.nan


def column(values, rule, together=2, start=60, min_fraction=0.5):
    """One variable at a step of a minute; stamps of whole minutes from `start`."""
    array = np.array(values, np.float32)[:, None]
    first, coarse = resample(start, 60, array, [rule], 60 * together, min_fraction)
    assert first % (60 * together) == 0
    return coarse[:, 0].tolist()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("mean", [1.5, 3.5]),
        ("sum", [3.0, 7.0]),
        ("max", [2.0, 4.0]),
        ("min", [1.0, 3.0]),
        ("last", [2.0, 4.0]),
    ],
)
def test_each_rule(rule, expected):
    assert column([1, 2, 3, 4], rule) == expected


def test_directions_turn_around_north():
    assert column([350, 10, 90, 180], "circular") == pytest.approx(
        [0.0, 135.0], abs=1e-4
    )


def test_directions_that_cancel_are_missing():
    assert np.isnan(column([0, 180], "circular")).all()


def test_missing_values():
    assert column([1, NAN, NAN, NAN], "mean") == pytest.approx([1.0, NAN], nan_ok=True)
    # One millimetre in half of the time stands for two.
    assert column([1, NAN], "sum") == [2.0]
    assert column([3, NAN], "last") == [3.0]
    assert column([3, NAN], "max") == [3.0]
    assert np.isnan(column([3, NAN], "max", min_fraction=0.6)).all()


def test_a_coarse_step_carries_the_time_of_its_end():
    # Stamps 10, 20, ..., 120 minutes: of the hours to 60 and to 120.
    values = np.arange(1, 13, dtype=np.float32)[:, None]
    first, coarse = resample(600, 600, values, ["mean"], 3600, 0.5)
    assert first == 3600
    assert coarse[:, 0].tolist() == [3.5, 9.5]


def test_what_comes_later_changes_nothing_before():
    generator = np.random.default_rng(0)
    values = generator.random((100, 5)).astype(np.float32)
    rules = ["mean", "sum", "circular", "max", "last"]
    changed = values.copy()
    changed[61:] += 1.0
    # Row 60 is stamped 610 minutes: its hour ends at 660 minutes.
    _, before = resample(600, 600, values, rules, 3600, 0.5)
    _, after = resample(600, 600, changed, rules, 3600, 0.5)
    ends = 3600 * np.arange(1, len(before) + 1)
    known = ends <= 600 + 60 * 600
    assert known.sum() == 10
    np.testing.assert_array_equal(before[known], after[known])


@pytest.mark.parametrize(
    ("text", "seconds"), [("1h", 3600), ("10min", 600), ("1D", 86400), ("60 s", 60)]
)
def test_steps_are_read(text, seconds):
    assert parse_step(text).seconds == seconds


@pytest.mark.parametrize("text", ["soon", "-1h", "0s", "1.5s"])
def test_what_is_no_step_is_refused(text):
    with pytest.raises(UserError, match="data.step"):
        parse_step(text)


def test_a_step_that_does_not_fit_is_refused():
    with pytest.raises(UserError, match="900 s is no multiple .* 600 s"):
        resample(0, 600, np.zeros((4, 1), np.float32), ["mean"], 900, 0.5)


def test_values_beyond_float32_keep_their_digits():
    values = np.array([[1e9 + 1], [1e9 + 3]])
    _, coarse = resample(60, 60, values, ["mean"], 120, 0.5)
    assert coarse.dtype == np.float64 and coarse[0, 0] == 1e9 + 2


def stamped(freq, periods, start="2015-01-01"):
    times = pd.date_range(start, periods=periods, freq=freq)
    return times.to_numpy("datetime64[s]").astype(np.int64)


def test_days_become_months_that_end_with_their_last_day():
    days = stamped("1D", 90)
    values = np.arange(90.0)[:, None]
    series = GridSeries(int(days[0]), parse_step("1D"), values, None, 0)
    months = resampled(series, parse_step("1 month"), ["mean"], 0.5)
    assert months.stamps is not None
    assert months.stamps.astype("datetime64[s]").astype("datetime64[D]").tolist() == [
        date(2015, 1, 31),
        date(2015, 2, 28),
        date(2015, 3, 31),
    ]
    assert months.values[:, 0].tolist() == [15.0, 44.5, 74.0]


def test_months_become_quarters():
    months = stamped("MS", 12)
    values = np.arange(12.0)[:, None]
    series = GridSeries(int(months[0]), parse_step("MS"), values, months, 0)
    quarters = resampled(series, parse_step("1 quarter"), ["sum"], 0.5)
    assert quarters.values[:, 0].tolist() == [3.0, 12.0, 21.0, 30.0]
    assert quarters.step.code == "QE"


def test_a_finer_step_than_that_of_the_data_is_refused():
    months = stamped("MS", 12)
    series = GridSeries(int(months[0]), parse_step("MS"), np.zeros((12, 1)), months, 0)
    with pytest.raises(UserError, match="day is finer than the data's step of month"):
        resampled(series, parse_step("1D"), ["mean"], 0.5)


def test_irregular_rows_are_put_together_where_they_are():
    stamps = np.array([600, 3000, 3600, 3660, 9000])
    values = np.array([[1.0], [2.0], [6.0], [7.0], [np.nan]])
    series = GridSeries(600, parse_step("600s"), values, stamps, 0, True)
    for rule, expected in (
        ("mean", [3.0, 7.0, np.nan]),
        ("sum", [9.0, 7.0, np.nan]),
        ("last", [6.0, 7.0, np.nan]),
    ):
        hours = resampled(series, parse_step("1h"), [rule], 0.5)
        assert (hours.start, hours.step.seconds, hours.stamps) == (3600, 3600, None)
        np.testing.assert_array_equal(hours.values[:, 0], expected)
