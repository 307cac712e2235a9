"""What the gates of a cell read: products with a kernel, through masks."""

from __future__ import annotations

from keras import ops

from .regulariser import Tensor


def read_by_gates(values: Tensor, mask: Tensor | None, kernel: Tensor) -> Tensor:
    """`(batch, gates * units)`: what each gate reads of values through its mask.

    `mask` is `(batch, features)`, the same for all gates, or `(batch, gates,
    features)`, or `None`; `kernel` holds the gates' columns side by side.

    Example:

    >>> import keras
    >>> from recurra.layers import read_by_gates
    >>> values, kernel = keras.ops.ones((2, 3)), keras.ops.ones((3, 8))
    >>> keras.ops.shape(read_by_gates(values, keras.ops.zeros((2, 4, 3)), kernel))
    (2, 8)
    """
    if mask is None:
        return ops.matmul(values, kernel)
    if len(mask.shape) == 2:
        return ops.matmul(values * mask, kernel)
    return ops.concatenate(
        [
            ops.matmul(values * mask[:, gate], kernel_of_gate)
            for gate, kernel_of_gate in enumerate(
                ops.split(kernel, mask.shape[1], axis=-1)
            )
        ],
        axis=-1,
    )
