"""What the gates of a cell read: products with a kernel, through masks."""

from __future__ import annotations

from keras import ops

from .regulariser import Tensor


def read_by_gates(values: Tensor, mask: Tensor | None, kernel: Tensor) -> Tensor:
    """`(batch, gates * units)`: what each gate reads of values through its mask.

    `mask` is `(batch, features)`, the same for all gates, or `(batch, gates,
    features)`, or `None`; `kernel` holds the gates' columns side by side.
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
