"""Pieces of HTML that answers are made of. What comes from outside is escaped."""

import base64
from collections.abc import Iterable, Mapping
from html import escape


def heading(text: str) -> str:
    """What a part of an answer is called."""
    return f"<h3>{escape(text)}</h3>"


def percent(fraction: float, digits: int = 1) -> str:
    """A fraction of 1 as percent."""
    return f"{100 * fraction:.{digits}f} %"


def bars(
    shares: Iterable[tuple[str, float]],
    *chosen: str,
    marks: Mapping[str, float] | None = None,
) -> str:
    """A bar for each share of 1, by its name.

    Args:
        shares: Names with their shares.
        *chosen: The names that stand out.
        marks: By name a share that has a line across the bar.
    """
    return "".join(
        f'<div class="bar{" chosen" if name in chosen else ""}">'
        f"<span>{escape(name)}</span>"
        f'<div><i style="width: {share:.2%}"></i>{_mark(name, marks)}</div>'
        f"<b>{careful_percent(share)}</b></div>"
        for name, share in shares
    )


def _mark(name: str, marks: Mapping[str, float] | None) -> str:
    if not marks:
        return ""
    return (
        f'<s style="left: {marks[name]:.2%}" title="threshold {marks[name]:.3g}"></s>'
    )


def careful_percent(probability: float) -> str:
    """Never a certainty that a model does not have."""
    if probability > 0.999:
        return "over 99.9 %"
    return "under 0.1 %" if probability < 0.001 else percent(probability)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of plain cells, which scrolls by itself where it is too wide."""
    return (
        f'<div class="wide"><table><thead><tr>{_cells("th", head)}</tr></thead><tbody>'
        + "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
        + "</tbody></table></div>"
    )


def _cells(kind: str, cells: Iterable[str]) -> str:
    return "".join(f"<{kind}>{escape(cell)}</{kind}>" for cell in cells)


def picture(svg: bytes, description: str, style: str = "") -> str:
    """A picture, with words for those who do not see it."""
    return (
        f'<img alt="{escape(description)}" style="{escape(style)}" '
        f'src="{_inline("image/svg+xml", svg)}">'
    )


def download(label: str, file_name: str, content: str) -> str:
    """A link that saves a file. Nothing of it stays with the server."""
    address = _inline("text/csv;charset=utf-8", content.encode())
    return (
        f'<a class="download" download="{escape(file_name)}" href="{address}">'
        f"{escape(label)}</a>"
    )


def _inline(content_type: str, content: bytes) -> str:
    return f"data:{content_type};base64,{base64.b64encode(content).decode()}"
