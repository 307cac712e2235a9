"""The one way, for any task, from data to a trained and evaluated run."""

import contextlib
import functools
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import keras
import tensorflow as tf

from ..reporting.frame import write_report
from .configuration import (
    Config,
    differences,
    make_configuration,
    read_yaml,
    write_yaml,
)
from .errors import UserError, WorkerLost
from .evaluation import EvaluationResult, RowScores
from .files import read_json, write_json, write_text
from .optional import BASELINE, collect_failures, optional
from .parallel.processes import train_in_processes
from .parallel.workers import Workers, broken_connections, connect
from .registry import find_task
from .runs import Run
from .task import Task
from .task_config import TaskConfig
from .tensorflow_internals import gradients_forgotten
from .time_limit import measured_step, within
from .tracking import refuse_missing, tracked
from .training import Progress, fit, load_best, read_history, will_end

if TYPE_CHECKING:
    from .parallel.nodes import Nodes

logger = logging.getLogger("recurra")

ConfigT = TypeVar("ConfigT", bound=Config)

# What a run that is gone on with may have more of.
_EXTENDABLE = ("training.epochs", "training.patience")


@gradients_forgotten()
def train(
    task_class: type[Task],
    configuration: TaskConfig,
    path: Path,
    *,
    command: Sequence[str] = (),
    resume: bool = False,
    progress: Progress | None = None,
    number_of_workers: int = 1,
    seconds: float | None = None,
    nodes: "Nodes | None" = None,
) -> Run:
    """From the data to a trained and evaluated run directory.

    A baseline, a figure or the report that fails ends no run: metrics.json names it
    under `failed`.

    In a process that the variable TF_CONFIG makes one of several, the first does so
    with the others' help in training, and these return when it has.

    Args:
        task_class: The task.
        configuration: Its configuration, complete.
        path: The run directory; it must not exist, unless `resume`.
        command: The command line, to be written into the run.
        resume: Go on with a run that was stopped, or repeat what failed of a finished
            one. The configuration must be its own, but for more epochs and patience.
        progress: Hears of every training step.
        number_of_workers: Processes that the model is trained by.
        seconds: That all is to take, about: there are as many epochs as fit, or a part
            of one. None for what the configuration says.
        nodes: Of the cluster that the workers run on; this machine if None.

    Raises:
        UserError: If the data are wrong (then no run directory is made), or the run
            directory exists, or its configuration is another.
        Interrupted: If training was asked to stop; its state is saved.
        WorkerLost: If one of several workers has died.
    """
    end = None if seconds is None else time.monotonic() + seconds
    starting = f"--workers {number_of_workers}" if number_of_workers > 1 else ""
    workers = connect(f"--cluster {nodes.address}" if nodes else starting)
    is_one_of_several = workers.number > 1
    with broken_connections() if is_one_of_several else contextlib.nullcontext():
        if not workers.is_first:
            return _assist(workers)
        run = _train(
            task_class,
            configuration,
            path,
            command=command,
            resume=resume,
            progress=progress,
            workers=workers,
            number_of_workers=number_of_workers,
            end=end,
            nodes=nodes,
        )
        # The others wait for this, so that none is missed before. Who has heard it may
        # be gone while this one still asks for the sum.
        with contextlib.suppress(WorkerLost), broken_connections():
            workers.from_first(lambda: "finished")
        return run


def _train(
    task_class: type[Task],
    configuration: TaskConfig,
    path: Path,
    *,
    command: Sequence[str],
    resume: bool,
    progress: Progress | None,
    workers: Workers,
    number_of_workers: int,
    end: float | None,
    nodes: "Nodes | None",
) -> Run:
    name = task_class.definition.name
    refuse_missing(configuration.training.trackers)
    run = run_to_resume(name, path) if resume else None
    if run is None:
        # Said before the data are read, which may take long.
        Run.refuse_existing(path)
    else:
        if end is not None and run.metadata_file.is_file():
            raise UserError(
                f"{path}: was begun already, so how long it trains is settled; leave "
                "the time out"
            )
        configuration = _as_begun(configuration, open_task(run).configuration)
        _take_more_epochs(run, configuration)
        if run.is_finished and not run.failed:
            logger.info("%s is finished already", path)
            workers.from_first(lambda: [str(path), False])
            return run
        if any(name.startswith(BASELINE) for name in run.failed):
            run.baselines_file.unlink(missing_ok=True)
    task, data = prepare(task_class, configuration, path, run, command)
    data_module = task.data_module(data)
    _settle_length(task, data_module, end)
    goes_on = not will_end(
        read_history(task.run),
        task.configuration.training,
        task.monitor,
        task.monitors_highest,
    )
    names = task.configuration.training.trackers
    with tracked(task.run, task.configuration, names) as tracking:
        progress = tracking.hearing(progress)
        if (number_of_workers > 1 or nodes) and goes_on:
            logger.info("Training by %d workers", number_of_workers)
            if nodes:
                from .parallel.cluster_training import train_on_cluster

                train_on_cluster(task.run, number_of_workers, nodes, progress)
            else:
                train_in_processes(task.run, number_of_workers, progress)
            model = best_model(task)
        else:
            workers.from_first(lambda: [str(path), True])
            model = _fit(task, data_module, workers, progress)
        with collect_failures() as failed:
            result, metrics = finish(task, model, data_module, task.splits(data))
            with optional("report"):
                write_report(result, path, task.configuration, task.run.history_file)
        if failed:
            metrics["failed"] = failed
        # After all that is made, since its being there says that the run is finished.
        write_json(task.run.metrics_file, metrics)
        tracking.finish(metrics)
    return task.run


def prepare(
    task_class: type[Task],
    configuration: TaskConfig,
    path: Path,
    run: Run | None,
    command: Sequence[str],
) -> tuple[Task, Any]:
    """Reads the data and fits the preprocessing, where that is not done.

    Args:
        task_class: The task.
        configuration: Its configuration.
        path: Where a run is made, if `run` is None.
        run: The run, if it was begun.
        command: The command line, to be written into a run that is made.

    Returns:
        The task, bound to the run, and its data.
    """
    logger.info("Reading %s", configuration.data.spec)
    data = task_class.load(configuration)
    chosen = task_class.sized(configuration, data)
    if run is None:
        run = Run.create(path, task_class.definition.name, chosen, command)
    tell_chosen(configuration, chosen, "the size of the data")
    task = task_class(chosen, run)
    if run.metadata_file.is_file():
        refuse_changed(task, data, "train anew in another --run")
    else:
        logger.info("Fitting the preprocessing to the training part")
        task.fit_preprocessing(data)
        plan = task.reading_plan(data)
        if plan is not None:
            write_json(run.reading_plan_file, plan.model_dump(mode="json"))
        write_json(run.metadata_file, task.metadata(data))
    return task, data


def _settle_length(task: Task, data_module: Any, end: float | None) -> None:
    """Writes how long to train into the run's configuration, where a rule has it.

    Args:
        task: Bound to the run.
        data_module: Its data.
        end: When all is to be done, by `time.monotonic`; None for no such time.
    """
    configuration = task.configuration
    training = configuration.training
    if end is None and None not in (training.epochs, training.patience):
        return
    steps = _steps_of_epoch(task, data_module)
    reason = f"{steps:,} batches an epoch"
    if end is not None:
        logger.info("Measuring a step of training")
        seconds = measured_step(task, data_module)
        left = end - time.monotonic()
        validation = int(data_module.validation_batches().cardinality())
        training = within(training, steps, validation, seconds, left)
        reason += f" of {seconds:.3f} s and {max(left, 0):.0f} s"
    training = training.settled(steps)
    task.configuration = configuration.model_copy(update={"training": training})
    write_text(task.run.config_file, write_yaml(task.configuration))
    tell_chosen(configuration, task.configuration, reason)


def _steps_of_epoch(task: Task, data_module: Any) -> int:
    return int(_training_batches(task, data_module)(0).cardinality())


def _training_batches(task: Task, data_module: Any) -> Callable[[int], tf.data.Dataset]:
    """Those of an epoch, given its number: all, or so many as an epoch has."""
    steps = task.configuration.training.epoch_steps
    if steps is None:
        return data_module.training_batches
    return lambda epoch: data_module.training_batches(epoch).take(steps)


def tell_chosen(before: Config, chosen: Config, reason: str) -> None:
    """Says in a line which keys a rule has set, and by what."""
    values = chosen.model_dump(mode="json")
    keys = []
    for key in differences(before, chosen):
        section, _, name = key.partition(".")
        keys.append(f"{key}={values[section][name]}")
    if keys:
        logger.info("By %s: %s", reason, ", ".join(keys))


def _fit(
    task: Task, data_module: Any, workers: Workers, progress: Progress | None
) -> keras.Model:
    """Builds the task's model and trains it."""
    configuration = task.configuration
    keras.utils.set_random_seed(configuration.seed)
    model = task.build()
    task.compile(model, _steps_of_epoch(task, data_module))
    logger.info("Training a model of %s weights", f"{model.count_params():,}")
    fit(
        model,
        configuration.training,
        task.run,
        _training_batches(task, data_module),
        data_module.validation_batches(),
        monitor=task.monitor,
        highest=task.monitors_highest,
        further_metrics=functools.partial(task.epoch_metrics, model, data_module),
        progress=progress,
        workers=workers,
        loss_weight=task.loss_weight,
    )
    return model


def train_alone(
    task_class: type[Task],
    configuration: TaskConfig,
    path: Path,
    progress: Progress | None = None,
) -> list[dict[str, float]]:
    """Trains a run, begun or not, and leaves out what follows; gives its history."""
    run = run_to_resume(task_class.definition.name, path)
    task, data = prepare(task_class, configuration, path, run, ())
    _fit(task, task.data_module(data), Workers(), progress)
    return read_history(task.run)


def train_part(run: Run, workers: Workers, progress: Progress | None = None) -> None:
    """Trains the model of a run as one of its workers.

    Args:
        run: With its preprocessing fitted; on storage that all workers share.
        workers: This process and the others.
        progress: Hears of every step, of the first worker.

    Raises:
        UserError: If this worker has other data than the run.
    """
    task = open_task(run)
    data = task.load(task.configuration)
    refuse_changed(task, data, "give all workers the same")
    _fit(task, task.data_module(data), workers, progress)


def _assist(workers: Workers) -> Run:
    """What a worker but the first does, from its start to the run's end."""
    path, is_to_train = workers.from_first(lambda: None)
    try:
        run = Run.open(Path(path))
    except UserError as error:
        raise UserError(
            f"{error}; worker {workers.rank} needs the folder that worker 0 writes, on "
            "storage that they share"
        ) from None
    if is_to_train:
        train_part(run, workers)
    workers.from_first(lambda: None)
    return run


def finish(
    task: Task, model: keras.Model, data_module: Any, splits: Sequence[str]
) -> tuple[EvaluationResult, dict[str, Any]]:
    """What follows training: calibration, baselines, predictions and metrics.

    Returns:
        The evaluation on the reported split, and what metrics.json is to hold.
    """
    task.after_training(model, data_module)
    logger.info("Fitting the baselines")
    task.keep_baselines(data_module)
    logger.info("Evaluating")
    split, options = _reported_split(splits), task.default_evaluation
    result = task.evaluate(model, data_module, split, options)
    assert isinstance(result, EvaluationResult)
    result.write_predictions(task.run.predictions_file)
    metrics = result.as_json(task.definition.name)
    if split != "validation":
        # What the choice of a configuration may look at, beside what it may not.
        validation = task.evaluate(model, data_module, "validation", options)
        assert isinstance(validation, EvaluationResult)
        metrics["validation"] = validation.metrics()
    return result, metrics


def run_to_resume(task: str, path: Path) -> Run | None:
    """The run to go on with; None where it was killed before it began.

    Raises:
        UserError: If what stands there is no run of this task.
    """
    if Run.is_free(path):
        return None
    run = Run.open(path)
    if run.task != task:
        raise UserError(f"{path}: is a run of {run.task}, not of {task}")
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
    file = run.config_file
    layers: list[tuple[str, Mapping[str, Any]]] = [(str(file), read_yaml(file))]
    if changes:
        for section in changes:
            if section not in task_class.overridable:
                raise UserError(_cannot_be_set(task_class, section))
        layers.append(("--set", changes))
    configuration = make_configuration(task_class.definition.config_class, layers)
    return task_class(configuration, run)


def _cannot_be_set(task_class: type[Task], section: str) -> str:
    message = f"--set {section}: the trained model depends on it; train anew"
    if task_class.overridable:
        return f"{message}, or set keys of {', '.join(task_class.overridable)}"
    return f"{message}; no key of {task_class.definition.name} can be set afterwards"


def best_model(task: Task) -> keras.Model:
    """The run's model with the best weights so far; there must be some."""
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
    return _joined(_open_finished(runs, changes))


def _open_finished(
    runs: Sequence[Run], changes: Mapping[str, Any] | None
) -> list[Task]:
    """The tasks of finished runs, without their models, which take seconds to build."""
    tasks = [open_task(runs[0], changes), *(open_task(run) for run in runs[1:])]
    task, *others = tasks
    name = task.definition.name
    for other in others:
        if other.definition.name != name:
            raise UserError(
                f"{other.run.path}: is a run of {other.definition.name}, and "
                f"{task.run.path} of {name}; name runs of one task"
            )
    for each in tasks:
        each.run.refuse_unfinished()
    return tasks


def _joined(tasks: Sequence[Task]) -> tuple[Task, Any]:
    """The first task, and the model of all."""
    task, *others = tasks
    models = [best_model(each) for each in tasks]
    return task, task.ensemble(models, others) if others else models[0]


@gradients_forgotten()
def evaluate(
    runs: Sequence[Run],
    spec: str | None = None,
    split: str | None = None,
    *,
    options: Config | None = None,
    changes: Mapping[str, Any] | None = None,
    **reading: Any,
) -> EvaluationResult | RowScores:
    """Evaluates a finished run's model, on its own data or on other data.

    Args:
        runs: Finished; the models of several are taken as one.
        spec: Other data, every row of which is the test; None for the run's own.
        split: Of the run's own data; by default the test, or where there is none,
            validation.
        options: An `evaluation_class` of the task; its defaults if None.
        changes: As for `open_task`.
        **reading: How other data are read, where that is not as in training: fields of
            the section `data`.

    Raises:
        UserError: If the run is not finished, the data or the split are wrong, or the
            run's own data have changed.
    """
    tasks = _open_finished(runs, changes)
    task = tasks[0]
    if spec is not None:
        if split not in (None, "test"):
            raise UserError(
                f"--split {split}: with --data every row is the test; leave one out"
            )
        data, split = task.load_test(spec, **reading), "test"
    else:
        _refuse_reading_options(reading)
        data = task.load(task.configuration)
        # Carved anew from other rows, the test would hold rows that were trained on.
        refuse_changed(task, data, "give them as other data by --data")
        splits = task.splits(data)
        if split is None:
            split = _reported_split(splits)
        elif split not in splits:
            raise UserError(f"--split {split}: there are {', '.join(splits)}")
    options = options or task.default_evaluation
    # Last, so that wrong input is refused at once.
    _, model = _joined(tasks)
    with collect_failures() as failed:
        result = task.evaluate(model, task.data_module(data), split, options)
    if isinstance(result, EvaluationResult):
        unfinished = {
            name: epochs for run in runs for name, epochs in run.unfinished.items()
        }
        remarks = {"failed": failed, "unfinished": unfinished}
        result.remarks.update({key: value for key, value in remarks.items() if value})
    return result


def _refuse_reading_options(reading: Mapping[str, Any]) -> None:
    for key in reading:
        raise UserError(
            f"--{key.replace('_', '-')}: says how other data are read; give them by "
            "--data, or leave it out"
        )


def _as_begun(configuration: ConfigT, begun: ConfigT) -> ConfigT:
    """The configuration with what a run was begun with, where it leaves that open.

    A key that is null, and is so by default, is one for a rule, which has set it when
    the run began.
    """
    begun_values = {}
    for name, field in type(configuration).model_fields.items():
        value, there = getattr(configuration, name), getattr(begun, name)
        if isinstance(value, Config):
            begun_values[name] = _as_begun(value, there)
        elif value is None and field.default is None:
            begun_values[name] = there
    return configuration.model_copy(update=begun_values)


def _take_more_epochs(run: Run, configuration: TaskConfig) -> None:
    """Gives the run a configuration with more epochs or patience, if that is its own.

    Raises:
        UserError: It is another one, or training would not go on by it.
    """
    task = open_task(run)
    before = task.configuration
    changed = differences(before, configuration)
    other = [key for key in changed if key not in _EXTENDABLE]
    if other:
        raise UserError(
            f"{run.path}: was begun with another {other[0]}; resume it without "
            "options, or train anew in another --run"
        )
    for key in changed:
        name = key.rpartition(".")[2]
        was, given = (getattr(each.training, name) for each in (before, configuration))
        if given < was:
            raise UserError(
                f"{run.path}: has {key}={was}, and --resume takes more, not {given}"
            )
    if not changed:
        return
    training = configuration.training
    history = read_history(run)
    if training.epochs is not None and len(history) >= training.epochs:
        raise UserError(
            f"{run.path}: has trained {len(history)} epochs, all that it was to; give "
            "more training.epochs too"
        )
    # Without an epoch there may be no numbers yet.
    if history and will_end(history, training, task.monitor, task.monitors_highest):
        raise UserError(
            f"{run.path}: ended after {len(history)} epochs, the last "
            f"{training.patience} without a better validation; give more "
            "training.patience too"
        )
    if history and training.lr_schedule != "constant":
        logger.info(
            "The learning rate goes on along the %s course of %d epochs",
            training.lr_schedule,
            training.epochs,
        )
    # First, since with metrics and without a change of configuration a run is finished.
    run.metrics_file.unlink(missing_ok=True)
    write_text(run.config_file, write_yaml(configuration))


def refuse_changed(task: Task, data: Any, otherwise: str) -> None:
    """Raises UserError if the data are other ones than those of the task's run."""
    if read_json(task.run.metadata_file) != task.metadata(data):
        raise UserError(
            f"{task.configuration.data.spec}: the data have changed since "
            f"{task.run.path} was begun; restore them, or {otherwise}"
        )


def _reported_split(splits: Sequence[str]) -> str:
    """The first test set, or validation where there is none."""
    return next((name for name in splits if name.startswith("test")), "validation")
