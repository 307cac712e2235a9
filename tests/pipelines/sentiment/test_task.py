"""The metrics of a run with n-grams and simple members."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from recurra.pipelines.core import workflow
from recurra.pipelines.core.configuration import read_yaml
from recurra.pipelines.core.errors import UserError
from recurra.pipelines.core.files import read_json, write_json
from recurra.pipelines.core.runs import Run
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


def test_a_model_of_one_class_is_not_judged_by_several(sentiment_run, tmp_path):
    path = tmp_path / "several.jsonl"
    path.write_text('{"text": "A lovely soup", "label": ["good", "bad"]}\n' * 3)
    with pytest.raises(UserError, match="several labels, where one class for each"):
        sentiment_run.evaluate(str(path))


@pytest.fixture(scope="module")
def other_run(sentiment_run, tmp_path_factory, change_weights):
    """As of another seed: other weights, and others of the branches."""
    path = tmp_path_factory.mktemp("runs") / "other"
    run = Run(shutil.copytree(sentiment_run.path, path))
    change_weights(run)
    file = run.assets / "calibration.json"
    calibration = read_json(file)
    calibration["branch_weights"] = [0.9, 0.2, 0.4]
    write_json(file, calibration)
    return run


def test_several_runs_are_one_model(sentiment_run, other_run):
    texts = tf.constant(["good food, clean room", "bad and slow", "", "so so " * 40])

    def answers(*runs):
        task, model = workflow.open_trained(runs)
        graphs = task.servable(model).signatures
        return graphs["serving_default"](texts), graphs["explain"](texts)

    (one, _), (other, _) = answers(sentiment_run), answers(other_run)
    both, explained = answers(sentiment_run, other_run)
    logs = [np.log(each["probabilities"]) for each in (one, other)]
    assert np.abs(logs[0] - logs[1]).max() > 0.01
    mean = np.exp(np.mean(logs, axis=0))
    mean /= mean.sum(-1, keepdims=True)
    np.testing.assert_allclose(both["probabilities"], mean, atol=1e-5)
    # What the tokens add up to: from a text without any to this one.
    logits = np.log(both["probabilities"])
    chosen = logits.argmax(-1)
    rows = np.arange(len(chosen))
    margins = logits[rows, chosen] - logits[rows, 1 - chosen]
    from_nothing = logits[2, chosen] - logits[2, 1 - chosen]
    np.testing.assert_allclose(
        explained["attributions"].numpy().sum(-1)[:2],
        (margins - from_nothing)[:2],
        atol=0.05,
    )


def test_an_evaluation_has_a_row_for_each_of_several_runs(sentiment_run, other_run):
    runs = [sentiment_run, other_run]
    metrics = workflow.evaluate(runs).as_json("sentiment")
    alone = workflow.evaluate([other_run]).as_json("sentiment")
    assert metrics["baselines"]["other"] == alone["model"]
    assert list(metrics["baselines"])[:2] == [run.name for run in runs]
    branches = ["recurrent", "nb_ngrams", "tfidf_ngrams"]
    names = [f"{branch} of {run.name}" for run in runs for branch in branches]
    assert list(metrics["branches"]) == names


def test_runs_of_other_texts_are_no_one_model(sentiment_run, tmp_path):
    other = Run(shutil.copytree(sentiment_run.path, tmp_path / "other"))
    with (other.assets / "vocabulary.txt").open("a") as file:
        file.write("word\n")
    task, unlike = map(workflow.open_task, (sentiment_run, other))
    with pytest.raises(UserError, match=r"other preprocessing \(vocabulary.txt\)"):
        task.ensemble([], [unlike])
