"""A run with n-grams and both branches, and its export."""

import numpy as np
import pandas
import pytest
import tensorflow as tf

CLASSES = ("bad", "good")


def test_the_exported_model_says_what_the_model_in_memory_said(
    sentiment_run, sentiment_model
):
    predictions = pandas.read_csv(sentiment_run.predictions_file)
    signature = tf.saved_model.load(str(sentiment_model)).signatures["serving_default"]
    found = signature(text=tf.constant(predictions["text"].tolist()))
    expected = predictions[[f"probability_{name}" for name in CLASSES]].to_numpy()
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-5)
    labels = [CLASSES.index(label.decode()) for label in found["label"].numpy()]
    of_labels = expected[np.arange(len(labels)), labels]
    np.testing.assert_allclose(of_labels, expected.max(axis=1), atol=1e-5)


def test_metrics_hold_the_weights_of_the_branches(sentiment_run):
    metrics = sentiment_run.metrics
    assert len(metrics["branch_weights"]) == 2
    assert min(metrics["branch_weights"]) >= 0
    assert metrics["temperature"] == pytest.approx(1 / sum(metrics["branch_weights"]))
    assert set(metrics["branches"]) == {"recurrent", "wide"}
    assert set(metrics["branches"]["wide"]) == set(metrics["model"])
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


def test_metrics_on_validation_are_those_of_an_evaluation_on_it(sentiment_run):
    stored = sentiment_run.metrics["validation"]
    evaluated = sentiment_run.evaluate(split="validation").metrics()
    assert evaluated["model"] == pytest.approx(stored["model"], abs=1e-6)
    assert evaluated["baselines"].keys() == stored["baselines"].keys()
