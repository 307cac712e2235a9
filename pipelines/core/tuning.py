"""The best values of a configuration, looked for by Optuna over training runs.

```
DIR/
  tuning.json      the task and the space
  config.yaml      the configuration that is searched around
  study.db         Optuna's study (SQLite): what was tried, and what came of it
  trial-NNNN/      runs that train, and the best one so far
  best.yaml        the best configuration so far
  trials.csv       all trials
  importance.png   how the trials went, and which keys mattered
```

One process has hold of the study. It asks for values, hands them to the processes that
train, hears of each epoch, and says whether to go on. What a killed search had at work
is tried again, from the saved state of its run.
"""

import dataclasses
import functools
import logging
import os
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from .configuration import make_configuration, read_yaml, write_yaml
from .errors import Interrupted, UserError
from .files import read_json, write_json, write_text, written_whole
from .optional import optional
from .parallel.pool import Pool, Tell
from .registry import find_definition
from .runs import Run
from .search_space import Choice, Range, SearchSpace, nested, value_at
from .task_config import TaskConfig
from .training import read_history, stop_requests
from .workflow import train_alone

if TYPE_CHECKING:
    import optuna

    from .parallel.nodes import Nodes

logger = logging.getLogger("recurra")

Sampler = Literal["tpe", "random", "qmc"]
#: Is told of a trial that has ended: its number, its state, its value, its values.
Tried = Callable[[int, str, float | None, Mapping[str, Any]], None]

_FILE = "tuning.json"
# Attributes of trials: their run, and whether they train what was given.
_RUN, _AS_GIVEN = "run", "as_given"


class _Pruned(Exception):
    """A trial that is not worth going on with."""


@dataclasses.dataclass(frozen=True)
class Tuning:
    """A directory of a search.

    Attributes:
        path: Of the directory.
        task: The name of the task.
        space: What is searched.
        monitor: The column of the history that is to be the best.
        highest: Whether that is its highest value.
    """

    path: Path
    task: str
    space: SearchSpace
    monitor: str
    highest: bool

    @staticmethod
    def is_at(path: Path) -> bool:
        """Whether a search stands at the path."""
        return os.path.isfile(path / _FILE)

    @classmethod
    def open(cls, path: Path) -> "Tuning":
        """The search that stands at the path. Raises UserError if there is none."""
        if not cls.is_at(path):
            raise UserError(f"{path}: no search (no {_FILE} in it)")
        values = read_json(path / _FILE)
        space = {
            key: Choice(tuple(each["values"])) if "values" in each else Range(**each)
            for key, each in values.pop("space").items()
        }
        return cls(path, space=space, **values)

    @classmethod
    def create(
        cls, path: Path, task: str, configuration: TaskConfig, space: SearchSpace
    ) -> "Tuning":
        """A new search around a configuration.

        Raises:
            UserError: Something stands at the path, or a key of the space is none of
                the configuration's.
        """
        Run.refuse_existing(path)
        for key in space:
            value_at(configuration, key)
        task_class = find_definition(task).load()
        monitor, highest = task_class.monitor_of_search(configuration)
        facts: dict[str, Any] = {"task": task, "monitor": monitor, "highest": highest}
        path.mkdir(parents=True, exist_ok=True)
        given = write_yaml(configuration, only_set=True)
        write_text(path / "config.yaml", given)
        spaces = {key: dataclasses.asdict(each) for key, each in space.items()}
        write_json(path / _FILE, {**facts, "space": spaces})
        return cls(path, space=space, **facts)

    @property
    def best_file(self) -> Path:
        return self.path / "best.yaml"

    @property
    def trials_file(self) -> Path:
        return self.path / "trials.csv"

    @property
    def figure(self) -> Path:
        return self.path / "importance.png"

    @property
    def resume_command(self) -> str:
        """The command that goes on with it, as a shell takes it."""
        return f"recurra tune {self.task} --run {shlex.quote(str(self.path))} --resume"

    def configuration(self, values: Mapping[str, Any]) -> TaskConfig:
        """That with these values, by dotted key."""
        file = self.path / "config.yaml"
        layers = [
            (str(file), read_yaml(file)),
            ("--search", nested(values)),
        ]
        return make_configuration(find_definition(self.task).config_class, layers)

    def usual(self) -> dict[str, Any]:
        """The values of the configuration that is searched around."""
        configuration = self.configuration({})
        return {key: value_at(configuration, key) for key in self.space}


def search(
    tuning: Tuning,
    *,
    trials: int,
    seconds: float | None = None,
    workers: int = 1,
    nodes: "Nodes | None" = None,
    sampler: Sampler = "tpe",
    prune: bool = True,
    tried: Tried = lambda *_: None,
) -> pd.DataFrame:
    """Tries values until there are so many trials, or the time is over.

    The first trial is the configuration that is searched around.

    Args:
        tuning: Is left with its files.
        trials: That have come to an end, those of earlier calls among them.
        seconds: Then no trial is begun any more, and those at work end with the epoch.
        workers: Processes that train a trial each, with its part of the cores.
        nodes: Of the cluster that these run on; this machine if None.
        sampler: Optuna's: tree-structured Parzen estimators, random, or quasi-random.
        prune: Whether a trial that is worse than the median of the others after the
            same epoch ends there.
        tried: Is told of each trial.

    Returns:
        A row for each trial, the best first.

    Raises:
        UserError: The data or the configuration are wrong.
        Interrupted: If it was asked to stop. All that was tried is kept.
    """
    study = _study(tuning, sampler, prune, workers)
    _try_again_what_was_lost(study)
    if not study.trials:
        usual = {k: v for k, v in tuning.usual().items() if v in tuning.space[k]}
        study.enqueue_trial(usual, user_attrs={_AS_GIVEN: True})
    hub = _Hub(tuning, study, trials, seconds, tried)
    try:
        if workers == 1 and nodes is None:
            hub.work_here()
        else:
            hub.work_by(workers, nodes)
    finally:
        table = write_results(tuning, study)
    return table


class _Hub:
    """What asks for values, and hears of what comes of them."""

    def __init__(
        self,
        tuning: Tuning,
        study: "optuna.Study",
        trials: int,
        seconds: float | None,
        tried: Tried,
    ):
        self._tuning, self._study, self._tried = tuning, study, tried
        self._left = trials - len(_ended(study))
        self._end = None if seconds is None else time.monotonic() + seconds
        self._at_work: dict[int, optuna.Trial] = {}

    @property
    def _is_over(self) -> bool:
        return self._end is not None and time.monotonic() > self._end

    def work_here(self) -> None:
        for item in self._asked():
            value: Any
            try:
                value = _train_trial(item, functools.partial(self._hear, item))
            except Exception as error:
                value = error
            self._tell(item[1], value)
            if isinstance(value, Interrupted):
                raise value

    def work_by(self, workers: int, nodes: "Nodes | None") -> None:
        is_stopped = False
        pool = Pool(workers, nodes=nodes, needs=self._tuning.path)
        with stop_requests() as stop, pool:
            asked = self._asked()
            ended = pool.as_completed(_train_in_process, asked, self._hear, stop)
            for item, value in ended:
                self._tell(item[1], value)
                is_stopped = is_stopped or isinstance(value, Interrupted)
            if is_stopped or stop.is_set():
                raise Interrupted("stopped")

    def _asked(self) -> Iterator["_Item"]:
        """Values to try: while trials are missing, those at work counted."""
        while self._left > 0 and not self._is_over:
            self._left -= 1
            trial = self._study.ask(_distributions(self._tuning.space))
            name = trial.user_attrs.get(_RUN, f"trial-{trial.number:04d}")
            trial.set_user_attr(_RUN, name)
            self._at_work[trial.number] = trial
            values = _values(trial, self._tuning.space)
            yield self._tuning.path, trial.number, name, values

    def _hear(self, item: "_Item", told: tuple[int, float]) -> bool:
        """Keeps the value of an epoch; says whether the trial is to end."""
        epoch, value = told
        trial = self._at_work[item[1]]
        trial.report(value, epoch)
        return self._is_over or trial.should_prune()

    def _tell(self, number: int, value: Any) -> None:
        from optuna.trial import TrialState

        trial = self._at_work.pop(number)
        if isinstance(value, Interrupted):
            # It stays as it is, and is tried again.
            return
        state, number_of_it = TrialState.COMPLETE, value
        if isinstance(value, _Pruned):
            state, number_of_it = TrialState.PRUNED, None
        elif isinstance(value, Exception):
            state, number_of_it = TrialState.FAIL, None
            said = str(value).partition("\n")[0]
            logger.warning("trial %d failed: %s", number, said)
        told = self._study.tell(trial, number_of_it, state)
        self._tried(number, state.name.lower(), told.value, trial.params)
        if isinstance(value, Exception) and isinstance(value, UserError) and not number:
            raise value
        self._keep_the_best_run()

    def _keep_the_best_run(self) -> None:
        """Removes the runs of what has ended, but that of the best."""
        best = _best(self._study)
        for trial in self._study.get_trials(deepcopy=False):
            name = trial.user_attrs.get(_RUN)
            if name and trial.state.is_finished() and trial is not best:
                shutil.rmtree(self._tuning.path / name, ignore_errors=True)


#: The directory of the search, the number of a trial, its run, its values.
_Item = tuple[Path, int, str, Mapping[str, Any]]


def _train_trial(item: _Item, tell: Tell) -> float | Exception:
    """Trains a trial; gives its best value on validation."""
    path, _, name, values = item
    tuning = Tuning.open(path)
    configuration = tuning.configuration(values)
    task_class = find_definition(tuning.task).load()
    epochs = _Epochs(tuning, tell)
    run = path / name
    try:
        if Run.is_at(run):
            for row in read_history(Run(run)):
                epochs.epoch_ended(row, False)
        rows = train_alone(task_class, configuration, run, progress=epochs)
    except _Pruned as pruned:
        return pruned
    values_of = [row[tuning.monitor] for row in rows]
    return max(values_of) if tuning.highest else min(values_of)


def _train_in_process(item: _Item, tell: Tell) -> float | Exception:
    import keras

    try:
        return _train_trial(item, tell)
    finally:
        # Of many models the graphs add up.
        keras.utils.clear_session()


class _Epochs:
    """Tells of each epoch, and ends training where that is the answer."""

    def __init__(self, tuning: Tuning, tell: Tell):
        self._monitor, self._tell = tuning.monitor, tell

    def epoch_started(self, epoch: int, epochs: int, step: int, steps: int) -> None:
        """Nothing is to be told then."""

    def step_done(self, step: int, loss: float) -> None:
        """Nothing is to be told then."""

    def epoch_ended(self, row: Mapping[str, float], best: bool) -> None:
        if self._tell((int(row["epoch"]), float(row[self._monitor]))):
            raise _Pruned


def _study(
    tuning: Tuning, sampler: Sampler, prune: bool, workers: int
) -> "optuna.Study":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    seed = tuning.configuration({}).seed
    samplers: dict[str, Callable[[], optuna.samplers.BaseSampler]] = {
        "tpe": lambda: optuna.samplers.TPESampler(seed=seed, constant_liar=workers > 1),
        "random": lambda: optuna.samplers.RandomSampler(seed=seed),
        "qmc": lambda: optuna.samplers.QMCSampler(seed=seed),
    }
    pruner = optuna.pruners.MedianPruner() if prune else optuna.pruners.NopPruner()
    return optuna.create_study(
        storage=f"sqlite:///{(tuning.path / 'study.db').resolve()}",
        study_name=tuning.task,
        sampler=samplers[sampler](),
        pruner=pruner,
        direction="maximize" if tuning.highest else "minimize",
        load_if_exists=True,
    )


def _values(trial: Any, space: SearchSpace) -> dict[str, Any]:
    """What a trial puts over the configuration that was given.

    Of the first that is nothing: what was given may be out of the space, or left to a
    rule that sees the data.
    """
    if trial.user_attrs.get(_AS_GIVEN):
        return {}
    return {key: trial.params[key] for key in space}


def _distributions(space: SearchSpace) -> dict[str, Any]:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    def of(each: Range | Choice) -> Any:
        if isinstance(each, Choice):
            return CategoricalDistribution(each.values)
        if isinstance(each.low, int) and isinstance(each.high, int):
            return IntDistribution(each.low, each.high, log=each.log)
        return FloatDistribution(each.low, each.high, log=each.log)

    return {key: of(each) for key, each in space.items()}


def _try_again_what_was_lost(study: "optuna.Study") -> None:
    """Trials that a killed search had at work are to be tried first."""
    from optuna.trial import TrialState

    for trial in study.get_trials(states=[TrialState.RUNNING]):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params, user_attrs=trial.user_attrs)


def _ended(study: "optuna.Study") -> list[Any]:
    from optuna.trial import TrialState

    return study.get_trials(
        deepcopy=False, states=[TrialState.COMPLETE, TrialState.PRUNED]
    )


def _best(study: "optuna.Study") -> Any:
    """The best trial that was trained to its end; None if there is none."""
    from optuna.trial import TrialState

    done: list[Any] = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    highest = study.direction.name == "MAXIMIZE"
    return (max if highest else min)(done, key=lambda each: each.value, default=None)


def write_results(tuning: Tuning, study: "optuna.Study") -> pd.DataFrame:
    """Writes best.yaml, trials.csv and importance.png of what was tried so far.

    Returns:
        A row for each trial that has ended, the best first.
    """
    table = pd.DataFrame(
        [
            {
                "trial": trial.number,
                "state": trial.state.name.lower(),
                tuning.monitor: trial.value if trial.state.name == "COMPLETE" else None,
                "epochs": len(trial.intermediate_values),
                "seconds": trial.duration and round(trial.duration.total_seconds(), 1),
                "as_given": trial.user_attrs.get(_AS_GIVEN, False),
                **(_values(trial, tuning.space) or tuning.usual()),
            }
            for trial in _ended(study)
        ]
    )
    if len(table):
        table = table.sort_values(
            tuning.monitor, ascending=not tuning.highest, kind="stable"
        )
    with written_whole(tuning.trials_file) as partial:
        table.to_csv(partial, index=False)
    best = _best(study)
    if best is not None:
        configuration = tuning.configuration(_values(best, tuning.space))
        write_text(tuning.best_file, write_yaml(configuration, only_set=True))
        with optional("the picture"), written_whole(tuning.figure) as partial:
            _draw(study, tuning, partial)
    return table


def importance(study: "optuna.Study") -> dict[str, float]:
    """What part of the differences between trials each key explains; {} if too few."""
    import optuna

    done = [each for each in _ended(study) if each.state.name == "COMPLETE"]
    if len(done) < 4 or len({each.value for each in done}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)


def _draw(study: "optuna.Study", tuning: Tuning, path: Path) -> None:
    from ..reporting.page import in_style, new_figure

    figure, _ = new_figure(width=9)
    figure.clear()
    left, right = map(in_style, figure.subplots(1, 2))
    done = [each for each in _ended(study) if each.state.name == "COMPLETE"]
    left.plot([each.number for each in done], [each.value for each in done], "o")
    left.set(xlabel="trial", ylabel=tuning.monitor)
    parts = importance(study)
    names = list(reversed(parts))
    right.barh(names, [parts[name] for name in names])
    right.set(xlabel="part of the differences that it explains")
    figure.savefig(path, format="png", dpi=150, bbox_inches="tight")
