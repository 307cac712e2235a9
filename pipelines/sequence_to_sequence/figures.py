"""The figures of a report on texts made of texts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..reporting.page import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    font_families,
    is_drawable,
    new_figure,
)
from .generator import Alignment

# The model's first; they differ by their dashes too.
_LINES: tuple[dict[str, Any], ...] = (
    {"color": BLUE, "linestyle": "-", "linewidth": 2.4, "zorder": 3},
    {"color": ORANGE, "linestyle": "--", "linewidth": 1.7},
    {"color": GREEN, "linestyle": "-.", "linewidth": 1.7},
    {"color": GREY, "linestyle": ":", "linewidth": 2.0},
)
# More pieces than this cannot be read; the rest is left out.
_DRAWN_PIECES = 40
_INCHES_A_PIECE = 0.24
_BINS = 40


def draw_by_length(
    measure: str, lengths: Sequence[str], systems: Mapping[str, Sequence[float]]
) -> Figure:
    """A line for each system, the model's first.

    Args:
        measure: Its name.
        lengths: The names of the parts.
        systems: Its value of each part by system's name.
    """
    figure, axes = new_figure(5.2, 4.0)
    for number, (name, values) in enumerate(systems.items()):
        axes.plot(
            lengths, values, label=name, marker="o", **_LINES[number % len(_LINES)]
        )
    axes.margins(x=0.06)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("Words of the source")
    axes.set_ylabel(measure)
    figure.legend(loc="outside upper left", ncols=2, frameon=False, fontsize=10)
    return figure


def draw_alignment(alignment: Alignment) -> Figure:
    """The weights as a picture: a row for each target piece, from top to bottom.

    Pieces in letters that no font here has are shown by their numbers.
    """
    weights = alignment.weights[:_DRAWN_PIECES, :_DRAWN_PIECES]
    target, source = weights.shape
    figure, axes = new_figure(
        max(2.6, _INCHES_A_PIECE * source + 1.4),
        max(2.4, _INCHES_A_PIECE * target + 1.2),
    )
    axes.imshow(weights, cmap="Blues", vmin=0, vmax=1)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    drawable = pieces_are_drawable(alignment)
    # A dollar sign in a piece is no formula.
    lettering: dict[str, Any] = {
        "fontfamily": font_families(),
        "parse_math": False,
        "fontsize": 9,
    }
    axes.xaxis.tick_top()
    axes.set_xticks(
        range(source),
        _names(alignment.source_pieces[:source], drawable),
        rotation=90,
        **lettering,
    )
    axes.set_yticks(
        range(target), _names(alignment.target_pieces[:target], drawable), **lettering
    )
    axes.tick_params(length=0, colors="#1a1f26")
    return figure


def pieces_are_drawable(alignment: Alignment) -> bool:
    """Whether the fonts on this machine have the letters of all pieces."""
    pieces = [*alignment.source_pieces, *alignment.target_pieces]
    return all(is_drawable(piece) and piece.isprintable() for piece in pieces)


def describe_alignment(alignment: Alignment) -> str:
    """For each target piece where the model looked most, in words."""
    strongest = alignment.weights.argmax(axis=1)
    parts = [
        f"{piece} at {alignment.source_pieces[position]}"
        for piece, position in zip(alignment.target_pieces, strongest, strict=True)
    ]
    return f"Looked at most: {', '.join(parts)}."


def draw_lengths(lengths: Mapping[str, np.ndarray]) -> Figure:
    """How many words the sentences of each side have.

    Args:
        lengths: int `[N]` by language.
    """
    figure, axes = new_figure(5.2, 3.4)
    everything = np.concatenate(list(lengths.values()))
    # The few longest would press all others to the edge.
    longest = max(int(np.quantile(everything, 0.995)), 1)
    edges = np.linspace(0, longest, min(longest, _BINS) + 1).round() + 0.5
    for number, (language, values) in enumerate(lengths.items()):
        axes.hist(
            np.minimum(values, longest),
            np.unique(edges).tolist(),
            histtype="step",
            label=language,
            **_LINES[number],
        )
    axes.set_xlabel("Words")
    axes.set_ylabel("Sentences")
    axes.legend(frameon=False, prop={"family": font_families()})
    return figure


def _names(pieces: Sequence[str], drawable: bool) -> list[str]:
    if drawable:
        return list(pieces)
    return [str(number) for number in range(1, len(pieces) + 1)]
