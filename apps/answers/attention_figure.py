"""The picture of attention, as SVG within the page."""

import io

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from .forecast_figure import DRAWING, STYLE
from .markup import picture

# A piece's share of the picture, in inches.
PIECE = 0.23


def attention(source: list[str], target: list[str], weights: np.ndarray) -> str:
    """Where each piece of a text that a model wrote looks.

    Args:
        source: Pieces of the text that the model got.
        target: Pieces of the text that it wrote.
        weights: `[T, S]`.
    """
    names = max(map(len, source)), max(map(len, target))
    width = PIECE * len(source) + 0.09 * names[1] + 0.3
    height = PIECE * len(target) + 0.09 * names[0] + 0.3
    with DRAWING, matplotlib.rc_context(STYLE):
        figure = Figure((width, height), layout="constrained")
        axes = figure.subplots()
        axes.imshow(weights, cmap="Blues", vmin=0.0, vmax=1.0, aspect="equal")
        axes.set_xticks(range(len(source)), source, rotation=90)
        axes.set_yticks(range(len(target)), target)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        # At most as wide as the page, so that all of it is seen; it stays sharp where
        # somebody zooms in.
        return picture(
            _svg(figure),
            f"Attention of {len(target)} pieces to {len(source)}",
            f"width: {width * 96:.0f}px; max-width: 100%; height: auto",
        )


def _svg(figure: Figure) -> bytes:
    content = io.BytesIO()
    # Without the date, which nobody reads.
    figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()
