import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from recurra.pipelines.reporting import page as reporting
from recurra.pipelines.reporting.page import (
    Cell,
    Metric,
    Report,
    Scores,
    new_figure,
    shortened,
)


class _Page(HTMLParser):
    """What the tests look at: tags with attributes, the text, and table rows."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.rows, self.text, self._in_cell = [], [], "", False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.rows[-1][-1] = self.rows[-1][-1].strip()
            self._in_cell = False

    def handle_data(self, data):
        self.text += data
        if self._in_cell:
            self.rows[-1][-1] += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def _write(report, directory):
    report.write(directory)
    html = (directory / "report.html").read_text(encoding="utf-8")
    return html, _Page(html)


def _line():
    figure, axes = new_figure()
    axes.plot([1, 2], [3, 4])
    return figure


def test_all_parts_are_there_in_order(tmp_path):
    report = Report("The title", "The summary.", language="de")
    report.text("Above all sections.")
    report.section("First")
    report.text("One.", "Two.")
    report.key_values("Names", {"rows": 12345, "share": 0.123456, "none": None})
    report.section("Second")
    report.table("Table", ["Name", "Number"], [["a", 1], ["b", 2]], note="A note.")
    report.figure("Figure", _line(), "A caption.", description="A rising line.")
    report.excerpts("Texts", [("said by a", "Hello.")])
    _, page = _write(report, tmp_path)

    parts = ["The title", "The summary.", "First", "Second"]  # and the sections' list
    parts += ["Above all", "First", "One.", "Two.", "Names", "12,345", "0.1235"]
    parts += ["\N{EN DASH}", "Second", "Table", "Number", "A note."]
    parts += ["Figure", "A caption.", "Texts", "said by a", "Hello."]
    assert re.search(".*".join(map(re.escape, parts)), page.text, re.DOTALL)
    assert page.all("html") == [{"lang": "de"}]
    assert [a["href"] for a in page.all("a")] == ["#section-1", "#section-2"]
    assert [h["id"] for h in page.all("h2")] == ["section-1", "section-2"]


def test_the_page_needs_nothing_else(tmp_path):
    report = Report("Title")
    report.figure("Some Figure", _line(), name="some_figure")
    html, page = _write(report, tmp_path)

    (image,) = page.all("img")
    assert image["src"].startswith("data:image/png;base64,iVBOR")
    assert image["alt"] == "Some Figure"
    written = (tmp_path / "figures" / "some_figure.png").read_bytes()
    assert written.startswith(b"\x89PNG")
    assert not re.search(r"https?://|<script|<link|@import", html)
    assert not page.all("script")


def test_text_is_never_html(tmp_path):
    evil = "<script>alert('x')</script> \"> <b> & \x00 \ud800 {{ 7 * 7 }}"
    report = Report(evil, evil)
    report.section(evil)
    report.text(evil)
    report.key_values(evil, {evil: evil})
    report.table(evil, [evil], [[evil], [Cell(evil, note=evil)]], note=evil)
    report.figure(evil, _line(), evil, description=evil)
    report.excerpts(evil, [(evil, evil)])
    html, page = _write(report, tmp_path)

    assert not page.all("script")
    assert not page.all("b")
    assert "\x00" not in html
    shown = evil.replace("\x00", "\ufffd").replace("\ud800", "\ufffd")
    assert page.text.count(shown) >= 15
    assert page.all("img")[0]["alt"] == shown


def test_numbers_stand_to_the_right(tmp_path):
    report = Report("Title")
    rows = [
        ["1", 1, "0.912", "x1", "12 %"],
        ["2", 20_000, Cell("0.9", note="[0.8, 1.0]"), "2", "3.5\N{NO-BREAK SPACE}%"],
        ["3", np.int64(1_234_567), np.float32(0.5), "3", None],
    ]
    report.table("Table", ["Name", "Count", "Score", "Mixed", "Share"], rows)
    _, page = _write(report, tmp_path)

    heads = [head for head in page.all("th") if head.get("scope") == "col"]
    numeric = [head.get("class") == "number" for head in heads]
    assert numeric == [False, True, True, False, True]
    assert page.rows[2][1:3] == ["20,000", "0.9 [0.8, 1.0]"]
    assert page.rows[3][1:3] == ["1,234,567", "0.5"]
    assert sum(head.get("scope") == "row" for head in page.all("th")) == 3


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"2 cells .* 'Table'\. Received: 1"):
        Report("Title").table("Table", ["a", "b"], [["only one"]])


def test_metrics_table(tmp_path):
    metrics = [
        Metric("accuracy", "Accuracy"),
        Metric("nll", "NLL", higher_is_better=False, digits=2),
        Metric("bleu", "BLEU"),
    ]
    systems = [
        Scores("Ours", {"accuracy": 0.9123, "nll": 0.4}, {"accuracy": (0.9, 0.92)}),
        Scores("Theirs", {"accuracy": 0.9119, "nll": 0.2}, is_own=True),
        Scores("Dumb", {"accuracy": 0.5}),
    ]
    report = Report("Title")
    report.metrics_table("Scores", metrics, systems)
    html, page = _write(report, tmp_path)

    assert page.rows[0] == ["System", "Accuracy ↑", "NLL ↓"]
    assert page.rows[1] == ["Ours", "0.912 [0.900, 0.920]", "0.40"]
    assert page.rows[3] == ["Dumb", "0.500", "\N{EN DASH}"]
    # Equal to the last digit that is shown: both are best.
    assert re.findall("<strong>(.*?)</strong>", html) == ["0.912", "0.912", "0.20"]
    assert [row.get("class") for row in page.all("tr")] == [None, None, "own", None]


def test_figures_in_a_row_stand_side_by_side(tmp_path):
    report = Report("Title")
    report.figure("A", _line())
    report.figure("B", _line())
    report.text("Between.")
    report.figure("C", _line())
    _, page = _write(report, tmp_path)
    grids = [div for div in page.all("div") if div.get("class") == "figures"]
    assert (len(grids), len(page.all("img"))) == (2, 3)
    names = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert names == ["a.png", "b.png", "c.png"]


def test_two_figures_cannot_share_a_file():
    report = Report("Title")
    report.figure("Same", _line())
    with pytest.raises(ValueError, match=r"another name .* Received: same"):
        report.figure("Same", _line())


def test_a_report_that_fails_leaves_the_old_one(tmp_path, monkeypatch):
    report = Report("Old")
    report.figure("Figure", _line())
    old, _ = _write(report, tmp_path)
    newer = Report("New")
    newer.figure("Figure", _line())

    # Half a page is written, then the disk is full.
    monkeypatch.setattr(Path, "write_text", _failing_write)
    with pytest.raises(OSError, match="No space left"):
        newer.write(tmp_path)
    monkeypatch.undo()
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == old
    left = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["figure.png", "report.html"]


def _failing_write(path, text, **_):
    path.write_bytes(text[: len(text) // 2].encode())
    raise OSError("No space left on device")


def test_what_fonts_lack_is_known():
    assert reporting.is_drawable("positive, négatif")
    # A private character that no font has.
    assert not reporting.is_drawable("class \U000ffffd")
    assert reporting.font_families()[0] == "DejaVu Sans"


def test_shortened_keeps_the_end():
    text = "start " + "middle " * 100 + "the end"
    short = shortened(text, 20, tail_fraction=0.6)
    assert short.startswith("start mi")
    assert short.endswith("the end")
    assert "[…]" in short
    assert len(short) <= 20 + len(" […] ")
    assert shortened(" short \n text ", 20) == "short text"
