"""Long short-term memory: cell and layer."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from .activations import are_bounded, are_default
from .backpropagation import LSTMSteps
from .elementwise_cell import has_products
from .gates import read_by_gates
from .layer_normalisation import add_gain_and_bias, normalised
from .recurrent_layer import (
    CellAttribute,
    CellDropout,
    FusedRecurrentLayer,
)
from .regulariser import Tensor


@keras.saving.register_keras_serializable(package="recurra")
class LSTMCell(CellDropout, keras.layers.LSTMCell):
    """One step of long short-term memory (Hochreiter and Schmidhuber 1997).

        i_t = s(x_t U_i + h_{t-1} W_i + b_i)      input gate
        f_t = s(x_t U_f + h_{t-1} W_f + b_f)      forget gate
        g_t = a(x_t U_c + h_{t-1} W_c + b_c)      candidate
        o_t = s(x_t U_o + h_{t-1} W_o + b_o)      output gate
        c_t = f_t * c_{t-1} + i_t * g_t           cell state
        h_t = o_t * a(c_t)                        hidden state

    with `kernel` U `(features, 4 units)`, `recurrent_kernel` W `(units, 4 units)` and
    `bias` b `(4 units,)`, gates in the order i, f, c, o, as in
    `keras.layers.LSTMCell`: weights interchange both ways. Wrap it in
    `VariationalDropout`, `WeightDrop` or `Zoneout`.

    With `layer_norm=True` the summed inputs of the gates and the cell state that the
    output gate lets out are normalised (Ba et al. 2016, equations 20 to 22)

        (i_t f_t g_t o_t) = LN(x_t U; p_x, q_x) + LN(h_{t-1} W; p_h, q_h) + b
        c_t = s(f_t) * c_{t-1} + s(i_t) * a(g_t)
        h_t = s(o_t) * a(LN(c_t; p_c, q_c))
        LN(v; p, q) = p * (v - mean(v)) / sqrt(variance(v) + 1e-5) + q

    where mean and variance are those of the elements of v, all four gates together,
    in float32 at least. The gains p start from one, the biases q from zero; they follow
    Keras's weights in the order p_x, q_x, p_h, q_h, p_c, q_c. c_t itself is carried on
    as it is.

    With `peephole=True` the gates read the cell state too, i and f the previous and o
    the new one: they sum up `p_i * c_{t-1}`, `p_f * c_{t-1}` and `p_o * c_t` beside the
    above, with `peepholes` p `(3, units)`, in this order, which start from zero. With
    `projection_units=n` the hidden state is a projection, `h_t = (o_t * a(c_t)) P`,
    with `projection` P `(units, n)`, and W is `(n, 4 units)`. Both weights follow the
    bias, those of normalisation come last.

    Source: Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997, with the
    forget gate of Gers et al., "Learning to Forget", 2000; Gers and Schmidhuber,
    "Recurrent Nets that Time and Count", 2000 (peepholes); Sak, Senior and Beaufays,
    "Long Short-Term Memory Based Recurrent Neural Network Architectures for Large
    Vocabulary Speech Recognition", https://arxiv.org/abs/1402.1128 (projection, without
    its second, non-recurrent one); Ba, Kiros and Hinton,
    "Layer Normalization", https://arxiv.org/abs/1607.06450

    Args:
        units: Positive integer, size of hidden and cell state.
        activation: a. Default: `"tanh"`; `None` for the identity.
        recurrent_activation: s. Default: `"sigmoid"`; `None` for the identity.
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
        unit_forget_bias, kernel_regularizer, recurrent_regularizer, bias_regularizer,
        kernel_constraint, recurrent_constraint, bias_constraint: As for
            `keras.layers.LSTMCell`.
        dropout, recurrent_dropout: Rates in `[0, 1)` of masks on the input and on what
            is read of the hidden state, held over the sequence and shared by all
            gates. `recurra.layers.RNN` draws them before the loop. Default: 0.
        seed: Integer seed of these masks, or `None` for a fresh one.
        implementation: 1 computes gate by gate, 2 (default) all gates in one product.
            The numbers are the same.
        layer_norm: Whether to normalise as above. Default: `False`.
        peephole: Whether gates read the cell state. Default: `False`.
        projection_units: Positive integer, size of a projected hidden state. Default:
            `None`, the hidden state is as large as the cell state.
        **kwargs: As for `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, features)`.
        states: Previous hidden state and cell state, `(batch, units)` each; a projected
            hidden state is `(batch, projection_units)`.
        training: Whether masks of `dropout` and `recurrent_dropout` are used.
        input_mask: `(batch, 4, features)`, multiplied with the input that each gate
            reads, gates in the order i, f, c, o; or `(batch, features)` for all gates.
        state_mask: `(batch, 4, units)` or `(batch, units)`, the same for the hidden
            state.

    Returns of a call: output `(batch, units)` and the list of the new states.

    Raises:
        ValueError: A rate is outside `[0, 1)`, or a layer that draws no masks, such as
            `keras.layers.RNN`, runs a cell with rates in training mode.

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
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        implementation: int = 2,
        layer_norm: bool = False,
        peephole: bool = False,
        projection_units: int | None = None,
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
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
            **kwargs,
        )
        self.layer_norm = layer_norm
        self.peephole = peephole
        self.projection_units = projection_units
        if projection_units is not None:
            if not isinstance(projection_units, int) or projection_units < 1:
                raise ValueError(
                    "`projection_units` must be a positive integer or `None`. "
                    f"Received: projection_units={projection_units!r}"
                )
            self.state_size = [projection_units, units]
            self.output_size = projection_units

    @property
    def is_plain(self) -> bool:
        """Whether it computes what the cell of Keras does."""
        return not (self.layer_norm or self.peephole or self.projection_units)

    @property
    def has_bounded_states(self) -> bool:
        return are_bounded(self)

    @property
    def manual_steps(self) -> type[LSTMSteps] | None:
        fits = are_default(self) and self.is_plain
        return LSTMSteps if fits else None

    def add_weight(self, *args: Any, **kwargs: Any) -> keras.Variable:
        if kwargs.get("name") == "recurrent_kernel" and self.projection_units:
            # Keras's `build` takes the hidden state to be as large as the cell state.
            kwargs["shape"] = (self.projection_units, self.gates * self.units)
        return super().add_weight(*args, **kwargs)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        if self.peephole:
            self.peepholes = self.add_weight(
                shape=(3, self.units), name="peepholes", initializer="zeros"
            )
        if self.projection_units:
            self.projection = self.add_weight(
                shape=(self.units, self.projection_units),
                name="projection",
                initializer=self.kernel_initializer,
                regularizer=self.kernel_regularizer,
                constraint=self.kernel_constraint,
            )
        if self.layer_norm:
            of_gates = self.gates * self.units
            self.input_norm_gain, self.input_norm_bias = add_gain_and_bias(
                self, "input_norm", of_gates
            )
            self.recurrent_norm_gain, self.recurrent_norm_bias = add_gain_and_bias(
                self, "recurrent_norm", of_gates
            )
            self.cell_norm_gain, self.cell_norm_bias = add_gain_and_bias(
                self, "cell_norm", self.units
            )

    def call(
        self,
        inputs: Tensor,
        states: list[Tensor],
        training: bool | None = False,
        input_mask: Tensor | None = None,
        state_mask: Tensor | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        input_mask, state_mask = self.masks_of_this_step(
            training, input_mask, state_mask
        )
        has_masks = input_mask is not None or state_mask is not None
        is_plain = self.is_plain and not has_masks and not has_products(self)
        # On TensorFlow Keras's cell takes the summed inputs of no sequence for a bias.
        if is_plain and inputs.shape[0] != 0:
            return super().call(inputs, states)

        hidden_state, cell_state = states
        from_input = inputs if has_products(self) else self.products(inputs, input_mask)
        from_state = read_by_gates(hidden_state, state_mask, self.recurrent_kernel)
        if self.layer_norm:
            from_state = normalised(
                from_state, self.recurrent_norm_gain, self.recurrent_norm_bias
            )
        gates = from_input + from_state
        i, f, g, o = ops.split(gates, self.gates, axis=-1)
        if self.peephole:
            i = i + self.peepholes[0] * cell_state
            f = f + self.peepholes[1] * cell_state
        new_cell_state = self.recurrent_activation(
            f
        ) * cell_state + self.recurrent_activation(i) * self.activation(g)
        if self.peephole:
            o = o + self.peepholes[2] * new_cell_state
        let_out = (
            normalised(new_cell_state, self.cell_norm_gain, self.cell_norm_bias)
            if self.layer_norm
            else new_cell_state
        )
        new_hidden_state = self.recurrent_activation(o) * self.activation(let_out)
        if self.projection_units:
            new_hidden_state = ops.matmul(new_hidden_state, self.projection)
        return new_hidden_state, [new_hidden_state, new_cell_state]

    def products(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """`(..., gates * units)` of inputs `(..., features)`: what needs no state."""
        summed = read_by_gates(inputs, mask, self.kernel)
        if self.layer_norm:
            summed = normalised(summed, self.input_norm_gain, self.input_norm_bias)
        return summed + self.bias if self.use_bias else summed

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "implementation": self.implementation,
            "layer_norm": self.layer_norm,
            "peephole": self.peephole,
            "projection_units": self.projection_units,
        }


@keras.saving.register_keras_serializable(package="recurra")
class LSTM(FusedRecurrentLayer):
    """Long short-term memory over a sequence, regularised on request.

        i, f, o = s(x_t U + h_{t-1} W + b)    g_t = a(x_t U_c + h_{t-1} W_c + b_c)
        c_t = f_t * c_{t-1} + i_t * g_t       h_t = o_t * a(c_t)

    or normalised, with peepholes, or projected, as in `LSTMCell`, with
    `layer_norm=True`, `peephole=True` or `projection_units`.

    Takes the place of `keras.layers.LSTM`: every argument of it has the same meaning
    and default, and weights interchange both ways. The further arguments are shorthand
    for wrapping the cell:

        LSTM(units, weight_dropout=w, dropout=p, recurrent_dropout=q, output_dropout=r)
        = RNN(VariationalDropout(WeightDrop(LSTMCell(units), w), p, q, r))

        LSTM(units, weight_dropout=w, dropout=p, zoneout_hidden=y, zoneout_cell=z,
             output_dropout=r)
        = RNN(VariationalDropout(
              Zoneout(VariationalDropout(WeightDrop(LSTMCell(units), w), p), y, z),
              output_dropout=r))

    A rate of 0 leaves its wrapper out.

    The fused kernel (cuDNN) is used where a backend has one and

    1. no noise acts within the steps: no zoneout at all, and in training neither
       `recurrent_dropout` nor untied input masks. `dropout` and `output_dropout` by
       tied masks act outside of them, and `weight_dropout` before them;
    2. `layer_norm`, `peephole` and `projection_units` are off;
    3. no mask is given, or one without `return_state` and `stateful`, or
       `use_cudnn=True` vouches for masks that are right-padded and leave at least one
       step of every sequence;
    4. `keras.layers.LSTM` would use it for the same activations, bias and `unroll`.

    Source: Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; of the
    regularisers, see `VariationalDropout`, `WeightDrop` and `Zoneout`.

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
        weight_dropout: Rate in `[0, 1)` of weight drop of the recurrent kernel.
        layer_norm, peephole, projection_units: As for `LSTMCell`. Default: off.
        **kwargs: As for `keras.layers.RNN`.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: List of initial hidden and cell state. Default: zeros.
        mask: Boolean `(batch, time)`, false at padded steps.
        training: Whether to draw noise.

    Output shape: `(batch, units)`, with `return_sequences` `(batch, time, units)`;
    with `return_state` followed by the last hidden and cell state, `(batch, units)`.

    Raises:
        ValueError: A rate is outside `[0, 1)`, or `use_cudnn=True` meets what is
            not part of its recurrence or, in a call, noise within the steps.

    Example:

    >>> import keras
    >>> from recurra.layers import LSTM
    >>> layer = LSTM(8, recurrent_dropout=0.2, zoneout_cell=0.1, return_sequences=True)
    >>> keras.ops.shape(layer(keras.ops.ones((2, 5, 3)), training=True))
    (2, 5, 8)
    """

    units = CellAttribute()
    activation = CellAttribute()
    recurrent_activation = CellAttribute()
    use_bias = CellAttribute()
    kernel_initializer = CellAttribute()
    recurrent_initializer = CellAttribute()
    bias_initializer = CellAttribute()
    unit_forget_bias = CellAttribute()
    kernel_regularizer = CellAttribute()
    recurrent_regularizer = CellAttribute()
    bias_regularizer = CellAttribute()
    kernel_constraint = CellAttribute()
    recurrent_constraint = CellAttribute()
    bias_constraint = CellAttribute()
    implementation = CellAttribute()
    layer_norm = CellAttribute()
    peephole = CellAttribute()
    projection_units = CellAttribute()

    counterpart = keras.layers.LSTM
    beyond_kernel = ("layer_norm", "peephole", "projection_units")

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
        weight_dropout: float = 0.0,
        layer_norm: bool = False,
        peephole: bool = False,
        projection_units: int | None = None,
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
            layer_norm=layer_norm,
            peephole=peephole,
            projection_units=projection_units,
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
                "weight_dropout": weight_dropout,
            },
            activity_regularizer=activity_regularizer,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            seed=seed,
            use_cudnn=use_cudnn,
            **kwargs,
        )
