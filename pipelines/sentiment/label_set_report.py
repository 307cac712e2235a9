"""The report of a model whose texts may have several labels, or none."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas

from ..data.texts.label_sets import joined, named
from ..reporting.page import Metric, Report
from .decisions import HALF
from .label_set_metrics import (
    label_reliability_curve,
    label_set_intervals,
    label_set_metrics,
    scores_by_label,
)
from .report import MISTAKES, SYSTEM_NAMES, SentimentResult, excerpt, summary_by
from .report_figures import numbered_name, percent
from .targets import AnyLabels, Target

_SCORES = ("threshold", "precision", "recall", "f1", "average_precision", "roc_auc")


class LabelSetResult(SentimentResult):
    """How a classifier that gives a text any of the labels did on a split.

    Labels and predictions are bool `[N, C]`; all else is as of one class.
    """

    target: ClassVar[Target] = AnyLabels()
    columns: ClassVar[Sequence[Metric]] = (
        Metric("micro_f1", "Micro F1"),
        Metric("macro_f1", "Macro F1"),
        Metric("average_precision", "Average precision"),
        Metric("roc_auc", "ROC AUC"),
        Metric("subset_accuracy", "Subset accuracy"),
        Metric("hamming_loss", "Hamming loss", higher_is_better=False),
        Metric("nll", "NLL", higher_is_better=False),
        Metric("ece", "ECE", higher_is_better=False),
    )
    systems: ClassVar[Mapping[str, str]] = {
        **SYSTEM_NAMES,
        "majority": "Frequency of each label",
    }
    axes: ClassVar[tuple[str, str]] = ("Probability of a label", "Texts that have it")
    points: ClassVar[str] = (
        "Points: fraction of texts that have a label, by its probability, of all "
        "labels together. Bars: fraction of these answers."
    )
    calibrated: ClassVar[str] = (
        "and adding a bias to those of each label, makes the stated probabilities as "
        "likely as can be"
    )
    right: ClassVar[str] = "Right is a text that gets exactly its labels."

    def metrics_of(
        self, probabilities: np.ndarray, predicted: np.ndarray | None = None
    ) -> dict[str, float]:
        return label_set_metrics(self.labels, probabilities, predicted=predicted)

    def intervals_of(
        self, probabilities: np.ndarray, predicted: np.ndarray | None
    ) -> dict[str, tuple[float, float]]:
        return label_set_intervals(
            self.labels, probabilities, seed=self._seed, predicted=predicted
        )

    @property
    def is_right(self) -> np.ndarray:
        return (self.predicted == self.labels).all(axis=1)

    @functools.cached_property
    def scores(self) -> pandas.DataFrame:
        """Of each label `threshold` and what `scores_by_label` gives."""
        scores = scores_by_label(self.labels, self.probabilities, self.predicted)
        scores.insert(0, "label", self.classes)
        thresholds = self.thresholds or [HALF] * len(self.classes)
        scores.insert(1, "threshold", thresholds)
        return scores

    def by_class(self) -> dict[str, Any]:
        rows = self.scores.to_dict("records")
        return {
            "by_label": [
                {key: None if pandas.isna(row[key]) else row[key] for key in row}
                for row in rows
            ]
        }

    def reliability(self, probabilities: np.ndarray) -> pandas.DataFrame:
        return label_reliability_curve(self.labels, probabilities)

    def names(self, labels: np.ndarray) -> np.ndarray:
        return np.array([joined(of_row) for of_row in named(labels, self.classes)])

    def summary(self) -> str:
        return summary_by(self, "micro_f1", "the model has a micro F1 of", "")

    def add_meaning_of_metrics(self, report: Report) -> None:
        report.text(
            "Each text has an answer for each label. Micro F1 is that of all answers; "
            "macro F1, average precision and ROC AUC are means over the labels. Subset "
            "accuracy is the fraction of texts that get exactly their labels, Hamming "
            "loss that of wrong answers. NLL is the mean negative log-likelihood of "
            "the answers, in nats, and ECE how far, on average, the stated probability "
            "of a label is from the fraction of texts that have it."
        )

    def add_classes(self, report: Report) -> None:
        report.section("By label")
        report.text("A text gets the labels whose probability reaches the threshold.")
        report.table(
            "Scores of each label",
            [
                *("Label", "Rows", "Threshold", "Precision", "Recall", "F1"),
                *("Average precision", "ROC AUC"),
            ],
            [
                [
                    numbered_name(index, self.classes),
                    int(row["rows"]),
                    *(_number(row[key]) for key in _SCORES),
                ]
                for index, row in enumerate(self.scores.to_dict("records"))
            ],
        )

    def add_mistakes(self, report: Report) -> None:
        report.section("Worst mistakes")
        wrong = self.predicted != self.labels
        rows = int(wrong.any(axis=1).sum())
        if not rows:
            report.text("There is none: every row of this split got its labels.")
            return
        given = np.where(self.predicted, self.probabilities, 1.0 - self.probabilities)
        confidence = np.where(wrong, given, -1.0)
        worst = np.argsort(-confidence, axis=None, kind="stable")
        worst = worst[: min(MISTAKES, int(wrong.sum()))]
        report.text(
            f"{rows:,} of {len(self.labels):,} rows got other labels than theirs "
            f"({percent(rows / len(self.labels))}); here are the answers of which the "
            "model was most sure. Some may be mistakes in the labels."
        )
        entries = []
        for row, label in zip(*np.unravel_index(worst, wrong.shape), strict=True):
            name, probability = self.classes[label], self.probabilities[row, label]
            has = joined(named(self.labels[[row]], self.classes)[0]) or "no label"
            line = (
                f"{name} {'given' if self.predicted[row, label] else 'missed'}, with "
                f"probability {probability:.3f}, of a text with {has} (row "
                f"{row + 1:,} of the split)"
            )
            entries.append((line, excerpt(self.rows.texts[int(row)])))
        report.excerpts("", entries)


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3f}"
