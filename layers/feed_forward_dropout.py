"""Feed-forward dropout: masks on non-recurrent edges, redrawn at each step."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from .regulariser import (
    CellNoise,
    CellRegulariser,
    StepNoise,
    Tensor,
    checked_rate,
    draw_events,
)


@keras.saving.register_keras_serializable(package="recurra")
class FeedForwardDropout(CellRegulariser):
    """Drops input and output of a cell anew at each step (Zaremba et al. 2014).

    With masks drawn per unit and step, 0 with probability `p` and `1 / (1 - p)`
    otherwise

        h_t, c_t = cell(x_t * z^x_t, h_{t-1}, c_{t-1})
        output_t = h_t * z^o_t

    Only non-recurrent edges are masked: what a cell reads from below and what it hands
    up, never what it hands on in time. So what a state remembers is disturbed as often
    as there are layers, not as often as there are steps. At inference nothing is
    masked. The output of a padded step repeats the one before it, mask and all.

    In a stack, the mask between two cells is either the output mask of the lower or
    the input mask of the upper one; the paper has one mask on each edge from layer to
    layer, the edge to the softmax included.

    Source: Zaremba, Sutskever and Vinyals, "Recurrent Neural Network Regularization",
    https://arxiv.org/abs/1409.2329

    Args:
        cell: Any Keras cell, also one that is wrapped already. Run it by
            `recurra.layers.RNN`, which draws the masks before the loop.
        dropout: Rate in `[0, 1)` for the input. Default: 0.
        output_dropout: Rate in `[0, 1)` for the output. Default: 0.
        **kwargs: As for `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, features)`.
        states: List of the previous states, `(batch, units)` each.
        training: Whether masks are used.

    Returns of a call: output `(batch, units)` and the list of new states.

    Raises:
        TypeError: `cell` is no cell.
        ValueError: A rate is outside `[0, 1)`.

    Example:

    >>> import keras
    >>> from recurra.layers import FeedForwardDropout, LSTMCell, RNN
    >>> bottom = FeedForwardDropout(LSTMCell(8), dropout=0.2)
    >>> top = FeedForwardDropout(LSTMCell(8), dropout=0.2, output_dropout=0.2)
    >>> layer = RNN([bottom, top])
    >>> keras.ops.shape(layer(keras.ops.ones((2, 5, 3)), training=True))
    (2, 8)
    """

    keeps_states_bounded = True

    def __init__(
        self,
        cell: keras.layers.Layer,
        dropout: float = 0.0,
        output_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(cell, **kwargs)
        self.dropout = checked_rate("dropout", dropout)
        self.output_dropout = checked_rate("output_dropout", output_dropout)

    @property
    def makes_noise(self) -> bool:
        return bool(self.dropout or self.output_dropout)

    def draw_noise(
        self, batch_size: Any, timesteps: Any, seed: keras.random.SeedGenerator
    ) -> CellNoise:
        """`per_step` masks `input` and `output`: true where a unit stays."""
        shapes_and_rates = {
            "input": (self.shape_of_inputs, self.dropout),
            "output": (self.output_shape, self.output_dropout),
        }
        masks = {
            name: draw_events((batch_size, timesteps, *shape), 1 - rate, seed)
            for name, (shape, rate) in shapes_and_rates.items()
            if rate
        }
        return CellNoise(per_sequence={}, per_step=masks)

    def before_loop(
        self, sequences: Tensor, noise: CellNoise
    ) -> tuple[Tensor, CellNoise]:
        sequences = _dropped(sequences, noise.per_step.get("input"), self.dropout)
        return sequences, CellNoise(per_sequence={}, per_step={})

    def after_loop(self, outputs: Tensor, noise: CellNoise) -> Tensor:
        return _dropped(outputs, noise.per_step.get("output"), self.output_dropout)

    def step_noise(self, noise: CellNoise) -> StepNoise | None:
        return StepNoise() if noise.is_empty else None

    def call(
        self, inputs: Tensor, states: list[Tensor], training: bool | None = False
    ) -> tuple[Tensor, list[Tensor]]:
        stays = self.noise_of_this_step(training)
        output, new_states = self.run_cell(
            _dropped(inputs, stays.get("input"), self.dropout), states, training
        )
        return _dropped(output, stays.get("output"), self.output_dropout), new_states

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "dropout": self.dropout,
            "output_dropout": self.output_dropout,
        }


def _dropped(values: Tensor, stays: Tensor | None, rate: float) -> Tensor:
    return values if stays is None else ops.where(stays, values * (1 / (1 - rate)), 0)
