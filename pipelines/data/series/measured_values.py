"""Columns as they stand in a file made numbers; what is no number is listed."""

import re
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from ...core.errors import UserError
from .raw_tables import RawTable
from .repairs import EXAMPLES, RepairKind, RepairLog
from .rules import USUAL_SENTINELS

_MISSING_WORDS = frozenset(
    ("na", "n/a", "nan", "nat", "null", "none", "nil", "missing", "x", ".", "?")
    + ("-", "--", "---", "#n/a", "#na", "#wert!", "#value!", "")
)
# Of the values of a column that are there, from which on it is one of text.
_TEXT_FRACTION = 0.5
# What float32 holds.
_LARGEST = float(np.finfo(np.float32).max)
_COUNTER_NAME = re.compile(
    r"(?:unnamed.*|no\.?|nr\.?|id|index|idx|row|record|rowid|rec|#)", re.IGNORECASE
)
_DECIMAL_COMMA = r"[+-]?(?:\d{1,3}(?:[. '\u00a0]\d{3})+|\d*),\d+(?:[eE][+-]?\d+)?"
_THOUSANDS_COMMA = r"[+-]?\d{1,3}(?:,\d{3})+"


def read_values(
    table: RawTable,
    columns: Sequence[str],
    log: RepairLog,
    *,
    needed: Collection[str],
    sentinels: Collection[float] = USUAL_SENTINELS,
    max_bad_fraction: float,
) -> tuple[np.ndarray, list[str]]:
    """The columns as ``float32[rows, columns kept]``, NaN where there is no value.

    - Empty fields and the usual words (NA, nan, null, -, ...) are missing values.
    - ``sentinels`` are missing values too, and so is text among numbers.
    - A comma before the last digits is a decimal comma, and points, spaces and
      apostrophes before it part thousands; with a decimal point behind them, commas
      part thousands, and so do commas before groups of three digits in a column whose
      other values have decimal points.
    - A column of text and a counter of rows are left out.

    Args:
        table: the rows.
        columns: those to read.
        log: takes every repair.
        needed: columns that must not be left out.
        sentinels: numbers that stand for a missing value.
        max_bad_fraction: of text among the values of a column, over which it is
            refused.

    Raises:
        UserError: a needed column is one of text, too much of a column is text, or no
            column is left.
    """
    kept: list[str] = []
    numbers: list[np.ndarray] = []
    for column in columns:
        values = _numbers(table, column, log, column in needed, max_bad_fraction)
        if values is None:
            continue
        if _COUNTER_NAME.fullmatch(column) and column not in needed:
            steps = np.diff(values)
            if len(steps) and (steps == 1).all():
                log.add(RepairKind.COUNTER_OF_ROWS, "column left out", [column])
                continue
        _remove_sentinels(values, column, table, sentinels, log)
        kept.append(column)
        numbers.append(values.astype(np.float32))
    if not kept:
        raise UserError(
            f"{table.files[0]}: no column of numbers beside the time; the columns are "
            f"{', '.join(table.frame.columns)}"
        )
    return np.stack(numbers, axis=1), kept


def _numbers(
    table: RawTable, column: str, log: RepairLog, needed: bool, max_bad_fraction: float
) -> np.ndarray | None:
    """``float64[rows]``, or None where the column is one of text."""
    values = table.frame[column]
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.to_numpy(np.float64, na_value=np.nan).copy()
        _remove_infinite(numbers, column, table, log)
        return numbers
    if pd.api.types.is_datetime64_any_dtype(values):
        _leave_out(column, "a column of times", table, log, needed)
        return None
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64).copy()
    rest = np.flatnonzero(~(np.abs(numbers) <= _LARGEST))
    if not len(rest):
        return numbers
    words = values.iloc[rest]
    absent = words.isna().to_numpy()
    words = words.astype(str).str.strip()
    is_missing = absent | words.str.lower().isin(_MISSING_WORDS).to_numpy()
    where = f"in {column}"
    commas, read = _with_commas(words, values, rest)
    numbers[rest] = np.where(is_missing, np.nan, read)
    is_text = ~is_missing & np.isnan(read)
    present = len(numbers) - is_missing.sum()
    if present and is_text.sum() > _TEXT_FRACTION * present:
        example = str(words[is_text].iloc[0])[:40]
        _leave_out(column, f"text such as {example!r}", table, log, needed)
        return None
    if is_text.sum() > max_bad_fraction * len(numbers):
        row = rest[is_text][0]
        raise UserError(
            f"{table.location(row)}: {is_text.sum()} of {len(numbers)} values of the "
            f"column {column!r} are text, the first {words[is_text].iloc[0][:40]!r}; "
            f"at most {max_bad_fraction:.1%} are tolerated; mend the column or leave "
            "it out of the file"
        )
    _note(log, table, RepairKind.MISSING_VALUE, "left missing", rest[is_missing], where)
    _note(log, table, RepairKind.DECIMAL_COMMA, "read as a number", rest[commas], where)
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


def _with_commas(
    words: pd.Series, values: pd.Series, rest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which of the words are numbers with commas, and the numbers; NaN for others."""
    others = np.ones(len(values), dtype=bool)
    others[rest] = False
    has_points = values[others].astype(str).str.contains(".", regex=False).any()
    thousands = words.str.fullmatch(_THOUSANDS_COMMA) & bool(has_points)
    thousands |= words.str.fullmatch(_THOUSANDS_COMMA + r"\.\d+")
    decimal = words.str.fullmatch(_DECIMAL_COMMA) & ~thousands
    plain = words.where(~thousands, words.str.replace(",", "", regex=False))
    plain = plain.where(
        ~decimal,
        words.str.replace(r"[. '\u00a0]", "", regex=True).str.replace(",", "."),
    )
    with_comma = (thousands | decimal).to_numpy(bool)
    numbers = pd.to_numeric(plain.where(with_comma), errors="coerce")
    read = numbers.to_numpy(np.float64)
    return with_comma, np.where(np.abs(read) <= _LARGEST, read, np.nan)


def _remove_infinite(
    numbers: np.ndarray, column: str, table: RawTable, log: RepairLog
) -> None:
    where = f"in {column}"
    _note(
        log,
        table,
        RepairKind.MISSING_VALUE,
        "left missing",
        np.flatnonzero(np.isnan(numbers)),
        where,
    )
    infinite = np.flatnonzero(np.abs(numbers) > _LARGEST)
    numbers[infinite] = np.nan
    _note(log, table, RepairKind.INFINITE_VALUE, "made missing", infinite, where)


def _remove_sentinels(
    numbers: np.ndarray,
    column: str,
    table: RawTable,
    sentinels: Collection[float],
    log: RepairLog,
) -> None:
    for sentinel in sentinels:
        rows = np.flatnonzero(numbers == sentinel)
        numbers[rows] = np.nan
        where = f"{sentinel:g} in {column}"
        _note(log, table, RepairKind.SENTINEL, "made missing", rows, where)


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
