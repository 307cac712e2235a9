"""Stacks against the loops of their levels, and against stacks of Keras's layers."""

import itertools
import json

import keras
import numpy as np
import pytest

from recurra.layers import GRU, LSTM, RNN, DeepRNN, LSTMCell, VanillaRNN, Zoneout

from . import reference
from .cases import (
    BATCH,
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
)

RATES = {
    "dropout": 0.2,
    "recurrent_dropout": 0.3,
    "output_dropout": 0.2,
    "zoneout_hidden": 0.3,
    "zoneout_cell": 0.2,
}
STEPS = {LSTM: reference.lstm_step, VanillaRNN: reference.vanilla_step}
STATES = {LSTM: 2, VanillaRNN: 1}
MERGED = {
    "concat": lambda a, b: np.concatenate([a, b], axis=-1),
    "sum": lambda a, b: a + b,
    "ave": lambda a, b: (a + b) / 2,
    "mul": lambda a, b: a * b,
}


def built(layer, shape=(BATCH, TIME, FEATURES)):
    layer.build(shape)
    randomise(layer)
    return layer


def run_layer(layer, recorded, x, padding):
    """One layer by the loop of its equations: outputs in time, and last states."""
    units = layer.units
    outputs, states = reference.run(
        STEPS[type(layer)],
        [np.asarray(weight, "float64") for weight in layer.get_weights()],
        x,
        [np.zeros((BATCH, units))] * STATES[type(layer)],
        masks_of(recorded[0]) if recorded else reference.Masks(),
        padding=padding,
        backwards=layer.go_backwards,
    )
    return outputs[:, ::-1] if layer.go_backwards else outputs, states


def at_last_real_steps(outputs, padding, backwards=False):
    """Row by row the last output, or the first one in time; zeros without any."""
    last = np.zeros_like(outputs[:, 0])
    for row in range(BATCH):
        real = np.arange(TIME) if padding is None else np.flatnonzero(padding[row])
        if len(real):
            last[row] = outputs[row, real[0] if backwards else real[-1]]
    return last


def run_stack(stack, recorded, x, padding):
    """The output of all steps, the last output, and the last states of all layers."""
    y, all_states = x.astype("float64"), []
    for level in stack.levels:
        below, directions = y, []
        for layer in level.layers:
            outputs, states = run_layer(layer, recorded[id(layer)], below, padding)
            directions.append(outputs)
            all_states += states
        y = MERGED[level.merge_mode](*directions) if len(directions) > 1 else outputs
        if stack.residual and y.shape == below.shape:
            y = y + below
    if len(directions) == 1:
        last = at_last_real_steps(y, padding)
    elif level.merge_mode == "concat":
        width = directions[0].shape[-1]
        last = np.concatenate(
            [
                at_last_real_steps(y[..., :width], padding),
                at_last_real_steps(y[..., width:], padding, backwards=True),
            ],
            axis=-1,
        )
    else:
        forward, backward = directions
        last = MERGED[level.merge_mode](
            at_last_real_steps(forward, padding),
            at_last_real_steps(backward, padding, backwards=True),
        )
    return y, last, all_states


def assert_equals_loops(stack, padding, features=FEATURES):
    x = sequences(shape=(BATCH, TIME, features))
    built(stack, x.shape)
    layers = [layer for level in stack.levels for layer in level.layers]
    recorded = {id(layer): record_noise(layer) for layer in layers}
    output, *states = stack(x, mask=padding, training=True)
    expected, last, expected_states = run_stack(stack, recorded, x, padding)
    assert_close(states, expected_states)
    if not stack.return_sequences:
        assert_close(output, last)
        return
    real = np.full((BATCH, TIME), True) if padding is None else padding
    output = to_numpy(output)
    assert_close(output[real], expected[real])
    if any(len(level.layers) == 2 for level in stack.levels):
        assert not output[~real].any()
        return
    before = np.zeros_like(output[:, 0])
    for t in range(TIME):
        padded = ~real[:, t]
        np.testing.assert_array_equal(output[padded, t], before[padded])
        before = output[:, t]


KINDS = {
    "plain": {},
    "residual": {"residual": True},
    "both directions": {"bidirectional": True},
    "both directions, residual": {"bidirectional": True, "residual": True},
}


@pytest.mark.parametrize(
    ("kind", "padding", "return_sequences"),
    [
        *itertools.product(KINDS, ["none", "holes"], [True]),
        ("both directions, residual", "left", True),
        ("both directions", "right", True),
        ("residual", "left", False),
        ("residual", "holes", False),
        ("both directions", "holes", False),
        ("both directions, residual", "right", False),
    ],
)
def test_repeated_layer(kind, padding, return_sequences):
    stack = DeepRNN(
        LSTM(UNITS, **RATES),
        depth=2,
        return_sequences=return_sequences,
        return_state=True,
        **KINDS[kind],
    )
    assert_equals_loops(stack, PADDINGS[padding])


@pytest.mark.parametrize(
    ("bidirectional", "padding", "return_sequences"),
    [
        *itertools.product([False], PADDINGS, [True, False]),
        *itertools.product([True], ["none", "right"], [True, False]),
    ],
)
def test_residual_from_the_input_on_where_it_is_as_wide(
    bidirectional, padding, return_sequences
):
    stack = DeepRNN(
        VanillaRNN(UNITS, recurrent_dropout=0.3),
        depth=2,
        bidirectional=bidirectional,
        residual=True,
        return_sequences=return_sequences,
        return_state=True,
    )
    features = 2 * UNITS if bidirectional else UNITS
    assert_equals_loops(stack, PADDINGS[padding], features)
    assert [level.is_residual for level in stack.levels] == [True, True]


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("merge_mode", MERGED)
def test_merge_modes(merge_mode, residual):
    stack = DeepRNN(
        VanillaRNN(UNITS, dropout=0.3),
        depth=2,
        bidirectional=True,
        residual=residual,
        merge_mode=merge_mode,
        return_sequences=residual,
        return_state=True,
    )
    assert_equals_loops(stack, PADDINGS["right"])


@pytest.mark.parametrize("return_sequences", [True, False])
def test_layers_of_many_kinds(return_sequences):
    """As in GNMT: both directions at the bottom, residual connections above."""
    stack = DeepRNN(
        [
            keras.layers.Bidirectional(LSTM(3, dropout=0.4), merge_mode="concat"),
            VanillaRNN(6, zoneout_hidden=0.2),
            LSTM(6, recurrent_dropout=0.3, tied_masks=False),
            LSTM(4, output_dropout=0.2),
        ],
        residual=True,
        return_sequences=return_sequences,
        return_state=True,
    )
    assert_equals_loops(stack, PADDINGS["holes"])
    assert [level.is_residual for level in stack.levels] == [False, True, True, False]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("padding", ["none", "right"])
@pytest.mark.parametrize("return_sequences", [False, True])
def test_equals_a_stack_of_layers_of_keras(return_sequences, padding, bidirectional):
    stack = built(
        DeepRNN(
            keras.layers.GRU(UNITS),
            depth=2,
            bidirectional=bidirectional,
            return_sequences=return_sequences,
        )
    )
    theirs = [
        keras.layers.GRU(UNITS, return_sequences=True),
        keras.layers.GRU(UNITS, return_sequences=return_sequences),
    ]
    if bidirectional:
        theirs = [keras.layers.Bidirectional(layer) for layer in theirs]
    x, mask = sequences(), PADDINGS[padding]
    theirs[1](theirs[0](x))
    weights = stack.get_weights()
    half = len(weights) // 2
    theirs[0].set_weights(weights[:half])
    theirs[1].set_weights(weights[half:])
    expected = theirs[1](theirs[0](x, mask=mask), mask=mask)
    assert_close(stack(x, mask=mask), expected, atol=1e-6)


LEVELS = {
    "ours": lambda: DeepRNN(LSTM(UNITS, **RATES, seed=3), depth=2, return_state=True),
    "both directions": lambda: DeepRNN(
        GRU(UNITS, dropout=0.2, seed=3),
        depth=2,
        bidirectional=True,
        residual=True,
        return_sequences=True,
        return_state=True,
    ),
    "keras": lambda: DeepRNN(
        keras.layers.LSTM(UNITS, dropout=0.2, seed=3), depth=2, return_state=True
    ),
    "mixed": lambda: DeepRNN(
        [
            keras.layers.Bidirectional(keras.layers.GRU(UNITS), merge_mode="sum"),
            keras.layers.RNN([keras.layers.LSTMCell(UNITS), LSTMCell(UNITS)]),
            RNN(Zoneout(keras.layers.SimpleRNNCell(UNITS), 0.2), seed=4),
        ],
        residual=True,
        return_state=True,
    ),
    "backwards": lambda: DeepRNN(
        [LSTM(UNITS, dropout=0.2, seed=3), LSTM(2)],
        go_backwards=True,
        zero_output_for_mask=True,
        return_sequences=True,
        return_state=True,
    ),
}


@pytest.mark.parametrize("make", LEVELS.values(), ids=LEVELS)
def test_shapes(make):
    stack, x = make(), sequences()
    expected = [tuple(shape) for shape in stack.compute_output_shape(x.shape)]
    assert [tuple(returned.shape) for returned in stack(x)] == expected
    symbolic = make()(keras.Input((None, FEATURES)))
    assert [tuple(returned.shape) for returned in symbolic] == [
        tuple(shape) for shape in stack.compute_output_shape((None, None, FEATURES))
    ]


@pytest.mark.parametrize("make", LEVELS.values(), ids=LEVELS)
def test_configuration_and_file(make, tmp_path):
    inputs = keras.Input((None, FEATURES))
    stack = make()
    model = keras.Model(inputs, stack(inputs))
    config = stack.get_config()
    again = DeepRNN.from_config(json.loads(json.dumps(config)))
    assert json.loads(json.dumps(again.get_config())) == json.loads(json.dumps(config))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for training in (False, True):
        assert_close(
            loaded(sequences(), training=training),
            model(sequences(), training=training),
            atol=1e-6,
        )


@pytest.mark.parametrize("make", LEVELS.values(), ids=LEVELS)
def test_initial_state_is_in_the_order_of_the_states_returned(make):
    stack = built(make())
    x = sequences()
    initial = [sequences(n, state.shape) for n, state in enumerate(stack(x)[1:])]
    unread = stack(x, initial_state=initial, mask=np.zeros((BATCH, TIME), dtype=bool))
    assert_close(unread[1:], initial)


def test_states_carry_a_sequence_on():
    stack = built(DeepRNN(LSTM(UNITS, **RATES), 3, residual=True, return_state=True))
    x = sequences()
    _, *states = stack(x[:, :3])
    assert_close(stack(x[:, 3:], initial_state=states), stack(x))


def test_stateful():
    arguments = {"depth": 3, "residual": True, "return_state": True}
    stack = built(DeepRNN(LSTM(UNITS), stateful=True, **arguments))
    whole = built(DeepRNN(LSTM(UNITS), **arguments))
    x = sequences()
    stack(x[:, :3])
    assert_close(stack(x[:, 3:]), whole(x))
    assert len(stack.states) == 6
    assert_close(stack.states, whole(x)[1:])
    stack.reset_state()
    assert all(not to_numpy(state).any() for state in stack.states)
    assert whole.states is None


@pytest.mark.parametrize("padding", ["none", "holes"])
def test_backwards_is_forwards_over_the_reversed_sequence(padding):
    arguments = {"depth": 2, "residual": True, "return_sequences": True}
    x = sequences(shape=(BATCH, TIME, UNITS))
    backwards = built(DeepRNN(LSTM(UNITS), go_backwards=True, **arguments), x.shape)
    forwards = built(DeepRNN(LSTM(UNITS), **arguments), x.shape)
    mask = PADDINGS[padding]
    expected = forwards(x[:, ::-1], mask=None if mask is None else mask[:, ::-1])
    assert_close(backwards(x, mask=mask), expected)


@pytest.mark.parametrize("merge_mode", ["concat", "sum"])
def test_bidirectional_of_keras_around_it(merge_mode):
    both = keras.layers.Bidirectional(
        DeepRNN(LSTM(UNITS, dropout=0.3, seed=3), depth=2, return_sequences=True),
        merge_mode=merge_mode,
    )
    built(both)
    x, mask = sequences(), PADDINGS["right"]
    found = to_numpy(both(x, mask=mask))
    forward = to_numpy(both.forward_layer(x, mask=mask))
    backward = to_numpy(both.backward_layer(x, mask=mask))[:, ::-1]
    assert_close(found, MERGED[merge_mode](forward, backward))
    assert not found[~mask].any()

    seeds = seeds_of(both.forward_layer) + seeds_of(both.backward_layer)
    assert len(set(seeds)) == len(seeds) == 4


def seeds_of(stack):
    layers = [layer for level in stack.levels for layer in level.layers]
    return [layer.get_config()["seed"] for layer in layers]


@pytest.mark.parametrize("make", [LSTM, keras.layers.LSTM])
def test_every_layer_has_a_seed_of_its_own_that_follows_from_the_given_one(make):
    stacks = [
        DeepRNN(make(UNITS, dropout=0.5, seed=seed), depth=3, bidirectional=True)
        for seed in (3, 3, 4)
    ]
    first, again, other = (seeds_of(stack) for stack in stacks)
    assert first[0] == 3
    assert len(set(first)) == 6
    assert first == again
    assert not set(first) & set(other)


def test_layers_of_a_list_keep_their_seeds():
    stack = DeepRNN([LSTM(UNITS, seed=3), LSTM(UNITS), LSTM(UNITS, seed=3)])
    assert seeds_of(stack) == [3, None, 3]


def test_seeded_weights_differ_between_levels_and_are_reproducible():
    def stack():
        layer = LSTM(UNITS, recurrent_initializer=keras.initializers.Orthogonal(seed=1))
        made = DeepRNN(layer, depth=3, bidirectional=True)
        made.build((None, None, FEATURES))
        return [
            to_numpy(layer.plain_cell.recurrent_kernel)
            for level in made.levels
            for layer in level.layers
        ]

    kernels = stack()
    for one, other in itertools.combinations(kernels, 2):
        assert not np.allclose(one, other)
    assert_close(stack(), kernels, atol=0)


@pytest.mark.parametrize("seed", [None, 3])
def test_levels_and_directions_share_no_masks(seed):
    stack = DeepRNN(
        LSTM(UNITS, recurrent_dropout=0.5, zoneout_cell=0.5, seed=seed),
        depth=2,
        bidirectional=True,
    )
    stack.build((None, None, 2 * UNITS))
    drawn = [
        masks_of(layer.draw_noise(16, 8))
        for level in stack.levels
        for layer in level.layers
    ]
    for one, other in itertools.combinations(drawn, 2):
        for name in ("state", "cell"):
            same = (getattr(one, name) == getattr(other, name)).mean()
            assert 0.2 < same < 0.8


def test_noise_differs_between_training_steps():
    """Fitting with nothing to learn from: the loss moves by the noise alone."""
    inputs = keras.Input((None, FEATURES))
    outputs = LEVELS["mixed"]()(keras.layers.Masking()(inputs))[0]
    model = keras.Model(
        inputs, keras.ops.mean(outputs, axis=tuple(range(1, outputs.ndim)))
    )
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x, y = sequences(), np.ones(BATCH, "float32")
    assert len({model.train_on_batch(x, y) for _ in range(3)}) == 3
    assert len({model.test_on_batch(x, y) for _ in range(3)}) == 1


def test_fit_evaluate_predict():
    keras.utils.set_random_seed(1)
    stack = DeepRNN(VanillaRNN(6, recurrent_dropout=0.1), 2, residual=True)
    inputs = keras.Input((None, FEATURES))
    model = keras.Model(inputs, keras.layers.Dense(1)(stack(inputs)))
    model.compile(keras.optimizers.Adam(0.02), "mse")
    x = sequences(shape=(32, 5, FEATURES))
    y = x[:, :, 0].sum(axis=1)
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=12, verbose=0)
    assert model.evaluate(x, y, verbose=0) < 0.6 * before
    assert model.predict(x, verbose=0).shape == (32, 1)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a feature of TensorFlow"
)
def test_exported_saved_model(tmp_path):
    import tensorflow as tf

    inputs = keras.Input((None, UNITS))
    masked = keras.layers.Masking()(inputs)
    stack = DeepRNN(
        VanillaRNN(UNITS, zoneout_hidden=0.2), 2, residual=True, return_sequences=True
    )
    model = keras.Model(inputs, stack(masked))
    model.export(tmp_path, verbose=False)
    served = tf.saved_model.load(str(tmp_path))
    for shape in ((2, 5, UNITS), (1, 9, UNITS)):
        x = sequences(shape=shape)
        x[:, -2:] = 0
        assert_close(served.serve(x), model(x))


def test_mask_reaches_what_follows():
    ids = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(9, UNITS, mask_zero=True)(ids)
    stack = DeepRNN(LSTM(UNITS), depth=2, residual=True, return_sequences=True)
    model = keras.Model(ids, keras.layers.GlobalAveragePooling1D()(stack(embedded)))
    padded = np.array([[3, 5, 0, 0], [3, 5, 7, 0]], "int32")
    assert_close(model(padded)[:1], model(padded[:1, :2]))
    assert_close(model(padded)[1:], model(padded[1:, :3]))


@pytest.mark.parametrize(
    "arguments", [{}, {"bidirectional": True}], ids=["one", "both"]
)
def test_padding_is_never_read(arguments):
    features = UNITS * (1 + len(arguments))
    stack = DeepRNN(
        LSTM(UNITS, **RATES),
        depth=2,
        residual=True,
        return_sequences=True,
        return_state=True,
        **arguments,
    )
    x = sequences(shape=(BATCH, TIME, features))
    built(stack, x.shape)
    for level in stack.levels:
        for layer in level.layers:
            noise = layer.draw_noise(BATCH, TIME)
            layer.draw_noise = lambda *_, noise=noise: noise
    mask = PADDINGS["holes"]
    junk = np.where(mask[..., None], x, 1e3).astype("float32")
    assert_close(
        stack(junk, mask=mask, training=True), stack(x, mask=mask, training=True)
    )


@pytest.mark.parametrize("residual", [False, True])
def test_zero_output_for_mask(residual):
    stack = DeepRNN(
        LSTM(UNITS),
        depth=2,
        residual=residual,
        return_sequences=True,
        zero_output_for_mask=True,
    )
    plain = DeepRNN(LSTM(UNITS), depth=2, residual=residual, return_sequences=True)
    shape = (BATCH, TIME, UNITS)
    mask = PADDINGS["holes"]
    expected = to_numpy(built(plain, shape)(sequences(shape=shape), mask=mask))
    assert expected[~mask].any()
    found = built(stack, shape)(sequences(shape=shape), mask=mask)
    assert_close(found, np.where(mask[..., None], expected, 0))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_dtype_policies(policy):
    stack = DeepRNN(
        LSTM(UNITS, dropout=0.2, dtype=policy),
        depth=2,
        bidirectional=True,
        residual=True,
        return_state=True,
    )
    compute_dtype = keras.dtype_policies.get(policy).compute_dtype
    for returned in stack(sequences(), mask=PADDINGS["right"], training=True):
        assert keras.backend.standardize_dtype(returned.dtype) == compute_dtype
    in_float32 = DeepRNN(LSTM(UNITS), depth=1, dtype="float32")
    assert keras.backend.standardize_dtype(in_float32(sequences()).dtype) == "float32"


def test_weights_and_layers_are_its_own():
    layer = LSTM(UNITS)
    stack = DeepRNN(layer, depth=2, bidirectional=True)
    stack(sequences())
    assert not layer.built
    assert len(stack.weights) == len({weight.path for weight in stack.weights}) == 12
    by_level = [
        sum(each.count_params() for each in level.layers) for level in stack.levels
    ]
    assert by_level == [
        8 * UNITS * (FEATURES + UNITS + 1),
        8 * UNITS * (2 * UNITS + UNITS + 1),
    ]
    stack.trainable = False
    assert stack.trainable_weights == []


def test_use_cudnn_is_kept():
    stack = DeepRNN(keras.layers.LSTM(UNITS, use_cudnn=False), 2, bidirectional=True)
    used = [layer.use_cudnn for level in stack.levels for layer in level.layers]
    assert used == [False] * 4


def lstm():
    return LSTM(UNITS)


def built_lstm():
    return built(LSTM(UNITS))


twice = LSTM(UNITS)
REFUSED = {
    "no depth": (ValueError, "`depth`", lambda: DeepRNN(lstm())),
    "depth zero": (ValueError, "`depth`", lambda: DeepRNN(lstm(), 0)),
    "depth as text": (ValueError, "`depth`", lambda: DeepRNN(lstm(), "2")),
    "no layers": (ValueError, "list of 0", lambda: DeepRNN([])),
    "other depth": (ValueError, "depth=3", lambda: DeepRNN([lstm(), lstm()], 3)),
    "a layer twice": (ValueError, "twice", lambda: DeepRNN([twice, twice])),
    "a cell": (TypeError, "for a cell", lambda: DeepRNN(LSTMCell(UNITS), 2)),
    "a Dense": (
        TypeError,
        "recurrent layers",
        lambda: DeepRNN([keras.layers.Dense(2)]),
    ),
    "a stack": (TypeError, "recurrent layers", lambda: DeepRNN([DeepRNN(lstm(), 2)])),
    "a number": (TypeError, "recurrent layers", lambda: DeepRNN(3, 2)),
    "a built layer": (ValueError, "patterns", lambda: DeepRNN(built_lstm(), 2)),
    "state of a layer": (
        ValueError,
        "return_state=True",
        lambda: DeepRNN(LSTM(UNITS, return_state=True), 2),
    ),
    "stateful layer": (
        ValueError,
        "stateful=True",
        lambda: DeepRNN([keras.layers.Bidirectional(LSTM(UNITS, stateful=True))]),
    ),
    "layer that goes backwards": (
        ValueError,
        "go_backwards=True",
        lambda: DeepRNN(LSTM(UNITS, go_backwards=True), 2),
    ),
    "no such mode": (
        ValueError,
        "`merge_mode`",
        lambda: DeepRNN(lstm(), 2, True, merge_mode="add"),
    ),
    "unmerged": (
        ValueError,
        "`merge_mode`",
        lambda: DeepRNN([keras.layers.Bidirectional(lstm(), merge_mode=None)]),
    ),
    "both directions twice": (
        ValueError,
        "does so already",
        lambda: DeepRNN(keras.layers.Bidirectional(lstm()), 2, bidirectional=True),
    ),
    "both directions backwards": (
        ValueError,
        "go_backwards",
        lambda: DeepRNN(lstm(), 2, bidirectional=True, go_backwards=True),
    ),
    "no last step": (
        ValueError,
        "return_sequences=False",
        lambda: DeepRNN(lstm(), 2, True, residual=True, merge_mode="sum"),
    ),
    "nothing residual": (
        ValueError,
        "3 -> 4 -> 5",
        lambda: DeepRNN([LSTM(4), LSTM(5)], residual=True)(sequences()),
    ),
    "too few states": (
        ValueError,
        "must hold 4 states.* Received: 2 states",
        lambda: DeepRNN(lstm(), 2)(
            sequences(), initial_state=[np.zeros((BATCH, UNITS), "float32")] * 2
        ),
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_refused(case):
    error, reason, make = case
    with pytest.raises(error, match=reason) as refusal:
        make()
    assert " Received: " in str(refusal.value)
