"""A report as one HTML file with its figures inside, whatever the task."""

import base64
import dataclasses
import functools
import importlib.resources
import io
import numbers
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from ..core.files import write_text, written_whole
from ..core.optional import optional

# Told apart by readers who see few colours too (Okabe and Ito 2008).
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#767676"

_DOTS_PER_INCH = 200
# A figure's inch on the page, so that its lettering is about as large as the text.
_PIXELS_PER_INCH = 100
# DejaVu Sans comes with matplotlib; the others, where installed, know more scripts.
_FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Arial Unicode MS",
    "Microsoft YaHei",
    "PingFang SC",
)
_NOTHING = "\N{EN DASH}"
_NUMERIC = re.compile(
    rf"^[+-]?\d[\d,]*(\.\d+)?(e[+-]?\d+)?(\s?[%\w°/]{{1,4}})?$|^{_NOTHING}?$"
)
# What may stand in no HTML file: control characters and halves of surrogate pairs.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclasses.dataclass(frozen=True)
class Cell:
    """A table's cell.

    Attributes:
        text: What it says.
        note: In smaller letters behind it, for example an interval.
        is_best: Whether it stands out as its column's best.
    """

    text: str
    note: str = ""
    is_best: bool = False

    @property
    def is_numeric(self) -> bool:
        return bool(_NUMERIC.match(self.text))


@dataclasses.dataclass(frozen=True)
class Metric:
    """How a metric's column is shown.

    Attributes:
        key: As in metrics.json.
        heading: For people.
        higher_is_better: None for what has no better or worse.
        digits: After the point.
    """

    key: str
    heading: str
    higher_is_better: bool | None = True
    digits: int = 3

    @property
    def described(self) -> str:
        if self.higher_is_better is None:
            return self.heading
        return f"{self.heading} {'↑' if self.higher_is_better else '↓'}"


@dataclasses.dataclass(frozen=True)
class Scores:
    """What one system, model or baseline, scores.

    Attributes:
        name: For people.
        values: Metric by key; a missing one leaves its cell empty.
        intervals: (lower, upper) by key, where known.
        is_own: Whether it is the model that the report is about.
    """

    name: str
    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = dataclasses.field(
        default_factory=dict
    )
    is_own: bool = False


@dataclasses.dataclass(frozen=True)
class _Block:
    kind: str
    content: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class _Section:
    heading: str
    anchor: str
    blocks: list[_Block]


class Report:
    """A report, built part by part from top to bottom, then written.

    All text is shown as it is: what looks like HTML in it stays text. A part added
    before the first `section` stands above all sections.

    Example:

    >>> report = Report("Report", "Model A is right in 91 % of the rows.")
    >>> report.section("Results")
    >>> report.table("Accuracy", ["System", "Accuracy"], [["Model A", 0.91]])
    >>> report.write(Path("runs/a"))

    Args:
        title: Of the page.
        summary: What a reader in a hurry should know.
        language: Of the report's own text, as in HTML's `lang`.
    """

    def __init__(self, title: str, summary: str = "", *, language: str = "en"):
        self._title = title
        self._summary = summary
        self._language = language
        self._sections = [_Section("", "", [])]
        self._pictures: dict[str, bytes] = {}

    @property
    def heading(self) -> str:
        """That of the section which was begun last."""
        return self._sections[-1].heading

    def section(self, heading: str) -> None:
        """Begins a section; what is added next stands in it."""
        anchor = f"section-{len(self._sections)}"
        self._sections.append(_Section(heading, anchor, []))

    def text(self, *paragraphs: str) -> None:
        """Adds paragraphs."""
        self._add("text", paragraphs=paragraphs)

    def key_values(self, heading: str, pairs: Mapping[str, object]) -> None:
        """Adds a list of names and what they stand for."""
        shown = {name: _cell(value).text for name, value in pairs.items()}
        self._add("key_values", heading=heading, pairs=shown)

    def table(
        self,
        heading: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        own_row: int | None = None,
        note: str = "",
    ) -> None:
        """Adds a table.

        Args:
            heading: Above the table.
            columns: Heading of each column.
            rows: A value or `Cell` for each column. The first column names the row.
                Columns of numbers stand to the right; numbers are shown short.
            own_row: The row that stands out.
            note: Below the table.

        Raises:
            ValueError: If a row has more or fewer cells than there are columns.
        """
        cells = [[_cell(value) for value in row] for row in rows]
        for row in cells:
            if len(row) != len(columns):
                raise ValueError(
                    f"Expected {len(columns)} cells in each row of {heading!r}. "
                    f"Received: {len(row)}"
                )
        numeric = [
            index > 0 and all(row[index].is_numeric for row in cells)
            for index in range(len(columns))
        ]
        self._add(
            "table",
            heading=heading,
            columns=columns,
            rows=cells,
            numeric=numeric,
            own_row=own_row,
            note=note,
        )

    def metrics_table(
        self,
        heading: str,
        metrics: Sequence[Metric],
        systems: Sequence[Scores],
        *,
        compared: str = "System",
    ) -> None:
        """Adds a table of systems by metrics, the best of each column standing out.

        Args:
            heading: Above the table.
            metrics: The columns; those that no system has are left out.
            systems: The rows.
            compared: What the rows are, the heading of their names.
        """
        metrics = [m for m in metrics if any(m.key in s.values for s in systems)]
        best = {metric.key: _best_text(metric, systems) for metric in metrics}
        rows: list[list[object]] = []
        for system in systems:
            row: list[object] = [system.name]
            for metric in metrics:
                text = _number(system.values.get(metric.key), metric.digits)
                interval = system.intervals.get(metric.key)
                row.append(
                    Cell(
                        text,
                        note=_interval(interval, metric.digits) if interval else "",
                        is_best=text == best[metric.key],
                    )
                )
            rows.append(row)
        own = [index for index, system in enumerate(systems) if system.is_own]
        notes = []
        if any(system.intervals for system in systems):
            notes.append("In brackets: 95 % intervals.")
        notes.append("↑ higher is better, ↓ lower is better; the best is bold.")
        self.table(
            heading,
            [compared, *(metric.described for metric in metrics)],
            rows,
            own_row=own[0] if own else None,
            note=" ".join(notes),
        )

    def figure(
        self,
        heading: str,
        figure: Figure | Callable[[], Figure],
        caption: str = "",
        *,
        name: str | None = None,
        description: str = "",
    ) -> None:
        """Adds a figure; figures in a row stand side by side where there is room.

        One that cannot be drawn is left out; see `core.optional`.

        Args:
            heading: Above the figure.
            figure: Is drawn now; later changes are not shown. As a function, which
                makes it, it may fail without harm to what else the section has.
            caption: What to see in it.
            name: Of its file, by default made of the heading.
            description: In words, for who cannot see it; by default the caption.

        Raises:
            ValueError: If the report has a figure of that name.
        """
        name = name or re.sub(r"\W+", "-", heading.lower()).strip("-") or "figure"
        if name in self._pictures:
            raise ValueError(f"Expected another name for each figure. Received: {name}")
        with optional(f"figure {heading}"):
            figure = figure() if callable(figure) else figure
            self._add_picture(heading, figure, caption, name, description)

    def _add_picture(
        self, heading: str, figure: Figure, caption: str, name: str, description: str
    ) -> None:
        picture = _png(figure)
        self._pictures[name] = picture
        shown = {
            "heading": heading,
            "caption": caption,
            "description": description or caption or heading,
            "source": "data:image/png;base64," + base64.b64encode(picture).decode(),
            "width": round(figure.get_figwidth() * _PIXELS_PER_INCH),
            "height": round(figure.get_figheight() * _PIXELS_PER_INCH),
        }
        blocks = self._sections[-1].blocks
        if blocks and blocks[-1].kind == "figures":
            blocks[-1].content["figures"].append(shown)
        else:
            self._add("figures", figures=[shown])

    def excerpts(self, heading: str, entries: Sequence[tuple[str, str]]) -> None:
        """Adds pieces of users' text, each under a line that says what it is.

        Args:
            heading: Above them.
            entries: (line, text) of each. The text's language may be any.
        """
        self._add("excerpts", heading=heading, entries=entries)

    def shaded(self, heading: str, pieces: Sequence[tuple[str, float]]) -> None:
        """Adds a text, each piece of it the darker the more its weight is.

        Args:
            heading: Above it.
            pieces: Text and weight, from 0 to 1, of each.
        """
        shades = [(text, round(100 * min(max(w, 0.0), 1.0))) for text, w in pieces]
        self._add("shaded", heading=heading, pieces=shades)

    def write(self, directory: Path) -> None:
        """Writes `report.html` and `figures/NAME.png`.

        report.html needs no other file and no network. Each file appears whole or not
        at all, report.html last.

        Args:
            directory: Is made if it is not there.
        """
        page = self._render()
        figures = directory / "figures"
        figures.mkdir(parents=True, exist_ok=True)
        for name, picture in self._pictures.items():
            with written_whole(figures / f"{name}.png") as partial:
                partial.write_bytes(picture)
        write_text(directory / "report.html", page)

    def _add(self, kind: str, **content: Any) -> None:
        self._sections[-1].blocks.append(_Block(kind, content))

    def _render(self) -> str:
        return _template().render(
            title=self._title,
            summary=self._summary,
            language=self._language,
            sections=[section for section in self._sections if section.blocks],
        )


def new_figure(width: float = 5.2, height: float = 3.6) -> tuple[Figure, Axes]:
    """A figure in the report's style, with one pair of axes.

    Args:
        width: In inches, 100 pixels of the page each.
        height: In inches.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, in_style(figure.add_subplot())


def in_style(axes: Axes) -> Axes:
    """The axes, in the report's style."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=10, color=GREY)
    axes.xaxis.label.set_fontsize(11)
    axes.yaxis.label.set_fontsize(11)
    return axes


def is_drawable(text: str) -> bool:
    """Whether the fonts on this machine have every character of the text."""
    return all(
        character.isspace()
        or any(font.get_char_index(ord(character)) for font in _fonts())
        for character in text
    )


def font_families() -> list[str]:
    """The fonts for a figure's own text, the first that has a character draws it."""
    return [font.family_name for font in _fonts()]


def shortened(text: str, length: int, tail_fraction: float = 0.5) -> str:
    """The text with its middle left out, if it is longer than `length` characters.

    Args:
        text: Any text; runs of white space become one space.
        length: The most characters that are kept.
        tail_fraction: How much of these is the text's end.
    """
    text = " ".join(text.split())
    if len(text) <= length:
        return text
    tail = round(length * tail_fraction)
    head = length - tail
    return f"{text[:head].rstrip()} […] {text[len(text) - tail :].lstrip()}"


@functools.cache
def _template() -> jinja2.Template:
    source = importlib.resources.files(__package__).joinpath("report.html.jinja")
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    return environment.from_string(source.read_text(encoding="utf-8"))


def _printable(value: object) -> object:
    return _FORBIDDEN.sub("\ufffd", value) if type(value) is str else value


@functools.cache
def _fonts() -> list[Any]:
    installed = font_manager.fontManager.get_font_names()
    return [
        font_manager.get_font(font_manager.findfont(family))
        for family in _FONTS
        if family in installed
    ]


def _png(figure: Figure) -> bytes:
    # A figure that was made without a canvas gets one that needs no screen.
    if not isinstance(figure.canvas, FigureCanvasAgg):
        FigureCanvasAgg(figure)
    drawn, buffer = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=_DOTS_PER_INCH)
    # By a palette a picture takes a third of the bytes, and nobody sees it.
    picture = Image.open(drawn).convert("RGB")
    picture = picture.quantize(256, dither=Image.Dither.NONE)
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _cell(value: object) -> Cell:
    if isinstance(value, Cell):
        return value
    if value is None:
        return Cell(_NOTHING)
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if isinstance(value, numbers.Integral):
        return Cell(f"{int(value):,}")
    if isinstance(value, numbers.Real):
        return Cell(f"{float(value):.4g}")
    if isinstance(value, list | tuple):
        return Cell(", ".join(_cell(item).text for item in value) or _NOTHING)
    return Cell(str(value))


def _number(value: float | None, digits: int) -> str:
    return _NOTHING if value is None else f"{value:.{digits}f}"


def _interval(bounds: tuple[float, float], digits: int) -> str:
    return f"[{bounds[0]:.{digits}f}, {bounds[1]:.{digits}f}]"


def _best_text(metric: Metric, systems: Sequence[Scores]) -> str | None:
    """How the best value of a column looks: equals to the last digit are all best."""
    if metric.higher_is_better is None or len(systems) < 2:
        return None
    values = [s.values[metric.key] for s in systems if metric.key in s.values]
    best = max(values) if metric.higher_is_better else min(values)
    return _number(best, metric.digits)
