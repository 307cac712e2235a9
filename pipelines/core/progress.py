"""How training goes, shown on a terminal, in a notebook or in a log."""

import math
import time
from collections.abc import Mapping

import rich.console
import rich.progress

SECONDS_BETWEEN_LINES = 15.0


class TrainingProgress:
    """Epoch, step, loss and time left while a model trains.

    A bar on a terminal and in a notebook; elsewhere a line now and then. The time left
    is to the end of the last epoch, as the steps of this session after its first go;
    early stopping may end it sooner.

    Args:
        console: Where it is shown; where notebooks and terminals show output if None.
    """

    def __init__(self, console: rich.console.Console | None = None) -> None:
        self._console = console or rich.console.Console(highlight=False)
        self._bar: rich.progress.Progress | None = None
        self._task = rich.progress.TaskID(0)
        self._begun: float | None = None
        self._done_before = 0
        self._epoch = self._epochs = self._step = self._steps = 0
        self._loss = math.nan
        self._said = time.monotonic()

    def epoch_started(self, epoch: int, epochs: int, step: int, steps: int) -> None:
        """Step `step` of `steps` of the epoch (counted from 0) is the next."""
        # Of an epoch that workers broke off and begin again.
        self.close()
        self._epoch, self._epochs, self._step, self._steps = epoch, epochs, step, steps
        if self._console.is_terminal or self._console.is_jupyter:
            self._bar = rich.progress.Progress(
                rich.progress.TextColumn("{task.description}"),
                rich.progress.BarColumn(),
                rich.progress.MofNCompleteColumn(),
                rich.progress.TextColumn("{task.fields[state]}"),
                console=self._console,
                transient=True,
            )
            self._task = self._bar.add_task(
                f"epoch {epoch + 1}/{epochs}", total=steps, completed=step, state=""
            )
            self._bar.start()

    def step_done(self, step: int, loss: float) -> None:
        """That many steps of the epoch are done; `loss` is its mean so far."""
        self._step, self._loss = step, loss
        state = f"loss {loss:.4f}{self._time_left()}"
        if self._bar:
            self._bar.update(self._task, completed=step, state=state)
        elif time.monotonic() - self._said > SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            self._console.print(
                f"epoch {self._epoch + 1}/{self._epochs} step {step}/{self._steps} "
                f"{state}",
                soft_wrap=True,
            )

    def epoch_ended(self, row: Mapping[str, float], best: bool) -> None:
        """The epoch's row of the history."""
        self.close()
        self._said = time.monotonic()
        self._console.print(_epoch_line(row, self._epochs, best), soft_wrap=True)

    def close(self) -> None:
        """Takes the bar off the screen."""
        if self._bar:
            self._bar.stop()
            self._bar = None

    def _time_left(self) -> str:
        if self._begun is None:
            # The first step makes the graph, which takes as long as many steps.
            self._begun = time.monotonic()
            self._done_before = self._epoch * self._steps + self._step
            return ""
        done = self._epoch * self._steps + self._step - self._done_before
        left = (self._epochs - self._epoch) * self._steps - self._step
        return f", {duration((time.monotonic() - self._begun) / done * left)} left"


class EpochLines:
    """A line for each epoch of one of several runs.

    Args:
        name: Of the run.
        console: Where it is shown; where notebooks and terminals show output if None.
    """

    def __init__(self, name: str, console: rich.console.Console | None = None):
        self._name = name
        self._console = console or rich.console.Console(highlight=False)
        self._epochs = 0

    def epoch_started(self, epoch: int, epochs: int, step: int, steps: int) -> None:
        """Step `step` of `steps` of the epoch (counted from 0) is the next."""
        self._epochs = epochs

    def step_done(self, step: int, loss: float) -> None:
        """That many steps of the epoch are done."""

    def epoch_ended(self, row: Mapping[str, float], best: bool) -> None:
        """The epoch's row of the history."""
        line = _epoch_line(row, self._epochs, best)
        self._console.print(f"{self._name}: {line}", markup=False, soft_wrap=True)


def _epoch_line(row: Mapping[str, float], epochs: int, best: bool) -> str:
    shown = ", ".join(
        f"{name} {value:.4f}"
        for name, value in row.items()
        if name not in ("epoch", "seconds")
    )
    return (
        f"epoch {int(row['epoch'])}/{epochs}: {shown}, "
        f"{row['seconds']:.1f} s{' (best so far)' if best else ''}"
    )


def duration(seconds: float) -> str:
    """Seconds, or minutes where they are many."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
