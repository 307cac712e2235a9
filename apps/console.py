"""What the command line shows: messages and tables."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import rich.box
import rich.console
import rich.logging
import rich.table
from rich.text import Text

if TYPE_CHECKING:
    from recurra.pipelines.data.description import DescriptionTable

# Standard output is for results, which may be piped on; all else goes to the error
# stream.
output = rich.console.Console()
messages = rich.console.Console(stderr=True, highlight=False)


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        messages.print(self.format(record), markup=False, soft_wrap=True)


def show_log() -> None:
    """Shows what the pipelines log, from INFO on."""
    logger = logging.getLogger("recurra")
    if not any(isinstance(handler, _Handler) for handler in logger.handlers):
        logger.addHandler(_Handler())
    logger.setLevel(logging.INFO)


def metrics_table(evaluation: Mapping[str, Any]) -> rich.table.Table:
    """A row per metric, a column for the model and for each baseline."""
    systems = {"model": evaluation["model"], **evaluation["baselines"]}
    table = rich.table.Table(
        title=f"{evaluation['task']}, {evaluation['data']}, {evaluation['split']}"
    )
    table.add_column("", no_wrap=True)
    for name in systems:
        style = "bold" if name == "model" else None
        table.add_column(_heading(name), justify="right", style=style)
    for metric in dict.fromkeys(key for row in systems.values() for key in row):
        values = (row.get(metric) for row in systems.values())
        table.add_row(
            metric, *("" if value is None else f"{value:.4f}" for value in values)
        )
    return table


def as_table(table: "DescriptionTable", title: str | None = None) -> rich.table.Table:
    """A table for the screen."""
    shown = rich.table.Table(box=rich.box.SIMPLE, title=title)
    for index, column in enumerate(table.columns):
        # Folded where the screen is narrow, so that nothing is cut off.
        shown.add_column(
            Text(column),
            justify="right" if table.has_numbers and index else "left",
            overflow="fold",
        )
    for row in table.rows:
        shown.add_row(*map(Text, row))
    return shown


def _heading(name: str) -> str:
    """A word a line, so that columns stay narrow."""
    return name.replace("_", "\n")
