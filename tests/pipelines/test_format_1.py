"""Runs that recurra 0.1.0 wrote are read: old keys, weights, assets."""

import shutil
from pathlib import Path

import numpy as np
import pandas
import pytest

from recurra.pipelines import open_run
from recurra.pipelines.core import workflow
from recurra.pipelines.core.files import read_json

FORMAT_1 = Path(__file__).parents[1] / "fixtures" / "format_1"


@pytest.fixture
def open_old(tmp_path, monkeypatch):
    """A function of a task's name: its run, where its data are at their old place."""

    def open_old(task):
        shutil.copytree(FORMAT_1, tmp_path / "runs")
        monkeypatch.chdir(tmp_path / "runs")
        return open_run(task)

    return open_old


@pytest.mark.parametrize("name", ["sentiment", "weather", "translation"])
def test_data_and_configuration_are_those_of_the_run(open_old, name, caplog):
    if name == "translation":
        pytest.importorskip("tensorflow_text")
    run = open_old(name)
    task = workflow.open_task(run)
    (record,) = caplog.records
    assert "training.decay is now training.lr_schedule" in record.getMessage()
    data = task.load(task.configuration)
    assert task.metadata(data) == read_json(run.metadata_file)


def test_a_classifier_answers_as_it_did(open_old, tmp_path):
    run = open_old("sentiment")
    assert 0 <= run.padded_fraction < 1
    predictions = pandas.read_csv(run.predictions_file)
    answers = run.export(tmp_path).predict(predictions["text"])
    for name in ("good", "bad"):
        np.testing.assert_allclose(
            [answer["probabilities"][name] for answer in answers],
            predictions[f"probability_{name}"],
            atol=1e-4,
        )


def test_a_translator_answers_as_it_did(open_old, tmp_path):
    pytest.importorskip("tensorflow_text")
    run = open_old("translation")
    predictions = pandas.read_csv(run.predictions_file, keep_default_na=False)
    answers = run.export(tmp_path).predict(predictions["source"])
    np.testing.assert_allclose(
        [answer["score"] for answer in answers], predictions["score"], atol=1e-2
    )


def test_a_forecaster_forecasts(open_old, tmp_path):
    run = open_old("weather")
    table = run.export(tmp_path).predict("station.csv")
    assert len(table) == 2 * 3
    assert np.isfinite(table["forecast"]).all()
