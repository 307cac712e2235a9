"""Gradients by the backend against numerical differences of the NumPy loops.

Of the cells without a reference of backpropagation through time in NumPy.
"""

import numpy as np
import pytest

from recurra.layers import RNN, MLSTMCell

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
    to_numpy,
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


@pytest.mark.parametrize("by_chunks", [True, False])
@pytest.mark.parametrize(("dtype", "bias"), [("float32", -100), ("float16", -14)])
def test_of_a_matrix_memory_whose_input_gate_is_shut(
    monkeypatch, dtype, bias, by_chunks
):
    if not by_chunks:
        monkeypatch.delattr(MLSTMCell, "all_steps")
    layer = RNN(MLSTMCell(UNITS, heads=2, dtype=dtype), dtype=dtype)
    layer.build(sequences().shape)
    layer.cell.gate_bias.assign([bias, bias, 0, 0])
    inputs = sequences().astype(dtype)
    np.testing.assert_allclose(to_numpy(layer(inputs)), 0, atol=1e-4)
    for gradient in gradients(layer, inputs, None, np.ones(1, dtype)):
        assert np.isfinite(gradient).all()
