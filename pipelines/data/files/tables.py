"""A user's file as a table: CSV, TSV, JSON Lines or Parquet, no row lost."""

import csv
import gzip
import itertools
import json
import re
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...core.errors import UserError

#: What a table's name may end with; all but Parquet also with ``.gz`` behind it.
TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")

# In order of preference, where the header has equally many of two.
_DELIMITERS = (",", ";", "\t")
# In order of preference for other rows, where a comma may be a decimal one.
_OTHER_DELIMITERS = (";", "\t", ",")
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF_8_MARK = b"\xef\xbb\xbf"
#: Why a line or file cannot be read.
UNDECODABLE = "bytes that are neither UTF-8 nor cp1252; convert the file to UTF-8"
# Western text in cp1252 has accented letters one or two at a time. A longer run is
# text of another script in an encoding of its own (GBK, Shift-JIS, KOI8-R, ...).
_NOT_WESTERN = re.compile(rb"[\x80-\xff]{5}")
# Possessive, so that a quotation mark that is never closed costs one pass, not many.
_QUOTED_FIELD = r'"[^"]*+(?:""[^"]*+)*+"'


#: A file and the 1-based line of it; None where the whole file is one row.
Location = tuple[str, int | None]


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used: where it stands and why.

    ``line`` is the 1-based line of the file where the row, or the broken quotation
    mark in it, begins; for Parquet and tfds the 1-based row; None where the whole file
    is one row.
    """

    file: str
    line: int | None
    reason: str

    def __str__(self) -> str:
        return f"{show_location((self.file, self.line))}: {self.reason}"


@dataclass(frozen=True)
class Table:
    """The rows of one file.

    Args:
        frame: the readable rows. From CSV and TSV every value is a string; an absent
            key of a JSON object is a missing value.
        lines: the 1-based line at which each row of ``frame`` begins (for Parquet the
            1-based row), integers of shape ``[rows]``.
        bad_rows: the rows that cannot be read, in the order of the file.
        source: the path as given.
        encodings: number of lines by the encoding they were decoded with.
        rescued: the rows of ``frame`` that another separator than the header's parts.
    """

    frame: pd.DataFrame
    lines: np.ndarray
    bad_rows: tuple[BadRow, ...]
    source: str
    encodings: dict[str, int] = field(default_factory=dict)
    rescued: tuple[BadRow, ...] = ()


@dataclass(frozen=True)
class TextLines:
    """The lines of one text file, without their ends.

    Args:
        lines: decoded; of an undecodable one what is ASCII.
        undecodable: the 1-based numbers of lines that are neither UTF-8 nor cp1252.
        encodings: number of lines by the encoding they were decoded with.
    """

    lines: list[str]
    undecodable: set[int]
    encodings: dict[str, int] = field(default_factory=dict)


@dataclass
class _Rows:
    """The rows of a file, as far as they are read; all in the order of the file."""

    path: Path
    values: list[Any] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    rescued: list[BadRow] = field(default_factory=list)

    def add(self, line: int, values: Any) -> None:
        self.values.append(values)
        self.lines.append(line)

    def bad_row(self, line: int, reason: str) -> BadRow:
        return BadRow(str(self.path), line, reason)


@dataclass(frozen=True)
class _Record:
    """A row as it stands in the file: its fields, or the reason why it has none."""

    first_line: int
    last_line: int
    fields: list[str]
    fault: str | None = None


def show_location(location: Location) -> str:
    """``file.csv, line 12``."""
    file, line = location
    return file if line is None else f"{file}, line {line}"


def is_missing(value: object) -> bool:
    """Whether a value of a table stands for none."""
    # Not pandas.isna, which answers for each item of a list.
    return (
        value is None or value is pd.NA or (isinstance(value, float) and isnan(value))
    )


def is_table(path: Path) -> bool:
    """Whether the name of ``path`` is one that ``read_table`` reads."""
    return _suffix(path) in TABLE_SUFFIXES


def read_table(path: Path, *, rescue: bool = False) -> Table:
    """Reads a CSV, TSV, JSON Lines or Parquet file; all but Parquet also gzipped.

    Delimiter. ``.csv``: whichever of comma, semicolon and tab the header line has most
    of, the comma where two are equal. ``.tsv``: the tab.

    Quotation marks. ``.csv``: RFC 4180, line breaks inside quotes included.
    ``.tsv``: RFC 4180 if more of the fields that begin with a quotation mark are
    well-formed quoted fields than not; otherwise a quotation mark is a character like
    any other, and each line is a row. After a broken quote the reading goes on in the
    line below the one in which the quote opens.

    Encoding. UTF-8, or UTF-16 with a byte-order mark. Where the file is not all UTF-8,
    each line is decoded for itself, as UTF-8 or else as cp1252; ``encodings`` counts
    both. A line that is neither is a bad row.

    Blank lines are no rows. Rows with another number of fields than the header, with
    broken quotes, with broken JSON or undecodable bytes are ``bad_rows``.

    Args:
        path: the file.
        rescue: whether a line of CSV or TSV with another number of fields than the
            header is read where another delimiter parts it into as many. That is sure
            of numbers, and not of texts.

    Raises:
        UserError: the file is missing, empty, a folder, has no rows below its header,
            no readable row, a header that names a column twice, or a suffix that is
            not among ``TABLE_SUFFIXES``.
    """
    suffix = _checked_suffix(path)
    if suffix == ".parquet":
        return _read_parquet(path)
    data = _read_bytes(path)
    text, encodings, undecodable = _decode(data, path)
    if not text.strip():
        raise UserError(f"{path}: the file is empty; rows were expected")
    rows = _Rows(path)
    columns = None
    if suffix in (".jsonl", ".ndjson"):
        _read_json_lines(text, undecodable, rows)
    else:
        columns = _read_delimited(text, undecodable, suffix, rescue, rows)
    if not rows.values:
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
        encodings,
        tuple(rows.rescued),
    )


def read_lines(path: Path) -> TextLines:
    """Reads a text file, also a gzipped one, line by line.

    Encodings are those of ``read_table``. A line feed ends a line, also with a carriage
    return before it; what else Unicode calls a line break stays within its line.

    Raises:
        UserError: the file cannot be read, or is no text.
    """
    text, encodings, undecodable = _decode(_read_bytes(path), path)
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return TextLines(lines, undecodable, encodings)


def decode_text(data: bytes) -> tuple[str, str] | None:
    """Decodes one line or one text: by its byte-order mark, or UTF-8, or else cp1252.

    Returns:
        The text and the name of its encoding, or None where it is neither: bytes that
        cp1252 has no letter for, or five and more non-ASCII bytes in a row, which is
        no Western text.
    """
    if data.startswith(_UTF_16_MARKS):
        try:
            return data.decode("utf-16"), "utf-16"
        except UnicodeDecodeError:
            return None
    try:
        return data.removeprefix(_UTF_8_MARK).decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        pass
    if _NOT_WESTERN.search(data):
        return None
    try:
        return data.decode("cp1252"), "cp1252"
    except UnicodeDecodeError:
        return None


def _suffix(path: Path) -> str:
    name = path.name.lower()
    compressed = name.endswith(".gz")
    suffix = Path(name.removesuffix(".gz")).suffix
    return f"{suffix}.gz" if compressed and suffix == ".parquet" else suffix


def _checked_suffix(path: Path) -> str:
    if not path.exists():
        raise UserError(f"{path}: no such file")
    if path.is_dir():
        raise UserError(f"{path}: a folder, where a file was expected")
    suffix = _suffix(path)
    if suffix not in TABLE_SUFFIXES:
        raise UserError(
            f"{path}: unknown kind of file {suffix or 'without a suffix'}; expected "
            f"{', '.join(TABLE_SUFFIXES)}, all but the last also with .gz"
        )
    return suffix


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.name.lower().endswith(".gz") else data
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{path}: not a whole gzip file ({error})") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error


def _decode(data: bytes, path: Path) -> tuple[str, dict[str, int], set[int]]:
    """The text with ``\\n`` line ends, lines by encoding, and undecodable lines."""
    undecodable: set[int] = set()
    if data.startswith(_UTF_16_MARKS):
        try:
            text = data.decode("utf-16")
        except UnicodeDecodeError as error:
            raise UserError(f"{path}: broken UTF-16 ({error.reason})") from error
        encodings = {"utf-16": _number_of_lines(text)}
    else:
        data = data.removeprefix(_UTF_8_MARK)
        try:
            text = data.decode("utf-8")
            encodings = {"utf-8": _number_of_lines(text)}
        except UnicodeDecodeError:
            text, encodings, undecodable = _decode_by_line(data)
    if "\0" in text.partition("\n")[0]:
        raise UserError(
            f"{path}: the first line holds NUL bytes; text in UTF-8 was expected"
        )
    return _with_unix_line_ends(text), encodings, undecodable


def _decode_by_line(data: bytes) -> tuple[str, dict[str, int], set[int]]:
    encodings: Counter[str] = Counter()
    undecodable: set[int] = set()
    lines: list[str] = []
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    for number, line in enumerate(data.split(b"\n"), start=1):
        decoded = decode_text(line)
        if decoded is None:
            undecodable.add(number)
            lines.append(line.decode("ascii", errors="replace"))
        else:
            lines.append(decoded[0])
            encodings[decoded[1]] += bool(line)
    return "\n".join(lines), dict(encodings), undecodable


def _with_unix_line_ends(text: str) -> str:
    if "\n" not in text:
        return text.replace("\r", "\n")
    return text.replace("\r\n", "\n")


def _number_of_lines(text: str) -> int:
    return len(text.rstrip("\r\n").split("\n"))


def _read_delimited(
    text: str, undecodable: set[int], suffix: str, rescue: bool, rows: _Rows
) -> list[str]:
    """Reads the rows and returns the header."""
    delimiter = "\t" if suffix == ".tsv" else _delimiter(text)
    lines = text.split("\n")
    records: Iterable[_Record]
    if suffix == ".csv" or _has_quoted_fields(text, delimiter):
        records = _quoted_records(lines, delimiter)
    else:
        records = (
            _Record(number, number, line.split(delimiter))
            for number, line in enumerate(lines, start=1)
            if line
        )
    others = [other for other in _OTHER_DELIMITERS if rescue and other != delimiter]
    with _no_field_limit():
        records = iter(records)
        header = _header(next(records), undecodable, rows.path)
        for record in records:
            _add_record(record, len(header), lines, others, undecodable, rows)
    return header


def _add_record(
    record: _Record,
    width: int,
    lines: list[str],
    other_delimiters: list[str],
    undecodable: set[int],
    rows: _Rows,
) -> None:
    number = record.first_line
    if not undecodable.isdisjoint(range(number, record.last_line + 1)):
        rows.bad.append(rows.bad_row(number, UNDECODABLE))
    elif record.fault is not None:
        rows.bad.append(rows.bad_row(number, record.fault))
    elif len(record.fields) == width:
        rows.add(number, record.fields)
    else:
        fault = f"{len(record.fields)} fields; the header has {width}"
        row = rows.bad_row(number, fault)
        fields = None
        if record.last_line == number:
            fields = _parted_otherwise(lines[number - 1], width, other_delimiters)
        if fields is None:
            rows.bad.append(row)
        else:
            rows.rescued.append(row)
            rows.add(number, fields)


def _parted_otherwise(line: str, width: int, delimiters: list[str]) -> list[str] | None:
    """The fields of a line by the first delimiter that parts it into so many."""
    for delimiter in delimiters:
        fields = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
        if len(fields) == width:
            return [field.strip() for field in fields]
    return None


def _header(record: _Record, undecodable: set[int], path: Path) -> list[str]:
    if record.fault is not None:
        raise UserError(f"{path}, line {record.first_line}: header: {record.fault}")
    if record.first_line in undecodable:
        raise UserError(f"{path}, line {record.first_line}: header: {UNDECODABLE}")
    # Spreadsheet and pandas indices are written under an empty name.
    names = [
        name.strip() or f"unnamed_{position}"
        for position, name in enumerate(record.fields, start=1)
    ]
    for name, count in Counter(names).items():
        if count > 1:
            raise UserError(
                f"{path}, line {record.first_line}: the header names the column "
                f"{name!r} {count} times; the first line must name each column once"
            )
    return names


def _delimiter(text: str) -> str:
    header = text.lstrip("\n").partition("\n")[0]
    return max(_DELIMITERS, key=header.count)


def _has_quoted_fields(text: str, delimiter: str) -> bool:
    openings = re.compile(
        rf"(?:^|{delimiter})(?:({_QUOTED_FIELD})(?={delimiter}|$)|\")", re.MULTILINE
    )
    well_formed = Counter(bool(match[1]) for match in openings.finditer(text))
    return well_formed[True] > well_formed[False]


def _quoted_records(lines: list[str], delimiter: str) -> Iterator[_Record]:
    """The records of RFC 4180 text; after a broken one it goes on a line below."""
    start = 0
    while start < len(lines):
        # The reader sees each line with its end: inside quotes that is text.
        below = (line + "\n" for line in itertools.islice(lines, start, None))
        reader = csv.reader(below, delimiter=delimiter, strict=True)
        first = start
        try:
            for fields in reader:
                if fields:
                    yield _Record(first + 1, start + reader.line_num, fields)
                first = start + reader.line_num
            return
        except csv.Error as error:
            last = min(start + reader.line_num, len(lines))
            record = "\n".join(lines[first:last]) + "\n"
            opening = first + _line_of_broken_quote(record, delimiter)
            fault = _quoting_fault(str(error), one_line=last == opening + 1)
            yield _Record(opening + 1, opening + 1, [], fault)
            start = opening + 1


def _line_of_broken_quote(record: str, delimiter: str) -> int:
    """How many lines into the record its first field with broken quotes begins."""
    whole_field = re.compile(
        rf'(?:{_QUOTED_FIELD}|[^"{delimiter}\n][^{delimiter}\n]*+|)(?:{delimiter}|\n)'
    )
    position = 0
    while found := whole_field.match(record, position):
        position = found.end()
    return record.count("\n", 0, position) if position < len(record) else 0


def _quoting_fault(error: str, one_line: bool) -> str:
    if "unexpected end of data" in error:
        return "the quotation mark that opens in this line is never closed"
    if "expected after" not in error:
        return "a carriage return inside a field without quotation marks"
    if one_line:
        return (
            "text behind a closing quotation mark; inside a quoted field a quotation "
            "mark is written twice"
        )
    return "the quotation mark that opens in this line is not closed before the next"


@contextmanager
def _no_field_limit() -> Iterator[None]:
    """Lets the csv module read texts of any length; its limit is global."""
    previous = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(previous)


def _read_json_lines(text: str, undecodable: set[int], rows: _Rows) -> None:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        row = UNDECODABLE if number in undecodable else _json_object(line)
        if isinstance(row, str):
            rows.bad.append(rows.bad_row(number, row))
        else:
            rows.add(number, row)


def _json_object(line: str) -> dict[str, Any] | str:
    """The object, or why there is none."""
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        return f"broken JSON: {error.msg} at column {error.colno}"
    except RecursionError:
        return "broken JSON: nested too deeply"
    if not isinstance(value, dict):
        return f"a JSON {type(value).__name__}, where an object {{...}} was expected"
    return value


def _read_parquet(path: Path) -> Table:
    if not path.stat().st_size:
        raise UserError(f"{path}: the file is empty; rows were expected")
    try:
        frame = pd.read_parquet(path)
    except (ValueError, OSError, NotImplementedError) as error:
        # pyarrow's errors are kinds of these three.
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: not a readable Parquet file ({reason})") from error
    if not len(frame):
        raise UserError(f"{path}: the file has columns and no rows")
    frame = frame.reset_index(drop=True)
    return Table(frame, np.arange(1, len(frame) + 1), (), str(path))
