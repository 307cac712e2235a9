import numpy as np
import pytest
from sklearn.metrics import f1_score

from recurra.pipelines import UserError
from recurra.pipelines.sentiment.decisions import (
    class_weights,
    decide,
    decide_labels,
    given_label_thresholds,
    given_thresholds,
    label_weights,
    ordered_values,
    tune_label_thresholds,
    tune_thresholds,
)

CLASSES = ("calm", "urgent")
LABELS = np.array([0] * 90 + [1] * 10)


def test_balanced_classes_count_the_same_and_a_row_one_on_average():
    assert class_weights("none", CLASSES, LABELS) is None
    weights = class_weights("balanced", CLASSES, LABELS)
    np.testing.assert_allclose(weights, [100 / 180, 5])
    given = class_weights({"urgent": 3.0}, CLASSES, LABELS)
    assert given[1] / given[0] == pytest.approx(3)
    assert np.mean(np.array(given)[LABELS]) == pytest.approx(1)


def test_what_a_mapping_of_thresholds_leaves_out_is_filled_up():
    assert given_thresholds({"urgent": 0.3}, CLASSES) == pytest.approx([0.7, 0.3])
    with pytest.raises(UserError, match="'urgnt' is no class.*did you mean urgent"):
        given_thresholds({"urgnt": 0.3}, CLASSES)
    with pytest.raises(UserError, match="leaves nothing of 1"):
        given_thresholds({"urgent": 1.0}, CLASSES)


def test_of_two_classes_the_one_above_its_threshold_is_decided_for():
    positive = np.array([0.1, 0.29, 0.31, 0.9])
    probabilities = np.stack([1 - positive, positive], axis=1)
    assert decide(probabilities, [0.7, 0.3]).tolist() == [0, 0, 1, 1]
    assert decide(probabilities, None).tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("classes", [2, 4])
def test_tuned_thresholds_find_rare_classes(classes):
    generator = np.random.default_rng(0)
    shares = np.array([0.85, *[0.15 / (classes - 1)] * (classes - 1)])
    labels = generator.choice(classes, 3_000, p=shares)
    logits = generator.normal(size=(3_000, classes)) + 1.2 * np.eye(classes)[labels]
    logits += np.log(shares)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    thresholds = tune_thresholds(labels[:2_000], probabilities[:2_000], "macro_f1")
    assert sum(thresholds) == pytest.approx(1)

    def score(thresholds):
        predicted = decide(probabilities[2_000:], thresholds)
        return f1_score(labels[2_000:], predicted, average="macro")

    assert score(thresholds) > score(None) + 0.02
    equal = tune_thresholds(np.arange(classes), np.eye(classes), "accuracy")
    assert equal == pytest.approx([1 / classes] * classes)


def test_three_numbers_are_in_order_and_names_are_not():
    assert ordered_values(("1", "2", "5"), None).tolist() == [1, 2, 5]
    assert ordered_values(("0", "1"), None) is None
    assert ordered_values(("1", "2", "5"), False) is None
    assert ordered_values(("bad", "fair", "good"), None) is None
    with pytest.raises(UserError, match="'fair' is no number"):
        ordered_values(("1", "fair"), True)


def test_each_label_is_decided_by_its_own_threshold():
    probabilities = np.array([[0.5, 0.2], [0.49, 0.9], [0.1, 0.1]])
    assert decide_labels(probabilities, None).tolist() == [[1, 0], [0, 1], [0, 0]]
    assert decide_labels(probabilities, [0.1, 0.2]).tolist() == [[1, 1], [1, 1], [1, 0]]
    assert given_label_thresholds({"urgent": 0.2}, CLASSES) == [0.5, 0.2]
    with pytest.raises(UserError, match="'urgnt' is no class.*did you mean urgent"):
        given_label_thresholds({"urgnt": 0.3}, CLASSES)
    with pytest.raises(UserError, match="urgent has 1;.*below 1"):
        given_label_thresholds({"urgent": 1.0}, CLASSES)


def test_rows_with_a_label_and_without_it_count_the_same():
    labels = np.stack([LABELS == 1, LABELS >= 0, LABELS < 0], axis=1)
    names = (*CLASSES, "never")
    assert label_weights("none", names, labels) is None
    weights = label_weights("balanced", names, labels)
    # Of a label that all rows have, or none, there is nothing to balance.
    np.testing.assert_allclose(weights, [9, 0.01, 100])
    assert label_weights({"urgent": 3.0}, names, labels) == [1, 3, 1]


def test_tuned_thresholds_of_labels_are_the_best_of_many():
    generator = np.random.default_rng(0)
    labels = generator.random((2_000, 3)) < (0.5, 0.1, 0.0)
    logits = generator.normal(size=labels.shape) + 2.0 * labels - (1, 4, 4)
    probabilities = 1 / (1 + np.exp(-logits))
    tuned = tune_label_thresholds(labels, probabilities, "macro_f1")
    tried = np.linspace(0.01, 0.99, 99)
    for label in (0, 1):
        best = max(
            f1_score(labels[:, label], probabilities[:, label] >= threshold)
            for threshold in tried
        )
        found = f1_score(labels[:, label], probabilities[:, label] >= tuned[label])
        assert found >= best - 0.01
    assert tuned[1] < 0.2
    assert tuned[2] == 0.5  # which no row has
    accurate = tune_label_thresholds(labels, probabilities, "accuracy")
    wrong = (probabilities >= accurate) != labels
    assert wrong.mean() <= ((probabilities >= 0.5) != labels).mean()
    balanced = tune_label_thresholds(labels, probabilities, "balanced_accuracy")
    assert balanced[1] < accurate[1]
