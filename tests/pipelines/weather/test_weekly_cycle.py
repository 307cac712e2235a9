"""The day of the week: found where there is something to learn, and else left out."""

import numpy as np
import pandas as pd
import pytest

from recurra.pipelines.weather.model_inputs import calendar_features, calendar_width
from recurra.pipelines.weather.weekly_cycle import shows_week

START = np.datetime64("2021-03-01T00:00:00", "s")


def hours(weeks):
    return START + np.arange(24 * 7 * weeks) * np.timedelta64(3600, "s")


def load(times, seed=0):
    """Less at weekends, and a course of the day."""
    rng = np.random.default_rng(seed)
    index = pd.DatetimeIndex(times)
    day = 10 * np.sin(2 * np.pi * index.hour / 24)
    noise = pd.Series(rng.normal(size=len(times))).ewm(halflife=30).mean() * 10
    values = 100 - 20 * (index.day_of_week >= 5) + day + noise.to_numpy()
    return np.array(values)[:, None]


def test_a_load_follows_the_week_once_there_are_weeks_enough():
    assert shows_week([[(hours(12), load(hours(12)))]])
    assert not shows_week([[(hours(5), load(hours(5)))]])
    days = hours(30)[::24]
    assert shows_week([[(days, load(days))]])


@pytest.mark.parametrize("seed", range(5))
def test_weather_does_not(seed):
    rng = np.random.default_rng(seed)
    times = hours(30)
    lasting = pd.Series(rng.normal(size=len(times))).ewm(halflife=40).mean()
    assert not shows_week([[(times, lasting.to_numpy()[:, None])]])


def test_constant_missing_and_short_series_have_none():
    times = hours(12)
    values = np.full((len(times), 3), [5.0, np.nan, np.inf])
    assert not shows_week([[(times, values)], [(times[:0], values[:0])]])


def test_waves_of_the_week_tell_its_days_apart():
    days = (START + np.arange(14) * np.timedelta64(86_400, "s")).astype(np.int64)
    features = calendar_features(days, week=True).numpy()
    assert features.shape == (14, calendar_width(True, True))
    assert calendar_features(days).shape == (14, calendar_width(True, False))
    week = features[:, 4:]
    np.testing.assert_allclose(week[:7], week[7:], atol=1e-5)
    # Any function of the day is a sum of them and a constant.
    assert np.linalg.matrix_rank(np.c_[np.ones(7), week[:7]], tol=1e-3) == 7
