"""How the words of each column of a file are read, decided from all of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from ..reading import Decision, PlanBuilder
from .measured_variables import split_unit
from .number_words import (
    MARKS,
    NO_DIRECTION,
    ambiguous_words,
    attached_unit,
    compass_degrees,
    continues_counting,
    decimal_marks,
    parse_numbers,
    plain_words,
)
from .raw_tables import RawTable
from .variable_words import is_precipitation, kind_of

_MISSING_WORDS = frozenset(
    ("na", "n/a", "nan", "nat", "null", "none", "nil", "missing", "x", "m", "#n/a")
    + ("#na", "#wert!", "#value!", "#div/0!", "#num!", "#ref!", "n.a.", "k.a.", "nd")
    + ("nodata", "no data", "unknown", "unavailable", "undefined", "<na>")
)
_TRACES = frozenset(("t", "tr", "trace"))
_WORDS = {".": "point", ",": "comma"}
# So many distinct words tell the decimal mark of a column of plain numbers.
_SAMPLE = 2_000
# Of points of the compass, without a name that says direction.
_SURE_POINTS = 4


@dataclass(frozen=True)
class ColumnFormat:
    """How the words of a column are read.

    Args:
        decimal: the decimal mark of words that do not say it by themselves.
        unit: what stands behind each number; empty where nothing does.
        degrees: by point of the compass, where the column holds these.
        missing: further words for a missing value, in lower case.
        traces: words for an amount too small to measure, in lower case.
        is_empty: whether no value of the column is there.
    """

    decimal: str = "."
    unit: str = ""
    degrees: Mapping[str, float] | None = None
    missing: Collection[str] = ()
    traces: Collection[str] = ()
    is_empty: bool = False

    def is_missing(self, words: pd.Series) -> pd.Series:
        """Whether words stand for no value: usual ones, and marks without a letter."""
        lower = words.str.lower()
        usual = lower.isin(_MISSING_WORDS) | lower.isin(list(self.missing))
        return usual | words.str.fullmatch(r"[\W_]*")


@dataclass
class _Column:
    """What the words of a column say."""

    words: pd.Series
    format: ColumnFormat
    absent: Sequence[str] = ()
    marks: dict[str, int] = field(default_factory=dict)
    ambiguous: dict[str, pd.Series] = field(default_factory=dict)

    def open(self, mark: str) -> list[str]:
        """Words whose mark may part thousands or be the decimal one."""
        return list(self.ambiguous[mark]) if self.ambiguous else []

    def decimal(self) -> str | None:
        """The mark that its own words tell."""
        if any(self.marks.values()):
            return max(MARKS, key=lambda mark: self.marks[mark])
        found = [mark for mark in MARKS if len(self.ambiguous[mark])]
        if len(found) == 1 and continues_counting(self.words, found[0]):
            return MARKS[1 - MARKS.index(found[0])]
        return None


def column_formats(
    tables: Sequence[RawTable], columns: Sequence[str], plan: PlanBuilder
) -> dict[str, ColumnFormat]:
    """How the columns of one file are read.

    Args:
        tables: of the file, one for each station.
        columns: those to read.
        plan: takes the decimal mark and the words for missing values.
    """
    further = plan.given("missing_words") or plan.kept("missing_words") or ()
    missing = [str(word).strip().lower() for word in further]
    read = {column: _look_at(tables, column, missing) for column in columns}
    text = {column: found for column, found in read.items() if found is not None}
    absent = {word for each in text.values() for word in each.absent}
    if absent or missing:
        plan.decide(
            "missing_words", lambda: Decision(sorted(absent), "usual ones in the file")
        )
    decimals = _decide_decimal(text, tables[0].files[0], plan)
    return {
        column: ColumnFormat()
        if (found := text.get(column)) is None
        else replace(found.format, decimal=decimals.get(column, "."))
        for column in columns
    }


def _look_at(
    tables: Sequence[RawTable], column: str, missing: Sequence[str]
) -> _Column | None:
    """What the words of the column say, or None where it holds none."""
    values = [table.frame[column] for table in tables]
    if any(map(_is_read, values)):
        return None
    present = pd.concat(values).dropna().astype(str)
    distinct = pd.Series(present.unique(), dtype=object)
    is_number = pd.to_numeric(distinct, errors="coerce").notna()
    name, unit = split_unit(column)
    is_direction = kind_of(name, unit) == "direction"
    here = ColumnFormat(
        missing=[*missing, *(NO_DIRECTION if is_direction else ())],
        traces=_TRACES if is_precipitation(name) else (),
    )
    words = plain_words(distinct[~is_number])
    is_absent = here.is_missing(words)
    words, absent = words[~is_absent], [word for word in words[is_absent] if word]
    if not is_number.any() and not len(words):
        return _Column(words, replace(here, is_empty=True))
    degrees = None if is_number.any() else compass_degrees(list(words))
    if degrees and (is_direction or len(degrees) >= _SURE_POINTS):
        return _Column(words.iloc[:0], replace(here, degrees=degrees), absent)
    return _numbers_and_words(distinct[is_number], words, here, absent)


def _numbers_and_words(
    numbers: pd.Series, words: pd.Series, here: ColumnFormat, absent: Sequence[str]
) -> _Column:
    """What plain numbers and other words beside them say of marks and units."""
    is_text = pd.Series(parse_numbers(words, "."), words.index).isna()
    is_text &= ~words.str.lower().isin(list(here.traces))
    if not len(numbers) and is_text.all():
        absent = ()  # A column of text has no say in what stands for no number.
    bare, unit = attached_unit(words[is_text])
    words.loc[bare.index] = bare
    here = replace(here, unit=unit)
    # Of plain numbers a sample tells the mark, if it is not all groups of three.
    sample = plain_words(numbers.iloc[:_SAMPLE])
    if not len(words) and decimal_marks(sample)["."]:
        return _Column(sample, here, absent, {".": len(sample), ",": 0})
    every = pd.concat([plain_words(numbers), words])
    ambiguous = {mark: ambiguous_words(every, mark) for mark in MARKS}
    return _Column(every, here, absent, decimal_marks(every), ambiguous)


def _is_read(values: pd.Series) -> bool:
    """Whether they are numbers or times already, as Parquet has them."""
    kinds = pd.api.types
    return bool(kinds.is_numeric_dtype(values) or kinds.is_datetime64_any_dtype(values))


def _decide_decimal(
    columns: Mapping[str, _Column], file: str, plan: PlanBuilder
) -> dict[str, str]:
    """The decimal mark of each column: its own, or else that of the others."""
    own = {
        column: mark
        for column, found in columns.items()
        if found.marks and (mark := found.decimal()) is not None
    }
    open_ones = {
        column: found
        for column, found in columns.items()
        if column not in own and any(len(each) for each in found.ambiguous.values())
    }
    if not own and not open_ones:
        return {}

    def guess() -> Decision:
        marks = set(own.values())
        counted = [name for name in own if not any(columns[name].marks.values())]
        if len(marks) == 1:
            mark, evidence = marks.copy().pop(), f"the values of {_names(own)}"
            if len(counted) == len(own):
                evidence = f"integers go on in groups of three in {_names(counted)}"
        elif not open_ones:
            mark, evidence = ".", "the columns differ"
        else:
            mark = "," if any(each.open(",") for each in open_ones.values()) else "."
            evidence = "nothing tells"
            column = next(name for name in open_ones if open_ones[name].open(mark))
            plan.warn(
                f"{file}: {open_ones[column].open(mark)[0]!r} in {column} is read with "
                f"a decimal {_WORDS[mark]}, and may have one between thousands; "
                'data.decimal chooses ("," or ".")'
            )
        other = MARKS[1 - MARKS.index(mark)]
        unsure = [*open_ones, *counted]
        otherwise = f'data.decimal: "{other}", for {_names(unsure)}'
        value = mark if marks <= {mark} else own | dict.fromkeys(open_ones, mark)
        return Decision(value, evidence, otherwise if unsure else "")

    def fits(kept: object) -> bool:
        return all(_of_column(kept, column) in (None, own[column]) for column in own)

    decided = plan.decide("decimal", guess, fits=fits, file=file)
    marks = {column: _of_column(decided, column) for column in columns}
    is_given = plan.given("decimal") is not None
    return {
        column: (marks[column] if is_given else own.get(column)) or marks[column] or "."
        for column in columns
    }


def _of_column(decided: object, column: str) -> str | None:
    """The mark of a column, where there may be one for each."""
    if isinstance(decided, Mapping):
        return decided.get(column)
    return str(decided)


def _names(columns: Collection[str]) -> str:
    return ", ".join(list(columns)[:3])
