"""Stamps of rows: read in one form, decided over all files, and brought to one clock.

A stamp is a whole number of seconds since 1970-01-01, by the clock that `clocks`
describes. How times are written is decided by all values of all files: `time_forms` has
the forms, `time_orders` the choice between orders of day and month. The user's
`data.time_format`, and after it that of training, decide first.
"""

import dataclasses
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...core.errors import UserError
from ..large_arrays import large_array, slices
from ..reading import Decision, PlanBuilder
from .clocks import STATION, decide_clock, on_clock, with_stated_offset
from .loss_patterns import check_pattern
from .repairs import EXAMPLES, RepairKind, RepairLog
from .time_columns import (
    TimeColumns,
    as_text,
    find_time_columns,
    month_numbers,
    strptime,
)
from .time_forms import forms_of
from .time_numbers import EPOCHS, EXCEL, read_numbers
from .time_orders import (
    FEW,
    REGULAR,
    OrderDecision,
    decide_orders,
    irregular_neighbours,
)
from .time_text import NO_STAMP, PIVOT, Moments, TimeText, clock_seconds, days_of

__all__ = [
    "NO_STAMP",
    "TimeColumns",
    "TimeRules",
    "TimeSource",
    "decide_times",
    "find_time_columns",
    "format_stamp",
    "read_stamps",
]

# 1600 and 2200; stamps outside are none of measurements.
_EARLIEST, _LATEST = -11_676_096_000, 7_258_118_400
_ENOUGH = 0.8
_NUMBERS = (*EPOCHS, EXCEL)
# By unit of NumPy's times.
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
# Directives of strftime that say the date.
_DATE = re.compile(r"%[-#]?([YymbBdejVGq])")


@dataclass(frozen=True)
class TimeSource:
    """The rows of a file or station whose times are to be read.

    Args:
        frame: The rows.
        columns: Those of the time.
        file: The name of the file, for errors.
    """

    frame: pd.DataFrame
    columns: TimeColumns
    file: str


@dataclass(frozen=True)
class TimeRules:
    """How times are read, the same in all files.

    Attributes:
        time_format: As strftime writes it, or a name such as "epoch_s" or "excel"; None
            where columns hold times as such or parts of them.
        time_zone: See `clocks`.
        orders: Of year, month and day, for each family of forms.
        exactly: Whether `time_format` is tried as it stands first, since it is another
            than the files suggest.
    """

    time_format: str | None
    time_zone: str
    orders: tuple[str, ...] = ()
    exactly: bool = False


def decide_times(sources: Sequence[TimeSource], plan: PlanBuilder) -> TimeRules:
    """How the times of these files are read; asked once, of all files of a spec.

    Args:
        sources: All of them.
        plan: Has `time_format` and `time_zone` of the user and of training, and takes
            the decisions, their evidence, and a warning where day and month could be
            either.

    Raises:
        UserError: A column holds no times, their clocks differ, or the form that the
            user gave is none.
    """
    columns = [_Column(source) for source in sources]
    file = sources[0].file
    written = [column for column in columns if column.is_written]
    rules = TimeRules(None, STATION)
    _check_format(plan.given("time_format"))
    if written:
        time_format = plan.decide(
            "time_format",
            lambda: _guess_format(written, plan, file),
            fits=lambda kept: _fits(written, kept, plan, file),
            file=file,
        )
        rules = _rules(written, time_format)
    moments = [column.moments(rules) for column in columns]
    for column, each in zip(columns, moments, strict=True):
        if not each.read.any():
            raise UserError(_no_times(column, plan.given("time_format")))
    return dataclasses.replace(rules, time_zone=decide_clock(moments, plan, file))


def read_stamps(
    frame: pd.DataFrame,
    columns: TimeColumns,
    time_zone: str | None,
    log: RepairLog,
    file: str,
    *,
    rules: TimeRules | None = None,
    plan: PlanBuilder | None = None,
    locate: Callable[[int], str] | None = None,
) -> np.ndarray:
    """The stamp of each row, ``int64[rows]``; ``NO_STAMP`` where it cannot be read.

    Args:
        frame: The rows.
        columns: Those of the time.
        time_zone: Of stamps without an offset, where no rules are given.
        log: Takes what is read in another form or not at all.
        file: The name of it, for errors.
        rules: Decided over all files by `decide_times`; over this one if left out.
        plan: Takes the decisions, where no rules are given.
        locate: Says where a row stands; by its number if left out.

    Raises:
        UserError: No value can be read as a time, the unreadable ones have something in
            common, times are less than a second apart, or there is no such time zone.
    """
    source = TimeSource(frame, columns, file)
    if rules is None:
        plan = plan or PlanBuilder({"time_zone": time_zone})
        rules = decide_times([source], plan)
    column = _Column(source)
    moments = column.moments(rules)
    _refuse_sub_second(moments, file)
    stamps = on_clock(moments, rules.time_zone, log)
    outside = (stamps < _EARLIEST) | (stamps > _LATEST)
    outside &= stamps != NO_STAMP
    if outside.any():
        stamps = np.where(outside, NO_STAMP, stamps)
    _list_losses(column, stamps, log, locate or (lambda row: f"row {row + 1}"))
    column.list_other_forms(rules, stamps, log)
    return stamps


def format_stamp(stamp: int) -> str:
    """``2009-01-01 00:10:00``."""
    return str(np.datetime64(int(stamp), "s")).replace("T", " ")


class _Column:
    """The times of a file, in whatever columns they are."""

    def __init__(self, source: TimeSource):
        self.source = source
        frame, columns = source.frame, source.columns
        self.values = frame[columns.columns[0]]
        self.clock: np.ndarray | None = None
        self._clock_offsets: np.ndarray | None = None
        self.is_written = (
            not columns.parts and not pd.api.types.is_datetime64_any_dtype(self.values)
        )
        if len(columns.whole) > 1:
            clock, *halves = (
                as_text(frame[name]).str.strip() for name in columns.whole[1:]
            )
            for half in halves:
                clock = clock + " " + half
            self.clock, self._clock_offsets = clock_seconds(clock)
        if self.is_written:
            self.text = TimeText(as_text(self.values))

    def moments(self, rules: TimeRules) -> Moments:
        """What the rows say, and the names of their columns."""
        if self.source.columns.parts:
            moments = _assembled(self.source)
        elif self.is_written:
            moments = self._read(rules)
        else:
            moments = _of_datetimes(self.values)
        if self.clock is not None:
            moments = self._joined(moments)
        return with_stated_offset(moments, self.source.columns.columns)

    def reasons(self, lost: np.ndarray) -> np.ndarray:
        """Why each lost row has no time, of all rows; None for the others."""
        reasons = np.full(len(lost), None, object)
        rows = np.flatnonzero(lost)
        text = as_text(self.values.iloc[rows]).str.strip().fillna("")
        has_digits = text.str.contains(r"\d", regex=True).to_numpy(bool)
        shaped = np.zeros(len(rows), bool)
        if self.is_written:
            known = np.array([bool(forms_of(shape)) for shape in self.text.shapes])
            shaped = known[self.text.codes[rows]]
        elif self.source.columns.parts:
            shaped = has_digits
        reasons[rows] = np.select(
            [(text == "").to_numpy(bool), shaped, has_digits],
            ["it is empty", "there is no such time", "the form is unknown"],
            "it is a word",
        )
        return reasons

    def list_other_forms(
        self, rules: TimeRules, stamps: np.ndarray, log: RepairLog
    ) -> None:
        """Notes the rows that are not written as most are."""
        if not self.is_written or rules.time_format in _NUMBERS:
            return
        forms = self.text.forms(rules.orders)
        texts = np.array(["" if each is None else each.text for each in forms], object)
        usual = self.text.form(rules.orders)
        for text in dict.fromkeys(texts):
            if not text or usual is None or text in (usual.text, rules.time_format):
                continue
            is_other = (texts == text)[self.text.codes] & (stamps != NO_STAMP)
            rows = np.flatnonzero(is_other)
            log.add(
                RepairKind.OTHER_TIME_FORMAT,
                f"read as {text}",
                [str(self.values.iloc[row]) for row in rows[:EXAMPLES]],
                len(rows),
            )

    def _read(self, rules: TimeRules) -> Moments:
        if rules.time_format in _NUMBERS:
            numbers = read_numbers(self.values, rules.time_format)
            return Moments.none(len(self.values)) if numbers is None else numbers[1]
        moments = self.text.moments(rules.orders)
        if not rules.exactly:
            return moments
        exact = strptime(self.values, str(rules.time_format))
        seconds = np.where(exact == NO_STAMP, moments.seconds, exact)
        return dataclasses.replace(moments, seconds=seconds)

    def _joined(self, dates: Moments) -> Moments:
        assert self.clock is not None and self._clock_offsets is not None
        both = dates.read & (self.clock != NO_STAMP)
        seconds = np.where(
            both, dates.seconds + np.where(both, self.clock, 0), NO_STAMP
        )
        stated = self._clock_offsets != NO_STAMP
        offsets = np.where(stated, self._clock_offsets, dates.offsets)
        return Moments(seconds, dates.nanoseconds, offsets)


def _check_format(given: str | None) -> None:
    if given is not None and given not in _NUMBERS and not order_of(given):
        raise UserError(
            f"data.time_format: {given!r} says no date; expected a form as strftime "
            f"has it, such as %d/%m/%Y %H:%M, or one of {', '.join(_NUMBERS)}"
        )


def order_of(time_format: str) -> str:
    """The order of year, month and day that a format has: "dmY"."""
    return "".join(
        {"B": "b", "e": "d", "G": "Y", "V": "W"}.get(part, part)
        for part in _DATE.findall(time_format)
    )


def _rules(columns: Sequence[_Column], time_format: str) -> TimeRules:
    """How columns are read by this format, whoever decided it."""
    if time_format in _NUMBERS:
        return TimeRules(time_format, STATION)
    decision = _decide_orders(columns, order_of(time_format))
    if decision is None:
        return TimeRules(time_format, STATION, (), True)
    exactly = decision.text != time_format
    return TimeRules(time_format, STATION, decision.orders, exactly)


def _decide_orders(
    columns: Sequence[_Column], asked: str | None = None
) -> OrderDecision | None:
    clocks = [column.clock for column in columns]
    return decide_orders([column.text for column in columns], clocks, asked)


def _guess_format(columns: Sequence[_Column], plan: PlanBuilder, file: str) -> Decision:
    rows = sum(len(column.values) for column in columns)
    decision = _decide_orders(columns)
    read = 0 if decision is None else decision.read
    if read < _ENOUGH * rows:
        numbers = [read_numbers(column.values) for column in columns]
        names = {None if each is None else each[0] for each in numbers}
        if len(names) == 1 and None not in names:
            return Decision(names.pop(), "the size of the numbers")
    if decision is None:
        raise UserError(_no_times(columns[0], None))
    if decision.alternative:
        plan.warn(
            f"{file}: day and month could be either: the times are read as "
            f"{decision.text}, and {decision.alternative} reads them as well; "
            "data.time_format chooses"
        )
    evidence = f"{decision.read} of {rows} values"
    return Decision(decision.text, evidence, decision.alternative)


def _fits(columns: Sequence[_Column], kept: str, plan: PlanBuilder, file: str) -> bool:
    """Whether the form of training reads what the file's own guess reads."""
    own = _decide_orders(columns)
    moments = [column.moments(_rules(columns, kept)) for column in columns]
    read = sum(int(each.read.sum()) for each in moments)
    rows = sum(len(column.values) for column in columns)
    if own is None or kept in _NUMBERS:
        return read >= _ENOUGH * rows
    if read < own.read - max(1, FEW * rows):
        return False
    irregular = sum(irregular_neighbours(each.seconds) for each in moments)
    by_own = [column.moments(_rules(columns, own.text)) for column in columns]
    fewer = irregular - sum(irregular_neighbours(each.seconds) for each in by_own)
    if fewer == 1 and own.text != kept:
        plan.warn(
            f"{file}: the times are read as {kept}, as in training, though {own.text} "
            "would be more regular; data.time_format chooses"
        )
    return fewer <= 1 or own.irregular > REGULAR * rows


def _no_times(column: _Column, given: str | None) -> str:
    name = column.source.columns.columns[0]
    example = str(column.values.iloc[0])[:40] if len(column.values) else ""
    expected = (
        "2009-01-01 00:10:00, 01.01.2009 00:10:00 or seconds since 1970, or its form "
        "by data.time_format"
        if given is None
        else f"the form {given} of data.time_format"
    )
    return (
        f"{column.source.file}: the column {name!r} holds no times that can be read; "
        f"the first value is {example!r}; expected for example {expected}"
    )


def _of_datetimes(times: pd.Series) -> Moments:
    if times.dtype == "datetime64[s]":
        # What is missing is the same number in both.
        nothing = np.broadcast_to(np.int64(0), len(times))
        no_offset = np.broadcast_to(np.int64(NO_STAMP), len(times))
        return Moments(times.to_numpy().view(np.int64), nothing, no_offset)
    seconds = large_array(len(times), np.int64)
    nanoseconds, offsets = [], []
    for part in slices(len(times)):
        some = _of_some_datetimes(times.iloc[part])
        seconds[part] = some.seconds
        nanoseconds.append(_joined([some.nanoseconds], 0))
        offsets.append(_joined([some.offsets], NO_STAMP))
    return Moments(seconds, _joined(nanoseconds, 0), _joined(offsets, NO_STAMP))


def _joined(parts: Sequence[np.ndarray], usual: int) -> np.ndarray:
    """One array of all; where it is the same number throughout, the memory of one."""
    rows = sum(map(len, parts))
    value = parts[0][0] if rows else np.int64(usual)
    if all((each == value).all() for each in parts):
        return np.broadcast_to(value, rows)
    result, begin = large_array(rows, np.int64), 0
    for each in parts:
        result[begin : begin + len(each)] = each
        begin += len(each)
    return result


def _of_some_datetimes(times: pd.Series) -> Moments:
    offsets = np.broadcast_to(np.int64(NO_STAMP), len(times))
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        wall = times.dt.tz_localize(None)
        utc = times.dt.tz_convert("UTC").dt.tz_localize(None)
        apart = (wall - utc).dt.total_seconds()
        offsets = apart.fillna(0).to_numpy().astype(np.int64)
        times = wall
    per_second = _PER_SECOND[times.dt.unit]
    counts = times.to_numpy().view(np.int64)
    seconds, nanoseconds = np.divmod(counts, per_second)
    missing = times.isna().to_numpy()
    if missing.any():
        seconds[missing] = NO_STAMP
        nanoseconds[missing] = 0
        offsets = np.where(missing, NO_STAMP, offsets)
    if not nanoseconds.any():
        nanoseconds = np.broadcast_to(np.int64(0), len(times))
    elif per_second < _PER_SECOND["ns"]:
        nanoseconds *= _PER_SECOND["ns"] // per_second
    return Moments(seconds, nanoseconds, offsets)


def _assembled(source: TimeSource) -> Moments:
    """Of columns of year, month, day and so on."""
    frame, parts = source.frame, dict(source.columns.parts)
    rows = len(frame)
    numbers, good = {}, np.ones(rows, bool)
    for part, column in parts.items():
        if part == "month":
            numbers[part] = month_numbers(frame[column])
        elif part != "hour":
            number = pd.to_numeric(frame[column], errors="coerce").to_numpy(np.float64)
            good &= np.isfinite(number) & (number == np.floor(number))
            numbers[part] = np.where(good, number, 0).astype(np.int64)
    if numbers["year"][good].max(initial=0) < 100:
        year = numbers["year"]
        numbers["year"] = year + np.where(year < PIVOT, 2000, 1900)
    days, is_date = days_of(numbers, rows)
    seconds = days * 86_400
    offsets = np.full(rows, NO_STAMP)
    if "hour" in parts:
        clock, offsets = clock_seconds(frame[parts["hour"]])
        is_date &= clock != NO_STAMP
        seconds = seconds + np.where(is_date, clock, 0)
    seconds += numbers.get("minute", 0) * 60 + numbers.get("second", 0)
    return Moments(
        np.where(good & is_date, seconds, NO_STAMP), np.zeros(rows, np.int64), offsets
    )


def _refuse_sub_second(moments: Moments, file: str) -> None:
    if not moments.nanoseconds.any():
        return
    seconds = moments.seconds + (moments.nanoseconds >= 500_000_000)
    exact = pd.DataFrame({"s": moments.seconds, "n": moments.nanoseconds})[moments.read]
    rounded = pd.Series(seconds[moments.read]).nunique()
    if rounded < 0.9 * len(exact.drop_duplicates()):
        raise UserError(
            f"{file}: the times are less than a second apart; series have steps of a "
            "second or more: put rows together first"
        )


def _list_losses(
    column: _Column,
    stamps: np.ndarray,
    log: RepairLog,
    locate: Callable[[int], str],
) -> None:
    lost = stamps == NO_STAMP
    if not lost.any():
        return
    reasons = column.reasons(lost)
    for reason in dict.fromkeys(reasons[lost]):
        rows = np.flatnonzero(reasons == reason)
        log.add(
            RepairKind.UNREADABLE_TIME,
            f"row left out, {reason}",
            [locate(int(row)) for row in rows[:EXAMPLES]],
            len(rows),
        )
    written = as_text(column.values).fillna("").astype(object).to_numpy()
    kinds = {"written": written}
    if column.is_written:
        shapes = np.array(column.text.shapes, object)[column.text.codes]
        without_digits = np.array(["9" not in each for each in shapes], bool)
        kinds = {"written like": np.where(without_digits, "", shapes)}
        no_such = reasons == "there is no such time"
        if no_such.any():
            kinds["dates of which"] = np.where(no_such, "there is none", "")
    check_pattern(
        lost,
        where=column.source.file,
        what="have no time that can be read",
        kinds=kinds,
        advice="data.time_format chooses the form (9 stands for a digit)",
    )
