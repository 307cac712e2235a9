"""The section of a report on how training went, whatever the task."""

import functools
from collections.abc import Mapping

import pandas
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .page import GREY, ORANGE, Report, new_figure


def add_training(
    report: Report, history: pandas.DataFrame, curves: Mapping[str, str]
) -> None:
    """Adds the section: a learning curve of each column, and how long it took.

    Args:
        report: To which it is added.
        history: A row per epoch with `epoch` and, as far as there, `seconds`, columns
            of the training part, and those of validation, `val_loss` etc.
        curves: Heading by column of the training part.
    """
    report.section("Training")
    for column, heading in curves.items():
        lines = {
            name: history[each]
            for name, each in (("training", column), ("validation", f"val_{column}"))
            if each in history
        }
        if lines:
            ends = "; ".join(
                f"{name} from {values.iloc[0]:.4g} to {values.iloc[-1]:.4g}"
                for name, values in lines.items()
            )
            report.figure(
                heading,
                functools.partial(
                    _draw_learning_curve, history["epoch"], lines, heading
                ),
                name=f"learning_curve_{column}",
                description=f"{heading} by epoch, {len(history)} in all: {ends}.",
            )
    if "seconds" in history:
        total = history["seconds"].sum()
        report.text(
            f"{len(history):,} epochs in {total:,.0f} seconds, "
            f"{total / len(history):,.1f} seconds each."
        )


def _draw_learning_curve(
    epochs: pandas.Series, lines: Mapping[str, pandas.Series], label: str
) -> Figure:
    figure, axes = new_figure()
    styles = {"training": (GREY, "--"), "validation": (ORANGE, "-")}
    for name, values in lines.items():
        color, style = styles[name]
        axes.plot(
            epochs,
            values,
            label=name,
            color=color,
            linestyle=style,
            marker="o",
            markersize=4,
            linewidth=1.8,
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("Epoch")
    axes.set_ylabel(label)
    axes.legend(frameon=False)
    return figure
