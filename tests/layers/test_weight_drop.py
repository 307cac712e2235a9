"""What is weight drop's own: how masked weights reach the steps, and which may be."""

import keras
import numpy as np
import pytest

from recurra.layers import (
    LSTM,
    RNN,
    GRUCell,
    LSTMCell,
    VanillaRNNCell,
    WeightDrop,
    Zoneout,
)

from . import reference
from .cases import (
    BATCH,
    FEATURES,
    TIME,
    UNITS,
    masks_of,
    randomise,
    record_noise,
    sequences,
    to_numpy,
    zeros,
)


class CellOfLayers(keras.layers.Layer):
    """Its weights are those of layers within it, and it counts its steps."""

    def __init__(self, units):
        super().__init__()
        self.state_size = units
        self.read = keras.layers.Dense(units, use_bias=False)
        self.carry = keras.layers.Dense(units, use_bias=False)

    def build(self, input_shape):
        self.read.build(input_shape)
        self.carry.build((None, self.state_size))
        self.steps = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs, states):
        self.steps.assign_add(1.0)
        output = self.read(inputs) + self.carry(states[0])
        return output, [output]


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_fitting_moves_what_was_not_dropped_and_all_other_weights(policy):
    cells = [
        LSTMCell(8, dtype=policy),
        WeightDrop(LSTMCell(8, dtype=policy), 0.5),
        GRUCell(8, dtype=policy),
    ]
    stack = keras.layers.StackedRNNCells(cells, dtype=policy)
    layer = RNN(stack, seed=1, dtype=policy)
    model = keras.Sequential([keras.Input((TIME, FEATURES)), layer])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    randomise(layer)
    before = layer.get_weights()
    model.train_on_batch(sequences(), np.ones((BATCH, 8)))
    moved = [
        (old != new).mean()
        for old, new in zip(before, layer.get_weights(), strict=True)
    ]
    dropped = 4
    assert 0.3 < moved.pop(dropped) < 0.7
    assert min(moved) > 0.9


def test_stateful_training_draws_anew_at_each_call():
    layer = LSTM(UNITS, stateful=True, weight_dropout=0.5, return_sequences=True)
    x = sequences()
    layer.build(x.shape)
    randomise(layer)
    recorded = record_noise(layer)
    states = zeros(layer.cell)
    for part in (x[:, :3], x[:, 3:]):
        outputs = layer(part, training=True)
        masks = masks_of(recorded[-1])
        expected, states = reference.run(
            reference.lstm_step, layer.get_weights(), part, states, masks
        )
        np.testing.assert_allclose(to_numpy(outputs), expected, atol=1e-5)
    first, second = (masks_of(noise).recurrent_kernel for noise in recorded)
    assert not np.array_equal(first, second)


def test_regularizers_and_inference_see_the_whole_weight():
    layer = LSTM(UNITS, weight_dropout=0.5, recurrent_regularizer="l2")
    plain = keras.layers.LSTM(UNITS, recurrent_regularizer="l2")
    for built in (layer, plain):
        built.build(sequences().shape)
    randomise(layer)
    plain.set_weights(layer.get_weights())
    before = layer.get_weights()
    layer(sequences(), training=True)
    np.testing.assert_allclose(to_numpy(layer.losses[0]), to_numpy(plain.losses[0]))
    np.testing.assert_allclose(
        to_numpy(layer(sequences())), to_numpy(plain(sequences())), atol=1e-6
    )
    for weight, old in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_weights_of_layers_within_the_cell():
    layer = RNN(WeightDrop(CellOfLayers(UNITS), 0.5, ("read.kernel", "carry.kernel")))
    layer.build(sequences().shape)
    randomise(layer)
    recorded = record_noise(layer)
    outputs = to_numpy(layer(sequences(), training=True))
    (noise,) = recorded[0]
    cell = layer.cell.cell
    read, carry = (
        to_numpy(dense.kernel.value) * to_numpy(noise.per_sequence[f"{name}.kernel"])
        for name, dense in (("read", cell.read), ("carry", cell.carry))
    )
    state = np.zeros((BATCH, UNITS))
    for t in range(TIME):
        state = sequences()[:, t] @ read + state @ carry
    np.testing.assert_allclose(outputs, state, atol=1e-4)


@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="Keras drops what a step assigns on JAX"
)
def test_what_a_step_assigns_is_not_lost():
    def steps_counted(wrap):
        cell = CellOfLayers(UNITS)
        model = keras.Sequential([keras.Input((TIME, FEATURES)), RNN(wrap(cell))])
        model.compile("sgd", "mse")
        model.train_on_batch(sequences(), np.ones((BATCH, UNITS)))
        return float(to_numpy(cell.steps.value))

    def both_dropped(cell):
        return WeightDrop(WeightDrop(cell, 0.5, "read.kernel"), 0.5, "carry.kernel")

    assert steps_counted(both_dropped) == steps_counted(lambda cell: cell) >= TIME


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="looks into TensorFlow's graph"
)
def test_weights_are_masked_before_the_loop_and_not_in_it():
    import tensorflow as tf

    def products_by_step(layer):
        layer.build(sequences().shape)
        run = tf.function(lambda x: layer(x, training=True))
        graph = run.get_concrete_function(tf.constant(sequences())).graph
        (body,) = (
            function
            for function in graph.as_graph_def().library.function
            if "while_body" in function.signature.name
        )
        return sum(node.op == "Mul" for node in body.node_def)

    plain, dropped = LSTM(UNITS), LSTM(UNITS, weight_dropout=0.5)
    assert products_by_step(dropped) == products_by_step(plain) > 0


@pytest.mark.parametrize(
    ("make_cell", "weights", "there_is"),
    [
        (lambda: LSTMCell(UNITS), ("recurrent",), "kernel, recurrent_kernel, bias"),
        (
            lambda: Zoneout(VanillaRNNCell(UNITS, use_bias=False), 0.1),
            ("kernel", "bias"),
            r"kernel, recurrent_kernel\.",
        ),
        (
            lambda: CellOfLayers(UNITS),
            ("read",),
            r"read\.kernel, carry\.kernel, steps",
        ),
        (lambda: LSTMCell(UNITS), ("units",), "kernel, recurrent_kernel, bias"),
    ],
)
def test_unknown_weights_are_refused_with_those_there_are(make_cell, weights, there_is):
    cell = WeightDrop(make_cell(), 0.5, weights)
    with pytest.raises(ValueError, match=rf"{there_is}.* Received: weights="):
        RNN(cell).build(sequences().shape)
    built = make_cell()
    built.build((None, FEATURES))
    with pytest.raises(ValueError, match=rf"{there_is}.* Received: weights="):
        WeightDrop(built, 0.5, weights)


@pytest.mark.parametrize("weights", [(), ("kernel", 3)])
def test_names_of_weights_are_checked(weights):
    with pytest.raises(ValueError, match=r"`weights` must name.* Received: weights="):
        WeightDrop(LSTMCell(UNITS), 0.5, weights)


def test_one_name_needs_no_tuple():
    cell = WeightDrop(LSTMCell(UNITS), 0.5, "kernel")
    assert WeightDrop.from_config(cell.get_config()).dropped_weights == ("kernel",)


@pytest.mark.parametrize("rate", [-0.1, 1.0, "0.5", None])
def test_rate_is_checked(rate):
    with pytest.raises(ValueError, match=r"`rate` must be .*\. Received: "):
        WeightDrop(LSTMCell(UNITS), rate)
