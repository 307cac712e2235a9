"""Several runs from one command: a model for each seed, or for each group of the data.

```
SET/
  runs.json      the task, what the runs differ by, and in which keys
  config.yaml    the configuration that they have in common
  NAME/          a run each
  results.csv    the metrics of each, or why there are none
  metrics.json   of seeds: the runs as one model, where the task can, and their spread
```

A run that is finished is not trained again, so a set that was killed is gone on with.
"""

import dataclasses
import logging
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from .configuration import make_configuration, merge, read_yaml, write_yaml
from .errors import Interrupted, UserError
from .evaluation import EvaluationResult
from .files import read_json, write_json, write_text, written_whole
from .parallel.pool import Pool, Tell
from .registry import find_definition
from .runs import Run
from .task import Task
from .task_config import TaskConfig
from .training import Progress, stop_requests
from .workflow import evaluate, train

if TYPE_CHECKING:
    from .parallel.nodes import Nodes

logger = logging.getLogger("recurra")

#: What the runs of a set differ by.
By = Literal["seed", "group"]
#: Gives what hears of the training of the run of that name.
ProgressOf = Callable[[str], Progress | None]

_FILE = "runs.json"


@dataclasses.dataclass(frozen=True)
class RunSet:
    """A directory of runs.

    Attributes:
        path: Of the directory.
        task: The name of the task.
        by: What the runs differ by.
        members: By the name of each run, its values over the common configuration.
    """

    path: Path
    task: str
    by: By
    members: Mapping[str, Mapping[str, Any]]

    @staticmethod
    def is_at(path: Path) -> bool:
        """Whether a set of runs stands at the path."""
        return os.path.isfile(path / _FILE)

    @classmethod
    def open(cls, path: Path) -> "RunSet":
        """The set that stands at the path. Raises UserError if there is none."""
        if not cls.is_at(path):
            raise UserError(f"{path}: no set of runs (no {_FILE} in it)")
        return cls(path, **read_json(path / _FILE))

    @classmethod
    def create(
        cls,
        path: Path,
        task: str,
        by: By,
        configuration: TaskConfig,
        members: Mapping[str, Mapping[str, Any]],
    ) -> "RunSet":
        """A new set, of which no run is begun.

        Raises:
            UserError: Something stands at the path already.
        """
        Run.refuse_existing(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=path.parent))
        try:
            partial.chmod(0o755)
            write_text(
                partial / "config.yaml", write_yaml(configuration, only_set=True)
            )
            write_json(partial / _FILE, {"task": task, "by": by, "members": members})
            os.rename(partial, path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return cls(path, task, by, members)

    @property
    def runs(self) -> dict[str, Run]:
        """The runs that are begun, by name."""
        begun = (name for name in self.members if Run.is_at(self.path / name))
        return {name: Run.open(self.path / name) for name in begun}

    @property
    def resume_command(self) -> str:
        """The command that goes on with it, as a shell takes it."""
        return f"recurra train {self.task} --run {shlex.quote(str(self.path))} --resume"

    @property
    def results_file(self) -> Path:
        return self.path / "results.csv"

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.json"

    def finished_runs(self) -> list[Run]:
        """All runs. Raises UserError if one of them is not finished."""
        runs = self.runs
        for name in self.members:
            if name not in runs or not runs[name].is_finished:
                raise UserError(
                    f"{self.path / name}: is not finished; go on with: "
                    f"{self.resume_command}"
                )
        return list(runs.values())

    def configuration_of(self, name: str) -> TaskConfig:
        """What the run of that name is trained by."""
        file = self.path / "config.yaml"
        values = merge(read_yaml(file), self.members[name])
        kind = find_definition(self.task).config_class
        return make_configuration(kind, [(str(file), values)])


def seeds_of(configuration: TaskConfig, number: int) -> dict[str, dict[str, Any]]:
    """Members of a set that have other weights and noise, and the same splits."""
    data = configuration.data
    # Of a task whose splits are drawn by the seed, if nothing else is said.
    has_own = getattr(data, "split_seed", 0) is not None
    splits = {} if has_own else {"data": {"split_seed": configuration.seed}}
    first = configuration.seed
    return {
        f"seed-{seed}": {"seed": seed, **splits}
        for seed in range(first, first + number)
    }


def groups_of(
    groups: Mapping[str, Mapping[str, Any]],
) -> dict[str, dict[str, Any]]:
    """Members of a set that have other data: by group its values over the section.

    They are named as the groups, with a dash for what is no letter, digit, dot, dash or
    underscore.

    Raises:
        UserError: Two groups come to one name.
    """
    members: dict[str, dict[str, Any]] = {}
    for group, values in groups.items():
        name = re.sub(r"[^\w.-]+", "-", group, flags=re.ASCII).strip(".-_") or "group"
        if name in members:
            raise UserError(
                f"{group}: another one comes to the name {name} too; rename one of them"
            )
        members[name] = {"data": dict(values)}
    return members


def can_be_one(run_set: RunSet) -> bool:
    """Whether the runs' models can be taken as one."""
    task_class = find_definition(run_set.task).load()
    return run_set.by == "seed" and task_class.ensemble is not Task.ensemble


def train_set(
    run_set: RunSet,
    *,
    workers: int = 1,
    nodes: "Nodes | None" = None,
    progress: ProgressOf = lambda name: None,
    command: Sequence[str] = (),
) -> dict[str, str]:
    """Trains what is not finished, one run after the other or side by side.

    A run that fails ends no other one.

    Args:
        run_set: Is left with `results.csv` and, of seeds, `metrics.json`.
        workers: Processes that train a run each; each gets its part of the cores.
        nodes: Of the cluster that these run on; this machine if None.
        progress: Gives what hears of a run.
        command: The command line, to be written into the runs.

    Returns:
        By the name of each run that failed, the reason.

    Raises:
        Interrupted: If it was asked to stop; the states of runs that train are saved.
    """
    names = [
        name
        for name in run_set.members
        if name not in run_set.runs or not run_set.runs[name].is_finished
    ]
    is_here = workers == 1 and nodes is None
    trained = _trained_here if is_here else _trained_by(workers, nodes)
    failed: dict[str, str] = {}
    stopped = False
    for name, error in trained(run_set, names, progress, command):
        if isinstance(error, Interrupted):
            stopped = True
        elif error is not None:
            failed[name] = str(error).strip().partition("\n")[0]
            logger.warning("%s failed: %s", name, failed[name])
            logger.debug("%s", name, exc_info=error)
        else:
            logger.info("%s is finished", name)
    results = results_of(run_set, failed)
    with written_whole(run_set.results_file) as partial:
        results.to_csv(partial, index_label=run_set.by)
    if stopped:
        raise Interrupted(f"{run_set.path}: stopped; what was trained is kept")
    if run_set.by == "seed" and not failed:
        write_json(run_set.metrics_file, metrics_of(run_set))
    return failed


_Ended = Iterator[tuple[str, Exception | None]]


def _trained_here(
    run_set: RunSet, names: Sequence[str], progress: ProgressOf, command: Sequence[str]
) -> _Ended:
    task_class = find_definition(run_set.task).load()
    for name in names:
        logger.info("Training %s", name)
        try:
            train(
                task_class,
                run_set.configuration_of(name),
                run_set.path / name,
                command=command,
                resume=True,
                progress=progress(name),
            )
        except Exception as error:
            yield name, error
            if isinstance(error, Interrupted):
                return
        else:
            yield name, None


def _trained_by(workers: int, nodes: "Nodes | None") -> Callable[..., _Ended]:
    def trained(
        run_set: RunSet,
        names: Sequence[str],
        progress: ProgressOf,
        command: Sequence[str],
    ) -> _Ended:
        hearers: dict[str, Progress | None] = {}

        def hear(item: tuple[Path, str, Sequence[str]], told: tuple[str, Any]) -> None:
            _, name, _ = item
            heard, arguments = told
            if name not in hearers:
                hearers[name] = progress(name)
            if (hearer := hearers[name]) is not None:
                getattr(hearer, heard)(*arguments)

        items = [(run_set.path, name, command) for name in names]
        number = min(workers, len(names) or 1)
        pool = Pool(number, nodes=nodes, needs=run_set.path)
        with stop_requests() as stop, pool:
            for item, error in pool.as_completed(_train_member, items, hear, stop):
                yield item[1], error
            if stop.is_set():
                yield "", Interrupted("stopped")

    return trained


def _train_member(item: tuple[Path, str, Sequence[str]], tell: Tell) -> None:
    """In a process of a pool."""
    path, name, command = item
    run_set = RunSet.open(path)
    train(
        find_definition(run_set.task).load(),
        run_set.configuration_of(name),
        path / name,
        command=command,
        resume=True,
        progress=_Told(tell),
    )


class _Told:
    """Progress of a run in another process, of which this one hears."""

    def __init__(self, tell: Tell):
        self._tell = tell

    def epoch_started(self, *arguments: Any) -> None:
        self._tell(("epoch_started", arguments))

    def step_done(self, *arguments: Any) -> None:
        self._tell(("step_done", arguments))

    def epoch_ended(self, *arguments: Any) -> None:
        self._tell(("epoch_ended", arguments))


def results_of(
    run_set: RunSet, failed: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """A row for each run, by its name: the metrics of the model, or why it failed."""
    runs = run_set.runs
    rows: dict[str, dict[str, Any]] = {}
    for name in run_set.members:
        is_finished = name in runs and runs[name].is_finished
        rows[name] = dict(runs[name].metrics["model"]) if is_finished else {}
    results = pd.DataFrame.from_dict(rows, orient="index")
    if failed:
        results["failed"] = [failed.get(name, "") for name in results.index]
    return results


def failed_of(run_set: RunSet) -> dict[str, str]:
    """By the name of each run that has failed, the reason."""
    table = pd.read_csv(run_set.results_file, index_col=0, keep_default_na=False)
    if "failed" not in table:
        return {}
    return {str(name): why for name, why in table["failed"].items() if why}


def spread_of(results: pd.DataFrame) -> dict[str, dict[str, float]]:
    """By metric the mean of the runs, and their standard deviation."""
    columns = {str(name): results[name].astype(float) for name in results}
    return {
        "mean": {name: float(each.mean()) for name, each in columns.items()},
        "deviation": {name: float(each.std()) for name, each in columns.items()},
    }


def metrics_of(
    run_set: RunSet, evaluated: Callable[[Sequence[Run]], Any] | None = None
) -> dict[str, Any]:
    """The metrics of the runs as one model, if they can be, and `members` and `spread`.

    Args:
        run_set: All of whose runs are finished.
        evaluated: Evaluates runs as one; as at the end of training if None.

    Raises:
        UserError: A run is not finished, or what is evaluated gives no metrics.
    """
    runs = run_set.finished_runs()
    if evaluated is None:
        models = {run.name: run.metrics["model"] for run in runs}
    else:
        models = {run.name: _as_json([run], evaluated)["model"] for run in runs}
    joined: dict[str, Any] = {}
    if can_be_one(run_set):
        logger.info("Evaluating the runs as one")
        joined = _as_json(runs, evaluated or evaluate)
    spread = spread_of(pd.DataFrame.from_dict(models, orient="index"))
    return {**joined, "members": models, "spread": spread}


def _as_json(
    runs: Sequence[Run], evaluated: Callable[[Sequence[Run]], Any]
) -> dict[str, Any]:
    result = evaluated(runs)
    if not isinstance(result, EvaluationResult):
        raise UserError("a set of runs: such an evaluation is of one run; name it")
    return result.as_json(runs[0].task)


def runs_at(path: Path) -> list[Run]:
    """The run at the path, or all of a set's, to be taken as one model.

    Raises:
        UserError: There is none, or the models of the set are of other data each.
    """
    if not RunSet.is_at(path):
        return [Run.open(path)]
    run_set = RunSet.open(path)
    if run_set.by == "group":
        names = " ".join(list(run_set.members)[:3])
        raise UserError(
            f"{path}: has a run for each group, which are no one model; name one run "
            f"in it, such as {names}"
        )
    return run_set.finished_runs()
