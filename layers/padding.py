"""Padded sequences with their real steps first, so that a loop needs no mask.

A loop that looks at a mask chooses between the old and the new state at every step.
Where the real steps of a sequence come first, it may run on past the last of them: what
comes out there is never read.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from .activations import are_bounded
from .regulariser import Tensor, answer_of, innermost_cell, wrappers_of

# The cells of Keras that are bounded like ours. Not its GRUCell, whose state a mask on
# it may scale up at each step.
_CELLS_OF_KERAS = (keras.layers.LSTMCell, keras.layers.SimpleRNNCell)


def may_run_past_padding(cell: Any) -> bool:
    """Whether steps after the last real one do no harm to those before.

    Nobody reads what they compute. But if it were infinite or not a number, its
    gradient would be so too, even times zero. So the states of the cell must be
    bounded, or grow no faster than the cell state of an LSTM, by a bounded number a
    step. This must hold for all bounded inputs, and also where a mask scales up the
    hidden state at each step, unless the cell applies that mask itself
    (`takes_tied_masks`). A cell answers by `has_bounded_states`, a regulariser by
    `keeps_states_bounded`; without an answer the steps do not run on.
    """
    inner = innermost_cell(cell)
    has_bounded_states = (
        are_bounded(inner)
        if type(inner) in _CELLS_OF_KERAS
        else answer_of(inner, "has_bounded_states")
    )
    return bool(has_bounded_states) and all(
        answer_of(wrapper, "keeps_states_bounded") for wrapper in wrappers_of(cell)
    )


class Padding:
    """The padding of one batch, and the way to a batch with the real steps first.

    Args:
        mask: Boolean `(batch, time)`, false at padded steps, in any places.
        go_backwards: Whether the loop runs from the last step to the first.
    """

    def __init__(self, mask: Tensor, go_backwards: bool) -> None:
        self.go_backwards = go_backwards
        real = ops.cast(mask, "int32")
        if go_backwards:
            real = ops.flip(real, axis=1)
        self._is_real = real
        # Of each step, in the order in which the loop runs, the number of real steps
        # up to it.
        self._count = ops.cumsum(real, axis=1)
        timesteps = ops.shape(real)[1]
        later = ops.arange(timesteps) + timesteps * (1 - real)
        self._real_steps = ops.argsort(later, axis=1)

    def real_steps_first(self, values: Tensor) -> Tensor:
        """Of `(batch, time, ...)` the real steps in the order in which to run them.

        After them the last real one again and again. A row without any real step
        repeats a real step of another row.
        """
        in_order = ops.flip(values, axis=1) if self.go_backwards else values
        batch, timesteps = ops.shape(self._count)
        steps = ops.expand_dims(ops.arange(timesteps), 0)
        last = self._count[:, -1:] - 1
        first = ops.take_along_axis(
            self._real_steps, ops.minimum(steps, ops.maximum(last, 0)), axis=1
        )
        rows_in_order = _rows(steps, batch, timesteps)
        rows = _rows(first, batch, timesteps)
        # A row without any real step has nothing to repeat but padding, which may be
        # what no number can be multiplied with, such as NaN. Any other step will do.
        real = ops.max(ops.where(self._is_real > 0, rows_in_order, 0), initial=0)
        rows = ops.where(last < 0, real, rows)
        is_bool = keras.backend.standardize_dtype(in_order.dtype) == "bool"
        # JAX differentiates forwards too (`jax.jvp`), which a gradient of one's own
        # would forbid.
        if is_bool or keras.backend.backend() == "jax":
            return _take(in_order, rows)

        @ops.custom_gradient
        def moved(in_order: Tensor) -> Any:
            def gradient(*residuals: Tensor, upstream: Tensor = None) -> Tensor:
                if upstream is None:
                    (upstream,) = residuals
                # Nothing comes back from the steps after the last real one.
                return self.held(upstream, zero_at_padding=True)

            return _take(in_order, rows), gradient

        return moved(in_order)

    def held(self, outputs: Tensor, zero_at_padding: bool = False) -> Tensor:
        """What stood first in `(batch, time, ...)` back in the order of the loop.

        A padded step holds what the step before it has, zeros before the first real
        step; with `zero_at_padding` always zeros.
        """
        rows = _rows(ops.maximum(self._count - 1, 0), *ops.shape(self._count))
        held = _take(outputs, rows)
        filled = self._is_real > 0 if zero_at_padding else self._count > 0
        axes = (*ops.shape(filled), *[1] * (held.ndim - 2))
        return ops.where(ops.reshape(filled, axes), held, ops.zeros_like(held))

    def at_last_real_step(self, values: Tensor, otherwise: Tensor) -> Tensor:
        """`(batch, units)`, and `otherwise` in rows that have no real step."""
        last = self._count[:, -1:] - 1
        rows = _rows(ops.maximum(last, 0), *ops.shape(self._count))
        return ops.where(last < 0, otherwise, _take(values, rows)[:, 0])


def _rows(steps: Tensor, batch: Any, timesteps: Any) -> Tensor:
    """Where steps `(batch, n)` stand when all sequences stand one after the other."""
    return steps + ops.expand_dims(ops.arange(batch) * timesteps, 1)


def _take(values: Tensor, rows: Tensor) -> Tensor:
    """`(batch, n, ...)`: of `(batch, time, ...)` the rows of `_rows`."""
    batch, timesteps, *rest = ops.shape(values)
    flat = ops.reshape(values, (batch * timesteps, *rest))
    taken = ops.take(flat, ops.reshape(rows, (-1,)), axis=0)
    return ops.reshape(taken, (*ops.shape(rows), *rest))
