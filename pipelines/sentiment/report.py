"""The report of a sentiment model: how good, how sure, where wrong."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas
from matplotlib.figure import Figure
from sklearn.metrics import (
    precision_recall_fscore_support,
)

from ..reporting import (
    BLUE,
    GREY,
    Cell,
    Metric,
    Report,
    Scores,
    flattened,
    font_families,
    is_drawable,
    new_figure,
    shortened,
)
from ..training_section import add_training
from .metrics import (
    accuracy_by_length,
    classification_metrics,
    confusion_matrix,
    reliability_curve,
)

METRICS = (
    Metric("accuracy", "Accuracy"),
    Metric("macro_f1", "Macro F1"),
    Metric("roc_auc", "ROC AUC"),
    Metric("nll", "NLL", higher_is_better=False),
    Metric("ece", "ECE", higher_is_better=False),
)
BASELINE_NAMES = {
    "majority": "Majority class",
    "tfidf_logistic_regression": "tf-idf + logistic regression",
    "nb_logistic_regression": "NB n-grams + logistic regression",
}

_LEARNING_CURVES = {"loss": "Loss", "accuracy": "Accuracy while training"}
_MISTAKES = 12
_EXCERPT_LENGTH = 700
# Where a text is shortened, its end is what tells a review's verdict.
_EXCERPT_TAIL = 0.65
_LISTED_BAD_ROWS = 50
_COUNTED_CLASSES = 12
_LETTERED_CLASSES = 25

Intervals = Mapping[str, tuple[float, float]]


def write_sentiment_report(
    directory: Path,
    *,
    data: str,
    split: str,
    classes: Sequence[str],
    texts: Sequence[str],
    labels: np.ndarray,
    probabilities: np.ndarray,
    uncalibrated_probabilities: np.ndarray,
    temperature: float,
    lengths: np.ndarray,
    metrics: Mapping[str, float],
    intervals: Intervals,
    baselines: Mapping[str, Mapping[str, float]],
    baseline_intervals: Mapping[str, Intervals],
    class_counts: Mapping[str, Sequence[int]],
    facts: Mapping[str, Any],
    configuration: Mapping[str, Any],
    history: pandas.DataFrame | None = None,
    bad_rows: Sequence[str] = (),
) -> None:
    """Writes `report.html` and `figures/` into the directory.

    Args:
        directory: For example a run's.
        data: The spec of the data.
        split: The name of the split that is reported.
        classes: `C` names.
        texts: `N` texts of the split.
        labels: int `[N]`.
        probabilities: `[N, C]`, after temperature scaling.
        uncalibrated_probabilities: `[N, C]`, before it.
        temperature: What the logits were divided by.
        lengths: int `[N]`, tokens of each text.
        metrics: The model's, as of `classification_metrics`.
        intervals: The model's, as of `bootstrap_intervals`.
        baselines: Metrics by baseline.
        baseline_intervals: Intervals by baseline; may lack some.
        class_counts: By split, the rows of each class.
        facts: What else there is to say of the data, by a name for people or nested:
            duplicates, padded share, and so on.
        configuration: As in config.yaml, nested.
        history: A row per epoch with `epoch` and, as far as there, `loss`,
            `val_loss`, `accuracy`, `val_accuracy`, `seconds`.
        bad_rows: A line on each row that could not be read.
    """
    report = Report(
        f"Sentiment: {data}",
        _summary(data, split, len(labels), metrics, intervals, baselines),
    )
    _add_results(report, metrics, intervals, baselines, baseline_intervals)
    _add_classes(report, classes, labels, probabilities)
    _add_calibration(
        report, labels, probabilities, uncalibrated_probabilities, temperature
    )
    _add_lengths(report, lengths, probabilities.argmax(axis=1) == labels)
    _add_mistakes(report, classes, texts, labels, probabilities)
    if history is not None and len(history):
        add_training(report, history, _LEARNING_CURVES)
    _add_data(report, classes, class_counts, facts, bad_rows)
    report.section("Configuration")
    report.key_values("", flattened(configuration))
    report.write(directory)


def _summary(
    data: str,
    split: str,
    rows: int,
    metrics: Mapping[str, float],
    intervals: Intervals,
    baselines: Mapping[str, Mapping[str, float]],
) -> str:
    told = f"On {rows:,} rows ({split} of {data}) the model is right in "
    told += _percent(metrics["accuracy"])
    if "accuracy" in intervals:
        lower, upper = intervals["accuracy"]
        told += f" (95 % interval {_percent(lower)} to {_percent(upper)})"
    if not baselines:
        return told + "."
    best = max(baselines, key=lambda name: baselines[name]["accuracy"])
    accuracy = baselines[best]["accuracy"]
    difference = 100 * (metrics["accuracy"] - accuracy)
    return (
        f"{told}; the best baseline, {_baseline_name(best)}, in {_percent(accuracy)}: "
        f"{abs(difference):.1f} percentage points "
        f"{'above' if difference >= 0 else 'below'} it."
    )


def _add_results(
    report: Report,
    metrics: Mapping[str, float],
    intervals: Intervals,
    baselines: Mapping[str, Mapping[str, float]],
    baseline_intervals: Mapping[str, Intervals],
) -> None:
    report.section("Results")
    systems = [Scores("This model", metrics, intervals, is_own=True)]
    systems += [
        Scores(_baseline_name(name), values, baseline_intervals.get(name, {}))
        for name, values in baselines.items()
    ]
    report.metrics_table("Model and baselines", METRICS, systems)
    report.text(
        "NLL is the mean negative log-likelihood of the labels, in nats. ECE is the "
        "expected calibration error: how far, on average, the stated confidence is "
        "from the share of right answers."
    )


def _add_classes(
    report: Report,
    classes: Sequence[str],
    labels: np.ndarray,
    probabilities: np.ndarray,
) -> None:
    report.section("By class")
    counts = confusion_matrix(labels, probabilities)
    counted = len(classes) <= _COUNTED_CLASSES
    report.figure(
        "Confusion matrix",
        _draw_confusion(counts, classes),
        "Each line is a true class and shows what its rows were taken for: the share "
        f"of the line {'and the rows' if counted else 'in percent'}.",
        name="confusion_matrix",
        description=_describe_confusion(counts, classes),
    )
    precision, recall, scores, rows = precision_recall_fscore_support(
        labels,
        probabilities.argmax(axis=1),
        labels=range(len(classes)),
        zero_division=0,
    )
    report.table(
        "Scores of each class",
        ["Class", "Rows", "Precision", "Recall", "F1"],
        [
            [
                _numbered(index, name, classes),
                int(rows[index]),
                f"{precision[index]:.3f}",
                f"{recall[index]:.3f}",
                f"{scores[index]:.3f}",
            ]
            for index, name in enumerate(classes)
        ],
    )


def _add_calibration(
    report: Report,
    labels: np.ndarray,
    probabilities: np.ndarray,
    uncalibrated_probabilities: np.ndarray,
    temperature: float,
) -> None:
    report.section("Calibration")
    report.text(
        f"Dividing the logits by the temperature {temperature:.3f}, fitted on the "
        "validation rows, makes the stated probabilities as likely as can be. It "
        "changes no predicted class. Points on the diagonal are as often right as "
        "they claim; below it the model is too sure of itself, above it not sure "
        "enough."
    )
    stages = {
        "Before temperature scaling": uncalibrated_probabilities,
        "After temperature scaling": probabilities,
    }
    for name, stage in stages.items():
        report.figure(
            name,
            _draw_reliability(reliability_curve(labels, stage), stage.shape[1]),
            "Points: accuracy by confidence. Bars: share of the rows.",
            name=f"reliability_{name.split()[0].lower()}",
            description=_describe_reliability(labels, stage),
        )
    report.metrics_table(
        "Temperature scaling",
        [metric for metric in METRICS if metric.key in ("nll", "ece")],
        [
            Scores(name, classification_metrics(labels, stage))
            for name, stage in stages.items()
        ],
        compared="Probabilities",
    )


def _add_lengths(report: Report, lengths: np.ndarray, correct: np.ndarray) -> None:
    report.section("By length of the text")
    table = accuracy_by_length(lengths, correct)
    names = [
        f"{shortest:,}"
        if shortest == longest
        else f"{shortest:,}\N{EN DASH}{longest:,}"
        for shortest, longest in zip(table["shortest"], table["longest"], strict=True)
    ]
    report.figure(
        "Accuracy by length",
        _draw_lengths(table, names),
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
                names[index],
                int(table["rows"][index]),
                f"{table['accuracy'][index]:.3f}",
                f"{table['lower'][index]:.3f} to {table['upper'][index]:.3f}",
            ]
            for index in range(len(table))
        ],
    )


def _add_mistakes(
    report: Report,
    classes: Sequence[str],
    texts: Sequence[str],
    labels: np.ndarray,
    probabilities: np.ndarray,
) -> None:
    report.section("Worst mistakes")
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    if len(wrong) == 0:
        report.text("There is none: every row of this split was predicted right.")
        return
    order = np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")
    worst = wrong[order][:_MISTAKES]
    report.text(
        f"{len(wrong):,} of {len(labels):,} rows were predicted wrong; here are those "
        "where the model was most sure. Some may be mistakes in the labels."
    )
    entries = []
    for row in worst:
        true, taken_for = classes[labels[row]], classes[predicted[row]]
        line = (
            f"{true} taken for {taken_for}, with probability "
            f"{probabilities[row, predicted[row]]:.3f} (row {row + 1:,} of the split)"
        )
        entries.append((line, _excerpt(texts[row])))
    report.excerpts("", entries)


def _add_data(
    report: Report,
    classes: Sequence[str],
    class_counts: Mapping[str, Sequence[int]],
    facts: Mapping[str, Any],
    bad_rows: Sequence[str],
) -> None:
    report.section("Data")
    rows: list[list[object]] = [
        [
            _numbered(index, name, classes),
            *(_count_and_share(counts, index) for counts in class_counts.values()),
        ]
        for index, name in enumerate(classes)
    ]
    rows.append(["All", *(f"{sum(counts):,}" for counts in class_counts.values())])
    report.table("Rows by class and split", ["Class", *class_counts], rows)
    if facts:
        report.key_values("", flattened(facts))
    if bad_rows:
        report.table(
            f"Rows that could not be read: {len(bad_rows):,}",
            ["Row"],
            [[line] for line in bad_rows[:_LISTED_BAD_ROWS]],
            note=(
                f"The first {_LISTED_BAD_ROWS} of them."
                if len(bad_rows) > _LISTED_BAD_ROWS
                else ""
            ),
        )


def _draw_confusion(counts: np.ndarray, classes: Sequence[str]) -> Figure:
    number = len(classes)
    names = [_drawn_name(index, name, classes) for index, name in enumerate(classes)]
    side = min(max(3.2, 0.42 * number + 1.2), 10.0)
    figure, axes = new_figure(side + 1.4, side + 0.6)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    upright = number > 4 or max(map(len, names)) > 10
    # A dollar sign in a name is no formula.
    lettering: dict[str, Any] = {"fontfamily": font_families(), "parse_math": False}
    size = 10 if number <= _COUNTED_CLASSES else 9
    axes.set_xticks(
        range(number),
        names,
        rotation=45 if upright else 0,
        ha="right" if upright else "center",
        rotation_mode="anchor" if upright else None,
        fontsize=size,
        **lettering,
    )
    axes.set_yticks(range(number), names, fontsize=size, **lettering)
    axes.tick_params(length=0, colors="#1a1f26")
    axes.set_xlabel("Predicted")
    axes.set_ylabel("True")
    if number <= _LETTERED_CLASSES:
        _letter_confusion(axes, counts, shares)
    return figure


def _letter_confusion(axes: Any, counts: np.ndarray, shares: np.ndarray) -> None:
    number = len(counts)
    for line, column in np.ndindex(*counts.shape):
        if number > _COUNTED_CLASSES:
            if counts[line, column] == 0:
                continue
            text, size = f"{100 * shares[line, column]:.0f}", 8.5
        else:
            text = f"{_percent(float(shares[line, column]))}\n{counts[line, column]:,}"
            size = 11 if number <= 4 else 7.5
        axes.text(
            column,
            line,
            text,
            ha="center",
            va="center",
            fontsize=size,
            color="white" if shares[line, column] > 0.55 else "#1a1f26",
        )


def _draw_reliability(curve: pandas.DataFrame, number_of_classes: int) -> Figure:
    figure, axes = new_figure(4.8, 4.2)
    axes.bar(
        curve["lower"],
        curve["rows"] / curve["rows"].sum(),
        curve["upper"] - curve["lower"],
        align="edge",
        color="#dfe5ec",
        edgecolor="white",
    )
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
    axes.plot(
        curve["confidence"], curve["accuracy"], color=BLUE, marker="o", linewidth=1.8
    )
    axes.set_xlim(min(1 / number_of_classes, curve["lower"].min()) - 0.01, 1.01)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("Confidence")
    axes.set_ylabel("Accuracy")
    return figure


def _draw_lengths(table: pandas.DataFrame, names: Sequence[str]) -> Figure:
    figure, axes = new_figure(5.2, 3.4)
    places = np.arange(len(table))
    # Wilson's interval may end at the estimate, which rounding can put beyond it.
    below = np.maximum(table["accuracy"] - table["lower"], 0)
    above = np.maximum(table["upper"] - table["accuracy"], 0)
    axes.errorbar(
        places,
        table["accuracy"],
        yerr=[below, above],
        color=BLUE,
        marker="o",
        linestyle="none",
        capsize=4,
    )
    axes.set_xticks(places, names)
    axes.set_xlim(-0.5, len(table) - 0.5)
    axes.grid(False, axis="x")
    axes.set_xlabel("Tokens")
    axes.set_ylabel("Accuracy")
    return figure


def _describe_confusion(counts: np.ndarray, classes: Sequence[str]) -> str:
    if len(classes) > 4:
        right = int(counts.trace())
        return f"Confusion matrix: {right:,} of {counts.sum():,} rows on its diagonal."
    parts = [
        f"{counts[line, column]:,} {true} taken for {predicted}"
        for line, true in enumerate(classes)
        for column, predicted in enumerate(classes)
    ]
    return f"Confusion matrix: {'; '.join(parts)}."


def _describe_reliability(labels: np.ndarray, probabilities: np.ndarray) -> str:
    curve = reliability_curve(labels, probabilities)
    parts = [f"{row.confidence:.2f}: {row.accuracy:.2f}" for row in curve.itertuples()]
    return f"Accuracy by confidence: {', '.join(parts)}."


def _baseline_name(name: str) -> str:
    return BASELINE_NAMES.get(name, name.replace("_", " "))


def _numbered(index: int, name: str, classes: Sequence[str]) -> str:
    """The name, with the number that stands for it in the figure, if one does."""
    drawn = _drawn_name(index, name, classes)
    return f"{drawn}: {name}" if drawn == str(index + 1) != name else name


def _drawn_name(index: int, name: str, classes: Sequence[str]) -> str:
    """The name as a figure can show it; a number where no font has its letters."""
    if not all(is_drawable(each) for each in classes):
        return str(index + 1)
    return name if len(name) <= 20 else name[:19].rstrip() + "…"


def _count_and_share(counts: Sequence[int], index: int) -> Cell:
    total = sum(counts)
    share = counts[index] / total if total else 0.0
    return Cell(f"{counts[index]:,}", note=f"({_percent(share)})")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def _excerpt(text: str) -> str:
    for line_break in ("<br />", "<br/>", "<br>"):
        text = text.replace(line_break, " ")
    return shortened(text, _EXCERPT_LENGTH, _EXCERPT_TAIL)
