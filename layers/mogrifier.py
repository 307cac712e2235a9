"""The Mogrifier: input and hidden state gate each other before the step."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from .regulariser import (
    CellRegulariser,
    Tensor,
    refuse_other_than_flat_states,
    wrappers_of,
)
from .zoneout import Zoneout


@keras.saving.register_keras_serializable(package="recurra")
class Mogrifier(CellRegulariser):
    """Lets input and hidden state of a cell gate each other (Melis et al. 2020).

        x^i = 2 s(h^{i-1} Q^i) * x^{i-2}    for odd i <= r
        h^i = 2 s(x^{i-1} R^i) * h^{i-2}    for even i <= r
        h_t, c_t = cell(x*, h*, c_{t-1})

    with s the sigmoid, x^{-1} = x_t and h^0 = h_{t-1}, and x*, h* the last of each. So
    what the cell reads of a word depends on what stands before it. The weights are the
    Q^i `(units, features)` and the R^i `(features, units)`, in the order of i; with
    `rank` each is a product of two, `(units, rank)` and `(rank, features)`, and
    likewise. It draws no noise, and takes part at inference.

    A mask on the hidden state, of `VariationalDropout` around this one, falls on
    h_{t-1}. The paper has it so, and around an `LSTMCell`.

    Source: Melis, Kocisky and Blunsom, "Mogrifier LSTM",
    https://arxiv.org/abs/1909.01792

    Args:
        cell: Any Keras cell, also one that is wrapped already.
        rounds: Integer r of at least 0. Default: 5, as in the paper.
        rank: Positive integer, or `None` (default) for whole Q and R.
        kernel_initializer: Of the weights.
        **kwargs: As for `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, features)`.
        states: List of the previous states, `(batch, units)` each.
        training: Handed on to the cell.

    Returns of a call: output `(batch, units)` and the list of new states.

    Raises:
        TypeError: `cell` is no cell.
        ValueError: `rounds` or `rank` makes no sense, the cell's states have more
            dimensions, or it is in a `Zoneout`, which would keep the gated state.

    Example:

    >>> import keras
    >>> from recurra.layers import LSTMCell, Mogrifier, RNN
    >>> layer = RNN(Mogrifier(LSTMCell(8), rounds=4, rank=2))
    >>> keras.ops.shape(layer(keras.ops.ones((2, 5, 3))))
    (2, 8)
    """

    passes_inputs_through = False

    def __init__(
        self,
        cell: keras.layers.Layer,
        rounds: int = 5,
        rank: int | None = None,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(cell, **kwargs)
        refuse_other_than_flat_states("Mogrifier", cell)
        for name, value, least in (("rounds", rounds, 0), ("rank", rank or 1, 1)):
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ValueError(
                    f"`{name}` must be an integer of at least {least}. Received: "
                    f"{name}={value!r}"
                )
        if any(isinstance(wrapper, Zoneout) for wrapper in wrappers_of(cell)):
            raise ValueError(
                "`Mogrifier` around `Zoneout` would make zoneout keep the gated state "
                "instead of the state. Put it inside: Zoneout(Mogrifier(cell), ...). "
                f"Received: cell={cell}"
            )
        self.rounds = rounds
        self.rank = rank
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    @property
    def active_at_inference(self) -> bool:
        return True

    def build(self, input_shape: tuple[Any, ...]) -> None:
        super().build(input_shape)
        features, units = input_shape[-1], self.state_sizes[0]
        self.kernels = []
        for number in range(1, self.rounds + 1):
            rows, columns = (units, features) if number % 2 else (features, units)
            name = f"{'query' if number % 2 else 'response'}_{number}"
            shapes = [(rows, columns)]
            if self.rank is not None:
                shapes = [(rows, self.rank), (self.rank, columns)]
            self.kernels.append(
                [
                    self.add_weight(
                        shape=shape,
                        name=f"{name}_{part}" if self.rank else name,
                        initializer=self.kernel_initializer,
                    )
                    for part, shape in enumerate(shapes)
                ]
            )

    def call(
        self, inputs: Tensor, states: list[Tensor], training: bool | None = False
    ) -> tuple[Tensor, list[Tensor]]:
        hidden_state, *others = states
        for number, factors in enumerate(self.kernels, start=1):
            gate = hidden_state if number % 2 else inputs
            for factor in factors:
                gate = ops.matmul(gate, factor)
            gate = 2 * ops.sigmoid(gate)
            if number % 2:
                inputs = gate * inputs
            else:
                hidden_state = gate * hidden_state
        return self.run_cell(inputs, [hidden_state, *others], training)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rounds": self.rounds,
            "rank": self.rank,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
