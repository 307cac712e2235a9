"""Layer normalisation of the summed inputs within a cell."""

from __future__ import annotations

import keras
from keras import ops

from .regulariser import Tensor

# That of the code which Ba et al. published, added to the variance.
EPSILON = 1e-5


def normalised(
    values: Tensor, gain: keras.Variable, bias: keras.Variable | None = None
) -> Tensor:
    """`(values - mean) / sqrt(variance + EPSILON) * gain + bias` over the last axis.

    Computed in float32 at least, whatever the dtype of the values. Where all values are
    equal, as those of an input that dropout has taken whole, the gradient has the
    factor `1 / sqrt(EPSILON)`, 316: where few features are dropped out, clip gradients.
    """
    # As tensors, since a variable changes its dtype within an autocast scope.
    return ops.layer_normalization(
        values,
        ops.convert_to_tensor(gain),
        None if bias is None else ops.convert_to_tensor(bias),
        epsilon=EPSILON,
    )


def add_gain(cell: keras.layers.Layer, name: str, size: int) -> keras.Variable:
    """A new weight of the cell that starts from one."""
    return cell.add_weight(shape=(size,), name=f"{name}_gain", initializer="ones")


def add_gain_and_bias(
    cell: keras.layers.Layer, name: str, size: int
) -> tuple[keras.Variable, keras.Variable]:
    """Two new weights of the cell, which start from one and from zero."""
    gain = add_gain(cell, name, size)
    bias = cell.add_weight(shape=(size,), name=f"{name}_bias", initializer="zeros")
    return gain, bias
