"""What the layers named after their cell share: its arguments and the shorthand."""

from __future__ import annotations

from typing import Any

import keras

from .regulariser import checked_rate, innermost_cell
from .rnn import RNN
from .variational_dropout import VariationalDropout
from .zoneout import Zoneout


class OfCell:
    """An attribute of a layer that is its cell's attribute of the same name."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        return self if layer is None else getattr(layer.plain_cell, self.name)


class RecurrentLayer(RNN):
    """Base of the layers named after their cell, such as `LSTM`.

    Such a layer takes the arguments of its cell, and rates and switches as shorthand
    for regularisers around the cell: `regularised` says which.

    Args:
        cell: The bare cell.
        shorthand: Keyword arguments of `regularised`; attributes of the layer too.
        **kwargs: As for `RNN`.
    """

    def __init__(
        self, cell: keras.layers.Layer, shorthand: dict[str, Any], **kwargs: Any
    ) -> None:
        super().__init__(regularised(cell, **shorthand), **kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=3)
        self._shorthand = tuple(shorthand)
        for name, value in shorthand.items():
            setattr(self, name, value)

    @property
    def plain_cell(self) -> Any:
        """The cell that holds the weights, without the regularisers around it."""
        return innermost_cell(self.cell)

    def get_config(self) -> dict[str, Any]:
        of_cell = self.plain_cell.get_config()
        of_layer = super().get_config()
        del of_layer["cell"]
        return {
            **of_cell,
            **of_layer,
            **{name: getattr(self, name) for name in self._shorthand},
            "activity_regularizer": keras.regularizers.serialize(
                self.activity_regularizer
            ),
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> RecurrentLayer:
        return cls(**config)


def regularised(
    cell: keras.layers.Layer,
    *,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    output_dropout: float = 0.0,
    tied_masks: bool = True,
    zoneout_hidden: float = 0.0,
    zoneout_cell: float = 0.0,
) -> keras.layers.Layer:
    """The cell in the regularisers that the arguments ask for, and no others.

    From the inside out: masks on input and state, zoneout, mask on the output. So
    zoneout keeps the state itself, and what it puts out is masked.
    """
    rates = {
        "dropout": dropout,
        "recurrent_dropout": recurrent_dropout,
        "output_dropout": output_dropout,
        "zoneout_hidden": zoneout_hidden,
        "zoneout_cell": zoneout_cell,
    }
    for name, rate in rates.items():
        checked_rate(name, rate)
    masks_around_zoneout = bool(zoneout_hidden or zoneout_cell) and output_dropout
    if dropout or recurrent_dropout or (output_dropout and not masks_around_zoneout):
        cell = VariationalDropout(
            cell,
            dropout,
            recurrent_dropout,
            0.0 if masks_around_zoneout else output_dropout,
            tied_masks,
        )
    if zoneout_hidden or zoneout_cell:
        cell = Zoneout(cell, zoneout_hidden, zoneout_cell)
    if masks_around_zoneout:
        cell = VariationalDropout(cell, output_dropout=output_dropout)
    return cell


def without_dropout(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a cell without those of Keras's dropout within the cell.

    Raises:
        ValueError: One of them asks for dropout.
    """
    for name in ("dropout", "recurrent_dropout"):
        if arguments.get(name):
            raise ValueError(
                f"A cell draws no noise itself, so it takes no `{name}`: wrap it in "
                f"`VariationalDropout(cell, {name}=...)`, or give the rate to the "
                f"layer. Received: {name}={arguments[name]}"
            )
    left_out = ("dropout", "recurrent_dropout", "seed")
    return {name: value for name, value in arguments.items() if name not in left_out}
