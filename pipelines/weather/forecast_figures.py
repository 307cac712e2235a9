"""The figures of a report on forecasts that show forecasts one by one."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..reporting import BLUE, GREY, ORANGE, font_families, in_style, new_figure
from .diagnostics import ExampleForecast, SuccessiveForecasts, central_intervals
from .figures import (
    DARK,
    MARKED_POINTS,
    in_days,
    label_axes,
    legend_above,
    time_axis,
)

_BANDS = ("#c9dff0", "#94c1e2", "#5fa2d3")
_GROUPS = 12


def draw_example(
    example: ExampleForecast, labels: Sequence[str], levels: Sequence[float]
) -> Figure:
    """The end of the history, the forecast with its bands, and what came true.

    Args:
        example: Of `T` targets.
        labels: Names with units of the first targets: those that are drawn.
        levels: Of the quantiles.
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
            in_days(example.history_times[-1]), color=GREY, linewidth=1, linestyle=":"
        )
        _title(axes, label)
    time_axis(panels[-1])
    legend_above(figure, panels[0])
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
    time_axis(panels[-1])
    legend_above(figure, panels[0])
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
    axes.axhline(0, color=DARK, linewidth=1)
    order = np.argsort(point, kind="stable")
    groups = [part for part in np.array_split(order, _GROUPS) if len(part)]
    places = [np.median(point[part]) for part in groups]
    for share, style in ((10, "--"), (50, "-"), (90, "--")):
        axes.plot(
            places,
            [np.percentile(error[part], share) for part in groups],
            color=ORANGE,
            linestyle=style,
            linewidth=2,
            label={10: "10th and 90th percentile", 50: "median"}.get(share),
        )
    # A few far points must not squeeze all others together.
    reach = np.percentile(np.abs(error), 99.5)
    if reach > 0:
        axes.set_ylim(-1.1 * reach, 1.1 * reach)
    label_axes(axes, f"Forecast of {label}", f"Error{unit}")
    legend_above(figure, axes)
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
    axes.axvline(0, color=DARK, linewidth=1)
    axes.axvline(error.mean(), color=ORANGE, linewidth=2, linestyle="--", label="mean")
    axes.legend(frameon=False, fontsize=10)
    label_axes(axes, f"Error{unit}", "Forecasts (%)")
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
    axes.plot([-reach, reach], [-reach, reach], color=DARK, linewidth=1)
    axes.plot([-reach, reach], [0, 0], color=ORANGE, linewidth=1.8, linestyle="--")
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.set_aspect("equal")
    label_axes(axes, f"Change that came, {label}", "Change that was forecast")
    return figure


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
    axes.plot(times, truth, color=DARK, linewidth=1.5, label="measured", **_dots(truth))


def _draw_forecast(
    axes: Axes,
    forecast: ExampleForecast | SuccessiveForecasts,
    target: int,
    levels: Sequence[float],
) -> None:
    times, point = forecast.times, forecast.point[:, target]
    if forecast.quantiles is not None:
        quantiles = forecast.quantiles[:, target]
        for number, (lower, upper, share) in enumerate(central_intervals(levels)):
            axes.fill_between(
                times,
                quantiles[:, lower],
                quantiles[:, upper],
                color=_BANDS[min(number, len(_BANDS) - 1)],
                linewidth=0,
                label=f"{share} % interval",
            )
    axes.plot(times, point, color=BLUE, linewidth=2, label="forecast", **_dots(point))


def _dots(values: np.ndarray) -> dict[str, Any]:
    """Dots where the points are few enough to be told apart."""
    return {"marker": "o", "markersize": 3} if len(values) <= MARKED_POINTS else {}


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
