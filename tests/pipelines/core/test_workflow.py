import logging
import math
import shutil

import numpy as np
import pandas
import pytest

from recurra.pipelines.core import workflow
from recurra.pipelines.core.configuration import (
    differences,
    make_configuration,
    read_yaml,
)
from recurra.pipelines.core.errors import Interrupted, UserError
from recurra.pipelines.core.files import read_json, write_json
from recurra.pipelines.core.registry import find_task
from recurra.pipelines.core.runs import Run
from recurra.pipelines.sentiment.config import SentimentConfig
from recurra.pipelines.sentiment.task import SentimentTask

METRICS = {"accuracy", "macro_f1", "roc_auc", "nll", "ece"}
BASELINES = {
    *("recurrent", "nb_ngrams", "tfidf_ngrams", "majority"),
    *("tfidf_logistic_regression", "nb_logistic_regression"),
}


def _contents(folder):
    """Every file of the folder, with what it holds and when it was written."""
    return {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def _copy(run, path):
    shutil.copytree(run.path, path)
    return Run.open(path)


@pytest.fixture(scope="module")
def stopped_run(tmp_path_factory, write_reviews, small_configuration, stop_at):
    """A run that was stopped in its second epoch, on a file with the same reviews."""
    folder = tmp_path_factory.mktemp("stopped")
    path = folder / "run"
    # What is left of a run that was killed before it began is an empty folder.
    path.mkdir()
    configuration = small_configuration(write_reviews(folder / "reviews.csv"))
    with pytest.raises(Interrupted):
        workflow.train(
            SentimentTask, configuration, path, resume=True, progress=stop_at(1, 2)
        )
    return Run.open(path)


def _configuration(run):
    return workflow.open_task(run).configuration


# A finished run


def test_a_finished_run_holds_everything(sentiment_run):
    files = {
        str(path.relative_to(sentiment_run.path))
        for path in sentiment_run.path.rglob("*")
        if path.is_file()
    }
    assert {
        *("run.json", "config.yaml", "environment.json", "data.json", "history.csv"),
        *("metrics.json", "predictions.csv", "report.html"),
    } <= files
    for folder in ("assets", "checkpoints", "baselines", "figures"):
        assert any(file.startswith(f"{folder}/") for file in files), folder
    assert not [file for file in files if "partial" in file]
    assert sentiment_run.is_finished


def test_the_configuration_is_written_whole(
    sentiment_run, small_configuration, reviews_csv
):
    values = read_yaml(sentiment_run.config_file)
    written = make_configuration(SentimentConfig, [("", values)])
    # With what was left to rules in numbers.
    assert differences(small_configuration(reviews_csv), written) == [
        *("training.patience", "model.convolution_filters", "ngrams.min_count")
    ]
    assert written.training.patience == 3
    assert set(values) == set(SentimentConfig.model_fields)


def test_the_history_has_a_row_per_epoch(sentiment_run):
    history = pandas.read_csv(sentiment_run.history_file)
    assert list(history["epoch"]) == [1, 2]
    assert SentimentTask.monitor in history.columns
    assert np.isfinite(history.to_numpy()).all()


def test_the_data_are_described(sentiment_run):
    metadata = read_json(sentiment_run.metadata_file)
    assert metadata["classes"] == ["bad", "good"]
    assert metadata["columns"]["text"] == "text"
    assert metadata["rows"] == {
        "train": {"bad": 36, "good": 36},
        "validation": {"bad": 12, "good": 12},
        "test": {"bad": 12, "good": 12},
    }


def test_metrics_have_the_one_form(sentiment_run, reviews_csv):
    metrics = sentiment_run.metrics
    assert list(metrics)[:5] == ["task", "data", "split", "model", "baselines"]
    assert (metrics["task"], metrics["data"]) == ("sentiment", str(reviews_csv))
    assert metrics["split"] == "test"
    assert set(metrics["baselines"]) == BASELINES
    for part in (metrics, metrics["validation"]):
        for row in (part["model"], *part["baselines"].values()):
            assert set(row) == METRICS
            assert all(isinstance(number, float) for number in row.values())
            assert all(math.isfinite(number) for number in row.values())
    assert metrics["baselines"]["majority"]["accuracy"] == 0.5


def test_predictions_say_what_the_metrics_say(sentiment_run):
    predictions = pandas.read_csv(sentiment_run.predictions_file)
    assert len(predictions) == 24
    right = (predictions["label"] == predictions["predicted"]).mean()
    assert right == pytest.approx(sentiment_run.metrics["model"]["accuracy"])
    np.testing.assert_allclose(
        predictions["probability_bad"] + predictions["probability_good"], 1, atol=1e-6
    )


def test_the_report_shows_the_model_beside_the_baselines(sentiment_run):
    report = sentiment_run.report.read_text(encoding="utf-8")
    assert report.rstrip().endswith("</html>")
    assert "tfidf" in report.replace("-", "").lower()


def test_a_finished_run_is_left_as_it_is_by_resume(sentiment_run, caplog):
    before = _contents(sentiment_run.path)
    with caplog.at_level(logging.INFO, logger="recurra"):
        run = workflow.train(
            SentimentTask,
            _configuration(sentiment_run),
            sentiment_run.path,
            resume=True,
        )
    assert run.path == sentiment_run.path
    assert "finished already" in caplog.text
    assert _contents(sentiment_run.path) == before


def test_a_finished_run_is_not_trained_over(sentiment_run):
    before = _contents(sentiment_run.path)
    with pytest.raises(UserError, match="exists already"):
        workflow.train(SentimentTask, _configuration(sentiment_run), sentiment_run.path)
    assert _contents(sentiment_run.path) == before


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        *(("training", "clip_norm", 9), ("model", "zoneout_hidden", 0.5)),
        ("data", "spec", "b.csv"),
    ],
)
def test_resume_with_another_configuration_is_refused_and_names_the_key(
    sentiment_run, small_configuration, reviews_csv, section, key, value
):
    before = _contents(sentiment_run.path)
    other = small_configuration(reviews_csv, **{section: {key: value}})
    with pytest.raises(UserError, match=rf"begun with another {section}\.{key}"):
        workflow.train(SentimentTask, other, sentiment_run.path, resume=True)
    assert _contents(sentiment_run.path) == before


def test_resume_of_another_tasks_run_is_refused(sentiment_run, tmp_path):
    run = _copy(sentiment_run, tmp_path / "run")
    write_json(run.path / "run.json", {"task": "weather", "format": 1})
    with pytest.raises(UserError, match="is a run of weather, not of sentiment"):
        workflow.train(
            SentimentTask, _configuration(sentiment_run), run.path, resume=True
        )


def test_a_task_that_there_is_not_is_refused_with_those_that_there_are(
    sentiment_run, tmp_path
):
    assert find_task("sentiment") is SentimentTask
    with pytest.raises(UserError, match="sentimant: no such task.*sentiment"):
        find_task("sentimant")
    run = _copy(sentiment_run, tmp_path / "run")
    write_json(run.path / "run.json", {"task": "chess", "format": 1})
    with pytest.raises(UserError, match="chess: no such task"):
        workflow.open_task(run)


def test_what_is_no_run_is_not_resumed(tmp_path, small_configuration, reviews_csv):
    (tmp_path / "thesis.tex").write_text("years of work", encoding="utf-8")
    with pytest.raises(UserError, match="not a run directory"):
        workflow.train(
            SentimentTask, small_configuration(reviews_csv), tmp_path, resume=True
        )
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


# Bad data


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "no such"),
        ("", "empty"),
        ("text,label\nfine,good\nlovely,good\n", "'good'"),
        ("words,mark\nfine,good\nawful,bad\n", "column"),
        ("text,label\nfine,\nawful,bad\ngood,\n", "label"),
    ],
)
def test_bad_data_leave_no_run_directory(tmp_path, small_configuration, content, fault):
    data = tmp_path / "reviews.csv"
    if content is not None:
        data.write_text(content, encoding="utf-8")
    configuration = small_configuration(data)
    with pytest.raises(UserError) as refused:
        workflow.train(SentimentTask, configuration, tmp_path / "runs" / "a")
    assert str(data) in str(refused.value)
    assert fault in str(refused.value).lower()
    assert not (tmp_path / "runs").exists()


# A stopped run


def test_a_stopped_run_cannot_be_evaluated_or_exported(stopped_run):
    with pytest.raises(UserError, match="not finished.*--resume"):
        workflow.evaluate([stopped_run])
    with pytest.raises(UserError, match="not finished.*--resume"):
        workflow.open_trained([stopped_run])


@pytest.fixture
def changed_reviews(stopped_run, write_reviews):
    """Changes the reviews that the stopped run was begun with, for one test."""
    path = stopped_run.path.parent / "reviews.csv"
    before = path.read_bytes()
    yield lambda **changes: write_reviews(path, **changes)
    path.write_bytes(before)


@pytest.mark.parametrize("changes", [{"rows": 130}, {"seed": 1}], ids=str)
def test_resume_after_the_data_changed_is_refused(
    stopped_run, tmp_path, changed_reviews, changes
):
    changed_reviews(**changes)
    run = _copy(stopped_run, tmp_path / "run")
    before = _contents(run.path)
    with pytest.raises(UserError, match="the data have changed"):
        workflow.train(SentimentTask, _configuration(run), run.path, resume=True)
    assert _contents(run.path) == before


# Evaluation


def test_evaluation_of_the_runs_own_test_says_what_its_metrics_say(sentiment_run):
    evaluation = workflow.evaluate([sentiment_run]).as_json("sentiment")
    metrics = sentiment_run.metrics
    assert evaluation["split"] == "test"
    assert evaluation["rows"] == 24
    assert evaluation["model"] == pytest.approx(metrics["model"], abs=1e-5)
    assert evaluation["baselines"] == {
        name: pytest.approx(row, abs=1e-6) for name, row in metrics["baselines"].items()
    }


def test_evaluation_leaves_the_run_as_it_is(sentiment_run):
    before = _contents(sentiment_run.path)
    evaluation = workflow.evaluate([sentiment_run], split="validation")
    assert evaluation.split == "validation"
    stored = sentiment_run.metrics["validation"]
    assert dict(evaluation.model) == pytest.approx(stored["model"], abs=1e-5)
    assert evaluation.metrics()["baselines"].keys() == stored["baselines"].keys()
    assert _contents(sentiment_run.path) == before


def test_evaluation_of_a_split_that_there_is_not_is_refused(sentiment_run):
    with pytest.raises(UserError, match="--split dev: there are train, validation"):
        workflow.evaluate([sentiment_run], split="dev")


def test_every_row_of_other_data_is_the_test(sentiment_run, write_reviews, tmp_path):
    other = write_reviews(
        tmp_path / "other.csv", rows=31, seed=7, text="words", label="mark"
    )
    evaluation = workflow.evaluate(
        [sentiment_run], str(other), "test", text_column="words", label_column="mark"
    )
    form = evaluation.as_json("sentiment")
    assert (form["data"], form["split"], form["rows"]) == (str(other), "test", 31)
    assert len(evaluation.predictions()) == 31
    assert set(form["model"]) == METRICS
    assert set(form["baselines"]) == BASELINES


def test_other_data_have_no_split_but_the_test(sentiment_run, write_reviews, tmp_path):
    other = write_reviews(tmp_path / "other.csv", rows=20, seed=7)
    with pytest.raises(UserError, match="--split train: with --data every row is"):
        workflow.evaluate([sentiment_run], str(other), split="train")


def test_other_data_with_a_class_that_the_model_does_not_know_are_refused(
    sentiment_run, tmp_path
):
    other = tmp_path / "other.csv"
    other.write_text("text,label\nfine,good\nso so,middling\n", encoding="utf-8")
    with pytest.raises(UserError, match="line 3.*'middling'"):
        workflow.evaluate([sentiment_run], str(other))
