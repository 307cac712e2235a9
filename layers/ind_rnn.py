"""The independently recurrent network: cell and layer."""

from __future__ import annotations

from typing import Any

import keras

from .activations import are_bounded
from .elementwise_cell import ElementwiseCell
from .recurrent_layer import LayerOfCell
from .regulariser import Tensor


@keras.saving.register_keras_serializable(package="recurra")
class IndRNNCell(ElementwiseCell):
    """One step of an independently recurrent network (Li et al. 2018).

        h_t = f(x_t U + w * h_{t-1} + b)

    with `kernel` U `(features, units)`, `recurrent_kernel` w `(units,)` and `bias` b
    `(units,)`: a unit reads its own state alone. Over n steps its gradient is scaled by
    w^n times slopes of f, so |w| is to stay near 1: pass as `recurrent_constraint` a
    `keras.constraints.Constraint` that clips w. Those of Keras bound the norm of w as a
    whole, and no single |w|.

    Source: Li et al., "Independently Recurrent Neural Network (IndRNN): Building A
    Longer and Deeper RNN", https://arxiv.org/abs/1803.04831

    Args:
        units: Positive integer, size of the hidden state.
        activation: f. Default: `"relu"`, as in the paper.
        recurrent_initializer: Of w. Default: uniform in [0, 1], as in the paper.
        recurrent_regularizer, recurrent_constraint: Of w.
        **kwargs: As for `ElementwiseCell`: `use_bias`, and initializers, regularizers
            and constraints of kernel and bias.

    Call arguments:
        inputs: `(batch, features)`.
        states: List of the previous hidden state, `(batch, units)`.
        training: Without effect.

    Returns of a call: output `(batch, units)` and the list of the new state.

    Example:

    >>> import keras
    >>> from recurra.layers import RNN, IndRNNCell
    >>> keras.ops.shape(RNN(IndRNNCell(8))(keras.ops.ones((2, 5, 3))))
    (2, 8)
    """

    blocks = 1

    def __init__(
        self,
        units: int,
        activation: Any = "relu",
        recurrent_initializer: Any = None,
        recurrent_regularizer: Any = None,
        recurrent_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        self.activation = keras.activations.get(activation)
        if recurrent_initializer is None:
            recurrent_initializer = keras.initializers.RandomUniform(0.0, 1.0)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.recurrent_regularizer = keras.regularizers.get(recurrent_regularizer)
        self.recurrent_constraint = keras.constraints.get(recurrent_constraint)

    @property
    def has_bounded_states(self) -> bool:
        return are_bounded(self)

    def add_further_weights(self) -> None:
        self.recurrent_kernel = self.add_weight(
            shape=(self.units,),
            name="recurrent_kernel",
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )

    def products(self, inputs: Tensor) -> Tensor:
        return self.summed(inputs)

    def step(
        self, products: Tensor, states: list[Tensor], state_mask: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        state = self.activation(products + self.recurrent_kernel * states[0])
        return state, [state]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "activation": keras.activations.serialize(self.activation),
            "recurrent_initializer": keras.initializers.serialize(
                self.recurrent_initializer
            ),
            "recurrent_regularizer": keras.regularizers.serialize(
                self.recurrent_regularizer
            ),
            "recurrent_constraint": keras.constraints.serialize(
                self.recurrent_constraint
            ),
        }


@keras.saving.register_keras_serializable(package="recurra")
class IndRNN(LayerOfCell):
    """`IndRNNCell` over a sequence, regularised on request.

    Args:
        units: Positive integer, size of the hidden state.
        dropout, recurrent_dropout, output_dropout, zoneout_hidden, weight_dropout:
            Rates in `[0, 1)`, as for `VanillaRNN`.
        **kwargs: Those of `IndRNNCell` and of `RNN`.

    Call arguments, output shape: As for `RNN`.

    Example:

    >>> import keras
    >>> from recurra.layers import IndRNN
    >>> keras.ops.shape(IndRNN(8)(keras.ops.ones((2, 5, 3))))
    (2, 8)
    """

    cell_class = IndRNNCell
    rates = (
        "dropout",
        "recurrent_dropout",
        "output_dropout",
        "zoneout_hidden",
        "weight_dropout",
    )
