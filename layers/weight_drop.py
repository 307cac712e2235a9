"""Weight drop: dropout of a cell's weights, the same at every step."""

from __future__ import annotations

import contextlib
from operator import attrgetter
from typing import Any

import keras

from .regulariser import (
    CellNoise,
    CellRegulariser,
    StepNoise,
    Tensor,
    checked_rate,
    draw_dropout_mask,
    innermost_cell,
)


@keras.saving.register_keras_serializable(package="recurra")
class WeightDrop(CellRegulariser):
    """Drops weights of a cell, one mask for all steps (Merity et al. 2018).

    With a mask M of the shape of the recurrent kernel W, drawn once per call, 0 with
    probability `p` and `1 / (1 - p)` otherwise, the cell runs with

        W' = W * M

    in the place of W: at every step, for every sequence of the batch and in every
    gate. W itself stays as it is, and so do regularizers and constraints of it; its
    gradient is that of W' times M, so a dropped weight gets none. At inference nothing
    is dropped.

    Nothing random is left to the steps, so a fused kernel (cuDNN) that a layer may
    use without weight drop stays in use with it.

    The paper names no scaling; the factor `1 / (1 - p)`, by which the expectation of
    W' is W, is that of the dropout in its published code. The paper trains with
    `p = 0.5` on the recurrent kernels.

    Source: Merity, Keskar and Socher, "Regularizing and Optimizing LSTM Language
    Models", https://arxiv.org/abs/1708.02182, section 2

    Args:
        cell: Any Keras cell, also one that is wrapped already. Run it by
            `recurra.layers.RNN`, which draws the masks before the loop.
        rate: Rate p in `[0, 1)` at which weights are dropped.
        weights: Names of the weights to drop: attributes of the cell, or of a layer
            within it, as in `"dense.kernel"`. Default: `("recurrent_kernel",)`.
        **kwargs: As for `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, features)`.
        states: List of the previous states, `(batch, units)` each.
        training: Without effect, since `recurra.layers.RNN` masks the weights.
        input_mask, state_mask: Handed on to a cell that takes them.

    Returns of a call: output `(batch, units)` and the list of new states.

    Raises:
        TypeError: `cell` is no cell.
        ValueError: `rate` is outside `[0, 1)`, no weight is named, or, when the cell
            is built, it has no weight of that name.

    Example:

    >>> import keras
    >>> from recurra.layers import LSTMCell, RNN, WeightDrop
    >>> layer = RNN(WeightDrop(LSTMCell(8), 0.5))
    >>> keras.ops.shape(layer(keras.ops.ones((2, 5, 3)), training=True))
    (2, 8)
    """

    keeps_states_bounded = True

    def __init__(
        self,
        cell: keras.layers.Layer,
        rate: float,
        weights: tuple[str, ...] = ("recurrent_kernel",),
        **kwargs: Any,
    ) -> None:
        super().__init__(cell, **kwargs)
        self.rate = checked_rate("rate", rate)
        self.dropped_weights = _checked_names(weights)
        if cell.built:
            self._refuse_unknown_weights()

    @property
    def makes_noise(self) -> bool:
        return bool(self.rate)

    @property
    def shares_noise(self) -> bool:
        return self.makes_noise

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        self._refuse_unknown_weights()

    def draw_noise(
        self, batch_size: Any, timesteps: Any, seed: keras.random.SeedGenerator
    ) -> CellNoise:
        """`per_sequence`, by the name of the weight, its mask, scaled already.

        It has the shape of the weight: all sequences share it.
        """
        if not self.rate:
            return CellNoise(per_sequence={}, per_step={})
        masks = {
            name: draw_dropout_mask(weight.shape, self.rate, weight.dtype, seed)
            for name, weight in self._weights().items()
        }
        return CellNoise(per_sequence=masks, per_step={})

    def before_loop(
        self, sequences: Tensor, noise: CellNoise
    ) -> tuple[Tensor, CellNoise]:
        return sequences, CellNoise(per_sequence={}, per_step={})

    def during_loop(self, noise: CellNoise) -> contextlib.AbstractContextManager[Any]:
        if noise.is_empty:
            return contextlib.nullcontext()
        weights = self._weights()
        return _MaskedWeights(
            [
                (weights[name], keras.ops.multiply(weights[name].value, mask))
                for name, mask in noise.per_sequence.items()
            ]
        )

    def step_noise(self, noise: CellNoise) -> StepNoise | None:
        return StepNoise() if noise.is_empty else None

    def call(
        self,
        inputs: Tensor,
        states: list[Tensor],
        training: bool | None = False,
        input_mask: Tensor | None = None,
        state_mask: Tensor | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        # Asked for only to refuse a layer that masks no weights.
        self.noise_of_this_step(training)
        masks = {"input_mask": input_mask, "state_mask": state_mask}
        given = {name: mask for name, mask in masks.items() if mask is not None}
        return self.run_cell(inputs, states, training, **given)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rate": self.rate,
            "weights": list(self.dropped_weights),
        }

    def _weights(self) -> dict[str, keras.Variable]:
        cell = innermost_cell(self.cell)
        return {name: attrgetter(name)(cell) for name in self.dropped_weights}

    def _refuse_unknown_weights(self) -> None:
        cell = innermost_cell(self.cell)
        for name in self.dropped_weights:
            if not _is_weight(cell, name):
                raise ValueError(
                    f"`WeightDrop` drops weights that the cell has: "
                    f"{', '.join(_names_of_weights(cell)) or 'none'}. Received: "
                    f"weights={self.dropped_weights} for cell={cell}"
                )


class _MaskedWeights(keras.StatelessScope):
    """Within it some weights have other values; all else is as if it were not there.

    A plain scope would hide the one around it, which holds the weights that JAX
    differentiates by, and would swallow what a step assigns to a variable.
    """

    def get_current_value(self, variable: keras.Variable) -> Tensor | None:
        value = super().get_current_value(variable)
        if value is None and self.original_scope is not None:
            return self.original_scope.get_current_value(variable)
        return value

    def add_update(self, update: tuple[keras.Variable, Tensor]) -> None:
        if self.original_scope is None and keras.backend.backend() == "jax":
            # The value belongs to the trace of the loop. Keras drops it there as well.
            super().add_update(update)
            return
        variable, value = update
        self.__exit__(None, None, None)
        try:
            variable.assign(value)
        finally:
            self.__enter__()


def _checked_names(weights: Any) -> tuple[str, ...]:
    names = (weights,) if isinstance(weights, str) else tuple(weights)
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(
            "`weights` must name at least one weight of the cell, such as "
            f"('recurrent_kernel',). Received: weights={weights!r}"
        )
    return names


def _is_weight(cell: keras.layers.Layer, name: str) -> bool:
    try:
        weight = attrgetter(name)(cell)
    except AttributeError:
        return False
    return isinstance(weight, keras.Variable)


def _names_of_weights(layer: keras.layers.Layer, prefix: str = "") -> list[str]:
    """The weights of a layer, and dotted those of layers that it has by name."""
    names = []
    # On torch, layers within a layer are modules, which it keeps apart.
    modules = vars(layer).get("_modules", {})
    for name, value in [*modules.items(), *vars(layer).items()]:
        if isinstance(value, keras.Variable):
            # Such as `kernel` of a `Dense` layer, which it keeps as `_kernel`.
            public = value.name if hasattr(layer, value.name) else name
            names.append(prefix + public)
        elif isinstance(value, keras.layers.Layer):
            names += _names_of_weights(value, f"{prefix}{name}.")
    return names
