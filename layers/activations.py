"""The activations of a cell: whether they are bounded, and whether the default ones."""

from __future__ import annotations

from typing import Any

import keras

_BOUNDED = (
    keras.activations.hard_sigmoid,
    keras.activations.hard_tanh,
    keras.activations.sigmoid,
    keras.activations.softsign,
    keras.activations.softmax,
    keras.activations.tanh,
)


def are_bounded(cell: Any) -> bool:
    """Whether no value of the cell's activations exceeds a fixed bound."""
    return (
        cell.activation in _BOUNDED
        and getattr(cell, "recurrent_activation", cell.activation) in _BOUNDED
    )


def are_default(cell: Any) -> bool:
    """Whether the activation is tanh, and that of the gates, if any, the sigmoid."""
    sigmoid = keras.activations.sigmoid
    return (
        cell.activation is keras.activations.tanh
        and getattr(cell, "recurrent_activation", sigmoid) is sigmoid
    )
