"""Long short-term memory: cell and layer."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from .recurrent_layer import OfCell, RecurrentLayer, without_dropout
from .regulariser import CellNoise, Tensor, wrappers_of


@keras.saving.register_keras_serializable(package="recurra")
class LSTMCell(keras.layers.LSTMCell):
    """One step of long short-term memory (Hochreiter and Schmidhuber 1997).

        i_t = s(x_t U_i + h_{t-1} W_i + b_i)      input gate
        f_t = s(x_t U_f + h_{t-1} W_f + b_f)      forget gate
        g_t = a(x_t U_c + h_{t-1} W_c + b_c)      candidate
        o_t = s(x_t U_o + h_{t-1} W_o + b_o)      output gate
        c_t = f_t * c_{t-1} + i_t * g_t           cell state
        h_t = o_t * a(c_t)                        hidden state

    with `kernel` U `(features, 4 units)`, `recurrent_kernel` W `(units, 4 units)` and
    `bias` b `(4 units,)`, gates in the order i, f, c, o, as in
    `keras.layers.LSTMCell`: weights interchange both ways. The cell draws no noise;
    wrap it in `VariationalDropout` or `Zoneout`.

    Source: Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997, with the
    forget gate of Gers et al., "Learning to Forget", 2000.

    Args:
        units: Positive integer, size of hidden and cell state.
        activation: a. Default: `"tanh"`; `None` for the identity.
        recurrent_activation: s. Default: `"sigmoid"`; `None` for the identity.
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
        unit_forget_bias, kernel_regularizer, recurrent_regularizer, bias_regularizer,
        kernel_constraint, recurrent_constraint, bias_constraint: As for
            `keras.layers.LSTMCell`.
        implementation: 1 computes gate by gate, 2 (default) all gates in one product.
            The numbers are the same.
        **kwargs: As for `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, features)`.
        states: Previous hidden state and cell state, `(batch, units)` each.
        training: Without effect.
        input_mask: `(batch, 4, features)`, multiplied with the input that each gate
            reads, gates in the order i, f, c, o.
        state_mask: `(batch, 4, units)`, the same for the hidden state.

    Returns of a call: output `(batch, units)` and the list of the new states.

    Example:

    >>> import keras
    >>> from recurra.layers import LSTMCell, RNN
    >>> keras.ops.shape(RNN(LSTMCell(8))(keras.ops.ones((2, 5, 3))))
    (2, 8)
    """

    gates = 4

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        implementation: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            unit_forget_bias=unit_forget_bias,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            implementation=implementation,
            **without_dropout(kwargs),
        )

    def call(
        self,
        inputs: Tensor,
        states: list[Tensor],
        training: bool | None = False,
        input_mask: Tensor | None = None,
        state_mask: Tensor | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        if input_mask is None and state_mask is None:
            return super().call(inputs, states, training=training)

        hidden_state, cell_state = states
        from_input = self._read_by_gates(inputs, input_mask, self.kernel)
        from_state = self._read_by_gates(
            hidden_state, state_mask, self.recurrent_kernel
        )
        gates = from_input + from_state
        if self.use_bias:
            gates = gates + self.bias
        i, f, g, o = ops.split(gates, self.gates, axis=-1)
        new_cell_state = self.recurrent_activation(
            f
        ) * cell_state + self.recurrent_activation(i) * self.activation(g)
        new_hidden_state = self.recurrent_activation(o) * self.activation(
            new_cell_state
        )
        return new_hidden_state, [new_hidden_state, new_cell_state]

    def get_config(self) -> dict[str, Any]:
        return {
            **without_dropout(super().get_config()),
            "implementation": self.implementation,
        }

    def _read_by_gates(self, values: Tensor, mask: Tensor, kernel: Tensor) -> Tensor:
        """`(batch, 4 units)`: what each gate reads of values through its own mask."""
        if mask is None:
            return ops.matmul(values, kernel)
        return ops.concatenate(
            [
                ops.matmul(values * mask[:, gate], kernel_of_gate)
                for gate, kernel_of_gate in enumerate(
                    ops.split(kernel, self.gates, axis=-1)
                )
            ],
            axis=-1,
        )


@keras.saving.register_keras_serializable(package="recurra")
class LSTM(RecurrentLayer):
    """Long short-term memory over a sequence, regularised on request.

        i, f, o = s(x_t U + h_{t-1} W + b)    g_t = a(x_t U_c + h_{t-1} W_c + b_c)
        c_t = f_t * c_{t-1} + i_t * g_t       h_t = o_t * a(c_t)

    Takes the place of `keras.layers.LSTM`: every argument of it has the same meaning
    and default, and weights interchange both ways. The further arguments are shorthand
    for wrapping the cell:

        LSTM(units, dropout=p, recurrent_dropout=q, output_dropout=r)
        = RNN(VariationalDropout(LSTMCell(units), p, q, r))

        LSTM(units, dropout=p, zoneout_hidden=y, zoneout_cell=z, output_dropout=r)
        = RNN(VariationalDropout(
              Zoneout(VariationalDropout(LSTMCell(units), p), y, z),
              output_dropout=r))

    The fused kernel (cuDNN) is used where a backend has one and

    1. no noise acts within the recurrence: no zoneout at all, and in training neither
       `recurrent_dropout` nor untied input masks; `dropout` and `output_dropout` by
       tied masks act outside of it;
    2. no mask is given, or `use_cudnn=True` vouches for masks that are right-padded
       and leave at least one step of every sequence;
    3. `keras.layers.LSTM` would use it for the same activations, bias and `unroll`.

    Source: Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; of the
    regularisers, see `VariationalDropout` and `Zoneout`.

    Args:
        units: Positive integer, size of hidden and cell state.
        activation: a. Default: `"tanh"`; `None` for the identity.
        recurrent_activation: s. Default: `"sigmoid"`; `None` for the identity.
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
        unit_forget_bias, kernel_regularizer, recurrent_regularizer, bias_regularizer,
        activity_regularizer, kernel_constraint, recurrent_constraint,
        bias_constraint: As for `keras.layers.LSTM`.
        dropout, recurrent_dropout: Rates in `[0, 1)` of variational dropout of the
            input and of the hidden state. Default: 0.
        seed: Integer seed of all noise of the layer, or `None` for a fresh one.
        return_sequences, return_state, go_backwards, stateful, unroll: As for
            `keras.layers.LSTM`.
        use_cudnn: `"auto"` (default) for the fused kernel where the list above allows
            it, `False` for never, `True` to raise a `ValueError` where it cannot be
            used.
        implementation: As for `LSTMCell`.
        output_dropout: Rate in `[0, 1)` of variational dropout of the output.
        tied_masks: Whether the gates share the masks on input and hidden state
            (default), or each has its own.
        zoneout_hidden, zoneout_cell: Rates in `[0, 1)` of zoneout of hidden state and
            cell state. Default: 0.
        **kwargs: As for `keras.layers.RNN`.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: List of initial hidden and cell state. Default: zeros.
        mask: Boolean `(batch, time)`, false at padded steps.
        training: Whether to draw noise.

    Output shape: `(batch, units)`, with `return_sequences` `(batch, time, units)`;
    with `return_state` followed by the last hidden and cell state, `(batch, units)`.

    Example:

    >>> import keras
    >>> from recurra.layers import LSTM
    >>> layer = LSTM(8, recurrent_dropout=0.2, zoneout_cell=0.1, return_sequences=True)
    >>> keras.ops.shape(layer(keras.ops.ones((2, 5, 3)), training=True))
    (2, 5, 8)
    """

    units = OfCell()
    activation = OfCell()
    recurrent_activation = OfCell()
    use_bias = OfCell()
    kernel_initializer = OfCell()
    recurrent_initializer = OfCell()
    bias_initializer = OfCell()
    unit_forget_bias = OfCell()
    kernel_regularizer = OfCell()
    recurrent_regularizer = OfCell()
    bias_regularizer = OfCell()
    kernel_constraint = OfCell()
    recurrent_constraint = OfCell()
    bias_constraint = OfCell()
    implementation = OfCell()

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        use_cudnn: bool | Literal["auto"] = "auto",
        *,
        implementation: int = 2,
        output_dropout: float = 0.0,
        tied_masks: bool = True,
        zoneout_hidden: float = 0.0,
        zoneout_cell: float = 0.0,
        **kwargs: Any,
    ) -> None:
        cell = LSTMCell(
            units,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            unit_forget_bias=unit_forget_bias,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            implementation=implementation,
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            name="lstm_cell",
        )
        super().__init__(
            cell,
            shorthand={
                "dropout": dropout,
                "recurrent_dropout": recurrent_dropout,
                "output_dropout": output_dropout,
                "tied_masks": tied_masks,
                "zoneout_hidden": zoneout_hidden,
                "zoneout_cell": zoneout_cell,
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
        self.use_cudnn = use_cudnn
        self._fused = _NotASublayer(self._counterpart())
        self.supports_jit = self._fused.layer.supports_jit

    def loop_without_noise(
        self,
        sequences: Tensor,
        initial_state: list[Tensor],
        mask: Tensor | None,
        training: bool | None = False,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        is_plain = not any(part.acts_without_noise for part in wrappers_of(self.cell))
        mask_is_fine = mask is None or self.use_cudnn is True
        if not (is_plain and mask_is_fine):
            self._refuse_if_cudnn_is_required()
            return super().loop_without_noise(sequences, initial_state, mask, training)
        fused = self._fused.layer
        # Bidirectional sets these after construction.
        fused.use_cudnn = self.use_cudnn
        fused.zero_output_for_mask = self.zero_output_for_mask
        return fused.inner_loop(sequences, initial_state, mask=mask, training=training)

    def loop_with_noise(
        self,
        sequences: Tensor,
        initial_state: list[Tensor],
        mask: Tensor | None,
        training: bool | None,
        noise: list[CellNoise],
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        self._refuse_if_cudnn_is_required()
        return super().loop_with_noise(sequences, initial_state, mask, training, noise)

    def _refuse_if_cudnn_is_required(self) -> None:
        if self.use_cudnn is True:
            raise ValueError(
                "`use_cudnn=True` needs a recurrence without noise: cuDNN runs neither "
                "zoneout nor masks on what single steps read. Pass "
                "`use_cudnn='auto'`. Received: use_cudnn=True, "
                + ", ".join(f"{name}={getattr(self, name)}" for name in self._shorthand)
            )

    def _counterpart(self) -> keras.layers.LSTM:
        """The Keras layer of the same kind, running this layer's own cell."""
        layer = keras.layers.LSTM(
            self.units,
            activation=self.activation,
            recurrent_activation=self.recurrent_activation,
            use_bias=self.use_bias,
            return_sequences=self.return_sequences,
            go_backwards=self.go_backwards,
            stateful=self.stateful,
            unroll=self.unroll,
            use_cudnn=self.use_cudnn,
            dtype=self.dtype_policy,
            name=self.name,
        )
        layer.cell = self.plain_cell
        return layer

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "use_cudnn": self.use_cudnn}


class _NotASublayer:
    """Holds a layer out of Keras's sight, which would count its weights twice."""

    def __init__(self, layer: keras.layers.LSTM) -> None:
        self.layer = layer
