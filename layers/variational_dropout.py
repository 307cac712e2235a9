"""Variational dropout: one mask per sequence, the same at every step."""

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
    draw_dropout_mask,
    innermost_cell,
    takes_argument,
    wrappers_of,
)
from .zoneout import Zoneout


@keras.saving.register_keras_serializable(package="recurra")
class VariationalDropout(CellRegulariser):
    """Drops input, hidden state and output of a cell by masks held over the sequence.

    With masks drawn once per sequence, 0 with probability `p` and `1 / (1 - p)`
    otherwise (Gal and Ghahramani 2016)

        h'_t, c_t = cell(x_t * z^x, h_{t-1} * z^h, c_{t-1})
        output_t  = h'_t * z^o

    The cell state is not masked, and neither is the hidden state that is carried on:
    only what the cell reads of it is. Tied masks are the same for all gates; untied,
    each gate `g` reads the input by `z^x_g` and the hidden state by `z^h_g`.
    At inference nothing is masked.

    A cell that uses its hidden state beside the recurrent kernel, as a GRU does in
    `z * h_{t-1} + (1 - z) * h'`, has to mask the one use and not the other itself.
    `recurra.layers.GRUCell` does; `keras.layers.GRUCell`, which cannot, carries on the
    masked state. A cell of your own does if its `call` takes `input_mask` and
    `state_mask`, `(batch, features)` and `(batch, units)` or `None`, and it has an
    attribute `takes_tied_masks = True`. If it also has an integer `gates`, it may get
    untied masks, `(batch, gates, features)` and `(batch, gates, units)`;
    `recurra.layers.read_by_gates` applies both kinds. Only wrappers whose `call` takes
    these masks too and passes them on, as that of `WeightDrop`, may stand between such
    a cell and `recurrent_dropout`. A cell none of whose weights is multiplied with the
    state says `reads_state = False`, and is refused here.

    Source: Gal and Ghahramani, "A Theoretically Grounded Application of Dropout in
    Recurrent Neural Networks", https://arxiv.org/abs/1512.05287

    Args:
        cell: Any Keras cell, also one that is wrapped already. Run it by
            `recurra.layers.RNN`, which draws the masks before the loop.
        dropout: Rate in `[0, 1)` for the input. Default: 0.
        recurrent_dropout: Rate in `[0, 1)` for the hidden state. Default: 0.
        output_dropout: Rate in `[0, 1)` for the output. Default: 0.
        tied_masks: Whether all gates share their masks (default), or each has its
            own. Untied masks need a cell that applies them gate by gate, such as
            `recurra.layers.LSTMCell` and `GRUCell`.
        **kwargs: As for `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, features)`.
        states: List of the previous states, `(batch, units)` each.
        training: Whether masks are used.

    Returns of a call: output `(batch, units)` and the list of new states.

    Raises:
        TypeError: `cell` is no cell.
        ValueError: A rate is outside `[0, 1)`, the cell cannot apply untied masks,
            `recurrent_dropout` stands outside a `Zoneout`, which would then keep the
            masked state, or another wrapper than `WeightDrop` keeps its masks from a
            cell that applies them itself.

    Example:

    >>> import keras
    >>> from recurra.layers import LSTMCell, RNN, VariationalDropout
    >>> cell = VariationalDropout(LSTMCell(8), dropout=0.2, recurrent_dropout=0.3)
    >>> keras.ops.shape(RNN(cell)(keras.ops.ones((2, 5, 3)), training=True))
    (2, 8)
    """

    keeps_states_bounded = True

    def __init__(
        self,
        cell: keras.layers.Layer,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        output_dropout: float = 0.0,
        tied_masks: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(cell, **kwargs)
        self.dropout = checked_rate("dropout", dropout)
        self.recurrent_dropout = checked_rate("recurrent_dropout", recurrent_dropout)
        self.output_dropout = checked_rate("output_dropout", output_dropout)
        self.tied_masks = tied_masks
        reader = _reader(cell)
        if not tied_masks and not (
            takes_argument(reader, "input_mask")
            and takes_argument(reader, "state_mask")
            and isinstance(getattr(reader, "gates", None), int)
        ):
            raise ValueError(
                "`tied_masks=False` needs a cell that has an integer `gates`, their "
                "number, and whose `call` takes `input_mask` and `state_mask` and "
                "applies them gate by gate, such as `recurra.layers.LSTMCell`. "
                f"Received: cell={cell}"
            )
        if self.recurrent_dropout and not getattr(
            innermost_cell(cell), "reads_state", True
        ):
            raise ValueError(
                "`recurrent_dropout` masks what weights of the cell read of its state, "
                "and no weight of this cell does: the mask would only forget. Use "
                f"`Zoneout(cell, zoneout_hidden=...)`. Received: cell={cell}"
            )
        if (
            self.recurrent_dropout
            and getattr(innermost_cell(cell), "takes_tied_masks", False)
            and not takes_argument(_reader(cell), "state_mask")
        ):
            raise ValueError(
                "`recurrent_dropout` masks what the gates of this cell read, not the "
                "state that it carries on, so the masks have to reach the cell: put "
                "`VariationalDropout` within the other wrappers, next to the cell or "
                f"its `WeightDrop`. Received: cell={cell}"
            )
        if self.recurrent_dropout and any(
            isinstance(wrapper, Zoneout) for wrapper in wrappers_of(cell)
        ):
            raise ValueError(
                "`recurrent_dropout` around `Zoneout` would make zoneout keep the "
                "masked state instead of the state. Put it inside: "
                "Zoneout(VariationalDropout(cell, recurrent_dropout=...), ...). "
                f"Received: recurrent_dropout={recurrent_dropout} for cell={cell}"
            )

    @property
    def makes_noise(self) -> bool:
        return any((self.dropout, self.recurrent_dropout, self.output_dropout))

    def draw_noise(
        self, batch_size: Any, timesteps: Any, seed: keras.random.SeedGenerator
    ) -> CellNoise:
        """`per_sequence` masks `input`, `state` and `output`, scaled already.

        `(batch, features)`, `(batch, units)`, `(batch, units)`; untied, the first two
        are `(batch, gates, features)` and `(batch, gates, units)`.
        """
        gates = () if self.tied_masks else (_reader(self.cell).gates,)
        shapes_and_rates = {
            "input": (self.shape_of_inputs, self.dropout),
            "state": (self.state_shapes[0], self.recurrent_dropout),
            "output": (self.output_shape, self.output_dropout),
        }
        masks = {
            name: draw_dropout_mask(
                (batch_size, *(gates if name != "output" else ()), *shape),
                rate,
                self.compute_dtype,
                seed,
            )
            for name, (shape, rate) in shapes_and_rates.items()
            if rate
        }
        return CellNoise(per_sequence=masks, per_step={})

    def before_loop(
        self, sequences: Tensor, noise: CellNoise
    ) -> tuple[Tensor, CellNoise]:
        masks = dict(noise.per_sequence)
        masks.pop("output", None)
        if self.tied_masks and "input" in masks:
            sequences = sequences * ops.expand_dims(masks.pop("input"), axis=1)
        return sequences, CellNoise(per_sequence=masks, per_step={})

    def after_loop(self, outputs: Tensor, noise: CellNoise) -> Tensor:
        if "output" not in noise.per_sequence:
            return outputs
        mask = noise.per_sequence["output"]
        is_sequence = outputs.ndim > mask.ndim
        return outputs * (ops.expand_dims(mask, 1) if is_sequence else mask)

    def step_noise(self, noise: CellNoise) -> StepNoise | None:
        state_mask = noise.per_sequence.get("state")
        is_tied = state_mask is None or state_mask.ndim == 2
        if not is_tied or not noise.per_sequence.keys() <= {"state"}:
            return None
        return StepNoise(state_mask)

    def call(
        self, inputs: Tensor, states: list[Tensor], training: bool | None = False
    ) -> tuple[Tensor, list[Tensor]]:
        # Without stop_gradient TensorFlow adds up the gradient of a mask over the loop.
        masks = {
            name: ops.stop_gradient(mask)
            for name, mask in self.noise_of_this_step(training).items()
        }
        if self._cell_applies_masks():
            output, new_states = self.run_cell(
                inputs,
                states,
                training,
                input_mask=masks.get("input"),
                state_mask=masks.get("state"),
            )
        else:
            inputs, states = _masked(inputs, states, masks)
            output, new_states = self.run_cell(inputs, states, training)
        if "output" in masks:
            output = output * masks["output"]
        return output, new_states

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "output_dropout": self.output_dropout,
            "tied_masks": self.tied_masks,
        }

    def _cell_applies_masks(self) -> bool:
        return not self.tied_masks or getattr(
            _reader(self.cell), "takes_tied_masks", False
        )


def _reader(cell: keras.layers.Layer) -> keras.layers.Layer:
    """The cell that applies masks given to `cell`, which may pass them on."""
    passes_masks_on = isinstance(cell, CellRegulariser) and takes_argument(
        cell, "state_mask"
    )
    return _reader(cell.cell) if passes_masks_on else cell


def _masked(
    inputs: Tensor, states: list[Tensor], masks: dict[str, Tensor]
) -> tuple[Tensor, list[Tensor]]:
    hidden_state, *other_states = states
    if "input" in masks:
        inputs = inputs * masks["input"]
    if "state" in masks:
        hidden_state = hidden_state * masks["state"]
    return inputs, [hidden_state, *other_states]
