"""Runs whose training has not ended, used at their best epoch so far."""

import contextlib
import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from .errors import UserError
from .files import write_json
from .optional import collect_failures
from .runs import Run
from .training import best_epoch, read_history
from .workflow import best_model, finish, open_task, refuse_changed

logger = logging.getLogger("recurra")

_COPIED_FILES = (
    "run.json",
    "config.yaml",
    "environment.json",
    "data.json",
    "reading_plan.json",
    "history.csv",
)


@contextlib.contextmanager
def at_best_epoch(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """The runs, those that are not finished as copies that end at their best epoch.

    A copy has calibration, baselines and metrics as if training had ended there, and
    its metrics say so. The run itself gains its baselines, which need no model, and may
    be trained on meanwhile.

    Args:
        runs: Finished or not.

    Raises:
        UserError: If a run has no finished epoch, or its data are wrong or changed.
    """
    with contextlib.ExitStack() as stack:
        yield [
            run if run.is_finished else stack.enter_context(_finished_copy(run))
            for run in runs
        ]


@contextlib.contextmanager
def _finished_copy(run: Run) -> Iterator[Run]:
    if not read_history(run):
        raise UserError(
            f"{run.path}: no epoch is finished yet; go on with: {run.resume_command}"
        )
    with tempfile.TemporaryDirectory(prefix="recurra-") as folder:
        copy = _copy(run, Path(folder) / run.name)
        task = open_task(copy)
        epochs = {
            "epoch": best_epoch(
                read_history(copy), task.monitor, task.monitors_highest
            ),
            "epochs": task.configuration.training.epochs,
        }
        logger.info("%s: the best epoch so far is %d of %d", run.path, *epochs.values())
        data = task.load(task.configuration)
        refuse_changed(task, data, "train anew in another --run")
        with collect_failures() as failed:
            _, metrics = finish(
                task, best_model(task), task.data_module(data), task.splits(data)
            )
        if failed:
            metrics["failed"] = failed
        write_json(copy.metrics_file, metrics | {"unfinished": {run.name: epochs}})
        yield copy


def _copy(run: Run, path: Path) -> Run:
    copy = Run(path)
    copy.checkpoints.mkdir(parents=True)
    for name in _COPIED_FILES:
        if (run.path / name).is_file():
            shutil.copy(run.path / name, path)
    shutil.copytree(run.assets, copy.assets)
    shutil.copy(run.checkpoints / "best.weights.h5", copy.checkpoints)
    copy.baselines_file.parent.symlink_to(run.baselines_file.parent.resolve())
    return copy
