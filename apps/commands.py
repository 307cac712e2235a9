"""The commands of `recurra`. What takes time to import is imported inside them."""

import contextlib
import json
import shlex
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from .screen import (
    TrainingProgress,
    backtest_table,
    messages,
    metrics_table,
    output,
    show_log,
)
from .startup import import_tensorflow_quietly

app = typer.Typer(
    help="Recurrent networks from raw data to a served model.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(no_args_is_help=True)
app.add_typer(data_app, name="data", help="Look at data as the pipelines see them.")

Spec = Annotated[
    str | None,
    typer.Option("--data", help="sample, tfds:NAME, or a file or folder."),
]
TextColumn = Annotated[
    str | None,
    typer.Option(help="Column of the texts; if left out, found by usual names."),
]
LabelColumn = Annotated[
    str | None,
    typer.Option(help="Column of the labels; if left out, found by usual names."),
]
GroupColumn = Annotated[
    str | None,
    typer.Option(help="Rows with the same value in it stay in one split."),
]
TimeColumn = Annotated[
    str | None,
    typer.Option(help="Column of the times; if left out, found."),
]
StationColumn = Annotated[
    str | None,
    typer.Option(help="Column that parts the rows into stations."),
]
SourceLanguage = Annotated[
    str | None, typer.Option(help="The language to translate from.")
]
TargetLanguage = Annotated[
    str | None, typer.Option(help="The language to translate to.")
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One key of the configuration."),
]
DecodingAssignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="One key of the section decoding, other than it was in training.",
    ),
]
RunArguments = Annotated[
    list[Path],
    typer.Argument(
        help="A run directory; several that translate are taken as one model.",
        metavar="RUN...",
    ),
]


@app.command()
def train(
    task: Annotated[
        str, typer.Argument(help="sentiment, weather or translation", metavar="TASK")
    ],
    recipe: Annotated[str | None, typer.Option(help="A recipe's name.")] = None,
    config: Annotated[Path | None, typer.Option(help="A YAML file.")] = None,
    assignments: Assignments = None,
    data: Spec = None,
    run: Annotated[
        Path | None, typer.Option(help="Run directory; runs/TASK-N if left out.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped.")
    ] = False,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    group_column: GroupColumn = None,
    time_column: TimeColumn = None,
    station_column: StationColumn = None,
    source: SourceLanguage = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="Column to forecast, all if left out; may be given often. Or the "
            "language to translate to."
        ),
    ] = None,
) -> None:
    """Train and evaluate a model: from data to a run directory with a report."""
    from recurra.pipelines.errors import UserError

    if resume and run is None:
        raise UserError("--resume: name the run to go on with by --run DIR")
    import_tensorflow_quietly()
    from recurra.pipelines import configuration as configurations
    from recurra.pipelines import runs, workflow
    from recurra.pipelines.training import Interrupted

    task_class = workflow.find_task(task)
    layers: list[tuple[str, Any]] = []
    begun = workflow.run_to_resume(task_class, run) if resume and run else None
    if begun is not None:
        file = begun.configuration_file
        layers.append((str(file), configurations.read_yaml(file)))
    if recipe is not None:
        path = configurations.find_recipe(task_class.recipes, recipe)
        layers.append((f"recipe {recipe}", configurations.read_yaml(path)))
    if config is not None:
        layers.append((str(config), configurations.read_yaml(config)))
    layers.append(("--set", configurations.parse_assignments(assignments or ())))
    given = _given(
        spec=data,
        text_column=text_column,
        label_column=label_column,
        group_column=group_column,
        time_column=time_column,
        station_column=station_column,
        source=source,
        **_targets(task, target or ()),
    )
    _refuse_foreign(task, given, _data_keys(task_class))
    layers.append(("command line", {"data": given} if given else {}))
    configuration = configurations.make_configuration(
        task_class.configuration_class, layers
    )
    path = run or runs.next_free(Path("runs"), task)
    show_log()
    progress = TrainingProgress()
    try:
        finished = workflow.train(
            task_class,
            configuration,
            path,
            command=["recurra", *sys.argv[1:]],
            resume=resume,
            progress=progress,
        )
    except Interrupted as stop:
        messages.print(
            f"{stop}. Go on with: recurra train {task} --run "
            f"{shlex.quote(str(path))} --resume",
            markup=False,
            soft_wrap=True,
        )
        raise typer.Exit(130) from None
    finally:
        progress.close()
    output.print(metrics_table(finished.read_metrics()))
    messages.print(
        f"Run: {finished.path}, report: {finished.report}",
        markup=False,
        soft_wrap=True,
    )


def _given(**options: Any) -> dict[str, Any]:
    """The options that were not left out."""
    return {key: value for key, value in options.items() if value is not None}


def _targets(task: str, given: Sequence[str]) -> dict[str, Any]:
    """What --target says: the one language of translation, or columns."""
    from recurra.pipelines.errors import UserError

    if not given:
        return {}
    if task != "translation":
        return {"targets": list(given)}
    if len(given) > 1:
        raise UserError("--target: translation is to one language; give it once")
    return {"target": given[0]}


def _data_keys(task_class: Any) -> Collection[str]:
    """What the task's data section can be told."""
    section = task_class.configuration_class.model_fields["data"].annotation
    return section.model_fields


def _refuse_foreign(
    task: str, given: Mapping[str, Any], taken: Collection[str]
) -> None:
    """Raises UserError for an option that is for other tasks."""
    from recurra.pipelines.errors import UserError

    for key in given:
        if key not in taken:
            option = key.removesuffix("s").replace("_", "-")
            raise UserError(f"--{option}: {task} has no use for it; leave it out")


@app.command()
def evaluate(
    runs: RunArguments,
    data: Spec = None,
    split: Annotated[
        str | None,
        typer.Option(help="Of the run's own data: train, validation or test."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the metrics to this file.")
    ] = None,
    backtest: Annotated[
        int | None,
        typer.Option(min=2, help="Also judge each of so many stretches of time."),
    ] = None,
    score: Annotated[
        bool,
        typer.Option(
            "--score",
            help="Instead, say how likely the model finds each translation that "
            "stands in the data.",
        ),
    ] = False,
    predictions: Annotated[
        Path | None,
        typer.Option(help="Also write the prediction for each row to this CSV file."),
    ] = None,
    assignments: DecodingAssignments = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    time_column: TimeColumn = None,
    station_column: StationColumn = None,
    source: SourceLanguage = None,
    target: TargetLanguage = None,
) -> None:
    """Judge a finished run and its baselines; with --data, every row is the test."""
    import_tensorflow_quietly()
    from recurra.pipelines import workflow
    from recurra.pipelines.configuration import parse_assignments
    from recurra.pipelines.errors import UserError
    from recurra.pipelines.files import write_json
    from recurra.pipelines.runs import Run

    show_log()
    opened, *others = (Run.open(run) for run in runs)
    columns = _given(
        text_column=text_column,
        label_column=label_column,
        time_column=time_column,
        station_column=station_column,
        source=source,
        target=target,
    )
    _refuse_foreign(opened.task, columns, _data_keys(workflow.find_task(opened.task)))
    changes = parse_assignments(assignments or ())
    if score:
        if backtest is not None:
            raise UserError(
                "--score: judges no stretches of time; leave out --backtest"
            )
        if predictions is not None or changes:
            raise UserError(
                "--score: nothing is predicted; leave out --predictions and --set"
            )
        scores = workflow.score(opened, data, split, others, **columns)
        if json_file is not None:
            with _writing("--json", json_file):
                write_json(json_file, scores.to_dict("records"))
        scores.to_csv(sys.stdout, sep="\t", index=False)
        return
    evaluation = workflow.evaluate(
        opened, data, split, backtest, others, changes, **columns
    )
    metrics = evaluation.as_json(opened.task)
    if json_file is not None:
        with _writing("--json", json_file):
            write_json(json_file, metrics)
    if predictions is not None:
        with _writing("--predictions", predictions):
            evaluation.write_predictions(predictions)
    output.print(metrics_table(metrics))
    if "backtest" in metrics:
        output.print(backtest_table(metrics))


@contextlib.contextmanager
def _writing(option: str, path: Path) -> Iterator[None]:
    """Says which option's file could not be written, if so."""
    from recurra.pipelines.errors import UserError

    try:
        yield
    except OSError as error:
        raise UserError(
            f"{option} {path}: cannot be written: {error.strerror}"
        ) from None


@app.command()
def export(
    runs: RunArguments,
    to: Annotated[Path, typer.Option(help="Folder of models.")] = Path("saved_models"),
    name: Annotated[
        str | None, typer.Option(help="The model's name; the first run's if left out.")
    ] = None,
    assignments: DecodingAssignments = None,
) -> None:
    """Export a finished run as the next version of a SavedModel."""
    import_tensorflow_quietly()
    from recurra.pipelines import exporting, workflow
    from recurra.pipelines.configuration import parse_assignments
    from recurra.pipelines.runs import Run

    show_log()
    opened = [Run.open(run) for run in runs]
    task, model = workflow.open_trained(opened, parse_assignments(assignments or ()))
    version = exporting.export(
        task.servable(model), to, opened[0].name if name is None else name
    )
    output.print(str(version), markup=False, soft_wrap=True)


@app.command()
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
            ".jsonl, .parquet); for a weather model recent measurements."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON array, one answer a line.")
    ] = False,
    to: Annotated[
        Path | None,
        typer.Option(
            help="Forecasts: the CSV file to write, a picture beside it. If left out, "
            "FILE's name with -forecast, here.",
        ),
    ] = None,
    text_column: TextColumn = None,
    time_column: TimeColumn = None,
    station_column: StationColumn = None,
) -> None:
    """Predict with an exported model alone."""
    from recurra.pipelines.errors import UserError

    if bool(inputs) == (file is not None):
        raise UserError("predict: give texts, or a file by --file; one of the two")
    import_tensorflow_quietly()
    from .predicting import ExportedModel

    exported = ExportedModel(model)
    task = exported.card["task"]
    columns = _given(time_column=time_column, station_column=station_column)
    if task == "weather":
        _refuse_foreign(task, _given(text_column=text_column), ())
        if file is None:
            raise UserError(
                "predict: a weather model needs recent measurements by --file"
            )
        if as_json and to is not None:
            raise UserError(
                "--to: with --json no file is written; leave one of the two out"
            )
        _predict_weather(exported, file, to, as_json, **columns)
        return
    _refuse_foreign(task, _given(to=to, **columns), ())
    if file is None:
        texts = _as_texts(inputs or ())
    else:
        from .inputs import read_texts

        texts = read_texts(file, text_column)
    if task == "translation":
        translations = exported.translate(texts)
        if as_json:
            _print_json(
                {"text": text, **answer}
                for text, answer in zip(texts, translations, strict=True)
            )
            return
        for answer in translations:
            print(answer["translation"])
        return
    answers = exported.classify(texts)
    if as_json:
        _print_json(
            {"text": text, **answer}
            for text, answer in zip(texts, answers, strict=True)
        )
        return
    for text, answer in zip(texts, answers, strict=True):
        shown = " ".join(text.split())
        shown = shown if len(shown) <= 100 else f"{shown[:48]} ... {shown[-47:]}"
        print(f"{answer['label']}\t{answer['score']:.4f}\t{shown}")


def _predict_weather(
    exported: Any, file: Path, to: Path | None, as_json: bool, **columns: str
) -> None:
    from .forecasting import (
        forecast,
        forecast_table,
        tell_repairs,
        write_forecasts,
    )

    series, forecasts = forecast(exported, str(file), **columns)
    tell_repairs(series)
    if as_json:
        table = forecast_table(exported.card, forecasts)
        table["time"] = table["time"].astype(str)
        _print_json(table.to_dict("records"))
        return
    stem = file.name.removesuffix(".gz").rpartition(".")[0] or file.name
    to = to or Path(f"{stem}-forecast.csv")
    for path in write_forecasts(exported.card, forecasts, to):
        print(path)


def _print_json(rows: Iterable[Mapping[Any, Any]]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    print("[\n" + ",\n".join(lines) + "\n]")


def _as_texts(arguments: Sequence[str]) -> list[str]:
    """Arguments as UTF-8 has them: other bytes come from the system as surrogates."""
    return [
        argument.encode("utf-8", errors="surrogateescape").decode(
            "utf-8", errors="replace"
        )
        for argument in arguments
    ]


@data_app.command("list")
def data_list() -> None:
    """The kinds of data that a task takes."""
    from .showing import print_data_list

    print_data_list()


@data_app.command("show")
def data_show(
    spec: Annotated[str, typer.Argument(help="sample, tfds:NAME, file or folder.")],
    task: Annotated[
        str,
        typer.Option(help="The task to read for: sentiment, weather or translation."),
    ] = "sentiment",
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    group_column: GroupColumn = None,
    time_column: TimeColumn = None,
    station_column: StationColumn = None,
    source: Annotated[
        str | None, typer.Option(help="Language of the sources; en if left out.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Language of the targets; de if left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """What the pipeline sees: rows, classes, series or pairs, repairs, bad rows."""
    if spec.startswith("tfds"):
        import_tensorflow_quietly()
    from .showing import find_view

    view = find_view(task)
    columns = _given(
        text_column=text_column,
        label_column=label_column,
        group_column=group_column,
        time_column=time_column,
        station_column=station_column,
        source=source,
        target=target,
    )
    _refuse_foreign(task, columns, view.columns)
    view.show(spec, as_json=as_json, **columns)


@app.command()
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


@app.command()
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
        "ui": ui,
    }
    import_tensorflow_quietly()
    import uvloop

    from .serving.server import serve as serve_until_stopped
    from .serving.settings import make_settings

    show_log()
    uvloop.run(
        serve_until_stopped(
            make_settings(
                settings,
                {key: value for key, value in given.items() if value is not None},
            )
        )
    )
