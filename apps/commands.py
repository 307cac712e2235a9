"""The commands of `recurra`. What takes time to import is imported inside them.

The options of most commands depend on a task, or on the task of a run or a model. So
the command line is made for the arguments at hand; see `make_app`.
"""

import contextlib
import dataclasses
import inspect
import json
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import rich.table
import typer
from rich.text import Text

from recurra.pipelines.core.errors import Interrupted, UserError
from recurra.pipelines.core.registry import (
    TaskDefinition,
    definitions,
    find_definition,
)

from .console import as_table, metrics_table, output, print_members, say, show_log
from .options import Settings, command, field_options
from .tensorflow_import import import_tensorflow_quietly
from .training_commands import task_app, train, tune

if TYPE_CHECKING:
    from recurra.pipelines.core.exported_model import ExportedModel
    from recurra.pipelines.data.description import DataDescription

SettingsAfterTraining = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="One key that a trained model does not depend on, such as decoding.*",
    ),
]
Unfinished = Annotated[
    bool,
    typer.Option(
        "--unfinished",
        help="Of a run that is not finished, the best epoch so far.",
    ),
]
ShownSpec = Annotated[str, typer.Argument(help="sample, tfds:NAME, file or folder.")]
ShownTask = Annotated[
    str | None,
    typer.Option(help="The task to read for; classes of texts if left out."),
]
Runs = Annotated[
    list[Path],
    typer.Argument(
        help="A run directory; several, or those of --seeds, are taken as one model, "
        "where the task can.",
        metavar="RUN...",
    ),
]


def make_app(arguments: Sequence[str]) -> typer.Typer:
    """The command line, with the options that these arguments can have.

    Args:
        arguments: Of the command line. The first is the command; a task, a run or a
            model among the others brings its own options.
    """
    app = typer.Typer(
        help="Recurrent networks from raw data to a served model.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    name, *rest = arguments or [""]
    for function in (train, tune):
        tasks = task_app(function, rest if name == function.__name__ else None)
        app.add_typer(tasks, name=function.__name__)
    app.command("evaluate")(
        command(evaluate, _evaluation_options(rest) if name == "evaluate" else [])
    )
    app.command("export")(export)
    app.command("predict")(
        command(predict, _prediction_options(rest) if name == "predict" else [])
    )
    app.command("serve")(serve)
    app.command(
        "model-server",
        hidden=True,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )(model_server)
    app.add_typer(_data_app(rest if name == "data" else []), name="data")
    app.command("demo")(demo)
    app.command("doctor")(doctor)
    return app


def evaluate(
    runs: Runs,
    data: Annotated[
        str | None,
        typer.Option(help="Other data: sample, tfds:NAME, or a file or folder."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Of the run's own data: train, validation or test."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the metrics to this file.")
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(help="Also write the prediction for each row to this CSV file."),
    ] = None,
    settings: SettingsAfterTraining = None,
    unfinished: Unfinished = False,
    **options: Any,
) -> None:
    """Evaluate a finished run and its baselines; with --data, every row is the test.

    Further options are those of the run's task: name a run before --help.
    """
    import_tensorflow_quietly()
    from recurra.pipelines import evaluate as evaluate_runs
    from recurra.pipelines.core.evaluation import RowScores
    from recurra.pipelines.core.files import write_json
    from recurra.pipelines.core.run_sets import RunSet, metrics_of, runs_at

    show_log()
    if len(runs) == 1 and RunSet.is_at(runs[0]):
        if predictions is not None or unfinished:
            raise UserError(
                f"{runs[0]}: is a set of runs; name one of them for --predictions or "
                "--unfinished"
            )
        run_set = RunSet.open(runs[0])
        metrics = metrics_of(
            run_set,
            lambda each: evaluate_runs(
                each, data, split, settings=settings or (), **options
            ),
        )
        if json_file is not None:
            with _writing("--json", json_file):
                write_json(json_file, metrics)
        print_members(metrics, run_set.by)
        return
    opened = [run for path in runs for run in runs_at(path)]
    result = evaluate_runs(
        opened,
        data,
        split,
        settings=settings or (),
        unfinished=unfinished,
        **options,
    )
    if isinstance(result, RowScores):
        if predictions is not None:
            raise UserError("--predictions: nothing is predicted; leave it out")
        if json_file is not None:
            with _writing("--json", json_file):
                write_json(json_file, result.scores.to_dict("records"))
        result.scores.to_csv(sys.stdout, sep="\t", index=False)
        return
    metrics = result.as_json(opened[0].task)
    if json_file is not None:
        with _writing("--json", json_file):
            write_json(json_file, metrics)
    if predictions is not None:
        with _writing("--predictions", predictions):
            result.write_predictions(predictions)
    output.print(metrics_table(metrics))
    for title, table in result.further_tables().items():
        output.print(as_table(table, title))


def _evaluation_options(arguments: Sequence[str]) -> list[inspect.Parameter]:
    """Of the task of the first run among the arguments; without any, of all tasks."""
    from recurra.pipelines.core.runs import Run

    found = list(definitions())
    for path in reversed(list(_paths(arguments))):
        with contextlib.suppress(UserError):
            found = [find_definition(Run.open(path).task)]
    return [
        parameter
        for definition in found
        for parameter in (
            *field_options(definition.evaluation_class),
            *_reading_options(definition, definition.reading_options),
        )
    ]


def export(
    runs: Runs,
    to: Annotated[
        str | None,
        typer.Option(
            help="Folder of models; saved_models, or FORMAT_models, if left out. "
            "hf://USER/NAME is also uploaded to the Hugging Face Hub."
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The model's name; the first run's if left out.")
    ] = None,
    settings: SettingsAfterTraining = None,
    unfinished: Unfinished = False,
    format: Annotated[
        str, typer.Option(metavar="savedmodel|onnx|litert", help="Of the model.")
    ] = "savedmodel",
    weights: Annotated[
        str,
        typer.Option(
            metavar="float32|float16|int8",
            help="Of ONNX and LiteRT: a smaller file; what that costs is printed.",
        ),
    ] = "float32",
    license: Annotated[
        str, typer.Option(help="Of the model, for its card: apache-2.0, mit ...")
    ] = "unknown",
) -> None:
    """Export a finished run as the next version of a model.

    Of a directory with a run for each seed, these as one; for each group, each.
    """
    import_tensorflow_quietly()
    from recurra.pipelines import export as export_model
    from recurra.pipelines.core.run_sets import RunSet

    show_log()
    exported: dict[str | None, list[Path]] = {name: runs}
    if len(runs) == 1 and RunSet.is_at(runs[0]):
        run_set = RunSet.open(runs[0])
        name = name or runs[0].resolve().name
        exported = {name: runs}
        if run_set.by == "group":
            exported = {
                f"{name}-{run.name}": [run.path] for run in run_set.finished_runs()
            }
    for each, paths in exported.items():
        version = export_model(
            paths,
            to,
            each,
            settings or (),
            unfinished=unfinished,
            format=format,
            weights=weights,
            license=license,
        )
        output.print(str(version.folder), markup=False, soft_wrap=True)


def predict(
    model: Annotated[
        Path, typer.Argument(help="An exported model's folder.", metavar="MODEL")
    ],
    inputs: Annotated[
        list[str] | None, typer.Argument(help="Texts.", metavar="[INPUT]...")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="Texts: the lines of a file, or a column of a table (.csv, .tsv, "
            ".jsonl, .parquet), of a folder or a quoted pattern such as 'in/*.csv'. "
            "Measurements for a model that forecasts."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON array, one answer a line.")
    ] = False,
    unfinished: Annotated[
        bool,
        typer.Option(
            "--unfinished",
            help="MODEL is a run, finished or not: predict by its best epoch so far.",
        ),
    ] = False,
    **options: Any,
) -> None:
    """Predict with an exported model alone.

    Further options are those of the kind of its answers: name a model before --help.
    """
    if bool(inputs) == (file is not None):
        raise UserError("predict: give texts, or a file by --file; one of the two")
    if unfinished and options.get("resume"):
        raise UserError(
            "--resume: --unfinished takes another model each time; export one, or "
            "leave one of the two out"
        )
    from recurra.pipelines.core.versions import is_portable

    if unfinished or not is_portable(model):
        import_tensorflow_quietly()
    from recurra.pipelines.core.parallel.cluster import connected

    from .answers.kinds import handler_of, options_of

    with _opened_model(model, unfinished) as loaded:
        kind = loaded.answer.kind
        known = {parameter.name for parameter in options_of(kind)}
        for name in options.keys() - known:
            raise UserError(
                f"--{name.replace('_', '-')}: a model of kind {kind} has no use for "
                "it; leave it out"
            )
        cluster = options.pop("cluster", None)
        if cluster is not None and file is None:
            raise UserError("--cluster: answers the texts of a --file; give one")
        try:
            with connected(cluster) as nodes:
                options |= {"nodes": nodes} if nodes else {}
                handler_of(kind).predict(loaded, inputs or (), file, as_json, **options)
        except Interrupted as stop:
            say(f"{stop}; go on by --resume")
            raise typer.Exit(130) from None


@contextlib.contextmanager
def _opened_model(path: Path, unfinished: bool) -> Iterator["ExportedModel"]:
    """The exported model at the path, or that of a run, exported for this time."""
    if unfinished:
        from recurra.pipelines import export as export_model
        from recurra.pipelines.core.runs import Run

        show_log()
        run = Run.open(path)
        with tempfile.TemporaryDirectory(prefix="recurra-") as folder:
            yield export_model([run], folder, "model", unfinished=True)
    elif (path / "run.json").is_file():
        raise UserError(
            f"{path}: is a run and no exported model; export it with: recurra export "
            f"{shlex.quote(str(path))}, or predict by its best epoch so far by "
            "--unfinished"
        )
    else:
        from recurra.pipelines.core.exported_model import opened

        yield opened(path)


def _prediction_options(arguments: Sequence[str]) -> list[inspect.Parameter]:
    """Of the kind of answers of the first model among them; without any, of all."""
    from .answers.kinds import options_of

    for path in _paths(arguments):
        from recurra.pipelines.cards import CardError, read_card
        from recurra.pipelines.core.versions import version_folder

        with contextlib.suppress(UserError, CardError):
            return options_of(read_card(version_folder(path)).answer.kind)
    return options_of(None)


def _data_app(arguments: Sequence[str]) -> typer.Typer:
    app = typer.Typer(
        no_args_is_help=True, help="Look at data as the pipelines see them."
    )
    app.command("list")(data_list)
    looks = arguments[:1] in (["show"], ["write"])
    definition = _shown_task(arguments[1:]) if looks else None
    options = []
    if definition is not None:
        names = definition.shown_options or definition.reading_options
        options = _reading_options(definition, names)
    app.command("show")(command(data_show, options))
    app.command("write")(command(data_write, options))
    return app


def data_list() -> None:
    """The kinds of data that each task takes."""
    from .data_view import print_data_list

    print_data_list(definitions())


def data_show(
    spec: ShownSpec,
    task: ShownTask = None,
    settings: Settings = None,
    rows: Annotated[
        int, typer.Option(min=0, help="So many first rows, as the pipeline sees them.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    **reading: Any,
) -> None:
    """What the pipeline sees: how files are read, rows, classes, series or pairs.

    Further options are those of the task: give --task before --help.
    """
    from .data_view import print_description

    description = _described(spec, task, settings, reading)
    print_description(description, as_json=as_json, rows=rows)


def data_write(
    spec: ShownSpec,
    to: Annotated[
        Path,
        typer.Option(
            help="A new file: .csv, .tsv, .jsonl (each also .gz) or .parquet."
        ),
    ],
    task: ShownTask = None,
    settings: Settings = None,
    **reading: Any,
) -> None:
    """Write all rows as the pipeline sees them: repaired, resampled, in one form.

    Further options are those of the task: give --task before --help.
    """
    from .data_view import write_rows

    write_rows(_described(spec, task, settings, reading), to)
    output.print(str(to), markup=False, soft_wrap=True)


def _described(
    spec: str,
    task: str | None,
    settings: Sequence[str] | None,
    reading: Mapping[str, Any],
) -> "DataDescription":
    from recurra.pipelines.core.configuration import (
        make_configuration,
        parse_assignments,
    )

    if spec.startswith("tfds"):
        import_tensorflow_quietly()
    definition = find_definition(task) if task else _first_shown()
    values = {"data": {"spec": spec, **reading}}
    layers = [("command line", values), ("--set", parse_assignments(settings or ()))]
    configuration = make_configuration(definition.config_class, layers)
    return definition.describe(configuration.data)


def _shown_task(arguments: Sequence[str]) -> TaskDefinition | None:
    names = [
        name
        for before, name in zip(["", *arguments], arguments, strict=False)
        if before == "--task"
    ] or [
        argument.removeprefix("--task=")
        for argument in arguments
        if argument.startswith("--task=")
    ]
    with contextlib.suppress(UserError):
        return find_definition(names[-1]) if names else _first_shown()
    return None


def _first_shown() -> TaskDefinition:
    every = list(definitions())
    return next((each for each in every if each.is_shown_first), every[0])


def demo(
    runs: Annotated[Path, typer.Option(help="Folder of run directories.")] = Path(
        "runs"
    ),
    models: Annotated[Path, typer.Option(help="Folder of models.")] = Path(
        "saved_models"
    ),
) -> None:
    """All tasks on the embedded samples: train, evaluate, export, predict, report."""
    import_tensorflow_quietly()
    from .demo import run_demo

    show_log()
    run_demo(runs, models)


def doctor(
    check_backend: Annotated[
        bool,
        typer.Option(
            "--check-backend",
            help="Also train a small model on the backend, which takes seconds.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """What is installed, what it runs on, and what is wrong with it.

    The exit status is 2 if something is.
    """
    from .doctor import examine

    found = examine(check_backend=check_backend)
    if as_json:
        print(json.dumps(dataclasses.asdict(found), indent=2))
    else:
        shown = rich.table.Table.grid(padding=(0, 2))
        for name, value in found.rows():
            shown.add_row(Text(name), Text(value))
        output.print(shown)
        for problem in found.problems:
            say(f"wrong: {problem}")
    if found.problems:
        raise typer.Exit(2)


def serve(
    models: Annotated[
        Path | None,
        typer.Option(help="Folder of models; saved_models if left out."),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address; 127.0.0.1 if left out.")
    ] = None,
    rest_port: Annotated[
        int | None, typer.Option(help="8501 if left out; 0 for any.")
    ] = None,
    grpc_port: Annotated[
        int | None, typer.Option(help="8500 if left out; 0 for any.")
    ] = None,
    model_config_file: Annotated[
        Path | None,
        typer.Option(help="Models, versions and labels, as TensorFlow Serving has it."),
    ] = None,
    api_key_file: Annotated[
        Path | None, typer.Option(help="API keys, one a line.")
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, help="That serve on the same ports; 1 if left out."),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Of a cluster of Ray, on which the processes are replicas in Ray "
            "Serve: auto, HOST:PORT, ray://HOST:PORT or local.",
        ),
    ] = None,
    ui: Annotated[
        bool | None,
        typer.Option(
            "--ui/--no-ui",
            help="The page to try the models, at /ui; there if left out.",
        ),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(help="A YAML file with these and limits and batching."),
    ] = None,
) -> None:
    """Serve models by TensorFlow Serving's REST and gRPC APIs."""
    given = {
        "models": models,
        "host": host,
        "rest_port": rest_port,
        "grpc_port": grpc_port,
        "model_config_file": model_config_file,
        "api_key_file": api_key_file,
        "processes": processes,
        "cluster": cluster,
        "ui": ui,
    }
    given = {key: value for key, value in given.items() if value is not None}
    _serve(settings, given)


def model_server(context: typer.Context) -> None:
    """Serve models by the flags of TensorFlow Serving's command."""
    from .model_server import settings_of

    show_log()
    _serve(None, settings_of(context.args))


def _serve(file: Path | None, given: dict[str, Any]) -> None:
    from .serving.settings import make_settings

    show_log()
    settings = make_settings(file, given)
    if settings.cluster is not None:
        from recurra.pipelines.core.parallel.cluster import connected

        with connected(settings.cluster):
            from .serving.on_ray import serve_on_cluster

            serve_on_cluster(settings)
        return
    if settings.processes > 1:
        import asyncio

        from .serving.processes import serve_by_processes

        process = [sys.executable, "-P", "-m", f"{__package__}.serving_process"]
        raise typer.Exit(asyncio.run(serve_by_processes(settings, process)))
    import_tensorflow_quietly()
    import uvloop

    from .serving.server import serve as serve_until_stopped

    uvloop.run(serve_until_stopped(settings, answer_pages))


def answer_pages() -> Sequence[Any]:
    """Pages of the kinds of answers. Their packages take seconds to import."""
    from .answers.pages import make_pages

    return make_pages()


def _reading_options(
    definition: TaskDefinition, names: Sequence[str]
) -> list[inspect.Parameter]:
    data_class = definition.config_class.model_fields["data"].annotation
    return field_options(data_class, names)  # type: ignore[arg-type]


def _paths(arguments: Sequence[str]) -> Iterator[Path]:
    """Those of the arguments that are folders."""
    for argument in arguments:
        with contextlib.suppress(OSError, ValueError):
            if Path(argument).is_dir():
                yield Path(argument)


@contextlib.contextmanager
def _writing(name: str, path: Path) -> Iterator[None]:
    """Says which option's file could not be written, if so."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{name} {path}: cannot be written: {error.strerror}") from None
