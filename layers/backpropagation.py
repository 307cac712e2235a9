"""Recurrences with backpropagation through time by equations, not by a tape.

Automatic differentiation of a loop forms the gradients of the kernels step by step,
from products as small as the batch. By the equations the loop back carries no more than

    delta_t = dL/da_t    with a_t = x_t U + h_{t-1} W + b, what the gates sum up

and all steps at once give dL/dU = sum_t x_t^T delta_t and dL/dW = sum_t h_{t-1}^T
delta_t as one product each, as they do x_t U before the loop.

Source: Werbos, "Backpropagation Through Time: What It Does and How to Do It", 1990.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops

from .regulariser import (
    CellNoise,
    StepNoise,
    Tensor,
    answer_of,
    innermost_cell,
    wrappers_of,
)

# From how many units on manual backpropagation is faster, by backend: measured by
# benchmarks/layers.py on CPUs. Below, on JAX, the products are cheap beside storing
# what the way back needs. Backends that are missing are never faster.
UNITS_TO_PAY_OFF = {"tensorflow": 1, "jax": 512}


class ManualSteps(Protocol):
    """The equations of a cell's step, forward and backward.

        from_input = x_t U + b    from_state = h_{t-1} W
        h_t, ... = forward(from_input, from_state, [h_{t-1}, ...], *weights)

    A cell with these equations has an attribute `manual_steps`: a class of this form,
    or `None` where its configuration does not fit them. The attribute counts for the
    very class that defines it, since a subclass may step otherwise. The cell has
    weights `kernel` U, `recurrent_kernel` W and `bias` b, which may be `None`, and
    draws no noise. Its states are `(batch, size)` each, the first is the hidden state
    h, and its output is h_t.

    Attributes:
        sums_apart: Whether the gates use `from_input` and `from_state` otherwise than
            by their sum, so that the two have different deltas. Then the bias is
            `(2, ...)`, and `bias[1]` is added to `from_state`.
        reads_state_by_kernel_alone: Whether `forward` leaves h_{t-1} alone, which it
            knows by `from_state`.
        weights: Names of further weights of the cell, which `forward` and `backward`
            get as last arguments. `weight_gradients` gives their gradients.

    Example: h_t = (h_{t-1} + tanh(x_t U + b + h_{t-1} W)) / 2

    >>> from recurra.layers import ManualSteps
    >>> class HalfSteps(ManualSteps):
    ...     sums_apart = False
    ...     reads_state_by_kernel_alone = False
    ...
    ...     @staticmethod
    ...     def forward(from_input, from_state, states):
    ...         candidate = keras.ops.tanh(from_input + from_state)
    ...         return [(states[0] + candidate) / 2], [candidate]
    ...
    ...     @staticmethod
    ...     def backward(gradients, states, saved):
    ...         delta = gradients[0] * (1 - saved[0] ** 2) / 2
    ...         return delta, delta, [gradients[0] / 2]
    >>> import keras
    >>> class HalfCell(keras.layers.SimpleRNNCell):
    ...     manual_steps = HalfSteps
    ...
    ...     def call(self, inputs, states, training=False):
    ...         candidate, _ = super().call(inputs, states)
    ...         state = (states[0] + candidate) / 2
    ...         return state, [state]
    """

    sums_apart: bool
    reads_state_by_kernel_alone: bool
    weights: tuple[str, ...] = ()

    @staticmethod
    def forward(
        from_input: Tensor, from_state: Tensor, states: list[Tensor], *weights: Tensor
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The new states, and what `backward` needs saved, `(batch, ...)` each."""

    @staticmethod
    def backward(
        gradients: list[Tensor],
        states: list[Tensor],
        saved: list[Tensor],
        *weights: Tensor,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The deltas of `from_input` and `from_state`, and the gradients of `states`.

        `gradients` are those of the new states. The gradient of h_{t-1} leaves out
        what passes through the recurrent kernel.
        """

    @staticmethod
    def weight_gradients(
        delta: Tensor,
        gradients: list[Tensor],
        states: list[Tensor],
        saved: list[Tensor],
        *weights: Tensor,
    ) -> list[Tensor]:
        """The gradients of `weights`, from all steps at once, `(time, batch, ...)`.

        `delta` is that of `from_input`; all others are as for `backward`.
        """


class VanillaSteps:
    """h_t = tanh(a_t), hence delta_t = dL/dh_t * (1 - h_t^2)."""

    sums_apart = False
    reads_state_by_kernel_alone = True
    weights = ()

    @staticmethod
    def forward(
        from_input: Tensor, from_state: Tensor, states: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        hidden_state = ops.tanh(from_input + from_state)
        return [hidden_state], [hidden_state]

    @staticmethod
    def backward(
        gradients: list[Tensor], states: list[Tensor], saved: list[Tensor]
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        (of_hidden,), (hidden_state,) = gradients, saved
        delta = through_tanh(of_hidden, hidden_state)
        return delta, delta, [ops.zeros_like(of_hidden)]


class LSTMSteps:
    """c_t = f * c_{t-1} + i * g and h_t = o * tanh(c_t), hence

    dL/dc_t += dL/dh_t * o * (1 - tanh(c_t)^2), delta^i = dL/dc_t * g * i * (1 - i),
    delta^f = dL/dc_t * c_{t-1} * f * (1 - f), delta^c = dL/dc_t * i * (1 - g^2),
    delta^o = dL/dh_t * tanh(c_t) * o * (1 - o), dL/dc_{t-1} = dL/dc_t * f.
    """

    sums_apart = False
    reads_state_by_kernel_alone = True
    weights = ()

    @staticmethod
    def forward(
        from_input: Tensor, from_state: Tensor, states: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        i, f, g, o = ops.split(from_input + from_state, 4, axis=-1)
        i, f, g, o = ops.sigmoid(i), ops.sigmoid(f), ops.tanh(g), ops.sigmoid(o)
        cell_state = f * states[1] + i * g
        squashed = ops.tanh(cell_state)
        return [o * squashed, cell_state], [i, f, g, o]

    @staticmethod
    def backward(
        gradients: list[Tensor], states: list[Tensor], saved: list[Tensor]
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        (of_hidden, of_cell), (i, f, g, o) = gradients, saved
        # To save it takes longer than to compute it again.
        squashed = ops.tanh(f * states[1] + i * g)
        of_cell = of_cell + through_tanh(of_hidden * o, squashed)
        delta = ops.concatenate(
            [
                through_sigmoid(of_cell * g, i),
                through_sigmoid(of_cell * states[1], f),
                through_tanh(of_cell * i, g),
                through_sigmoid(of_hidden * squashed, o),
            ],
            axis=-1,
        )
        return delta, delta, [ops.zeros_like(of_hidden), of_cell * f]


class GRUSteps:
    """h_t = z * h_{t-1} + (1 - z) * g with g = tanh(a^x_g + r * a^h_g), hence

    delta^z = dL/dh_t * (h_{t-1} - g) * z * (1 - z),
    delta^g = dL/dh_t * (1 - z) * (1 - g^2), delta^r = delta^g * a^h_g * r * (1 - r)
    for the sums of the input; of the sum a^h_g of the state, delta^g * r.
    """

    sums_apart = True
    reads_state_by_kernel_alone = False
    weights = ()

    @staticmethod
    def forward(
        from_input: Tensor, from_state: Tensor, states: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        input_z, input_r, input_g = ops.split(from_input, 3, axis=-1)
        state_z, state_r, state_g = ops.split(from_state, 3, axis=-1)
        z, r = ops.sigmoid(input_z + state_z), ops.sigmoid(input_r + state_r)
        g = ops.tanh(input_g + r * state_g)
        hidden_state = z * states[0] + (1 - z) * g
        return [hidden_state], [z, r, g, state_g]

    @staticmethod
    def backward(
        gradients: list[Tensor], states: list[Tensor], saved: list[Tensor]
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        (of_hidden,), (z, r, g, state_g) = gradients, saved
        delta_z = through_sigmoid(of_hidden * (states[0] - g), z)
        delta_g = through_tanh(of_hidden * (1 - z), g)
        delta_r = through_sigmoid(delta_g * state_g, r)
        of_input = ops.concatenate([delta_z, delta_r, delta_g], axis=-1)
        of_state = ops.concatenate([delta_z, delta_r, delta_g * r], axis=-1)
        return of_input, of_state, [of_hidden * z]


class ManualBackpropagation:
    """The recurrence of a regularised cell, with its gradient by the equations.

    Args:
        cell: A cell with `manual_steps`.
        noise: What of the noise around it acts within the steps.
    """

    def __init__(self, cell: Any, noise: StepNoise) -> None:
        self.cell = cell
        self.steps: ManualSteps = cell.manual_steps
        self.noise = noise

    @classmethod
    def if_faster(
        cls, cell: Any, noise: list[CellNoise], dtype: str
    ) -> ManualBackpropagation | None:
        """The recurrence, where it can be run so and is faster; otherwise `None`.

        Args:
            cell: A cell, bare or in regularisers.
            noise: For each regulariser what noise is left for the steps.
            dtype: What the layer computes in. A cell with another one casts at each
                step.
        """
        inner = innermost_cell(cell)
        steps = answer_of(inner, "manual_steps")
        fewest = UNITS_TO_PAY_OFF.get(keras.backend.backend(), float("inf"))
        if (
            steps is None
            or getattr(inner, "makes_noise", False)
            or inner.compute_dtype != dtype
            or keras.tree.flatten(inner.state_size)[0] < fewest
        ):
            return None
        step_noise = _step_noise(cell, noise)
        if step_noise is None:
            return None
        # A mask around such a cell falls on the state that it carries on, too.
        applies_mask = steps.reads_state_by_kernel_alone or getattr(
            inner, "takes_tied_masks", False
        )
        if step_noise.state_mask is not None and not applies_mask:
            return None
        return cls(inner, step_noise)

    def run(
        self, sequences: Tensor, initial_states: list[Tensor], every_state: bool
    ) -> list[Tensor]:
        """The hidden state at each step, `(batch, time, units)`, and with
        `every_state` all further states likewise.

        The steps of a loop wait for each other, those of other rows do not. So where
        TensorFlow has several cores, two halves of the batch have loops of their own.
        """
        number = ops.shape(sequences)[0]
        if not _runs_loops_at_once() or (isinstance(number, int) and number < 2):
            return self._run(sequences, initial_states, every_state)
        halves = [
            self._of_rows(rows)._run(
                sequences[rows], [state[rows] for state in initial_states], every_state
            )
            for rows in (slice(0, number // 2), slice(number // 2, None))
        ]
        return [ops.concatenate(both, axis=0) for both in zip(*halves, strict=True)]

    def _of_rows(self, rows: slice) -> ManualBackpropagation:
        mask, keeps = self.noise
        noise = StepNoise(
            None if mask is None else mask[rows],
            {number: keep[rows] for number, keep in keeps.items()},
        )
        return ManualBackpropagation(self.cell, noise)

    def _run(
        self, sequences: Tensor, initial_states: list[Tensor], every_state: bool
    ) -> list[Tensor]:
        cell = self.cell
        arguments = [time_first(sequences), cell.kernel, cell.recurrent_kernel]
        if cell.bias is not None:
            arguments.append(cell.bias)
        further = [getattr(cell, name) for name in self.steps.weights]
        number = len(initial_states) if every_state else 1
        ends = np.cumsum([state.shape[-1] for state in initial_states[: number - 1]])

        @ops.custom_gradient
        def recurrence(*arguments: Tensor) -> Any:
            sequences, kernel, recurrent_kernel, *others = arguments
            inputs, input_kernel, state_bias = sequences, kernel, None
            if cell.bias is not None:
                bias = others.pop(0)
                if self.steps.sums_apart:
                    bias, state_bias = bias[0], bias[1]
                # As a row of the kernel, which reads 1, the bias takes no pass over the
                # sums and over the deltas of its own.
                ones = ops.ones_like(sequences[..., :1])
                inputs = ops.concatenate([sequences, ones], axis=-1)
                input_kernel = ops.concatenate([kernel, bias[None]], axis=0)
            weights = tuple(others[: len(further)])
            others = others[len(further) :]
            from_input = _product(inputs, input_kernel)

            def forward() -> tuple[list[Tensor], list[Any], list[Any]]:
                return self._forward(
                    from_input, recurrent_kernel, state_bias, others, weights, number
                )

            outputs, previous, saved = forward()
            graph = _graph()

            def gradient(*residuals: Tensor, upstream: Tensor = None) -> Any:
                if upstream is None:
                    (upstream,) = residuals
                before_steps, at_steps = previous, saved
                # Arrays stay in their graph. The gradient of a function, and that of a
                # SavedModel, is a graph of its own.
                if _graph() is not graph:
                    _, before_steps, at_steps = forward()
                of_input, of_state, *of_others = self._backward(
                    parts(upstream),
                    recurrent_kernel,
                    others,
                    weights,
                    before_steps,
                    at_steps,
                )
                of_sequences = _product(of_input, ops.transpose(kernel))
                of_kernel = _sum_of_products(inputs, of_input)
                of_recurrent_kernel = of_others.pop(0)
                if cell.bias is not None:
                    of_bias = of_kernel[-1]
                    if self.steps.sums_apart:
                        of_bias = ops.stack([of_bias, _sum_of_rows(of_state)])
                    of_kernel, of_others = of_kernel[:-1], [of_bias, *of_others]
                return of_sequences, of_kernel, of_recurrent_kernel, *of_others

            # One tensor, as torch takes no more.
            together = outputs[0]
            if number > 1:
                together = ops.concatenate(outputs, axis=-1)
            return together, gradient

        def parts(together: Tensor) -> list[Tensor]:
            return ops.split(together, ends, axis=-1) if number > 1 else [together]

        # Copies, as TensorFlow wants no variables among the arguments.
        outputs = recurrence(*map(ops.copy, [*arguments, *further, *initial_states]))
        return [time_first(part) for part in parts(outputs)]

    def _forward(
        self,
        from_input: Tensor,
        recurrent_kernel: Tensor,
        state_bias: Tensor | None,
        initial_states: list[Tensor],
        weights: tuple[Tensor, ...],
        number: int,
    ) -> tuple[list[Tensor], list[Any], list[Any]]:
        """The first `number` states after each step, time first; and, as `scan` puts
        them out, all states before each step and what is saved for the way back."""

        def step(states: list[Tensor], inputs: list[Tensor]) -> Any:
            from_state = ops.matmul(self._masked(states[0]), recurrent_kernel)
            if state_bias is not None:
                from_state = from_state + state_bias
            new_states, saved = self.steps.forward(
                inputs[0], from_state, states, *weights
            )
            for index, keep in zip(self.noise.keeps, inputs[1:], strict=True):
                new_states[index] = _where(keep, states[index], new_states[index])
            return new_states, [*new_states[:number], *states, *saved]

        _, outputs = scan(
            step,
            initial_states,
            [from_input, *(time_first(keep) for keep in self.noise.keeps.values())],
        )
        end = number + len(initial_states)
        after_steps = [stacked(output) for output in outputs[:number]]
        return after_steps, outputs[number:end], outputs[end:]

    def _backward(
        self,
        of_outputs: list[Tensor],
        recurrent_kernel: Tensor,
        initial_states: list[Tensor],
        weights: tuple[Tensor, ...],
        previous: list[Any],
        saved: list[Any],
    ) -> tuple[Tensor, ...]:
        """The deltas of `from_input` and `from_state`, and the gradients of the
        recurrent kernel, the further weights and the initial states."""
        transposed = ops.transpose(recurrent_kernel)
        keeps = self.noise.keeps

        def step(carry: list[Tensor], inputs: list[Tensor]) -> Any:
            gradients = list(carry)
            at = iter(inputs)
            for index in range(len(of_outputs)):
                gradients[index] = gradients[index] + next(at)
            states = [next(at) for _ in previous]
            saved_here = [next(at) for _ in saved]
            kept = {}
            for index, keep in zip(keeps, at, strict=True):
                kept[index] = gradients[index] * ops.cast(keep, gradients[index].dtype)
                gradients[index] = gradients[index] - kept[index]
            of_input, of_state, of_previous = self.steps.backward(
                gradients, states, saved_here, *weights
            )
            of_read = self._masked(ops.matmul(of_state, transposed))
            if not self.steps.reads_state_by_kernel_alone:
                of_read = of_read + of_previous[0]
            of_previous[0] = of_read
            for index, gradient in kept.items():
                of_previous[index] = of_previous[index] + gradient
            deltas = [of_input, of_state] if self.steps.sums_apart else [of_input]
            return of_previous, [*deltas, *(gradients if weights else [])]

        last, outputs = scan(
            step,
            [ops.zeros_like(initial) for initial in initial_states],
            [
                *of_outputs,
                *previous,
                *saved,
                *(time_first(keep) for keep in keeps.values()),
            ],
            reverse=True,
        )
        of_input, *others = map(stacked, outputs)
        of_state = others.pop(0) if self.steps.sums_apart else of_input
        of_weights: list[Tensor] = []
        if weights:
            before_steps, at_steps = (
                [stacked(part) for part in parts] for parts in (previous, saved)
            )
            of_weights = self.steps.weight_gradients(
                of_input, others, before_steps, at_steps, *weights
            )
        read = self._masked(stacked(previous[0]))
        of_kernel = _sum_of_products(read, of_state)
        return of_input, of_state, of_kernel, *of_weights, *last

    def _masked(self, hidden_state: Tensor) -> Tensor:
        """What the gates read of the hidden state; also the gradient of reading it."""
        mask = self.noise.state_mask
        return hidden_state if mask is None else hidden_state * mask


def _step_noise(cell: Any, noise: list[CellNoise]) -> StepNoise | None:
    """The noise of all regularisers around the cell, or `None` where it is of another
    kind than manual backpropagation applies."""
    together = StepNoise()
    for wrapper, drawn in zip(wrappers_of(cell), noise, strict=True):
        answers = answer_of(wrapper, "step_noise") and wrapper.passes_inputs_through
        found = wrapper.step_noise(drawn) if answers else None
        if found is None:
            return None
        if found.keeps:
            # A mask around what keeps states has the masked state kept.
            if together.keeps or together.state_mask is not None:
                return None
            together = together._replace(keeps=found.keeps)
        if found.state_mask is not None:
            if together.state_mask is not None:
                return None
            together = together._replace(state_mask=found.state_mask)
    return together


def _runs_loops_at_once() -> bool:
    """Whether loops that do not need each other run at the same time."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return (
        not tf.executing_eagerly()
        and not tf.config.list_logical_devices("GPU")
        and tf.config.threading.get_inter_op_parallelism_threads() != 1
        and _cores() > 1
    )


def _cores() -> int:
    """Of this process."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _graph() -> Any:
    """That TensorFlow builds now, or `None` where it runs eagerly."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    return None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()


def scan(
    step: Callable[..., Any],
    initial: list[Tensor],
    inputs: list[Any],
    reverse: bool = False,
) -> tuple[list[Tensor], list[Any]]:
    """Runs a step over time, as `ops.scan`.

    On TensorFlow each output is a `tf.TensorArray`: another `scan` in the same graph
    reads it as an input step by step, and nothing is copied but what `stacked` makes
    one tensor of. Keras 3.15 wants outputs like the states there, and a known number of
    steps.
    """
    if keras.backend.backend() != "tensorflow":
        return ops.scan(step, initial, inputs, reverse=reverse)
    import tensorflow as tf

    number = ops.shape(inputs[0])[0]

    def inputs_at(at: Any) -> list[Tensor]:
        return [
            part.read(at) if isinstance(part, tf.TensorArray) else part[at]
            for part in inputs
        ]

    def run_step(count: Tensor, states: list[Tensor], outputs: list[Any]) -> Any:
        at = number - 1 - count if reverse else count
        new_states, of_step = step(states, inputs_at(at))
        for new_state, state in zip(new_states, states, strict=True):
            new_state.set_shape(state.shape)
        written = [o.write(at, part) for o, part in zip(outputs, of_step, strict=True)]
        return count + 1, new_states, written

    # Of this step the shapes alone are used, so a graph leaves it out.
    _, of_step = step(initial, inputs_at(0))
    outputs = [
        tf.TensorArray(
            part.dtype, number, element_shape=part.shape, clear_after_read=False
        )
        for part in of_step
    ]
    _, states, outputs = tf.while_loop(
        lambda *_: True,
        run_step,
        (0, initial, outputs),
        parallel_iterations=1,
        # XLA differentiates a loop, which for it is of a known length.
        maximum_iterations=number,
    )
    return states, outputs


def stacked(output: Any) -> Tensor:
    """An output of `scan` as one tensor, `(time, ...)`."""
    return output.stack() if hasattr(output, "stack") else output


def through_sigmoid(gradient: Tensor, value: Tensor) -> Tensor:
    """The gradient of x, from that of y = s(x): dL/dx = dL/dy * y * (1 - y)."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.raw_ops.SigmoidGrad(y=value, dy=gradient)
    return gradient * value * (1 - value)


def through_tanh(gradient: Tensor, value: Tensor) -> Tensor:
    """The gradient of x, from that of y = tanh(x): dL/dx = dL/dy * (1 - y^2)."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.raw_ops.TanhGrad(y=value, dy=gradient)
    return gradient * (1 - value * value)


def _where(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """`ops.where` of three tensors of one shape, which TensorFlow has an op for."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.raw_ops.Select(condition=condition, x=x, y=y)
    return ops.where(condition, x, y)


def _product(values: Tensor, kernel: Tensor) -> Tensor:
    """What the kernel makes of the last axis, as one product for all the others."""
    rows = ops.matmul(ops.reshape(values, (-1, values.shape[-1])), kernel)
    return ops.reshape(rows, (*ops.shape(values)[:-1], kernel.shape[1]))


def _sum_of_products(inputs: Tensor, deltas: Tensor) -> Tensor:
    """The gradient of a kernel that makes `deltas` of `inputs`, from all their rows."""
    return ops.matmul(
        ops.transpose(ops.reshape(inputs, (-1, inputs.shape[-1]))),
        ops.reshape(deltas, (-1, deltas.shape[-1])),
    )


def _sum_of_rows(values: Tensor) -> Tensor:
    """The sum over all axes but the last one, which as a product is faster."""
    return _sum_of_products(ops.ones_like(values[..., :1]), values)[0]


def time_first(values: Tensor) -> Tensor:
    """`(time, batch, ...)` from `(batch, time, ...)`, and back."""
    return ops.transpose(values, (1, 0, *range(2, values.ndim)))
