"""The recurrent part of every task's configuration, and the layers that it says."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import pydantic
from pydantic import Field

from .core.configuration import Config

CellName = Literal["vanilla", "lstm", "gru"]


class RecurrentConfig(Config):
    """Recurrent layers of a cell, with every regulariser of `recurra.layers`.

    A task adds sizes, and dropout of what the layers read and put out, which differs by
    what stands there.
    """

    renamed_keys: ClassVar[Mapping[str, str]] = {"state_dropout": "recurrent_dropout"}

    cell: CellName = Field("lstm", description="of the recurrent layers")
    recurrent_dropout: float = Field(
        0.0, ge=0, lt=1, description="variational, of the hidden state"
    )
    zoneout_hidden: float = Field(0.0, ge=0, lt=1, description="of the hidden state")
    zoneout_cell: float = Field(
        0.0, ge=0, lt=1, description="of the cell state; LSTM alone"
    )
    weight_dropout: float = Field(
        0.0, ge=0, lt=1, description="of the recurrent weights"
    )
    layer_norm: bool = Field(False, description="layer normalisation in the cell")

    @pydantic.model_validator(mode="after")
    def _zoneout_cell_needs_a_cell_state(self) -> "RecurrentConfig":
        if self.zoneout_cell and self.cell != "lstm":
            raise ValueError(f"zoneout_cell: a {self.cell} cell has no cell state")
        return self

    @property
    def has_recurrent_noise(self) -> bool:
        """Whether training draws noise within the recurrence."""
        return bool(
            self.recurrent_dropout
            or self.zoneout_hidden
            or self.zoneout_cell
            or self.weight_dropout
        )


def recurrent_layer(config: RecurrentConfig, units: int, **arguments: Any) -> Any:
    """A layer of `recurra.layers` as the configuration says.

    Args:
        config: The cell and its regularisers.
        units: Of the layer.
        **arguments: Further ones of the layer, such as `return_sequences`, `dropout`,
            `output_dropout`, `seed` and `dtype`.
    """
    from recurra.layers import GRU, LSTM, VanillaRNN

    layer = {"vanilla": VanillaRNN, "lstm": LSTM, "gru": GRU}[config.cell]
    rates: dict[str, Any] = {
        "recurrent_dropout": config.recurrent_dropout,
        "zoneout_hidden": config.zoneout_hidden,
        "weight_dropout": config.weight_dropout,
        "layer_norm": config.layer_norm,
    }
    if config.cell == "lstm":
        rates["zoneout_cell"] = config.zoneout_cell
    return layer(units, **rates, **arguments)


def recurrent_cell(config: RecurrentConfig, units: int, **arguments: Any) -> Any:
    """The bare cell, for a loop that draws no noise."""
    from recurra.layers import GRUCell, LSTMCell, VanillaRNNCell

    cell = {"vanilla": VanillaRNNCell, "lstm": LSTMCell, "gru": GRUCell}[config.cell]
    return cell(units, layer_norm=config.layer_norm, **arguments)
