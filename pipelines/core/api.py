"""The Python API, which `recurra.pipelines` exports and the command line calls."""

import contextlib
import importlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..data.frames import as_spec, write_frame
from . import exporting, workflow
from .configuration import find_recipe, make_configuration, parse_assignments, read_yaml
from .errors import UserError
from .evaluation import EvaluationResult, RowScores
from .exported_model import ExportedModel, opened
from .files import written_whole
from .hub import SCHEME, refuse_wrong_target, upload
from .parallel.cluster import connected
from .progress import EpochLines, TrainingProgress
from .registry import TaskDefinition, find_definition
from .run_sets import ProgressOf, RunSet, groups_of, runs_at, seeds_of, train_set
from .runs import Run, next_free
from .search_space import given_space, space_of
from .task_config import TaskConfig
from .training import Progress
from .tuning import Sampler, Tried, Tuning, search
from .unfinished import at_best_epoch

logger = logging.getLogger("recurra")

Settings = Mapping[str, Any] | Sequence[str]


def train(
    task: str,
    data: str | Path | pd.DataFrame | None = None,
    *,
    run: str | Path | None = None,
    recipe: str | None = None,
    config: str | Path | None = None,
    settings: Settings = (),
    resume: bool = False,
    workers: int = 1,
    seconds: float | None = None,
    cluster: str | None = None,
    progress: Progress | bool = True,
    command: Sequence[str] = (),
    **options: Any,
) -> Run:
    """Trains and evaluates a model: from data to a run directory with a report.

    >>> run = train("sentiment", data="reviews.csv")
    >>> run.metrics["model"]
    >>> model = run.export("saved_models")
    >>> model.predict(["Not a dull minute in it."])

    Args:
        task: Its name.
        data: The spec of the data, a path, or a DataFrame, which is written into the
            run directory.
        run: The run directory; runs/TASK-N if None.
        recipe: The name of a recipe.
        config: A YAML file, put over the recipe.
        settings: Keys of the configuration, put over both: nested, or a list of
            "key=value".
        resume: Go on with a run that was stopped, by its own configuration, or with
            more `training.epochs` or `training.patience`; of a finished run, repeat
            what failed.
        workers: Processes that train the model together, to the result of one. Each
            gets its part of the cores.
        seconds: That all is to take, about: at most so many epochs as fit.
        cluster: The address of a cluster of Ray that these run on: "auto",
            "HOST:PORT", "ray://HOST:PORT", or "local" for one of this machine alone.
        progress: Hears of every training step. True shows a bar, False nothing.
        command: The command line, to be written into the run.
        **options: Fields of the section `data`, such as `text_column`.

    Raises:
        UserError: For wrong data or configuration, or a run directory that exists.
        Interrupted: If training was asked to stop; its state is saved.
        WorkerLost: If one of several workers has died, on a cluster again and again;
            resume the run.
    """
    if workers < 1:
        raise UserError(f"workers: is {workers}; give 1 or more")
    definition = find_definition(task)
    if resume and run is None:
        raise UserError("resume: name the run to go on with")
    path = Path(run) if run is not None else next_free(Path("runs"), task)
    task_class = definition.load()
    with connected(cluster) as nodes, _shown(progress) as hearer:
        begun = workflow.run_to_resume(task, path) if resume else None
        frame = data if isinstance(data, pd.DataFrame) else None
        if frame is not None:
            data = path / "frame.parquet"
        configuration = _configuration(
            definition, begun, recipe, config, settings, data, options
        )
        if frame is not None and begun is None:
            Run.refuse_existing(path)
            # Read once before anything is made, so that wrong data leave nothing.
            with as_spec(frame) as spec:
                loaded = task_class.load(_with_spec(configuration, spec))
            sized = task_class.sized(configuration, loaded)
            created = Run.create(path, task, sized, command)
            workflow.tell_chosen(configuration, sized, "the size of the data")
            configuration = sized
            with written_whole(created.path / "frame.parquet") as partial:
                write_frame(frame, partial)
            resume = True
        return workflow.train(
            task_class,
            configuration,
            path,
            command=command,
            resume=resume,
            progress=hearer,
            number_of_workers=workers,
            seconds=seconds,
            nodes=nodes,
        )


def train_many(
    task: str,
    data: str | Path | pd.DataFrame | None = None,
    *,
    seeds: int | None = None,
    run: str | Path | None = None,
    recipe: str | None = None,
    config: str | Path | None = None,
    settings: Settings = (),
    resume: bool = False,
    workers: int = 1,
    cluster: str | None = None,
    progress: ProgressOf | bool = True,
    command: Sequence[str] = (),
    **options: Any,
) -> RunSet:
    """Trains a model for each seed, or for each group of the data, such as a station.

    >>> runs = train_many("weather", "stations/", run="runs/all", workers=4)
    >>> results_of(runs)

    Args:
        task: Its name.
        data: As for `train`.
        seeds: So many models of other weights and noise, from the configuration's seed
            on; a model for each group of the data if None.
        run: The directory of the set; runs/TASK-N if None.
        recipe: As for `train`, as are the next two.
        config: A YAML file.
        settings: Keys of the configuration.
        resume: Go on with a set that was stopped, and repeat what failed.
        workers: Processes that train a model each, with its part of the cores.
        cluster: The address of a cluster of Ray that these run on, as for `train`.
        progress: Gives what hears of the run of a name. True shows them, False nothing.
        command: The command line, to be written into the runs.
        **options: Fields of the section `data`.

    Returns:
        The set. What failed has no finished run in it; its results.csv says why.

    Raises:
        UserError: For wrong data or configuration, or a directory that exists.
        Interrupted: If it was asked to stop; what was trained is kept.
    """
    if workers < 1 or (seeds is not None and seeds < 1):
        raise UserError("seeds and workers: give 1 or more")
    if resume and run is None:
        raise UserError("resume: name the set of runs to go on with")
    definition = find_definition(task)
    path = Path(run) if run is not None else next_free(Path("runs"), task)
    if isinstance(progress, bool):
        progress = EpochLines if progress else _no_progress
    with connected(cluster) as nodes:
        if resume and RunSet.is_at(path):
            run_set = RunSet.open(path)
            given = (data, recipe, config, *options.values(), seeds)
            if (
                run_set.task != task
                or settings
                or any(each is not None for each in given)
            ):
                raise UserError(
                    f"{path}: is a set of runs of {run_set.task}; resume it without "
                    "options"
                )
        else:
            frame = data if isinstance(data, pd.DataFrame) else None
            if frame is not None:
                data = path / "frame.parquet"
            configuration = _configuration(
                definition, None, recipe, config, settings, data, options
            )
            Run.refuse_existing(path)
            with as_spec(frame) as spec:
                read = (
                    configuration if frame is None else _with_spec(configuration, spec)
                )
                members = _members(definition, read, seeds)
            run_set = RunSet.create(
                path, task, "group" if seeds is None else "seed", configuration, members
            )
            if frame is not None:
                with written_whole(path / "frame.parquet") as partial:
                    write_frame(frame, partial)
        train_set(
            run_set,
            workers=workers,
            nodes=nodes,
            progress=progress,
            command=command,
        )
    return run_set


def _members(
    definition: TaskDefinition, configuration: TaskConfig, seeds: int | None
) -> Mapping[str, Mapping[str, Any]]:
    if seeds is not None:
        return seeds_of(configuration, seeds)
    if definition.groups is None:
        raise UserError(
            f"{definition.name}: its data have no groups that could have a model each"
        )
    return groups_of(definition.groups.find(configuration.data))


def _no_progress(name: str) -> None:
    return None


def tune(
    task: str,
    data: str | Path | None = None,
    *,
    trials: int = 30,
    seconds: float | None = None,
    space: Settings = (),
    run: str | Path | None = None,
    recipe: str | None = None,
    config: str | Path | None = None,
    settings: Settings = (),
    resume: bool = False,
    workers: int = 1,
    cluster: str | None = None,
    sampler: Sampler = "tpe",
    prune: bool = True,
    tried: Tried = lambda *_: None,
    **options: Any,
) -> Tuning:
    """Looks for a better configuration by trials that are trained and validated.

    >>> tuning = tune("sentiment", "reviews.csv", trials=30, run="runs/search")
    >>> run = train("sentiment", config=tuning.best_file)

    Args:
        task: Its name.
        data: The spec of the data, or a path.
        trials: That come to an end, those of a search that is gone on with among them.
        seconds: After which no trial is begun; those at work end with their epoch.
        space: By key, nested or as "key=values": a list, or `low`, `high` and perhaps
            `log`. What the task searches if empty.
        run: The directory of the search; runs/TASK-tune-N if None.
        recipe: As for `train`, as are the next two.
        config: A YAML file.
        settings: Keys of the configuration that is searched around.
        resume: Go on with a search that was stopped.
        workers: Processes that train a trial each, with its part of the cores.
        cluster: The address of a cluster of Ray that these run on, as for `train`.
        sampler: "tpe", "random" or "qmc".
        prune: Whether a trial ends where it is worse than the median of the others.
        tried: Is told of each trial that has ended.
        **options: Fields of the section `data`.

    Returns:
        The search: `best_file` is the configuration, `trials_file` the table.

    Raises:
        UserError: For wrong data, configuration or space, or a directory that exists.
        Interrupted: If it was asked to stop; what was tried is kept.
    """
    # Before anything is made, so that its absence leaves nothing behind.
    importlib.import_module("optuna")
    if min(workers, trials) < 1:
        raise UserError("trials and workers: give 1 or more")
    if resume and run is None:
        raise UserError("resume: name the search to go on with")
    definition = find_definition(task)
    path = Path(run) if run is not None else next_free(Path("runs"), f"{task}-tune")
    with connected(cluster) as nodes:
        if resume and Tuning.is_at(path):
            tuning = Tuning.open(path)
            given = (data, recipe, config, *options.values())
            if (
                tuning.task != task
                or settings
                or space
                or any(each is not None for each in given)
            ):
                raise UserError(
                    f"{path}: is a search of {tuning.task}; resume it without options"
                )
        else:
            configuration = _configuration(
                definition, None, recipe, config, settings, data, options
            )
            asked = given_space(_as_mapping(space)) if space else None
            tuning = Tuning.create(
                path,
                task,
                configuration,
                asked or space_of(configuration, definition.search_space),
            )
        search(
            tuning,
            trials=trials,
            seconds=seconds,
            workers=workers,
            nodes=nodes,
            sampler=sampler,
            prune=prune,
            tried=tried,
        )
    return tuning


def evaluate(
    run: Run | str | Path | Sequence[Run | str | Path],
    data: str | Path | pd.DataFrame | None = None,
    split: str | None = None,
    *,
    settings: Settings = (),
    unfinished: bool = False,
    **options: Any,
) -> EvaluationResult | RowScores:
    """Evaluates a finished run and its baselines.

    Args:
        run: A run or its directory; several, or a set of seeds, are taken as one.
        data: Other data, every row of which is the test; None for the run's own.
        split: Of the run's own data; the test, or validation, by default.
        settings: Keys of sections that a trained model depends on no more.
        unfinished: Whether to take the best epoch so far of a run that is not finished.
        **options: How other data are read, such as `text_column`, and what the task's
            evaluations take, such as `backtest`.

    Raises:
        UserError: For an unfinished run, wrong data, or an option that is not the
            task's.
    """
    runs = _runs(run)
    if unfinished:
        with at_best_epoch(runs) as copies:
            return evaluate(copies, data, split, settings=settings, **options)
    definition = find_definition(runs[0].task)
    evaluation = {
        key: options.pop(key)
        for key in definition.evaluation_class.model_fields
        if key in options
    }
    for key in options:
        if key not in definition.reading_options:
            raise UserError(f"{key}: {definition.name} has no use for it; leave it out")
    with as_spec(data) as spec:
        return workflow.evaluate(
            runs,
            None if data is None else spec,
            split,
            options=make_configuration(
                definition.evaluation_class, [("evaluate", evaluation)]
            ),
            changes=_as_mapping(settings),
            **{key: value for key, value in options.items() if value is not None},
        )


def export(
    runs: Sequence[Run | str | Path],
    to: str | Path | None = None,
    name: str | None = None,
    settings: Settings = (),
    *,
    unfinished: bool = False,
    format: str = "savedmodel",
    weights: str = "float32",
    license: str = "unknown",
) -> ExportedModel:
    """Exports a finished run, or several as one, as the next version of a model.

    Args:
        runs: Runs or their directories, also that of a set of seeds.
        to: The folder of models; by default saved_models, onnx_models or litert_models.
            "hf://USER/NAME" is also uploaded there, to the Hugging Face Hub.
        name: The model's name in it; the first run's by default.
        settings: Keys of sections that a trained model depends on no more.
        unfinished: Whether to take the best epoch so far of a run that is not finished.
        format: "savedmodel", "onnx" or "litert".
        weights: "float32", or of ONNX and LiteRT "float16" or "int8", which make a
            smaller file; what they cost is logged, and stands in the card.
        license: Of the model, as the Hub names licences, for its card.

    Returns:
        The exported version, ready to predict.

    Raises:
        UserError: If a run is not finished, or the version cannot be written.
    """
    changes = _as_mapping(settings)
    hub = str(to) if str(to).startswith(SCHEME) else None
    if hub:
        refuse_wrong_target(hub)
    version = exporting.export_runs(
        _runs(runs),
        exporting.usual_folder(format) if to is None or hub else Path(to),
        name,
        changes,
        unfinished=unfinished,
        format=format,
        weights=weights,
        license=license,
    )
    if hub:
        logger.info("Uploaded: %s", upload(version, hub))
    return opened(version)


def open_run(path: str | Path) -> Run:
    """The run that stands at the path. Raises UserError if there is none."""
    return Run.open(Path(path))


@contextlib.contextmanager
def _shown(progress: Progress | bool) -> Iterator[Progress | None]:
    """What hears of the steps: a bar of its own where `progress` is true."""
    if progress is not True:
        yield progress or None
        return
    bar = TrainingProgress()
    try:
        yield bar
    finally:
        bar.close()


def _configuration(
    definition: TaskDefinition,
    begun: Run | None,
    recipe: str | None,
    config: str | Path | None,
    settings: Settings,
    data: Any,
    options: Mapping[str, Any],
) -> TaskConfig:
    layers: list[tuple[str, Mapping[str, Any]]] = []
    if begun is not None:
        layers.append((str(begun.config_file), read_yaml(begun.config_file)))
    if recipe is not None:
        path = find_recipe(definition.recipes, recipe)
        layers.append((f"recipe {recipe}", read_yaml(path)))
    if config is not None:
        layers.append((str(config), read_yaml(Path(config))))
    layers.append(("--set", _as_mapping(settings)))
    given = {key: value for key, value in options.items() if value is not None}
    if data is not None:
        given["spec"] = str(data)
    layers.append(("options", {"data": given} if given else {}))
    return make_configuration(definition.config_class, layers)


def _as_mapping(settings: Settings) -> Mapping[str, Any]:
    if isinstance(settings, Mapping):
        return settings
    return parse_assignments(settings)


def _with_spec(configuration: TaskConfig, spec: str) -> TaskConfig:
    data = configuration.data.model_copy(update={"spec": spec})
    return configuration.model_copy(update={"data": data})


def _runs(runs: Any) -> list[Run]:
    if isinstance(runs, Run | str | Path):
        runs = [runs]
    return [
        each
        for run in runs
        for each in ([run] if isinstance(run, Run) else runs_at(Path(run)))
    ]
