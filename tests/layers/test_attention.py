"""Attention and the recurrence that feeds on it, against their equations in NumPy."""

import keras
import numpy as np
import pytest

from recurra.layers import (
    GRU,
    RNN,
    AttentionCell,
    AttentionRNN,
    GRUCell,
    LSTMCell,
    MemoryAttention,
    VanillaRNNCell,
    VariationalDropout,
    Zoneout,
)

from .cases import BATCH, FEATURES, PADDINGS, TIME, UNITS, randomise, to_numpy
from .cases import sequences as random_values

POSITIONS, CONTEXT = 6, 4
KINDS = ["additive", "dot", "general"]
MEMORY_MASK = np.arange(POSITIONS) < np.array([[6], [4], [1], [3], [5]])
VALUES = random_values(7, (BATCH, POSITIONS, CONTEXT))


def attention_of(kind):
    return MemoryAttention(kind, units=3 if kind == "additive" else None)


def softmax(values):
    powers = np.exp(values - values.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def attend(kind, weights, queries, values, mask):
    """Contexts and weights of queries (batch, queries, size), by the papers."""
    if kind == "additive":
        w, u, b, v = weights
        sums = (queries @ w)[:, :, None] + (values @ u + b)[:, None]
        scores = (np.tanh(sums) @ v)[..., 0]
    else:
        read = queries @ weights[0] if kind == "general" else queries
        scores = read @ values.transpose(0, 2, 1)
    shares = softmax(np.where(mask[:, None], scores, -np.inf))
    return shares @ values, shares


def decode(kind, attention_weights, weights, inputs):
    """Outputs of a vanilla cell that attends, and its last states."""
    kernel, recurrent_kernel, bias = weights
    state, context = np.zeros((BATCH, UNITS)), np.zeros((BATCH, CONTEXT))
    outputs = []
    for x in inputs.transpose(1, 0, 2):
        read = np.concatenate([x, context], 1)
        state = np.tanh(read @ kernel + state @ recurrent_kernel + bias)
        context = attend(kind, attention_weights, state[:, None], VALUES, MEMORY_MASK)[
            0
        ][:, 0]
        outputs.append(np.concatenate([state, context], 1))
    return np.stack(outputs, 1), [state, context]


@pytest.mark.parametrize("kind", KINDS)
def test_attention_is_that_of_the_papers(kind):
    queries = random_values(2, (BATCH, 3, CONTEXT))
    attention = attention_of(kind)
    attention.build(queries.shape, VALUES.shape)
    randomise(attention)
    contexts, weights = attention(queries, attention.memory(VALUES, MEMORY_MASK))
    expected = attend(kind, attention.get_weights(), queries, VALUES, MEMORY_MASK)
    np.testing.assert_allclose(to_numpy(contexts), expected[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(to_numpy(weights), expected[1], rtol=1e-4, atol=1e-6)
    assert (to_numpy(weights)[np.repeat(~MEMORY_MASK[:, None], 3, 1)] == 0).all()


def test_a_memory_of_padding_alone_gives_numbers():
    attention = MemoryAttention("dot", dtype="mixed_float16")
    attention.build((None, None, CONTEXT), (None, None, CONTEXT))
    memory = attention.memory(VALUES, np.zeros((BATCH, POSITIONS), bool))
    contexts, _ = attention(random_values(2, (BATCH, 3, CONTEXT)), memory)
    assert np.isfinite(to_numpy(contexts)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_decoder_follows_the_equations(kind):
    cell = AttentionCell(VanillaRNNCell(UNITS), attention_of(kind), CONTEXT)
    layer = AttentionRNN(cell, return_sequences=True, return_state=True)
    x = random_values()
    layer(x, VALUES)
    randomise(layer)
    outputs, *states = layer(x, VALUES, memory_mask=MEMORY_MASK)
    expected, expected_states = decode(
        kind, cell.attention.get_weights(), cell.cell.get_weights(), x
    )
    np.testing.assert_allclose(to_numpy(outputs), expected, rtol=1e-4, atol=1e-5)
    for state, of_equations in zip(states, expected_states, strict=True):
        np.testing.assert_allclose(to_numpy(state), of_equations, rtol=1e-4, atol=1e-5)


CELLS = {
    "gru": lambda: GRUCell(UNITS),
    "lstm": lambda: LSTMCell(UNITS),
    "keras": lambda: keras.layers.LSTMCell(UNITS),
    "regularised": lambda: Zoneout(
        VariationalDropout(LSTMCell(UNITS), 0.2, 0.3), 0.1, 0.2
    ),
}


@pytest.mark.parametrize("make_cell", CELLS.values(), ids=CELLS)
def test_single_steps_are_those_of_the_layer(make_cell):
    cell = AttentionCell(make_cell(), attention_of("additive"), CONTEXT)
    layer = AttentionRNN(cell, return_sequences=True)
    x = random_values()
    layer.build(x.shape)
    randomise(layer)
    memory = cell.attention.memory(VALUES, MEMORY_MASK)
    expected = to_numpy(layer(x, memory))
    states = cell.get_initial_state(BATCH)
    for time in range(TIME):
        with cell.attending_to(memory):
            output, states = cell(x[:, time], states)
        np.testing.assert_allclose(
            to_numpy(output), expected[:, time], rtol=1e-4, atol=1e-5
        )


def test_several_rows_attend_to_one_of_the_memory():
    cell = AttentionCell(GRUCell(UNITS), attention_of("general"), CONTEXT)
    cell.build((None, FEATURES))
    randomise(cell)
    x = random_values(3, (2 * BATCH, FEATURES))
    states = [
        random_values(seed, (2 * BATCH, size))
        for seed, size in enumerate(cell.state_size)
    ]

    def step(values, mask):
        with cell.attending_to(cell.attention.memory(values, mask)):
            return to_numpy(cell(x, states)[0])

    np.testing.assert_allclose(
        step(VALUES, MEMORY_MASK),
        step(np.repeat(VALUES, 2, 0), np.repeat(MEMORY_MASK, 2, 0)),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize("places", ["right", "left", "holes"])
def test_padded_steps_run_past_as_in_the_loop_with_a_mask(places, monkeypatch):
    cell = AttentionCell(LSTMCell(UNITS), attention_of("dot"), CONTEXT)
    layer = AttentionRNN(cell, return_sequences=True, return_state=True)
    x = random_values()
    layer.build(x.shape)
    randomise(layer)
    call = {"sequences_mask": PADDINGS[places], "memory_mask": MEMORY_MASK}
    assert layer.may_run_past_padding()
    found = layer(x, VALUES, **call)
    monkeypatch.setattr(AttentionRNN, "may_run_past_padding", lambda self: False)
    for ours, expected in zip(found, layer(x, VALUES, **call), strict=True):
        np.testing.assert_allclose(
            to_numpy(ours), to_numpy(expected), rtol=1e-4, atol=1e-5
        )


def encoder_decoder():
    source, target = keras.Input((None, FEATURES)), keras.Input((None, FEATURES))
    encoded = GRU(CONTEXT, return_sequences=True)(keras.layers.Masking()(source))
    cell = AttentionCell(GRUCell(8), attention_of("additive"), CONTEXT)
    decoder = AttentionRNN(VariationalDropout(cell, 0.1), return_sequences=True)
    decoded = decoder(keras.layers.Masking()(target), encoded)
    return keras.Model([source, target], keras.layers.Dense(1)(decoded))


def test_masks_of_both_sequences_come_from_the_layers_before():
    model = encoder_decoder()
    source, target = random_values(1), random_values(2)
    whole = model.predict([source, target], verbose=0)
    longer = [np.pad(x, [(0, 0), (0, 3), (0, 0)]) for x in (source, target)]
    padded = model.predict(longer, verbose=0)
    np.testing.assert_allclose(padded[:, :TIME], whole, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        padded[:, TIME:], np.repeat(whole[:, -1:], 3, 1), rtol=1e-4, atol=1e-5
    )


def test_trains_and_loads_again(tmp_path):
    model = encoder_decoder()
    model.compile(keras.optimizers.Adam(0.02), "mse")
    inputs = [random_values(seed, (64, TIME, FEATURES)) for seed in (1, 2)]
    targets = inputs[1][:, :, :1] + inputs[0].mean(axis=(1, 2))[:, None, None]
    losses = model.fit(inputs, targets, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        again.predict(inputs, verbose=0), model.predict(inputs, verbose=0), atol=1e-6
    )


def test_what_is_refused():
    with pytest.raises(ValueError, match="kind"):
        MemoryAttention("cosine")
    with pytest.raises(ValueError, match="units"):
        MemoryAttention("additive")
    with pytest.raises(ValueError, match="same size"):
        MemoryAttention("dot").build((None, None, 3), (None, None, 4))
    with pytest.raises(ValueError, match="build"):
        MemoryAttention("general").memory(VALUES)
    with pytest.raises(TypeError, match="AttentionCell"):
        AttentionRNN(GRUCell(UNITS))
    cell = AttentionCell(GRUCell(UNITS), MemoryAttention("general"), CONTEXT)
    with pytest.raises(ValueError, match="attending_to"):
        RNN(cell)(random_values())
