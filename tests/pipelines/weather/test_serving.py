"""Exported weather models: equal to the model in memory, and hard to upset."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from recurra.pipelines.data.series.measured_variables import variables_of
from recurra.pipelines.data.series.steps import Step, parse_step
from recurra.pipelines.data.series.time_series import StationSeries, TimeSeries
from recurra.pipelines.weather.config import (
    ForecastConfig,
    ModelConfig,
    WeatherConfig,
)
from recurra.pipelines.weather.correction import Correction, TargetRanges
from recurra.pipelines.weather.forecaster import Forecaster
from recurra.pipelines.weather.model import build_model
from recurra.pipelines.weather.scaling import Scaling
from recurra.pipelines.weather.serving import WeatherServing
from recurra.pipelines.weather.windows import WindowShape, WindowSource

STEP, HISTORY, HORIZON = 3600, 12, 5
START = np.datetime64("2020-02-28T21:00:00", "s")
SCALING = Scaling(np.float32([980, 10, 5]), np.float32([8, 6, 3]))
KNOWN = WindowShape(HISTORY, HORIZON, 2, targets=(1, 0), known_future=(2,))
CALENDAR = WindowShape(HISTORY, HORIZON, 2, targets=(1, 0))
SHIFTS = np.random.default_rng(1).normal(size=(HORIZON, 2, 3))
PLAIN = WindowShape(HISTORY, HORIZON, 2, targets=(1, 0), calendar=False)


def series_of(steps: int = 60) -> TimeSeries:
    rng = np.random.default_rng(0)
    values = SCALING.restore(rng.normal(size=(steps, 3))).astype("float32")
    values[rng.random(values.shape) < 0.1] = np.nan
    station = StationSeries("a", START, np.timedelta64(STEP, "s"), values)
    variables = variables_of(["p (mbar)", "T (degC)", "wv (m/s)"])
    return TimeSeries("test", variables, (station,), (), (), steps)


def forecaster_of(shape: WindowShape, shifted: bool = True, **model) -> Forecaster:
    configuration = WeatherConfig(
        model=ModelConfig(units=8, head_units=8, segment=4, **model),
        forecast=ForecastConfig(quantiles=[0.1, 0.5, 0.9]),
    )
    return Forecaster(
        build_model(configuration, shape, 3),
        SCALING.of(shape.targets),
        Correction.of_old(SHIFTS.astype("float32") if shifted else None, 2),
    )


def exported(folder, forecaster: Forecaster, shape: WindowShape, passes: int = 0):
    serving = WeatherServing(forecaster, shape, SCALING, Step(STEP), passes)
    signatures = {
        name: function.get_concrete_function()
        for name, function in serving.signatures().items()
    }
    tf.saved_model.save(serving, str(folder / "1"), signatures)
    return tf.saved_model.load(str(folder / "1")).signatures


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """A function of kind and shape: a forecaster, and the signatures of its export."""

    @functools.cache
    def make(shape: WindowShape, kind: str = "direct"):
        forecaster = forecaster_of(shape, kind=kind)
        return forecaster, exported(tmp_path_factory.mktemp("model"), forecaster, shape)

    return make


def raw_inputs(origins: np.ndarray) -> dict:
    values = series_of().stations[0].values
    back, ahead = np.arange(1 - HISTORY, 1), np.arange(2, 2 + HORIZON)
    return {
        "history": tf.constant(values[origins[:, None] + back]),
        "start": tf.constant([str(START + int(each) * STEP) for each in origins]),
        "known_future": tf.constant(values[origins[:, None] + ahead][..., 2:]),
    }


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("direct", KNOWN),
        ("direct", CALENDAR),
        ("direct", PLAIN),
        ("encoder_decoder", KNOWN),
        ("segments", KNOWN),
    ],
)
def test_the_export_equals_the_model_in_memory(exports, kind, shape):
    forecaster, signatures = exports(shape, kind)
    origins = np.arange(HISTORY - 1, 50)
    features, _, _ = WindowSource(series_of(), SCALING, shape).gather(
        tf.zeros(len(origins), tf.int64), tf.constant(origins)
    )
    point, quantiles = forecaster.forecast(features)
    inputs = raw_inputs(origins)
    if not shape.known_future:
        del inputs["known_future"]
    answer = signatures["serving_default"](**inputs)
    assert set(answer) == {"forecast", "quantiles"}
    assert answer["quantiles"].shape == (len(origins), HORIZON, 2, 3)
    # In standard deviations; the pressure is near a thousand, where a float32 has steps
    # of 6e-5.
    scale = SCALING.of(shape.targets).scale
    np.testing.assert_allclose(answer["forecast"] / scale, point / scale, atol=1e-4)
    np.testing.assert_allclose(
        answer["quantiles"] / scale[:, None], quantiles / scale[:, None], atol=1e-4
    )
    assert (np.diff(answer["quantiles"], axis=-1) >= 0).all()


def test_shifts_are_in_raw_units():
    shifted, bare = forecaster_of(PLAIN), forecaster_of(PLAIN, shifted=False)
    bare.model.set_weights(shifted.model.get_weights())
    features = {
        name: np.ones((2, *tensor.shape[1:]), "float32")
        for name, tensor in bare.model.input.items()
    }
    shifts = SHIFTS.astype("float32")
    expected = np.sort(bare.forecast(features)[1] + shifts, axis=-1)
    np.testing.assert_allclose(shifted.forecast(features)[1], expected, atol=1e-3)


def test_missing_values_anywhere_are_survived(exports):
    signature = exports(KNOWN)[1]["serving_default"]
    inputs = raw_inputs(np.array([20]))
    history = np.nan_to_num(inputs["history"].numpy(), nan=3.0)
    rows = [np.full_like(history[0], np.nan), np.full_like(history[0], np.inf)]
    for step in range(HISTORY):
        for variable in range(3):
            row = history[0].copy()
            row[step, variable] = np.nan
            rows.append(row)
    known = np.full((len(rows), HORIZON, 1), np.nan, "float32")
    answer = signature(
        history=tf.constant(np.stack(rows)),
        start=tf.repeat(inputs["start"], len(rows)),
        known_future=tf.constant(known),
    )
    for values in answer.values():
        assert np.isfinite(values).all()


def test_no_rows_get_no_answers(exports):
    signature = exports(KNOWN)[1]["serving_default"]
    answer = signature(
        history=tf.zeros((0, HISTORY, 3)),
        start=tf.constant([], tf.string),
        known_future=tf.zeros((0, HORIZON, 1)),
    )
    assert answer["quantiles"].shape == (0, HORIZON, 2, 3)


def test_without_calendar_a_signature_takes_the_history_alone(exports):
    _, signatures = exports(PLAIN)
    assert set(signatures) == {"serving_default", "from_history"}
    inputs = raw_inputs(np.array([20, 30]))
    alone = signatures["from_history"](history=inputs["history"])
    both = signatures["serving_default"](
        history=inputs["history"], start=inputs["start"]
    )
    np.testing.assert_allclose(alone["forecast"], both["forecast"], atol=1e-3)


def test_with_a_calendar_the_time_matters(exports):
    _, signatures = exports(KNOWN)
    assert set(signatures) == {"serving_default"}
    inputs = raw_inputs(np.array([20]))
    noon = signatures["serving_default"](**inputs | {"start": ["2020-06-01T12:00:00"]})
    same = signatures["serving_default"](
        **inputs | {"start": ["2020-06-01T14:00:00+02:00"]}
    )
    night = signatures["serving_default"](**inputs | {"start": ["2020-06-01 00:00"]})
    np.testing.assert_allclose(noon["forecast"], same["forecast"], atol=1e-3)
    assert np.abs(noon["forecast"] - night["forecast"]).max() > 0.01


def test_what_is_no_time_is_refused(exports):
    signature = exports(KNOWN)[1]["serving_default"]
    inputs = raw_inputs(np.array([20]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected ISO times"):
        signature(**inputs | {"start": tf.constant(["soon"])})


def test_the_spread_of_passes_with_noise(tmp_path):
    forecaster = forecaster_of(PLAIN, recurrent_dropout=0.3)
    signature = exported(tmp_path, forecaster, PLAIN, passes=8)["spread"]
    inputs = raw_inputs(np.array([20, 30]))
    answer = signature(history=inputs["history"], start=inputs["start"])
    assert answer["mean"].shape == answer["spread"].shape == (2, HORIZON, 2)
    assert (answer["spread"].numpy() > 0).all()


def test_an_export_of_directions_equals_the_model_in_memory(tmp_path):
    """The last variable, known ahead, and the target before it are directions."""
    scaling = Scaling(
        np.array([980.0, 350.0, 10.0]), np.array([8.0, 20.0, 40.0]), directions=(1, 2)
    )
    configuration = WeatherConfig(
        model=ModelConfig(units=8, head_units=8),
        forecast=ForecastConfig(quantiles=[0.1, 0.5, 0.9]),
    )
    targets = scaling.of(KNOWN.targets)
    unbounded = np.full(2, np.inf)
    correction = Correction(
        TargetRanges(-unbounded, unbounded, targets.directions),
        (0.1, 0.5, 0.9),
        np.stack([SHIFTS, 2 * SHIFTS]).astype("float32"),
        (0.05,),
        "median",
    )
    model = build_model(configuration, KNOWN, 3, scaling)
    forecaster = Forecaster(model, targets, correction)
    series = series_of()
    values = series.stations[0].values
    values[:, 1:] = scaling.of([1, 2]).restore(SCALING.standardise(values)[:, 1:])
    serving = WeatherServing(forecaster, KNOWN, scaling, Step(STEP))
    signature = serving.signatures()["serving_default"]
    origins = np.arange(HISTORY - 1, 50)
    features, _, _ = WindowSource(series, scaling, KNOWN).gather(
        tf.zeros(len(origins), tf.int64), tf.constant(origins)
    )
    point, quantiles = forecaster.forecast(features)
    back, ahead = np.arange(1 - HISTORY, 1), np.arange(2, 2 + HORIZON)
    answer = signature(
        history=tf.constant(values[origins[:, None] + back]),
        start=tf.constant([str(START + int(each) * STEP) for each in origins]),
        known_future=tf.constant(values[origins[:, None] + ahead][..., 2:]),
    )
    np.testing.assert_allclose(answer["forecast"], point, atol=1e-2)
    np.testing.assert_allclose(answer["quantiles"], quantiles, atol=1e-2)
    wind = answer["quantiles"][..., 0, :].numpy()
    assert (wind >= 0).all() and (wind < 360).all()
    np.testing.assert_array_equal(answer["forecast"], answer["quantiles"][..., 1])


@pytest.mark.parametrize("code", ["MS", "ME", "QS", "B", "3600s"])
def test_steps_of_the_calendar_in_a_graph(code):
    step = parse_step(code)
    starts = np.array(["2015-01-30", "2016-02-29", "1968-12-31"], "datetime64[s]")
    stamps, ahead = starts.astype(np.int64), np.arange(-30, 30)
    added = tf.function(step.add)(tf.constant(stamps)[:, None], tf.constant(ahead))
    np.testing.assert_array_equal(added, step.add(stamps[:, None], ahead))
