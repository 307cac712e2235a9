"""The task as a whole: what a run learns, judges and exports."""

import json

import numpy as np
import pandas
import pytest
import tensorflow as tf

from recurra.pipelines import workflow
from recurra.pipelines.errors import UserError
from recurra.pipelines.exporting import export
from recurra.pipelines.sentiment.task import SentimentTask

CLASSES = ("[red] so-so", "très bien", "😀")
WORDS = {"[red] so-so": "middling", "très bien": "lovely", "😀": "hilarious"}


def probabilities_of(answers, classes):
    return answers[[f"probability_{name}" for name in classes]].to_numpy()


def served(version, texts):
    signature = tf.saved_model.load(str(version)).signatures["serving_default"]
    found = signature(text=tf.constant(list(texts), tf.string))
    return {name: value.numpy() for name, value in found.items()}


def assert_serves_its_predictions(version, predictions, classes):
    """The exported graph says of raw texts what the run's model said in memory."""
    found = served(version, predictions["text"])
    expected = probabilities_of(predictions, classes)
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-5)
    labels = [label.decode("utf-8") for label in found["label"]]
    assert labels == predictions["predicted"].tolist()


@pytest.fixture(scope="module")
def three_classes(tmp_path_factory, small_configuration):
    """A run of three oddly named classes, without n-grams and without a test part."""
    folder = tmp_path_factory.mktemp("three")
    names = [CLASSES[row % 3] for row in range(90)]
    subjects = ("film", "room", "soup", "novel", "lamp")
    texts = [f"A {WORDS[name]} {subjects[row % 5]}" for row, name in enumerate(names)]
    frame = pandas.DataFrame({"Comment": texts, "Class": names})
    frame.to_csv(folder / "reviews.csv", index=False)
    configuration = small_configuration(
        folder / "reviews.csv",
        data={"text_column": "Comment", "test_share": 0.0},
        model={
            "cell": "vanilla",
            "pooling": ["last"],
            "embedding_start": "random",
            "evidence": False,
            "convolution_filters": 0,
            "stride": 1,
        },
        wide={"enabled": False},
        training={"epochs": 1},
    )
    return workflow.train(SentimentTask, configuration, folder / "run")


def test_the_exported_model_says_what_the_model_in_memory_said(
    sentiment_run, sentiment_model
):
    predictions = pandas.read_csv(sentiment_run.predictions)
    assert_serves_its_predictions(sentiment_model, predictions, ("bad", "good"))


def test_the_model_card_says_what_goes_in_and_comes_out(sentiment_run, sentiment_model):
    path = sentiment_model / "assets.extra" / "model_card.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    assert card["task"] == "sentiment"
    assert card["classes"] == ["bad", "good"]
    assert card["inputs"] == {"text": {"dtype": "string", "shape": ["N"]}}
    shapes = {name: output["shape"] for name, output in card["outputs"].items()}
    assert shapes == {"label": ["N"], "score": ["N"], "probabilities": ["N", 2]}
    assert card["metrics"] == sentiment_run.read_metrics()
    assert card["training_data"]["classes"] == ["bad", "good"]


def test_metrics_say_how_the_branches_were_weighed(sentiment_run):
    metrics = sentiment_run.read_metrics()
    assert len(metrics["branch_weights"]) == 2
    assert min(metrics["branch_weights"]) >= 0
    assert metrics["temperature"] == pytest.approx(1 / sum(metrics["branch_weights"]))
    assert set(metrics["branches"]) == {"recurrent", "wide"}
    assert set(metrics["branches"]["wide"]) == set(metrics["model"])
    assert set(metrics["uncalibrated"]) == set(metrics["model"])


def test_the_confusion_matrix_and_intervals_are_those_of_the_model(sentiment_run):
    metrics = sentiment_run.read_metrics()
    matrix = np.array(metrics["confusion_matrix"])
    assert matrix.sum() == metrics["rows"]
    right = np.trace(matrix) / matrix.sum()
    assert right == pytest.approx(metrics["model"]["accuracy"])
    for name, answers in {"model": metrics["model"], **metrics["baselines"]}.items():
        for metric, (low, high) in metrics["intervals"][name].items():
            assert low <= answers[metric] <= high or metric in ("ece", "nll")


def test_three_oddly_named_classes_without_ngrams(three_classes):
    metrics = three_classes.read_metrics()
    assert metrics["split"] == "validation"
    assert metrics["classes"] == list(CLASSES)
    assert "roc_auc" not in metrics["model"]
    assert set(metrics["branches"]) == {"recurrent"}
    assert len(metrics["branch_weights"]) == 1
    predictions = pandas.read_csv(three_classes.predictions)
    answers = probabilities_of(predictions, CLASSES)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)


def test_three_oddly_named_classes_are_served(three_classes, tmp_path):
    task = workflow.open_task(three_classes)
    servable = task.servable(workflow.trained_model(task))
    version = export(servable, tmp_path, "three")
    assert not (version / "assets" / "ngrams.txt").exists()
    predictions = pandas.read_csv(three_classes.predictions)
    assert_serves_its_predictions(version, predictions, CLASSES)


def test_other_data_are_read_by_the_columns_of_the_run(three_classes, tmp_path):
    rows = {"Comment": ["A lovely lamp", "A middling soup"]}
    frame = pandas.DataFrame({**rows, "Class": ["très bien", "[red] so-so"]})
    path = tmp_path / "other.csv"
    frame.to_csv(path, index=False)
    evaluation = workflow.evaluate(three_classes, str(path))
    assert evaluation.split == "test"
    assert evaluation.predictions["text"].tolist() == rows["Comment"]
    assert evaluation.predictions["label"].tolist() == frame["Class"].tolist()


def test_other_data_with_a_class_that_the_model_does_not_know(three_classes, tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("Comment,Class\nA lovely lamp,excellent\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"line 2.*'excellent'"):
        workflow.evaluate(three_classes, str(path))
