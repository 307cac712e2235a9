"""Tables written in every form come back as written, or are refused, or it is told."""

import bz2
import csv
import gzip
import io
import json
import lzma
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.files.tables import read_table
from recurra.pipelines.data.reading import PlanBuilder

COMPRESS = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}

WORDS = st.text(
    st.sampled_from("abcdefg hijk äöüéß.,;:!?'\"|\t-#%0123456789\\"),
    min_size=1,
    max_size=30,
).map(lambda text: f"w{text}".strip())
NUMBERS = st.decimals(-9999, 9999, places=2).map(str) | st.integers(0, 99).map(str)
TIMES = st.datetimes().map(lambda time: time.strftime("%d.%m.%Y %H:%M"))
LABELS = st.sampled_from(["pos", "neg", "so so"])
NAMES = st.lists(
    st.text("abcdefgh_ ", min_size=1, max_size=9).map(lambda name: f"n{name}".strip()),
    min_size=4,
    max_size=4,
    unique=True,
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """A header and rows; the columns are of one kind each, some cells are empty."""
    kinds = draw(
        st.lists(
            st.sampled_from([WORDS, NUMBERS, TIMES, LABELS]), min_size=2, max_size=4
        )
    )
    cells = [kind | st.just("") if draw(st.booleans()) else kind for kind in kinds]
    rows = draw(st.lists(st.tuples(*cells).map(list), min_size=1, max_size=30))
    return draw(NAMES)[: len(kinds)], [row for row in rows if any(row)] or [
        ["w"] * len(kinds)
    ]


@st.composite
def files(draw: st.DrawFn) -> tuple:
    """The name and bytes of a file, its encoding if it is given, and its rows."""
    names, rows = draw(tables())
    suffix = draw(st.sampled_from([".csv", ".tsv", ".txt", ".json", ".jsonl"]))
    if suffix.startswith(".json"):
        records = [dict(zip(names, row, strict=True)) for row in rows]
        forms = {
            "lines": "\n".join(map(json.dumps, records)),
            "array": json.dumps(records, indent=draw(st.sampled_from([None, 1]))),
            "columns": json.dumps(
                {name: [row[name] for row in records] for name in names}
            ),
        }
        text = draw(st.sampled_from(list(forms.values())))
    else:
        text = draw(delimited(suffix, names, rows))
    compression = draw(st.sampled_from(list(COMPRESS)))
    encoding = draw(
        st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252", "iso8859-15"])
    )
    data = COMPRESS[compression](text.encode(encoding))
    given = encoding if encoding == "iso8859-15" else None
    return f"a{suffix}{compression}", data, given, names, rows


@st.composite
def delimited(
    draw: st.DrawFn, suffix: str, names: list[str], rows: list[list[str]]
) -> str:
    delimiter = "\t" if suffix == ".tsv" else draw(st.sampled_from(",;\t|"))
    if delimiter == ";":
        rows[:] = [
            [cell.replace(".", ",") if cell[-3:-2] == "." else cell for cell in row]
            for row in rows
        ]
    out = io.StringIO()
    escapes = draw(st.booleans()) and suffix == ".csv"
    if escapes:
        # Two of them are one or two, as long as no quotation mark is escaped.
        rows[:] = [[cell.replace("\\", "/") for cell in row] for row in rows]
    writer = csv.writer(
        out,
        delimiter=delimiter,
        quoting=csv.QUOTE_ALL
        if escapes
        else draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        doublequote=not escapes,
        escapechar="\\" if escapes else None,
        lineterminator="\n",
    )
    are_figures = [cell[:1].isdigit() or cell[:1] == "-" for cell in rows[0]]
    # Without a header, figures tell that there is none.
    has_header = draw(st.booleans()) or not any(are_figures)
    if has_header:
        writer.writerow(names)
    else:
        names[:] = [str(number) for number in range(1, len(names) + 1)]
    units = has_header and draw(st.booleans()) and all(are_figures)
    if units:
        writer.writerow(["°C"] * len(names))
        names[:] = [f"{name} (°C)" for name in names]
    writer.writerows(rows)
    above = draw(
        st.sampled_from(
            ["", "# a comment\n", "# one, two; three\n#\n", "Station X\n\n"]
        )
    )
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return (above + out.getvalue()).replace("\n", end)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(files())
def test_what_is_read_is_what_was_written(file: tuple) -> None:
    name, data, encoding, names, rows = file
    plan = PlanBuilder({"encoding": encoding})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        try:
            table = read_table(path, plan=plan)
        except UserError as error:
            assert str(error).startswith(str(path))
            assert "\n" not in str(error)
            return
    if any("data." in line for line in plan.plan().warnings):
        return
    if len(table.frame.columns) < len(names):
        # A last column without a name or a value is a delimiter at the end.
        assert names[-1].isdecimal()
        assert not any(row[-1] for row in rows)
        names, rows = names[:-1], [row[:-1] for row in rows]
        if len(names) == 1:  # A title above a single column is its name.
            names = list(table.frame.columns)
    read = table.frame.to_numpy().tolist()
    assert len(read) + len(table.bad_rows) == len(rows)
    if not table.bad_rows:
        assert list(table.frame.columns) == names
        assert read == rows
    else:
        assert all(row in rows for row in read)
