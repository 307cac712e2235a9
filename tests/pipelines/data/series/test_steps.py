"""Steps of seconds and of the calendar."""

import numpy as np
import pandas as pd
import pytest

from recurra.pipelines.data.series.steps import Step, calendar_step, parse_step


def seconds_of(times):
    return pd.DatetimeIndex(times).to_numpy("datetime64[s]").astype(np.int64)


@pytest.mark.parametrize(
    "code", ["MS", "ME", "QS", "QE", "YS", "YE", "B", "2MS", "QS-FEB"]
)
def test_a_step_of_the_calendar_is_found(code):
    stamps = seconds_of(pd.date_range("1960-01-01", periods=200, freq=code))
    step = calendar_step(stamps)
    assert step is not None and step.is_calendar
    assert parse_step(step.code) == step
    assert (step.times(int(stamps[0]), 200) == stamps).all()
    assert (step.add(int(stamps[-1]), -np.arange(200))[::-1] == stamps).all()
    assert (step.since(int(stamps[0]), stamps) == np.arange(200)).all()


def test_the_day_of_the_month_and_the_clock_are_kept():
    start = seconds_of(["2015-01-15 09:00"])[0]
    times = parse_step("1 month").times(int(start), 3).astype("datetime64[s]")
    assert [str(time) for time in times] == [
        "2015-01-15T09:00:00",
        "2015-02-15T09:00:00",
        "2015-03-15T09:00:00",
    ]


@pytest.mark.parametrize("freq", ["1D", "7D", "30D", "28D", "1h"])
def test_other_steps_are_of_seconds(freq):
    times = pd.date_range("2000-01-01", periods=100, freq=freq)
    assert calendar_step(seconds_of(times)) is None


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("10min", "600s", "10 min"),
        ("3 h", "10800s", "3 hours"),
        ("1W", "604800s", "week"),
        ("1 month", "MS", "month"),
        ("monthly", "MS", "month"),
        ("2QE", "2QE", "2 quarters"),
        ("Y", "YS", "year"),
        ("business day", "B", "business day"),
    ],
)
def test_steps_are_read_and_shown(text, code, words):
    step = parse_step(text)
    assert (step.code, str(step)) == (code, words)
    assert parse_step(code) == step


def test_tensors_are_added_to_as_arrays_are():
    # By operators alone; here of another kind of number.
    start = int(seconds_of(["2015-01-31"])[0])
    step = Step.of_months(1, at_end=True)
    numbers = [step.add(start, number) for number in range(4)]
    assert numbers == step.times(start, 4).tolist()
