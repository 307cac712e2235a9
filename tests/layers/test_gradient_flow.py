"""Jacobians through time against those of linear recurrences, which are powers."""

import keras
import numpy as np
import pytest

from recurra.layers import (
    LSTM,
    RNN,
    GradientFlow,
    TemporalSkip,
    VanillaRNN,
    VanillaRNNCell,
    Zoneout,
    gradient_flow,
)

from .cases import FEATURES, TIME, UNITS, randomise, sequences

KEPT = 0.3


@pytest.mark.parametrize("zoneout", [0.0, KEPT])
def test_powers_of_the_kernel(zoneout):
    layer = VanillaRNN(UNITS, activation=None, zoneout_hidden=zoneout)
    layer.build(sequences().shape)
    randomise(layer)
    (flow,) = gradient_flow(layer, sequences())
    kernel = layer.get_weights()[1].astype("float64")
    step = zoneout * np.eye(UNITS) + (1 - zoneout) * kernel.T
    for lag in range(TIME):
        expected = np.linalg.svd(np.linalg.matrix_power(step, lag), compute_uv=False)
        np.testing.assert_allclose(flow.singular_values[lag], expected, rtol=1e-4)
    np.testing.assert_allclose(flow.norms, flow.singular_values[:, 0])
    np.testing.assert_allclose(flow.kernel_norm, np.linalg.norm(kernel, 2), rtol=1e-5)
    radius = np.abs(np.linalg.eigvals(kernel)).max()
    np.testing.assert_allclose(flow.kernel_radius, radius, rtol=1e-5)


def test_rate_is_the_factor_of_a_step():
    layer = VanillaRNN(UNITS, activation=None)
    layer.build(sequences().shape)
    for factor in (0.5, 2.0):
        kernel, recurrent_kernel, bias = layer.get_weights()
        layer.set_weights([kernel, factor * np.eye(UNITS), bias])
        (flow,) = gradient_flow(layer, sequences())
        assert flow.rate == pytest.approx(factor, rel=1e-4)


def test_every_layer_of_a_model_with_all_states_of_its_cell():
    skipping = RNN(
        Zoneout(TemporalSkip(VanillaRNNCell(UNITS), 3), 0.1), return_sequences=True
    )
    model = keras.Sequential(
        [
            keras.Input((TIME, FEATURES)),
            skipping,
            LSTM(UNITS, dropout=0.5, weight_dropout=0.5),
            keras.layers.Dense(1),
        ]
    )
    flows = gradient_flow(model, sequences())
    assert [flow.layer for flow in flows] == [layer.name for layer in model.layers[:2]]
    for flow, states in zip(flows, (3, 2), strict=True):
        assert isinstance(flow, GradientFlow)
        assert flow.singular_values.shape == (TIME, states * UNITS)
        np.testing.assert_allclose(flow.singular_values[0], 1)


def test_no_recurrent_layer():
    model = keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="recurrent layers"):
        gradient_flow(model, sequences())


def test_a_model_of_words_without_padding():
    model = keras.Sequential(
        [
            keras.Input((TIME,)),
            keras.layers.Embedding(5, FEATURES, mask_zero=True),
            VanillaRNN(UNITS),
        ]
    )
    words = np.ones((2, TIME), "int32")
    (flow,) = gradient_flow(model, words)
    assert flow.norms.shape == (TIME,)
    words[1, -1] = 0
    with pytest.raises(ValueError, match="without padding"):
        gradient_flow(model, words)


def test_an_initial_state_is_refused():
    x, state = keras.Input((TIME, FEATURES)), keras.Input((UNITS,))
    outputs = VanillaRNN(UNITS)(x, initial_state=state)
    model = keras.Model([x, state], outputs)
    with pytest.raises(ValueError, match="states of zero"):
        gradient_flow(model, [sequences(), sequences()[:, 0]])


def test_both_directions_each_by_its_own_time():
    layer = keras.layers.Bidirectional(LSTM(UNITS, return_sequences=True))
    forward, backward = gradient_flow(layer, sequences())
    assert (forward.layer, backward.layer) == (
        layer.forward_layer.name,
        layer.backward_layer.name,
    )
    (turned,) = gradient_flow(layer.backward_layer, sequences())
    alone = LSTM(UNITS)
    alone.build(sequences().shape)
    alone.set_weights(layer.backward_layer.get_weights())
    (expected,) = gradient_flow(alone, sequences()[:, ::-1])
    for flow in (backward, turned):
        np.testing.assert_allclose(flow.norms, expected.norms, rtol=1e-5)
    model = keras.Sequential([keras.Input((TIME, FEATURES)), layer])
    assert [each.layer for each in gradient_flow(model, sequences())] == [
        forward.layer,
        backward.layer,
    ]
