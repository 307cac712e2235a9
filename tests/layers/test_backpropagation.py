"""Manual backpropagation against the same loop differentiated by the backend."""

import keras
import numpy as np
import pytest

from recurra.layers import (
    GRU,
    LSTM,
    RNN,
    GRUCell,
    LSTMCell,
    VanillaRNN,
    VanillaRNNCell,
    VariationalDropout,
    WeightDrop,
    Zoneout,
    backpropagation,
)

from .cases import (
    BATCH,
    FEATURES,
    PADDINGS,
    TIME,
    UNITS,
    LeakyCell,
    randomise,
    sequences,
    to_numpy,
    with_one_noise,
)
from .differentiation import gradients, results

REGULARISED = {
    "bare": lambda cell: cell,
    "zoneout": lambda cell: Zoneout(cell, 0.3, 0.4 if len_states(cell) > 1 else 0.0),
    "cell zoneout alone": lambda cell: Zoneout(
        cell, *((0.0, 0.4) if len_states(cell) > 1 else (0.4, 0.0))
    ),
    "variational": lambda cell: VariationalDropout(cell, 0.2, 0.3, 0.4),
    "all": lambda cell: VariationalDropout(
        Zoneout(VariationalDropout(WeightDrop(cell, 0.5), 0.2, 0.3), 0.3),
        output_dropout=0.2,
    ),
}


def len_states(cell):
    return 1 if isinstance(cell.state_size, int) else len(cell.state_size)


@pytest.mark.parametrize("padding", ["none", "right", "holes"])
@pytest.mark.parametrize("regularised", REGULARISED)
@pytest.mark.parametrize("make_cell", [VanillaRNNCell, LSTMCell, GRUCell])
def test_equals_the_differentiated_loop(
    make_cell, regularised, padding, automatic, request
):
    layer = RNN(
        REGULARISED[regularised](make_cell(UNITS)),
        return_sequences=True,
        return_state=True,
        go_backwards=padding == "none",
    )
    layer.build(sequences().shape)
    randomise(layer)
    with_one_noise(layer)
    expected = results(layer, PADDINGS[padding])
    ran = request.getfixturevalue("manual")
    found = results(layer, PADDINGS[padding])
    assert len(ran) == 2
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("make", [VanillaRNN, LSTM, GRU])
def test_initial_state_without_bias(make, manual, monkeypatch):
    layer = make(UNITS, use_bias=False, return_state=True)
    layer.build(sequences().shape)
    randomise(layer)
    initial = [
        sequences(seed, (BATCH, UNITS)) for seed in range(len_states(layer.cell))
    ]
    found = layer(sequences(), initial_state=initial, training=True)
    assert manual
    monkeypatch.undo()
    expected = layer(sequences(), initial_state=initial)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(to_numpy(ours), to_numpy(theirs), atol=1e-5)


def test_trains_a_model(manual):
    """Compiled, of unknown batch and length, in both directions and padded."""
    x = keras.Input((None, FEATURES))
    y = keras.layers.Masking()(x)
    y = keras.layers.Bidirectional(LSTM(8, zoneout_cell=0.1, return_sequences=True))(y)
    y = GRU(8, recurrent_dropout=0.1)(y)
    model = keras.Model(x, keras.layers.Dense(1)(y))
    model.compile(keras.optimizers.Adam(0.02), "mse")
    inputs = sequences(shape=(64, TIME, FEATURES))
    inputs[:32, 5:] = 0
    targets = inputs[:, :, 0].sum(axis=1)
    before = model.evaluate(inputs, targets, verbose=0)
    model.fit(inputs, targets, batch_size=16, epochs=10, verbose=0)
    assert manual
    assert model.evaluate(inputs, targets, verbose=0) < 0.6 * before


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="compiles by XLA")
def test_compiled_by_xla(manual):
    layer = LSTM(UNITS, seed=1, zoneout_hidden=0.2, recurrent_dropout=0.2)
    model = keras.Sequential([keras.Input((TIME, FEATURES)), layer])
    model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=True)
    x, y = sequences(), np.ones((BATCH, UNITS))
    assert len({model.train_on_batch(x, y) for _ in range(3)}) == 3
    assert manual


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="elsewhere all sizes are known"
)
@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize(
    "rates",
    [{}, {"zoneout_hidden": 0.3}, {"dropout": 0.3}, {"recurrent_dropout": 0.3}],
)
@pytest.mark.parametrize("make", [VanillaRNN, LSTM, GRU])
def test_of_unknown_sizes(make, rates, cores, manual, monkeypatch):
    """By one loop and by two, each of half of the rows, to what it is eagerly."""
    import tensorflow as tf

    monkeypatch.setattr(backpropagation, "_cores", lambda: cores)
    layer = make(UNITS, return_sequences=True, seed=1, **rates)
    layer.build((None, None, FEATURES))
    randomise(layer)
    noise = layer.draw_noise(BATCH, TIME)
    layer.draw_noise = lambda rows, _: tf.nest.map_structure(
        lambda mask: mask[:rows], noise
    )
    unknown = tf.TensorSpec((None, None, FEATURES))

    def training_step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=True)
        return outputs, tape.gradient(outputs, [x, *layer.trainable_variables])

    in_graph = tf.function(training_step, input_signature=[unknown])
    operations = in_graph.get_concrete_function().graph.get_operations()
    loops = [each for each in operations if each.type.endswith("While")]
    # There and back.
    assert manual and len(loops) == 2 * cores
    for rows in (1, 2, 5):
        x = tf.constant(sequences()[:rows])
        found = in_graph(x)
        for one, other in zip(
            tf.nest.flatten(found), tf.nest.flatten(training_step(x)), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="gradients of TensorFlow's tapes"
)
@pytest.mark.parametrize("way", ["eager", "graph", "graph of unknown sizes", "XLA"])
@pytest.mark.parametrize("make", [VanillaRNN, LSTM, GRU])
def test_gradients_of_gradients(make, way, automatic, request):
    import tensorflow as tf

    layer = make(UNITS, return_sequences=True, seed=1, recurrent_dropout=0.3)
    layer.build((None, None, FEATURES))
    randomise(layer)
    with_one_noise(layer)

    def of_squared_gradients(x):
        wanted = [x, *layer.trainable_variables]
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                outputs = tf.sin(layer(x, training=True))
            found = inner.gradient(outputs, wanted)
            total = sum(tf.reduce_sum(gradient**2) for gradient in found)
        return outer.gradient(total, wanted)

    unknown = tf.TensorSpec((None, None, FEATURES))
    run = {
        "eager": lambda: of_squared_gradients,
        "graph": lambda: tf.function(of_squared_gradients),
        "graph of unknown sizes": lambda: tf.function(
            of_squared_gradients, input_signature=[unknown]
        ),
        "XLA": lambda: tf.function(of_squared_gradients, jit_compile=True),
    }[way]
    x = tf.constant(sequences())
    expected = run()(x)
    ran = request.getfixturevalue("manual")
    found = run()(x)
    assert ran
    for ours, theirs in zip(found, expected, strict=True):
        scale = max(1, np.abs(theirs).max())
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * scale)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="gradients of TensorFlow's tapes"
)
def test_jacobian(automatic, request):
    """Differentiated in a graph after it ran outside of one."""
    import tensorflow as tf

    layer = LSTM(UNITS, return_sequences=True, seed=1, zoneout_cell=0.3)
    layer.build(sequences().shape)
    randomise(layer)
    with_one_noise(layer)

    def jacobian():
        x = tf.constant(sequences())
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=True)
        return tape.jacobian(outputs, x)

    expected = jacobian()
    ran = request.getfixturevalue("manual")
    np.testing.assert_allclose(jacobian(), expected, atol=1e-5)
    assert ran


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="gradients of TensorFlow's tapes"
)
@pytest.mark.parametrize("make", [VanillaRNN, LSTM, GRU])
def test_gradient_of_a_function_and_of_its_saved_model(make, manual, tmp_path):
    """Graphs of their own, which cannot read the arrays of the way forward."""
    import tensorflow as tf

    layer = make(UNITS, return_sequences=True, seed=1, zoneout_hidden=0.3)
    layer.build(sequences().shape)
    randomise(layer)
    with_one_noise(layer)
    x = tf.constant(sequences())

    def gradient(run):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = tf.sin(run(x))
        return tape.gradient(outputs, x)

    module = tf.Module()
    module.weights = [weight.value for weight in layer.variables]
    module.run = tf.function(lambda x: layer(x, training=True))
    expected = gradient(lambda x: layer(x, training=True))
    np.testing.assert_allclose(gradient(module.run), expected, atol=1e-6)
    assert manual
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    np.testing.assert_allclose(gradient(loaded.run), expected, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy, manual):
    layer = GRU(UNITS, zoneout_hidden=0.2, return_sequences=True, dtype=policy)
    layer.build(sequences().shape)
    direction = keras.ops.cast(sequences(3, (BATCH, TIME, UNITS)), layer.compute_dtype)
    found = gradients(layer, sequences(), PADDINGS["right"], direction)
    assert manual
    assert all(np.isfinite(gradient.astype("float32")).all() for gradient in found)


class LSTMWithoutMemory(LSTMCell):
    """A subclass that steps otherwise."""

    def call(self, inputs, states, training=False):
        return super().call(inputs, [states[0], 0 * states[1]], training=training)


@pytest.mark.parametrize(
    "cell",
    [
        LSTMWithoutMemory(UNITS),
        LSTMCell(UNITS, activation="relu"),
        LSTMCell(UNITS, layer_norm=True),
        # The layer computes in float32.
        pytest.param(LSTMCell(UNITS, dtype="mixed_bfloat16"), id="bfloat16"),
        LeakyCell(UNITS),
        GRUCell(UNITS, reset_after=False),
        keras.layers.LSTMCell(UNITS),
        VariationalDropout(LSTMCell(UNITS), recurrent_dropout=0.2, tied_masks=False),
        Zoneout(Zoneout(LSTMCell(UNITS), 0.1), 0.1),
    ],
)
def test_what_has_no_manual_backpropagation(cell, manual):
    RNN(cell)(sequences(), training=True)
    assert not manual


@pytest.mark.parametrize("units", [8, 1024])
def test_small_layers_have_it_where_it_is_faster(units):
    if_faster = backpropagation.ManualBackpropagation.if_faster
    fewest = backpropagation.UNITS_TO_PAY_OFF.get(keras.backend.backend(), 1e9)
    pays_off = if_faster(LSTMCell(units), [], "float32") is not None
    assert pays_off == (units >= fewest)


@pytest.mark.parametrize("make", [LSTM, GRU])
def test_inference_and_unrolled_loops_have_none(make, manual):
    make(UNITS, return_sequences=True)(sequences())
    make(UNITS, unroll=True)(sequences(), training=True)
    assert not manual
