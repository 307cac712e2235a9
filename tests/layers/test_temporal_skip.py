"""Temporal skips against loops that keep a list of all hidden states."""

import itertools
import json

import keras
import numpy as np
import pytest

from recurra.layers import (
    RNN,
    FeedForwardDropout,
    LSTMCell,
    TemporalSkip,
    VanillaRNNCell,
    VariationalDropout,
    WeightDrop,
    Zoneout,
)

from . import reference
from .cases import (
    BATCH,
    CELLS,
    FEATURES,
    PADDINGS,
    TIME,
    UNITS,
    assert_close,
    masks_of,
    randomise,
    record_noise,
    sequences,
    to_numpy,
    zeros,
)
from .differentiation import gradients, numerical_gradients


def run(
    step,
    weights,
    inputs,
    states,
    steps,
    *,
    earlier=None,
    outside=None,
    inside=None,
    padding=None,
    backwards=False,
):
    """The outputs at all steps, in the order run, and the last states.

    `earlier` are the hidden states before the first of `states`, latest first;
    `outside` and `inside` the masks of regularisers around and within the skip.
    """
    outside, inside = outside or reference.Masks(), inside or reference.Masks()
    none_yet = np.zeros_like(states[0])
    hidden_states = [states[0], *(earlier or [none_yet] * (steps - 1))]
    output, outputs = none_yet, []
    times = range(inputs.shape[1])
    for t in reversed(times) if backwards else times:
        x = reference.masked(inputs[:, t], outside.input)
        read = [reference.masked(states[0], outside.state), *states[1:]]
        skip = reference.masked(hidden_states[steps - 1], outside.state)
        new = step(weights, np.concatenate([x, skip], axis=1), read, inside)
        for masks in (inside, outside):
            for number, keeps in enumerate((masks.hidden, masks.cell)):
                if keeps is not None:
                    d = keeps if np.isscalar(keeps) else keeps[:, t]
                    new[number] = d * states[number] + (1 - d) * new[number]
        new_output = reference.masked(new[0], outside.output)
        new_hidden_states = [new[0], *hidden_states[:-1]]
        if padding is not None:
            real = padding[:, t, None]
            new = [np.where(real, a, b) for a, b in zip(new, states, strict=True)]
            new_output = np.where(real, new_output, output)
            new_hidden_states = [
                np.where(real, a, b)
                for a, b in zip(new_hidden_states, hidden_states, strict=True)
            ]
        states, output, hidden_states = new, new_output, new_hidden_states
        outputs.append(output)
    return np.stack(outputs, axis=1), [*states, np.concatenate(hidden_states[1:], 1)]


def layer_of(cell, **arguments):
    layer = RNN(cell, return_sequences=True, return_state=True, **arguments)
    layer.build((BATCH, TIME, FEATURES))
    randomise(layer)
    return layer


def float64(layer):
    return [np.asarray(weight, "float64") for weight in layer.get_weights()]


@pytest.mark.parametrize(
    ("cell", "steps", "padding"),
    [
        *itertools.product(["vanilla", "lstm", "keras gru", "user"], [3], PADDINGS),
        *itertools.product(["lstm"], [2, TIME, TIME + 1], ["none", "holes"]),
    ],
)
def test_any_cell(cell, steps, padding):
    make_cell, step = CELLS[cell]
    bare = make_cell(UNITS)
    layer = layer_of(TemporalSkip(bare, steps))
    padding = PADDINGS[padding]
    outputs, *states = layer(sequences(), mask=padding)
    expected, last = run(
        step, float64(layer), sequences(), zeros(bare), steps, padding=padding
    )
    assert_close([outputs, *states], [expected, *last])
    assert states[-1].shape == (BATCH, (steps - 1) * UNITS)


def test_is_the_equation_of_the_paper_for_the_vanilla_cell():
    layer = layer_of(TemporalSkip(VanillaRNNCell(UNITS), 3))
    kernel, recurrent_kernel, bias = float64(layer)
    of_input, of_skip = kernel[:FEATURES], kernel[FEATURES:]
    h = {t: np.zeros((BATCH, UNITS)) for t in range(-3, 0)}
    x = sequences()
    for t in range(TIME):
        h[t] = np.tanh(
            x[:, t] @ of_input + h[t - 1] @ recurrent_kernel + h[t - 3] @ of_skip + bias
        )
    expected = np.stack([h[t] for t in range(TIME)], axis=1)
    assert_close(layer(x)[0], expected)


@pytest.mark.parametrize("padding", ["none", "holes"])
@pytest.mark.parametrize("arguments", [{"unroll": True}, {"go_backwards": True}])
def test_any_way_to_run(arguments, padding):
    bare = LSTMCell(UNITS)
    layer = layer_of(TemporalSkip(bare, 3), **arguments)
    padding = PADDINGS[padding]
    expected, last = run(
        reference.lstm_step,
        float64(layer),
        sequences(),
        zeros(bare),
        3,
        padding=padding,
        backwards=layer.go_backwards,
    )
    assert_close(layer(sequences(), mask=padding), [expected, *last])


def skip(cell):
    return TemporalSkip(cell, 3)


COMPOSED = {
    "zoneout outside": lambda cell: Zoneout(skip(cell), 0.3, 0.4),
    "zoneout inside": lambda cell: skip(Zoneout(cell, 0.3, 0.4)),
    "masks outside": lambda cell: VariationalDropout(skip(cell), 0.3, 0.4, 0.2),
    "masks inside": lambda cell: skip(VariationalDropout(cell, 0.3, 0.4)),
    "untied masks inside": lambda cell: skip(
        VariationalDropout(cell, 0.3, 0.4, tied_masks=False)
    ),
    "masks outside, zoneout inside": lambda cell: VariationalDropout(
        skip(Zoneout(cell, 0.3, 0.4)), 0.3, output_dropout=0.2
    ),
    "zoneout outside, masks inside": lambda cell: Zoneout(
        skip(VariationalDropout(cell, 0.3, 0.4)), 0.3, 0.4
    ),
}


def masks_around_and_within(layer, noise):
    """The noise of a call: what acts around the skip, and what within it."""
    place = [type(each) for each in layer.regularisers].index(TemporalSkip)
    return {
        "outside": masks_of(noise[:place]),
        "inside": masks_of(noise[place + 1 :]),
    }


@pytest.mark.parametrize("padding", ["none", "holes"])
@pytest.mark.parametrize("composed", COMPOSED)
def test_composes_with_other_regularisers(composed, padding):
    bare = LSTMCell(UNITS)
    layer = layer_of(COMPOSED[composed](bare))
    recorded = record_noise(layer)
    padding = PADDINGS[padding]
    found = layer(sequences(), mask=padding, training=True)
    expected, last = run(
        reference.lstm_step,
        float64(layer),
        sequences(),
        zeros(bare),
        3,
        padding=padding,
        **masks_around_and_within(layer, recorded[0]),
    )
    # A mask around the skip has fallen already on what the skip remembers.
    outputs, *states, remembered = found
    assert_close([outputs, *states], [expected, *last[:-1]])
    if composed != "masks outside":
        assert_close(remembered, last[-1])


def test_zoneout_at_inference_is_the_expectation():
    bare = LSTMCell(UNITS)
    layer = layer_of(Zoneout(TemporalSkip(bare, 3), 0.3, 0.4))
    expected, last = run(
        reference.lstm_step,
        float64(layer),
        sequences(),
        zeros(bare),
        3,
        outside=reference.Masks(hidden=0.3, cell=0.4),
    )
    assert_close(layer(sequences()), [expected, *last])


@pytest.mark.parametrize(
    "wrap",
    [
        lambda cell: WeightDrop(TemporalSkip(cell, 3), 0.4),
        lambda cell: TemporalSkip(WeightDrop(cell, 0.4), 3),
    ],
    ids=["outside", "inside"],
)
def test_weight_drop_leaves_the_skip(wrap):
    bare = LSTMCell(UNITS)
    layer = layer_of(wrap(bare))
    recorded = record_noise(layer)
    found = layer(sequences(), training=True)
    (mask,) = (
        to_numpy(mask) for drawn in recorded[0] for mask in drawn.per_sequence.values()
    )
    kernel, recurrent_kernel, bias = float64(layer)
    expected, last = run(
        reference.lstm_step,
        [kernel, recurrent_kernel * mask, bias],
        sequences(),
        zeros(bare),
        3,
    )
    assert_close(found, [expected, *last])


def test_feed_forward_dropout_around_leaves_the_skip():
    bare = LSTMCell(UNITS)
    layer = layer_of(FeedForwardDropout(TemporalSkip(bare, 3), 0.5))
    recorded = record_noise(layer)
    found = layer(sequences(), training=True)
    stays = to_numpy(recorded[0][0].per_step["input"])
    expected, last = run(
        reference.lstm_step, float64(layer), sequences() * stays / 0.5, zeros(bare), 3
    )
    assert_close(found, [expected, *last])


def test_skips_within_skips():
    """A cell that reads its hidden state of 2 and of 3 steps ago."""
    bare = VanillaRNNCell(UNITS)
    layer = layer_of(TemporalSkip(TemporalSkip(bare, 2), 3))
    kernel, recurrent_kernel, bias = float64(layer)
    h = {t: np.zeros((BATCH, UNITS)) for t in range(-3, 0)}
    for t in range(TIME):
        read = np.concatenate([sequences()[:, t], h[t - 3], h[t - 2]], axis=1)
        h[t] = np.tanh(read @ kernel + h[t - 1] @ recurrent_kernel + bias)
    assert_close(layer(sequences())[0], np.stack([h[t] for t in range(TIME)], axis=1))


def test_stack():
    cells = [LSTMCell(UNITS), VanillaRNNCell(UNITS)]
    layer = layer_of([TemporalSkip(cells[0], 2), TemporalSkip(cells[1], 3)])
    outputs, *states = layer(sequences(), mask=PADDINGS["right"])
    weights, padding = float64(layer), PADDINGS["right"]
    below, of_below = run(
        reference.lstm_step,
        weights[:3],
        sequences(),
        zeros(cells[0]),
        2,
        padding=padding,
    )
    expected, of_above = run(
        reference.vanilla_step, weights[3:], below, zeros(cells[1]), 3, padding=padding
    )
    assert_close([outputs, *states], [expected, *of_below, *of_above])


def test_padded_steps_do_not_count():
    layer = layer_of(TemporalSkip(LSTMCell(UNITS), 3))
    row = PADDINGS["holes"][0]
    padded = layer(sequences(), mask=PADDINGS["holes"])
    without = layer(sequences()[:, row])
    for ours, theirs in zip(padded[1:], without[1:], strict=True):
        np.testing.assert_allclose(to_numpy(ours)[0], to_numpy(theirs)[0], atol=1e-6)


@pytest.mark.parametrize("padding", ["none", "right"])
def test_initial_state(padding):
    bare = LSTMCell(UNITS)
    layer = layer_of(TemporalSkip(bare, 3))
    h, c, *earlier = (sequences(seed, (BATCH, UNITS)) for seed in range(1, 5))
    padding = PADDINGS[padding]
    expected, last = run(
        reference.lstm_step,
        float64(layer),
        sequences(),
        [h, c],
        3,
        earlier=earlier,
        padding=padding,
    )
    outputs, *states = layer(
        sequences(),
        initial_state=[h, c, np.concatenate(earlier, axis=1)],
        mask=padding,
    )
    assert_close(states, last)
    # Before its first real step Keras puts out zeros, or on JAX the initial state.
    real = np.full((BATCH, TIME), True) if padding is None else padding
    assert_close(to_numpy(outputs)[real], expected[real])


def test_stateful_continues_where_it_stopped():
    stateful = layer_of(Zoneout(TemporalSkip(LSTMCell(UNITS), 3), 0.1), stateful=True)
    whole = layer_of(Zoneout(TemporalSkip(LSTMCell(UNITS), 3), 0.1))
    stateful(sequences()[:, :3])
    assert_close(
        stateful(sequences()[:, 3:])[0], to_numpy(whole(sequences())[0])[:, 3:]
    )


def test_both_directions():
    both = keras.layers.Bidirectional(
        RNN(TemporalSkip(LSTMCell(UNITS), 3), return_sequences=True)
    )
    both.build(sequences().shape)
    randomise(both)
    weights = [np.asarray(weight, "float64") for weight in both.get_weights()]
    initial = [np.zeros((BATCH, UNITS))] * 2
    forward, _ = run(reference.lstm_step, weights[:3], sequences(), initial, 3)
    backward, _ = run(
        reference.lstm_step, weights[3:], sequences(), initial, 3, backwards=True
    )
    expected = np.concatenate([forward, backward[:, ::-1]], axis=-1)
    assert_close(both(sequences()), expected)


def test_gradients_through_the_skip():
    bare = VanillaRNNCell(UNITS)
    layer = RNN(TemporalSkip(bare, 2), return_sequences=True)
    layer.build(sequences().shape)
    randomise(layer)
    direction = sequences(3, (BATCH, TIME, UNITS))
    x, *weights = (
        np.asarray(array, "float64") for array in (sequences(), *layer.get_weights())
    )
    padding = PADDINGS["holes"]

    def loss():
        outputs, _ = run(
            reference.vanilla_step, weights, x, zeros(bare), 2, padding=padding
        )
        return np.sum(outputs * direction)

    expected = numerical_gradients(loss, [x, *weights])
    found = gradients(layer, sequences(), padding, direction)
    assert_close(found, expected, atol=5e-4)


def configured():
    cell = Zoneout(TemporalSkip(VariationalDropout(LSTMCell(UNITS), 0.2), 3), 0.1, 0.2)
    return RNN(cell, seed=3)


def test_configuration_and_file(tmp_path):
    layer = configured()
    model = keras.Sequential([keras.Input((None, FEATURES)), layer])
    config = json.loads(json.dumps(layer.get_config()))
    again = RNN.from_config(json.loads(json.dumps(config)))
    assert json.loads(json.dumps(again.get_config())) == config
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert_close(loaded(sequences()), to_numpy(model(sequences())), atol=1e-6)


def test_fit():
    keras.utils.set_random_seed(1)
    # What to put out is what came in three steps ago.
    x = np.random.default_rng(0).normal(size=(32, 6, 1)).astype("float32")
    y = np.pad(x, ((0, 0), (3, 0), (0, 0)))[:, :-3]
    layer = RNN(TemporalSkip(VanillaRNNCell(8), 3), return_sequences=True)
    model = keras.Sequential([keras.Input((None, 1)), layer, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.05), "mse")
    before = model.test_on_batch(x, y)
    model.fit(x, y, epochs=12, verbose=0)
    assert model.test_on_batch(x, y) < 0.6 * before


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a feature of TensorFlow"
)
def test_exported_saved_model(tmp_path):
    import tensorflow as tf

    inputs = keras.Input((None, FEATURES))
    model = keras.Model(inputs, configured()(keras.layers.Masking()(inputs)))
    model.export(tmp_path, verbose=False)
    served = tf.saved_model.load(str(tmp_path))
    x = sequences(shape=(2, 9, FEATURES))
    assert_close(served.serve(x), to_numpy(model(x)))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_dtype_policies(policy):
    cell = TemporalSkip(LSTMCell(UNITS, dtype=policy), 3)
    layer = RNN(cell, return_state=True, dtype=policy)
    compute_dtype = keras.dtype_policies.get(policy).compute_dtype
    for returned in layer(sequences(), mask=PADDINGS["right"]):
        assert keras.backend.standardize_dtype(returned.dtype) == compute_dtype


@pytest.mark.parametrize("steps", [1, 0, -2, 2.0, "2", None, True])
def test_refused_steps(steps):
    with pytest.raises(ValueError, match=r"recurrent kernel\. Received: steps="):
        TemporalSkip(LSTMCell(UNITS), steps)


def test_a_buffer_is_no_cell_state():
    with pytest.raises(ValueError, match=r"`zoneout_cell` needs .* Received: "):
        Zoneout(TemporalSkip(keras.layers.GRUCell(UNITS), 3), zoneout_cell=0.1)
    Zoneout(TemporalSkip(LSTMCell(UNITS), 3), zoneout_cell=0.1)


def test_a_cell_built_for_another_input_is_refused():
    cell = LSTMCell(UNITS)
    cell.build((None, FEATURES))
    with pytest.raises(ValueError, match=r"hence 7\. .* Received: a cell built for"):
        RNN(TemporalSkip(cell, 3))(sequences())


def test_untied_masks_outside_are_refused():
    with pytest.raises(ValueError, match="tied_masks"):
        VariationalDropout(TemporalSkip(LSTMCell(UNITS), 3), 0.1, tied_masks=False)
