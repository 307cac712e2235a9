"""Columns as they stand in a file made numbers; what is no number is listed."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import NoReturn

import numpy as np
import pandas as pd

from ...core.errors import UserError
from ..large_arrays import copied, large_array, rows_where, slices
from .column_formats import ColumnFormat
from .measured_variables import split_unit
from .number_words import parse_numbers, plain_words
from .raw_tables import RawTable
from .repairs import EXAMPLES, RepairKind, RepairLog
from .variable_words import kind_of

# Of the values of a column that are there, from which on it is one of text.
_TEXT_FRACTION = 0.5
# What float32 holds.
_LARGEST = float(np.finfo(np.float32).max)
_COUNTER_NAME = re.compile(
    r"(?:unnamed.*|no\.?|nr\.?|id|index|idx|row|record|rowid|rec|#)", re.IGNORECASE
)
# Of the values of a direction, up to which those beyond a turn are none.
_NO_DIRECTION_FRACTION = 0.1
_TURN = 360.0


def read_values(
    table: RawTable,
    formats: Mapping[str, ColumnFormat],
    log: RepairLog,
    *,
    needed: Collection[str],
    sentinels: Mapping[str, Collection[float]],
    max_bad_fraction: float,
) -> tuple[np.ndarray, list[str]]:
    """The columns as ``float[rows, columns kept]``, NaN where there is no value.

    They are float32 where all columns are so in the file, and float64 otherwise.

    - Empty fields and the usual words (NA, nan, null, M, -, ...) are missing values,
      and so are ``sentinels``, text among numbers, and directions beyond a turn.
    - Numbers are read as `column_formats` found them: decimal mark, groups of digits,
      units; points of the compass are degrees; a trace of precipitation is 0.
    - A column of text, one without a value, and a counter of rows are left out.

    Args:
        table: the rows.
        formats: of the columns to read.
        log: takes every repair.
        needed: columns that must not be left out.
        sentinels: by column, numbers that stand for a missing value.
        max_bad_fraction: of text among the values of a column, over which it is
            refused.

    Raises:
        UserError: a needed column is one of text, too much of a column is text, or no
            column is left.
    """
    kept: list[str] = []
    numbers: list[np.ndarray] = []
    for column, form in formats.items():
        if form.is_empty and column not in needed:
            log.add(RepairKind.EMPTY_COLUMN, "left out", [column])
            continue
        values = _numbers(table, column, form, log, column in needed, max_bad_fraction)
        if values is None:
            continue
        may_count = _COUNTER_NAME.fullmatch(column) and column not in needed
        if may_count and _counts(values):
            log.add(RepairKind.COUNTER_OF_ROWS, "column left out", [column])
            continue
        _remove_sentinels(values, column, table, sentinels.get(column, ()), log)
        if kind_of(*split_unit(column)) == "direction":
            _remove_no_directions(values, column, table, log)
        kept.append(column)
        numbers.append(values)
    if not kept:
        raise UserError(
            f"{table.files[0]}: no column of numbers beside the time; the columns are "
            f"{', '.join(table.frame.columns)}"
        )
    if len(numbers) == 1:
        # Of one column no copy is made.
        return numbers[0][:, np.newaxis], kept
    joined = large_array((len(table.frame), len(kept)), np.result_type(*numbers))
    for part in slices(len(joined)):
        joined[part] = np.stack([each[part] for each in numbers], axis=1)
    return joined, kept


def _counts(values: np.ndarray) -> bool:
    """Whether each is one more than the value above it."""
    first = float(values[0])
    return len(values) > 1 and all(
        (values[part] == first + np.arange(part.start, part.stop)).all()
        for part in slices(len(values))
    )


def _numbers(
    table: RawTable,
    column: str,
    form: ColumnFormat,
    log: RepairLog,
    needed: bool,
    max_bad_fraction: float,
) -> np.ndarray | None:
    """``float[rows]``, or None where the column is one of text."""
    values = table.frame[column]
    if pd.api.types.is_numeric_dtype(values):
        is_short = values.dtype == np.float32
        numbers = copied(
            values.to_numpy()
            if is_short
            else values.to_numpy(np.float64, na_value=np.nan)
        )
        _remove_infinite(numbers, column, table, log)
        return numbers
    if pd.api.types.is_datetime64_any_dtype(values):
        _leave_out(column, "a column of times", table, log, needed)
        return None
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64).copy()
    is_plain = np.abs(numbers) <= _LARGEST
    if form.decimal == ",":
        # A point parts thousands here, in what looks like a plain number too.
        is_plain &= ~values.astype(str).str.contains(".", regex=False).to_numpy()
    rest = np.flatnonzero(~is_plain)
    if not len(rest):
        return numbers
    absent = values.iloc[rest].isna().to_numpy()
    words = plain_words(values.iloc[rest])
    is_missing = absent | form.is_missing(words).to_numpy(bool)
    read = np.where(is_missing, np.nan, _parsed(words, form))
    is_text = ~is_missing & np.isnan(read) & ~_is_no_direction(words, form)
    numbers[rest] = read
    present = len(numbers) - is_missing.sum()
    if present and is_text.sum() > _TEXT_FRACTION * present:
        example = str(words[is_text].iloc[0])[:40]
        _leave_out(column, f"text such as {example!r}", table, log, needed)
        return None
    if is_text.sum() > max_bad_fraction * len(numbers):
        _refuse_text(table, column, rest, words, is_text, max_bad_fraction)
    where = f"in {column}"
    _note(log, table, RepairKind.MISSING_VALUE, "left missing", rest[is_missing], where)
    for kind, action, which in _kinds_of_words(words, form, ~is_missing & ~is_text):
        _note(log, table, kind, action, rest[which], where)
    log.add(
        RepairKind.TEXT_AMONG_NUMBERS,
        "made missing",
        [
            f"{table.location(row)}: {word[:40]!r}"
            for row, word in zip(rest[is_text][:EXAMPLES], words[is_text], strict=False)
        ],
        int(is_text.sum()),
        where,
    )
    return numbers


def _parsed(words: pd.Series, form: ColumnFormat) -> np.ndarray:
    """The words as numbers, each distinct one read once; NaN for what is none."""
    distinct = pd.Series(words.unique(), dtype=object)
    if form.degrees is not None:
        numbers = distinct.map(form.degrees).to_numpy(np.float64)
    else:
        bare = distinct.str.removesuffix(form.unit).str.rstrip()
        numbers = parse_numbers(bare, form.decimal)
        numbers[distinct.str.lower().isin(list(form.traces)).to_numpy()] = 0.0
    numbers = np.where(np.abs(numbers) <= _LARGEST, numbers, np.nan)
    return words.map(dict(zip(distinct, numbers, strict=True))).to_numpy(np.float64)


def _is_no_direction(words: pd.Series, form: ColumnFormat) -> np.ndarray:
    """Calm and variable among points of the compass."""
    return words.isin(list(form.degrees or ())).to_numpy(bool)


def _kinds_of_words(
    words: pd.Series, form: ColumnFormat, is_number: np.ndarray
) -> Iterator[tuple[RepairKind, str, np.ndarray]]:
    """How words that no plain number is were read."""
    if form.degrees is not None:
        yield RepairKind.COMPASS_POINT, "read in degrees", is_number
        return
    is_trace = is_number & words.str.lower().isin(list(form.traces)).to_numpy(bool)
    has_comma = is_number & words.str.contains(",", regex=False).to_numpy(bool)
    # In a number with both marks, or with one that parts groups, the last one tells.
    as_decimal = parse_numbers(words.str.replace(".", "", regex=False), ",")
    is_decimal = has_comma & (as_decimal == _parsed(words, form))
    is_unit = is_number & bool(form.unit) & ~is_trace
    yield RepairKind.TRACE, "read as 0", is_trace
    yield RepairKind.DECIMAL_COMMA, "read as a number", is_decimal
    yield RepairKind.ATTACHED_UNIT, f"read in {form.unit}", is_unit
    grouped = is_number & ~is_trace & ~is_decimal & ~is_unit
    yield RepairKind.GROUPS_OF_DIGITS, "read as a number", grouped & ~_is_plain(words)


def _is_plain(words: pd.Series) -> np.ndarray:
    return words.str.fullmatch(r"[+-]?\d*\.?\d*").to_numpy(bool)


def _refuse_text(
    table: RawTable,
    column: str,
    rest: np.ndarray,
    words: pd.Series,
    is_text: np.ndarray,
    max_bad_fraction: float,
) -> NoReturn:
    row, word = rest[is_text][0], words[is_text].iloc[0][:40]
    raise UserError(
        f"{table.location(row)}: {is_text.sum()} of {len(table.frame)} values of the "
        f"column {column!r} are text, the first {word!r}; at most "
        f"{max_bad_fraction:.1%} are tolerated; if it stands for a missing value, name "
        "it by data.missing_words, or mend the column or leave it out of the file"
    )


def _remove_infinite(
    numbers: np.ndarray, column: str, table: RawTable, log: RepairLog
) -> None:
    where = f"in {column}"
    _note(
        log,
        table,
        RepairKind.MISSING_VALUE,
        "left missing",
        rows_where(numbers, np.isnan),
        where,
    )
    infinite = rows_where(numbers, lambda each: np.abs(each) > _LARGEST)
    numbers[infinite] = np.nan
    _note(log, table, RepairKind.INFINITE_VALUE, "made missing", infinite, where)


def _remove_sentinels(
    numbers: np.ndarray,
    column: str,
    table: RawTable,
    sentinels: Collection[float],
    log: RepairLog,
) -> None:
    rows = rows_where(numbers, lambda each: np.isin(each, list(sentinels)))
    values = numbers[rows].astype(np.float64)
    found = {sentinel: rows[values == sentinel] for sentinel in sentinels}
    numbers[rows] = np.nan
    least, most = float(np.fmin.reduce(numbers)), float(np.fmax.reduce(numbers))
    for sentinel, rows in found.items():
        among = least < sentinel < most
        kind = RepairKind.SENTINEL_AMONG_VALUES if among else RepairKind.SENTINEL
        _note(log, table, kind, "made missing", rows, f"{sentinel:g} in {column}")


def _remove_no_directions(
    numbers: np.ndarray, column: str, table: RawTable, log: RepairLog
) -> None:
    """990 for a variable wind, and other numbers beyond a turn, where they are few."""
    rows = rows_where(numbers, lambda each: np.abs(each) > _TURN)
    if len(rows) <= _NO_DIRECTION_FRACTION * np.isfinite(numbers).sum():
        numbers[rows] = np.nan
        where = f"in {column}"
        _note(log, table, RepairKind.NO_DIRECTION, "made missing", rows, where)


def _leave_out(
    column: str, what: str, table: RawTable, log: RepairLog, needed: bool
) -> None:
    if needed:
        raise UserError(
            f"{table.files[0]}: the column {column!r} holds {what}; numbers were "
            "expected of a target or a known-future input"
        )
    log.add(RepairKind.COLUMN_WITHOUT_NUMBERS, "left out", [f"{column}: {what}"])


def _note(
    log: RepairLog,
    table: RawTable,
    kind: RepairKind,
    action: str,
    rows: np.ndarray,
    detail: str,
) -> None:
    examples = [table.location(row) for row in rows[:EXAMPLES]]
    log.add(kind, action, examples, len(rows), detail)
