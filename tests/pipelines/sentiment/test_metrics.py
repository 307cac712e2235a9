import json
import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score, log_loss, roc_auc_score

from recurra.pipelines.sentiment.metrics import (
    WEIGHT_BOUNDS,
    accuracy_by_length,
    bootstrap_intervals,
    classification_metrics,
    confusion_matrix,
    fit_branch_weights,
    fit_label_biases,
    reliability_curve,
    softmax,
)


def _noisy(rows, classes, seed=0, strength=2.0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(classes, size=rows)
    logits = generator.normal(size=(rows, classes))
    logits[np.arange(rows), labels] += strength
    return labels, logits


def test_metrics_by_hand():
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]])
    values = classification_metrics(labels, probabilities)

    assert values["accuracy"] == 0.75
    # Class 0: precision 1, recall 1/2. Class 1: precision 2/3, recall 1.
    assert values["macro_f1"] == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert values["roc_auc"] == 1.0
    assert values["nll"] == pytest.approx(-np.log([0.9, 0.4, 0.8, 0.7]).mean())
    assert values["ece"] == pytest.approx((0.1 + 0.6 + 0.2 + 0.3) / 4)


def test_calibration_error_averages_within_a_bin():
    # Confidences 0.95 and 0.97 share a bin: one right and one wrong make 0.46.
    values = classification_metrics(
        np.array([0, 1]), np.array([[0.95, 0.05], [0.97, 0.03]])
    )
    assert values["ece"] == pytest.approx(0.96 - 0.5)


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_metrics_agree_with_scikit_learn(classes):
    labels, logits = _noisy(500, classes)
    probabilities = softmax(logits)
    values = classification_metrics(labels, probabilities)

    predicted = probabilities.argmax(axis=1)
    expected = f1_score(labels, predicted, average="macro")
    assert values["macro_f1"] == pytest.approx(expected)
    assert values["nll"] == pytest.approx(log_loss(labels, probabilities))
    if classes == 2:
        area = roc_auc_score(labels, probabilities[:, 1])
        assert values["roc_auc"] == pytest.approx(area)
    else:
        assert "roc_auc" not in values


@pytest.mark.parametrize(
    ("labels", "probabilities"),
    [
        ([1], [[0.2, 0.8]]),
        ([0, 0, 0], [[0.2, 0.8], [0.9, 0.1], [0.5, 0.5]]),
        ([0, 1], [[1.0, 0.0], [0.0, 1.0]]),
        ([1, 0], [[1.0, 0.0], [0.0, 1.0]]),
        ([2, 2], [[0.1, 0.1, 0.8], [0.6, 0.2, 0.2]]),
        ([0, 1], [[0.5, 0.5], [0.5, 0.5]]),
    ],
    ids=["one row", "one class", "perfect", "all wrong", "of three", "ties"],
)
def test_edge_cases_are_finite(labels, probabilities):
    labels, probabilities = np.array(labels), np.array(probabilities)
    values = classification_metrics(labels, probabilities)
    intervals = bootstrap_intervals(labels, probabilities, seed=0, resamples=50)

    assert intervals.keys() <= values.keys()
    assert ("roc_auc" in values) == (len(set(labels)) == 2)
    json.dumps([values, intervals], allow_nan=False)


def test_perfect_and_hopeless():
    labels = np.array([0, 1, 1])
    perfect = np.eye(2)[labels]
    assert classification_metrics(labels, perfect) == {
        "accuracy": 1.0,
        "macro_f1": 1.0,
        "roc_auc": 1.0,
        "nll": 0.0,
        "ece": 0.0,
    }
    hopeless = classification_metrics(labels, 1 - perfect)
    assert hopeless["accuracy"] == 0.0
    assert hopeless["ece"] == 1.0
    assert hopeless["nll"] == pytest.approx(-math.log(1e-7))


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        (np.zeros(0, int), np.zeros((0, 2)), "at least one row"),
        (np.array([0, 1]), np.full((3, 2), 0.5), r"\(2,\) and \(3, 2\)"),
        (np.array([0, 1]), np.array([0.5, 0.5]), r"\(2,\) and \(2,\)"),
        (np.array([0, 2]), np.full((2, 2), 0.5), "labels from 0 to 1"),
        (np.array([0, 1]), np.array([[0.5, 0.5], [np.nan, 0.5]]), "1 that are not"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(labels, probabilities, message):
    with pytest.raises(ValueError, match=message):
        classification_metrics(labels, probabilities)


@pytest.mark.parametrize("classes", [2, 4])
def test_bootstrap_agrees_with_resampling_row_by_row(classes):
    labels, logits = _noisy(60, classes, strength=1.0)
    # Rounded, so that scores tie.
    probabilities = softmax(logits).round(1) + 0.01
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    intervals = bootstrap_intervals(labels, probabilities, seed=3, resamples=40)

    drawn = np.random.default_rng(3).integers(60, size=(40, 60))
    metrics = [classification_metrics(labels[d], probabilities[d]) for d in drawn]
    assert intervals.keys() == metrics[0].keys()
    for name, interval in intervals.items():
        expected = np.percentile([row[name] for row in metrics], [2.5, 97.5])
        np.testing.assert_allclose(interval, expected, err_msg=name)


def test_bootstrap_in_several_chunks_is_the_same(monkeypatch):
    labels, logits = _noisy(100, 2)
    whole = bootstrap_intervals(labels, softmax(logits), seed=1, resamples=64)
    monkeypatch.setattr("recurra.pipelines.sentiment.metrics._CHUNK_ENTRIES", 700)
    parts = bootstrap_intervals(labels, softmax(logits), seed=1, resamples=64)
    for name, interval in whole.items():
        np.testing.assert_allclose(interval, parts[name])


def test_bootstrap_intervals_cover_the_truth():
    # Of 100 tests of a classifier that is right in 80 % of all rows.
    generator = np.random.default_rng(0)
    covered = 0
    for seed in range(100):
        labels = generator.integers(2, size=200)
        said = np.where(generator.random(200) < 0.8, labels, 1 - labels)
        probabilities = np.where(np.eye(2)[said] == 1, 0.8, 0.2)
        intervals = bootstrap_intervals(labels, probabilities, seed=seed, resamples=200)
        lower, upper = intervals["accuracy"]
        covered += lower <= 0.8 <= upper
    assert 88 <= covered <= 100


def test_bootstrap_is_seeded():
    labels, logits = _noisy(50, 2)
    first, same, other = (
        bootstrap_intervals(labels, softmax(logits), seed=seed) for seed in (0, 0, 1)
    )
    assert first == same
    assert first != other


def test_of_ordered_classes_the_distance_counts():
    generator = np.random.default_rng(0)
    labels = generator.integers(5, size=300)
    probabilities = softmax(generator.normal(size=(300, 5)) + 2 * np.eye(5)[labels])
    predicted = probabilities.argmax(axis=1)
    found = classification_metrics(labels, probabilities, values=np.arange(1.0, 6.0))
    assert found["mae"] == pytest.approx(np.abs(labels - predicted).mean())
    expected = cohen_kappa_score(labels, predicted, weights="quadratic")
    assert found["qwk"] == pytest.approx(expected)
    assert "qwk" not in classification_metrics(labels, probabilities)
    same = np.eye(5)[np.zeros(3, int)]
    constant = classification_metrics(np.zeros(3, int), same, values=np.arange(5.0))
    assert (constant["mae"], constant["qwk"]) == (0, 0)


def test_metrics_are_of_what_was_decided():
    labels = np.array([0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    found = classification_metrics(labels, probabilities, predicted=labels)
    assert (found["accuracy"], found["macro_f1"]) == (1, 1)
    assert found["ece"] == pytest.approx((0.1 + 0.6 + 0.2) / 3)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
@pytest.mark.parametrize("classes", [2, 5])
def test_temperature_is_recovered(temperature, classes):
    generator = np.random.default_rng(0)
    true_logits = generator.normal(scale=2, size=(20_000, classes))
    cumulative = softmax(true_logits).cumsum(axis=1)
    labels = (generator.random((20_000, 1)) > cumulative).sum(axis=1)
    labels = labels.clip(max=classes - 1)

    branches = (true_logits * temperature)[:, np.newaxis]
    (weight,) = fit_branch_weights(branches, labels)
    assert 1 / weight == pytest.approx(temperature, rel=0.05)


def test_weights_of_branches_are_recovered():
    generator = np.random.default_rng(1)
    branches = generator.normal(scale=2, size=(20_000, 2, 3))
    true_logits = 0.3 * branches[:, 0] + 1.2 * branches[:, 1]
    cumulative = softmax(true_logits).cumsum(axis=1)
    labels = (generator.random((20_000, 1)) > cumulative).sum(axis=1).clip(max=2)
    np.testing.assert_allclose(
        fit_branch_weights(branches, labels), [0.3, 1.2], rtol=0.1
    )


def test_a_branch_of_noise_weighs_next_to_nothing():
    labels, logits = _noisy(2_000, 2)
    noise = np.random.default_rng(2).normal(size=logits.shape)
    useful, useless = fit_branch_weights(np.stack([logits, noise], 1), labels)
    assert useless < 0.1 * useful


def test_weight_of_logits_without_an_error_stays_modest():
    labels = np.arange(100) % 2
    logits = np.where(np.eye(2)[labels] == 1, 1.0, -1.0)
    (weight,) = fit_branch_weights(logits[:, np.newaxis], labels)

    assert 1 < weight < WEIGHT_BOUNDS[1]
    # Of 50 rows all right: about (50 + 1) / (50 + 2).
    right = softmax(weight * logits)[np.arange(100), labels]
    np.testing.assert_allclose(right, 51 / 52, atol=1e-3)


@pytest.mark.parametrize("logits", [[[3.0, 3.0]] * 4, [[1e4, -1e4]] * 4, [[0, 1]] * 4])
def test_weights_of_odd_logits_are_finite(logits):
    branches = np.array(logits)[:, np.newaxis]
    (weight,) = fit_branch_weights(branches, np.array([0, 0, 1, 1]))
    assert WEIGHT_BOUNDS[0] <= weight <= WEIGHT_BOUNDS[1]


def test_softmax_survives_large_logits():
    np.testing.assert_allclose(softmax(np.array([[1e5, 0.0]])), [[1.0, 0.0]])


def test_reliability_curve_has_the_bins_that_are_not_empty():
    labels = np.array([0, 0, 1])
    probabilities = np.array([[0.95, 0.05], [0.41, 0.59], [0.03, 0.97]])
    curve = reliability_curve(labels, probabilities, bins=10)

    np.testing.assert_allclose(curve["lower"], [0.5, 0.9])
    np.testing.assert_allclose(curve["upper"], [0.6, 1.0])
    np.testing.assert_allclose(curve["confidence"], [0.59, 0.96])
    np.testing.assert_allclose(curve["accuracy"], [0, 1])
    assert curve["rows"].tolist() == [1, 2]


def test_reliability_curve_adds_up_to_the_calibration_error():
    labels, logits = _noisy(300, 3)
    curve = reliability_curve(labels, softmax(logits))
    gaps = (curve["accuracy"] - curve["confidence"]).abs()
    expected = (gaps * curve["rows"]).sum() / curve["rows"].sum()
    values = classification_metrics(labels, softmax(logits))
    assert values["ece"] == pytest.approx(expected)


def test_confusion_matrix_has_true_classes_as_rows():
    probabilities = np.eye(4)[[0, 1, 1, 2]]
    counts = confusion_matrix(np.array([0, 0, 1, 2]), probabilities)
    assert counts.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0] * 4]


def test_accuracy_by_length():
    lengths = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 100])
    correct = np.array([1, 1, 0, 0, 1, 0, 1, 1, 1, 1], bool)
    table = accuracy_by_length(lengths, correct)

    assert table["shortest"].tolist() == [1, 3, 5, 7, 9]
    assert table["longest"].tolist() == [2, 4, 6, 8, 100]
    assert table["accuracy"].tolist() == [1, 0, 0.5, 1, 1]
    assert table["rows"].tolist() == [2] * 5
    assert ((table["lower"] >= 0) & (table["upper"] <= 1)).all()
    # Wilson's interval of one right in two.
    assert table["lower"][2] == pytest.approx(0.0945, abs=1e-3)


def test_equal_lengths_share_a_bin():
    table = accuracy_by_length(np.array([5] * 9 + [7]), np.ones(10, bool))
    assert table["shortest"].tolist() == [5, 7]
    assert table["rows"].tolist() == [9, 1]
    assert len(accuracy_by_length(np.array([3]), np.array([True]))) == 1
    with pytest.raises(ValueError, match="at least one"):
        accuracy_by_length(np.array([]), np.array([], bool))


def _any_of(rows, seed=0):
    """Labels, each by itself, and the log odds that they were drawn by."""
    generator = np.random.default_rng(seed)
    odds = generator.normal(size=(rows, 3)) * 2 - (0, 1, 2)
    return generator.random((rows, 3)) < 1 / (1 + np.exp(-odds)), odds


def test_weights_of_several_labels_are_those_that_were_hidden():
    labels, odds = _any_of(20_000)
    noise = np.random.default_rng(1).normal(size=odds.shape)
    branches = np.stack([odds / 4, noise], axis=1)
    weights = fit_branch_weights(branches, labels)
    assert weights[0] == pytest.approx(4, rel=0.05)
    assert weights[1] == pytest.approx(WEIGHT_BOUNDS[0], abs=0.05)


def test_rows_that_have_a_label_can_count_more_in_its_weights():
    labels, odds = _any_of(5_000)
    twice = np.concatenate([labels, labels[labels.all(axis=1)]])
    more = np.concatenate([odds, odds[labels.all(axis=1)]])
    assert fit_branch_weights(more[:, None], twice)[0] != pytest.approx(
        fit_branch_weights(odds[:, None], labels)[0], rel=1e-4
    )
    plain = fit_branch_weights(odds[:, None], labels, counts=[1.0] * 3)
    assert plain == pytest.approx(fit_branch_weights(odds[:, None], labels))


def test_biases_of_labels_are_those_that_were_hidden():
    labels, odds = _any_of(20_000)
    hidden = np.array([0.5, -1.0, 1.5])
    found = fit_label_biases(odds - hidden, labels)
    np.testing.assert_allclose(found, hidden, atol=0.1)
    few = fit_label_biases((odds - hidden)[:20], labels[:20])
    drawn = fit_label_biases((odds - hidden)[:20], labels[:20], nats=100.0)
    assert np.abs(drawn).sum() < np.abs(few).sum()
