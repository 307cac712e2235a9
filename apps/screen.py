"""What the command line shows: messages, progress of training, tables of metrics."""

import logging
import math
import time
from collections.abc import Mapping
from typing import Any

import rich.console
import rich.logging
import rich.progress
import rich.table

# Standard output is for results, which may be piped on; all else goes to the error
# stream.
output = rich.console.Console()
messages = rich.console.Console(stderr=True, highlight=False)

SECONDS_BETWEEN_LINES = 15.0


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        messages.print(self.format(record), markup=False, soft_wrap=True)


def show_log() -> None:
    """Shows what the pipelines log, from INFO on."""
    logger = logging.getLogger("recurra")
    if not any(isinstance(handler, _Handler) for handler in logger.handlers):
        logger.addHandler(_Handler())
    logger.setLevel(logging.INFO)


class TrainingProgress:
    """Epoch, step, loss and time left while a model trains.

    A bar where the screen is a terminal; elsewhere a line now and then. The time left
    is to the end of the last epoch; early stopping may end it sooner.
    """

    def __init__(self) -> None:
        self._bar: rich.progress.Progress | None = None
        self._task = rich.progress.TaskID(0)
        self._begun = time.monotonic()
        self._done_before = 0
        self._epoch = self._epochs = self._step = self._steps = 0
        self._loss = math.nan
        self._said = time.monotonic()

    def epoch_started(self, epoch: int, epochs: int, step: int, steps: int) -> None:
        """Step `step` of `steps` of the epoch (counted from 0) is the next."""
        if not self._epochs:
            self._begun = time.monotonic()
            self._done_before = epoch * steps + step
        self._epoch, self._epochs, self._step, self._steps = epoch, epochs, step, steps
        if messages.is_terminal:
            self._bar = rich.progress.Progress(
                rich.progress.TextColumn("{task.description}"),
                rich.progress.BarColumn(),
                rich.progress.MofNCompleteColumn(),
                rich.progress.TextColumn("{task.fields[state]}"),
                console=messages,
                transient=True,
            )
            self._task = self._bar.add_task(
                f"epoch {epoch + 1}/{epochs}", total=steps, completed=step, state=""
            )
            self._bar.start()

    def step_done(self, step: int, loss: float) -> None:
        """That many steps of the epoch are done; `loss` is its mean so far."""
        self._step, self._loss = step, loss
        state = f"loss {loss:.4f}, {self._time_left()} left"
        if self._bar:
            self._bar.update(self._task, completed=step, state=state)
        elif time.monotonic() - self._said > SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            messages.print(
                f"epoch {self._epoch + 1}/{self._epochs} step {step}/{self._steps} "
                f"{state}",
                soft_wrap=True,
            )

    def epoch_ended(self, row: Mapping[str, float], best: bool) -> None:
        """The epoch's row of the history."""
        self.close()
        self._said = time.monotonic()
        shown = ", ".join(
            f"{name} {value:.4f}"
            for name, value in row.items()
            if name not in ("epoch", "seconds")
        )
        messages.print(
            f"epoch {int(row['epoch'])}/{self._epochs}: {shown}, "
            f"{row['seconds']:.1f} s{' (best so far)' if best else ''}",
            soft_wrap=True,
        )

    def close(self) -> None:
        """Takes the bar off the screen."""
        if self._bar:
            self._bar.stop()
            self._bar = None

    def _time_left(self) -> str:
        done = self._epoch * self._steps + self._step - self._done_before
        left = (self._epochs - self._epoch) * self._steps - self._step
        seconds = (time.monotonic() - self._begun) / max(1, done) * left
        if seconds < 90:
            return f"{seconds:.0f} s"
        return f"{seconds / 60:.0f} min"


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


def backtest_table(evaluation: Mapping[str, Any]) -> rich.table.Table:
    """The mean absolute error of each stretch of time, a column per system."""
    blocks = evaluation["backtest"]
    names = ["model", *evaluation["baselines"]]
    table = rich.table.Table(title="mae by stretch of time")
    table.add_column("first origin", no_wrap=True)
    for name in names:
        table.add_column(_heading(name), justify="right")
    for block in blocks:
        rows = {"model": block["model"], **block["baselines"]}
        values = (rows[name].get("mae") for name in names)
        table.add_row(
            block["first_origin"],
            *("" if value is None else f"{value:.4f}" for value in values),
        )
    return table


def _heading(name: str) -> str:
    """A word a line, so that columns stay narrow."""
    return name.replace("_", "\n")
