"""How forecasts err beside their scores, checked on series made for it."""

import numpy as np
import pytest

from recurra.pipelines.data.series.time_series import StationSeries
from recurra.pipelines.weather.diagnostics import (
    ForecastSample,
    SuccessiveForecasts,
    change_correlations,
    fit_by_shift,
    missing_map,
)

START = np.datetime64("2020-01-01T00:00:00", "s")
HOUR = np.timedelta64(3600, "s")


def _successive(delays, lead=6, steps=400, every=1):
    """Forecasts that are the truth of so many steps before, one target for each."""
    series = np.random.default_rng(0).normal(size=steps).cumsum()
    kept = np.arange(50, steps - 50, every)
    return SuccessiveForecasts(
        "s",
        lead,
        START + kept * HOUR,
        np.stack([series[kept]] * len(delays), axis=1),
        np.stack([series[kept - delay] for delay in delays], axis=1),
    )


@pytest.mark.parametrize("every", [1, 2])
def test_the_best_shift_is_the_delay(every):
    fit = fit_by_shift(_successive((0, 2, 6, -4), every=every), 3600)
    assert [fit.best(target) for target in range(4)] == [0, -2, -6, 4]
    assert fit.at(-6, 2) == pytest.approx(1.0)
    assert fit.at(0, 2) < 1


def test_a_gap_moves_nothing():
    whole = _successive((3,))
    kept = np.r_[0:100, 130:300]
    gappy = SuccessiveForecasts(
        "s", 6, whole.times[kept], whole.truth[kept], whole.point[kept]
    )
    gappy.truth[::7] = np.nan
    assert fit_by_shift(gappy, 3600).best(0) == -3


def test_shifts_of_a_long_lead_keep_nought_and_the_lead():
    fit = fit_by_shift(_successive((0,), lead=101), 3600)
    assert {0, -101} <= set(fit.shifts.tolist())
    assert len(fit.shifts) < 120
    assert np.abs(fit.shifts).max() == 151


def test_a_constant_forecast_fits_nowhere():
    successive = _successive((0,))
    successive.point[:] = 1.0
    fit = fit_by_shift(successive, 3600)
    assert fit.best(0) is None
    assert np.isnan(fit.at(0, 0))


def test_change_correlations_are_those_of_numpy():
    generator = np.random.default_rng(0)
    last, truth, point = generator.normal(size=(3, 200, 2))
    point[:, 1] = last[:, 1]
    truth[:20, 0] = np.nan
    expected = np.corrcoef((truth - last)[20:, 0], (point - last)[20:, 0])[0, 1]
    found = change_correlations(ForecastSample(truth, point, last))
    assert found[0] == pytest.approx(expected)
    assert np.isnan(found[1]), "the last value repeated foresees no change"


def test_missing_map_counts_every_step_once():
    values = np.zeros((1003, 2), np.float32)
    values[100:130, 0] = np.nan
    values[:, 1] = np.nan
    spans = {"train": (0, 700), "validation": (700, 1003), "test": (1003, 1003)}
    found = missing_map(StationSeries("s", START, HOUR, values), spans, bins=10)
    assert found.fractions.shape == (10, 2)
    assert found.edges[0] == START
    assert found.edges[-1] == START + 1003 * HOUR
    steps = np.diff(found.edges) / HOUR
    np.testing.assert_allclose(steps @ found.fractions, [30, 1003])
    assert found.fractions[1, 0] == pytest.approx(0.3)
    assert found.starts == {"train": START, "validation": START + 700 * HOUR}


def test_a_series_shorter_than_the_bins_has_one_each():
    values = np.array([[1.0], [np.nan], [3.0]], np.float32)
    spans = {"train": (0, 1), "validation": (1, 2), "test": (2, 3)}
    found = missing_map(StationSeries("s", START, HOUR, values), spans)
    np.testing.assert_array_equal(found.fractions[:, 0], [0, 1, 0])
