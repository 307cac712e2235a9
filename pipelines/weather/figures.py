"""The figures of a report on forecasts that show scores and data as a whole."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from ..reporting import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    font_families,
    new_figure,
)
from .diagnostics import (
    MissingMap,
    QuantileShares,
    ShiftedFit,
)

DARK = "#1a1f26"
_PURPLE = "#9a4f86"
# The model's first; told apart by their dashes too.
_LINES: tuple[dict[str, Any], ...] = (
    {"color": BLUE, "linestyle": "-", "linewidth": 2.4, "zorder": 3},
    {"color": ORANGE, "linestyle": "--", "linewidth": 1.7},
    {"color": GREEN, "linestyle": "-.", "linewidth": 1.7},
    {"color": GREY, "linestyle": ":", "linewidth": 2.0},
    {"color": _PURPLE, "linestyle": (0, (6, 1.5, 1, 1.5, 1, 1.5)), "linewidth": 1.7},
)
MARKED_POINTS = 13
# Up to the longest shift that is told in hours.
_HOURS = (0.5, 1, 2, 3, 6, 12, 24)
_MARKS = 9


def draw_systems(
    places: np.ndarray | Sequence[str],
    lines: Mapping[str, np.ndarray],
    x_name: str,
    x_unit: str,
    y_label: str,
) -> Figure:
    """A line for each system, the model's first.

    Args:
        places: `P` numbers or names, where the values stand.
        lines: `[P]` by system's name, NaN where there is no value.
        x_name: What the places are.
        x_unit: Of the places, empty for names.
        y_label: With its unit.
    """
    figure, axes = new_figure(5.2, 4.2)
    for number, (name, values) in enumerate(lines.items()):
        axes.plot(
            places,
            values,
            label=name,
            marker="o" if len(places) <= MARKED_POINTS else None,
            markersize=5 if number == 0 else 3.5,
            **_LINES[number % len(_LINES)],
        )
    axes.margins(x=0.06)
    axes.set_ylim(bottom=0)
    label_axes(axes, x_name, y_label)
    if x_unit:
        _label_times(axes, x_name, x_unit)
    legend_above(figure, axes)
    return figure


def draw_coverage(shares: QuantileShares) -> Figure:
    """Stated levels against observed shares, in percent."""
    figure, axes = new_figure(4.8, 4.4)
    axes.plot([0, 100], [0, 100], color=GREY, linewidth=1, linestyle=":")
    levels = 100 * np.asarray(shares.levels)
    if shares.uncorrected is not None:
        axes.plot(
            levels,
            100 * shares.uncorrected,
            label="before the correction",
            color=ORANGE,
            linestyle="--",
            marker="s",
            linewidth=1.6,
        )
    axes.plot(
        levels,
        100 * shares.observed,
        label="after it" if shares.uncorrected is not None else "observed",
        color=BLUE,
        marker="o",
        linewidth=2,
    )
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_aspect("equal")
    label_axes(axes, "Stated level (%)", "Truths at or below it (%)")
    axes.legend(frameon=False, fontsize=10, loc="upper left")
    return figure


def draw_coverage_by_lead(
    leads: np.ndarray, shares: Mapping[int, np.ndarray], unit: str
) -> Figure:
    """The share of truths in each central interval by lead, beside the stated one.

    Args:
        leads: `[H]`.
        shares: `[H]` by the percentage that the interval states.
        unit: Of the leads.
    """
    figure, axes = new_figure(5.2, 4.2)
    for number, (stated, values) in enumerate(shares.items()):
        line = _LINES[number % len(_LINES)]
        axes.plot(leads, 100 * values, label=f"{stated} % interval", **line)
        axes.axhline(stated, color=line["color"], linewidth=0.9, linestyle=":")
    axes.set_ylim(0, 100)
    label_axes(axes, "", "Truths inside (%)")
    _label_times(axes, "Lead time", unit)
    legend_above(figure, axes)
    return figure


def draw_fit_by_shift(
    fit: ShiftedFit, labels: Sequence[str], shifts: np.ndarray, unit: str
) -> Figure:
    """The correlation of forecast and truth by the shift between them.

    Args:
        fit: Of `T` targets.
        labels: Names of the first targets: those that are drawn.
        shifts: `[S]`, those of the fit in this unit.
        unit: Of time.
    """
    figure, axes = new_figure(5.2, 4.2)
    at_lead = float(shifts[np.flatnonzero(fit.shifts == -fit.lead)[0]])
    axes.axvline(0, color=DARK, linewidth=1)
    axes.axvline(at_lead, color=DARK, linewidth=1, linestyle="--")
    for target, label in enumerate(labels):
        line = _LINES[target % len(_LINES)]
        axes.plot(shifts, fit.correlations[:, target], label=label, **line)
        best = fit.best(target)
        if best is not None:
            place = float(shifts[np.flatnonzero(fit.shifts == best)[0]])
            axes.plot(place, fit.at(best, target), marker="o", color=line["color"])
    for place, name in ((0.0, " no shift"), (at_lead, " the lead")):
        axes.text(
            place,
            0.02,
            name,
            transform=axes.get_xaxis_transform(),
            fontsize=10,
            color=DARK,
        )
    label_axes(axes, "", "Correlation with the truth")
    _label_times(axes, "Forecasts moved by", unit)
    legend_above(figure, axes)
    return figure


def draw_missing(missing: MissingMap, names: Sequence[str]) -> Figure:
    """The share of missing values by time and variable, with the splits.

    Args:
        missing: Of `F` variables.
        names: Theirs, as they can be drawn.
    """
    figure, axes = new_figure(5.6, 1.5 + 0.24 * max(len(names), 3))
    axes.grid(False)
    axes.set_facecolor("#f4f6f8")
    there = np.ma.masked_equal(missing.shares, 0)
    mesh = axes.pcolormesh(
        missing.edges,
        np.arange(len(names) + 1) - 0.5,
        100 * there.T,
        cmap="YlOrRd",
        # A little that is missing is to be seen too, so the palest colours are cut off.
        norm=PowerNorm(0.5, vmin=-20, vmax=100),
    )
    axes.set_yticks(
        range(len(names)),
        names,
        fontfamily=font_families(),
        parse_math=False,
        fontsize=9,
    )
    axes.set_ylim(len(names) - 0.5, -0.5)
    ends = [*list(missing.starts.values())[1:], missing.edges[-1]]
    for number, (name, start) in enumerate(missing.starts.items()):
        end = ends[number]
        axes.axvline(in_days(start), color=DARK, linewidth=1)
        axes.text(
            in_days(start + (end - start) / 2),
            1.01,
            # Every other one stands higher, since a part may be narrow.
            name + "\n" * (number % 2),
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=9.5,
        )
    time_axis(axes)
    bar = figure.colorbar(mesh, ax=axes, pad=0.02, boundaries=np.linspace(0, 100, 101))
    bar.set_ticks(range(0, 101, 20))
    bar.set_label("Missing (%)", fontsize=10)
    bar.ax.tick_params(labelsize=9)
    bar.outline.set_visible(False)
    return figure


def _label_times(axes: Axes, name: str, unit: str) -> None:
    """Names the axis; hours are marked as days are divided, not by fives and tens."""
    axes.set_xlabel(f"{name} ({unit})")
    low, high = axes.get_xlim()
    if unit == "h":
        steps = [step for step in _HOURS if (high - low) / step <= _MARKS]
        axes.xaxis.set_major_locator(MultipleLocator(steps[0]))


def label_axes(axes: Axes, x_label: str, y_label: str) -> None:
    lettering: dict[str, Any] = {"fontfamily": font_families(), "parse_math": False}
    axes.set_xlabel(x_label, **lettering)
    axes.set_ylabel(y_label, **lettering)


def legend_above(figure: Figure, axes: Axes) -> None:
    """A legend that covers no line; two columns fit the width of a phone."""
    handles, names = axes.get_legend_handles_labels()
    legend = figure.legend(
        handles, names, loc="outside upper left", ncols=2, frameon=False, fontsize=10
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
        text.set_fontfamily(font_families())


def time_axis(axes: Axes) -> None:
    locator = AutoDateLocator(minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_xlabel("Time")


def in_days(time: np.datetime64) -> float:
    """As matplotlib counts time."""
    return float(time.astype("datetime64[s]").astype(np.int64) / 86_400)
