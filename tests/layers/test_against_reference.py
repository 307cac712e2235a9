"""Forward, with the very masks drawn, against the papers' equations in NumPy."""

import keras
import numpy as np
import pytest

from recurra.layers import (
    GRU,
    LSTM,
    RGLRU,
    RNN,
    GRUCell,
    LSTMCell,
    MLSTMCell,
    Mogrifier,
    VanillaRNN,
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
    REGULARISED,
    UNITS,
    assert_close,
    masks_of,
    randomise,
    record_noise,
    sequences,
    to_numpy,
    zeros,
    zoneout_rates,
)


def assert_equals_reference(layer, step, padding, initial_states=None):
    """One call in training mode, all outputs and last states, against the loop."""
    x = sequences()
    recorded = record_noise(layer)
    arguments = {} if initial_states is None else {"initial_state": initial_states}
    outputs, *states = layer(x, mask=padding, training=True, **arguments)

    equations = (
        step,
        [np.asarray(w, "float64") for w in layer.get_weights()],
        x.astype("float64"),
        zeros(layer.cell) if initial_states is None else initial_states,
        masks_of(recorded[0]) if recorded else reference.Masks(),
    )
    order = {"padding": padding, "backwards": layer.go_backwards}
    expected = reference.run(*equations, **order)
    atol = reference.tolerance(*equations, **order)
    assert_close((outputs, states), expected, atol)


@pytest.mark.parametrize(
    ("cell", "regularised", "padding"),
    [
        (cell, regularised, padding)
        for cell in CELLS
        for regularised in REGULARISED
        for padding in (PADDINGS if regularised in ("bare", "all") else ["holes"])
    ],
)
def test_any_cell_regularised(cell, regularised, padding):
    make_cell, step = CELLS[cell]
    layer = RNN(
        REGULARISED[regularised](make_cell(UNITS)),
        return_sequences=True,
        return_state=True,
    )
    layer.build(sequences().shape)
    randomise(layer)
    assert_equals_reference(layer, step, PADDINGS[padding])


ALL = {
    "dropout": 0.2,
    "recurrent_dropout": 0.3,
    "output_dropout": 0.4,
    "zoneout_hidden": 0.3,
    "weight_dropout": 0.2,
}
SHORTHAND = [
    (make, arguments)
    for make, of_it in {
        LSTM: [
            {},
            {"dropout": 0.3},
            {"output_dropout": 0.3},
            {"recurrent_dropout": 0.3},
            {"weight_dropout": 0.3},
            {"dropout": 0.3, "tied_masks": False},
            {"dropout": 0.3, "recurrent_dropout": 0.4, "tied_masks": False},
            {"recurrent_dropout": 0.4, "tied_masks": False, "layer_norm": True},
            {"zoneout_hidden": 0.3},
            {"zoneout_cell": 0.3},
            {**ALL, "zoneout_cell": 0.2},
            {**ALL, "zoneout_cell": 0.2, "layer_norm": True},
        ],
        GRU: [
            {},
            {"dropout": 0.3, "output_dropout": 0.3, "weight_dropout": 0.3},
            {"recurrent_dropout": 0.3},
            {"recurrent_dropout": 0.3, "reset_after": False},
            {"dropout": 0.3, "recurrent_dropout": 0.4, "tied_masks": False},
            {**ALL, "tied_masks": False, "reset_after": False},
            {**ALL, "tied_masks": False, "layer_norm": True},
            {**ALL, "tied_masks": False, "layer_norm": True, "reset_after": False},
            ALL,
        ],
        VanillaRNN: [{}, {"weight_dropout": 0.3}, ALL, {**ALL, "layer_norm": True}],
    }.items()
    for arguments in of_it
]
STEPS = {
    VanillaRNN: reference.vanilla_step,
    LSTM: reference.lstm_step,
    GRU: reference.gru_step,
}


@pytest.mark.parametrize(
    ("make", "arguments", "run", "padding"),
    [
        (make, arguments, run, padding)
        for make, arguments in SHORTHAND
        for run in ({}, {"unroll": True}, {"go_backwards": True})
        for padding in ("none", "holes")
        # Shorthand by shorthand forwards, and the richest and the barest otherwise.
        if not run or arguments == {} or arguments.items() >= ALL.items()
    ],
    ids=lambda value: " ".join(value) or "none" if isinstance(value, dict) else None,
)
def test_shorthand(make, arguments, run, padding):
    layer = make(UNITS, return_sequences=True, return_state=True, **arguments, **run)
    layer.build(sequences().shape)
    randomise(layer)
    resets_before = not arguments.get("reset_after", True)
    step = reference.gru_reset_before_step if resets_before else STEPS[make]
    assert_equals_reference(layer, step, PADDINGS[padding])


def test_weight_drop_of_several_weights_within_other_wrappers():
    cell = WeightDrop(WeightDrop(LSTMCell(UNITS), 0.5), 0.3, ("kernel",))
    layer = RNN(Zoneout(cell, 0.2, 0.3), return_sequences=True, return_state=True)
    layer.build(sequences().shape)
    randomise(layer)
    assert_equals_reference(layer, reference.lstm_step, PADDINGS["holes"])


@pytest.mark.parametrize("padding", ["none", "right"])
def test_initial_state_is_zoned_out_like_any_other(padding):
    layer = LSTM(
        UNITS,
        zoneout_hidden=0.4,
        zoneout_cell=0.4,
        return_sequences=True,
        return_state=True,
    )
    layer.build(sequences().shape)
    randomise(layer)
    initial = [sequences(seed, (BATCH, UNITS)) for seed in (1, 2)]
    x = sequences()
    recorded = record_noise(layer)
    _, *states = layer(x, initial_state=initial, mask=PADDINGS[padding], training=True)
    _, expected = reference.run(
        reference.lstm_step,
        layer.get_weights(),
        x,
        initial,
        masks_of(recorded[0]),
        padding=PADDINGS[padding],
    )
    for state, expected_state in zip(states, expected, strict=True):
        np.testing.assert_allclose(to_numpy(state), expected_state, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("cell", "padding"),
    [
        *((cell, "holes") for cell in CELLS),
        *(("lstm", padding) for padding in PADDINGS),
    ],
)
def test_zoneout_at_inference_is_the_expectation(cell, padding):
    make_cell, step = CELLS[cell]
    cell = make_cell(UNITS)
    rates = zoneout_rates(cell)
    layer = RNN(Zoneout(cell, *rates), return_sequences=True)
    layer.build(sequences().shape)
    randomise(layer)
    expected, _ = reference.run(
        step,
        layer.get_weights(),
        sequences(),
        zeros(cell),
        reference.Masks(hidden=rates[0] or None, cell=rates[1] or None),
        padding=PADDINGS[padding],
    )
    np.testing.assert_allclose(
        to_numpy(layer(sequences(), mask=PADDINGS[padding])),
        expected,
        atol=1e-5,
        rtol=0,
    )


@pytest.mark.parametrize("rank", [None, 2])
def test_mogrifier(rank):
    layer = RNN(Mogrifier(LSTMCell(UNITS), rounds=3, rank=rank), return_sequences=True)
    layer.build(sequences().shape)
    randomise(layer)
    weights = layer.get_weights()
    if rank:
        weights = [weights[n] @ weights[n + 1] for n in (0, 2, 4)] + weights[6:]
    expected, _ = reference.run(
        reference.mogrified_lstm_step,
        weights,
        sequences(),
        zeros(layer.cell),
        reference.Masks(),
        padding=PADDINGS["holes"],
    )
    outputs = to_numpy(layer(sequences(), mask=PADDINGS["holes"], training=True))
    np.testing.assert_allclose(outputs, expected, atol=1e-5, rtol=0)


# Keras's LSTM cell adds its bias by an operation that refuses such a batch.
@pytest.mark.parametrize("cell", sorted(CELLS.keys() - {"keras lstm"}))
def test_a_batch_without_rows_has_outputs_without_rows(cell):
    layer = RNN(CELLS[cell][0](UNITS), return_sequences=True)
    assert layer(sequences()[:0]).shape == (0, *sequences().shape[1:2], UNITS)


def test_chunks_of_matrix_memories_are_the_steps(monkeypatch):
    monkeypatch.setattr(MLSTMCell, "chunk", 3)
    layer = RNN(MLSTMCell(UNITS, heads=2), return_sequences=True, return_state=True)
    layer.build(sequences().shape)
    randomise(layer)
    initial = [
        0.3 * np.abs(sequences(n, s)) for n, s in enumerate([(5, 8), (5, 4), (5, 2)])
    ]
    for states in (None, initial):
        chunks = layer(sequences(), initial_state=states)
        with monkeypatch.context() as without:
            without.delattr(MLSTMCell, "all_steps")
            steps = layer(sequences(), initial_state=states)
        for chunk, step in zip(chunks, steps, strict=True):
            np.testing.assert_allclose(to_numpy(chunk), to_numpy(step), atol=2e-5)


@pytest.mark.parametrize("zoneout", [0.0, 0.1])
def test_a_long_memory_is_kept_in_mixed_precision(zoneout):
    inputs = 0.3 + sequences(shape=(2, 400, FEATURES))
    whole, mixed = (
        RGLRU(UNITS, zoneout_hidden=zoneout, return_state=True, dtype=dtype)
        for dtype in ("float32", "mixed_bfloat16")
    )
    for layer in (whole, mixed):
        layer.build(inputs.shape)
    whole.plain_cell.decay.assign(np.full(UNITS, 9.0))
    mixed.set_weights(whole.get_weights())
    expected = to_numpy(whole(inputs)[0])
    for found in mixed(inputs):
        assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
        found = to_numpy(keras.ops.cast(found, "float32"))
        assert np.abs(found - expected).max() < 0.03 * np.abs(expected).max()


def test_variational_dropout_at_inference_does_nothing():
    regularised = LSTM(UNITS, dropout=0.3, recurrent_dropout=0.4, output_dropout=0.2)
    plain = keras.layers.LSTM(UNITS)
    regularised.build(sequences().shape)
    plain.build(sequences().shape)
    randomise(regularised)
    plain.set_weights(regularised.get_weights())
    np.testing.assert_allclose(
        to_numpy(regularised(sequences())), to_numpy(plain(sequences())), atol=1e-6
    )


def test_stack_of_regularised_cells():
    cells = [
        Zoneout(VariationalDropout(keras.layers.LSTMCell(UNITS), 0.2, 0.3), 0.3),
        Zoneout(VariationalDropout(WeightDrop(GRUCell(UNITS), 0.4), 0.2, 0.3), 0.3),
        WeightDrop(LSTMCell(UNITS), 0.4),
    ]
    layer = RNN(cells, return_sequences=True)
    layer.build(sequences().shape)
    randomise(layer)
    recorded = record_noise(layer)
    outputs = layer(sequences(), training=True)

    noise, weights = recorded[0], layer.get_weights()
    assert len(noise) == 6
    expected = sequences()
    for cell, step, of_cell in zip(
        cells,
        (reference.lstm_step, reference.gru_step, reference.lstm_step),
        (noise[:2], noise[2:5], noise[5:]),
        strict=True,
    ):
        expected, _ = reference.run(
            step, weights[:3], expected, zeros(cell), masks_of(of_cell)
        )
        weights = weights[3:]
    np.testing.assert_allclose(to_numpy(outputs), expected, atol=1e-5, rtol=0)
