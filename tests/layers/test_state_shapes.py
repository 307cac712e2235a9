"""Regularisers of cells whose states have more than one dimension."""

import keras
import numpy as np
import pytest
from keras import ops

from recurra.layers import (
    RNN,
    FeedForwardDropout,
    TemporalSkip,
    VariationalDropout,
    WeightDrop,
    Zoneout,
)

from .cases import masks_of, record_noise, sequences, to_numpy

SIZE = 3


class MatrixCell(keras.layers.Layer):
    """Counts, in a square matrix, which its `state_size` could take for two states."""

    state_size = output_size = (SIZE, SIZE)

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, SIZE, SIZE))]

    def call(self, inputs, states):
        new = states[0] + 1 + inputs
        return new, [new]


@pytest.mark.parametrize("batch", [1, 2, SIZE])
def test_every_element_has_its_own_mask(batch):
    cell = VariationalDropout(MatrixCell(), 0.3, 0.4)
    layer = RNN(Zoneout(cell, 0.5), return_sequences=True, seed=1)
    recorded = record_noise(layer)
    x = sequences(shape=(batch, 4, SIZE, SIZE))
    outputs = layer(x, training=True)
    masks = masks_of(recorded[0])
    state = np.zeros((batch, SIZE, SIZE))
    for t in range(4):
        new = state * masks.state + 1 + x[:, t] * masks.input
        state = np.where(masks.hidden[:, t], state, new)
        np.testing.assert_allclose(to_numpy(outputs)[:, t], state, atol=1e-5)
    assert layer.compute_output_shape(x.shape) == tuple(outputs.shape)


@pytest.mark.parametrize("padded", [False, True])
def test_convolutional_cell(padded):
    cell = keras.layers.ConvLSTM2D(2, 3, padding="same").cell
    cell = FeedForwardDropout(WeightDrop(cell, 0.2), 0.1)
    cell = VariationalDropout(Zoneout(cell, 0.3, 0.2), output_dropout=0.2)
    layer = RNN(cell, return_sequences=True, return_state=True)
    x = sequences(shape=(2, 3, 4, 5, 2))
    mask = np.array([[True] * 3, [True, False, True]]) if padded else None
    outputs, *states = layer(x, mask=mask, training=True)
    assert tuple(outputs.shape) == (2, 3, 4, 5, 2)
    assert [tuple(state.shape) for state in states] == [(2, 4, 5, 2)] * 2
    assert layer.compute_output_shape(x.shape)[0] == tuple(outputs.shape)
    if padded:
        of_padded, *states = layer(x, mask=mask)
        of_real, *of_real_steps = layer(x[1:, [0, 2]])
        for state, expected in zip(states, of_real_steps, strict=True):
            np.testing.assert_allclose(
                to_numpy(state)[1:], to_numpy(expected), atol=1e-5
            )
        held = to_numpy(of_real)[0, [0, 0, 1]]
        np.testing.assert_allclose(to_numpy(of_padded)[1], held, atol=1e-5)


def test_what_is_refused():
    with pytest.raises(ValueError, match="zoneout_cell"):
        Zoneout(MatrixCell(), zoneout_cell=0.5)
    with pytest.raises(ValueError, match="more dimensions"):
        TemporalSkip(MatrixCell(), steps=2)
