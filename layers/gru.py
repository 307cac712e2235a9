"""Gated recurrent unit: cell and layer."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from .activations import are_bounded, are_default
from .backpropagation import GRUSteps
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
class GRUCell(CellDropout, keras.layers.GRUCell):
    """One step of a gated recurrent unit (Cho et al. 2014).

        z_t = s(x_t U_z + b_z + h_{t-1} W_z + d_z)            update gate
        r_t = s(x_t U_r + b_r + h_{t-1} W_r + d_r)            reset gate
        g_t = a(x_t U_h + b_h + r_t * (h_{t-1} W_h + d_h))    candidate
        h_t = z_t * h_{t-1} + (1 - z_t) * g_t                 hidden state

    with `kernel` U `(features, 3 units)`, `recurrent_kernel` W `(units, 3 units)` and
    `bias` b and d, `(2, 3 units)`, gates in the order z, r, h, as in
    `keras.layers.GRUCell`: weights interchange both ways. With `reset_after=False` the
    reset gate meets the state before the product, and b `(3 units,)` is the only bias

        g_t = a(x_t U_h + b_h + (r_t * h_{t-1}) W_h)

    Wrap it in `VariationalDropout`, `WeightDrop` or `Zoneout`. A mask of the hidden
    state meets what is multiplied with W and nothing else: z_t carries on the state
    itself.

    With `layer_norm=True` the summed inputs are normalised (Ba et al. 2016, equations
    26 to 28), those of the two gates together and those of the candidate by themselves

        (z_t r_t) = LN(x_t U_zr; p_x, q_x) + b_zr + LN(h_{t-1} W_zr; p_h, q_h) + d_zr
        z_t, r_t = s(z_t), s(r_t)
        g_t = a(LN(x_t U_h; p_x, q_x) + b_h + r_t * (LN(h_{t-1} W_h; p_h, q_h) + d_h))
        LN(v; p, q) = p * (v - mean(v)) / sqrt(variance(v) + 1e-5) + q

    where mean and variance are those of the elements of v, in float32 at least. The
    gains p, `(3 units,)`, start from one, the biases q from zero; each LN has its
    columns of them. They follow Keras's weights in the order p_x, q_x, p_h, q_h. The
    paper has the biases q alone, and z and 1 - z the other way round. What
    `reset_after=False` normalises, `LN((r_t * h_{t-1}) W_h; p_h, q_h)`, is not in it.

    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for
    Statistical Machine Translation", https://arxiv.org/abs/1406.1078; its first
    version has the reset after the product, its third before. Ba, Kiros and Hinton,
    "Layer Normalization", https://arxiv.org/abs/1607.06450

    Args:
        units: Positive integer, size of the hidden state.
        activation: a. Default: `"tanh"`; `None` for the identity.
        recurrent_activation: s. Default: `"sigmoid"`; `None` for the identity.
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
        kernel_regularizer, recurrent_regularizer, bias_regularizer,
        kernel_constraint, recurrent_constraint, bias_constraint: As for
            `keras.layers.GRUCell`.
        dropout, recurrent_dropout: Rates in `[0, 1)` of masks on the input and on what
            is read of the hidden state, held over the sequence and shared by all
            gates. `recurra.layers.RNN` draws them before the loop. Default: 0.
        seed: Integer seed of these masks, or `None` for a fresh one.
        reset_after: Whether the reset gate meets the state after the product with the
            recurrent kernel (default), as cuDNN has it, or before.
        implementation: 1 computes gate by gate, 2 (default) all gates in one product.
            The numbers are the same.
        layer_norm: Whether to normalise as above. Default: `False`.
        **kwargs: As for `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, features)`.
        states: List of the previous hidden state, `(batch, units)`.
        training: Whether masks of `dropout` and `recurrent_dropout` are used.
        input_mask: `(batch, 3, features)`, multiplied with the input that each gate
            reads, gates in the order z, r, h; or `(batch, features)` for all gates.
        state_mask: `(batch, 3, units)` or `(batch, units)`, the same for the hidden
            state.

    Returns of a call: output `(batch, units)` and the list of the new state.

    Raises:
        ValueError: A rate is outside `[0, 1)`, or a layer that draws no masks, such as
            `keras.layers.RNN`, runs a cell with rates in training mode.

    Example:

    >>> import keras
    >>> from recurra.layers import GRUCell, RNN
    >>> keras.ops.shape(RNN(GRUCell(8))(keras.ops.ones((2, 5, 3))))
    (2, 8)
    """

    gates = 3
    # Only here is what the gates read of the state told from what they carry on.
    takes_tied_masks = True

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
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
        reset_after: bool = True,
        seed: int | None = None,
        implementation: int = 2,
        layer_norm: bool = False,
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
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            reset_after=reset_after,
            implementation=implementation,
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
    def manual_steps(self) -> type[GRUSteps] | None:
        fits = are_default(self) and self.reset_after and not self.layer_norm
        return GRUSteps if fits else None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        if self.layer_norm:
            size = self.gates * self.units
            self.input_norm_gain, self.input_norm_bias = add_gain_and_bias(
                self, "input_norm", size
            )
            self.recurrent_norm_gain, self.recurrent_norm_bias = add_gain_and_bias(
                self, "recurrent_norm", size
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
        is_plain = input_mask is None and state_mask is None and not self.layer_norm
        if is_plain and not has_products(self):
            return super().call(inputs, states)

        hidden_state = states[0]
        from_input = self._columns(
            inputs if has_products(self) else self.products(inputs, input_mask)
        )
        step = self._reset_after if self.reset_after else self._reset_before
        update, candidate = step(from_input, hidden_state, state_mask)
        new_hidden_state = update * hidden_state + (1 - update) * candidate
        return new_hidden_state, [new_hidden_state]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "implementation": self.implementation,
            "layer_norm": self.layer_norm,
        }

    def products(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """`(..., 3 * units)` of inputs `(..., features)`: what needs no state."""
        summed = read_by_gates(inputs, mask, self.kernel)
        if self.layer_norm:
            summed = self._normalised(
                summed, self.input_norm_gain, self.input_norm_bias
            )
        if self.use_bias:
            summed = summed + (self.bias[0] if self.reset_after else self.bias)
        return summed

    def _reset_after(
        self,
        from_input: list[Tensor],
        hidden_state: Tensor,
        mask: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Update gate and candidate."""
        from_state = read_by_gates(hidden_state, mask, self.recurrent_kernel)
        if self.layer_norm:
            from_state = self._normalised(
                from_state, self.recurrent_norm_gain, self.recurrent_norm_bias
            )
        if self.use_bias:
            from_state = from_state + self.bias[1]
        of_gates, of_candidate = self._columns(from_state)
        gates = self.recurrent_activation(from_input[0] + of_gates)
        update, reset = ops.split(gates, 2, axis=-1)
        return update, self.activation(from_input[1] + reset * of_candidate)

    def _reset_before(
        self,
        from_input: list[Tensor],
        hidden_state: Tensor,
        mask: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Update gate and candidate."""
        kernels = self._columns(self.recurrent_kernel)
        masks = [mask, mask]
        if mask is not None and len(mask.shape) == 3:
            masks = [mask[:, :2], mask[:, 2]]
        of_gates = read_by_gates(hidden_state, masks[0], kernels[0])
        if self.layer_norm:
            gains = self._columns(self.recurrent_norm_gain)
            biases = self._columns(self.recurrent_norm_bias)
            of_gates = normalised(of_gates, gains[0], biases[0])
        gates = self.recurrent_activation(from_input[0] + of_gates)
        update, reset = ops.split(gates, 2, axis=-1)
        of_candidate = read_by_gates(reset * hidden_state, masks[1], kernels[1])
        if self.layer_norm:
            of_candidate = normalised(of_candidate, gains[1], biases[1])
        return update, self.activation(from_input[1] + of_candidate)

    def _normalised(self, summed: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
        parts = zip(*map(self._columns, (summed, gain, bias)), strict=True)
        return ops.concatenate([normalised(*part) for part in parts], axis=-1)

    def _columns(self, values: Tensor) -> list[Tensor]:
        """Those of the two gates, and those of the candidate."""
        return ops.split(values, [2 * self.units], axis=-1)


@keras.saving.register_keras_serializable(package="recurra")
class GRU(FusedRecurrentLayer):
    """Gated recurrent unit over a sequence, regularised on request.

        z, r = s(x_t U + b + h_{t-1} W + d)
        g_t = a(x_t U_h + b_h + r_t * (h_{t-1} W_h + d_h))
        h_t = z_t * h_{t-1} + (1 - z_t) * g_t

    or with `reset_after=False` or `layer_norm=True`, as in `GRUCell`.

    Takes the place of `keras.layers.GRU`: every argument of it has the same meaning and
    default, and weights interchange both ways. The further arguments are shorthand for
    wrapping the cell:

        GRU(units, weight_dropout=w, dropout=p, recurrent_dropout=q, output_dropout=r)
        = RNN(VariationalDropout(WeightDrop(GRUCell(units), w), p, q, r))

        GRU(units, weight_dropout=w, dropout=p, zoneout_hidden=z, output_dropout=r)
        = RNN(VariationalDropout(
              Zoneout(VariationalDropout(WeightDrop(GRUCell(units), w), p), z),
              output_dropout=r))

    A rate of 0 leaves its wrapper out.

    The fused kernel (cuDNN) is used where a backend has one and

    1. no noise acts within the steps: no zoneout at all, and in training neither
       `recurrent_dropout` nor untied input masks. `dropout` and `output_dropout` by
       tied masks act outside of them, and `weight_dropout` before them;
    2. `layer_norm` is off;
    3. no mask is given, or one without `return_state` and `stateful`, or
       `use_cudnn=True` vouches for masks that are right-padded and leave at least one
       step of every sequence;
    4. `keras.layers.GRU` would use it for the same activations, bias, `unroll` and
       `reset_after`.

    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for
    Statistical Machine Translation", https://arxiv.org/abs/1406.1078; of the
    regularisers, see `VariationalDropout`, `WeightDrop` and `Zoneout`.

    Args:
        units: Positive integer, size of the hidden state.
        activation: a. Default: `"tanh"`; `None` for the identity.
        recurrent_activation: s. Default: `"sigmoid"`; `None` for the identity.
        use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
        kernel_regularizer, recurrent_regularizer, bias_regularizer,
        activity_regularizer, kernel_constraint, recurrent_constraint,
        bias_constraint: As for `keras.layers.GRU`.
        dropout, recurrent_dropout: Rates in `[0, 1)` of variational dropout of the
            input and of the hidden state. Default: 0.
        seed: Integer seed of all noise of the layer, or `None` for a fresh one.
        return_sequences, return_state, go_backwards, stateful, unroll: As for
            `keras.layers.GRU`.
        reset_after: As for `GRUCell`.
        use_cudnn: `"auto"` (default) for the fused kernel where the list above allows
            it, `False` for never, `True` to raise a `ValueError` where it cannot be
            used.
        implementation: As for `GRUCell`.
        output_dropout: Rate in `[0, 1)` of variational dropout of the output.
        tied_masks: Whether the gates share the masks on input and hidden state
            (default), or each has its own.
        zoneout_hidden: Rate in `[0, 1)` of zoneout of the hidden state. Default: 0.
        weight_dropout: Rate in `[0, 1)` of weight drop of the recurrent kernel.
        layer_norm: Whether to normalise, as in `GRUCell`. Default: `False`.
        **kwargs: As for `keras.layers.RNN`.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: List of the initial hidden state. Default: zeros.
        mask: Boolean `(batch, time)`, false at padded steps.
        training: Whether to draw noise.

    Output shape: `(batch, units)`, with `return_sequences` `(batch, time, units)`;
    with `return_state` followed by the last hidden state, `(batch, units)`.

    Raises:
        ValueError: A rate is outside `[0, 1)`, `zoneout_cell` is given, or
            `use_cudnn=True` meets `layer_norm` or, in a call, noise within the steps.

    Example:

    >>> import keras
    >>> from recurra.layers import GRU
    >>> layer = GRU(8, recurrent_dropout=0.2, return_sequences=True)
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
    kernel_regularizer = CellAttribute()
    recurrent_regularizer = CellAttribute()
    bias_regularizer = CellAttribute()
    kernel_constraint = CellAttribute()
    recurrent_constraint = CellAttribute()
    bias_constraint = CellAttribute()
    reset_after = CellAttribute()
    implementation = CellAttribute()
    layer_norm = CellAttribute()

    counterpart = keras.layers.GRU
    arguments_of_kernel = (*FusedRecurrentLayer.arguments_of_kernel, "reset_after")

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
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
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: bool | Literal["auto"] = "auto",
        *,
        implementation: int = 2,
        output_dropout: float = 0.0,
        tied_masks: bool = True,
        zoneout_hidden: float = 0.0,
        weight_dropout: float = 0.0,
        layer_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        cell = GRUCell(
            units,
            activation=activation,
            recurrent_activation=recurrent_activation,
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
            reset_after=reset_after,
            implementation=implementation,
            layer_norm=layer_norm,
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            name="gru_cell",
        )
        super().__init__(
            cell,
            shorthand={
                "dropout": dropout,
                "recurrent_dropout": recurrent_dropout,
                "output_dropout": output_dropout,
                "tied_masks": tied_masks,
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
            use_cudnn=use_cudnn,
            **kwargs,
        )
