"""What classes count in training, and which ones a text gets by its probabilities.

Where a text may have several labels, each is decided by itself.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas
from scipy.special import expit

from ..core.configuration import nearest
from ..core.errors import UserError

#: What thresholds can be tuned for.
OBJECTIVES = ("macro_f1", "balanced_accuracy", "accuracy")
# Logarithms of the factors that a class's probability is tried with.
_OFFSETS = np.linspace(-3.0, 3.0, 61)
_ROUNDS = 3
#: The threshold of a label, if no other is said.
HALF = 0.5
# Those that a label is tried with, the nearest to one half first.
_THRESHOLDS = expit(sorted(np.linspace(-5.0, 5.0, 101), key=abs))


def class_weights(
    given: str | Mapping[str, float], classes: Sequence[str], labels: np.ndarray
) -> list[float] | None:
    """What a row of each class counts, `[C]`, so that a row counts one on average.

    Args:
        given: "none", "balanced", or numbers by class.
        classes: Their names.
        labels: int `[N]`, of the training rows.

    Returns:
        The weights; None where all rows count the same.

    Raises:
        UserError: A class is not one of these.
    """
    if given == "none":
        return None
    rows = np.bincount(labels, minlength=len(classes))
    if isinstance(given, str):
        weights = 1.0 / np.maximum(rows, 1)
    else:
        weights = _of_classes("training.class_weight", given, classes, 1.0)
    return (weights * rows.sum() / (weights * rows).sum()).tolist()


def given_thresholds(given: Mapping[str, float], classes: Sequence[str]) -> list[float]:
    """Thresholds of all classes, `[C]`, that add up to one.

    What a mapping leaves out has equal parts of what is left of one.

    Raises:
        UserError: A class is not one of these, or nothing is left of one.
    """
    key = "decision.thresholds"
    missing = len(classes) - len(given)
    left = 1.0 - sum(given.values())
    if missing and left <= 0:
        raise UserError(
            f"{key}: those given add up to {1 - left:g}, which leaves nothing of 1 for "
            "the other classes; give smaller ones, or one for each class"
        )
    found = _of_classes(key, given, classes, left / max(1, missing))
    return (found / found.sum()).tolist()


def ordered_values(classes: Sequence[str], ordered: bool | None) -> np.ndarray | None:
    """The values of classes that are in order, as stars are, `[C]`; None if not.

    Args:
        classes: Their names.
        ordered: Whether they are; three or more numbers are if None.

    Raises:
        UserError: They are said to be, and a name is no number.
    """
    values = pandas.to_numeric(pandas.Series(classes, dtype=object), errors="coerce")
    are_numbers = bool(np.isfinite(values).all())
    if ordered and not are_numbers:
        name = classes[int(np.argmin(np.isfinite(values)))]
        raise UserError(
            f"data.ordered: the class {name!r} is no number; write labels as numbers, "
            "in their order, or leave the key out"
        )
    if ordered is None:
        ordered = are_numbers and len(classes) > 2
    return values.to_numpy(np.float64) if ordered else None


def decide(probabilities: np.ndarray, thresholds: Sequence[float] | None) -> np.ndarray:
    """The classes that texts get, int `[N]`: see `config.DecisionConfig`."""
    if thresholds is None:
        return probabilities.argmax(axis=1)
    return (probabilities / np.asarray(thresholds)).argmax(axis=1)


def tune_thresholds(
    labels: np.ndarray, probabilities: np.ndarray, objective: str
) -> list[float]:
    """Thresholds with which the objective is highest, by ascent from class to class.

    Of equal ones those nearest to equal thresholds are taken.

    Args:
        labels: int `[N]`.
        probabilities: `[N, C]`, of texts that the model was not trained on.
        objective: One of `OBJECTIVES`.

    Returns:
        `[C]`, adding up to one.
    """
    logits = np.log(np.maximum(probabilities, 1e-12))
    rows, classes = logits.shape
    offsets = np.zeros(classes)
    # Of two classes one offset says all.
    moved = [1] if classes == 2 else range(classes)
    nearest_first = _OFFSETS[np.argsort(np.abs(_OFFSETS), kind="stable")]
    best = _objective(labels, logits.argmax(axis=1), classes, objective)
    for _ in range(_ROUNDS):
        before = best
        for moving in moved:
            shifted = logits + offsets
            own = logits[:, moving]
            shifted[:, moving] = -np.inf
            other = shifted.argmax(axis=1)
            highest = shifted[np.arange(rows), other]
            for offset in nearest_first:
                predicted = np.where(own + offset > highest, moving, other)
                value = _objective(labels, predicted, classes, objective)
                if value > best:
                    best, offsets[moving] = value, offset
        if best == before:
            break
    thresholds = np.exp(-offsets)
    return (thresholds / thresholds.sum()).tolist()


def label_weights(
    given: str | Mapping[str, float], names: Sequence[str], labels: np.ndarray
) -> list[float] | None:
    """What a row that has a label counts beside one that has it not, `[L]`.

    Args:
        given: "none"; "balanced", so that both kinds of rows count the same; or numbers
            by label, one where it names none.
        names: Their names.
        labels: bool `[N, L]`, of the training rows.

    Returns:
        The weights; None where all rows count the same.

    Raises:
        UserError: A label is not one of these.
    """
    if given == "none":
        return None
    if isinstance(given, str):
        has = labels.sum(axis=0)
        return (np.maximum(len(labels) - has, 1) / np.maximum(has, 1)).tolist()
    return _of_classes("training.class_weight", given, names, 1.0).tolist()


def given_label_thresholds(
    given: Mapping[str, float], names: Sequence[str]
) -> list[float]:
    """Thresholds of all labels, `[L]`; one half where the mapping names none.

    Raises:
        UserError: A label is not one of these, or a threshold is no probability.
    """
    key = "decision.thresholds"
    for name, threshold in given.items():
        if threshold >= 1:
            raise UserError(
                f"{key}: {name} has {threshold:g}; where texts have several labels, a "
                "threshold is a probability below 1"
            )
    return _of_classes(key, given, names, HALF).tolist()


def decide_labels(
    probabilities: np.ndarray, thresholds: Sequence[float] | None
) -> np.ndarray:
    """Which labels texts get, bool `[N, L]`: see `config.DecisionConfig`."""
    return probabilities >= np.asarray(HALF if thresholds is None else thresholds)


def tune_label_thresholds(
    labels: np.ndarray, probabilities: np.ndarray, objective: str
) -> list[float]:
    """For each label the threshold with which the objective is highest.

    `macro_f1` is the F1 of the label, the others are those of having it or not. Of
    equal thresholds the one nearest to one half is taken.

    Args:
        labels: bool `[N, L]`.
        probabilities: `[N, L]`, of texts that the model was not trained on.
        objective: One of `OBJECTIVES`.

    Returns:
        `[L]`.
    """
    columns = zip(labels.T, probabilities.T, strict=True)
    return [_best_threshold(has, of_label, objective) for has, of_label in columns]


def _best_threshold(
    has: np.ndarray, probabilities: np.ndarray, objective: str
) -> float:
    ordered = np.sort(probabilities), np.sort(probabilities[has])
    # How many reach each threshold: of all rows, and of those that have the label.
    reached, right = (
        len(each) - np.searchsorted(each, _THRESHOLDS, side="left") for each in ordered
    )
    rows, positive = len(has), int(has.sum())
    wrong = reached - right
    if objective == "macro_f1":
        values = 2 * right / np.maximum(positive + reached, 1)
    elif objective == "accuracy":
        values = right - wrong
    else:
        values = right / max(1, positive) - wrong / max(1, rows - positive)
    return float(_THRESHOLDS[np.argmax(values)])


def _objective(
    labels: np.ndarray, predicted: np.ndarray, classes: int, objective: str
) -> float:
    right = np.bincount(labels[labels == predicted], minlength=classes)
    if objective == "accuracy":
        return float(right.sum() / len(labels))
    of_labels = np.bincount(labels, minlength=classes)
    if objective == "balanced_accuracy":
        there = of_labels > 0
        return float((right[there] / of_labels[there]).mean())
    seen = of_labels + np.bincount(predicted, minlength=classes)
    return float((2 * right[seen > 0] / seen[seen > 0]).mean())


def _of_classes(
    key: str, given: Mapping[str, float], classes: Sequence[str], otherwise: float
) -> np.ndarray:
    for name in given:
        if name not in classes:
            raise UserError(
                f"{key}: {name!r} is no class of the data; {nearest(name, classes)}"
                f"there are: {', '.join(classes[:10])}"
                f"{', ...' if len(classes) > 10 else ''}"
            )
    return np.array([given.get(name, otherwise) for name in classes])
