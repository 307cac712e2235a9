"""The vanilla recurrence: cell and layer."""

from __future__ import annotations

from typing import Any

import keras

from .recurrent_layer import OfCell, RecurrentLayer, without_dropout


@keras.saving.register_keras_serializable(package="recurra")
class VanillaRNNCell(keras.layers.SimpleRNNCell):
    """One step of the vanilla recurrence (Elman 1990).

        h_t = f(x_t U + h_{t-1} W + b)

    with `kernel` U `(features, units)`, `recurrent_kernel` W `(units, units)` and
    `bias` b `(units,)`, as in `keras.layers.SimpleRNNCell`: weights interchange both
    ways. The cell draws no noise; wrap it in `VariationalDropout` or `Zoneout`.

    Source: Elman, "Finding Structure in Time", 1990.

    Args:
        units: Positive integer, size of the hidden state.
        activation: f. Default: `"tanh"`; `None` for the identity.
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
        kernel_regularizer, recurrent_regularizer, bias_regularizer,
        kernel_constraint, recurrent_constraint, bias_constraint: As for
            `keras.layers.SimpleRNNCell`.
        **kwargs: As for `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, features)`.
        states: List of the previous hidden state, `(batch, units)`.
        training: Without effect.

    Returns of a call: output `(batch, units)` and the list of the new state.

    Example:

    >>> import keras
    >>> from recurra.layers import RNN, VanillaRNNCell
    >>> keras.ops.shape(RNN(VanillaRNNCell(8))(keras.ops.ones((2, 5, 3))))
    (2, 8)
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            **without_dropout(kwargs),
        )

    def get_config(self) -> dict[str, Any]:
        return without_dropout(super().get_config())


@keras.saving.register_keras_serializable(package="recurra")
class VanillaRNN(RecurrentLayer):
    """The vanilla recurrence over a sequence, regularised on request.

        h_t = f(x_t U + h_{t-1} W + b)

    Takes the place of `keras.layers.SimpleRNN`: every argument of it has the same
    meaning and default, and weights interchange both ways. The further arguments are
    shorthand for wrapping the cell:

        VanillaRNN(units, dropout=p, recurrent_dropout=q, output_dropout=r)
        = RNN(VariationalDropout(VanillaRNNCell(units), p, q, r))

        VanillaRNN(units, recurrent_dropout=q, zoneout_hidden=z, output_dropout=r)
        = RNN(VariationalDropout(
              Zoneout(VariationalDropout(VanillaRNNCell(units), 0, q), z),
              output_dropout=r))

    Source: Elman, "Finding Structure in Time", 1990; of the regularisers, see
    `VariationalDropout` and `Zoneout`.

    Args:
        units: Positive integer, size of the hidden state.
        activation: f. Default: `"tanh"`; `None` for the identity.
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
        kernel_regularizer, recurrent_regularizer, bias_regularizer,
        activity_regularizer, kernel_constraint, recurrent_constraint,
        bias_constraint: As for `keras.layers.SimpleRNN`.
        dropout, recurrent_dropout: Rates in `[0, 1)` of variational dropout of the
            input and of the hidden state. Default: 0.
        return_sequences, return_state, go_backwards, stateful, unroll: As for
            `keras.layers.SimpleRNN`.
        seed: Integer seed of all noise of the layer, or `None` for a fresh one.
        output_dropout: Rate in `[0, 1)` of variational dropout of the output.
        zoneout_hidden: Rate in `[0, 1)` of zoneout of the hidden state.
        **kwargs: As for `keras.layers.RNN`.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: List of the initial hidden state. Default: zeros.
        mask: Boolean `(batch, time)`, false at padded steps.
        training: Whether to draw noise.

    Output shape: `(batch, units)`, with `return_sequences` `(batch, time, units)`;
    with `return_state` followed by the last state, `(batch, units)`.

    Example:

    >>> import keras
    >>> from recurra.layers import VanillaRNN
    >>> layer = VanillaRNN(8, recurrent_dropout=0.2, return_sequences=True)
    >>> keras.ops.shape(layer(keras.ops.ones((2, 5, 3)), training=True))
    (2, 5, 8)
    """

    units = OfCell()
    activation = OfCell()
    use_bias = OfCell()
    kernel_initializer = OfCell()
    recurrent_initializer = OfCell()
    bias_initializer = OfCell()
    kernel_regularizer = OfCell()
    recurrent_regularizer = OfCell()
    bias_regularizer = OfCell()
    kernel_constraint = OfCell()
    recurrent_constraint = OfCell()
    bias_constraint = OfCell()

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        *,
        output_dropout: float = 0.0,
        zoneout_hidden: float = 0.0,
        **kwargs: Any,
    ) -> None:
        cell = VanillaRNNCell(
            units,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            name="vanilla_rnn_cell",
        )
        super().__init__(
            cell,
            shorthand={
                "dropout": dropout,
                "recurrent_dropout": recurrent_dropout,
                "output_dropout": output_dropout,
                "zoneout_hidden": zoneout_hidden,
            },
            activity_regularizer=activity_regularizer,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            seed=seed,
            **kwargs,
        )
