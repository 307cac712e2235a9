"""The two recurrences of xLSTM, with exponential gates: cells and layers."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from .elementwise_cell import ElementwiseCell
from .gates import read_by_gates
from .recurrent_layer import LayerOfCell
from .regulariser import Tensor

# The exponential of it is zero in every dtype.
_NEVER = -1e4


class _ExponentialCell(ElementwiseCell):
    """What the two cells share: heads, and gates that are held in range.

    Args:
        units: Positive integer, size of the output.
        heads: Positive integer that divides `units`.
        **kwargs: As for `ElementwiseCell`.
    """

    blocks = 4

    def __init__(self, units: int, heads: int = 1, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        is_integer = isinstance(heads, int) and not isinstance(heads, bool)
        if not is_integer or heads < 1 or units % heads:
            raise ValueError(
                "`heads` must be a positive integer that divides `units`. Received: "
                f"heads={heads!r}, units={units}"
            )
        self.heads = heads
        self.units_of_head = units // heads

    def get_initial_state(self, batch_size: Any = None) -> list[Tensor]:
        return [
            ops.zeros((batch_size, size), dtype=self.compute_dtype)
            for size in self.state_size
        ]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "heads": self.heads}


def _gates_in_range(
    take: Tensor, forget: Tensor, scale: Tensor, is_fresh: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """exp(i) and s(f), both divided by exp(m_t), and m_t (equations 15 to 17).

    `is_fresh` is where nothing was taken yet, so that m_{t-1} means nothing.
    """
    log_forget = ops.log_sigmoid(forget)
    new_scale = ops.where(is_fresh, take, ops.maximum(log_forget + scale, take))
    kept = ops.where(is_fresh, _NEVER, log_forget + scale - new_scale)
    return ops.exp(take - new_scale), ops.exp(kept), new_scale


def _least_size(scale: Tensor) -> Tensor:
    """The 1 of max(|n_t . q_t|, 1), divided by exp(m_t), and finite in every dtype.

    Infinity would make the gradient no number. Where the bound differs, h_t is zero up
    to rounding.
    """
    is_half = keras.backend.standardize_dtype(scale.dtype) == "float16"
    return ops.exp(ops.minimum(-scale, 10.0 if is_half else 60.0))


def _is_empty(memory: Tensor, normaliser: Tensor) -> Tensor:
    """`(batch, heads)`."""
    return ops.logical_and(
        ops.all(memory == 0, axis=(-2, -1)), ops.all(normaliser == 0, axis=-1)
    )


@keras.saving.register_keras_serializable(package="recurra")
class SLSTMCell(_ExponentialCell):
    """One step of the sLSTM of xLSTM (Beck et al. 2024).

        i_t = exp(x_t U_i + h_{t-1} W_i + b_i)    input gate
        f_t = s(x_t U_f + h_{t-1} W_f + b_f)      forget gate
        z_t = tanh(x_t U_z + h_{t-1} W_z + b_z)   candidate
        o_t = s(x_t U_o + h_{t-1} W_o + b_o)      output gate
        c_t = f_t * c_{t-1} + i_t * z_t           cell state
        n_t = f_t * n_{t-1} + i_t                 normaliser
        h_t = o_t * c_t / n_t                     hidden state

    with s the sigmoid, `kernel` U `(features, 4 units)`, `recurrent_kernel` W and
    `bias` b `(4 units,)`, gates in the order i, f, z, o. Each of the `heads` reads its
    own units of h alone: W is `(heads, units / heads, 4 units / heads)`. c and n are
    kept divided by exp(m_t), with m_t = max(log f_t + m_{t-1}, log i_t), which changes
    no h. States: h, c, n, m. `Zoneout` keeps h alone, since c, n and m belong together.

    Source: Beck et al., "xLSTM: Extended Long Short-Term Memory",
    https://arxiv.org/abs/2405.04517, section 2.2, with the sigmoid forget gate

    Args:
        units: Positive integer, size of the states.
        heads: Positive integer that divides `units`. Default: 1.
        recurrent_initializer: Of W. Default: `"glorot_uniform"`.
        **kwargs: As for `ElementwiseCell`: `use_bias`, and initializers, regularizers
            and constraints of kernel and bias.

    Call arguments:
        inputs: `(batch, features)`.
        states: List of the previous states, `(batch, units)` each.
        training: Without effect.

    Returns of a call: output `(batch, units)` and the list of the new states.

    Raises:
        ValueError: `heads` does not divide `units`.

    Example:

    >>> import keras
    >>> from recurra.layers import RNN, SLSTMCell
    >>> keras.ops.shape(RNN(SLSTMCell(8, heads=2))(keras.ops.ones((2, 5, 3))))
    (2, 8)
    """

    has_bounded_states = True
    zoneout_states = ("hidden",)

    def __init__(
        self,
        units: int,
        heads: int = 1,
        recurrent_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(units, heads, **kwargs)
        self.state_size = [units] * 4
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)

    def add_further_weights(self) -> None:
        size = self.units_of_head
        self.recurrent_kernel = self.add_weight(
            shape=(self.heads, size, 4 * size),
            name="recurrent_kernel",
            initializer=self.recurrent_initializer,
        )

    def products(self, inputs: Tensor) -> Tensor:
        return self.summed(inputs)

    def step(
        self, products: Tensor, states: list[Tensor], state_mask: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        hidden_state, cell_state, normaliser, scale = states
        take, forget, candidate, output = ops.split(
            products + self._from_state(hidden_state), 4, axis=-1
        )
        take, forget, scale = _gates_in_range(take, forget, scale, normaliser == 0)
        cell_state = forget * cell_state + take * ops.tanh(candidate)
        normaliser = forget * normaliser + take
        hidden_state = ops.sigmoid(output) * cell_state / normaliser
        return hidden_state, [hidden_state, cell_state, normaliser, scale]

    def _from_state(self, hidden_state: Tensor) -> Tensor:
        """`(batch, 4 units)`, gate by gate, and in a gate head by head."""
        if self.heads == 1:
            return read_by_gates(hidden_state, None, self.recurrent_kernel[0])
        size = self.units_of_head
        by_head = ops.reshape(hidden_state, (-1, self.heads, size))
        read = ops.einsum("bhu,hug->bhg", by_head, self.recurrent_kernel)
        read = ops.reshape(read, (-1, self.heads, 4, size))
        return ops.reshape(ops.transpose(read, (0, 2, 1, 3)), (-1, 4 * self.units))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "recurrent_initializer": keras.initializers.serialize(
                self.recurrent_initializer
            ),
        }


@keras.saving.register_keras_serializable(package="recurra")
class MLSTMCell(_ExponentialCell):
    """One step of the mLSTM of xLSTM, whose memory is a matrix (Beck et al. 2024).

        q_t = x_t U_q + b_q    k_t = (x_t U_k) / sqrt(d) + b_k    v_t = x_t U_v + b_v
        i_t = exp(x_t u_i + e_i)    f_t = s(x_t u_f + e_f)        one a head
        o_t = s(x_t U_o + b_o)                                    output gate
        C_t = f_t C_{t-1} + i_t v_t k_t^T                         memory
        n_t = f_t n_{t-1} + i_t k_t                               normaliser
        h_t = o_t * (C_t q_t) / max(|n_t . q_t|, 1)               output

    in each of the `heads`, with vectors of d = units / heads, s the sigmoid, `kernel` U
    `(features, 4 units)`, columns in the order q, k, v, o, `gate_kernel` u
    `(features, 2 heads)`, in the order i, f, and `bias` b `(4 units,)` and `gate_bias`
    e `(2 heads,)`. C and n are kept divided by exp(m_t), as in `SLSTMCell`. States: C
    as `(batch, heads * d * d)`, n `(batch, units)`, m `(batch, heads)`; h is no state.
    They belong together, so `Zoneout` has none to keep.

    Nothing is multiplied with h, so a layer that runs the cell bare computes chunks of
    steps at once, as attention does, and steps from chunk to chunk.

    Source: Beck et al., "xLSTM: Extended Long Short-Term Memory",
    https://arxiv.org/abs/2405.04517, section 2.3, with the sigmoid forget gate

    Args:
        units: Positive integer, size of the output.
        heads: Positive integer that divides `units`. Default: 1.
        **kwargs: As for `ElementwiseCell`: `use_bias`, and initializers, regularizers
            and constraints of kernels and biases.

    Call arguments:
        inputs: `(batch, features)`.
        states: List of the previous states.
        training: Without effect.

    Returns of a call: output `(batch, units)` and the list of the new states.

    Raises:
        ValueError: `heads` does not divide `units`.

    Example:

    >>> import keras
    >>> from recurra.layers import RNN, MLSTMCell
    >>> keras.ops.shape(RNN(MLSTMCell(8, heads=2))(keras.ops.ones((2, 5, 3))))
    (2, 8)
    """

    has_bounded_states = True
    reads_state = False
    zoneout_states = ()
    # Steps computed at once.
    chunk = 32

    def __init__(self, units: int, heads: int = 1, **kwargs: Any) -> None:
        super().__init__(units, heads, **kwargs)
        size = self.units_of_head
        self.state_size = [heads * size * size, units, heads]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        self.gate_kernel = self.add_weight(
            shape=(input_shape[-1], 2 * self.heads),
            name="gate_kernel",
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.gate_bias = None
        if self.use_bias:
            self.gate_bias = self.add_weight(
                shape=(2 * self.heads,),
                name="gate_bias",
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def products(self, inputs: Tensor) -> Tensor:
        query, key, value, output = ops.split(
            ops.matmul(inputs, self.kernel), 4, axis=-1
        )
        gates = ops.matmul(inputs, self.gate_kernel)
        summed = [query, key / self.units_of_head**0.5, value, output]
        together = ops.concatenate(summed, axis=-1)
        if self.bias is not None:
            together, gates = together + self.bias, gates + self.gate_bias
        return ops.concatenate([together, gates], axis=-1)

    def step(
        self, products: Tensor, states: list[Tensor], state_mask: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        query, key, value, output, take, forget = self._parts(products)
        memory, normaliser, scale = self._by_head(states)
        is_fresh = _is_empty(memory, normaliser)
        take, forget, scale = _gates_in_range(take, forget, scale, is_fresh)
        written = ops.expand_dims(value, -1) * ops.expand_dims(key, -2)
        take, forget = ops.expand_dims(take, -1), ops.expand_dims(forget, -1)
        memory = forget[..., None] * memory + take[..., None] * written
        normaliser = forget * normaliser + take * key
        found = ops.squeeze(ops.matmul(memory, ops.expand_dims(query, -1)), -1)
        size = ops.abs(ops.sum(normaliser * query, axis=-1))
        found = found / ops.expand_dims(ops.maximum(size, _least_size(scale)), -1)
        return self._let_out(output, found), self._flat([memory, normaliser, scale])

    def all_steps(
        self, products: Tensor, states: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Outputs `(batch, time, units)` of all steps, and the last states.

        Within a chunk, step t finds what step s wrote, of s <= t, by the weight
        f_{s+1} ... f_t i_s, and what stood in the memory before by f_1 ... f_t.
        """
        outputs = []
        for start in range(0, products.shape[1], self.chunk):
            chunk = products[:, start : start + self.chunk]
            output, states = self._chunk(chunk, states)
            outputs.append(output)
        return ops.concatenate(outputs, axis=1), states

    def _chunk(
        self, products: Tensor, states: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        *vectors, output, take, forget = self._parts(products)
        query, key, value = (ops.transpose(part, (0, 2, 1, 3)) for part in vectors)
        memory, normaliser, scale = self._by_head(states)
        take = ops.transpose(take, (0, 2, 1))
        kept = ops.cumsum(ops.log_sigmoid(ops.transpose(forget, (0, 2, 1))), axis=-1)

        # Logarithms of the weights: (batch, heads, t, s), and of what stood before.
        steps = ops.arange(products.shape[1])
        written = kept[..., None] - kept[:, :, None] + take[:, :, None]
        written = ops.where(steps[:, None] >= steps, written, _NEVER)
        is_fresh = _is_empty(memory, normaliser)[..., None]
        before = ops.where(is_fresh, _NEVER, kept + scale[..., None])
        # Without `initial` Keras on TensorFlow refuses an empty batch.
        scales = ops.maximum(ops.max(written, axis=-1, initial=_NEVER), before)
        written = ops.exp(written - scales[..., None])
        before = ops.exp(before - scales)

        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) * written
        found = ops.matmul(scores, value)
        found = found + before[..., None] * ops.einsum("bhtk,bhvk->bhtv", query, memory)
        size = ops.sum(scores, axis=-1)
        size = size + before * ops.einsum("bhtk,bhk->bht", query, normaliser)
        found = found / ops.maximum(ops.abs(size), _least_size(scales))[..., None]

        last, left = written[:, :, -1], before[:, :, -1, None]
        memory = left[..., None] * memory + ops.einsum(
            "bhs,bhsv,bhsk->bhvk", last, value, key
        )
        normaliser = left * normaliser + ops.einsum("bhs,bhsk->bhk", last, key)
        outputs = self._let_out(output, ops.transpose(found, (0, 2, 1, 3)))
        return outputs, self._flat([memory, normaliser, scales[:, :, -1]])

    def _parts(self, products: Tensor) -> list[Tensor]:
        """q, k and v `(..., heads, d)`, o `(..., units)`, i and f `(..., heads)`."""
        units, heads = self.units, self.heads
        ends = [units, 2 * units, 3 * units, 4 * units, 4 * units + heads]
        *vectors, output, take, forget = ops.split(products, ends, axis=-1)
        shape = (*ops.shape(products)[:-1], heads, self.units_of_head)
        return [*(ops.reshape(part, shape) for part in vectors), output, take, forget]

    def _by_head(self, states: list[Tensor]) -> list[Tensor]:
        size = self.units_of_head
        shapes = [(self.heads, size, size), (self.heads, size), (self.heads,)]
        return [
            ops.reshape(state, (-1, *shape))
            for state, shape in zip(states, shapes, strict=True)
        ]

    def _flat(self, states: list[Tensor]) -> list[Tensor]:
        return [
            ops.reshape(state, (-1, size))
            for state, size in zip(states, self.state_size, strict=True)
        ]

    def _let_out(self, output: Tensor, found: Tensor) -> Tensor:
        return ops.sigmoid(output) * ops.reshape(found, ops.shape(output))


@keras.saving.register_keras_serializable(package="recurra")
class SLSTM(LayerOfCell):
    """`SLSTMCell` over a sequence, regularised on request.

    Args:
        units: Positive integer, size of the states.
        dropout, recurrent_dropout, output_dropout, zoneout_hidden, weight_dropout:
            Rates in `[0, 1)`, as for `LSTM`.
        **kwargs: Those of `SLSTMCell` and of `RNN`.

    Call arguments, output shape: As for `RNN`.

    Example:

    >>> import keras
    >>> from recurra.layers import SLSTM
    >>> keras.ops.shape(SLSTM(8, heads=2)(keras.ops.ones((2, 5, 3))))
    (2, 8)
    """

    cell_class = SLSTMCell
    rates = (
        "dropout",
        "recurrent_dropout",
        "output_dropout",
        "zoneout_hidden",
        "weight_dropout",
    )


@keras.saving.register_keras_serializable(package="recurra")
class MLSTM(LayerOfCell):
    """`MLSTMCell` over a sequence, regularised on request.

    Args:
        units: Positive integer, size of the output.
        dropout, output_dropout: Rates in `[0, 1)`, as for `LSTM`.
        **kwargs: Those of `MLSTMCell` and of `RNN`.

    Call arguments, output shape: As for `RNN`.

    Example:

    >>> import keras
    >>> from recurra.layers import MLSTM
    >>> keras.ops.shape(MLSTM(8, heads=2)(keras.ops.ones((2, 5, 3))))
    (2, 8)
    """

    cell_class = MLSTMCell
    rates = ("dropout", "output_dropout")
