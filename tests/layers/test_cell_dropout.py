"""Rates of a cell itself, whose masks the layer that runs it draws."""

import keras
import numpy as np
import pytest

from recurra.layers import (
    RNN,
    GRUCell,
    LSTMCell,
    VanillaRNNCell,
    VariationalDropout,
    Zoneout,
)

from .cases import (
    BATCH,
    TIME,
    UNITS,
    masks_of,
    randomise,
    record_noise,
    sequences,
    to_numpy,
)
from .reference import gru_step, lstm_step, run, vanilla_step

CELLS = [(VanillaRNNCell, vanilla_step), (LSTMCell, lstm_step), (GRUCell, gru_step)]


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize(("make", "step"), CELLS)
def test_masks_are_drawn_by_the_layer(make, step, layer_norm):
    cell = make(
        UNITS, dropout=0.3, recurrent_dropout=0.4, seed=1, layer_norm=layer_norm
    )
    layer = RNN(Zoneout(make.from_config(cell.get_config()), 0.3), seed=2)
    layer.build(sequences().shape)
    randomise(layer)
    recorded = record_noise(layer)
    for _ in range(2):
        outputs = layer(sequences(), training=True)
        states = [np.zeros((BATCH, UNITS))] * len(keras.tree.flatten(cell.state_size))
        masks = masks_of(recorded[-1])
        expected, _ = run(step, layer.get_weights(), sequences(), states, masks)
        np.testing.assert_allclose(to_numpy(outputs), expected[:, -1], atol=1e-5)
    first, second = (masks_of(noise) for noise in recorded)
    assert (first.state != second.state).any()


def test_their_masks_meet_those_of_a_wrapper():
    cell = LSTMCell(UNITS, dropout=0.3, recurrent_dropout=0.4)
    layer = RNN(VariationalDropout(cell, 0.0, 0.4, tied_masks=False), seed=2)
    layer.build(sequences().shape)
    randomise(layer)
    of_wrapper, of_cell = layer.draw_noise(BATCH, TIME)
    layer.draw_noise = lambda *_: [of_wrapper, of_cell]
    both = masks_of([of_cell])
    both.state = both.state[:, None] * to_numpy(of_wrapper.per_sequence["state"])
    expected, _ = run(
        lstm_step,
        layer.get_weights(),
        sequences(),
        [np.zeros((BATCH, UNITS))] * 2,
        both,
    )
    outputs = layer(sequences(), training=True)
    np.testing.assert_allclose(to_numpy(outputs), expected[:, -1], atol=1e-5)


def test_a_layer_that_draws_nothing_is_refused():
    layer = keras.layers.RNN(LSTMCell(UNITS, dropout=0.3))
    layer(sequences())
    with pytest.raises(ValueError, match="draws no noise itself"):
        layer(sequences(), training=True)
