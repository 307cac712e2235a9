"""The figures of a sentiment report, and their descriptions in words."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas
from matplotlib.figure import Figure

from ..reporting.page import BLUE, GREY, font_families, is_drawable, new_figure

# With more classes a matrix has no room for counts, with still more for no lettering.
COUNTED_CLASSES = 12
_LETTERED_CLASSES = 25


def draw_confusion(counts: np.ndarray, classes: Sequence[str]) -> Figure:
    """The matrix, coloured and lettered by the fractions of its lines."""
    number = len(classes)
    names = [drawn_name(index, classes) for index in range(number)]
    side = min(max(3.2, 0.42 * number + 1.2), 10.0)
    figure, axes = new_figure(side + 1.4, side + 0.6)
    totals = counts.sum(axis=1, keepdims=True)
    fractions = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    upright = number > 4 or max(map(len, names)) > 10
    # A dollar sign in a name is no formula.
    lettering: dict[str, Any] = {"fontfamily": font_families(), "parse_math": False}
    size = 10 if number <= COUNTED_CLASSES else 9
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
        _letter_confusion(axes, counts, fractions)
    return figure


def _letter_confusion(axes: Any, counts: np.ndarray, fractions: np.ndarray) -> None:
    number = len(counts)
    for line, column in np.ndindex(*counts.shape):
        fraction = float(fractions[line, column])
        if number > COUNTED_CLASSES:
            if counts[line, column] == 0:
                continue
            text, size = f"{100 * fraction:.0f}", 8.5
        else:
            text = f"{percent(fraction)}\n{counts[line, column]:,}"
            size = 11 if number <= 4 else 7.5
        axes.text(
            column,
            line,
            text,
            ha="center",
            va="center",
            fontsize=size,
            color="white" if fraction > 0.55 else "#1a1f26",
        )


def describe_confusion(counts: np.ndarray, classes: Sequence[str]) -> str:
    """The matrix in words."""
    if len(classes) > 4:
        right = int(counts.trace())
        return f"Confusion matrix: {right:,} of {counts.sum():,} rows on its diagonal."
    parts = [
        f"{counts[line, column]:,} {true} taken for {predicted}"
        for line, true in enumerate(classes)
        for column, predicted in enumerate(classes)
    ]
    return f"Confusion matrix: {'; '.join(parts)}."


def draw_reliability(
    curve: pandas.DataFrame,
    number_of_classes: int,
    names: tuple[str, str] = ("Confidence", "Accuracy"),
) -> Figure:
    """Accuracy by confidence, over the fractions of the rows in the bins."""
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
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    return figure


def describe_reliability(curve: pandas.DataFrame) -> str:
    """The curve in words."""
    parts = [f"{row.confidence:.2f}: {row.accuracy:.2f}" for row in curve.itertuples()]
    return f"Accuracy by confidence: {', '.join(parts)}."


def draw_lengths(table: pandas.DataFrame, names: Sequence[str]) -> Figure:
    """Accuracies with their intervals, by named bins of lengths."""
    figure, axes = new_figure(5.2, 3.4)
    positions = np.arange(len(table))
    # Wilson's interval may end at the estimate, which rounding can put beyond it.
    below = np.maximum(table["accuracy"] - table["lower"], 0)
    above = np.maximum(table["upper"] - table["accuracy"], 0)
    axes.errorbar(
        positions,
        table["accuracy"],
        yerr=[below, above],
        color=BLUE,
        marker="o",
        linestyle="none",
        capsize=4,
    )
    axes.set_xticks(positions, names)
    axes.set_xlim(-0.5, len(table) - 0.5)
    axes.grid(False, axis="x")
    axes.set_xlabel("Tokens")
    axes.set_ylabel("Accuracy")
    return figure


def drawn_name(index: int, classes: Sequence[str]) -> str:
    """A class's name as a figure can show it; a number if no font has its letters."""
    if not all(is_drawable(name) for name in classes):
        return str(index + 1)
    name = classes[index]
    return name if len(name) <= 20 else name[:19].rstrip() + "…"


def numbered_name(index: int, classes: Sequence[str]) -> str:
    """The name, after the number that stands for it in figures, if one does."""
    drawn, name = drawn_name(index, classes), classes[index]
    return f"{drawn}: {name}" if drawn == str(index + 1) != name else name


def percent(fraction: float) -> str:
    """With one digit after the point, and the sign."""
    return f"{100 * fraction:.1f}\N{NO-BREAK SPACE}%"
