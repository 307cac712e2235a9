"""Attention over a padded memory, and the recurrences that read what it finds."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args

import keras
from keras import ops

from .regulariser import (
    CellRegulariser,
    NoiseMaker,
    Tensor,
    refuse_other_than_flat_states,
)
from .rnn import RNN

Kind = Literal["additive", "dot", "general"]


class AttentionMemory(NamedTuple):
    """What attention looks at, made once for all queries by `MemoryAttention.memory`.

    Attributes:
        keys: `(batch, positions, size)`: what queries are compared with.
        values: `(batch, positions, features)`: what contexts are made of.
        bias: `(batch, positions)`, added to the scores: 0 at real positions and far
            below at padding.
    """

    keys: Tensor
    values: Tensor
    bias: Tensor


@keras.saving.register_keras_serializable(package="recurra")
class MemoryAttention(keras.layers.Layer):
    """Attention over a padded memory, whose keys are projected once for all queries.

        e_qs = v . tanh(s_q W + h_s U + b)    additive (Bahdanau et al. 2015)
        e_qs = s_q . h_s                      dot (Luong et al. 2015)
        e_qs = (s_q W) . h_s                  general (Luong et al. 2015)
        a_q = softmax(e_q)    c_q = sum_s a_qs h_s

    with queries s, values h, weights a, which are 0 at padding, and contexts c. A
    memory without any real position gets the weights that its scores give.

    `keras.layers.Attention` and `AdditiveAttention` have neither the projections W and
    U nor a mask that is prepared once: a decoder, which attends at every step, would
    need layers around them for both. `AdditiveAttention` multiplies by v and sums
    element by element, where here v is one product of matrices.

    Source: Bahdanau, Cho and Bengio, "Neural Machine Translation by Jointly Learning
    to Align and Translate", https://arxiv.org/abs/1409.0473; Luong, Pham and Manning,
    "Effective Approaches to Attention-based Neural Machine Translation",
    https://arxiv.org/abs/1508.04025

    Args:
        kind: `"additive"`, `"dot"` or `"general"`: how queries are scored.
        units: Positive integer, columns of W and U of additive scores, which need it.
            The other kinds have none.
        **kwargs: As for `keras.layers.Layer`.

    Call arguments:
        queries: `(batch, queries, size)`.
        memory: An `AttentionMemory`, made by `memory`.

    Returns of a call: contexts `(batch, queries, features)` and weights
    `(batch, queries, positions)`.

    Raises:
        ValueError: `kind` is none of the three, additive attention gets no `units`, or
            sizes that dot attention compares differ.

    Example:

    >>> import keras
    >>> from recurra.layers import MemoryAttention
    >>> attention = MemoryAttention("additive", units=16)
    >>> attention.build((None, None, 8), (None, None, 6))
    >>> values = keras.ops.ones((2, 5, 6))
    >>> mask = keras.ops.array([[True] * 5, [True, True, False, False, False]])
    >>> memory = attention.memory(values, mask)
    >>> contexts, weights = attention(keras.ops.ones((2, 3, 8)), memory)
    >>> keras.ops.shape(contexts), keras.ops.shape(weights)
    ((2, 3, 6), (2, 3, 5))
    """

    def __init__(self, kind: Kind, units: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if kind not in get_args(Kind):
            raise ValueError(
                f"`kind` must be one of {', '.join(map(repr, get_args(Kind)))}. "
                f"Received: {kind!r}"
            )
        if kind == "additive" and not units:
            raise ValueError(
                "Additive attention needs `units`, the size of what it compares. "
                f"Received: units={units!r}"
            )
        self.kind = kind
        self.units = units

    def build(
        self,
        queries_shape: tuple[int | None, ...],
        values_shape: tuple[int | None, ...],
    ) -> None:
        """Makes the weights, which queries and memory share; `memory` needs them."""
        query_size, value_size = queries_shape[-1], values_shape[-1]
        if self.kind == "additive":
            self.query_kernel = self.add_weight((query_size, self.units), name="query")
            self.key_kernel = self.add_weight((value_size, self.units), name="key")
            self.key_bias = self.add_weight((self.units,), "zeros", name="key_bias")
            self.score_kernel = self.add_weight((self.units, 1), name="score")
        elif self.kind == "general":
            self.query_kernel = self.add_weight((query_size, value_size), name="query")
        elif query_size != value_size:
            raise ValueError(
                "Dot attention compares queries with values, so both need the same "
                f"size; general attention does not. Received: queries of {query_size} "
                f"and values of {value_size}"
            )
        self.built = True

    def memory(self, values: Tensor, mask: Tensor | None = None) -> AttentionMemory:
        """The memory of values `(batch, positions, features)`.

        Args:
            values: What contexts are made of.
            mask: Boolean `(batch, positions)`, false at padding. Default: none is.

        Raises:
            ValueError: The layer is not built.
        """
        if not self.built:
            raise ValueError(
                "`MemoryAttention` projects keys by its weights: call `build` with "
                "the shapes of queries and values before `memory`"
            )
        values = ops.cast(values, self.compute_dtype)
        keys = values
        if self.kind == "additive":
            keys = ops.matmul(values, self.key_kernel) + self.key_bias
            keys = ops.cast(keys, self.compute_dtype)
        real = ops.ones(ops.shape(values)[:2], "bool") if mask is None else mask
        # Finite, so that a row of padding alone does not become NaN.
        never = -6e4 if self.compute_dtype == "float16" else -1e9
        bias = ops.cast(ops.where(real, 0.0, never), self.compute_dtype)
        return AttentionMemory(keys, values, bias)

    def call(self, queries: Tensor, memory: AttentionMemory) -> tuple[Tensor, Tensor]:
        scores = self._scores(queries, memory.keys) + memory.bias[:, None]
        weights = ops.softmax(scores)
        return ops.matmul(weights, memory.values), weights

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kind": self.kind, "units": self.units}

    def _scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """`(batch, queries, positions)`."""
        if self.kind != "dot":
            queries = ops.matmul(queries, self.query_kernel)
        if self.kind != "additive":
            return ops.einsum("bqu,bpu->bqp", queries, keys)
        squashed = ops.tanh(queries[:, :, None] + keys[:, None])
        scores = ops.matmul(ops.reshape(squashed, (-1, self.units)), self.score_kernel)
        return ops.reshape(scores, ops.shape(squashed)[:-1])


# As the noise of regularisers, a memory reaches a cell beside the inputs and states,
# within the trace that uses it and in the thread that set it.
_memories: contextvars.ContextVar[Mapping[AttentionCell, AttentionMemory]] = (
    contextvars.ContextVar("recurra_memories", default=MappingProxyType({}))
)


@keras.saving.register_keras_serializable(package="recurra")
class AttentionCell(CellRegulariser):
    """Lets a cell read what attention found at the step before (input feeding).

        s_t = cell([x_t, c_{t-1}], s_{t-1})
        c_t = attention(s_t, memory)

    with c_0 = 0 (Luong et al. 2015). Its output is `[s_t, c_t]`; its states are those
    of the cell and, last, c_t. It draws no noise; the cell may be in regularisers.

    A row of the memory may serve several rows of states, such as the hypotheses of a
    beam search: as many for each, one after the other.

    `AttentionRNN` runs the cell over a sequence. For single steps, call the cell
    within `attending_to`.

    Source: Luong, Pham and Manning, "Effective Approaches to Attention-based Neural
    Machine Translation", https://arxiv.org/abs/1508.04025, section 3.3

    Args:
        cell: Any Keras cell whose output is what attention takes for a query, bare or
            in regularisers.
        attention: A `MemoryAttention`.
        context_size: Positive integer, features of the memory's values.
        **kwargs: As for `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, features)`.
        states: List of the previous states, `(batch, units)` each, and last the
            context, `(batch, context_size)`.
        training: Handed on to the cell.

    Returns of a call: output `(batch, units + context_size)` and the list of new
    states.

    Raises:
        TypeError: `cell` is no cell.
        ValueError: The cell is called without a memory.

    Example:

    >>> import keras
    >>> from recurra.layers import AttentionCell, GRUCell, MemoryAttention
    >>> attention = MemoryAttention("general")
    >>> cell = AttentionCell(GRUCell(8), attention, context_size=6)
    >>> cell.build((None, 3))
    >>> with cell.attending_to(attention.memory(keras.ops.ones((2, 5, 6)))):
    ...     output, states = cell(keras.ops.ones((2, 3)), cell.get_initial_state(2))
    >>> keras.ops.shape(output)
    (2, 14)
    """

    passes_inputs_through = False
    # A context is a mean of the memory's values.
    keeps_states_bounded = True

    def __init__(
        self,
        cell: keras.layers.Layer,
        attention: MemoryAttention,
        context_size: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(cell, **kwargs)
        refuse_other_than_flat_states("AttentionCell", cell)
        self.attention = attention
        self.context_size = context_size
        self.query_size = self.output_size
        self.state_size = [*self.state_sizes, context_size]
        self.output_size = self.query_size + context_size

    @property
    def active_at_inference(self) -> bool:
        return True

    def build(self, input_shape: tuple[Any, ...]) -> None:
        *batch, features = input_shape
        super().build((*batch, features + self.context_size))
        if not self.attention.built:
            self.attention.build(
                (None, None, self.query_size), (None, None, self.context_size)
            )

    def get_initial_state(self, batch_size: Any = None) -> list[Tensor]:
        return [
            *super().get_initial_state(batch_size),
            ops.zeros((batch_size, self.context_size), self.compute_dtype),
        ]

    @contextlib.contextmanager
    def attending_to(self, memory: AttentionMemory) -> Iterator[None]:
        """Within it, steps attend to this memory."""
        token = _memories.set({**_memories.get(), self: memory})
        try:
            yield
        finally:
            _memories.reset(token)

    def call(
        self, inputs: Tensor, states: list[Tensor], training: bool | None = False
    ) -> tuple[Tensor, list[Tensor]]:
        memory = _memories.get().get(self)
        if memory is None:
            raise ValueError(
                "`AttentionCell` has no memory to attend to: run it by "
                "`recurra.layers.AttentionRNN`, or call it within `attending_to`"
            )
        *of_cell, context = states
        read = ops.concatenate([inputs, context], axis=-1)
        output, new_states = self.run_cell(read, of_cell, training)
        queries = ops.reshape(output, (ops.shape(memory.keys)[0], -1, self.query_size))
        contexts, _ = self.attention(queries, memory)
        context = ops.reshape(contexts, (-1, self.context_size))
        context = ops.cast(context, self.compute_dtype)
        return ops.concatenate([output, context], axis=-1), [*new_states, context]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "attention": keras.saving.serialize_keras_object(self.attention),
            "context_size": self.context_size,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> CellRegulariser:
        attention = keras.saving.deserialize_keras_object(
            config["attention"], custom_objects=custom_objects
        )
        return super().from_config({**config, "attention": attention}, custom_objects)


@keras.saving.register_keras_serializable(package="recurra")
class AttentionRNN(RNN):
    """Runs an `AttentionCell` over a sequence: the decoder of an encoder-decoder.

        s_t, c_t = cell([x_t, c_{t-1}], s_{t-1}; memory)

    Args:
        cell: An `AttentionCell`, bare or in regularisers.
        **kwargs: As for `RNN`.

    Call arguments:
        sequences: `(batch, time, features)`.
        memory: Values `(batch, positions, context_size)`, such as the outputs of an
            encoder; or an `AttentionMemory`, for whoever uses it elsewhere too.
        initial_state: List of initial states, `(batch, units)` each, the context last.
            Default: zeros.
        sequences_mask: Boolean `(batch, time)`, false at padded steps.
        memory_mask: Boolean `(batch, positions)`, false at padding of the values. An
            `AttentionMemory` has a mask in it.
        training: Whether to draw noise.

    Masks that another layer attached to `sequences` and to values are used where none
    is given.

    Output shape: `(batch, units + context_size)`, with `return_sequences`
    `(batch, time, units + context_size)`: the output of the cell and the context; with
    `return_state` followed by the last states, `(batch, units)` each.

    Raises:
        TypeError: `cell` is no `AttentionCell`.

    Example:

    >>> import keras
    >>> from recurra.layers import AttentionCell, AttentionRNN, GRUCell, MemoryAttention
    >>> source, target = keras.Input((None, 4)), keras.Input((None, 3))
    >>> encoded = keras.layers.GRU(6, return_sequences=True)(source)
    >>> cell = AttentionCell(GRUCell(8), MemoryAttention("general"), context_size=6)
    >>> decoded = AttentionRNN(cell, return_sequences=True)(target, encoded)
    >>> keras.Model([source, target], decoded).output_shape
    (None, None, 14)
    """

    def __init__(self, cell: Any, **kwargs: Any) -> None:
        super().__init__(cell, **kwargs)
        if len(_attending(self.regularisers)) != 1:
            raise TypeError(
                "`AttentionRNN` runs one `AttentionCell`, bare or in regularisers. "
                f"Received: cell={cell}"
            )

    def call(  # type: ignore[override]
        self,
        sequences: Tensor,
        memory: Tensor | AttentionMemory,
        initial_state: list[Tensor] | None = None,
        sequences_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        training: bool | None = False,
    ) -> Any:
        (cell,) = _attending(self.regularisers)
        if not isinstance(memory, AttentionMemory):
            memory = cell.attention.memory(memory, memory_mask)
        with cell.attending_to(memory):
            return super().call(
                sequences, initial_state, mask=sequences_mask, training=training
            )


def _attending(parts: list[NoiseMaker]) -> list[AttentionCell]:
    return [part for part in parts if isinstance(part, AttentionCell)]
