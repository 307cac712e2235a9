"""Gradients by the backend against numerical differences of the NumPy loops."""

import keras
import numpy as np
import pytest

from recurra.layers import GRU, LSTM, RNN

from . import reference
from .cases import (
    CELLS,
    FEATURES,
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


def gradients(layer, x, padding, direction):
    """Of sum(outputs * direction), in training mode, by inputs and weights."""

    direction = keras.ops.convert_to_tensor(direction)

    def loss_of(outputs):
        return keras.ops.sum(outputs * direction)

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = loss_of(layer(x, mask=padding, training=True))
        found = tape.gradient(loss, [x, *(w.value for w in layer.trainable_weights)])
    elif keras.backend.backend() == "jax":
        import jax

        fixed = [variable.value for variable in layer.non_trainable_variables]

        def loss(x, weights):
            outputs, _ = layer.stateless_call(
                weights, fixed, x, mask=padding, training=True
            )
            return loss_of(outputs)

        of_x, of_weights = jax.grad(loss, argnums=(0, 1))(
            x, [weight.value for weight in layer.trainable_weights]
        )
        found = [of_x, *of_weights]
    else:
        x = keras.ops.convert_to_tensor(x).requires_grad_()
        loss_of(layer(x, mask=padding, training=True)).backward()
        found = [x.grad, *(weight.value.grad for weight in layer.trainable_weights)]
    return [to_numpy(gradient) for gradient in found]


def numerical_gradients(loss, arrays, step=1e-6):
    found = []
    for array in arrays:
        gradient = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            kept = array[index]
            array[index] = kept + step
            above = loss()
            array[index] = kept - step
            below = loss()
            array[index] = kept
            gradient[index] = (above - below) / (2 * step)
        found.append(gradient)
    return found


@pytest.mark.parametrize(
    ("cell", "regularised", "padding"),
    [
        *((cell, "all", "holes") for cell in CELLS),
        *(
            (cell, regularised, padding)
            for cell in ("vanilla", "lstm", "gru")
            for regularised in ("bare", "weight drop", "variational")
            for padding in ("none", "holes")
        ),
    ],
)
def test_gradients(cell, regularised, padding):
    make_cell, step = CELLS[cell]
    padding = PADDINGS[padding]
    layer = RNN(REGULARISED[regularised](make_cell(UNITS)), return_sequences=True)
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
    assert expected[0].shape[-1] == FEATURES
    for gradient, numerical in zip(found, expected, strict=True):
        np.testing.assert_allclose(gradient, numerical, atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize(
    ("make", "step"),
    [(LSTM, reference.lstm_step), (GRU, reference.gru_step)],
)
def test_untied_gradients(make, step):
    layer = make(
        UNITS,
        dropout=0.3,
        recurrent_dropout=0.4,
        tied_masks=False,
        return_sequences=True,
    )
    layer.build(sequences().shape)
    randomise(layer)
    noise = layer.draw_noise(len(sequences()), TIME)
    layer.draw_noise = lambda *_: noise
    direction = sequences(3, (len(sequences()), TIME, UNITS))
    x, *weights = (
        np.asarray(array, "float64") for array in (sequences(), *layer.get_weights())
    )

    def loss():
        outputs, _ = reference.run(step, weights, x, zeros(layer.cell), masks_of(noise))
        return np.sum(outputs * direction)

    expected = numerical_gradients(loss, [x, *weights])
    found = gradients(layer, sequences(), None, direction)
    for gradient, numerical in zip(found, expected, strict=True):
        np.testing.assert_allclose(gradient, numerical, atol=2e-4, rtol=2e-4)
