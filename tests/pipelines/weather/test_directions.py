"""Directions are points on the circle, for everything that is computed of them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from recurra.pipelines.data.series.measured_variables import Variable
from recurra.pipelines.data.series.time_series import StationSeries, TimeSeries
from recurra.pipelines.weather.baselines import fit_baselines
from recurra.pipelines.weather.config import (
    ForecastConfig,
    ModelConfig,
    WeatherConfig,
    WeatherDataConfig,
)
from recurra.pipelines.weather.data import WeatherData, WindowDataModule
from recurra.pipelines.weather.diagnostics import (
    ForecastSample,
    SuccessiveForecasts,
    change_correlations,
    fit_by_shift,
)
from recurra.pipelines.weather.directions import (
    continuous,
    on_circle,
    unwrapped,
    wrapped,
)
from recurra.pipelines.weather.metrics import ForecastScores, naive_errors
from recurra.pipelines.weather.model import (
    build_model,
    compile_model,
    mean_over_ensemble,
)
from recurra.pipelines.weather.model_inputs import history_inputs, with_hidden
from recurra.pipelines.weather.scaling import Scaling, fit_scaling
from recurra.pipelines.weather.windows import OriginBatch, WindowShape

START = np.datetime64("2020-02-03T05:00:00", "s")
HOUR = np.timedelta64(3600, "s")
T = Variable("T", "T", "degC", "mean")
WIND = Variable("wd", "wd", "deg", "circular", kind="direction")
SHAPE = WindowShape(history=8, horizon=5, first_lead=1, targets=(1, 0))


def north_wind(steps=400, seed=0, spread=6.0, middle=0.0):
    """A temperature, and a wind that stays around one direction."""
    rng = np.random.default_rng(seed)
    temperature = rng.normal(10, 4, steps)
    wind = (middle + rng.normal(0, spread, steps)) % 360
    return np.stack([temperature, wind], axis=1).astype(np.float32)


def data_module_of(values, shape=SHAPE):
    station = StationSeries("s", START, HOUR, values)
    series = TimeSeries("test", (T, WIND), (station,), (), (), len(values))
    train, validation = int(0.6 * len(values)), int(0.8 * len(values))
    spans = {
        "train": (0, train),
        "validation": (train, validation),
        "test": (validation, len(values)),
    }
    data = WeatherData(series, (spans,), shape)
    scaling = data.fit_scaling()
    return WindowDataModule(data, scaling, WeatherDataConfig(), 64, seed=0)


def turned(values, angle):
    return np.stack([values[:, 0], (values[:, 1] + angle) % 360], axis=1)


def test_arithmetic_of_directions():
    np.testing.assert_allclose(
        wrapped(np.array([358.0, -358, 180, 0])), [-2, 2, -180, 0]
    )
    tiny = np.float32([-1e-9, 360, 725])
    assert on_circle(tiny).tolist() == [0, 0, 5]
    assert on_circle(tf.constant(tiny)).numpy().tolist() == [0, 0, 5]
    near = unwrapped(np.array([[359.0, 10]]), np.array([[2.0, 300]]), (0,))
    assert near.tolist() == [[-1, 10]]
    line = continuous(np.array([[358.0], [np.nan], [3], [357]]), (0,))
    np.testing.assert_array_equal(line[:, 0], [358, np.nan, 363, 357])


def test_the_scale_is_that_of_the_circle():
    scaling = fit_scaling([north_wind(4000)], (1,))
    assert abs(wrapped(scaling.mean[1])) < 1
    assert scaling.scale[1] == pytest.approx(6, rel=0.05)
    standard = scaling.standardise(np.array([[10.0, 354], [10, 6]]))
    np.testing.assert_allclose(standard[:, 1], [-1, 1], rtol=0.1)
    there = scaling.restore(standard)
    np.testing.assert_allclose(there[:, 1], [354, 6], atol=1e-3)
    assert Scaling.from_dict(scaling.as_dict()).directions == (1,)
    # What a run kept before there were directions.
    old = {k: v for k, v in scaling.as_dict().items() if k != "directions"}
    assert Scaling.from_dict(old).directions == ()


def test_a_steady_or_absent_direction_is_scaled_safely():
    values = np.full((100, 3), [0.0, np.nan, 360.0], np.float32)
    scaling = fit_scaling([values], (0, 1, 2))
    assert scaling.constant == (0, 2) and scaling.missing == (1,)
    assert scaling.scale.tolist() == [1, 1, 1]
    inputs = history_inputs(values[None], scaling.mean, scaling.scale, (0, 1, 2))
    assert np.isfinite(inputs["history"]).all()


def test_components_there_and_back():
    rng = np.random.default_rng(0)
    values = np.stack([rng.normal(size=50), rng.uniform(0, 360, 50)], axis=1)
    scaling = fit_scaling([values], (1,))
    components = scaling.components_of((0, 1))
    assert components == (0, 1, 2)
    columns = scaling.variables_of(components)
    standard = scaling.standardise_components(values[:, columns], components)
    again = scaling.restore_components(standard)
    np.testing.assert_allclose(again, values, atol=1e-4)
    inputs = history_inputs(values[None], scaling.mean, scaling.scale, (1,))
    np.testing.assert_allclose(inputs["history"][0], standard, atol=1e-5)
    assert inputs["observed"].shape == (1, 50, 2)
    # As inputs 359 and 1 are neighbours.
    near = scaling.standardise_components(
        np.array([[0, 359.0, 359], [0, 1, 1]]), components
    )
    assert np.abs(near[0] - near[1]).max() < 0.05


def test_hidden_values_are_filled_from_before():
    values = north_wind(9)[None]
    scaling = fit_scaling([values[0]], (1,))
    features = history_inputs(values, scaling.mean, scaling.scale, (1,))
    hidden = with_hidden(features, tf.constant([0.5]), (1,), seed=3)
    kept = hidden["observed"].numpy() > 0
    assert 0 < kept.sum() < kept.size
    again = history_inputs(
        np.where(kept, values, np.nan), scaling.mean, scaling.scale, (1,)
    )
    np.testing.assert_allclose(hidden["history"], again["history"], atol=1e-6)


@pytest.mark.parametrize(
    "name", ["repeat_last", "seasonal_naive", "climatology", "ridge"]
)
def test_baselines_turn_with_the_wind(name):
    """A baseline of winds around north is that of winds around south, turned."""
    forecasts = []
    for angle in (0, 180):
        data_module = data_module_of(turned(north_wind(), angle))
        windows = data_module.evaluation("test")
        numbers = np.arange(len(windows))
        batch = OriginBatch(*windows.locations(numbers), windows.target_times(numbers))
        baseline = fit_baselines(data_module)[name]
        forecasts.append(baseline.forecast(batch, data_module.data.series))
    north, south = forecasts
    assert (north[..., 0] >= 0).all() and (north[..., 0] < 360).all()
    difference = wrapped(south[..., 0].astype(float) - north[..., 0] - 180)
    assert np.abs(difference).max() < 0.01
    np.testing.assert_allclose(north[..., 1], south[..., 1], atol=1e-3)


def test_scores_are_taken_round_the_circle():
    scores = ForecastScores(
        ["wd"],
        [1],
        scale=np.array([10.0]),
        naive_error=np.array([4.0]),
        quantiles=[0.1, 0.5, 0.9],
        directions=(0,),
    )
    truth = np.array([[[358.0]], [[4.0]], [[100.0]]])
    point = np.array([[[2.0]], [[0.0]], [[350.0]]])
    quantiles = np.array([[[[350.0, 2, 10]]], [[[355, 0, 3]]], [[[340, 350, 0]]]])
    scores.add(truth, point, quantiles, np.full((3, 1), START))
    found = scores.overall()
    assert found["mae"] == pytest.approx((4 + 4 + 110) / 3)
    assert found["bias"] == pytest.approx((4 - 4 - 110) / 3)
    assert found["mase"] == pytest.approx(found["mae"] / 4)
    assert found["coverage_80"] == pytest.approx(1 / 3)
    assert found["width_80"] == pytest.approx((20 + 8 + 20) / 3)
    # By hand: 2/3 of the pinball losses of 358 between 350, 362 and 370, and so on.
    losses = [
        0.1 * 8 + 0.5 * 4 + 0.1 * 12,
        0.1 * 9 + 0.5 * 4 + 0.9 * 1,
        0.1 * 120 + 0.5 * 110 + 0.9 * 100,
    ]
    assert found["crps"] == pytest.approx(2 / 3 * np.mean(losses))


def test_the_naive_error_is_taken_round_the_circle():
    part = np.array([[359.0], [1], [359]])
    assert naive_errors([part], 1, (0,)).tolist() == [2]


def configuration_of(**model) -> WeatherConfig:
    return WeatherConfig(
        model=ModelConfig(units=8, head_units=8, segment=4, **model),
        forecast=ForecastConfig(quantiles=[0.1, 0.5, 0.9]),
    )


@pytest.mark.parametrize("kind", ["direct", "encoder_decoder", "segments"])
def test_a_model_learns_a_wind_around_north(kind):
    data_module = data_module_of(north_wind())
    scaling = data_module.source.scaling
    keras.utils.set_random_seed(0)
    configuration = configuration_of(kind=kind)
    model = build_model(configuration, SHAPE, 2, scaling)
    period = scaling.of(SHAPE.targets).period
    compile_model(model, configuration, 4, period)
    features, targets, weights = next(iter(data_module.training_batches(0)))
    assert features["history"].shape[-1] == 3 and features["observed"].shape[-1] == 2
    outputs = mean_over_ensemble(model(features), period).numpy()
    assert outputs.shape == (*targets.shape, 4) and np.isfinite(outputs).all()
    assert (np.diff(outputs[..., 1:], axis=-1) > 0).all()
    # Whole turns of the truth change nothing.
    losses = [
        model.test_on_batch(features, targets + turns * period, weights)
        for turns in (0.0, 1.0, -2.0)
    ]
    np.testing.assert_allclose(losses[1:], [losses[0]] * 2, rtol=1e-4)


def test_networks_are_averaged_on_the_circle():
    # Of period 6: 2.9 and -2.9 are .2 apart.
    outputs = np.float32([[[2.9, 2.5, 3.5], [-2.9, -3.1, -2.0]]])[None, None]
    mean = mean_over_ensemble(outputs, np.array([6.0])).numpy()[0, 0, 0]
    np.testing.assert_allclose(mean, [3.0, 2.7, 3.75], rtol=1e-5)


def test_without_directions_the_weights_are_what_they_were():
    shape = WindowShape(8, 5, 1, targets=(0,))
    plain = build_model(configuration_of(), shape, 2)
    scaled = build_model(configuration_of(), shape, 2, fit_scaling([north_wind()]))
    names = [(weight.path, weight.shape) for weight in plain.weights]
    assert [shape for _, shape in names] == [w.shape for w in scaled.weights]
    features = {
        name: np.zeros((2, *tensor.shape[1:]), "float32")
        for name, tensor in plain.input.items()
    }
    scaled.set_weights(plain.get_weights())
    np.testing.assert_array_equal(plain(features), scaled(features))


def test_diagnostics_know_the_circle():
    truth = np.array([[358.0], [2], [10]] * 10)
    sample = ForecastSample(truth, (truth + 4) % 360, (truth + 350) % 360, (0,))
    np.testing.assert_allclose(sample.errors, 4)
    np.testing.assert_allclose(sample.true_changes, 10)
    np.testing.assert_allclose(sample.foreseen_changes, 14)
    assert np.isnan(change_correlations(sample)).all()
    rng = np.random.default_rng(0)
    wind = continuous(rng.normal(0, 20, (300, 1)) % 360, (0,))
    times = START + np.arange(300) * HOUR
    late = SuccessiveForecasts("s", 3, times[3:], wind[3:], wind[:-3], None, (0,))
    fit = fit_by_shift(late, 3600)
    assert fit.best(0) == -3 and fit.at(-3, 0) == pytest.approx(1)
