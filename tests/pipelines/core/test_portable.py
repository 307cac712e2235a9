"""Models of ONNX and LiteRT answer as the SavedModel does, without TensorFlow."""

import csv
import json
import shutil
import sys

import numpy as np
import pytest

from recurra.apps.main import run as run_command
from recurra.pipelines import UserError, export, load_model
from recurra.pipelines.core import portable_export
from recurra.pipelines.core.runs import Run

FORMATS = ("onnx", "litert")
# What a reader of plain words would read otherwise.
ODD_TEXTS = [
    *("", " ", "<b>Lovely</b> caf&eacute;<br/>isn't it?", "awful " * 700),
    *(
        "\u201cq\u201d \u2019tis ISTANBUL \u0130 \uff21",
        "映画はよかった",
        "\ud800".encode("utf-8", "replace").decode(),
    ),
]


@pytest.fixture(scope="module", params=FORMATS)
def portable(request, sentiment_run, tmp_path_factory):
    pytest.importorskip("onnxruntime" if request.param == "onnx" else "ai_edge_litert")
    to = tmp_path_factory.mktemp(request.param)
    return export([sentiment_run], to, "reviews", format=request.param)


def test_texts_get_the_answers_of_the_savedmodel(
    portable, sentiment_model, reviews_csv
):
    with reviews_csv.open(newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)][:100] + ODD_TEXTS
    answers = portable.predict(texts)
    expected = load_model(sentiment_model).predict(texts)
    assert [each["label"] for each in answers] == [each["label"] for each in expected]
    for name in expected[0]["probabilities"]:
        found, wanted = (
            [each["probabilities"][name] for each in every]
            for every in (answers, expected)
        )
        np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_the_card_says_what_must_be_fed(portable):
    assert portable.card.inputs.keys() == {"tokens", "ngram_features", "ngrams"}
    assert portable.card.inputs["tokens"].dtype == "int32"
    assert portable.card.outputs.keys() == {"probabilities"}
    assert portable.answer.classes == ["bad", "good"]
    settings = json.loads((portable.folder / "preprocessing.json").read_text())
    assert settings["lowercase"] is True and settings["widths"] == [1, 2, 3]


def test_the_command_needs_no_tensorflow(portable, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.setitem(sys.modules, "pandas", None)
    file = next(iter(portable.folder.glob("model.*")))
    assert run_command(["predict", str(file), "What a lovely lamp!"]) == 0
    label, score, text = capsys.readouterr().out.split("\t")
    assert label in ("bad", "good") and text == "What a lovely lamp!\n"


def test_other_signatures_are_refused(portable):
    with pytest.raises(UserError, match="has no explain, which the SavedModel"):
        portable.run({"text": ["a"]}, "explain")


@pytest.fixture(scope="module")
def weather_run(tmp_path_factory):
    from pathlib import Path

    fixture = Path(__file__).parents[2] / "fixtures" / "format_1" / "weather"
    path = tmp_path_factory.mktemp("runs") / "station"
    return Run(shutil.copytree(fixture, path))


@pytest.mark.parametrize("format", FORMATS)
def test_forecasts_are_those_of_the_savedmodel(format, weather_run, tmp_path):
    """Also where values are missing."""
    from recurra.pipelines.core.workflow import open_trained

    task, model = open_trained([weather_run])
    answer = task.servable(model).signatures["serving_default"]
    found = export([weather_run], tmp_path, format=format)
    generator = np.random.default_rng(0)
    history = generator.normal(10, 5, (100, 12, 2)).astype(np.float32)
    history[generator.random(history.shape) < 0.1] = np.nan
    hours = np.datetime64("2020-02-28T00") + generator.integers(0, 10_000, 100)
    start = np.array([str(hour).encode() for hour in hours.astype("M8[s]")], object)
    inputs = {"history": history, "start": start}
    given = found.run(inputs)
    for name, expected in answer(**inputs).items():
        # Of values about 1000.
        np.testing.assert_allclose(given[name], expected, rtol=1e-5, atol=1e-4)
    with pytest.raises(UserError, match="expected ISO times.*received 'tomorrow'"):
        found.run({"history": history[:1], "start": [b"tomorrow"]})


def test_a_model_that_answers_otherwise_is_not_written(
    sentiment_run, tmp_path, monkeypatch
):
    def write(portable, format, folder):
        functions = actual(portable, "onnx", folder)
        file = folder / "preprocessing.json"
        settings = json.loads(file.read_text())
        settings["classes"].reverse()
        file.write_text(json.dumps(settings))
        return functions

    from recurra.pipelines.core import exporting

    actual = portable_export.write_portable
    monkeypatch.setattr(exporting, "write_portable", write)
    with pytest.raises(UserError, match="label differs from what the SavedModel"):
        export([sentiment_run], tmp_path, "reviews", format="onnx")
    assert not list(tmp_path.iterdir())


def test_what_is_refused(toy, tmp_path, sentiment_run, sentiment_model):
    from recurra.pipelines import train

    run = train("toy", run=tmp_path / "run", progress=False)
    with pytest.raises(UserError, match="toy has no model of numbers alone"):
        run.export(tmp_path / "models", format="onnx")
    with pytest.raises(UserError, match="there are savedmodel, onnx, litert"):
        run.export(tmp_path / "models", format="pickle")
    folder = sentiment_model.parents[1]
    with pytest.raises(UserError, match="is a model of the format savedmodel"):
        export([sentiment_run], folder, "reviews", format="onnx")


def test_a_missing_runtime_names_its_extra(sentiment_run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(UserError, match=r"pip install 'recurra\[onnx\]'"):
        export([sentiment_run], tmp_path, format="onnx")
