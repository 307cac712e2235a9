"""Pictures of answers, as SVG within the page."""

import io
import threading
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .markup import picture

# Its settings and its fonts are those of the whole process.
_DRAWING = threading.Lock()

# In inches of 72 points; as wide as a phone, so that nothing is shrunk there.
FORECAST_SIZE = (4.0, 2.6)
PIECE = 0.23

INK = "#374151"
FORECAST = "#1d4ed8"
_STYLE: dict[Any, Any] = {
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


def forecast(
    title: str,
    history: tuple[np.ndarray, np.ndarray],
    times: np.ndarray,
    point: np.ndarray,
    bands: Sequence[tuple[str, np.ndarray, np.ndarray]],
) -> str:
    """A forecast with its bands after the last of the history.

    Args:
        title: What is forecast, with its unit.
        history: Times and values, NaN where missing.
        times: datetime64 `[H]`.
        point: `[H]`.
        bands: Name, lower and upper end `[H]`, the widest first.
    """
    with _DRAWING, matplotlib.rc_context(_STYLE):
        figure = Figure(FORECAST_SIZE, layout="constrained")
        axes = figure.subplots()
        axes.plot(*history, color=INK, linewidth=1.3, label="measured")
        for number, (name, low, high) in enumerate(bands):
            shade = 0.16 + 0.16 * number
            axes.fill_between(
                times, low, high, color=FORECAST, alpha=shade, linewidth=0, label=name
            )
        axes.plot(times, point, color=FORECAST, linewidth=1.8, label="forecast")
        axes.axvline(history[0][-1], color="#9ca3af", linewidth=0.8, linestyle=":")
        axes.set_title(title, loc="left", fontweight="bold", fontsize=10)
        axes.grid(axis="y", color="#e5e7eb", linewidth=0.8)
        axes.set_axisbelow(True)
        _name_times(axes)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        figure.legend(
            loc="outside lower center",
            ncols=2 + len(bands),
            frameon=False,
            fontsize=8,
            handlelength=1.5,
            columnspacing=1.2,
        )
        return picture(_svg(figure), f"Forecast of {title}", "width: 100%")


def _name_times(axes: Any) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=6)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def attention(source: list[str], target: list[str], weights: np.ndarray) -> str:
    """Where each piece of a translation looks.

    Args:
        source: Pieces of the text.
        target: Pieces of the translation.
        weights: `[T, S]`.
    """
    names = max(map(len, source)), max(map(len, target))
    width = PIECE * len(source) + 0.09 * names[1] + 0.3
    height = PIECE * len(target) + 0.09 * names[0] + 0.3
    with _DRAWING, matplotlib.rc_context(_STYLE):
        figure = Figure((width, height), layout="constrained")
        axes = figure.subplots()
        axes.imshow(weights, cmap="Blues", vmin=0.0, vmax=1.0, aspect="equal")
        axes.set_xticks(range(len(source)), source, rotation=90)
        axes.set_yticks(range(len(target)), target)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        # As large as drawn, so that a long text is scrolled and not shrunk.
        return picture(
            _svg(figure),
            f"Attention of {len(target)} pieces to {len(source)}",
            f"width: {width * 96:.0f}px; max-width: none",
        )


def _svg(figure: Figure) -> bytes:
    content = io.BytesIO()
    # Without the date, which nobody reads.
    figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()
