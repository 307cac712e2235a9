"""The figures of a report on forecasts: scores, data, and single forecasts."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator

from ..reporting.page import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    font_families,
    in_style,
    new_figure,
)
from .diagnostics import (
    ExampleForecast,
    MissingMap,
    ObservedLevels,
    ShiftedFit,
    SuccessiveForecasts,
)
from .directions import TURN
from .metrics import central_intervals

_DARK = "#1a1f26"
_PURPLE = "#9a4f86"
# The model's first; their dashes differ too.
_LINES: tuple[dict[str, Any], ...] = (
    {"color": BLUE, "linestyle": "-", "linewidth": 2.4, "zorder": 3},
    {"color": ORANGE, "linestyle": "--", "linewidth": 1.7},
    {"color": GREEN, "linestyle": "-.", "linewidth": 1.7},
    {"color": GREY, "linestyle": ":", "linewidth": 2.0},
    {"color": _PURPLE, "linestyle": (0, (6, 1.5, 1, 1.5, 1, 1.5)), "linewidth": 1.7},
)
_MARKED_POINTS = 13
# Up to the longest shift that is shown in hours.
_HOURS = (0.5, 1, 2, 3, 6, 12, 24)
_MARKS = 9
_BANDS = ("#c9dff0", "#94c1e2", "#5fa2d3")
_GROUPS = 12


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
            marker="o" if len(places) <= _MARKED_POINTS else None,
            markersize=5 if number == 0 else 3.5,
            **_LINES[number % len(_LINES)],
        )
    axes.margins(x=0.06)
    axes.set_ylim(bottom=0)
    _label_axes(axes, x_name, y_label)
    if x_unit:
        _label_times(axes, x_name, x_unit)
    _legend_above(figure, axes)
    return figure


def draw_coverage(levels: ObservedLevels) -> Figure:
    """Stated levels against observed ones, in percent."""
    figure, axes = new_figure(4.8, 4.4)
    axes.plot([0, 100], [0, 100], color=GREY, linewidth=1, linestyle=":")
    stated = 100 * np.asarray(levels.levels)
    if levels.uncorrected is not None:
        axes.plot(
            stated,
            100 * levels.uncorrected,
            label="before the correction",
            color=ORANGE,
            linestyle="--",
            marker="s",
            linewidth=1.6,
        )
    axes.plot(
        stated,
        100 * levels.observed,
        label="after it" if levels.uncorrected is not None else "observed",
        color=BLUE,
        marker="o",
        linewidth=2,
    )
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_aspect("equal")
    _label_axes(axes, "Stated level (%)", "Truths at or below it (%)")
    axes.legend(frameon=False, fontsize=10, loc="upper left")
    return figure


def draw_coverage_by_lead(
    leads: np.ndarray, inside: Mapping[str, np.ndarray], unit: str
) -> Figure:
    """The fraction of truths in each central interval by lead, beside the stated one.

    Args:
        leads: `[H]`.
        inside: `[H]` by the percentage that the interval states.
        unit: Of the leads.
    """
    figure, axes = new_figure(5.2, 4.2)
    for number, (stated, values) in enumerate(inside.items()):
        line = _LINES[number % len(_LINES)]
        axes.plot(leads, 100 * values, label=f"{stated} % interval", **line)
        axes.axhline(float(stated), color=line["color"], linewidth=0.9, linestyle=":")
    axes.set_ylim(0, 100)
    _label_axes(axes, "", "Truths inside (%)")
    _label_times(axes, "Lead time", unit)
    _legend_above(figure, axes)
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
    axes.axvline(0, color=_DARK, linewidth=1)
    axes.axvline(at_lead, color=_DARK, linewidth=1, linestyle="--")
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
            color=_DARK,
        )
    _label_axes(axes, "", "Correlation with the truth")
    _label_times(axes, "Forecasts moved by", unit)
    _legend_above(figure, axes)
    return figure


def draw_missing(missing: MissingMap, names: Sequence[str]) -> Figure:
    """The fraction of missing values by time and variable, with the splits.

    Args:
        missing: Of `F` variables.
        names: Theirs, as they can be drawn.
    """
    figure, axes = new_figure(5.6, 1.5 + 0.24 * max(len(names), 3))
    axes.grid(False)
    axes.set_facecolor("#f4f6f8")
    there = np.ma.masked_equal(missing.fractions, 0)
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
        axes.axvline(_in_days(start), color=_DARK, linewidth=1)
        axes.text(
            _in_days(start + (end - start) / 2),
            1.01,
            # Every other one stands higher, since a part may be narrow.
            name + "\n" * (number % 2),
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=9.5,
        )
    _time_axis(axes)
    bar = figure.colorbar(mesh, ax=axes, pad=0.02, boundaries=np.linspace(0, 100, 101))
    bar.set_ticks(range(0, 101, 20))
    bar.set_label("Missing (%)", fontsize=10)
    bar.ax.tick_params(labelsize=9)
    bar.outline.set_visible(False)
    return figure


def draw_example(
    example: ExampleForecast,
    labels: Sequence[str],
    levels: Sequence[float],
    directions: Sequence[int] = (),
) -> Figure:
    """The end of the history, the forecast with its bands, and what came true.

    Args:
        example: Of `T` targets.
        labels: Names with units of the first targets: those that are drawn.
        levels: Of the quantiles.
        directions: The numbers of the targets that are directions.
    """
    # More would leave too little room for the forecast.
    back = max(2 * len(example.times), 24)
    figure, panels = _panels(len(labels))
    for target, (axes, label) in enumerate(zip(panels, labels, strict=True)):
        _draw_truth(
            axes,
            np.concatenate([example.history_times[-back:], example.times]),
            np.concatenate([example.history[-back:, target], example.truth[:, target]]),
        )
        _draw_forecast(axes, example, target, levels)
        axes.axvline(
            _in_days(example.history_times[-1]), color=GREY, linewidth=1, linestyle=":"
        )
        _title(axes, label)
        if target in directions:
            _label_directions(axes)
    _time_axis(panels[-1])
    _legend_above(figure, panels[0])
    return figure


def draw_successive(
    successive: SuccessiveForecasts,
    labels: Sequence[str],
    levels: Sequence[float],
    drawn: int,
) -> Figure:
    """Forecasts from successive origins against the truth.

    Args:
        successive: Of `T` targets.
        labels: Names with units of the first targets: those that are drawn.
        levels: Of the quantiles.
        drawn: So many of the times, from the first.
    """
    figure, panels = _panels(len(labels))
    stretch = _with_breaks(successive, drawn)
    for target, (axes, label) in enumerate(zip(panels, labels, strict=True)):
        _draw_truth(axes, stretch.times, stretch.truth[:, target])
        _draw_forecast(axes, stretch, target, levels)
        _title(axes, label)
        if target in successive.directions:
            _label_directions(axes)
    _time_axis(panels[-1])
    _legend_above(figure, panels[0])
    return figure


def draw_errors(point: np.ndarray, error: np.ndarray, label: str, unit: str) -> Figure:
    """Errors against forecasts, with median and tenths of groups of equal size.

    Args:
        point: `[K]`, whole.
        error: `[K]`, forecast less truth.
        label: The target with its unit.
        unit: In brackets, or empty.
    """
    figure, axes = new_figure(5.2, 3.9)
    axes.scatter(point, error, s=5, color=BLUE, alpha=0.22, linewidths=0)
    axes.axhline(0, color=_DARK, linewidth=1)
    order = np.argsort(point, kind="stable")
    groups = [part for part in np.array_split(order, _GROUPS) if len(part)]
    places = [np.median(point[part]) for part in groups]
    for percentile, style in ((10, "--"), (50, "-"), (90, "--")):
        axes.plot(
            places,
            [np.percentile(error[part], percentile) for part in groups],
            color=ORANGE,
            linestyle=style,
            linewidth=2,
            label={10: "10th and 90th percentile", 50: "median"}.get(percentile),
        )
    # A few far points must not squeeze all others together.
    reach = np.percentile(np.abs(error), 99.5)
    if reach > 0:
        axes.set_ylim(-1.1 * reach, 1.1 * reach)
    _label_axes(axes, f"Forecast of {label}", f"Error{unit}")
    _legend_above(figure, axes)
    return figure


def draw_error_histogram(error: np.ndarray, unit: str) -> Figure:
    """How often errors of each size are.

    Args:
        error: `[K]`, forecast less truth; whole.
        unit: In brackets, or empty.
    """
    figure, axes = new_figure(5.2, 3.6)
    counts, edges = np.histogram(
        error, bins=41, range=np.percentile(error, (0.5, 99.5))
    )
    axes.bar(
        edges[:-1],
        100 * counts / len(error),
        np.diff(edges),
        align="edge",
        color="#94c1e2",
        edgecolor="white",
        linewidth=0.5,
    )
    axes.axvline(0, color=_DARK, linewidth=1)
    axes.axvline(error.mean(), color=ORANGE, linewidth=2, linestyle="--", label="mean")
    axes.legend(frameon=False, fontsize=10)
    _label_axes(axes, f"Error{unit}", "Forecasts (%)")
    return figure


def draw_changes(foreseen: np.ndarray, true: np.ndarray, label: str) -> Figure:
    """The change from the last value: as it was forecast against as it came.

    Args:
        foreseen: `[K]`, whole.
        true: `[K]`, whole.
        label: The target with its unit.
    """
    figure, axes = new_figure(4.8, 4.4)
    axes.scatter(true, foreseen, s=5, color=BLUE, alpha=0.22, linewidths=0)
    reach = float(np.percentile(np.abs(np.concatenate([true, foreseen])), 99.5)) or 1.0
    axes.plot([-reach, reach], [-reach, reach], color=_DARK, linewidth=1)
    axes.plot([-reach, reach], [0, 0], color=ORANGE, linewidth=1.8, linestyle="--")
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.set_aspect("equal")
    _label_axes(axes, f"Change that came, {label}", "Change that was forecast")
    return figure


def _label_times(axes: Axes, name: str, unit: str) -> None:
    """Names the axis; hours are marked as days are divided, not by fives and tens."""
    axes.set_xlabel(f"{name} ({unit})")
    low, high = axes.get_xlim()
    if unit == "h":
        steps = [step for step in _HOURS if (high - low) / step <= _MARKS]
        axes.xaxis.set_major_locator(MultipleLocator(steps[0]))


def _label_directions(axes: Axes) -> None:
    """Lines go on beyond north, so their place says the direction but for turns."""
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 4.5, 9, 10]))
    axes.yaxis.set_major_formatter(lambda place, _: f"{place % TURN:g}")


def _label_axes(axes: Axes, x_label: str, y_label: str) -> None:
    lettering: dict[str, Any] = {"fontfamily": font_families(), "parse_math": False}
    axes.set_xlabel(x_label, **lettering)
    axes.set_ylabel(y_label, **lettering)


def _legend_above(figure: Figure, axes: Axes) -> None:
    """A legend that covers no line; two columns fit the width of a phone."""
    handles, names = axes.get_legend_handles_labels()
    legend = figure.legend(
        handles, names, loc="outside upper left", ncols=2, frameon=False, fontsize=10
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
        text.set_fontfamily(font_families())


def _time_axis(axes: Axes) -> None:
    locator = AutoDateLocator(minticks=3, maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_xlabel("Time")


def _in_days(time: np.datetime64) -> float:
    """As matplotlib counts time."""
    return float(time.astype("datetime64[s]").astype(np.int64) / 86_400)


def _with_breaks(successive: SuccessiveForecasts, drawn: int) -> SuccessiveForecasts:
    """The first of them, with NaN where some are left out, so that no line spans it."""
    times = successive.times[:drawn]
    gaps = np.diff(times).astype("timedelta64[s]").astype(np.int64)
    usual = np.median(gaps) if len(gaps) else 0
    breaks = np.flatnonzero(gaps > 1.5 * usual) + 1

    def broken(values: np.ndarray) -> np.ndarray:
        return np.insert(values[:drawn].astype(np.float64), breaks, np.nan, axis=0)

    quantiles = successive.quantiles
    return dataclasses.replace(
        successive,
        times=np.insert(times, breaks, times[breaks - 1] + 1),
        truth=broken(successive.truth),
        point=broken(successive.point),
        quantiles=None if quantiles is None else broken(quantiles),
    )


def _draw_truth(axes: Axes, times: np.ndarray, truth: np.ndarray) -> None:
    axes.plot(
        times, truth, color=_DARK, linewidth=1.5, label="measured", **_dots(truth)
    )


def _draw_forecast(
    axes: Axes,
    forecast: ExampleForecast | SuccessiveForecasts,
    target: int,
    levels: Sequence[float],
) -> None:
    times, point = forecast.times, forecast.point[:, target]
    if forecast.quantiles is not None:
        quantiles = forecast.quantiles[:, target]
        for number, (lower, upper, stated) in enumerate(central_intervals(levels)):
            axes.fill_between(
                times,
                quantiles[:, lower],
                quantiles[:, upper],
                color=_BANDS[min(number, len(_BANDS) - 1)],
                linewidth=0,
                label=f"{stated} % interval",
            )
    axes.plot(times, point, color=BLUE, linewidth=2, label="forecast", **_dots(point))


def _dots(values: np.ndarray) -> dict[str, Any]:
    """Dots where the points are few enough to be told apart."""
    return {"marker": "o", "markersize": 3} if len(values) <= _MARKED_POINTS else {}


def _panels(rows: int) -> tuple[Figure, list[Axes]]:
    """Axes one below the other with the same time axis, each in the report's style."""
    figure, axes = new_figure(5.2, 1.75 + 1.55 * rows)
    panels = [axes]
    if rows > 1:
        grid = figure.add_gridspec(rows, 1)
        axes.set_subplotspec(grid[0])
        panels += [
            in_style(figure.add_subplot(grid[row], sharex=axes))
            for row in range(1, rows)
        ]
        for panel in panels[:-1]:
            panel.tick_params(labelbottom=False)
    for panel in panels:
        panel.yaxis.set_major_locator(MaxNLocator(5))
    return figure, panels


def _title(axes: Axes, label: str) -> None:
    axes.set_title(
        label,
        loc="left",
        fontsize=11,
        fontfamily=font_families(),
        parse_math=False,
    )
