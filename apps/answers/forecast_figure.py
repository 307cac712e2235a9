"""The picture of a forecast: what was measured last, and what comes next with bands."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from recurra.pipelines.cards import ForecastAnswer
from recurra.pipelines.data.series.forecasting import StationForecast

# Matplotlib's settings and fonts are those of the whole process.
DRAWING = threading.Lock()

INK = "#374151"
FORECAST = "#1d4ed8"
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": "#9ca3af",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.parse_math": False,
    "svg.fonttype": "path",
}

# In inches of 72 points; as wide as a phone, so that nothing is shrunk there.
PANEL_SIZE = (4.0, 2.6)
# What of the history is drawn, in horizons.
HORIZONS_BEFORE = 2
_LEAST_BEFORE = 24


def draw_forecast(
    answer: ForecastAnswer, forecast: StationForecast, targets: Sequence[str]
) -> Figure:
    """A panel for each target, one below the other.

    The caller holds `DRAWING` and sets `STYLE` while it makes and saves the figure.
    """
    width, height = PANEL_SIZE
    figure = Figure((width, height * len(targets)), layout="constrained")
    panels = figure.subplots(len(targets), squeeze=False)[:, 0]
    for axes, target in zip(panels, targets, strict=True):
        _draw_panel(axes, answer, forecast, target)
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=2 + len(answer.quantiles) // 2,
        frameon=False,
        fontsize=8,
        handlelength=1.5,
        columnspacing=1.2,
    )
    return figure


def save_forecast(
    answer: ForecastAnswer,
    forecast: StationForecast,
    targets: Sequence[str],
    to: Any,
    **options: Any,
) -> None:
    """Draws and saves; `to` and the options are those of `Figure.savefig`."""
    with DRAWING, matplotlib.rc_context(STYLE):
        draw_forecast(answer, forecast, targets).savefig(to, **options)


def bands(
    answer: ForecastAnswer,
    quantiles: np.ndarray | None,
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Of pairs of quantiles around the middle, the widest first: name, lower, upper.

    Args:
        answer: States the levels.
        quantiles: `[H, Q]`, None where there are none.
    """
    if quantiles is None:
        return
    last = len(answer.quantiles) - 1
    for number in range(len(answer.quantiles) // 2):
        low, high = answer.quantiles[number], answer.quantiles[last - number]
        yield (
            f"{100 * (high - low):.0f} %",
            quantiles[:, number],
            quantiles[:, last - number],
        )


def _draw_panel(
    axes: Any, answer: ForecastAnswer, forecast: StationForecast, target: str
) -> None:
    number = answer.targets.index(target)
    column = [variable.name for variable in answer.variables].index(target)
    back = max(HORIZONS_BEFORE * len(forecast.times), _LEAST_BEFORE)
    axes.plot(
        forecast.history_times[-back:],
        forecast.history[-back:, column],
        color=INK,
        linewidth=1.3,
        label="measured",
    )
    levels = None if forecast.quantiles is None else forecast.quantiles[:, number]
    for shade, (name, low, high) in enumerate(bands(answer, levels)):
        axes.fill_between(
            forecast.times,
            low,
            high,
            color=FORECAST,
            alpha=0.16 + 0.16 * shade,
            linewidth=0,
            label=name,
        )
    axes.plot(
        forecast.times,
        forecast.point[:, number],
        color=FORECAST,
        linewidth=1.8,
        label="forecast",
    )
    axes.axvline(
        forecast.history_times[-1], color="#9ca3af", linewidth=0.8, linestyle=":"
    )
    unit = answer.units()[number]
    axes.set_title(
        f"{target} [{unit}]" if unit else target,
        loc="left",
        fontweight="bold",
        fontsize=10,
    )
    axes.grid(axis="y", color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    locator = AutoDateLocator(minticks=3, maxticks=6)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.yaxis.set_major_locator(MaxNLocator(5))
