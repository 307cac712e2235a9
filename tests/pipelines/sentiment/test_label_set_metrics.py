"""Metrics of several labels, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from recurra.pipelines.sentiment import label_set_metrics as module
from recurra.pipelines.sentiment.label_set_metrics import (
    label_reliability_curve,
    label_set_intervals,
    label_set_metrics,
    scores_by_label,
)


@pytest.fixture(scope="module")
def answers():
    """Labels that are frequent, rare and of no row; probabilities with ties."""
    generator = np.random.default_rng(0)
    labels = generator.random((400, 4)) < (0.5, 0.2, 0.05, 0.0)
    noise = generator.normal(size=labels.shape)
    logits = 2.0 * labels - 1.0 + noise
    return labels, np.round(1 / (1 + np.exp(-logits)), 2)


def test_metrics_are_those_of_scikit_learn(answers):
    labels, probabilities = answers
    found = label_set_metrics(labels, probabilities)
    predicted = probabilities >= 0.5
    f1 = sklearn_metrics.f1_score
    assert found["micro_f1"] == pytest.approx(f1(labels, predicted, average="micro"))
    macro = f1(labels, predicted, average="macro", zero_division=0)
    assert found["macro_f1"] == pytest.approx(macro)
    # What no row has does not count in these.
    there, scores = labels[:, :3], probabilities[:, :3]
    for name, function in (
        ("average_precision", sklearn_metrics.average_precision_score),
        ("roc_auc", sklearn_metrics.roc_auc_score),
    ):
        assert found[name] == pytest.approx(function(there, scores, average="macro"))
    exact = sklearn_metrics.accuracy_score(labels, predicted)
    assert found["subset_accuracy"] == pytest.approx(exact)
    wrong = sklearn_metrics.hamming_loss(labels, predicted)
    assert found["hamming_loss"] == pytest.approx(wrong)
    nll = [
        sklearn_metrics.log_loss(has, scores, labels=[False, True])
        for has, scores in zip(labels.T, probabilities.T, strict=True)
    ]
    assert found["nll"] == pytest.approx(np.mean(nll), abs=1e-6)


def test_scores_of_labels_are_those_of_scikit_learn(answers):
    labels, probabilities = answers
    predicted = probabilities >= 0.3
    found = scores_by_label(labels, probabilities, predicted)
    expected = sklearn_metrics.precision_recall_fscore_support(
        labels, predicted, zero_division=0
    )
    columns = found[["precision", "recall", "f1", "rows"]]
    np.testing.assert_allclose(columns.to_numpy().T, expected)
    assert found["average_precision"][2] == pytest.approx(
        sklearn_metrics.average_precision_score(labels[:, 2], probabilities[:, 2])
    )
    assert found[["average_precision", "roc_auc"]].iloc[3].isna().all()


def test_calibration_by_hand():
    labels = np.array([[1, 0], [1, 0], [0, 0], [1, 1]], bool)
    probabilities = np.array([[0.7, 0.1], [0.7, 0.1], [0.7, 0.1], [0.7, 0.1]])
    # Three of four have the first label, one of four the second.
    expected = 0.5 * abs(0.75 - 0.7) + 0.5 * abs(0.25 - 0.1)
    assert label_set_metrics(labels, probabilities)["ece"] == pytest.approx(expected)
    curve = label_reliability_curve(labels, probabilities)
    assert curve["rows"].tolist() == [4, 4]
    np.testing.assert_allclose(curve["confidence"], [0.1, 0.7])
    np.testing.assert_allclose(curve["accuracy"], [0.25, 0.75])


def test_what_is_predicted_can_be_given(answers):
    labels, probabilities = answers
    found = label_set_metrics(labels, probabilities, predicted=labels)
    assert found["micro_f1"] == found["subset_accuracy"] == 1
    assert found["hamming_loss"] == 0
    assert found["nll"] == label_set_metrics(labels, probabilities)["nll"]


def test_intervals_are_of_resampled_rows(answers):
    labels, probabilities = answers
    found = label_set_intervals(labels, probabilities, seed=3, resamples=200)
    metrics = label_set_metrics(labels, probabilities)
    assert set(found) == set(metrics)
    for name, (lower, upper) in found.items():
        assert lower < upper
        # A calibration error gains from resampling.
        assert lower <= metrics[name] + (0.05 if name == "ece" else 0) <= upper + 0.1
    # The interval of a mean of rows is that of its standard error.
    exact = ((probabilities >= 0.5) == labels).all(axis=1)
    lower, upper = found["subset_accuracy"]
    width = 2 * 1.96 * exact.std() / np.sqrt(len(exact))
    assert upper - lower == pytest.approx(width, rel=0.25)


def test_very_many_answers_have_no_interval_of_areas(answers, monkeypatch):
    labels, probabilities = answers
    monkeypatch.setattr(module, "_MOST_RANKED", labels.size - 1)
    found = label_set_intervals(labels, probabilities, seed=0, resamples=10)
    assert "average_precision" in label_set_metrics(labels, probabilities)
    assert set(label_set_metrics(labels, probabilities)) - set(found) == {
        "average_precision",
        "roc_auc",
    }


def test_no_label_at_all_is_no_number_that_is_not_finite():
    found = label_set_metrics(np.zeros((3, 2), bool), np.full((3, 2), 0.0))
    assert found["micro_f1"] == found["macro_f1"] == 0
    assert found["subset_accuracy"] == 1
    assert "roc_auc" not in found
    assert all(map(np.isfinite, found.values()))


@pytest.mark.parametrize(
    ("labels", "probabilities"),
    [
        (np.zeros((2, 2), bool), np.zeros((2, 3))),
        (np.zeros((0, 2), bool), np.zeros((0, 2))),
        (np.zeros((2, 2), bool), np.full((2, 2), np.nan)),
    ],
)
def test_what_does_not_fit_is_refused(labels, probabilities):
    with pytest.raises(ValueError, match="Received"):
        label_set_metrics(labels, probabilities)
