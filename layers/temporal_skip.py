"""Temporal skip connections: a cell that reads its hidden state of k steps ago too."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from .regulariser import CellRegulariser, Tensor, refuse_other_than_flat_states


@keras.saving.register_keras_serializable(package="recurra")
class TemporalSkip(CellRegulariser):
    """Lets a cell read its hidden state of `k` steps ago too (Zhang et al. 2016).

        h_t, c_t = cell([x_t, h_{t-k}], h_{t-1}, c_{t-1})

    The cell reads `h_{t-k}` beside its input. So its input kernel `U` has `units`
    further rows `V`, in which every gate has columns of its own, and for the vanilla
    cell this is the paper's

        h_t = f(x_t U + h_{t-1} W + h_{t-k} V + b)

    A path from `h_t` back to `h_{t-n}` has as few as `n / k` edges instead of `n`.
    `V` starts as `kernel_initializer` says and is regularised and constrained as the
    rows of `U` are. A padded step changes no state and does not count: `k` steps ago
    is `k` real steps ago. Before the start, `h` is zero, or what `initial_state` says.

    The states are those of the cell, of which the first is taken as hidden state, and
    one more: `[h_{t-2}, ..., h_{t-k}]`, `(batch, (k - 1) * units)`, when step `t`
    begins. Regularisers around this one leave that alone: what `Zoneout` keeps is
    kept, and read `k` steps later. A mask on the hidden state, of `VariationalDropout`
    around this one, falls on `h_{t-k}` as on `h_{t-1}`, since both are the hidden
    state that the cell reads. Within this one, `VariationalDropout` takes
    `[x_t, h_{t-k}]` as input to be masked.

    Source: Zhang et al., "Architectural Complexity Measures of Recurrent Neural
    Networks", https://arxiv.org/abs/1602.08210

    Args:
        cell: Any Keras cell, also one that is wrapped already.
        steps: Integer `k`, at least 2: how many steps ago.
        **kwargs: As for `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, features)`.
        states: List of the previous states, `(batch, units)` each, and last
            `(batch, (k - 1) * units)`.
        training: Handed on to the cell.

    Returns of a call: output `(batch, units)` and the list of new states.

    Raises:
        TypeError: `cell` is no cell.
        ValueError: `steps` is no integer of at least 2, the cell is built for another
            input, or its states have more dimensions.

    Example:

    >>> import keras
    >>> from recurra.layers import LSTMCell, RNN, TemporalSkip
    >>> layer = RNN(TemporalSkip(LSTMCell(8), steps=3))
    >>> keras.ops.shape(layer(keras.ops.ones((2, 5, 4))))
    (2, 8)
    >>> [tuple(weight.shape) for weight in layer.weights]
    [(12, 32), (8, 32), (32,)]
    """

    passes_inputs_through = False
    keeps_states_bounded = True

    def __init__(self, cell: keras.layers.Layer, steps: int, **kwargs: Any) -> None:
        super().__init__(cell, **kwargs)
        refuse_other_than_flat_states("TemporalSkip", cell)
        if not isinstance(steps, int) or isinstance(steps, bool) or steps < 2:
            raise ValueError(
                "`steps` must be an integer of at least 2: the cell reads its hidden "
                "state of 1 step ago anyway, by its recurrent kernel. Received: "
                f"steps={steps!r}"
            )
        self.steps = steps
        self.units = self.state_sizes[0]
        self.state_size = [*self.state_sizes, (steps - 1) * self.units]

    @property
    def active_at_inference(self) -> bool:
        return True

    def build(self, input_shape: tuple[Any, ...]) -> None:
        *batch, features = input_shape
        read_by_cell = features + self.units
        built_for = (self.cell.get_build_config() or {}).get("input_shape")
        if self.cell.built and built_for and built_for[-1] != read_by_cell:
            raise ValueError(
                f"The cell within `TemporalSkip` reads {features} inputs and "
                f"{self.units} units of its hidden state, hence {read_by_cell}. Give "
                "it a cell that is not built yet. Received: a cell built for "
                f"input_shape={tuple(built_for)}"
            )
        super().build((*batch, read_by_cell))

    def get_initial_state(self, batch_size: Any = None) -> list[Tensor]:
        earlier = ops.zeros(
            (batch_size, (self.steps - 1) * self.units), dtype=self.compute_dtype
        )
        return [*super().get_initial_state(batch_size), earlier]

    def call(
        self, inputs: Tensor, states: list[Tensor], training: bool | None = False
    ) -> tuple[Tensor, list[Tensor]]:
        *of_cell, earlier = states
        output, new_states = self.run_cell(
            ops.concatenate([inputs, earlier[:, -self.units :]], axis=-1),
            of_cell,
            training,
        )
        previous = ops.concatenate([of_cell[0], earlier[:, : -self.units]], axis=-1)
        return output, [*new_states, previous]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "steps": self.steps}
