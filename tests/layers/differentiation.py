"""Gradients of a layer by the backend, and of a NumPy loop by numerical differences."""

import keras
import numpy as np

from .cases import BATCH, TIME, UNITS, sequences, to_numpy


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

        def loss(x, weights):
            # Not by `stateless_call`, which leaves out what Keras does around a call,
            # such as casts.
            values = zip(layer.trainable_variables, weights, strict=True)
            with keras.StatelessScope(state_mapping=list(values)):
                return loss_of(layer(x, mask=padding, training=True))

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
    """Of the number that `loss()` gives, by each of the arrays that it reads."""
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


def results(layer, padding):
    """Outputs, states and gradients of one call in training mode."""
    parts = layer(sequences(), mask=padding, training=True)
    direction = sequences(3, (BATCH, TIME, UNITS))

    class AllOutputs(keras.layers.Layer):
        """So that the gradient enters by the outputs and by every last state."""

        def __init__(self):
            super().__init__()
            self.layer = layer
            self.built = self.supports_masking = True

        def call(self, x, mask=None, training=False):
            outputs, *states = self.layer(x, mask=mask, training=training)
            return outputs + sum(
                keras.ops.sum(
                    state * keras.ops.arange(1, state.shape[-1] + 1, dtype=state.dtype),
                    axis=-1,
                    keepdims=True,
                )[:, None]
                * (number + 1)
                for number, state in enumerate(states)
            )

    for weight in layer.trainable_weights:
        if keras.backend.backend() == "torch":
            weight.value.grad = None
    return [
        *(to_numpy(part) for part in parts),
        *gradients(AllOutputs(), sequences(), padding, direction),
    ]
