"""The real-gated linear recurrent unit: cell and layer."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from .elementwise_cell import LinearCell
from .recurrent_layer import LayerOfCell
from .regulariser import Tensor

# c of the paper.
_SHARPNESS = 8.0


@keras.saving.register_keras_serializable(package="recurra")
class RGLRUCell(LinearCell):
    """One step of a real-gated linear recurrent unit (De et al. 2024).

        r_t = s(x_t W_r + b_r)    i_t = s(x_t W_i + b_i)    gates
        a_t = s(L)^(8 r_t)                               decay
        h_t = a_t * h_{t-1} + sqrt(1 - a_t^2) * (i_t * x_t)

    with s the sigmoid, `gate_kernel` W `(units, 2 units)`, `decay` L `(units,)` and
    `bias` b `(2 units,)`, gates in the order r, i. Where features and units differ, it
    reads x_t U instead of x_t, with `kernel` U `(features, units)`, the first of the
    weights: the paper's recurrent block has such a layer before this unit. L starts so
    that s(L)^8 is uniform in [0.9, 0.999], as in the paper. Its code has block-diagonal
    W; here W is whole, as in its equations. a_t and the steps of the layer are computed
    in float32 at least, since bfloat16 has no number between 0.996 and 1.

    Source: De et al., "Griffin: Mixing Gated Linear Recurrences with Local Attention
    for Efficient Language Models", https://arxiv.org/abs/2402.19427, section 2.4

    Args:
        units: Positive integer, size of the hidden state.
        **kwargs: As for `ElementwiseCell`: `use_bias`, and initializers, regularizers
            and constraints of both kernels and of the bias.

    Call arguments:
        inputs: `(batch, features)`.
        states: List of the previous hidden state, `(batch, units)`.
        training: Without effect.

    Returns of a call: output `(batch, units)` and the list of the new state.

    Example:

    >>> import keras
    >>> from recurra.layers import RNN, RGLRUCell
    >>> keras.ops.shape(RNN(RGLRUCell(8))(keras.ops.ones((2, 5, 3))))
    (2, 8)
    """

    blocks = 2
    has_bounded_states = True
    products = LinearCell.products

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.kernel = None
        if input_shape[-1] != self.units:
            self.kernel = self.add_kernel("kernel", input_shape[-1], 1)
        self.gate_kernel = self.add_kernel("gate_kernel", self.units, self.blocks)
        self.decay = self.add_weight(
            shape=(self.units,), name="decay", initializer=_long_memory
        )
        self.bias = self.add_bias(self.blocks) if self.use_bias else None

    def coefficients(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        read = inputs if self.kernel is None else ops.matmul(inputs, self.kernel)
        gates = ops.matmul(read, self.gate_kernel)
        if self.bias is not None:
            gates = gates + self.bias
        # A decay near 1 is none in the dtypes of mixed precision.
        dtype = keras.backend.result_type(self.compute_dtype, "float32")
        reset, take = ops.split(ops.cast(ops.sigmoid(gates), dtype), 2, axis=-1)
        decay = ops.cast(self.decay, dtype)
        log_decay = reset * (_SHARPNESS * ops.log_sigmoid(decay))
        # 1 - a^2 for any a, near 1 too; TensorFlow has no fast `expm1`. Above zero,
        # where the root has a slope.
        squashed = ops.tanh(log_decay)
        rest = 2 * squashed / (squashed - 1) + 1e-12
        return ops.exp(log_decay), ops.sqrt(rest) * (take * ops.cast(read, dtype))


@keras.saving.register_keras_serializable(package="recurra")
class RGLRU(LayerOfCell):
    """`RGLRUCell` over a sequence, regularised on request.

    Args:
        units: Positive integer, size of the hidden state.
        dropout, output_dropout, zoneout_hidden: Rates in `[0, 1)`, as for `GRU`.
        **kwargs: Those of `RGLRUCell` and of `RNN`.

    Call arguments, output shape: As for `RNN`.

    Example:

    >>> import keras
    >>> from recurra.layers import RGLRU
    >>> keras.ops.shape(RGLRU(8)(keras.ops.ones((2, 5, 3))))
    (2, 8)
    """

    cell_class = RGLRUCell
    rates = ("dropout", "output_dropout", "zoneout_hidden")


def _long_memory(shape: tuple[int, ...], dtype: Any = None) -> Tensor:
    decay = keras.random.uniform(shape, 0.9, 0.999, dtype=dtype) ** (1 / _SHARPNESS)
    return ops.log(decay / (1 - decay))
