"""The recurrent part of every task's configuration, and the layers that it says."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import pydantic
from pydantic import Field

from .core.configuration import Config

CellName = Literal[
    "vanilla",
    "lstm",
    "gru",
    "min_gru",
    "min_lstm",
    "rg_lru",
    "ind_rnn",
    "sru",
    "slstm",
    "mlstm",
]


class Cell(NamedTuple):
    """A cell of `recurra.layers`: what it is called there, and what it takes."""

    layer: str
    cell: str
    takes: tuple[str, ...]


_OF_GATES = ("recurrent_dropout", "zoneout_hidden", "weight_dropout", "layer_norm")
CELLS: Mapping[CellName, Cell] = {
    "vanilla": Cell("VanillaRNN", "VanillaRNNCell", _OF_GATES),
    "lstm": Cell("LSTM", "LSTMCell", (*_OF_GATES, "zoneout_cell")),
    "gru": Cell("GRU", "GRUCell", _OF_GATES),
    "min_gru": Cell("MinGRU", "MinGRUCell", ("zoneout_hidden",)),
    "min_lstm": Cell("MinLSTM", "MinLSTMCell", ("zoneout_hidden",)),
    "rg_lru": Cell("RGLRU", "RGLRUCell", ("zoneout_hidden",)),
    "ind_rnn": Cell("IndRNN", "IndRNNCell", _OF_GATES[:-1]),
    "sru": Cell("SRU", "SRUCell", _OF_GATES[:2]),
    "slstm": Cell("SLSTM", "SLSTMCell", _OF_GATES[:-1]),
    "mlstm": Cell("MLSTM", "MLSTMCell", ()),
}


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
    def _cell_takes_what_is_set(self) -> "RecurrentConfig":
        takes = CELLS[self.cell].takes
        if self.zoneout_cell and "zoneout_cell" not in takes:
            raise ValueError(f"zoneout_cell: a {self.cell} cell has no cell state")
        for name in _OF_GATES:
            if getattr(self, name) and name not in takes:
                raise ValueError(
                    f"{name}: not for a {self.cell} cell, which takes "
                    + (", ".join(takes) or "none of these")
                )
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
    from recurra import layers

    cell = CELLS[config.cell]
    taken = {name: getattr(config, name) for name in cell.takes}
    return getattr(layers, cell.layer)(units, **taken, **arguments)


def recurrent_cell(config: RecurrentConfig, units: int, **arguments: Any) -> Any:
    """The bare cell, for a loop that draws no noise."""
    from recurra import layers

    cell = CELLS[config.cell]
    if "layer_norm" in cell.takes:
        arguments["layer_norm"] = config.layer_norm
    return getattr(layers, cell.cell)(units, **arguments)
