"""Correction of quantiles: ranks by hand, coverage on new draws."""

import math

import numpy as np
import pytest

from recurra.pipelines.weather.correction import quantile_shifts

LEVELS = (0.1, 0.5, 0.9)


def test_shifts_are_the_order_statistics():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(37, 2, 3)).astype("float32")
    quantiles = rng.normal(size=(37, 2, 3, 3)).astype("float32")
    truth[rng.random(truth.shape) < 0.2] = np.nan
    shifts = quantile_shifts(truth, quantiles, LEVELS)
    assert shifts.shape == (2, 3, 3)
    for lead in range(2):
        for target in range(3):
            for number, level in enumerate(LEVELS):
                errors = truth[:, lead, target] - quantiles[:, lead, target, number]
                errors = sorted(errors[np.isfinite(errors)].tolist())
                rank = (len(errors) + 1) * level
                rank = math.ceil(rank) if level >= 0.5 else math.floor(rank)
                expected = errors[min(max(rank, 1), len(errors)) - 1]
                assert shifts[lead, target, number] == pytest.approx(expected)


def test_bad_quantiles_cover_after_the_shift():
    rng = np.random.default_rng(1)
    truth = 3 + 2 * rng.normal(size=(4000, 1, 1))
    # Much too narrow, and beside the truth.
    quantiles = np.array([0.9, 1.0, 1.1]) * np.ones((4000, 1, 1, 1))
    shifts = quantile_shifts(truth[:2000], quantiles[:2000], LEVELS)
    covered = (truth[2000:, ..., None] <= quantiles[2000:] + shifts).mean(axis=0)
    np.testing.assert_allclose(covered[0, 0], LEVELS, atol=0.03)


def test_a_point_stands_for_each_quantile():
    rng = np.random.default_rng(2)
    truth = rng.normal(size=(50, 2, 1))
    point = rng.normal(size=(50, 2, 1, 1))
    np.testing.assert_array_equal(
        quantile_shifts(truth, point, LEVELS),
        quantile_shifts(truth, np.repeat(point, 3, axis=-1), LEVELS),
    )


def test_errors_that_have_steps_in_common_make_wider_intervals():
    """Of 40 that tell what 4 do the ranks are those of 5 quantiles, spread over 40."""
    truth = np.arange(40.0)[:, None, None]
    shifts = quantile_shifts(truth, np.zeros((40, 1, 1, 1)), (0.25, 0.5, 0.75), 4.0)
    np.testing.assert_array_equal(shifts[0, 0], [2, 20, 37])
    shifts = quantile_shifts(truth, np.zeros((40, 1, 1, 1)), (0.1, 0.9), 4.0)
    np.testing.assert_array_equal(shifts[0, 0], [0, 39])


def test_where_no_truth_is_nothing_is_shifted():
    truth = np.full((5, 1, 1), np.nan)
    assert not quantile_shifts(truth, np.zeros((5, 1, 1, 3)), LEVELS).any()
