"""What every task's section on its recurrent layers has."""

import pydantic
from pydantic import Field

from .configuration import Section


class RecurrentSection(Section):
    """Recurrent layers of a cell, with zoneout."""

    cell: str
    zoneout_hidden: float = Field(0.0, ge=0, lt=1)
    zoneout_cell: float = Field(0.0, ge=0, lt=1, description="LSTM alone")

    @pydantic.model_validator(mode="after")
    def _zoneout_cell_needs_a_cell_state(self) -> "RecurrentSection":
        if self.zoneout_cell and self.cell != "lstm":
            raise ValueError(f"zoneout_cell: a {self.cell} cell has no cell state")
        return self
