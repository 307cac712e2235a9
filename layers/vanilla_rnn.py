"""The vanilla recurrence: cell and layer."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from .activations import are_bounded, are_default
from .backpropagation import VanillaSteps
from .elementwise_cell import has_products
from .layer_normalisation import add_gain, normalised
from .recurrent_layer import (
    CellAttribute,
    CellDropout,
    RecurrentLayer,
)
from .regulariser import Tensor


@keras.saving.register_keras_serializable(package="recurra")
class VanillaRNNCell(CellDropout, keras.layers.SimpleRNNCell):
    """One step of the vanilla recurrence (Elman 1990).

        h_t = f(x_t U + h_{t-1} W + b)

    with `kernel` U `(features, units)`, `recurrent_kernel` W `(units, units)` and
    `bias` b `(units,)`, as in `keras.layers.SimpleRNNCell`: weights interchange both
    ways. Wrap it in `VariationalDropout`, `WeightDrop` or `Zoneout`.

    With `layer_norm=True` the summed input is normalised (Ba et al. 2016, equation 4)

        v_t = x_t U + h_{t-1} W
        h_t = f(p * (v_t - mean(v_t)) / sqrt(variance(v_t) + 1e-5) + b)

    where mean and variance are those of the elements of v_t, in float32 at least. The
    gain p, `(units,)`, starts from one; it is the last of the weights.

    Source: Elman, "Finding Structure in Time", 1990; Ba, Kiros and Hinton, "Layer
    Normalization", https://arxiv.org/abs/1607.06450

    Args:
        units: Positive integer, size of the hidden state.
        activation: f. Default: `"tanh"`; `None` for the identity.
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
        kernel_regularizer, recurrent_regularizer, bias_regularizer,
        kernel_constraint, recurrent_constraint, bias_constraint: As for
            `keras.layers.SimpleRNNCell`.
        dropout, recurrent_dropout: Rates in `[0, 1)` of masks on the input and on what
            is read of the hidden state, held over the sequence.
            `recurra.layers.RNN` draws them before the loop. Default: 0.
        seed: Integer seed of these masks, or `None` for a fresh one.
        layer_norm: Whether to normalise as above. Default: `False`.
        **kwargs: As for `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, features)`.
        states: List of the previous hidden state, `(batch, units)`.
        training: Whether masks of `dropout` and `recurrent_dropout` are used.

    Returns of a call: output `(batch, units)` and the list of the new state.

    Raises:
        ValueError: A rate is outside `[0, 1)`, or a layer that draws no masks, such as
            `keras.layers.RNN`, runs a cell with rates in training mode.

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
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        layer_norm: bool = False,
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
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            **kwargs,
        )
        self.layer_norm = layer_norm

    @property
    def has_bounded_states(self) -> bool:
        return are_bounded(self)

    @property
    def manual_steps(self) -> type[VanillaSteps] | None:
        fits = are_default(self) and not self.layer_norm
        return VanillaSteps if fits else None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        if self.layer_norm:
            self.norm_gain = add_gain(self, "norm", self.units)

    def call(
        self, inputs: Tensor, states: list[Tensor], training: bool | None = False
    ) -> tuple[Tensor, list[Tensor]]:
        input_mask, state_mask = self.masks_of_this_step(training)
        hidden_state = states[0]
        if input_mask is not None:
            inputs = inputs * input_mask
        if state_mask is not None:
            hidden_state = hidden_state * state_mask
        if not self.layer_norm and not has_products(self):
            return super().call(inputs, [hidden_state])
        summed = inputs if has_products(self) else self.products(inputs)
        summed = summed + ops.matmul(hidden_state, self.recurrent_kernel)
        if self.layer_norm:
            summed = normalised(summed, self.norm_gain)
            if self.use_bias:
                summed = summed + self.bias
        new_hidden_state = self.activation(summed)
        return new_hidden_state, [new_hidden_state]

    def products(self, inputs: Tensor) -> Tensor:
        """`(..., units)` of inputs `(..., features)`: what needs no state."""
        summed = ops.matmul(inputs, self.kernel)
        # What is normalised is the sum with the state, before the bias.
        return summed + self.bias if self.use_bias and not self.layer_norm else summed

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer_norm": self.layer_norm}


@keras.saving.register_keras_serializable(package="recurra")
class VanillaRNN(RecurrentLayer):
    """The vanilla recurrence over a sequence, regularised on request.

        h_t = f(x_t U + h_{t-1} W + b)

    or normalised, as in `VanillaRNNCell`, with `layer_norm=True`.

    Takes the place of `keras.layers.SimpleRNN`: every argument of it has the same
    meaning and default, and weights interchange both ways. The further arguments are
    shorthand for wrapping the cell:

        VanillaRNN(units, weight_dropout=w, dropout=p, recurrent_dropout=q,
                   output_dropout=r)
        = RNN(VariationalDropout(WeightDrop(VanillaRNNCell(units), w), p, q, r))

        VanillaRNN(units, weight_dropout=w, dropout=p, zoneout_hidden=z,
                   output_dropout=r)
        = RNN(VariationalDropout(
              Zoneout(VariationalDropout(WeightDrop(VanillaRNNCell(units), w), p), z),
              output_dropout=r))

    A rate of 0 leaves its wrapper out. Keras has no fused kernel of this cell.

    Source: Elman, "Finding Structure in Time", 1990; of the regularisers, see
    `VariationalDropout`, `WeightDrop` and `Zoneout`.

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
        weight_dropout: Rate in `[0, 1)` of weight drop of the recurrent kernel.
        layer_norm: Whether to normalise, as in `VanillaRNNCell`. Default: `False`.
        **kwargs: As for `keras.layers.RNN`.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: List of the initial hidden state. Default: zeros.
        mask: Boolean `(batch, time)`, false at padded steps.
        training: Whether to draw noise.

    Output shape: `(batch, units)`, with `return_sequences` `(batch, time, units)`;
    with `return_state` followed by the last state, `(batch, units)`.

    Raises:
        ValueError: A rate is outside `[0, 1)`, or `zoneout_cell` is given.

    Example:

    >>> import keras
    >>> from recurra.layers import VanillaRNN
    >>> layer = VanillaRNN(8, recurrent_dropout=0.2, return_sequences=True)
    >>> keras.ops.shape(layer(keras.ops.ones((2, 5, 3)), training=True))
    (2, 5, 8)
    """

    units = CellAttribute()
    activation = CellAttribute()
    use_bias = CellAttribute()
    kernel_initializer = CellAttribute()
    recurrent_initializer = CellAttribute()
    bias_initializer = CellAttribute()
    kernel_regularizer = CellAttribute()
    recurrent_regularizer = CellAttribute()
    bias_regularizer = CellAttribute()
    kernel_constraint = CellAttribute()
    recurrent_constraint = CellAttribute()
    bias_constraint = CellAttribute()
    layer_norm = CellAttribute()

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
        weight_dropout: float = 0.0,
        layer_norm: bool = False,
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
            layer_norm=layer_norm,
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
                "weight_dropout": weight_dropout,
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


@keras.saving.register_keras_serializable(package="recurra")
class SimpleRNN(VanillaRNN):
    """`VanillaRNN` by the name that Keras has for it.

    A weights file names the layers of a `Sequential` or functional model after their
    classes. By this name, files go from `keras.layers.SimpleRNN` and back.

    Example:

    >>> import keras
    >>> from recurra.layers import SimpleRNN
    >>> keras.ops.shape(SimpleRNN(8)(keras.ops.ones((2, 5, 3))))
    (2, 8)
    """
