"""The one way, for any task, from data to a trained and evaluated run."""

import functools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import pandas

from .configuration import first_difference, make_configuration, read_yaml
from .errors import UserError
from .files import read_json, write_json
from .runs import Run
from .task import Evaluation, Task, TaskSection
from .training import Progress, fit, load_best

logger = logging.getLogger("recurra")


def train(
    task_class: type[Task],
    configuration: TaskSection,
    path: Path,
    *,
    command: Sequence[str] = (),
    resume: bool = False,
    progress: Progress | None = None,
) -> Run:
    """From the data to a trained and evaluated run directory.

    Args:
        task_class: The task.
        configuration: Its configuration, complete.
        path: The run directory; it must not exist, unless `resume`.
        command: The command line, to be written into the run.
        resume: Go on with a run that was stopped. The configuration must be its own.
        progress: Told of each training step.

    Raises:
        UserError: If the data are wrong (then no run directory is made), or the run
            directory exists, or its configuration is another.
        Interrupted: If training was asked to stop; its state is saved.
    """
    run = run_to_resume(task_class, path) if resume else None
    if run is None:
        # Said before the data are read, which may take long.
        Run.refuse_existing(path)
    else:
        _refuse_other_configuration(run, configuration)
        if run.is_finished:
            logger.info("%s is finished already", path)
            return run
    logger.info("Reading %s", configuration.data.spec)
    data = task_class.load(configuration)
    if run is None:
        run = Run.create(path, task_class.name, configuration, command)
    task = task_class(configuration, run)
    if run.data.is_file():
        _refuse_changed(task, data, "train anew in another --run")
    else:
        logger.info("Learning the preprocessing from the training part")
        task.learn(data)
        write_json(run.data, task.facts(data))
    prepared = task.prepare(data)
    keras.utils.set_random_seed(configuration.seed)
    model = task.build()
    task.compile(model, int(prepared.training_batches(0).cardinality()))
    logger.info("Training a model of %s weights", f"{model.count_params():,}")
    fit(
        model,
        configuration.training,
        run,
        prepared.training_batches,
        prepared.validation_batches(),
        monitor=task.monitor,
        highest=task.monitors_highest,
        further_metrics=functools.partial(task.epoch_metrics, model, prepared),
        progress=progress,
    )
    task.calibrate(model, prepared)
    logger.info("Fitting the baselines")
    task.keep_baselines(prepared)
    logger.info("Evaluating")
    _write_evaluation(task, model, prepared, task.splits(data))
    return run


def run_to_resume(task_class: type[Task], path: Path) -> Run | None:
    """The run to go on with; None where it was killed before it began.

    Raises:
        UserError: If what stands there is no run of this task.
    """
    if Run.is_free(path):
        return None
    run = Run.open(path)
    if run.task != task_class.name:
        raise UserError(f"{path}: is a run of {run.task}, not of {task_class.name}")
    return run


def open_task(run: Run, changes: Mapping[str, Any] | None = None) -> Task:
    """The task that the run belongs to, bound to it.

    Args:
        run: Of any task.
        changes: Values over those of the run's configuration, by section, as `--set`
            gives them.

    Raises:
        UserError: For changes of what the trained model depends on.
    """
    task_class = find_task(run.task)
    file = run.configuration_file
    layers: list[tuple[str, Mapping[str, Any]]] = [(str(file), read_yaml(file))]
    if changes:
        for section in changes:
            if section not in task_class.set_afterwards:
                raise UserError(_cannot_be_set(task_class, section))
        layers.append(("--set", changes))
    return task_class(make_configuration(task_class.configuration_class, layers), run)


def _cannot_be_set(task_class: type[Task], section: str) -> str:
    message = f"--set {section}: the trained model depends on it; train anew"
    if task_class.set_afterwards:
        return f"{message}, or set keys of {', '.join(task_class.set_afterwards)}"
    return f"{message}; no key of {task_class.name} can be set afterwards"


def trained_model(task: Task) -> keras.Model:
    """The run's model with its best weights.

    Raises:
        UserError: If the run's training has not come to an end.
    """
    if not task.run.is_finished:
        raise UserError(
            f"{task.run.path}: training is not finished; go on with "
            f"'recurra train {task.name} --run {task.run.path} --resume'"
        )
    model = task.build()
    load_best(model, task.run)
    return model


def open_trained(
    runs: Sequence[Run], changes: Mapping[str, Any] | None = None
) -> tuple[Task, Any]:
    """The first run's task, and its trained model, or all runs' models as one.

    Args:
        runs: Finished, of one task.
        changes: As for `open_task`, to the first run's configuration.

    Raises:
        UserError: If a run is not finished, or the models cannot be joined.
    """
    task = open_task(runs[0], changes)
    others = [open_task(run) for run in runs[1:]]
    for other in others:
        if other.name != task.name:
            raise UserError(
                f"{other.run.path}: is a run of {other.name}, and {task.run.path} of "
                f"{task.name}; name runs of one task"
            )
    models = [trained_model(each) for each in (task, *others)]
    return task, task.join(models, others) if others else models[0]


def evaluate(
    run: Run,
    spec: str | None = None,
    split: str | None = None,
    backtest: int | None = None,
    others: Sequence[Run] = (),
    changes: Mapping[str, Any] | None = None,
    **columns: str | None,
) -> Evaluation:
    """Judges a finished run's model, on its own data or on other data.

    Args:
        run: A finished run.
        spec: Other data, every row of which is the test; None for the run's own.
        split: Of the run's own data; by default the test, or where there is none,
            validation.
        backtest: Also judge each of so many stretches of the split's time.
        others: Runs whose models are joined with this one's.
        changes: As for `open_task`.
        **columns: Names of columns in the other data.

    Raises:
        UserError: If the run is not finished, the data or the split are wrong, or the
            run's own data have changed.
    """
    task, model = open_trained([run, *others], changes)
    prepared, split = _prepared_split(task, spec, split, **columns)
    if backtest is None:
        return task.evaluate(model, prepared, split)
    return task.backtest(model, prepared, split, backtest)


def score(
    run: Run,
    spec: str | None = None,
    split: str | None = None,
    others: Sequence[Run] = (),
    **columns: str | None,
) -> pandas.DataFrame:
    """What a finished run's model says of the answers that stand in the data.

    Args:
        run, spec, split, others, **columns: As for `evaluate`.
    """
    task, model = open_trained([run, *others])
    prepared, split = _prepared_split(task, spec, split, **columns)
    return task.score(model, prepared, split)


def find_task(name: str) -> type[Task]:
    """The task of that name."""
    if name == "sentiment":
        from .sentiment.task import SentimentTask

        return SentimentTask
    if name == "weather":
        from .weather.task import WeatherTask

        return WeatherTask
    if name == "translation":
        from .translation.task import TranslationTask

        return TranslationTask
    raise UserError(f"{name}: no such task; there are: {', '.join(TASK_NAMES)}")


TASK_NAMES = ("sentiment", "weather", "translation")


def _refuse_other_configuration(run: Run, configuration: TaskSection) -> None:
    key = first_difference(open_task(run).configuration, configuration)
    if key is not None:
        raise UserError(
            f"{run.path}: was begun with another {key}; resume it without options, or "
            "train anew in another --run"
        )


def _prepared_split(
    task: Task, spec: str | None, split: str | None, **columns: str | None
) -> tuple[Any, str]:
    """The data to judge on, as batches, and the name of the split."""
    if spec is not None:
        if split not in (None, "test"):
            raise UserError(
                f"--split {split}: with --data every row is the test; leave one out"
            )
        return task.prepare(task.load_test(spec, **columns)), "test"
    data = task.load(task.configuration)
    # Carved anew from other rows, the test would hold rows that were trained on.
    _refuse_changed(task, data, "give them as other data by --data")
    splits = task.splits(data)
    if split is None:
        split = _reported_split(splits)
    elif split not in splits:
        raise UserError(f"--split {split}: there are {', '.join(splits)}")
    return task.prepare(data), split


def _refuse_changed(task: Task, data: Any, otherwise: str) -> None:
    if read_json(task.run.data) != task.facts(data):
        raise UserError(
            f"{task.configuration.data.spec}: the data have changed since "
            f"{task.run.path} was begun; restore them, or {otherwise}"
        )


def _write_evaluation(
    task: Task, model: keras.Model, prepared: Any, splits: Sequence[str]
) -> None:
    split = _reported_split(splits)
    evaluation = task.evaluate(model, prepared, split)
    evaluation.write_predictions(task.run.predictions)
    metrics = evaluation.as_json(task.name)
    if split != "validation":
        # What the choice of a configuration may look at, beside what it may not.
        validation = task.evaluate(model, prepared, "validation")
        metrics["validation"] = {
            "model": dict(validation.model),
            "baselines": {k: dict(v) for k, v in validation.baselines.items()},
        }
    evaluation.write_report(task.run.path)
    # Last, since its being there says that the run is finished.
    write_json(task.run.metrics, metrics)


def _reported_split(splits: Sequence[str]) -> str:
    """The first test set, or validation where there is none."""
    return next((name for name in splits if name.startswith("test")), "validation")
