"""Logistic regressions on sparse features, as strong as held-out rows like best.

A class has a score of its own, against the rest; of two classes one score serves both.
Labels are int `[N]`, or bool `[N, C]` where a row may have several or none: then the
scores are the log odds of each label, whatever the others.
"""

import dataclasses
import warnings
from collections.abc import Callable, Sequence

import numpy as np
from scipy import sparse
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from ..data.texts.label_sets import strata

# Inverse regularisation strengths, tried upwards while the held-out likelihood rises.
_STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_HELD_OUT_FRACTION = 0.15
# Fewer rows than this cannot choose a strength.
_LEAST_ROWS = 40
_DEFAULT_STRENGTH = 10.0

#: What the features are multiplied by, `[F]`, given features and the class's rows.
Scale = Callable[[sparse.csr_matrix, np.ndarray], np.ndarray]
#: What a row of each class counts, `[C]`; None where all count one. Where rows may have
#: several labels, what one that has the label counts beside one that has it not.
ClassWeights = Sequence[float] | None


@dataclasses.dataclass(frozen=True)
class LinearClassifier:
    """One column for two classes, else one for each class.

    Attributes:
        weights: float32 `[features, 1 or C]`.
        bias: float32 `[1 or C]`.
        excludes: Whether a row has one class, so that probabilities add up to one.
    """

    weights: np.ndarray
    bias: np.ndarray
    excludes: bool = True

    def scores(self, features: sparse.csr_matrix) -> np.ndarray:
        """The log odds of the columns: float64 `[N, 1 or C]`."""
        return (features @ self.weights).astype(np.float64) + self.bias

    def probabilities(self, features: sparse.csr_matrix) -> np.ndarray:
        """The probability of each class: float64 `[N, C]`."""
        scores = self.scores(features)
        return _probabilities(scores) if self.excludes else expit(scores)

    def by_class(self) -> "LinearClassifier":
        """The same with a column for each class, of two half the score each."""
        if len(self.bias) > 1 or not self.excludes:
            return self
        halves = np.array([-0.5, 0.5], np.float32)
        return LinearClassifier(self.weights * halves, self.bias * halves)


def fit_classifier(
    features: sparse.csr_matrix,
    labels: np.ndarray,
    number_of_classes: int,
    seed: int,
    *,
    scale: Scale,
    class_weights: ClassWeights = None,
) -> LinearClassifier:
    """The classifier with the strength that a held-out part of the rows likes best."""
    fit = _Fitter(features, labels, number_of_classes, seed, scale, class_weights)
    if len(labels) < _LEAST_ROWS:
        return fit(_ALL, _DEFAULT_STRENGTH)
    return fit(_ALL, _choose_strength(fit))


def cross_validated_classifier(
    features: sparse.csr_matrix,
    labels: np.ndarray,
    number_of_classes: int,
    seed: int,
    *,
    folds: np.ndarray,
    scale: Scale,
    class_weights: ClassWeights = None,
) -> tuple[LinearClassifier, np.ndarray]:
    """The classifier with the strength that is best where each fold is held out.

    Args:
        features: `[N, F]`.
        labels: int `[N]`.
        number_of_classes: C.
        seed: Of the optimizer.
        folds: The fold of each row, `[N]`.
        scale: Of the features.
        class_weights: What rows count.

    Returns:
        The classifier, fitted to all rows, and what those without a row's fold say of
        it: float64 `[N, C]`, the scores of each class.
    """
    fit = _Fitter(features, labels, number_of_classes, seed, scale, class_weights)
    best, held_out = _DEFAULT_STRENGTH, np.zeros((len(labels), number_of_classes))
    best_likelihood = -np.inf
    for strength in _STRENGTHS:
        scores = np.zeros_like(held_out)
        answers = np.zeros_like(held_out)
        for fold in np.unique(folds):
            rows = folds == fold
            found = fit(np.flatnonzero(~rows), strength)
            answers[rows] = found.probabilities(features[rows])
            scores[rows] = found.by_class().scores(features[rows])
        likelihood = _likelihood(answers, labels)
        if likelihood <= best_likelihood:
            break
        best, best_likelihood, held_out = strength, likelihood, scores
    return fit(_ALL, best), held_out


def unscaled(features: sparse.csr_matrix, positive: np.ndarray) -> np.ndarray:
    """Features as they are."""
    return np.ones(features.shape[1], np.float32)


def log_count_ratio(features: sparse.csr_matrix, positive: np.ndarray) -> np.ndarray:
    """The log ratios of the n-grams' fractions in the class to those in the rest."""
    presence = features.copy()
    presence.data = np.ones_like(presence.data)
    inside = 1.0 + positive.astype(np.float64) @ presence
    outside = 1.0 + (~positive).astype(np.float64) @ presence
    ratio = np.log(inside / inside.sum()) - np.log(outside / outside.sum())
    return ratio.astype(np.float32)


_ALL = slice(None)


@dataclasses.dataclass(frozen=True)
class _Fitter:
    """Fits to some of the rows, by a strength."""

    features: sparse.csr_matrix
    labels: np.ndarray
    number_of_classes: int
    seed: int
    scale: Scale
    class_weights: ClassWeights

    def __call__(self, rows: np.ndarray | slice, strength: float) -> LinearClassifier:
        features, labels = self.features[rows], self.labels[rows]
        excludes = labels.ndim == 1
        classes = range(self.number_of_classes)
        if excludes and self.number_of_classes == 2:
            classes = range(1, 2)
        columns = []
        for label in classes:
            positive = labels == label if excludes else labels[:, label]
            counts = None
            if self.class_weights is not None:
                weights = np.array(self.class_weights)
                counts = (
                    weights[labels]
                    if excludes
                    else np.where(positive, weights[label], 1.0)
                )
            columns.append(self._one_class(features, positive, counts, strength))
        weights, biases = zip(*columns, strict=True)
        return LinearClassifier(
            np.stack(weights, axis=1), np.array(biases, np.float32), excludes
        )

    def _one_class(
        self,
        features: sparse.csr_matrix,
        positive: np.ndarray,
        counts: np.ndarray | None,
        strength: float,
    ) -> tuple[np.ndarray, float]:
        """Weights and bias of one class against the rest."""
        if positive.all() or not positive.any() or features.shape[1] == 0:
            fraction = (positive.sum() + 1) / (len(positive) + 2)
            bias = np.log(fraction / (1 - fraction))
            return np.zeros(features.shape[1], np.float32), bias
        factors = self.scale(features, positive)
        scaled = features.copy()
        scaled.data = scaled.data * factors[scaled.indices]
        # In the dual, many times faster where features outnumber rows.
        model = LogisticRegression(
            C=strength, solver="liblinear", dual=True, random_state=self.seed
        )
        with warnings.catch_warnings():
            # What 100 passes leave of the optimum moves no prediction.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(scaled, positive, sample_weight=counts)
        return factors * model.coef_[0].astype(np.float32), float(model.intercept_[0])


def _choose_strength(fit: _Fitter) -> float:
    labels = fit.labels
    classes = strata(labels)
    # A class of one row cannot be on both sides of a stratified split.
    counts = np.bincount(classes)
    stratify = classes if not (counts == 1).any() else None
    # A stratified part needs a row of every class there is.
    present = int(np.count_nonzero(counts))
    held_out_rows = max(round(_HELD_OUT_FRACTION * len(labels)), present)
    if held_out_rows > len(labels) // 2:
        return _DEFAULT_STRENGTH
    fitted, held_out = train_test_split(
        np.arange(len(labels)),
        test_size=held_out_rows,
        random_state=fit.seed,
        stratify=stratify,
    )
    best, best_likelihood = _DEFAULT_STRENGTH, -np.inf
    for strength in _STRENGTHS:
        answers = fit(fitted, strength).probabilities(fit.features[held_out])
        likelihood = _likelihood(answers, labels[held_out])
        if likelihood <= best_likelihood:
            break
        best, best_likelihood = strength, likelihood
    return best


def _probabilities(scores: np.ndarray) -> np.ndarray:
    positive = expit(scores)
    if scores.shape[1] == 1:
        return np.hstack([1.0 - positive, positive])
    positive = np.maximum(positive, 1e-12)
    return positive / positive.sum(axis=1, keepdims=True)


def _likelihood(probabilities: np.ndarray, labels: np.ndarray) -> float:
    if labels.ndim == 2:
        likelihoods = np.where(labels, probabilities, 1.0 - probabilities)
    else:
        likelihoods = probabilities[np.arange(len(labels)), labels]
    return float(np.log(np.maximum(likelihoods, 1e-12)).mean())
