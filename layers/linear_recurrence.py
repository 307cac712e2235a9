"""The recurrence that is linear in its state, over all steps."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from .backpropagation import scan, stacked, time_first
from .regulariser import Tensor


def linear_recurrence(decays: Tensor, inputs: Tensor, initial_state: Tensor) -> Tensor:
    """All states of h_t = a_t * h_{t-1} + b_t, element by element.

    Its gradient is such a recurrence from the last step to the first,

        d_t = dL/dh_t + a_{t+1} * d_{t+1}    dL/db_t = d_t    dL/da_t = d_t * h_{t-1}

    so that either way a step is one product and one sum. JAX takes its own gradient of
    the same loop, so that it can differentiate it forwards too.

    Args:
        decays: a, `(batch, time, units)`.
        inputs: b, `(batch, time, units)`.
        initial_state: h_0, `(batch, units)`.

    Returns:
        h, `(batch, time, units)`.

    Example:

    >>> import keras
    >>> from recurra.layers import linear_recurrence
    >>> ones = keras.ops.ones((1, 3, 1))
    >>> states = linear_recurrence(0.5 * ones, ones, keras.ops.zeros((1, 1)))
    >>> [float(state) for state in states[0, :, 0]]
    [1.0, 1.5, 1.75]
    """
    arguments = (time_first(decays), time_first(inputs), initial_state)
    if keras.backend.backend() == "jax":
        return time_first(_states(*arguments))

    @ops.custom_gradient
    def recurrence(decays: Tensor, inputs: Tensor, initial_state: Tensor) -> Any:
        states = _states(decays, inputs, initial_state)

        def gradient(*residuals: Tensor, upstream: Tensor = None) -> Any:
            if upstream is None:
                (upstream,) = residuals
            later = ops.concatenate([decays[1:], ops.zeros_like(decays[:1])], axis=0)
            nothing = ops.zeros_like(initial_state)
            of_inputs = _states(later, upstream, nothing, reverse=True)
            previous = ops.concatenate([initial_state[None], states[:-1]], axis=0)
            return of_inputs * previous, of_inputs, decays[0] * of_inputs[0]

        return states, gradient

    return time_first(recurrence(*arguments))


def _states(
    decays: Tensor, inputs: Tensor, initial_state: Tensor, reverse: bool = False
) -> Tensor:
    """The same with time as first axis, and on request from the last step on."""

    def step(carry: list[Tensor], of_step: list[Tensor]) -> Any:
        state = of_step[0] * carry[0] + of_step[1]
        return [state], [state]

    _, (states,) = scan(step, [initial_state], [decays, inputs], reverse=reverse)
    return stacked(states)
