"""Scaling: missing values aside, and no division by nothing."""

import numpy as np

from recurra.pipelines.weather.model_inputs import standardised
from recurra.pipelines.weather.scaling import Scaling, fit_scaling

NAN = np.nan


def test_missing_values_are_left_aside():
    first = np.array([[1, NAN], [3, 10]], np.float32)
    second = np.array([[5, 30]], np.float32)
    scaling = fit_scaling([first, second])
    np.testing.assert_allclose(scaling.mean, [3, 20])
    np.testing.assert_allclose(scaling.scale, [np.std([1, 3, 5]), 10])


def test_constant_and_missing_variables():
    values = np.full((1000, 3), [428.1, NAN, 0.0], np.float32)
    scaling = fit_scaling([values])
    assert scaling.constant == (0, 2) and scaling.missing == (1,)
    assert scaling.scale.tolist() == [1, 1, 1]
    np.testing.assert_allclose(scaling.mean, [428.1, 0, 0], rtol=1e-6)
    assert scaling.of([1, 2]).missing == (0,) and scaling.of([1, 2]).constant == (1,)


def test_sums_of_many_large_values_are_exact_enough():
    generator = np.random.default_rng(0)
    values = (1000 + generator.standard_normal((200_000, 1))).astype(np.float32)
    scaling = fit_scaling([values])
    wide = values.astype(np.float64)
    np.testing.assert_allclose(scaling.scale, wide.std(axis=0), rtol=1e-6)


def test_there_and_back():
    generator = np.random.default_rng(0)
    values = generator.normal(5, 3, (50, 4)).astype(np.float32)
    scaling = fit_scaling([values])
    standard = scaling.standardise(values)
    np.testing.assert_allclose(standard.std(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose(scaling.restore(standard), values, rtol=1e-5)
    again = Scaling.from_dict(scaling.as_dict())
    np.testing.assert_array_equal(again.mean, scaling.mean)
    assert again.constant == scaling.constant


def test_counters_are_scaled_before_float32_loses_them():
    values = (1.6e9 + np.arange(500.0))[:, None]
    scaling = fit_scaling([values])
    assert scaling.dtype == np.float64 and not scaling.constant
    standard, _ = standardised(values, scaling.mean, scaling.scale)
    steps = np.diff(standard.numpy()[:, 0])
    np.testing.assert_allclose(steps, 1 / scaling.scale[0], rtol=1e-3)
    # A pressure needs no more than it has.
    assert fit_scaling([np.random.default_rng(0).normal(989, 8, (50, 1))]).dtype == (
        np.float32
    )
    assert fit_scaling([np.full((50, 1), 1e9)]).dtype == np.float32
