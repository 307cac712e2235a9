"""How good a classifier's probabilities are, and how sure one can be of that.

Throughout, `labels` is int `[N]` with classes from 0, and `probabilities` is
`[N, C]`, a row for each label; the predicted class is the most probable one, the
first of equals. Every number returned is finite.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import pandas
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit, log_softmax
from scipy.special import softmax as _softmax
from scipy.stats import binomtest
from sklearn import metrics as sklearn_metrics

CALIBRATION_BINS = 15
# The least probability that the likelihood counts: a float32 softmax gives plain
# zeros, and one of these in the true class would make the mean infinite.
LEAST_PROBABILITY = 1e-7
# Beyond these weights a softmax is as good as flat or as one-hot.
WEIGHT_BOUNDS = (0.01, 20.0)

#: Of logits `[N, C]` the negative log-likelihood, and its slope, `[N, C]`.
Likelihood: TypeAlias = Callable[[np.ndarray], tuple[float, np.ndarray]]

# Of the resampling weights held at once.
_CHUNK_ENTRIES = 1_000_000


def classification_metrics(
    labels: np.ndarray,
    probabilities: np.ndarray,
    *,
    predicted: np.ndarray | None = None,
    values: np.ndarray | None = None,
) -> dict[str, float]:
    """The metrics of a classifier.

    - `accuracy`: the fraction of rows whose predicted class is the label.
    - `macro_f1`: the unweighted mean of the F1 scores of all classes that are
      among the labels or the predictions.
    - `roc_auc`: the area under the receiver operating characteristic, that is the
      probability that a row of class 1 has the higher score of a pair. Only with two
      classes, and only where both are among the labels.
    - `nll`: the mean negative log-likelihood of the labels in nats, probabilities
      clipped to `LEAST_PROBABILITY`.
    - `ece`: the expected calibration error (Guo et al. 2017, "On Calibration of Modern
      Neural Networks"): rows go by their predicted class's probability, the
      confidence, into 15 bins of equal width; the mean over the bins, weighted by
      their rows, of the distance between mean confidence and accuracy.
    - `mae`: of ordered classes, the mean distance of the predicted class's value to the
      label's.
    - `qwk`: of ordered classes, Cohen's kappa with quadratic weights: 1 less the mean
      squared distance in parts of what it would be were label and prediction
      independent; 0 where both are always the same.

    Args:
        labels: int `[N]`.
        probabilities: `[N, C]`.
        predicted: int `[N]`; the most probable classes if None.
        values: `[C]`, of ordered classes; None if they have no order.

    Returns:
        Metric by name.

    Raises:
        ValueError: If there are no rows, shapes do not fit, a label is no class, or a
            probability is no finite number.
    """
    metrics = _WeightedMetrics(*_checked(labels, probabilities), predicted, values)
    found = metrics(np.ones((len(labels), 1)))
    return {name: float(value) for name, (value,) in found.items()}


def bootstrap_intervals(
    labels: np.ndarray,
    probabilities: np.ndarray,
    *,
    seed: int,
    resamples: int = 1000,
    predicted: np.ndarray | None = None,
    values: np.ndarray | None = None,
) -> dict[str, tuple[float, float]]:
    """95 % percentile intervals of the metrics, from rows drawn with replacement.

    What is uncertain here is which rows happened to be in the test, not how another
    training run would come out. Resampling adds to a calibration error and never
    takes away, so the interval of `ece` tends to lie above the point estimate.

    The same seed, number of rows and resamples draw the same rows, whatever the
    probabilities, so intervals of two classifiers are of the same resamples.

    Args:
        labels: int `[N]`.
        probabilities: `[N, C]`.
        seed: Of the draws.
        resamples: How many times `N` rows are drawn.
        predicted, values: As `classification_metrics`.

    Returns:
        (lower, upper) for each metric of `classification_metrics`.

    Raises:
        ValueError: As `classification_metrics`.
    """
    metrics = _WeightedMetrics(*_checked(labels, probabilities), predicted, values)
    return intervals_of(metrics, len(labels), seed=seed, resamples=resamples)


def intervals_of(
    metrics: Callable[[np.ndarray], dict[str, np.ndarray]],
    rows: int,
    *,
    seed: int,
    resamples: int,
) -> dict[str, tuple[float, float]]:
    """The same of any metrics, which give `[R]` by name for weights `[N, R]`."""
    generator = np.random.default_rng(seed)
    chunk = max(1, min(resamples, _CHUNK_ENTRIES // rows))
    parts = [
        metrics(_resampling_weights(generator, min(chunk, resamples - start), rows))
        for start in range(0, resamples, chunk)
    ]
    intervals = {}
    for name in parts[0]:
        drawn = np.concatenate([part[name] for part in parts])
        # A resample of one class has no area.
        drawn = drawn[np.isfinite(drawn)]
        if len(drawn):
            lower, upper = np.percentile(drawn, [2.5, 97.5])
            intervals[name] = (float(lower), float(upper))
    return intervals


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits: float64 `[N, C]`."""
    return _softmax(np.asarray(logits, np.float64), axis=1)


def fit_branch_weights(
    branches: np.ndarray,
    labels: np.ndarray,
    *,
    counts: Sequence[float] | None = None,
    drawn_to: np.ndarray | None = None,
    nats: float = 0.0,
) -> np.ndarray:
    """The weights with which the sum of branches' logits is most likely.

    Temperature scaling (Guo et al. 2017) for a model of one or more branches: the
    probabilities are softmax(sum_b w_b z_b), with the w fitted to data that the model
    was not trained on. The inverse of the sum of the weights is the temperature; with
    one branch, nothing else is fitted and no predicted class changes. Labels are
    smoothed as by Platt (1999): one of a class's `n` rows counts as that class with
    `(n + 1) / (n + 2)`. Without it, logits without a single error would ask for
    boundless confidence; with many rows it changes next to nothing.

    Where a row may have several labels, the sigmoid stands for the softmax, and one
    that has a label, or has it not, is smoothed among its like.

    Args:
        branches: logits, `[N, B, C]`.
        labels: int `[N]`, or bool `[N, C]`.
        counts: What a row of each class counts, `[C]`; one each if None.
        drawn_to: Weights `[B]` that the found ones are drawn to.
        nats: What the likelihood of all rows has to gain for a weight that is twice as
            large as what it is drawn to, or nothing of it.

    Returns:
        `[B]`, each within `WEIGHT_BOUNDS`.

    Raises:
        ValueError: As `classification_metrics`.
    """
    branches = np.asarray(branches, np.float64)
    rows, number_of_branches, number_of_classes = branches.shape
    if labels.ndim == 2:
        likelihood = _of_any(labels, counts)
    else:
        labels, _ = _checked(labels, branches.mean(axis=1))
        likelihood = _of_one(labels, number_of_classes, counts)
    start = np.full(number_of_branches, 1.0 / number_of_branches)
    if drawn_to is not None:
        start = np.clip(drawn_to, *WEIGHT_BOUNDS)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        logits = np.einsum("nbc,b->nc", branches, weights)
        value, errors = likelihood(logits)
        slope = np.einsum("nbc,nc->b", branches, errors)
        if drawn_to is not None:
            off = weights / start - 1.0
            value += nats * float(off @ off)
            slope += 2.0 * nats * off / start
        return value / rows, slope / rows

    # The loss is convex in the weights: one minimum.
    found = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[WEIGHT_BOUNDS] * number_of_branches,
    )
    return found.x


def fit_label_biases(
    logits: np.ndarray,
    labels: np.ndarray,
    *,
    counts: Sequence[float] | None = None,
    nats: float = 0.25,
) -> np.ndarray:
    """What is added to the logits of each label, so that they are most likely.

    A label that few rows have comes out too improbable of regularised members, which a
    weight that all labels share cannot mend.

    Args:
        logits: `[N, L]`.
        labels: bool `[N, L]`.
        counts: As `fit_branch_weights`.
        nats: What the likelihood of all rows has to gain for a bias of 1.

    Returns:
        `[L]`.
    """
    likelihood = _of_any(labels, counts)

    def loss(bias: np.ndarray) -> tuple[float, np.ndarray]:
        value, errors = likelihood(logits + bias)
        return value + nats * float(bias @ bias), errors.sum(axis=0) + 2 * nats * bias

    return minimize(loss, np.zeros(labels.shape[1]), jac=True, method="L-BFGS-B").x


def _of_one(
    labels: np.ndarray, number_of_classes: int, counts: Sequence[float] | None
) -> Likelihood:
    """Of smoothed labels, one a row."""
    rows = len(labels)
    smoothing = 1.0 / (np.bincount(labels, minlength=number_of_classes)[labels] + 2.0)
    targets = np.repeat(
        smoothing[:, None] / (number_of_classes - 1), number_of_classes, 1
    )
    targets[np.arange(rows), labels] = 1.0 - smoothing
    of_row = np.ones(rows) if counts is None else np.asarray(counts)[labels]

    def likelihood(logits: np.ndarray) -> tuple[float, np.ndarray]:
        errors = (_softmax(logits, axis=1) - targets) * of_row[:, None]
        value = -float(of_row @ (targets * log_softmax(logits, axis=1)).sum(axis=1))
        return value, errors

    return likelihood


def _of_any(labels: np.ndarray, counts: Sequence[float] | None) -> Likelihood:
    """Of smoothed labels, each by itself."""
    has = labels.sum(axis=0)
    targets = np.where(
        labels, (has + 1.0) / (has + 2.0), 1.0 / (len(labels) - has + 2.0)
    )
    of_entry = np.ones(labels.shape)
    if counts is not None:
        of_entry = np.where(labels, np.asarray(counts), 1.0)

    def likelihood(logits: np.ndarray) -> tuple[float, np.ndarray]:
        errors = (expit(logits) - targets) * of_entry
        losses = np.logaddexp(0.0, logits) - targets * logits
        return float((of_entry * losses).sum()), errors

    return likelihood


def reliability_curve(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = CALIBRATION_BINS
) -> pandas.DataFrame:
    """Accuracy by confidence, as a reliability diagram shows it.

    Args:
        labels: int `[N]`.
        probabilities: `[N, C]`.
        bins: Number of bins of equal width, the upper edge belonging to each.

    Returns:
        A row for each bin that is not empty: its edges `lower` and `upper`, the mean
        `confidence`, the `accuracy`, and how many `rows` it holds.

    Raises:
        ValueError: As `classification_metrics`.
    """
    labels, probabilities = _checked(labels, probabilities)
    predicted = probabilities.argmax(axis=1)
    confidence, correct, index = _confidence_bins(
        labels, probabilities, predicted, bins
    )
    return binned_curve(index, confidence, correct, bins)


def binned_curve(
    index: np.ndarray, confidence: np.ndarray, correct: np.ndarray, bins: int
) -> pandas.DataFrame:
    """What `reliability_curve` gives, of answers `[M]` whose bins are known."""
    frame = pandas.DataFrame(
        {"bin": index, "confidence": confidence, "accuracy": correct}
    )
    curve = frame.groupby("bin").agg(
        confidence=("confidence", "mean"),
        accuracy=("accuracy", "mean"),
        rows=("accuracy", "size"),
    )
    curve.insert(0, "lower", curve.index.to_numpy() / bins)
    curve.insert(1, "upper", (curve.index.to_numpy() + 1) / bins)
    return curve.reset_index(drop=True)


def confusion_matrix(
    labels: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray | None = None
) -> np.ndarray:
    """How many rows of each class (row) were predicted as which (column).

    Returns:
        int `[C, C]`.

    Raises:
        ValueError: As `classification_metrics`.
    """
    labels, probabilities = _checked(labels, probabilities)
    if predicted is None:
        predicted = probabilities.argmax(axis=1)
    return sklearn_metrics.confusion_matrix(
        labels, predicted, labels=range(probabilities.shape[1])
    )


def accuracy_by_length(
    lengths: np.ndarray, correct: np.ndarray, bins: int = 5
) -> pandas.DataFrame:
    """Accuracy on shorter and longer texts.

    Args:
        lengths: int `[N]`, for example tokens of each text.
        correct: bool `[N]`, whether the prediction was right.
        bins: Number of quantile bins. There are fewer where many lengths are equal:
            texts of one length are in one bin.

    Returns:
        A row for each bin: the lengths `shortest` and `longest` in it, its
        `accuracy`, the 95 % Wilson interval `lower` and `upper`, and its `rows`.

    Raises:
        ValueError: If there are no rows, or not as many lengths as answers.
    """
    lengths, correct = np.asarray(lengths), np.asarray(correct, bool)
    if len(lengths) == 0 or lengths.shape != correct.shape:
        raise ValueError(
            "Expected as many lengths as answers, and at least one. "
            f"Received: shapes {lengths.shape} and {correct.shape}"
        )
    levels = np.arange(1, bins) / bins
    edges = np.unique(np.quantile(lengths, levels, method="inverted_cdf"))
    index = np.searchsorted(edges, lengths, side="left")
    frame = pandas.DataFrame({"bin": index, "length": lengths, "correct": correct})
    table = frame.groupby("bin").agg(
        shortest=("length", "min"),
        longest=("length", "max"),
        accuracy=("correct", "mean"),
        right=("correct", "sum"),
        rows=("correct", "size"),
    )
    intervals = [
        binomtest(int(right), int(rows)).proportion_ci(method="wilson")
        for right, rows in zip(table["right"], table["rows"], strict=True)
    ]
    table["lower"] = [interval.low for interval in intervals]
    table["upper"] = [interval.high for interval in intervals]
    columns = ["shortest", "longest", "accuracy", "lower", "upper", "rows"]
    return table[columns].reset_index(drop=True)


def _checked(labels: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels as int64 and values as float64, if they fit each other."""
    labels, values = np.asarray(labels), np.asarray(values, np.float64)
    if values.ndim != 2 or values.shape[1] < 2 or labels.shape != values.shape[:1]:
        raise ValueError(
            "Expected labels [N] and probabilities or logits [N, C], C at least 2. "
            f"Received: shapes {labels.shape} and {values.shape}"
        )
    if len(labels) == 0:
        raise ValueError("Expected at least one row. Received: none")
    if labels.min() < 0 or labels.max() >= values.shape[1]:
        raise ValueError(
            f"Expected labels from 0 to {values.shape[1] - 1}. "
            f"Received: {labels.min()} to {labels.max()}"
        )
    if not np.isfinite(values).all():
        raise ValueError(
            "Expected finite numbers. Received: "
            f"{np.count_nonzero(~np.isfinite(values))} that are not"
        )
    return labels.astype(np.int64), values


def _losses(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    likelihoods = probabilities[np.arange(len(labels)), labels]
    return -np.log(np.clip(likelihoods, LEAST_PROBABILITY, 1.0))


def _confidence_bins(
    labels: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray, bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the rows the confidence, whether they are right, and their bin."""
    confidence = probabilities[np.arange(len(labels)), predicted]
    correct = predicted == labels
    index = np.ceil(confidence * bins).astype(np.int64) - 1
    return confidence, correct, np.clip(index, 0, bins - 1)


def _resampling_weights(
    generator: np.random.Generator, resamples: int, rows: int
) -> np.ndarray:
    """How often the rows were drawn: float64 `[rows, resamples]`."""
    drawn = generator.integers(rows, size=(resamples, rows))
    drawn += np.arange(resamples)[:, None] * rows
    counts = np.bincount(drawn.ravel(), minlength=resamples * rows)
    return counts.reshape(resamples, rows).T.astype(np.float64)


class _WeightedMetrics:
    """The metrics of rows that count by weights: ones, or how often they were drawn."""

    def __init__(
        self,
        labels: np.ndarray,
        probabilities: np.ndarray,
        predicted: np.ndarray | None,
        values: np.ndarray | None,
    ):
        if predicted is None:
            predicted = probabilities.argmax(axis=1)
        self._classes = probabilities.shape[1]
        self._terms = _terms(labels, probabilities, predicted)
        self._distances: np.ndarray | None = None
        if values is not None:
            true, answer = values[labels], values[predicted]
            self._distances = np.stack(
                [np.abs(true - answer), true, answer, true**2, answer**2, true * answer]
            )
        self._scores: RankedScores | None = None
        if self._classes == 2 and labels.min() != labels.max():
            self._scores = RankedScores(labels, probabilities[:, 1])

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Metrics by name, `[R]`, of weights `[N, R]`."""
        rows = weights.sum(axis=0)
        right, losses, by_class, gaps = np.split(
            self._terms @ weights, [1, 2, 2 + 3 * self._classes]
        )
        right_of, labels_of, predicted_of = by_class.reshape(3, self._classes, -1)
        seen = labels_of + predicted_of
        # F1 = 2 right / (labels + predictions); a class in neither does not count.
        f1 = np.divide(2 * right_of, seen, out=np.zeros_like(seen), where=seen > 0)
        metrics = {
            "accuracy": right[0] / rows,
            "macro_f1": f1.sum(axis=0) / (seen > 0).sum(axis=0),
        }
        if self._scores is not None:
            metrics["roc_auc"] = self._scores.areas(weights)
        metrics["nll"] = losses[0] / rows
        metrics["ece"] = np.abs(gaps).sum(axis=0) / rows
        if self._distances is not None:
            metrics |= _ordinal_metrics(self._distances @ weights / rows)
        return metrics


def _ordinal_metrics(means: np.ndarray) -> dict[str, np.ndarray]:
    """Of the means of distance, label, answer, their squares and their product."""
    distance, true, answer, true_square, answer_square, product = means
    observed = true_square + answer_square - 2 * product
    by_chance = true_square + answer_square - 2 * true * answer
    constant = by_chance < 1e-12
    kappa = 1 - observed / np.where(constant, 1.0, by_chance)
    return {"mae": distance, "qwk": np.where(constant, 0.0, kappa)}


def _terms(
    labels: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray
) -> sparse.csr_matrix:
    """What the weighted sums are of, from which all metrics but the area are made.

    Returns:
        `[2 + 3 C + bins, N]`: right answers, losses, right answers by class, labels by
        class, predictions by class, and by bin what accuracy exceeds confidence by.
    """
    rows, classes = probabilities.shape
    confidence, correct, index = _confidence_bins(
        labels, probabilities, predicted, CALIBRATION_BINS
    )
    ones = np.ones(rows)
    terms = [
        (np.zeros(rows, np.int64), correct),
        (np.ones(rows, np.int64), _losses(labels, probabilities)),
        (2 + labels, correct),
        (2 + classes + labels, ones),
        (2 + 2 * classes + predicted, ones),
        (2 + 3 * classes + index, correct - confidence),
    ]
    lines, values = (np.concatenate(parts) for parts in zip(*terms, strict=True))
    columns = np.tile(np.arange(rows), len(terms))
    return sparse.csr_matrix(
        (values.astype(np.float64), (lines, columns)),
        shape=(2 + 3 * classes + CALIBRATION_BINS, rows),
    )


class RankedScores:
    """Scores in ascending order, ready for the areas under curves of weighted rows."""

    def __init__(self, labels: np.ndarray, scores: np.ndarray):
        self._order = np.argsort(scores, kind="stable")
        self._positive = (labels[self._order] == 1)[:, None]
        ordered = scores[self._order]
        self._ties_begin = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])

    def areas(self, weights: np.ndarray) -> np.ndarray:
        """The areas, `[R]`, of weights `[N, R]`; NaN where a class has no weight."""
        return self.areas_and_precisions(weights)[0]

    def areas_and_precisions(
        self, weights: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The areas, and the mean precisions over the positives: `[R]` each.

        The precision of a positive is that of all rows with its score or a higher one.
        An area is NaN where a class has no weight, a mean where positives have none.
        """
        positive, negative = (part[::-1] for part in self._by_score(weights))
        right, wrong = np.cumsum(positive, axis=0), np.cumsum(negative, axis=0)
        # A positive beats the negatives below it, and half of those it ties with.
        won = np.einsum("nr,nr->r", positive, wrong[-1] - wrong + negative / 2)
        reached = right + wrong
        precision = np.divide(right, reached, out=np.zeros_like(right), where=right > 0)
        precise = np.einsum("nr,nr->r", positive, precision)
        return _ratio(won, right[-1] * wrong[-1]), _ratio(precise, right[-1])

    def _by_score(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The weights of positives and of negatives by score, `[scores, R]`."""
        ordered = weights[self._order]
        parts = ordered * self._positive, ordered * ~self._positive
        if len(self._ties_begin) == len(ordered):
            return parts
        positive, negative = (
            np.add.reduceat(part, self._ties_begin, axis=0) for part in parts
        )
        return positive, negative


def _ratio(values: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """In parts of the whole; NaN where that is nothing."""
    return np.divide(values, whole, out=np.full(len(whole), np.nan), where=whole > 0)
