"""The report of a sentiment model: how good, how sure, where wrong."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas
from sklearn.metrics import precision_recall_fscore_support

from ..core.evaluation import EvaluationResult, ReportContent
from ..data.texts.label_sets import rows_by_class
from ..data.texts.labelled_texts import LabelledTexts
from ..reporting.page import Cell, Metric, Report, Scores, shortened
from .linear_members import NB, TFIDF
from .metrics import (
    accuracy_by_length,
    bootstrap_intervals,
    classification_metrics,
    confusion_matrix,
    reliability_curve,
)
from .model import RECURRENT, WIDE
from .report_figures import (
    COUNTED_CLASSES,
    describe_confusion,
    describe_reliability,
    draw_confusion,
    draw_lengths,
    draw_reliability,
    numbered_name,
    percent,
)
from .targets import OneClass, Target

METRICS = (
    Metric("accuracy", "Accuracy"),
    Metric("macro_f1", "Macro F1"),
    Metric("roc_auc", "ROC AUC"),
    Metric("mae", "MAE", higher_is_better=False),
    Metric("qwk", "QWK"),
    Metric("nll", "NLL", higher_is_better=False),
    Metric("ece", "ECE", higher_is_better=False),
)
SYSTEM_NAMES = {
    RECURRENT: "Recurrent member alone",
    WIDE: "Wide member alone",
    NB: "NB n-grams, member alone",
    TFIDF: "tf-idf, member alone",
    "majority": "Majority class",
    "tfidf_logistic_regression": "tf-idf + logistic regression",
    "nb_logistic_regression": "NB n-grams + logistic regression",
}

_LEARNING_CURVES = {"nll": "Loss", "accuracy": "Accuracy while training"}
MISTAKES = 12
_EXCERPT_LENGTH = 700
# A review's verdict stands at its end more often than at its beginning.
_EXCERPT_TAIL = 0.65
_LINE_BREAKS = ("<br />", "<br/>", "<br>")


class SentimentResult(EvaluationResult):
    """How a classifier of texts and its baselines did on a split.

    Args:
        texts: All splits.
        split: The name of the split.
        branches: By the member's name its logits, float `[N, C]`.
        branch_weights: Their factors in the sum of the logits.
        members: By name, probabilities `[N, C]` of the members alone.
        baselines: By name, probabilities `[N, C]`.
        thresholds: Of the classes, with which the model decides; see `decisions`.
        values: Of ordered classes, `[C]`.
        lengths: Gives the numbers of tokens of the texts, int `[N]`.
        padded_fraction: Of the training batches.
        seed: Of the bootstrap.
        baseline_rows: Training texts that the baselines were fitted to; None: all.
        bias: What is added to the sum of the logits, `[C]`; nothing if None.
    """

    target: ClassVar[Target] = OneClass()
    #: The columns of the table of results, the first the one of the summary.
    columns: ClassVar[Sequence[Metric]] = METRICS
    #: For people, of the members and baselines.
    systems: ClassVar[Mapping[str, str]] = SYSTEM_NAMES
    #: The axes of a reliability diagram, and what stands below it.
    axes: ClassVar[tuple[str, str]] = ("Confidence", "Accuracy")
    points: ClassVar[str] = (
        "Points: accuracy by confidence. Bars: fraction of the rows."
    )
    #: What temperature scaling does.
    calibrated: ClassVar[str] = (
        "makes the stated probabilities as likely as can be. It changes no predicted "
        "class"
    )
    #: What is said of the accuracy by length.
    right: ClassVar[str] = ""

    def __init__(
        self,
        texts: LabelledTexts,
        split: str,
        branches: Mapping[str, np.ndarray],
        branch_weights: Sequence[float],
        members: Mapping[str, np.ndarray],
        baselines: Mapping[str, np.ndarray],
        *,
        lengths: Callable[[], np.ndarray],
        thresholds: Sequence[float] | None = None,
        values: np.ndarray | None = None,
        padded_fraction: float,
        seed: int,
        baseline_rows: int | None = None,
        bias: np.ndarray | None = None,
    ):
        self.data, self.split = texts.spec, split
        self.texts = texts
        self.classes = texts.classes
        self.rows = texts.splits[split]
        self.labels = self.rows.labels
        # The weights add up to the inverse of the temperature.
        self.temperature = 1.0 / sum(branch_weights)
        self._branches = branches
        self._branch_weights = list(branch_weights)
        self._logits = np.einsum(
            "bnc,b->nc", np.stack(list(branches.values())), branch_weights
        )
        calibrated = self._logits if bias is None else self._logits + bias
        self.probabilities = self.target.probabilities(calibrated)
        self._systems = {"model": self.probabilities, **members, **baselines}
        self.predicted = self.target.decide(self.probabilities, thresholds)
        self.thresholds = thresholds
        self._values = values
        self._lengths = lengths
        self._padded_fraction = padded_fraction
        self._seed = seed
        sampled = {"baseline_rows": baseline_rows}
        self._sampled = {} if baseline_rows is None else sampled
        metrics = {
            name: self.metrics_of(answers, self._predicted_of(name))
            for name, answers in self._systems.items()
        }
        self.model = metrics.pop("model")
        self.baselines = metrics

    def metrics_of(
        self, probabilities: np.ndarray, predicted: np.ndarray | None = None
    ) -> dict[str, float]:
        """The metrics of probabilities, `[N, C]`, and of what is made of them."""
        return classification_metrics(
            self.labels, probabilities, predicted=predicted, values=self._values
        )

    def intervals_of(
        self, probabilities: np.ndarray, predicted: np.ndarray | None
    ) -> dict[str, tuple[float, float]]:
        """Their 95 % intervals."""
        return bootstrap_intervals(
            self.labels,
            probabilities,
            seed=self._seed,
            predicted=predicted,
            values=self._values,
        )

    def _predicted_of(self, name: str) -> np.ndarray | None:
        """What a system answers, where that is other than its probabilities say."""
        return self.predicted if name == "model" else None

    @functools.cached_property
    def uncalibrated(self) -> np.ndarray:
        """The model's probabilities before temperature scaling, `[N, C]`."""
        return self.target.probabilities(self.temperature * self._logits)

    @functools.cached_property
    def uncalibrated_metrics(self) -> dict[str, float]:
        """The metrics before temperature scaling."""
        return self.metrics_of(self.uncalibrated, self.predicted)

    @functools.cached_property
    def intervals(self) -> Mapping[str, Mapping[str, tuple[float, float]]]:
        """The 95 % intervals of the metrics, by "model" or name of the baseline."""
        return {
            name: self.intervals_of(answers, self._predicted_of(name))
            for name, answers in self._systems.items()
        }

    @functools.cached_property
    def confusion(self) -> np.ndarray:
        """int `[C, C]`, true classes by predicted ones."""
        return confusion_matrix(self.labels, self.probabilities, self.predicted)

    @functools.cached_property
    def by_length(self) -> pandas.DataFrame:
        """See `accuracy_by_length`."""
        return accuracy_by_length(self._lengths(), self.is_right)

    @property
    def is_right(self) -> np.ndarray:
        """Whether the model answers as the labels say, bool `[N]`."""
        return self.predicted == self.labels

    def by_class(self) -> dict[str, Any]:
        """What metrics.json has of the classes."""
        return {"confusion_matrix": self.confusion.tolist()}

    def reliability(self, probabilities: np.ndarray) -> pandas.DataFrame:
        """See `reliability_curve`."""
        return reliability_curve(self.labels, probabilities)

    def names(self, labels: np.ndarray) -> np.ndarray:
        """What stands for labels in a table, `[N]`."""
        return np.array(self.classes, object)[labels]

    def details(self) -> dict[str, Any]:
        return {
            "rows": len(self.labels),
            "bad_rows": [str(row) for row in self.texts.bad_rows],
            "padded_fraction": self._padded_fraction,
            "classes": list(self.classes),
            "intervals": self.intervals,
            "temperature": self.temperature,
            "branch_weights": self._branch_weights,
            "thresholds": self.thresholds,
            "branches": {
                name: self.metrics_of(self.target.probabilities(logits))
                for name, logits in self._branches.items()
            },
            "uncalibrated": self.uncalibrated_metrics,
            **self.by_class(),
            **self._sampled,
        }

    def predictions(self) -> pandas.DataFrame:
        return pandas.DataFrame(
            {
                "text": np.asarray(self.rows.texts),
                "label": self.names(self.labels),
                "predicted": self.names(self.predicted),
                **{
                    f"probability_{name}": self.probabilities[:, index]
                    for index, name in enumerate(self.classes)
                },
            }
        )

    def report_content(self) -> ReportContent:
        sections = (
            self.add_meaning_of_metrics,
            self.add_classes,
            functools.partial(_add_calibration, self),
            functools.partial(_add_lengths, self),
            self.add_mistakes,
        )
        return ReportContent(
            title=f"Sentiment: {self.data}",
            summary=self.summary(),
            metrics=self.columns,
            names=self.systems,
            intervals=self.intervals,
            sections=sections,
            learning_curves=_LEARNING_CURVES,
            add_data=functools.partial(_add_data, self.texts),
            metadata={
                "columns": dict(self.texts.columns),
                "texts that stand in two splits": dict(self.texts.duplicates),
                "padded fraction": self._padded_fraction,
                **self._sampled,
            },
            bad_rows=[str(row) for row in self.texts.bad_rows],
        )

    def summary(self) -> str:
        """What a reader in a hurry should know."""
        return summary_by(self, "accuracy", "the model is right in", "in ")

    def add_meaning_of_metrics(self, report: Report) -> None:
        """A line below the table of results."""
        _add_meaning_of_metrics(report)

    def add_classes(self, report: Report) -> None:
        """How well each class is told from the others."""
        _add_classes(self, report)

    def add_mistakes(self, report: Report) -> None:
        """Where the model is wrong and most sure."""
        _add_mistakes(self, report)


def summary_by(result: SentimentResult, metric: str, verb: str, joined: str) -> str:
    """The model beside the best baseline, by one metric; its members are none."""
    value = result.model[metric]
    lower, upper = result.intervals["model"][metric]
    summary = (
        f"On {len(result.labels):,} rows ({result.split} of {result.data}) "
        f"{verb} {percent(value)} "
        f"(95 % interval {percent(lower)} to {percent(upper)})"
    )
    rivals = {
        name: scores
        for name, scores in result.baselines.items()
        if name not in (RECURRENT, WIDE, NB, TFIDF)
    }
    if not rivals:
        return f"{summary}."
    name, best = max(rivals.items(), key=lambda item: item[1][metric])
    difference = 100 * (value - best[metric])
    return (
        f"{summary}; the best baseline, {result.systems.get(name, name)}, "
        f"{joined}{percent(best[metric])}: {abs(difference):.1f} percentage points "
        f"{'above' if difference >= 0 else 'below'} it."
    )


def _add_meaning_of_metrics(report: Report) -> None:
    report.text(
        "NLL is the mean negative log-likelihood of the labels, in nats. ECE is the "
        "expected calibration error: how far, on average, the stated confidence is "
        "from the fraction of right answers."
    )


def _add_classes(result: SentimentResult, report: Report) -> None:
    classes = result.classes
    report.section("By class")
    if result.thresholds is not None:
        named = zip(classes, result.thresholds, strict=True)
        report.text(
            "A text gets the class whose probability is largest beside its threshold: "
            + ", ".join(f"{name} {threshold:.3f}" for name, threshold in named)
            + "."
        )
    lettered = "and the rows" if len(classes) <= COUNTED_CLASSES else "in percent"
    report.figure(
        "Confusion matrix",
        functools.partial(draw_confusion, result.confusion, classes),
        "Each line is a true class and shows what its rows were taken for: the "
        f"fraction of the line {lettered}.",
        name="confusion_matrix",
        description=describe_confusion(result.confusion, classes),
    )
    precision, recall, scores, rows = precision_recall_fscore_support(
        result.labels,
        result.predicted,
        labels=range(len(classes)),
        zero_division=0,
    )
    report.table(
        "Scores of each class",
        ["Class", "Rows", "Precision", "Recall", "F1"],
        [
            [
                numbered_name(index, classes),
                int(rows[index]),
                f"{precision[index]:.3f}",
                f"{recall[index]:.3f}",
                f"{scores[index]:.3f}",
            ]
            for index in range(len(classes))
        ],
    )


def _add_calibration(result: SentimentResult, report: Report) -> None:
    report.section("Calibration")
    report.text(
        f"Dividing the logits by the temperature {result.temperature:.3f}, fitted on "
        f"the validation rows, {result.calibrated}. Points on the diagonal are as "
        "often right as they claim; below it the model is too sure of itself, above it "
        "not sure enough."
    )
    for stage, probabilities in (
        ("Before", result.uncalibrated),
        ("After", result.probabilities),
    ):
        curve = result.reliability(probabilities)
        report.figure(
            f"{stage} temperature scaling",
            functools.partial(
                draw_reliability, curve, len(result.classes), result.axes
            ),
            result.points,
            name=f"reliability_{stage.lower()}",
            description=describe_reliability(curve),
        )
    report.metrics_table(
        "Temperature scaling",
        [metric for metric in result.columns if metric.key in ("nll", "ece")],
        [
            Scores("Before temperature scaling", result.uncalibrated_metrics),
            Scores("After temperature scaling", result.model),
        ],
        compared="Probabilities",
    )


def _add_lengths(result: SentimentResult, report: Report) -> None:
    report.section("By length of the text")
    if result.right:
        report.text(result.right)
    table = result.by_length
    names = [
        f"{shortest:,}"
        if shortest == longest
        else f"{shortest:,}\N{EN DASH}{longest:,}"
        for shortest, longest in zip(table["shortest"], table["longest"], strict=True)
    ]
    report.figure(
        "Accuracy by length",
        functools.partial(draw_lengths, table, names),
        "Texts sorted by their number of tokens, in parts of about the same number of "
        "rows, with 95 % intervals.",
        name="accuracy_by_length",
        description="Accuracy by number of tokens; the table has the numbers.",
    )
    report.table(
        "Accuracy by number of tokens",
        ["Tokens", "Rows", "Accuracy", "95 % interval"],
        [
            [
                name,
                int(table["rows"][index]),
                f"{table['accuracy'][index]:.3f}",
                f"{table['lower'][index]:.3f} to {table['upper'][index]:.3f}",
            ]
            for index, name in enumerate(names)
        ],
    )


def _add_mistakes(result: SentimentResult, report: Report) -> None:
    report.section("Worst mistakes")
    wrong = np.flatnonzero(result.predicted != result.labels)
    if len(wrong) == 0:
        report.text("There is none: every row of this split was predicted right.")
        return
    confidence = result.probabilities[wrong, result.predicted[wrong]]
    worst = np.argsort(-confidence, kind="stable")[:MISTAKES]
    report.text(
        f"{len(wrong):,} of {len(result.labels):,} rows were predicted wrong; here are "
        "those where the model was most sure. Some may be mistakes in the labels."
    )
    entries = []
    for row, probability in zip(wrong[worst], confidence[worst], strict=True):
        true = result.classes[result.labels[row]]
        predicted = result.classes[result.predicted[row]]
        line = (
            f"{true} taken for {predicted}, with probability {probability:.3f} "
            f"(row {row + 1:,} of the split)"
        )
        entries.append((line, excerpt(result.rows.texts[row])))
    report.excerpts("", entries)


def _add_data(texts: LabelledTexts, report: Report) -> None:
    classes = texts.classes
    splits = {name: split.labels for name, split in texts.splits.items()}
    counts = {name: rows_by_class(splits[name], len(classes)) for name in splits}
    rows: list[list[object]] = [
        [
            numbered_name(index, classes),
            *(_count_and_fraction(counts[n][index], len(splits[n])) for n in splits),
        ]
        for index in range(len(classes))
    ]
    if sets := texts.label_sets().values():
        none = (_count_and_fraction(int(n["no_label"]), int(n["rows"])) for n in sets)
        rows.append(["No label", *none])
    rows.append(["All", *(f"{len(labels):,}" for labels in splits.values())])
    report.table("Rows by class and split", ["Class", *splits], rows)


def _count_and_fraction(count: int, rows: int) -> Cell:
    return Cell(f"{count:,}", note=f"({percent(count / max(1, rows))})")


def excerpt(text: str) -> str:
    """Of a long text the beginning and the end, without HTML's line breaks."""
    for line_break in _LINE_BREAKS:
        text = text.replace(line_break, " ")
    return shortened(text, _EXCERPT_LENGTH, _EXCERPT_TAIL)
