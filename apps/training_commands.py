"""The commands that train: one model, several, or many in search of a configuration."""

import inspect
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from recurra.pipelines.core.errors import Interrupted, UserError
from recurra.pipelines.core.registry import (
    TaskDefinition,
    definitions,
    find_definition,
)

from .console import messages, metrics_table, output, print_members, say, show_log
from .options import Cluster, Settings, command, field_options, option, parse_time
from .tensorflow_import import import_tensorflow_quietly


def task_app(
    function: Callable[..., None], arguments: Sequence[str] | None
) -> typer.Typer:
    """A command for each task, with the options of its data.

    Args:
        function: Of the command.
        arguments: Behind it, of which the first may be the task; None where another
            command is asked for, and no task is looked at.
    """
    app = typer.Typer(no_args_is_help=True, help=inspect.getdoc(function))
    if arguments is None:
        return app
    named = arguments[:1] if arguments and not arguments[0].startswith("-") else []
    for definition in map(find_definition, named) if named else definitions():
        data_class = definition.config_class.model_fields["data"].annotation
        options = field_options(data_class)  # type: ignore[arg-type]
        if definition.groups is not None and function is train:
            name = definition.groups.option
            help = f"A model of each {definition.groups.name}, a run in the directory."
            options.append(option(name, bool, help, _dashed(name)))
        run = command(function, options, definition=definition)
        app.command(definition.name, help=definition.summary)(run)
    return app


def train(
    definition: TaskDefinition,
    recipe: Annotated[str | None, typer.Option(help="A recipe's name.")] = None,
    config: Annotated[Path | None, typer.Option(help="A YAML file.")] = None,
    settings: Settings = None,
    run: Annotated[
        Path | None, typer.Option(help="Run directory; runs/TASK-N if left out.")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with a run that was stopped, or train it for more epochs by "
            "--set training.epochs=N.",
        ),
    ] = False,
    workers: Annotated[
        int,
        typer.Option(
            min=1,
            help="Processes that train it together, to the result of one; of several "
            "models, processes that train one each.",
        ),
    ] = 1,
    time: Annotated[
        str | None,
        typer.Option(help="Such as 20m or 2h: trains as long as fits into it, about."),
    ] = None,
    cluster: Cluster = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=2, help="So many models of other weights, each a run in the directory."
        ),
    ] = None,
    **data: Any,
) -> None:
    """Train and evaluate a model: from data to a run directory with a report."""
    if resume and run is None:
        raise UserError("--resume: name the run to go on with by --run DIR")
    groups = definition.groups
    is_grouped = groups is not None and data.pop(groups.option, False)
    if is_grouped and seeds is not None:
        raise UserError("--seeds: a model of each group is asked for; leave one out")
    seconds = None if time is None else parse_time("--time", time)
    if seconds is not None and (is_grouped or seeds is not None):
        raise UserError("--time: is of one model; leave it out, or train one alone")
    import_tensorflow_quietly()
    from recurra.pipelines.core.run_sets import RunSet

    if seeds or is_grouped or (resume and run is not None and RunSet.is_at(run)):
        _train_many(
            definition,
            seeds=seeds,
            recipe=recipe,
            config=config,
            settings=settings or (),
            run=run,
            resume=resume,
            workers=workers,
            cluster=cluster,
            **data,
        )
        return
    from recurra.pipelines import train as train_model
    from recurra.pipelines.core.progress import TrainingProgress
    from recurra.pipelines.core.runs import Run, next_free

    show_log()
    path = run or next_free(Path("runs"), definition.name)
    progress = TrainingProgress(messages)
    try:
        finished = train_model(
            definition.name,
            data.pop("spec", None),
            run=path,
            recipe=recipe,
            config=config,
            settings=settings or (),
            resume=resume,
            workers=workers,
            seconds=seconds,
            cluster=cluster,
            progress=progress,
            command=["recurra", *sys.argv[1:]],
            **data,
        )
    except Interrupted as stop:
        again = Run.open(path).resume_command
        say(f"{stop}. Go on with: {again}{_workers(workers, cluster)}")
        raise typer.Exit(130) from None
    finally:
        progress.close()
    output.print(metrics_table(finished.metrics))
    where = f"Run: {finished.path}"
    if finished.report.is_file():
        where += f", report: {finished.report}"
    say(where)
    if finished.failed:
        say(f"Repeat what failed with: {finished.resume_command}")


def _train_many(
    definition: TaskDefinition,
    *,
    run: Path | None,
    workers: int,
    cluster: str | None,
    **options: Any,
) -> None:
    """Trains several models, and prints a row of each."""
    from recurra.pipelines import train_many
    from recurra.pipelines.core.files import read_json
    from recurra.pipelines.core.progress import EpochLines
    from recurra.pipelines.core.run_sets import RunSet, failed_of, results_of
    from recurra.pipelines.core.runs import next_free

    show_log()
    path = run or next_free(Path("runs"), definition.name)
    try:
        run_set = train_many(
            definition.name,
            options.pop("spec", None),
            run=path,
            workers=workers,
            cluster=cluster,
            progress=lambda name: EpochLines(name, messages),
            command=["recurra", *sys.argv[1:]],
            **options,
        )
    except Interrupted as stop:
        again = RunSet.open(path).resume_command
        say(f"{stop}. Go on with: {again}{_workers(workers, cluster)}")
        raise typer.Exit(130) from None
    failed = failed_of(run_set)
    if run_set.metrics_file.is_file():
        print_members(read_json(run_set.metrics_file), run_set.by)
    else:
        models = results_of(run_set).dropna(how="all").to_dict("index")
        print_members({"members": models}, run_set.by)
    say(f"Runs: {path}, table: {run_set.results_file}")
    if failed:
        for name, reason in failed.items():
            say(f"{name} failed: {reason}")
        again = f"{run_set.resume_command}{_workers(workers, cluster)}"
        say(f"Repeat what failed with: {again}")
        raise typer.Exit(1)


def tune(
    definition: TaskDefinition,
    trials: Annotated[
        int, typer.Option(min=1, help="That come to an end, earlier ones counted.")
    ] = 30,
    time: Annotated[
        str | None, typer.Option(help="Such as 90s, 30m or 2h; then it ends.")
    ] = None,
    search: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUES",
            help="What to try, in place of what the task does: [a, b] or "
            "{low: a, high: b, log: true}.",
        ),
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="A recipe's name.")] = None,
    config: Annotated[Path | None, typer.Option(help="A YAML file.")] = None,
    settings: Settings = None,
    run: Annotated[
        Path | None, typer.Option(help="Directory; runs/TASK-tune-N if left out.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a search that was stopped.")
    ] = False,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes that train a trial each.")
    ] = 1,
    cluster: Cluster = None,
    sampler: Annotated[
        str, typer.Option(metavar="tpe|random|qmc", help="Of Optuna.")
    ] = "tpe",
    prune: Annotated[
        bool,
        typer.Option(
            "--prune/--no-prune", help="End trials that are worse than the median."
        ),
    ] = True,
    **data: Any,
) -> None:
    """Look for a better configuration, by trials that are judged on validation."""
    if resume and run is None:
        raise UserError("--resume: name the search to go on with by --run DIR")
    if sampler not in ("tpe", "random", "qmc"):
        raise UserError(f"--sampler {sampler}: give tpe, random or qmc")
    seconds = None if time is None else parse_time("--time", time)
    import_tensorflow_quietly()
    from recurra.pipelines import tune as tune_model
    from recurra.pipelines.core.runs import next_free
    from recurra.pipelines.core.tuning import Tuning

    from .tuning_view import TrialLines, print_search

    show_log()
    path = run or next_free(Path("runs"), f"{definition.name}-tune")
    try:
        tuning = tune_model(
            definition.name,
            data.pop("spec", None),
            trials=trials,
            seconds=seconds,
            space=search or (),
            run=path,
            recipe=recipe,
            config=config,
            settings=settings or (),
            resume=resume,
            workers=workers,
            cluster=cluster,
            sampler=sampler,  # type: ignore[arg-type]
            prune=prune,
            tried=TrialLines(messages, trials),
            **data,
        )
    except Interrupted:
        tuning = Tuning.open(path)
        print_search(tuning)
        again = f"{tuning.resume_command}{_workers(workers, cluster)}"
        say(f"stopped. Go on with: {again}")
        raise typer.Exit(130) from None
    print_search(tuning)


def _workers(number: int, cluster: str | None) -> str:
    workers = f" --workers {number}" if number > 1 else ""
    return workers + (f" --cluster {shlex.quote(cluster)}" if cluster else "")


def _dashed(name: str) -> str:
    return f"--{name.replace('_', '-')}"
