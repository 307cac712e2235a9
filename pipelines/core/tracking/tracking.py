"""What all trackers share: they are told the same, and one that fails ends no run."""

import importlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from ...cards import ModelCard
from ..configuration import Config, flattened
from ..errors import Interrupted, UserError
from ..files import read_json, write_json
from ..runs import Run
from ..training import Progress

logger = logging.getLogger("recurra")

#: In a run directory: by tracker the name that it has given the run.
FILE = "trackers.json"
# Losses of steps are told together, since a tracker may be across a network.
_STEPS_TOGETHER = 100


class Tracker(Protocol):
    """What keeps a run for people to look at.

    Args:
        run: The run.
        known: The name that this tracker gave the run before; None at first.
    """

    #: The name that the tracker knows the run by.
    identity: str

    def __init__(self, run: Run, known: str | None): ...

    def configuration(self, values: Mapping[str, Any]) -> None:
        """Keeps the configuration, by dotted key."""

    def metrics(self, rows: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        """Keeps values by name, each row at a step counted from training's begin."""

    def results(self, values: Mapping[str, float]) -> None:
        """Keeps the figures that the run ended with, and its figures and report."""

    def model(self, folder: Path, card: ModelCard) -> None:
        """Keeps an exported version."""

    def close(self, status: str) -> None:
        """Ends; the status is "finished", "stopped" or "failed"."""


def refuse_missing(names: Sequence[str]) -> None:
    """Imports the packages of the trackers.

    Raises:
        UserError: One cannot be imported.
    """
    for name in names:
        try:
            _class_of(name)
        except ImportError as error:
            raise UserError(
                f"training.trackers: {name} cannot be imported ({error}); this needs "
                f"the extra {name}: pip install 'recurra[{name}]'"
            ) from None


class Tracking:
    """Tells trackers of a run while it is trained.

    A tracker that fails is told nothing more, which the log says, and the run goes on.

    Args:
        run: The run.
        configuration: Of it.
        names: Of the trackers.
    """

    def __init__(self, run: Run, configuration: Config, names: Sequence[str]):
        self._trackers: dict[str, Tracker] = {}
        self._rows: list[tuple[int, Mapping[str, float]]] = []
        known = _known(run)
        for name in names:
            with _left_out_where_it_fails(name):
                self._trackers[name] = _class_of(name)(run, known.get(name))
        self._tell(
            lambda tracker: tracker.configuration(
                flattened(configuration.model_dump(mode="json"))
            )
        )
        given = {name: each.identity for name, each in self._trackers.items()}
        if known | given != known:
            write_json(run.path / FILE, known | given)

    def hearing(self, progress: Progress | None) -> Progress | None:
        """Hears of training in place of `progress`, which it tells too."""
        return _Hearing(self, progress) if self._trackers else progress

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Keeps values at a step; they are told a hundred at a time."""
        self._rows.append((step, values))
        if len(self._rows) >= _STEPS_TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Tells what was kept."""
        rows, self._rows = self._rows, []
        if rows:
            self._tell(lambda tracker: tracker.metrics(rows))

    def finish(self, metrics: Mapping[str, Any]) -> None:
        """Tells what metrics.json holds; the report must be written.

        Args:
            metrics: Of the run.
        """
        split = metrics["split"]
        values = {f"{split}/{name}": v for name, v in metrics["model"].items()}
        for baseline, row in metrics["baselines"].items():
            values |= {f"{split}/{baseline}/{name}": v for name, v in row.items()}
        self._tell(lambda tracker: tracker.results(values))

    def close(self, status: str) -> None:
        """Ends all trackers."""
        self.flush()
        self._tell(lambda tracker: tracker.close(status))

    def _tell(self, what: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            with _left_out_where_it_fails(name) as failed:
                what(tracker)
            if failed:
                del self._trackers[name]


@contextmanager
def tracked(
    run: Run, configuration: Config, names: Sequence[str]
) -> Iterator[Tracking]:
    """What tells trackers of the run, closed by how the block ends."""
    tracking = Tracking(run, configuration, names)
    status = "failed"
    try:
        yield tracking
        status = "finished"
    except (Interrupted, KeyboardInterrupt):
        status = "stopped"
        raise
    finally:
        tracking.close(status)


def track_model(run: Run, names: Sequence[str], folder: Path, card: ModelCard) -> None:
    """Tells the trackers that know the run of a version that it was exported as."""
    known = _known(run)
    for name in names:
        if name in known:
            with _left_out_where_it_fails(name):
                tracker = _class_of(name)(run, known[name])
                tracker.model(folder, card)
                tracker.close("finished")


class _Hearing:
    """Progress that trackers hear of too."""

    def __init__(self, tracking: Tracking, progress: Progress | None):
        self._tracking = tracking
        self._progress = progress
        self._before = self._steps = 0

    def epoch_started(self, epoch: int, epochs: int, step: int, steps: int) -> None:
        self._before, self._steps = epoch * steps, steps
        if self._progress:
            self._progress.epoch_started(epoch, epochs, step, steps)

    def step_done(self, step: int, loss: float) -> None:
        self._tracking.log(self._before + step, {"step/loss": loss})
        if self._progress:
            self._progress.step_done(step, loss)

    def epoch_ended(self, row: Mapping[str, float], best: bool) -> None:
        values = {f"epoch/{key}": v for key, v in row.items() if key != "epoch"}
        self._tracking.log(self._before + self._steps, values)
        self._tracking.flush()
        if self._progress:
            self._progress.epoch_ended(row, best)


def _known(run: Run) -> dict[str, str]:
    file = run.path / FILE
    return read_json(file) if file.is_file() else {}


def _class_of(name: str) -> type[Tracker]:
    module = importlib.import_module(f".{name}_tracker", __package__)
    found: type[Tracker] = module.TRACKER
    return found


@contextmanager
def _left_out_where_it_fails(name: str) -> Iterator[list[Exception]]:
    failed: list[Exception] = []
    try:
        yield failed
    except Exception as error:
        failed.append(error)
        said = (str(error).strip() or type(error).__name__).partition("\n")[0]
        logger.warning("tracker %s failed and is told nothing more (%s)", name, said)
        logger.debug("tracker %s", name, exc_info=error)
