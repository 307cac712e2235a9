"""From a model's forecasts to answers: bounds, ties, the point, and what is missing."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from recurra.pipelines.data.series.measured_variables import Variable
from recurra.pipelines.weather.correction import (
    MISSING_EDGES,
    Correction,
    TargetRanges,
    missing_bins,
    missing_share,
)

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
T = Variable("T", "T", "degC", "mean")
RAIN = Variable("rain", "rain", "mm", "sum", kind="amount", bounds=(0, None))
RH = Variable("rh", "rh", "%", "mean", kind="percentage", bounds=(0, 100))
WIND = Variable("wd", "wd", "deg", "circular", kind="direction")


def applied(correction, point, quantiles, missing=None):
    answer = correction.apply(
        tf.constant(point, tf.float32),
        None if quantiles is None else tf.constant(quantiles, tf.float32),
        None if missing is None else tf.constant(missing, tf.float32),
    )
    return [None if each is None else each.numpy() for each in answer]


def rain_and_forecasts(windows, seed, drift=0.0):
    """Rain, 88 % zeros, and quantiles that do not quite know where its floor is."""
    rng = np.random.default_rng(seed)
    wet = rng.random((windows, 3, 1)) < 0.12
    truth = np.where(wet, rng.gamma(1.0, 2.0, wet.shape), 0.0)
    noise = rng.normal(drift, 0.02, (windows, 3, 1, 1))
    quantiles = np.array([-0.02, -0.01, 0.0, 0.05, 0.6]) + noise
    return truth, quantiles[..., 2], quantiles


@pytest.mark.parametrize("drift", [0.0, 0.005, -0.02])
def test_dry_hours_lie_in_the_interval(drift):
    """Also where the model's quantiles move a little after validation."""
    ranges = TargetRanges.of([RAIN])
    shifts = Correction(ranges, LEVELS).fitted_shifts(*rain_and_forecasts(1000, 0))
    truth, point, quantiles = rain_and_forecasts(1000, 1, drift)
    correction = Correction(ranges, LEVELS, shifts[None], point="median")
    point, quantiles = applied(correction, point, quantiles)
    assert point.min() >= 0 and quantiles.min() >= 0
    below = (truth < quantiles[..., 0]).mean()
    inside = ((truth >= quantiles[..., 0]) & (truth <= quantiles[..., 4])).mean()
    assert below <= 0.2 and inside >= 0.75
    above = truth > 0
    # The upper end is not at the floor with all others.
    assert (truth[above] <= quantiles[..., 4][above]).mean() > 0.05


def test_nothing_lies_outside_of_its_bounds():
    rng = np.random.default_rng(0)
    quantiles = np.sort(rng.normal(50, 60, (40, 3, 2, 5)), axis=-1)
    shifts = rng.normal(0, 30, (1, 3, 2, 5))
    for given in (shifts, None):
        correction = Correction(
            TargetRanges.of([RAIN, RH]), LEVELS, given, point="median"
        )
        for answer in applied(correction, quantiles[..., 2], quantiles):
            assert answer.min() == 0
            assert answer[:, :, 1].max() == 100 and answer[:, :, 0].max() > 100
    # A baseline's point alone.
    point, none = applied(
        Correction(TargetRanges.of([RAIN, RH])), quantiles[..., 0], None
    )
    assert none is None and point.min() == 0


def test_the_point_is_the_median_after_calibration():
    rng = np.random.default_rng(0)
    quantiles = np.sort(rng.normal(size=(40, 3, 2, 5)), axis=-1)
    shifts = rng.normal(size=(1, 3, 2, 5))
    ranges = TargetRanges.of([T, WIND])
    median = Correction(ranges, LEVELS, shifts, point="median")
    point, moved = applied(median, quantiles[..., 2], quantiles)
    np.testing.assert_array_equal(point, moved[..., 2])
    inside = Correction(TargetRanges.of([T, T]), LEVELS, shifts, point="inside")
    point, moved = applied(inside, quantiles[..., 2] + 3, quantiles)
    assert (point >= moved[..., 1]).all() and (point <= moved[..., 3]).all()
    # Without an interval there is nothing to lie in.
    one = Correction(TargetRanges.of([T, T]), (0.9,), shifts[..., :1], point="inside")
    point, _ = applied(one, quantiles[..., 2], quantiles[..., 4:])
    np.testing.assert_allclose(point, quantiles[..., 2], rtol=1e-6)


def test_quantiles_of_a_direction_stand_around_the_point():
    point = np.array([[[358.0]], [[-3.0]], [[720.0]]])
    quantiles = point[..., None] + [-300, -10, 0, 10, 300]
    correction = Correction(TargetRanges.of([WIND]), LEVELS, point="median")
    found, around = applied(correction, point, quantiles)
    np.testing.assert_allclose(found.ravel(), [358, 357, 0])
    assert (around >= 0).all() and (around < 360).all()
    offsets = (around - found[..., None] + 180) % 360 - 180
    np.testing.assert_allclose(
        offsets[:, 0, 0], [[-179.9, -10, 0, 10, 179.9]] * 3, atol=1e-3
    )


def test_shifts_of_a_direction_are_those_round_the_circle():
    rng = np.random.default_rng(0)
    true_offset = rng.normal(0, 10, (4000, 1, 1))
    point = rng.uniform(0, 360, (4000, 1, 1))
    truth = (point + true_offset) % 360
    correction = Correction(TargetRanges.of([WIND]), LEVELS)
    shifts = correction.fitted_shifts(truth, point, None)
    expected = np.quantile(true_offset, LEVELS)
    np.testing.assert_allclose(shifts[0, 0], expected, atol=0.1)


def test_of_few_windows_neighbouring_leads_are_taken_together():
    rng = np.random.default_rng(0)
    ranges = TargetRanges.of([T])
    few = rng.normal(size=(9, 24, 1))
    correction = Correction(ranges, (0.9,))
    shifts = correction.fitted_shifts(few, np.zeros_like(few), None)[:, 0, 0]
    # The 90 % quantile of a normal distribution; of 9 the largest would stand for it.
    assert np.abs(shifts - 1.28).mean() < 0.3 < few.max(axis=0).mean() - 1.28 + 0.3
    many = rng.normal(size=(200, 2, 1)) + [[0], [5]]
    correction = Correction(ranges, (0.5,))
    shifts = correction.fitted_shifts(many, np.zeros_like(many), None)[:, 0, 0]
    np.testing.assert_allclose(shifts, [0, 5], atol=0.3)


def test_what_is_said_to_be_certain_hardly_moves():
    """Sunshine: the nights are known, and the days stated half as wide as they are."""
    rng = np.random.default_rng(0)
    is_day = np.arange(4000)[:, None, None] % 2
    truth = is_day * rng.normal(500, 100, (4000, 1, 1))
    point = 500.0 * is_day
    offsets = np.array([-64, -34, 0, 34, 64]) + np.zeros((1, 1, 1, 5))
    quantiles = point[..., None] + is_day[..., None] * offsets
    correction = Correction(
        TargetRanges.of([RAIN]), LEVELS, least_spread=np.array([1e-3])
    )
    shifts = correction.fitted_shifts(truth, point, quantiles)
    correction = dataclasses.replace(correction, shifts=shifts[None])
    _, moved = applied(correction, point, quantiles)
    assert np.abs(moved[::2]).max() < 0.01
    day = truth[1::2]
    inside = (day >= moved[1::2, ..., 0]) & (day <= moved[1::2, ..., 4])
    stated = (day >= quantiles[1::2, ..., 0]) & (day <= quantiles[1::2, ..., 4])
    assert inside.mean() > stated.mean() + 0.05


def test_shifts_go_by_what_is_missing():
    shifts = np.arange(4.0)[:, None, None, None] * np.ones((4, 2, 1, 1))
    correction = Correction(
        TargetRanges.of([T]), (0.5,), shifts, MISSING_EDGES, "median"
    )
    missing = [0.0, 0.1, 0.11, 0.5, 0.8, 1.0]
    point, _ = applied(correction, np.zeros((6, 2, 1)), np.zeros((6, 2, 1, 1)), missing)
    assert point[:, 0, 0].tolist() == [0, 0, 1, 2, 3, 3]
    assert len(missing_bins()) == 4
    observed = np.array([[[1, 0], [1, 1]], [[0, 0], [0, 0]]])
    assert missing_share(observed).numpy().tolist() == [0.25, 1]


def test_kept_and_loaded(tmp_path):
    rng = np.random.default_rng(0)
    correction = Correction(
        TargetRanges.of([RAIN, WIND]),
        LEVELS,
        rng.normal(size=(4, 3, 2, 5)).astype("float32"),
        MISSING_EDGES,
        "inside",
        np.array([0.1, 0.2]),
    )
    np.savez(tmp_path / "c.npz", **correction.as_arrays())
    with np.load(tmp_path / "c.npz") as file:
        again = Correction.from_arrays(dict(file))
    quantiles = np.sort(rng.normal(size=(6, 3, 2, 5)), axis=-1)
    missing = np.linspace(0, 1, 6)
    for one, two in zip(
        applied(correction, quantiles[..., 2], quantiles, missing),
        applied(again, quantiles[..., 2], quantiles, missing),
        strict=True,
    ):
        np.testing.assert_array_equal(one, two)
    assert again.levels == LEVELS and again.point == "inside"


def test_old_shifts_move_quantiles_alone():
    rng = np.random.default_rng(0)
    quantiles = np.sort(rng.normal(size=(6, 3, 2, 5)), axis=-1).astype("float32")
    shifts = rng.normal(size=(3, 2, 5)).astype("float32")
    point, moved = applied(Correction.of_old(shifts, 2), quantiles[..., 2], quantiles)
    np.testing.assert_array_equal(point, quantiles[..., 2])
    np.testing.assert_array_equal(moved, np.sort(quantiles + shifts, axis=-1))
