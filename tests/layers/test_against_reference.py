"""Forward, with the very masks drawn, against the papers' equations in NumPy."""

import keras
import numpy as np
import pytest

from recurra.layers import LSTM, RNN, VanillaRNN, VariationalDropout, Zoneout

from . import reference
from .cases import (
    BATCH,
    CELLS,
    PADDINGS,
    UNITS,
    has_cell_state,
    masks_of,
    randomise,
    record_noise,
    sequences,
    to_numpy,
    zeros,
)


def zoned_out(cell):
    return Zoneout(cell, 0.3, 0.4 if has_cell_state(cell) else 0.0)


def dropped_out(cell):
    return VariationalDropout(cell, 0.3, 0.4, 0.2)


def dropped_and_zoned_out(cell):
    inner = zoned_out(VariationalDropout(cell, 0.3, 0.4))
    return VariationalDropout(inner, output_dropout=0.2)


REGULARISED = {
    "bare": lambda cell: cell,
    "zoneout": zoned_out,
    "variational": dropped_out,
    "both": dropped_and_zoned_out,
}


def assert_equals_reference(layer, step, padding, initial_states=None):
    """One call in training mode, all outputs and last states, against the loop."""
    x = sequences()
    recorded = record_noise(layer)
    arguments = {} if initial_states is None else {"initial_state": initial_states}
    outputs, *states = layer(x, mask=padding, training=True, **arguments)

    expected, expected_states = reference.run(
        step,
        [np.asarray(w, "float64") for w in layer.get_weights()],
        x.astype("float64"),
        zeros(layer.cell) if initial_states is None else initial_states,
        masks_of(recorded[0]) if recorded else reference.Masks(),
        padding=padding,
        backwards=layer.go_backwards,
    )
    np.testing.assert_allclose(to_numpy(outputs), expected, atol=1e-5, rtol=0)
    for state, expected_state in zip(states, expected_states, strict=True):
        np.testing.assert_allclose(to_numpy(state), expected_state, atol=1e-5, rtol=0)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("regularised", REGULARISED)
@pytest.mark.parametrize("cell", CELLS)
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


@pytest.mark.parametrize("run", [{}, {"unroll": True}, {"go_backwards": True}])
@pytest.mark.parametrize("padding", ["none", "holes"])
@pytest.mark.parametrize(
    "rates",
    [
        {},
        {"dropout": 0.3},
        {"output_dropout": 0.3},
        {"recurrent_dropout": 0.3},
        {"dropout": 0.3, "tied_masks": False},
        {"dropout": 0.3, "recurrent_dropout": 0.4, "tied_masks": False},
        {"zoneout_hidden": 0.3},
        {"zoneout_cell": 0.3},
        {
            "dropout": 0.2,
            "recurrent_dropout": 0.3,
            "output_dropout": 0.4,
            "zoneout_hidden": 0.3,
            "zoneout_cell": 0.2,
        },
    ],
    ids=lambda rates: " ".join(rates) or "none",
)
def test_lstm_shorthand(rates, padding, run):
    layer = LSTM(UNITS, return_sequences=True, return_state=True, **rates, **run)
    layer.build(sequences().shape)
    randomise(layer)
    assert_equals_reference(layer, reference.lstm_step, PADDINGS[padding])


def test_vanilla_shorthand():
    layer = VanillaRNN(
        UNITS,
        dropout=0.2,
        recurrent_dropout=0.3,
        output_dropout=0.4,
        zoneout_hidden=0.3,
        return_sequences=True,
        return_state=True,
    )
    layer.build(sequences().shape)
    randomise(layer)
    assert_equals_reference(layer, reference.vanilla_step, PADDINGS["holes"])


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


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("cell", CELLS)
def test_zoneout_at_inference_is_the_expectation(cell, padding):
    make_cell, step = CELLS[cell]
    cell = make_cell(UNITS)
    rates = (0.3, 0.4 if has_cell_state(cell) else 0.0)
    layer = RNN(Zoneout(cell, *rates), return_sequences=True)
    layer.build(sequences().shape)
    randomise(layer)
    expected, _ = reference.run(
        step,
        layer.get_weights(),
        sequences(),
        zeros(cell),
        reference.Masks(hidden=rates[0], cell=rates[1] or None),
        padding=PADDINGS[padding],
    )
    np.testing.assert_allclose(
        to_numpy(layer(sequences(), mask=PADDINGS[padding])),
        expected,
        atol=1e-5,
        rtol=0,
    )


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
        Zoneout(VariationalDropout(make(UNITS), 0.2, 0.3, tied_masks=True), 0.3)
        for make in (keras.layers.LSTMCell, keras.layers.GRUCell)
    ]
    layer = RNN(cells, return_sequences=True)
    layer.build(sequences().shape)
    randomise(layer)
    recorded = record_noise(layer)
    outputs = layer(sequences(), training=True)

    noise = recorded[0]
    assert len(noise) == 4
    weights = layer.get_weights()
    below, _ = reference.run(
        reference.lstm_step,
        weights[:3],
        sequences(),
        zeros(cells[0]),
        masks_of(noise[:2]),
    )
    expected, _ = reference.run(
        reference.gru_step, weights[3:], below, zeros(cells[1]), masks_of(noise[2:])
    )
    np.testing.assert_allclose(to_numpy(outputs), expected, atol=1e-5, rtol=0)
