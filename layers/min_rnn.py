"""Minimal gated recurrences, whose gates read the input alone: cells and layers."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from .elementwise_cell import LinearCell
from .recurrent_layer import LayerOfCell
from .regulariser import Tensor


class _MinCell(LinearCell):
    """A minimal cell with the activation of its candidate."""

    def __init__(self, units: int, activation: Any = None, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.activation = keras.activations.get(activation)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "activation": keras.activations.serialize(self.activation),
        }


@keras.saving.register_keras_serializable(package="recurra")
class MinGRUCell(_MinCell):
    """One step of a minimal gated recurrent unit (Feng et al. 2024).

        z_t = s(x_t U_z + b_z)                  update gate
        g_t = a(x_t U_h + b_h)                  candidate
        h_t = (1 - z_t) * h_{t-1} + z_t * g_t

    with s the sigmoid, `kernel` U `(features, 2 units)` and `bias` b `(2 units,)`,
    columns in the order z, h. Nothing is multiplied with the state, so all products
    are formed before the loop, and the loop is one product and one sum, element by
    element. `VariationalDropout` has nothing of the state to mask.

    Source: Feng et al., "Were RNNs All We Needed?", https://arxiv.org/abs/2410.01201,
    section 3.1. Its version in log space is another function, with a candidate that is
    never negative.

    Args:
        units: Positive integer, size of the hidden state.
        activation: a. Default: `None`, the identity, as in the paper.
        **kwargs: As for `ElementwiseCell`: `use_bias`, and initializers, regularizers
            and constraints of kernel and bias.

    Call arguments:
        inputs: `(batch, features)`.
        states: List of the previous hidden state, `(batch, units)`.
        training: Without effect.

    Returns of a call: output `(batch, units)` and the list of the new state.

    Example:

    >>> import keras
    >>> from recurra.layers import RNN, MinGRUCell
    >>> keras.ops.shape(RNN(MinGRUCell(8))(keras.ops.ones((2, 5, 3))))
    (2, 8)
    """

    blocks = 2
    has_bounded_states = True
    products = LinearCell.products

    def coefficients(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        update, candidate = ops.split(self.summed(inputs), 2, axis=-1)
        update = ops.sigmoid(update)
        return 1 - update, update * self.activation(candidate)


@keras.saving.register_keras_serializable(package="recurra")
class MinLSTMCell(_MinCell):
    """One step of a minimal long short-term memory (Feng et al. 2024).

        f_t = s(x_t U_f + b_f)    i_t = s(x_t U_i + b_i)    gates
        g_t = a(x_t U_h + b_h)                              candidate
        h_t = (f_t * h_{t-1} + i_t * g_t) / (f_t + i_t)

    with s the sigmoid, `kernel` U `(features, 3 units)` and `bias` b `(3 units,)`,
    columns in the order f, i, h. There is no cell state beside h. As `MinGRUCell`, it
    multiplies nothing with the state.

    Source: Feng et al., "Were RNNs All We Needed?", https://arxiv.org/abs/2410.01201,
    section 3.2, with the gates normalised as for a scale that does not depend on time.

    Args:
        units: Positive integer, size of the hidden state.
        activation: a. Default: `None`, the identity, as in the paper.
        **kwargs: As for `MinGRUCell`.

    Call arguments:
        inputs: `(batch, features)`.
        states: List of the previous hidden state, `(batch, units)`.
        training: Without effect.

    Returns of a call: output `(batch, units)` and the list of the new state.

    Example:

    >>> import keras
    >>> from recurra.layers import RNN, MinLSTMCell
    >>> keras.ops.shape(RNN(MinLSTMCell(8))(keras.ops.ones((2, 5, 3))))
    (2, 8)
    """

    blocks = 3
    has_bounded_states = True
    products = LinearCell.products

    def coefficients(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        forget, take, candidate = ops.split(self.summed(inputs), 3, axis=-1)
        # f / (f + i) from the logarithms of the gates, which are never both zero.
        forget = ops.sigmoid(ops.log_sigmoid(forget) - ops.log_sigmoid(take))
        return forget, (1 - forget) * self.activation(candidate)


@keras.saving.register_keras_serializable(package="recurra")
class MinGRU(LayerOfCell):
    """`MinGRUCell` over a sequence, regularised on request.

    Args:
        units: Positive integer, size of the hidden state.
        dropout, output_dropout, zoneout_hidden: Rates in `[0, 1)`, as for `GRU`.
        **kwargs: Those of `MinGRUCell` and of `RNN`.

    Call arguments, output shape: As for `RNN`.

    Example:

    >>> import keras
    >>> from recurra.layers import MinGRU
    >>> layer = MinGRU(8, dropout=0.2, zoneout_hidden=0.1, return_sequences=True)
    >>> keras.ops.shape(layer(keras.ops.ones((2, 5, 3)), training=True))
    (2, 5, 8)
    """

    cell_class = MinGRUCell
    rates = ("dropout", "output_dropout", "zoneout_hidden")


@keras.saving.register_keras_serializable(package="recurra")
class MinLSTM(LayerOfCell):
    """`MinLSTMCell` over a sequence, regularised on request.

    Args:
        units: Positive integer, size of the hidden state.
        dropout, output_dropout, zoneout_hidden: Rates in `[0, 1)`, as for `GRU`.
        **kwargs: Those of `MinLSTMCell` and of `RNN`.

    Call arguments, output shape: As for `RNN`.

    Example:

    >>> import keras
    >>> from recurra.layers import MinLSTM
    >>> keras.ops.shape(MinLSTM(8)(keras.ops.ones((2, 5, 3))))
    (2, 8)
    """

    cell_class = MinLSTMCell
    rates = ("dropout", "output_dropout", "zoneout_hidden")
