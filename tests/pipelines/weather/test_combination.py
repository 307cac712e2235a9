"""Weights of a combination: found where they are known, drawn together where not."""

import numpy as np
import pytest

from recurra.pipelines.weather.combination import (
    Combination,
    fit_weights,
    lead_blocks,
)
from recurra.pipelines.weather.config import ForecastConfig
from recurra.pipelines.weather.correction import TargetRanges

FREE = TargetRanges(np.full(2, -np.inf), np.full(2, np.inf))


def held_out(known: np.ndarray, windows: int = 3000, noise: float = 0.3):
    """Errors and differences of which these weights `[H, T, M]` are the best."""
    rng = np.random.default_rng(0)
    beside = rng.normal(size=(windows, *known.shape)).astype(np.float32)
    errors = (beside * known).sum(axis=-1) + noise * rng.normal(size=beside.shape[:-1])
    errors[rng.random(errors.shape) < 0.1] = np.nan
    return errors.astype(np.float32), beside


@pytest.mark.parametrize("loss", ["mae", "mse", "huber"])
def test_the_weights_of_each_target_and_block_are_found(loss):
    known = np.array([[[0.3, 0.1], [0.0, 0.9]]] * 2 + [[[0.6, 0.4], [0.0, 0.0]]] * 6)
    weights = fit_weights(*held_out(known), ForecastConfig(point_loss=loss), 3000.0)
    assert [len(range(8)[each]) for each in lead_blocks(8)] == [1, 1, 3, 3]
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-6)
    np.testing.assert_allclose(weights[..., 1:], known, atol=0.05)


def test_what_was_hardly_seen_gets_weights_near_those_of_all():
    known = np.array([[[0.9], [0.1]]])
    much, little = (
        fit_weights(*held_out(known, 4000, noise=3.0), ForecastConfig(), independent)
        for independent in (4000.0, 1.0)
    )
    spread = [np.ptp(weights[..., 1]) for weights in (much, little)]
    assert spread[1] < 0.7 * spread[0]


def test_without_any_truth_the_losses_of_all_decide():
    errors, beside = held_out(np.array([[[0.9], [0.5]]]))
    errors[..., 1] = np.nan
    weights = fit_weights(errors, beside, ForecastConfig(), 100.0)
    np.testing.assert_allclose(weights[0, 1], weights[0, 0], atol=0.1)
    nothing = fit_weights(np.full_like(errors, np.nan), beside, ForecastConfig(), 1.0)
    np.testing.assert_array_equal(nothing, [[[1, 0], [1, 0]]])


def test_a_combination_goes_round_the_circle_and_stays_within_bounds():
    ranges = TargetRanges(np.array([0.0, -np.inf]), np.full(2, np.inf), (1,))
    weights = np.full((1, 2, 2), 0.5, np.float32)
    combination = Combination(("ridge",), weights)
    point = np.float32([[[3.0, 350.0]]])
    members = np.float32([[[[-2.0], [10.0]]]])
    moves = combination.moves(members, point, ranges)
    np.testing.assert_allclose(moves, [[[-1.5, 10.0]]], rtol=1e-6)
    again = Combination.from_arrays(combination.as_arrays())
    assert again.names == combination.names
    np.testing.assert_array_equal(again.weights, weights)
