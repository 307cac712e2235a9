"""What the command line shows: messages and tables."""

import logging
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import rich.box
import rich.console
import rich.logging
import rich.progress
import rich.table
from rich.text import Text

from recurra.pipelines.core.progress import duration

if TYPE_CHECKING:
    from recurra.pipelines.data.description import DescriptionTable

# Standard output is for results, which may be piped on; all else goes to the error
# stream.
output = rich.console.Console()
messages = rich.console.Console(stderr=True, highlight=False)


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(self.format(record))


def say(line: str) -> None:
    """Shows a line that is no result."""
    messages.print(line, markup=False, soft_wrap=True)


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
        # On a narrow screen long names are broken, and no number is cut.
        heading = _heading(name)
        table.add_column(heading, justify="right", style=style, overflow="fold")
    for metric in dict.fromkeys(key for row in systems.values() for key in row):
        values = (row.get(metric) for row in systems.values())
        table.add_row(
            metric, *("" if value is None else _number(value) for value in values)
        )
    table.caption = Text("\n".join(_remarks(evaluation)))
    table.caption_justify = "left"
    return table


def print_members(metrics: Mapping[str, Any], by: str) -> None:
    """The metrics of several runs as one model, if they are, and a row of each."""
    from recurra.pipelines.data.description import DescriptionTable

    if "model" in metrics:
        output.print(metrics_table(metrics))
    rows = {**metrics["members"], **metrics.get("spread", {})}
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    table = DescriptionTable(
        [by, *columns],
        [
            [name, *(_number(row[key]) if key in row else "" for key in columns)]
            for name, row in rows.items()
        ],
    )
    output.print(as_table(table))


def _remarks(evaluation: Mapping[str, Any]) -> Iterator[str]:
    for name, unfinished in evaluation.get("unfinished", {}).items():
        yield (
            f"{name}: training is not finished; the best epoch so far is "
            f"{unfinished['epoch']} of {unfinished['epochs']}"
        )
    for name, reason in evaluation.get("failed", {}).items():
        yield f"{name} failed and is left out ({reason})"


class RowProgress:
    """Rows, rows a second and the time left, on a terminal.

    The first rows, with which a graph is made, count in no speed.

    Args:
        console: Where it is shown.
        enabled: Whether it is shown.
    """

    def __init__(self, console: rich.console.Console, enabled: bool):
        self._bar = rich.progress.Progress(
            rich.progress.BarColumn(),
            rich.progress.TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not enabled,
        )
        self._task = self._bar.add_task("", total=None)
        self._rows = 0
        self._begin: tuple[float, int, int] | None = None

    def __enter__(self) -> "RowProgress":
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def advance(self, rows: int, position: int, size: int) -> None:
        """So many rows more are done; `position` of `size` of the file is read."""
        self._rows += rows
        now = time.monotonic()
        shown = f"{self._rows:,} rows"
        if self._begin is None:
            self._begin = now, self._rows, position
        else:
            begun, rows_before, read_before = self._begin
            seconds = max(now - begun, 1e-3)
            shown += f", {(self._rows - rows_before) / seconds:,.0f} rows/s"
            if position > read_before:
                left = seconds * (size - position) / (position - read_before)
                shown += f", {duration(left)} left"
        self._bar.update(
            self._task, completed=position, total=max(size, 1), description=shown
        )


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


def _number(value: float) -> str:
    """With four decimals; fewer from 10 on, so that it stays as short."""
    whole = len(f"{abs(value):.0f}")
    return f"{value:.{max(0, 5 - whole)}f}"


def _heading(name: str) -> str:
    """A word a line, so that columns stay narrow."""
    return name.replace("_", "\n")
