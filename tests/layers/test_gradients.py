"""Gradients by the backend against numerical differences of the NumPy loops.

Of the cells without a reference of backpropagation through time in NumPy.
"""

import numpy as np
import pytest

from recurra.layers import RNN

from . import reference
from .cases import (
    CELLS,
    PADDINGS,
    REGULARISED,
    TIME,
    UNITS,
    masks_of,
    randomise,
    sequences,
    zeros,
)
from .differentiation import gradients, numerical_gradients

REFERENCE_IN_NUMPY = ("vanilla", "lstm", "gru", "gru, reset before")


@pytest.mark.parametrize("cell", [c for c in CELLS if c not in REFERENCE_IN_NUMPY])
def test_gradients(cell):
    make_cell, step = CELLS[cell]
    padding = PADDINGS["holes"]
    layer = RNN(REGULARISED["all"](make_cell(UNITS)), return_sequences=True)
    layer.build(sequences().shape)
    randomise(layer)
    noise = layer.draw_noise(len(sequences()), TIME)
    layer.draw_noise = lambda *_: noise
    direction = sequences(3, (len(sequences()), TIME, UNITS))

    x, *weights = (
        np.asarray(array, "float64") for array in (sequences(), *layer.get_weights())
    )
    masks, initial = masks_of(noise), zeros(layer.cell)

    def loss():
        outputs, _ = reference.run(step, weights, x, initial, masks, padding=padding)
        return np.sum(outputs * direction)

    expected = numerical_gradients(loss, [x, *weights])
    found = gradients(layer, sequences(), padding, direction)
    for gradient, numerical in zip(found, expected, strict=True):
        np.testing.assert_allclose(gradient, numerical, atol=2e-4, rtol=2e-4)
