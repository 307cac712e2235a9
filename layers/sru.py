"""The simple recurrent unit: cell and layer."""

from __future__ import annotations

import keras
from keras import ops

from .elementwise_cell import ElementwiseCell
from .recurrent_layer import LayerOfCell
from .regulariser import Tensor


@keras.saving.register_keras_serializable(package="recurra")
class SRUCell(ElementwiseCell):
    """One step of a simple recurrent unit (Lei et al. 2018).

        f_t = s(x_t U_f + v_f * c_{t-1} + b_f)      forget gate
        c_t = f_t * c_{t-1} + (1 - f_t) * x_t U_c   cell state
        r_t = s(x_t U_r + v_r * c_{t-1} + b_r)      reset gate
        h_t = r_t * c_t + (1 - r_t) * x_t           output

    with s the sigmoid, `kernel` U `(features, 3 units)`, columns in the order f, r, c,
    `recurrent_kernel` v `(2 units,)` and `bias` b `(2 units,)`, both in the order f, r.
    Where features and units differ, the last term reads x_t U_x instead of x_t, and
    the kernel has `units` further columns. The one state is c. A mask of the state
    meets what is multiplied with v, and not what is carried on.

    Source: Lei et al., "Simple Recurrent Units for Highly Parallelizable Recurrence",
    https://arxiv.org/abs/1709.02755, section 3, without the scaling of x_t.

    Args:
        units: Positive integer, size of the cell state and the output.
        **kwargs: As for `ElementwiseCell`: `use_bias`, and initializers, regularizers
            and constraints of kernel and bias. v starts uniform in [-sqrt(3), sqrt(3)].

    Call arguments:
        inputs: `(batch, features)`.
        states: List of the previous cell state, `(batch, units)`.
        training: Without effect.
        input_mask: `(batch, features)`, multiplied with the input, or `None`.
        state_mask: `(batch, units)`, the same for the state that the gates read.

    Returns of a call: output `(batch, units)` and the list of the new state.

    Example:

    >>> import keras
    >>> from recurra.layers import RNN, SRUCell
    >>> keras.ops.shape(RNN(SRUCell(8))(keras.ops.ones((2, 5, 3))))
    (2, 8)
    """

    blocks = 3
    has_bounded_states = True
    takes_tied_masks = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self._projects = input_shape[-1] != self.units
        self.kernel = self.add_kernel("kernel", input_shape[-1], 3 + self._projects)
        self.recurrent_kernel = self.add_weight(
            shape=(2 * self.units,),
            name="recurrent_kernel",
            initializer=keras.initializers.RandomUniform(-(3**0.5), 3**0.5),
        )
        self.bias = self.add_bias(2) if self.use_bias else None

    def products(self, inputs: Tensor) -> Tensor:
        products = ops.matmul(inputs, self.kernel)
        if self.bias is not None:
            gates, others = ops.split(products, [2 * self.units], axis=-1)
            products = ops.concatenate([gates + self.bias, others], axis=-1)
        if self._projects:
            return products
        return ops.concatenate([products, inputs], axis=-1)

    def step(
        self, products: Tensor, states: list[Tensor], state_mask: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        (cell_state,) = states
        read = cell_state if state_mask is None else cell_state * state_mask
        gates, candidate, passed = ops.split(
            products, [2 * self.units, 3 * self.units], axis=-1
        )
        read = ops.concatenate([read, read], axis=-1)
        gates = ops.sigmoid(gates + self.recurrent_kernel * read)
        forget, reset = ops.split(gates, 2, axis=-1)
        cell_state = forget * cell_state + (1 - forget) * candidate
        return reset * cell_state + (1 - reset) * passed, [cell_state]

    def call(
        self,
        inputs: Tensor,
        states: list[Tensor],
        training: bool | None = False,
        input_mask: Tensor | None = None,
        state_mask: Tensor | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        if input_mask is not None:
            inputs = inputs * input_mask
        return self.step(self.products_of(inputs), states, state_mask)


@keras.saving.register_keras_serializable(package="recurra")
class SRU(LayerOfCell):
    """`SRUCell` over a sequence, regularised on request.

    Args:
        units: Positive integer, size of the cell state and the output.
        dropout, recurrent_dropout, output_dropout, zoneout_hidden: Rates in `[0, 1)`;
            `recurrent_dropout` masks what the gates read of the cell state, which
            `zoneout_hidden` keeps.
        **kwargs: Those of `SRUCell` and of `RNN`.

    Call arguments, output shape: As for `RNN`.

    Example:

    >>> import keras
    >>> from recurra.layers import SRU
    >>> keras.ops.shape(SRU(8)(keras.ops.ones((2, 5, 3))))
    (2, 8)
    """

    cell_class = SRUCell
    rates = ("dropout", "recurrent_dropout", "output_dropout", "zoneout_hidden")
