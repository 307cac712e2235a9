"""The test that every task passes: `check_task` takes it through its contract.

It is for the tests of a task, of this package or of another one:

>>> def test_stars(tmp_path):
...     check_task("stars", data="reviews.csv", folder=tmp_path, recipe="small")
"""

import contextlib
import importlib.metadata
import io
import json
import math
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas
import tensorflow as tf

from .cards import CARD_FILE, ContinuationAnswer, ForecastAnswer, ModelCard
from .core import exporting
from .core.api import evaluate, export, train
from .core.configuration import Config
from .core.errors import UserError
from .core.evaluation import EvaluationResult
from .core.exported_model import ExportedModel
from .core.registry import find_definition
from .core.runs import Run

#: Of numbers from one graph, in memory and exported.
TOLERANCE = 1e-5
# That a server may take to answer.
_SECONDS = 120.0


def check_task(
    name: str,
    *,
    data: str | Path,
    folder: Path,
    recipe: str | None = None,
    settings: Sequence[str] = (),
    served: bool = True,
    **options: Any,
) -> Run:
    """Takes a task through its contract; fails where it does not hold.

    It trains twice, once with a kill on the way; evaluates on the run's own and on
    given data; exports and compares the exported graphs with those in memory; predicts
    by the command line; serves the model by REST; and gives wrong input, which must
    leave nothing behind.

    Args:
        name: Of the task, found by its entry point.
        data: A spec of little data, on which the task trains within seconds.
        folder: An empty one, for all that is written.
        recipe: Of the task, for a small model.
        settings: Keys of the configuration, "key=value".
        served: Whether to start a server, which takes some seconds.
        **options: Fields of the section `data`.

    Returns:
        The trained run.
    """
    how: dict[str, Any] = {"recipe": recipe, "settings": settings, **options}
    check_definition(name)
    check_bad_input(name, data, folder / "bad", **how)
    run = train(name, data, run=folder / "run", progress=False, **how)
    check_run(run)
    check_resume(run, data, folder / "killed", **how)
    check_evaluation(run, data, folder / "predictions.csv")
    model, example = check_export(run, folder / "models")
    check_prediction(model)
    check_portable(run, folder)
    if served:
        check_served(model, example)
    return run


def check_definition(name: str) -> None:
    """The definition has what the command line shows, and no default is refused."""
    definition = find_definition(name)
    assert definition.summary, "a task has a summary"
    data = definition.config_class.model_fields["data"].annotation
    assert data is not None
    fields = data.model_fields
    for field in (*definition.reading_options, *definition.shown_options):
        assert field in fields, f"{field} is no field of the section data"
    for field, info in fields.items():
        is_section = isinstance(info.default, type(data))
        assert info.description or is_section or _is_config(info.annotation), (
            f"data.{field} has no description, which is the help of its option"
        )


def check_run(run: Run) -> None:
    """A finished run has all its files, and its metrics the one form."""
    assert run.is_finished
    for file in (
        run.config_file,
        run.metadata_file,
        run.history_file,
        run.predictions_file,
        run.report,
    ):
        assert file.is_file(), f"{file.name} is missing"
    metrics = run.metrics
    assert set(metrics) >= {"task", "data", "split", "model", "baselines"}
    assert metrics["task"] == run.task
    assert metrics["baselines"], "a task has a baseline to beat"
    for values in (metrics["model"], *metrics["baselines"].values()):
        assert values
        assert all(math.isfinite(value) for value in values.values())
    if metrics["split"] != "validation":
        assert set(metrics["validation"]["model"]) <= set(metrics["model"])
    assert len(pandas.read_csv(run.predictions_file))
    assert not list(run.path.rglob(".partial-*"))


class _Killed(BaseException):
    """Ends training as a kill does: nothing is written any more."""


class _Killer:
    """Kills training at the first step after a saved state."""

    def __init__(self, state: Path):
        self._state = state

    def epoch_started(self, epoch: int, epochs: int, step: int, steps: int) -> None:
        pass

    def step_done(self, step: int, loss: float) -> None:
        if self._state.is_file():
            raise _Killed

    def epoch_ended(self, row: Mapping[str, float], best: bool) -> None:
        pass


def check_resume(run: Run, data: Any, path: Path, **how: Any) -> None:
    """A run that is killed comes to the same result as one that is not.

    All that a run writes is there whole or not at all, so an exception that nothing
    handles leaves what a killed process does.
    """
    settings = [*how.pop("settings", ()), "training.checkpoint_seconds=0.001"]
    killer = _Killer(path / "checkpoints" / "last.json")
    with contextlib.suppress(_Killed):
        train(run.task, data, run=path, settings=settings, progress=killer, **how)
        raise AssertionError("training ended before it could be killed")
    resumed = train(run.task, run=path, resume=True, progress=False)
    _assert_close(
        resumed.metrics["model"], run.metrics["model"], "metrics of the model"
    )
    _assert_close(
        resumed.metrics["baselines"], run.metrics["baselines"], "metrics of baselines"
    )


def check_evaluation(run: Run, data: Any, predictions: Path) -> None:
    """The run's own data give the metrics that the run has; other data give some."""
    again = evaluate(run)
    assert isinstance(again, EvaluationResult)
    _assert_close(again.as_json(run.task)["model"], run.metrics["model"], "metrics")
    again.write_predictions(predictions)
    assert predictions.read_bytes() == run.predictions_file.read_bytes()
    json.dumps(again.as_json(run.task), allow_nan=False)
    other = evaluate(run, data)
    assert isinstance(other, EvaluationResult)
    assert other.split == "test"
    assert set(other.model) == set(again.model)
    _assert_refused(lambda: evaluate(run, split="no-such-split"), "no-such-split")


def check_export(run: Run, models: Path) -> tuple[ExportedModel, Mapping[str, Any]]:
    """The exported graphs answer as those in memory do; the card says what they are.

    Returns:
        The exported model, and an input of its default signature.
    """
    # Tracing takes seconds: what is exported is kept, to be compared with.
    with mock.patch.object(exporting, "export", wraps=exporting.export) as exported:
        model = export([run], models, "checked")
    servable = exported.call_args.args[0]
    assert model.folder == models / "checked" / "1"
    card_file = model.folder / CARD_FILE
    card = ModelCard.model_validate_json(card_file.read_text(encoding="utf-8"))
    assert card.task == run.task
    assert card.metrics == run.metrics
    assert set(servable.examples) == set(servable.signatures), (
        "every signature has an example, which warms it up"
    )
    for signature, example in servable.examples.items():
        function = servable.signatures[signature]
        expected = function(**_tensors(example))
        found = model.run(example, signature)
        assert set(found) == set(expected)
        for output, value in expected.items():
            _assert_equal(found[output], value.numpy(), f"{signature}, {output}")
    assert card.independent_rows == list(servable.independent_rows)
    for signature in servable.independent_rows:
        _check_rows_are_independent(model, signature, servable.examples[signature])
    example = servable.examples["serving_default"]
    assert set(card.inputs) == set(example)
    assert set(card.outputs) == set(model.run(example))
    return model, example


def _check_rows_are_independent(
    model: ExportedModel, signature: str, example: Mapping[str, Any]
) -> None:
    """A row has the answer that it has alone, where each output has a row for it."""
    rows = {len(value) if np.ndim(value) else 0 for value in example.values()}
    if len(rows) > 1 or rows == {0}:
        # Such requests cannot be joined.
        return
    together = model.run(example, signature)
    (number,) = rows
    for row in range(number):
        alone = model.run(
            {name: value[row : row + 1] for name, value in example.items()}, signature
        )
        for output, value in alone.items():
            if together[output].shape[1:] == value.shape[1:]:
                _assert_equal(
                    together[output][row : row + 1],
                    value,
                    f"{signature}, {output}: row {row} depends on other rows",
                )


def check_prediction(model: ExportedModel) -> None:
    """The command line gives the answers that Python gives."""
    if isinstance(model.answer, ForecastAnswer):
        return
    texts = ["One text.", "And another one, somewhat longer than the first!", ""]
    answers = model.predict(texts)
    assert len(answers) == len(texts)
    printed = _printed_by_command("predict", str(model.folder), *texts, "--json")
    for shown, answer, text in zip(json.loads(printed), answers, texts, strict=True):
        assert shown["text"] == text
        _assert_close({**shown, "text": 0}, {**answer, "text": 0}, "predictions")


def check_portable(run: Run, folder: Path) -> None:
    """A task that has graphs of numbers exports them, and measures smaller weights."""
    if not find_definition(run.task).portable or not find_spec("tf2onnx"):
        return
    small = run.export(folder / "onnx_models", format="onnx", weights="int8")
    assert small.card.details["weights"]["rows"] > 1, "held_out_inputs has rows"
    check_prediction(small)


def check_served(model: ExportedModel, example: Mapping[str, Any]) -> None:
    """`recurra serve` gives the answers of the model.

    It runs in a process of its own, which has seen neither task nor training.
    """
    with _server(model.folder.parents[1]) as address:
        body = json.dumps({"inputs": {key: _listed(example[key]) for key in example}})
        url = f"{address}/v1/models/{model.card.name}"
        answer = json.loads(_fetch(f"{url}:predict", body.encode()))["outputs"]
        expected = model.run(example)
        if len(expected) == 1:
            answer = {next(iter(expected)): answer}
        for name, value in expected.items():
            found = np.array(answer[name])
            if value.dtype == object:
                found = np.array([text.encode() for text in found.ravel()], object)
                value = value.ravel()
            _assert_equal(found, value, f"served, {name}")
        if isinstance(model.answer, ContinuationAnswer):
            _check_written(model, f"{url}:generate")
        states = json.loads(_fetch(url))["model_version_status"]
        assert "AVAILABLE" in {version["state"] for version in states}


def _check_written(model: ExportedModel, url: str) -> None:
    """The server writes, also in parts, what the graph writes at once."""
    for seed in range(2):
        asked = {"prompt": "One text", "length": 9, "temperature": 1.0, "seed": seed}
        options = {name: asked[name] for name in ("length", "temperature", "seed")}
        expected = model.predict(["One text"], **options)[0]["continuation"]
        assert json.loads(_fetch(url, json.dumps(asked).encode()))["text"] == expected
        streamed = _fetch(url, json.dumps({**asked, "stream": True}).encode())
        lines = streamed.decode().splitlines()
        found = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
        assert "".join(each.get("text", "") for each in found) == expected


def check_bad_input(name: str, data: Any, folder: Path, **how: Any) -> None:
    """Wrong input is a `UserError` that says what and where, and leaves nothing."""
    folder.mkdir()
    path = folder / "run"
    missing = folder / "missing.csv"
    _assert_refused(lambda: train(name, missing, run=path, **how), "missing.csv")
    wrong = {**how, "settings": [*how.get("settings", ()), "training.epoch=1"]}
    _assert_refused(lambda: train(name, data, run=path, **wrong), "training.epochs")
    wrong = {**how, "settings": [*how.get("settings", ()), "training.epochs=none"]}
    _assert_refused(lambda: train(name, data, run=path, **wrong), "training.epochs")
    wrong = {**how, "recipe": "no-such-recipe"}
    _assert_refused(lambda: train(name, data, run=path, **wrong), "no-such-recipe")
    empty = folder / "empty.csv"
    empty.touch()
    _assert_refused(lambda: train(name, empty, run=path, **how), "empty.csv")
    assert not path.exists()
    assert sorted(folder.iterdir()) == [empty]
    path.mkdir()
    (path / "notes.txt").write_text("mine")
    _assert_refused(lambda: train(name, data, run=path, **how), "exists already")
    assert [file.name for file in path.iterdir()] == ["notes.txt"]
    shutil.rmtree(folder)


def _is_config(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Config)


def _assert_refused(call: Callable[[], Any], words: str) -> None:
    try:
        call()
    except UserError as error:
        message = str(error)
        assert words in message, f"{words!r} is not in the error: {message}"
        assert "\n" not in message, f"the error has several lines: {message}"
    else:
        raise AssertionError(f"nothing was refused where {words!r} is wrong")


def _assert_close(found: Any, expected: Any, what: str) -> None:
    """Equal, numbers within the tolerance, in any depth."""
    if isinstance(expected, Mapping):
        assert set(found) == set(expected), what
        for key in expected:
            _assert_close(found[key], expected[key], f"{what}, {key}")
    elif isinstance(expected, float):
        assert math.isclose(found, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE), (
            f"{what}: {found} instead of {expected}"
        )
    else:
        assert found == expected, f"{what}: {found} instead of {expected}"


def _assert_equal(found: np.ndarray, expected: np.ndarray, what: str) -> None:
    assert found.shape == expected.shape, f"{what}: another shape"
    if expected.dtype == object:
        assert (found == expected).all(), f"{what}: {found} instead of {expected}"
        return
    scale = max(1.0, float(np.nanmax(np.abs(expected), initial=0.0)))
    np.testing.assert_allclose(found, expected, atol=TOLERANCE * scale, err_msg=what)


def _tensors(example: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    return {name: tf.constant(value) for name, value in example.items()}


def _listed(value: Any) -> Any:
    values = np.asarray(value).tolist()

    def decoded(item: Any) -> Any:
        if isinstance(item, list):
            return [decoded(each) for each in item]
        return item.decode() if isinstance(item, bytes) else item

    return decoded(values)


def _fetch(url: str, body: bytes | None = None) -> bytes:
    with urllib.request.urlopen(url, body, timeout=_SECONDS) as answer:
        return answer.read()


@contextlib.contextmanager
def _server(models: Path) -> Iterator[str]:
    """The address of a server of these models."""
    command = [sys.executable, "-m", "recurra.apps.main", "serve", "--models"]
    # The page takes longer to build than all the rest, and is the same for all tasks.
    command += [str(models), "--rest-port", "0", "--grpc-port", "0", "--no-ui"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            lines = []
            for line in process.stderr:
                lines.append(line)
                if line.startswith("gRPC on "):
                    break
            (rest,) = [line for line in lines if line.startswith("REST on ")]
            yield rest.removeprefix("REST on ").strip().rstrip("/")
        finally:
            process.terminate()


def _printed_by_command(*arguments: str) -> str:
    """What the installed command prints, run in this process."""
    (command,) = importlib.metadata.entry_points(
        group="console_scripts", name="recurra"
    )
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            command.load()(arguments)
        except SystemExit as end:
            assert not end.code, f"recurra {arguments[0]} ended with {end.code}"
    return printed.getvalue()
