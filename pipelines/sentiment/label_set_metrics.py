"""How good the answers are where a text may have several labels, or none.

Throughout, `labels` is bool `[N, L]`, `probabilities` is `[N, L]`, each of having the
label, and `predicted` is bool `[N, L]`. Every number returned is finite.
"""

import numpy as np
import pandas
from scipy import sparse

from .decisions import decide_labels
from .metrics import (
    CALIBRATION_BINS,
    LEAST_PROBABILITY,
    RankedScores,
    binned_curve,
    intervals_of,
)

# Of larger `[N, L]` the areas under curves have no interval, which would take minutes.
_MOST_RANKED = 500_000


def label_set_metrics(
    labels: np.ndarray,
    probabilities: np.ndarray,
    *,
    predicted: np.ndarray | None = None,
) -> dict[str, float]:
    """The metrics of a classifier that gives each text any of the labels.

    - `micro_f1`: the F1 score of all answers together.
    - `macro_f1`: the unweighted mean of the F1 scores of the labels that a row has or
      gets.
    - `average_precision`: the mean over the labels of the mean precision at the rows
      that have it, by falling probability.
    - `roc_auc`: the mean over the labels of the area under the receiver operating
      characteristic.
    - `subset_accuracy`: the fraction of rows that get exactly their labels.
    - `hamming_loss`: the fraction of wrong answers, one for each row and label.
    - `nll`: the mean negative log-likelihood of these answers, in nats, probabilities
      clipped to `metrics.LEAST_PROBABILITY`.
    - `ece`: the expected calibration error of having a label: all probabilities go
      into 15 bins of equal width; the mean over the bins, weighted by what they hold,
      of the distance between the mean probability and the fraction that is true.

    Labels that no row has, or every row, have no area and do not count in its mean.

    Args:
        labels: bool `[N, L]`.
        probabilities: `[N, L]`.
        predicted: bool `[N, L]`; probabilities of one half and more if None.

    Returns:
        Metric by name.

    Raises:
        ValueError: There are no rows, shapes do not fit, or a probability is none.
    """
    metrics = _WeightedMetrics(*_checked(labels, probabilities), predicted)
    found = metrics(np.ones((len(labels), 1)))
    return {name: float(value) for name, (value,) in found.items()}


def label_set_intervals(
    labels: np.ndarray,
    probabilities: np.ndarray,
    *,
    seed: int,
    resamples: int = 1000,
    predicted: np.ndarray | None = None,
) -> dict[str, tuple[float, float]]:
    """95 % bootstrap intervals, as `metrics.bootstrap_intervals` has them.

    Of more than half a million answers, the areas under curves have none.
    """
    labels, probabilities = _checked(labels, probabilities)
    metrics = _WeightedMetrics(
        labels, probabilities, predicted, are_ranked=labels.size <= _MOST_RANKED
    )
    return intervals_of(metrics, len(labels), seed=seed, resamples=resamples)


def scores_by_label(
    labels: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray
) -> pandas.DataFrame:
    """Of each label `rows` that have it, `precision`, `recall`, `f1`, and the areas.

    What there is none of is NaN: areas where no row, or every row, has the label.
    """
    right = (labels & predicted).sum(axis=0)
    has, gets = labels.sum(axis=0), predicted.sum(axis=0)
    ones = np.ones((len(labels), 1))
    ranked = [
        RankedScores(of_label, scores).areas_and_precisions(ones)
        for of_label, scores in zip(labels.T, probabilities.T, strict=True)
    ]
    return pandas.DataFrame(
        {
            "rows": has,
            "precision": right / np.maximum(gets, 1),
            "recall": right / np.maximum(has, 1),
            "f1": 2 * right / np.maximum(has + gets, 1),
            "average_precision": [precision for _, (precision,) in ranked],
            "roc_auc": [area for (area,), _ in ranked],
        }
    )


def label_reliability_curve(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = CALIBRATION_BINS
) -> pandas.DataFrame:
    """The fraction that is true by probability, of all labels together.

    Returns:
        As `metrics.reliability_curve`: `confidence` is the mean probability of having a
        label, `accuracy` the fraction of rows that have it, `rows` how many answers.
    """
    index = _bin(probabilities, bins)
    return binned_curve(index.ravel(), probabilities.ravel(), labels.ravel(), bins)


def _checked(labels: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    labels, values = np.asarray(labels, bool), np.asarray(values, np.float64)
    if values.ndim != 2 or labels.shape != values.shape or not labels.size:
        raise ValueError(
            "Expected labels and probabilities [N, L], and at least one. "
            f"Received: shapes {labels.shape} and {values.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError(
            "Expected finite numbers. Received: "
            f"{np.count_nonzero(~np.isfinite(values))} that are not"
        )
    return labels, values


def _bin(probabilities: np.ndarray, bins: int) -> np.ndarray:
    index = np.ceil(probabilities * bins).astype(np.int64) - 1
    return np.clip(index, 0, bins - 1)


class _WeightedMetrics:
    """The metrics of rows that count by weights, as `metrics` has them of one class."""

    def __init__(
        self,
        labels: np.ndarray,
        probabilities: np.ndarray,
        predicted: np.ndarray | None,
        are_ranked: bool = True,
    ):
        if predicted is None:
            predicted = decide_labels(probabilities, None)
        self._number = labels.shape[1]
        self._terms = _terms(labels, probabilities, predicted)
        self._ranked = [
            RankedScores(has, scores)
            for has, scores in zip(labels.T, probabilities.T, strict=True)
            if are_ranked and has.any() and not has.all()
        ]

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Metrics by name, `[R]`, of weights `[N, R]`."""
        rows = weights.sum(axis=0)
        of_rows, of_labels, gaps = np.split(
            self._terms @ weights, [3, 3 + 3 * self._number]
        )
        exact, wrong, losses = of_rows / rows
        right, has, gets = of_labels.reshape(3, self._number, -1)
        metrics = {
            "micro_f1": _f1(right.sum(axis=0), (has + gets).sum(axis=0)),
            "macro_f1": _mean(_f1(right, has + gets), has + gets > 0),
        }
        if self._ranked:
            # Rows are taken in other orders, which is quick where they are together.
            together = np.ascontiguousarray(weights)
            found = [each.areas_and_precisions(together) for each in self._ranked]
            areas_by_name = dict(
                zip(("roc_auc", "average_precision"), np.stack(found, 1), strict=True)
            )
            for name in ("average_precision", "roc_auc"):
                areas = areas_by_name[name]
                there = np.isfinite(areas)
                means = _mean(np.where(there, areas, 0.0), there)
                metrics[name] = np.where(there.any(axis=0), means, np.nan)
        return metrics | {
            "subset_accuracy": exact,
            "hamming_loss": wrong / self._number,
            "nll": losses / self._number,
            "ece": np.abs(gaps).sum(axis=0) / rows / self._number,
        }


def _f1(right: np.ndarray, seen: np.ndarray) -> np.ndarray:
    return np.divide(2 * right, seen, out=np.zeros_like(right), where=seen > 0)


def _mean(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    return (values * there).sum(axis=0) / np.maximum(there.sum(axis=0), 1)


def _terms(
    labels: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray
) -> sparse.csr_matrix:
    """What the weighted sums are of, from which all metrics but the areas are made.

    Returns:
        `[3 + 3 L + bins, N]`: whether all is right, wrong answers, losses; by label
        right answers, labels, answers; and by bin what truth exceeds probability by.
    """
    likelihoods = np.where(labels, probabilities, 1.0 - probabilities)
    losses = -np.log(np.clip(likelihoods, LEAST_PROBABILITY, 1.0))
    is_wrong = labels != predicted
    of_rows = np.stack([~is_wrong.any(1), is_wrong.sum(1), losses.sum(1)])
    rows, number = labels.shape
    index = _bin(probabilities, CALIBRATION_BINS)
    gaps = sparse.csr_matrix(
        (
            (labels - probabilities).ravel(),
            (index.ravel(), np.repeat(np.arange(rows), number)),
        ),
        shape=(CALIBRATION_BINS, rows),
    )
    by_label = [(labels & predicted).T, labels.T, predicted.T]
    parts = [of_rows, *by_label]
    stacked = [sparse.csr_matrix(part, dtype=np.float64) for part in parts]
    return sparse.vstack([*stacked, gaps], format="csr")
