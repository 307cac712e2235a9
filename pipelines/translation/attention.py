"""Attention over an encoded sentence, and the recurrent step that feeds on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple

import keras
import tensorflow as tf
from keras import ops

from recurra.layers import CellRegulariser

Kind = Literal["additive", "dot", "general"]

# Added to the energies of padding; finite, so that no row turns into no number.
_NEVER = -1e9


class Memory(NamedTuple):
    """An encoded batch, as decoding steps read it.

    Attributes:
        keys: `[N, S, U]`, projected once.
        values: `[N, S, C]`, the encoder's outputs.
        bias: `[N, S]`, 0 at real positions and far below at padding.
    """

    keys: tf.Tensor
    values: tf.Tensor
    bias: tf.Tensor


def bias_of_padding(real: tf.Tensor) -> tf.Tensor:
    """What is added to energies, from bool `[N, S]`, true at real positions."""
    return tf.where(real, 0.0, _NEVER)


class Attention(keras.layers.Layer):
    """Weights of the positions of a source for queries, and the context they give.

        e_qs = v . tanh(W_q s_q + W_k h_s)    additive (Bahdanau et al. 2015)
        e_qs = s_q . h_s                      dot (Luong et al. 2015)
        e_qs = (W_q s_q) . h_s                general (Luong et al. 2015)
        a_q = softmax(e_q)    c_q = sum_s a_qs h_s

    Args:
        kind: Of the energies e.
        units: Of the additive energies.
        **kwargs: As for `keras.layers.Layer`.

    Source: Bahdanau, Cho and Bengio, "Neural Machine Translation by Jointly Learning
    to Align and Translate", 2015; Luong, Pham and Manning, "Effective Approaches to
    Attention-based Neural Machine Translation", 2015.
    """

    def __init__(self, kind: Kind, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.kind = kind
        self.units = units

    def build(self, query_size: int, value_size: int) -> None:
        """The weights, for queries and encoder outputs of these sizes."""
        if self.kind == "additive":
            self.query_kernel = self.add_weight((query_size, self.units), name="query")
            self.key_kernel = self.add_weight((value_size, self.units), name="key")
            self.key_bias = self.add_weight((self.units,), "zeros", name="key_bias")
            self.energy = self.add_weight((self.units, 1), name="energy")
        elif self.kind == "general":
            self.query_kernel = self.add_weight((query_size, value_size), name="query")
        self.built = True

    def memory(self, values: tf.Tensor, real: tf.Tensor) -> Memory:
        """The encoder's outputs `[N, S, C]` with keys; `real` is bool `[N, S]`."""
        values = _shaped_on_the_way_back(values)
        keys = values
        if self.kind == "additive":
            keys = ops.matmul(values, self.key_kernel) + self.key_bias
        return Memory(keys, values, bias_of_padding(real))

    def call(self, queries: tf.Tensor, memory: Memory) -> tuple[tf.Tensor, tf.Tensor]:
        """Contexts `[N, Q, C]` and weights `[N, Q, S]` of queries `[N, Q, units]`."""
        weights = tf.nn.softmax(
            self.energies(queries, memory) + memory.bias[:, tf.newaxis]
        )
        return tf.matmul(weights, memory.values), weights

    def energies(self, queries: tf.Tensor, memory: Memory) -> tf.Tensor:
        """`[N, Q, S]`."""
        if self.kind != "dot":
            queries = ops.matmul(queries, self.query_kernel)
        if self.kind != "additive":
            return tf.matmul(queries, memory.keys, transpose_b=True)
        sums = tf.tanh(queries[:, :, tf.newaxis] + memory.keys[:, tf.newaxis])
        energies = tf.matmul(
            tf.reshape(sums, [-1, self.units]), tf.convert_to_tensor(self.energy)
        )
        return tf.reshape(energies, tf.shape(sums)[:-1])


@tf.custom_gradient
def _shaped_on_the_way_back(values: tf.Tensor) -> Any:
    """`values`; their gradient has their static shape, which loops lose."""

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(upstream, values.shape)

    return tf.identity(values), gradient


class AttentionCell(CellRegulariser):
    """A recurrent step that reads the context before, and attends to the next one.

        s_t = cell([x_t, c_{t-1}], s_{t-1})
        c_t = attention(s_t)

    with c_0 = 0 (input feeding, Luong et al. 2015). Its output is `[s_t, c_t]`, its
    states are those of the cell and, last, c_t. A row of the memory is attended to by
    as many rows of states as there are for each of its own, one after the other.

    Args:
        cell: The recurrent cell, bare or in regularisers.
        attention: Gives the context.
        context_size: C.
        **kwargs: As for `keras.layers.Layer`.
    """

    hands_on_inputs = False

    def __init__(
        self,
        cell: keras.layers.Layer,
        attention: Attention,
        context_size: int,
        **kwargs: Any,
    ):
        super().__init__(cell, **kwargs)
        self.attention = attention
        self.context_size = context_size
        units = self.state_sizes[0]
        self.state_size = [*self.state_sizes, context_size]
        self.output_size = units + context_size
        # Out of Keras's sight, which would track what stands in it.
        self._at_hand: Any = SimpleNamespace(memory=None)

    @property
    def acts_without_noise(self) -> bool:
        return True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        *batch, size = input_shape
        assert size is not None
        super().build((*batch, size + self.context_size))
        self.attention.build(self.state_size[0], self.context_size)

    def get_initial_state(self, batch_size: Any = None) -> list[tf.Tensor]:
        return [
            *super().get_initial_state(batch_size),
            ops.zeros((batch_size, self.context_size), self.compute_dtype),
        ]

    @contextlib.contextmanager
    def attending_to(self, memory: Memory) -> Iterator[None]:
        """Within it, steps attend to this memory."""
        self._at_hand.memory = memory
        try:
            yield
        finally:
            self._at_hand.memory = None

    @property
    def memory(self) -> Memory:
        """What steps attend to."""
        return self._at_hand.memory

    def call(
        self, inputs: tf.Tensor, states: list[tf.Tensor], training: bool | None = False
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        *states, context = states
        read = ops.concatenate([inputs, context], axis=-1)
        output, new_states = self.run_cell(read, states, training)
        context = self.context(output)
        return ops.concatenate([output, context], axis=-1), [*new_states, context]

    def context(self, output: tf.Tensor) -> tf.Tensor:
        """`[rows, C]` for outputs `[rows, units]`, rows a multiple of the memory's."""
        memory = self.memory
        queries = tf.reshape(output, [tf.shape(memory.keys)[0], -1, output.shape[-1]])
        contexts, _ = self.attention(queries, memory)
        return tf.reshape(contexts, [-1, self.context_size])

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError("A translation model is built from its configuration")
