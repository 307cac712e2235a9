"""The metrics of a run with n-grams and simple members."""

import numpy as np
import pytest

from recurra.pipelines.core import workflow
from recurra.pipelines.core.configuration import read_yaml
from recurra.pipelines.core.errors import UserError
from recurra.pipelines.sentiment.task import SentimentTask


def test_the_run_keeps_what_its_size_asked_for(sentiment_run):
    kept = read_yaml(sentiment_run.config_file)
    assert kept["ngrams"]["min_count"] == 2
    assert kept["model"]["units"] == 4  # as it was set
    assert kept["training"]["patience"] == 3


def test_metrics_hold_the_weights_of_the_branches(sentiment_run):
    metrics = sentiment_run.metrics
    names = ["recurrent", "nb_ngrams", "tfidf_ngrams"]
    assert len(metrics["branch_weights"]) == len(names)
    assert min(metrics["branch_weights"]) >= 0
    assert metrics["temperature"] == pytest.approx(1 / sum(metrics["branch_weights"]))
    assert list(metrics["branches"]) == list(metrics["baselines"])[:3] == names
    assert set(metrics["branches"]["recurrent"]) == set(metrics["model"])
    assert set(metrics["uncalibrated"]) == set(metrics["model"])


def test_the_confusion_matrix_and_intervals_are_those_of_the_model(sentiment_run):
    metrics = sentiment_run.metrics
    matrix = np.array(metrics["confusion_matrix"])
    assert matrix.sum() == metrics["rows"]
    right = np.trace(matrix) / matrix.sum()
    assert right == pytest.approx(metrics["model"]["accuracy"])
    for name, values in {"model": metrics["model"], **metrics["baselines"]}.items():
        low, high = metrics["intervals"][name]["accuracy"]
        assert low - 1e-9 <= values["accuracy"] <= high + 1e-9
        assert set(metrics["intervals"][name]) == set(values)


def test_thresholds_can_be_set_after_training(sentiment_run):
    usual = sentiment_run.evaluate()
    never = {"decision": {"thresholds": {"good": 0.999999}}}
    changed = sentiment_run.evaluate(settings=never)
    assert set(changed.predictions()["predicted"]) == {"bad"}
    assert changed.model["nll"] == pytest.approx(usual.model["nll"])
    assert changed.details()["thresholds"] == pytest.approx([1e-6, 0.999999])
    tuned = sentiment_run.evaluate(
        split="validation", settings=["decision.thresholds=tuned"]
    )
    stored = sentiment_run.metrics["validation"]["model"]["macro_f1"]
    assert tuned.model["macro_f1"] >= stored - 1e-9


def test_a_class_that_there_is_not_is_refused_before_a_run_is_made(
    reviews_csv, small_configuration, tmp_path
):
    wrong = small_configuration(reviews_csv, training={"class_weight": {"god": 2.0}})
    with pytest.raises(UserError, match="'god' is no class.*did you mean good"):
        workflow.train(SentimentTask, wrong, tmp_path / "run")
    assert not list(tmp_path.iterdir())
