"""Zoneout: units that keep their previous state at random."""

from __future__ import annotations

import contextlib
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
    innermost_cell,
    shapes_of_states,
    wrappers_of,
)


@keras.saving.register_keras_serializable(package="recurra")
class Zoneout(CellRegulariser):
    """Lets units of a cell keep their previous state at random (Krueger et al. 2016).

    With `h'_t` and `c'_t` the states that the wrapped cell computes from `h_{t-1}` and
    `c_{t-1}`, and masks that are 1 with probability `zoneout_hidden` and `zoneout_cell`

        h_t = d^h_t * h_{t-1} + (1 - d^h_t) * h'_t
        c_t = d^c_t * c_{t-1} + (1 - d^c_t) * c'_t

    The masks are drawn per unit and step and apart for `h` and `c`. For an LSTM
    `h'_t = o_t * tanh(c'_t)`, with `c'_t` as it is before zoneout. At inference the
    masks are replaced by their rates, which is their expectation; nothing is rescaled.
    A padded step changes no state, whatever the masks say.

    The first state of the cell is taken as hidden state, the second, if there is one,
    as cell state; further states are left alone. The output of the step is `h_t`,
    where the cell's output is its hidden state, and the cell's own output otherwise.
    A cell some of whose states mean nothing without the others, such as those that
    share a scale, names by `zoneout_states` those that may be kept: `("hidden",)`, or
    `()`.

    Source: Krueger et al., "Zoneout: Regularizing RNNs by Randomly Preserving Hidden
    Activations", https://arxiv.org/abs/1606.01305

    Args:
        cell: Any Keras cell, also one that is wrapped already. Run it by
            `recurra.layers.RNN`, which draws the masks before the loop.
        zoneout_hidden: Rate in `[0, 1)` at which hidden units keep their state.
            Default: 0.
        zoneout_cell: The same for the cell state. Default: 0.
        **kwargs: As for `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, features)`.
        states: List of the previous states, `(batch, units)` each.
        training: Whether masks are used, or their expectation.

    Returns of a call: output `(batch, units)` and the list of new states.

    Raises:
        TypeError: `cell` is no cell.
        ValueError: A rate is outside `[0, 1)`, it is that of a state that the cell has
            not or that may not be kept alone, or the cell masks its output, which
            zoneout would undo.

    Example:

    >>> import keras
    >>> from recurra.layers import LSTMCell, RNN, Zoneout
    >>> cell = Zoneout(LSTMCell(8), zoneout_hidden=0.05, zoneout_cell=0.5)
    >>> keras.ops.shape(RNN(cell)(keras.ops.ones((2, 5, 3)), training=True))
    (2, 8)
    """

    keeps_states_bounded = True

    def __init__(
        self,
        cell: keras.layers.Layer,
        zoneout_hidden: float = 0.0,
        zoneout_cell: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(cell, **kwargs)
        self.zoneout_hidden = checked_rate("zoneout_hidden", zoneout_hidden)
        self.zoneout_cell = checked_rate("zoneout_cell", zoneout_cell)
        # Some cells know their states once they are built.
        with contextlib.suppress(AttributeError):
            self._refuse_a_rate_without_a_state()
        if any(getattr(part, "output_dropout", 0) for part in wrappers_of(cell)):
            raise ValueError(
                "`Zoneout` puts out the hidden state, which undoes the mask on the "
                "output of the cell that it wraps. Put the output mask outside: "
                "VariationalDropout(Zoneout(cell, ...), output_dropout=...). "
                f"Received: cell={cell} with an output mask"
            )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        self._refuse_a_rate_without_a_state()

    @property
    def active_at_inference(self) -> bool:
        return self.makes_noise

    @property
    def makes_noise(self) -> bool:
        return any(self._rates().values())

    def draw_noise(
        self, batch_size: Any, timesteps: Any, seed: keras.random.SeedGenerator
    ) -> CellNoise:
        """`per_step` masks `hidden` and `cell`: true where a unit keeps its state."""
        masks = {
            name: draw_events((batch_size, timesteps, *shape), rate, seed)
            for (name, rate), shape in zip(
                self._rates().items(), self.state_shapes, strict=False
            )
            if rate
        }
        return CellNoise(per_sequence={}, per_step=masks)

    def step_noise(self, noise: CellNoise) -> StepNoise | None:
        if self.makes_noise and not noise.per_step:
            return None
        return StepNoise(
            keeps={
                number: noise.per_step[name]
                for number, name in enumerate(self._rates())
                if name in noise.per_step
            }
        )

    def zoned_out_coefficients(
        self, decays: Tensor, addends: Tensor, noise: CellNoise
    ) -> tuple[Tensor, Tensor]:
        """Those of h_t = a_t * h_{t-1} + b_t, `(batch, time, units)`, with zoneout.

        Where a unit keeps its state, a is 1 and b is 0.
        """
        mask = noise.per_step.get("hidden")
        if mask is not None:
            return ops.where(mask, 1, decays), ops.where(mask, 0, addends)
        keeps = self.zoneout_hidden
        return keeps + (1 - keeps) * decays, (1 - keeps) * addends

    def call(
        self, inputs: Tensor, states: list[Tensor], training: bool | None = False
    ) -> tuple[Tensor, list[Tensor]]:
        masks = self.noise_of_this_step(training)
        output, new_states = self.run_cell(inputs, states, training)
        puts_out_hidden_state = output is new_states[0]
        for index, (name, rate) in enumerate(self._rates().items()):
            if rate:
                new_states[index] = _zoned_out(
                    states[index], new_states[index], masks.get(name), rate
                )
        return (new_states[0] if puts_out_hidden_state else output), new_states

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "zoneout_hidden": self.zoneout_hidden,
            "zoneout_cell": self.zoneout_cell,
        }

    def _refuse_a_rate_without_a_state(self) -> None:
        # A buffer that a regulariser within adds to the states is no cell state.
        cell = innermost_cell(self.cell)
        may_be_kept = getattr(cell, "zoneout_states", self._rates())
        for name, rate in self._rates().items():
            if rate and name not in may_be_kept:
                raise ValueError(
                    f"`zoneout_{name}` would keep a state of this cell without those "
                    f"that belong to it. Received: zoneout_{name}={rate} for cell="
                    f"{self.cell}"
                )
        if self.zoneout_cell and len(shapes_of_states(cell)) < 2:
            raise ValueError(
                "`zoneout_cell` needs a cell with a cell state beside its hidden "
                f"state. Received: zoneout_cell={self.zoneout_cell} for cell="
                f"{self.cell}, whose state_size is {cell.state_size}"
            )

    def _rates(self) -> dict[str, float]:
        return {"hidden": self.zoneout_hidden, "cell": self.zoneout_cell}


def _zoned_out(previous: Tensor, new: Tensor, mask: Tensor, rate: float) -> Tensor:
    if mask is None:
        return rate * previous + (1 - rate) * new
    return ops.where(mask, previous, new)
