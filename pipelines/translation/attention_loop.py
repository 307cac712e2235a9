"""The loop of an attending decoder in training, with its gradient written out.

Automatic differentiation of the loop would form the gradients of all kernels step by
step, from products as small as the batch. Written out, the way back carries what the
steps hand on and nothing else; the gradients of the kernels and of the memory are one
product each over all steps. `recurra.layers` does the same without attention.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from recurra.layers import RNN, VariationalDropout, Zoneout

from .attention import AttentionCell, Memory


class AttentionRNN(RNN):
    """Runs an `AttentionCell`, in training with its gradient written out.

    That needs a cell of this project without layer normalisation, bare or in zoneout
    and in variational dropout with tied masks. Any other runs as in `RNN`.
    """

    def loop(self, run: Any) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        parts = _parts_of(self.cell, run.noise) if run.training else None
        if parts is None:
            return super().loop(run)
        outputs, states = _WrittenOut(self.cell, parts).run(
            run.sequences, run.initial_state
        )
        return outputs[:, -1], outputs, states


class _Parts(NamedTuple):
    """The cell and its noise: masks of what it reads, and by state what it keeps."""

    cell: Any
    input_mask: tf.Tensor | None
    state_mask: tf.Tensor | None
    keeps: dict[int, tf.Tensor]


class _Sources(NamedTuple):
    """What the gradient is taken of, beside the first states."""

    from_input: tf.Tensor
    context_kernel: tf.Tensor
    recurrent_kernel: tf.Tensor
    state_bias: tf.Tensor
    query_kernel: tf.Tensor
    energy: tf.Tensor
    keys: tf.Tensor
    values: tf.Tensor


def _parts_of(cell: AttentionCell, noise: Sequence[Any]) -> _Parts | None:
    """None where the loop cannot be written out."""
    inner: Any = cell.cell
    masks: dict[str, tf.Tensor] = {}
    keeps: dict[int, tf.Tensor] = {}
    for drawn in noise[1:]:
        if type(inner) is Zoneout:
            keeps = {
                number: drawn.per_step[name]
                for number, name in enumerate(("hidden", "cell"))
                if name in drawn.per_step
            }
        elif type(inner) is VariationalDropout and inner.tied_masks:
            masks |= drawn.per_sequence
        else:
            return None
        inner = inner.cell
    if "output" in masks or not (
        "steps" in vars(type(inner)) and inner.steps.fit(inner)
    ):
        return None
    return _Parts(inner, masks.get("input"), masks.get("state"), keeps)


class _WrittenOut:
    """One call of the loop.

    Args:
        cell: Attends to its memory.
        parts: Of it.
    """

    def __init__(self, cell: AttentionCell, parts: _Parts):
        self._attention = cell.attention
        self._memory: Memory = cell.memory
        self._size = cell.context_size
        self._parts = parts
        self._steps = parts.cell.steps
        self._keeps = [_time_first(keep) for keep in parts.keeps.values()]

    def run(
        self, sequences: tf.Tensor, initial_states: list[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """`[s_t, c_t]` at each step, `[N, T, ...]`, and the last states."""
        cell, features = self._parts.cell, sequences.shape[-1]
        self._context_mask = None
        if self._parts.input_mask is not None:
            sequences *= self._parts.input_mask[:, tf.newaxis, :features]
            self._context_mask = self._parts.input_mask[:, features:]
        kernel = tf.convert_to_tensor(cell.kernel)
        from_input = tf.tensordot(_time_first(sequences), kernel[:features], 1)
        state_bias = tf.zeros([kernel.shape[1]])
        if cell.use_bias:
            bias = tf.convert_to_tensor(cell.bias)
            from_input += bias[0] if self._steps.sums_apart else bias
            state_bias = bias[1] if self._steps.sums_apart else state_bias
        nothing = tf.zeros([0, 0])
        attention = self._attention
        sources = _Sources(
            from_input,
            kernel[features:],
            tf.convert_to_tensor(cell.recurrent_kernel),
            state_bias,
            nothing
            if attention.kind == "dot"
            else tf.convert_to_tensor(attention.query_kernel),
            tf.convert_to_tensor(attention.energy)[:, 0]
            if attention.kind == "additive"
            else nothing,
            self._memory.keys,
            self._memory.values,
        )

        @tf.custom_gradient
        def recurrence(*arguments: tf.Tensor) -> Any:
            sources = _Sources(*arguments[: len(_Sources._fields)])
            first = list(arguments[len(_Sources._fields) :])
            states, saved, weights = self._forward(sources, first)

            def gradient(*upstream: tf.Tensor) -> Any:
                return self._backward(
                    list(upstream), sources, first, states, saved, weights
                )

            return tuple(states), gradient

        states = recurrence(*map(tf.identity, (*sources, *initial_states)))
        outputs = _time_first(tf.concat([states[0], states[-1]], -1))
        return outputs, [state[-1] for state in states]

    def _forward(
        self, sources: _Sources, first: list[tf.Tensor]
    ) -> tuple[list[tf.Tensor], list[tf.Tensor], tf.Tensor]:
        """All states with the contexts last, what is saved, and the weights.

        Time first: the weights are `[T, N, S]`.
        """
        bias = self._memory.bias

        def step(time: tf.Tensor, states: list[tf.Tensor]) -> Any:
            *states, context = states
            from_input = sources.from_input[time] + tf.matmul(
                _masked(context, self._context_mask), sources.context_kernel
            )
            from_state = (
                tf.matmul(
                    _masked(states[0], self._parts.state_mask), sources.recurrent_kernel
                )
                + sources.state_bias
            )
            new_states, saved = self._steps.forward(from_input, from_state, states)
            for number, keep in zip(self._parts.keeps, self._keeps, strict=True):
                new_states[number] = tf.where(
                    keep[time], states[number], new_states[number]
                )
            query = self._query(new_states[0], sources)
            weights = tf.nn.softmax(self._energies(query, sources)[0] + bias)
            context = tf.linalg.matvec(sources.values, weights, transpose_a=True)
            new_states = [*new_states, context]
            return new_states, [*new_states, *saved, weights]

        _, stacks = _loop(step, first, tf.shape(sources.from_input)[0], forwards=True)
        return stacks[: len(first)], stacks[len(first) : -1], stacks[-1]

    def _backward(
        self,
        upstream: list[tf.Tensor],
        sources: _Sources,
        first: list[tf.Tensor],
        states: list[tf.Tensor],
        saved: list[tf.Tensor],
        weights: tf.Tensor,
    ) -> list[tf.Tensor]:
        previous = [
            tf.concat([start[tf.newaxis], stack[:-1]], 0)
            for start, stack in zip(first, states, strict=True)
        ]
        is_additive = self._attention.kind == "additive"
        queries = self._query(states[0], sources)

        def step(time: tf.Tensor, carry: list[tf.Tensor]) -> Any:
            *gradients, of_context = carry[: len(first)]
            gradients = [
                gradient + of_outputs[time]
                for gradient, of_outputs in zip(gradients, upstream[:-1], strict=True)
            ]
            of_context += upstream[-1][time]
            of_weights = tf.linalg.matvec(sources.values, of_context)
            own = weights[time]
            of_energies = own * (
                of_weights - tf.reduce_sum(own * of_weights, 1, keepdims=True)
            )
            sums: list[tf.Tensor] = []
            if is_additive:
                _, squashed = self._energies(queries[time], sources)
                of_keys = of_energies[:, :, tf.newaxis] * (
                    sources.energy - sources.energy * squashed * squashed
                )
                of_query = tf.reduce_sum(of_keys, 1)
                of_energy = tf.linalg.matvec(
                    tf.reshape(squashed, [-1, squashed.shape[-1]]),
                    tf.reshape(of_energies, [-1]),
                    transpose_a=True,
                )
                of_all_keys, of_all_energy = carry[len(first) :]
                sums = [of_all_keys + of_keys, of_all_energy + of_energy]
            else:
                of_query = tf.linalg.matvec(sources.keys, of_energies, transpose_a=True)
            gradients[0] += self._through_query(of_query, sources)
            kept = {}
            for number, keep in zip(self._parts.keeps, self._keeps, strict=True):
                kept[number] = tf.where(keep[time], gradients[number], 0.0)
                gradients[number] = tf.where(keep[time], 0.0, gradients[number])
            of_input, of_state, gradients = self._steps.backward(
                gradients,
                [stack[time] for stack in previous[:-1]],
                [stack[time] for stack in saved],
            )
            gradients[0] += _masked(
                tf.matmul(of_state, sources.recurrent_kernel, transpose_b=True),
                self._parts.state_mask,
            )
            for number, gradient in kept.items():
                gradients[number] += gradient
            handed_on = _masked(
                tf.matmul(of_input, sources.context_kernel, transpose_b=True),
                self._context_mask,
            )
            puts_out = [of_input, of_context, of_query, of_energies]
            if self._steps.sums_apart:
                puts_out.append(of_state)
            return [*gradients, handed_on, *sums], puts_out

        start = [tf.zeros_like(state) for state in first]
        if is_additive:
            start += [tf.zeros_like(sources.keys), tf.zeros_like(sources.energy)]
        carry, stacks = _loop(
            step, start, tf.shape(sources.from_input)[0], forwards=False
        )
        of_input, of_contexts, of_queries, of_energies = stacks[:4]
        of_state = stacks[-1] if self._steps.sums_apart else of_input
        of_values = _products_by_row(weights, of_contexts)
        if is_additive:
            of_keys, of_energy = carry[len(first) :]
        else:
            of_keys = _products_by_row(of_energies, queries)
            of_energy = tf.zeros_like(sources.energy)
        of_sources = _Sources(
            from_input=of_input,
            context_kernel=_product(
                _masked(previous[-1], self._context_mask), of_input
            ),
            recurrent_kernel=_product(
                _masked(previous[0], self._parts.state_mask), of_state
            ),
            state_bias=tf.reduce_sum(of_state, [0, 1]),
            query_kernel=tf.zeros_like(sources.query_kernel)
            if self._attention.kind == "dot"
            else _product(states[0], of_queries),
            energy=of_energy,
            keys=of_keys,
            values=of_values,
        )
        return [*of_sources, *carry[: len(first)]]

    def _query(self, hidden: tf.Tensor, sources: _Sources) -> tf.Tensor:
        if self._attention.kind == "dot":
            return hidden
        return tf.tensordot(hidden, sources.query_kernel, 1)

    def _through_query(self, of_query: tf.Tensor, sources: _Sources) -> tf.Tensor:
        if self._attention.kind == "dot":
            return of_query
        return tf.matmul(of_query, sources.query_kernel, transpose_b=True)

    def _energies(
        self, query: tf.Tensor, sources: _Sources
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """`[N, S]` of queries `[N, U]`; of additive ones also their tanh."""
        if self._attention.kind != "additive":
            energies = tf.linalg.matvec(sources.keys, query)
            return energies, energies
        squashed = tf.tanh(query[:, tf.newaxis] + sources.keys)
        flat = tf.reshape(squashed, [-1, squashed.shape[-1]])
        energies = tf.linalg.matvec(flat, sources.energy)
        return tf.reshape(energies, tf.shape(squashed)[:2]), squashed


def _loop(
    step: Callable[[tf.Tensor, list[tf.Tensor]], Any],
    start: list[tf.Tensor],
    steps: tf.Tensor,
    *,
    forwards: bool,
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Runs steps that carry on and put out lists of tensors; stacks what they put out.

    Sizes of rows that are known stay known.
    """
    # What a step puts out has shapes; a graph drops what is computed for these alone.
    _, example = step(tf.constant(0), start)
    arrays = [
        tf.TensorArray(each.dtype, steps, element_shape=each.shape) for each in example
    ]

    def body(time: tf.Tensor, carry: list[tf.Tensor], arrays: list[Any]) -> Any:
        carry, puts_out = step(time, carry)
        arrays = [
            array.write(time, each)
            for array, each in zip(arrays, puts_out, strict=True)
        ]
        return time + (1 if forwards else -1), carry, arrays

    _, carry, arrays = tf.while_loop(
        lambda time, *_: (time < steps) if forwards else (time >= 0),
        body,
        (tf.constant(0) if forwards else steps - 1, start, arrays),
        shape_invariants=(
            tf.TensorShape([]),
            [each.shape for each in start],
            [tf.TensorShape(None)] * len(arrays),
        ),
    )
    return list(carry), [array.stack() for array in arrays]


def _time_first(values: tf.Tensor) -> tf.Tensor:
    """`[T, N, ...]` from `[N, T, ...]`, and back."""
    return tf.transpose(values, [1, 0, *range(2, values.shape.rank)])


def _masked(values: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    return values if mask is None else values * mask


def _product(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """`[A, B]`: products of `[T, N, A]` and `[T, N, B]`, summed over steps and rows."""
    return tf.matmul(
        tf.reshape(left, [-1, left.shape[-1]]),
        tf.reshape(right, [-1, right.shape[-1]]),
        transpose_a=True,
    )


def _products_by_row(left: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
    """`[N, A, B]`: the same summed over the steps alone."""
    return tf.matmul(tf.transpose(left, [1, 2, 0]), tf.transpose(right, [1, 0, 2]))
