"""A user's file as a table: CSV and its kin, JSON, Parquet, spreadsheets, no row lost.

Where several readings are possible the plan decides, by the keys of `TableConfig`.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path, PurePath

import numpy as np
import pandas as pd

from ...core.errors import UserError
from ..reading import PlanBuilder
from .bad_rows import BadRow, Location, Locations, Rows, show_location
from .cells import is_figure
from .compression import inner_name
from .delimited import (
    OTHER_DELIMITERS,
    Record,
    decide_dialect,
    guess_dialect,
    no_field_limit,
    parted_otherwise,
)
from .encodings import UNDECODABLE, DecodedText, decode_text
from .json_tables import read_json
from .parquet_frames import read_parquet_frame
from .spreadsheets import SHEET_SUFFIXES, read_sheet
from .table_layout import Layout, NamesColumns, decide_layout
from .text_files import TextLines, read_lines, read_text

__all__ = [
    "TABLE_SUFFIXES",
    "UNDECODABLE",
    "BadRow",
    "Location",
    "Locations",
    "Table",
    "TextLines",
    "decode_text",
    "find_column",
    "is_missing",
    "is_table",
    "is_tabular",
    "read_lines",
    "read_table",
    "show_location",
]

_JSON = (".json", ".jsonl", ".ndjson")
#: What a table's name may end with; the text ones also with .gz, .bz2, .xz or .zip.
TABLE_SUFFIXES = (".csv", ".tsv", *_JSON, ".parquet", *SHEET_SUFFIXES)

# The rows that say how a table begins.
_SAMPLED_ROWS = 2_000
# Of the lines of a file that is not called a table.
_TABULAR_LINES = 0.95


@dataclass(frozen=True)
class Table:
    """The rows of one file.

    Args:
        frame: the readable rows. From text and spreadsheets every value is a string;
            an absent key of a JSON object is a missing value. Columns without a header
            are called "1", "2", ...
        lines: the 1-based line at which each row of ``frame`` begins (for Parquet and
            columns of JSON the 1-based row), integers of shape ``[rows]``.
        bad_rows: the rows that cannot be read, in the order of the file.
        source: the path as given.
        encodings: number of lines by the encoding they were decoded with.
        rescued: the rows of ``frame`` that another separator than the header's parts.
    """

    frame: pd.DataFrame
    lines: np.ndarray | pd.Index
    bad_rows: tuple[BadRow, ...]
    source: str
    encodings: dict[str, int] = field(default_factory=dict)
    rescued: tuple[BadRow, ...] = ()


def is_missing(value: object) -> bool:
    """Whether a value of a table stands for none."""
    # Not pandas.isna, which answers for each item of a list.
    return (
        value is None or value is pd.NA or (isinstance(value, float) and isnan(value))
    )


def is_table(path: Path) -> bool:
    """Whether the name of ``path`` is one that ``read_table`` reads."""
    return _suffix(path) in TABLE_SUFFIXES


def is_tabular(path: Path) -> bool:
    """Whether a file, whatever its name, holds a table of text.

    That is text with the same number of fields, of at least two, in nearly every line;
    where commas or spaces part them, some of the fields must be figures.
    """
    try:
        text = read_text(path, PlanBuilder()).text
    except UserError:
        return False
    return _is_tabular(text)


def find_column(names: Sequence[str], asked: str | int) -> str | None:
    """The column that is asked for: by its header, or in other case, or by number.

    Args:
        names: the headers of the table.
        asked: a header, or a number from 1.

    Returns:
        One of ``names``; None if there is none, or two in other case.
    """
    if asked in names:
        return str(asked)
    text = str(asked).strip()
    alike = [name for name in names if name.strip().casefold() == text.casefold()]
    if alike:
        return alike[0] if len(alike) == 1 else None
    if text.isdecimal() and 1 <= int(text) <= len(names):
        return names[int(text) - 1]
    return None


def read_table(
    path: Path,
    *,
    rescue: bool = False,
    plan: PlanBuilder | None = None,
    names_columns: NamesColumns | None = None,
    is_part: bool = False,
) -> Table:
    """Reads a table: text with delimiters, JSON, Parquet, or a spreadsheet.

    Compressed text (.gz, .bz2, .xz, .zip of one file) is read alike. Text of another
    suffix, such as .txt, .dat or none, is read where it ``is_tabular``.

    Encoding (key ``encoding``). UTF-8, or UTF-16 with a byte-order mark. Where the file
    is not all UTF-8, each line is decoded for itself, as UTF-8 or else as cp1252;
    ``encodings`` counts both. A line that is neither is a bad row. A file in another
    encoding is read as its letters say, with a warning that names the key.

    Delimiter (key ``delimiter``). The one that parts the most lines into the same
    number of fields: comma, semicolon, tab, pipe, or runs of spaces between figures.

    Header (keys ``skip_rows`` and ``header``). The line, or lines, of names above the
    rows; what stands above, metadata and comments, is left out. There is none where
    the first line is a row like the others. A second line of units is joined to the
    names, "t (°C)". So is an upper line to names that stand twice.

    Quotation marks. ``.csv``: RFC 4180, line breaks inside quotes included, or with
    ``\\"`` for a quotation mark in quotes. Other text: the same if more of the fields
    that begin with a quotation mark are well-formed quoted fields than not; otherwise
    a quotation mark is a character like any other, and each line is a row. After a
    broken quote the reading goes on in the line below the one in which the quote opens.

    JSON. An object a line, an array of objects, or an object of columns.

    Spreadsheets. The first sheet with two rows; dates become ISO text.

    Blank lines are no rows, nor are comments between rows that begin with figures.
    Rows with another number of fields than the header, with broken quotes, with broken
    JSON or undecodable bytes are ``bad_rows``; so are lines that repeat the header, as
    in files that were joined.

    Args:
        path: the file.
        rescue: whether a line of text with another number of fields than the header is
            read where another delimiter parts it into as many. That is sure of
            numbers, and not of texts.
        plan: takes the decisions, and brings those that the user or training took.
        names_columns: says whether the first fields name the columns of the rows below,
            where the reader of the table knows more of their words; None if unsure.
        is_part: whether the rows are some of a larger file's, so that all may be bad.

    Raises:
        UserError: the file is missing, empty, a folder, has no rows below its header,
            no readable row, a header that names a column twice, or is no table.
    """
    plan = plan or PlanBuilder()
    suffix = _checked_suffix(path)
    if suffix == ".parquet":
        return _read_parquet(path)
    rows, columns, text = Rows(path), None, DecodedText("")
    if suffix in SHEET_SUFFIXES:
        columns = _read_records(read_sheet(path), plan, rows, names_columns)
    else:
        text = read_text(path, plan)
        if not text.text.strip():
            raise UserError(f"{path}: the file is empty; rows were expected")
        if suffix in _JSON:
            read_json(text.text, text.undecodable, rows, is_one_value=suffix == ".json")
        else:
            columns = _read_delimited(text, suffix, rescue, plan, rows, names_columns)
    if not rows.values and not (is_part and rows.bad):
        raise UserError(
            f"{rows.bad[0]}; not one row of the file can be read ({len(rows.bad)} bad)"
            if rows.bad
            else f"{path}: the file has a header and no rows"
        )
    return Table(
        pd.DataFrame(rows.values, columns=columns, dtype=object),
        np.array(rows.lines, dtype=np.int64),
        tuple(rows.bad),
        str(path),
        text.encodings,
        tuple(rows.rescued),
    )


def _suffix(path: Path) -> str:
    suffix = PurePath(inner_name(path)).suffix.lower()
    is_compressed = inner_name(path) != path.name and path.suffix.lower() != ".zip"
    # These are read as they are, and compressed already.
    if is_compressed and suffix in (".parquet", *SHEET_SUFFIXES):
        return suffix + path.suffix.lower()
    return suffix


def _checked_suffix(path: Path) -> str:
    if not path.exists():
        raise UserError(f"{path}: no such file")
    if path.is_dir():
        raise UserError(f"{path}: a folder, where a file was expected")
    suffix = _suffix(path)
    if suffix not in TABLE_SUFFIXES and not is_tabular(path):
        raise UserError(
            f"{path}: unknown kind of file {suffix or 'without a suffix'}; expected "
            f"{', '.join(TABLE_SUFFIXES)} (the text ones also with .gz, .bz2, .xz or "
            ".zip), or a table in any text file"
        )
    return suffix


def _is_tabular(text: str) -> bool:
    lines = [line for line in text.split("\n")[:_SAMPLED_ROWS] if line.strip()]
    if len(lines) < 2:
        return False
    dialect = guess_dialect(lines, "")
    with no_field_limit():
        records = [r for r in dialect.records(lines) if not r.is_comment]
    widths = pd.Series([len(record.fields) for record in records]).value_counts()
    width = int(widths.index[0]) if len(widths) else 1
    if width < 2 or widths.iloc[0] < _TABULAR_LINES * len(records):
        return False
    rows = [record.fields for record in records if len(record.fields) == width]
    return dialect.delimiter not in " ," or any(
        sum(is_figure(row[column]) for row in rows) > len(rows) / 2
        for column in range(width)
    )


def _read_delimited(
    text: DecodedText,
    suffix: str,
    rescue: bool,
    plan: PlanBuilder,
    rows: Rows,
    names_columns: NamesColumns | None,
) -> list[str]:
    """Reads the rows and returns the header."""
    dialect = decide_dialect(text.text, suffix, plan, rows.path.name)
    lines = text.text.split("\n")
    others = [other for other in OTHER_DELIMITERS if other != dialect.delimiter]
    with no_field_limit():
        return _read_records(
            dialect.records(lines),
            plan,
            rows,
            names_columns,
            _Rescue(lines, others if rescue else [], text.undecodable),
        )


@dataclass(frozen=True)
class _Rescue:
    """What a row is read from again, where it has another number of fields."""

    lines: Sequence[str] = ()
    delimiters: Sequence[str] = ()
    undecodable: set[int] = field(default_factory=set)


def _read_records(
    records: Iterable[Record],
    plan: PlanBuilder,
    rows: Rows,
    names_columns: NamesColumns | None,
    rescue: _Rescue | None = None,
) -> list[str]:
    """Reads the rows and returns the header."""
    rescue = rescue or _Rescue()
    records = iter(records)
    first = [
        _without_undecodable(record, rescue.undecodable)
        for record in itertools.islice(records, _SAMPLED_ROWS)
    ]
    layout = decide_layout(first, plan, str(rows.path), names_columns)
    for record in itertools.chain(first[layout.begin :], records):
        _add_record(
            _without_undecodable(record, rescue.undecodable), layout, rescue, rows
        )
    return layout.names


def _without_undecodable(record: Record, undecodable: set[int]) -> Record:
    if undecodable.isdisjoint(range(record.first_line, record.last_line + 1)):
        return record
    return Record(record.first_line, record.last_line, [], UNDECODABLE)


def _add_record(record: Record, layout: Layout, rescue: _Rescue, rows: Rows) -> None:
    number, fields, width = record.first_line, record.fields, len(layout.names)
    if layout.ends_in_delimiter and len(fields) == width + 1 and not fields[-1].strip():
        fields = fields[:-1]
    if record.fault is not None:
        rows.bad.append(rows.bad_row(number, record.fault))
    elif layout.repeats_header(fields):
        rows.bad.append(rows.bad_row(number, "the header stands here again"))
    elif len(fields) == width:
        rows.add(number, fields)
    elif not (layout.has_comments and record.is_comment):
        row = rows.bad_row(number, f"{len(fields)} fields; the header has {width}")
        parted = None
        if rescue.delimiters and record.last_line == number:
            parted = parted_otherwise(
                rescue.lines[number - 1], width, rescue.delimiters
            )
        if parted is None:
            rows.bad.append(row)
        else:
            rows.rescued.append(row)
            rows.add(number, parted)


def _read_parquet(path: Path) -> Table:
    try:
        if not path.stat().st_size:
            raise UserError(f"{path}: the file is empty; rows were expected")
        frame = read_parquet_frame(path)
    except (ValueError, OSError, NotImplementedError) as error:
        # pyarrow's errors are kinds of these three.
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: not a readable Parquet file ({reason})") from error
    if not len(frame):
        raise UserError(f"{path}: the file has columns and no rows")
    return Table(frame, pd.RangeIndex(1, len(frame) + 1), (), str(path))
