"""The models: shapes, order of quantiles, losses by hand, and what they may know."""

import keras
import numpy as np
import pytest

from recurra.pipelines.weather.config import (
    ForecastConfig,
    ModelConfig,
    WeatherConfig,
)
from recurra.pipelines.weather.model import (
    FeedbackCell,
    OwnLinear,
    build_model,
    compile_model,
    mean_over_ensemble,
)
from recurra.pipelines.weather.windows import WindowShape

SHAPE = WindowShape(10, 6, 1, targets=(0, 2), known_future=(1,))
VARIABLES = 3
KINDS = ("direct", "encoder_decoder", "segments")


def configuration_of(forecast: dict | None = None, **model) -> WeatherConfig:
    model = {"units": 8, "head_units": 8, "segment": 4} | model
    return WeatherConfig(
        model=ModelConfig(**model), forecast=ForecastConfig(**forecast or {})
    )


def features_of(model: keras.Model, rows: int = 5, seed: int = 0) -> dict:
    rng = np.random.default_rng(seed)
    return {
        name: rng.normal(size=(rows, *tensor.shape[1:])).astype("float32")
        for name, tensor in model.input.items()
    }


def answers(model: keras.Model, features: dict) -> np.ndarray:
    return mean_over_ensemble(model(features)).numpy()


@pytest.mark.parametrize("cell", ["vanilla", "gru", "lstm"])
@pytest.mark.parametrize("kind", KINDS)
def test_point_and_rising_quantiles(kind, cell):
    # With layer normalisation, which each of them has.
    configuration = configuration_of(kind=kind, cell=cell, layer_norm=True)
    model = build_model(configuration, SHAPE, VARIABLES)
    assert any("norm" in weight.path for weight in model.weights)
    outputs = answers(model, features_of(model))
    assert outputs.shape == (5, 6, 2, 6)
    assert (np.diff(outputs[..., 1:], axis=-1) > 0).all()
    # Where the point is a median, it is the median of the quantiles too.
    np.testing.assert_array_equal(outputs[..., 0], outputs[..., 3])


@pytest.mark.parametrize("quantiles", [[0.05], [0.9], [0.2, 0.4], [0.1, 0.5, 0.6, 0.8]])
def test_any_set_of_quantiles_rises(quantiles):
    configuration = configuration_of({"quantiles": quantiles, "point_loss": "mse"})
    model = build_model(configuration, SHAPE, VARIABLES)
    outputs = answers(model, features_of(model))
    assert outputs.shape[-1] == 1 + len(quantiles)
    assert (np.diff(outputs[..., 1:], axis=-1) > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_point_alone(kind):
    model = build_model(configuration_of({"quantiles": []}, kind=kind), SHAPE, 3)
    assert answers(model, features_of(model)).shape == (5, 6, 2, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_without_known_inputs(kind):
    shape = WindowShape(10, 6, 1, targets=(0, 2), calendar=False)
    model = build_model(configuration_of(kind=kind), shape, VARIABLES)
    assert set(model.input) == {"history", "observed"}
    assert answers(model, features_of(model)).shape == (5, 6, 2, 6)


@pytest.mark.parametrize("level", ["last", "mean"])
def test_a_moved_history_moves_the_forecast_of_segments_as_much(level):
    configuration = configuration_of(kind="segments", level=level)
    model = build_model(configuration, SHAPE, VARIABLES)
    features = features_of(model)
    moved = features | {"history": features["history"] + 7}
    np.testing.assert_allclose(model(moved) - model(features), 7, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_forecast_is_added_to_the_last_value(kind):
    """A model whose last layer gives nothing repeats the last value."""
    configuration = configuration_of({"quantiles": []}, kind=kind)
    model = build_model(configuration, SHAPE, VARIABLES)
    for layer in model.layers:
        head = getattr(getattr(layer, "cell", None), "head", layer)
        if isinstance(head, keras.layers.Dense) and head.units % 2 == 0:
            head.set_weights([np.zeros(weight.shape) for weight in head.weights])
    features = features_of(model)
    last = features["history"][:, -1:, [0, 2]]
    np.testing.assert_allclose(
        answers(model, features)[..., 0], np.repeat(last, 6, axis=1), atol=1e-6
    )


def test_segments_know_the_history_of_their_target_alone():
    shape = WindowShape(10, 6, 1, targets=(0, 2), calendar=False)
    model = build_model(configuration_of(kind="segments"), shape, VARIABLES)
    features = features_of(model)
    other = features | {"history": features["history"].copy()}
    other["history"][..., 1:] += 1.5
    np.testing.assert_allclose(
        model(features)[:, :, 0], model(other)[:, :, 0], atol=1e-5
    )


def test_with_a_context_segments_know_every_variable():
    configuration = configuration_of(kind="segments", context_units=8)
    model = build_model(configuration, SHAPE, VARIABLES)
    features = features_of(model)
    for variable in range(1, VARIABLES):
        other = features | {"history": features["history"].copy()}
        other["history"][..., variable] += 1.5
        change = np.abs(model(features) - model(other))[:, :, 0]
        assert change.max(axis=(1, 2, 3)).min() > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_known_ahead_matters(kind):
    model = build_model(configuration_of(kind=kind), SHAPE, VARIABLES)
    features = features_of(model)
    other = features | {"known_future": features["known_future"] + 1}
    assert np.abs(model(features) - model(other)).max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_history_and_horizon_need_not_be_whole_segments(kind):
    shape = WindowShape(7, 5, 3, targets=(1,))
    model = build_model(configuration_of(kind=kind), shape, 2)
    assert answers(model, features_of(model)).shape == (5, 5, 1, 6)


@pytest.mark.parametrize("point_loss", ["mae", "mse", "huber"])
def test_the_loss_by_hand(point_loss):
    configuration = configuration_of(
        {"point_loss": point_loss, "quantiles": [0.2, 0.7], "quantile_weight": 0.5}
    )
    model = build_model(configuration, SHAPE, VARIABLES)
    compile_model(model, configuration, 10)
    features = features_of(model, rows=4)
    rng = np.random.default_rng(1)
    targets = rng.normal(size=(4, 6, 2)).astype("float32")
    weights = (rng.random((4, 6, 2)) < 0.7).astype("float32")
    outputs = answers(model, features)
    expected = 0.0
    for place in np.argwhere(weights > 0):
        truth, output = targets[tuple(place)], outputs[tuple(place)]
        error = abs(truth - output[0])
        expected += {
            "mae": error,
            "mse": error**2,
            "huber": error**2 / 2 if error <= 1 else error - 0.5,
        }[point_loss]
        for level, quantile in zip((0.2, 0.7), output[1:], strict=True):
            miss = truth - quantile
            expected += 0.5 * (level * miss if miss > 0 else (level - 1) * miss) / 2
    found = model.evaluate(
        features, targets, sample_weight=weights, batch_size=4, verbose=0
    )[0]
    assert found == pytest.approx(expected / weights.size, rel=1e-5)


REGULARISERS = (
    {"recurrent_dropout": 0.4},
    {"zoneout_hidden": 0.4},
    {"weight_dropout": 0.4},
    {"input_dropout": 0.4},
    {"output_dropout": 0.4},
    {"dropout": 0.4},
)


@pytest.mark.parametrize(
    ("kind", "rates"),
    [
        *(("direct", rates) for rates in REGULARISERS),
        ("encoder_decoder", REGULARISERS[2]),
        ("segments", REGULARISERS[2]),
    ],
)
def test_noise_acts_in_training_alone(kind, rates):
    model = build_model(configuration_of(kind=kind, **rates), SHAPE, VARIABLES)
    features = features_of(model)
    np.testing.assert_allclose(model(features), model(features), atol=1e-5)
    one, other = (model(features, training=True).numpy() for _ in range(2))
    assert np.abs(one - other).max() > 1e-4


def test_networks_of_an_ensemble_are_different_and_learn_by_themselves():
    configuration = configuration_of(
        {"point_loss": "mse", "quantiles": []}, ensemble_size=3
    )
    model = build_model(configuration, SHAPE, VARIABLES)
    compile_model(model, configuration, 10)
    features = features_of(model)
    targets = np.ones((5, 6, 2), "float32")
    outputs = model(features).numpy()[..., 0]
    assert outputs.shape == (5, 6, 2, 3)
    assert np.abs(np.diff(outputs, axis=-1)).max(axis=(0, 1, 2)).min() > 1e-2
    metrics = model.evaluate(
        features,
        targets,
        sample_weight=np.ones_like(targets),
        return_dict=True,
        verbose=0,
    )
    assert metrics["loss"] == pytest.approx(((outputs - 1) ** 2).mean(), rel=1e-4)
    assert metrics["point"] == pytest.approx(
        ((outputs.mean(axis=-1) - 1) ** 2).mean(), rel=1e-4
    )


def test_the_linear_part_by_hand():
    layer = OwnLinear(3)
    history = np.random.default_rng(0).normal(size=(2, 4, 5)).astype("float32")
    assert not layer(history).numpy().any()
    kernel = np.random.default_rng(1).normal(size=(5, 4, 3)).astype("float32")
    layer.kernel.assign(kernel)
    np.testing.assert_allclose(
        layer(history), np.einsum("blt,tlh->bht", history, kernel), rtol=1e-5
    )


def test_the_decoder_is_fed_its_own_forecast():
    cell = FeedbackCell(keras.layers.SimpleRNNCell(4), targets=1, outputs=1)
    decoder = keras.layers.RNN(cell, return_sequences=True)
    steps = np.random.default_rng(0).normal(size=(1, 3, 2)).astype("float32")
    state = [np.full((1, 4), 0.1, "float32"), np.full((1, 1), 0.5, "float32")]
    found = decoder(steps, initial_state=state).numpy()[0, :, 0]
    kernel, recurrent, bias = cell.cell.get_weights()
    head, head_bias = cell.head.get_weights()
    hidden, last = state[0][0], state[1][0]
    for step, answer in zip(steps[0], found, strict=True):
        joined = np.concatenate([step, last])
        hidden = np.tanh(joined @ kernel + hidden @ recurrent + bias)
        last = last + hidden @ head + head_bias
        assert answer == pytest.approx(float(last[0]), rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_is_near_float32(kind):
    exact = build_model(configuration_of(kind=kind), SHAPE, VARIABLES)
    rough = build_model(
        configuration_of(kind=kind, precision="bfloat16"), SHAPE, VARIABLES
    )
    rough.set_weights(exact.get_weights())
    features = features_of(exact)
    outputs = rough(features).numpy()
    assert outputs.dtype == np.float32
    np.testing.assert_allclose(outputs, exact(features), atol=0.1)
