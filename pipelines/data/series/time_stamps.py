"""Columns of time: found or named, read in any usual form, brought to one clock.

A stamp is a whole number of seconds since 1970-01-01. Which clock it is of:

- stamps with an offset ("+01:00", "Z") are brought to UTC;
- stamps without one, with ``time_zone``: wall clock of that zone, brought to UTC. Of an
  hour that the clock shows twice in autumn the first rows in the file are in summer
  time and the second ones are not; a time in the hour that it skips in spring is taken
  as standard time written on;
- where most stamps have an offset those without cannot be read, and the reverse;
- stamps without one, without ``time_zone``: one clock all year round, without daylight
  saving, as loggers at stations have it. They are left as they are.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from ...core.errors import UserError
from .repairs import RepairKind, RepairLog

#: Stands for a stamp that cannot be read.
NO_STAMP = np.iinfo(np.int64).min

_SAMPLE = 2_000
# Of the values looked at, to be a column of time, where the name says so and without.
_ENOUGH_WITH_A_NAME = 0.5
_ENOUGH = 0.8

_TIME_NAMES = (
    "datetime", "timestamp", "date", "time", "dates", "times", "datetimeutc",
    "timeutc", "timestamputc", "utc", "validtime", "obstime", "observationtime", "ds",
    "datum", "zeit", "zeitstempel", "messdatum", "fecha", "day",
)  # fmt: skip
_PARTS: dict[str, tuple[str, ...]] = {
    "year": ("year", "yyyy", "yr", "jahr", "yy"),
    "month": ("month", "mo", "mm", "monat"),
    "day": ("day", "dd", "dy", "tag", "dayofmonth"),
    "hour": ("hour", "hr", "hh", "hours", "stunde"),
    "minute": ("minute", "min", "mn", "minutes"),
    "second": ("second", "sec", "ss", "seconds"),
}
# The order is that of preference where two read all values equally regularly.
_FORMATS = (
    "ISO8601",
    "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y",
    "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d",
    "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y",
    "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y",
    "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p",
    "%d-%m-%Y %H:%M:%S", "%d-%m-%Y %H:%M", "%d-%m-%Y",
    "%Y%m%d %H:%M:%S", "%Y%m%d %H:%M", "%Y%m%dT%H%M%S", "%Y%m%d %H%M",
)  # fmt: skip
_COMPACT = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_EPOCH_UNITS = (("s", 1), ("ms", 1_000), ("us", 1_000_000), ("ns", 1_000_000_000))
# 1900 and 2200; numbers outside are no stamps of measurements.
_EARLIEST, _LATEST = -2_208_988_800, 7_258_118_400
_ZONE_NAME = r"\s?(?:UTC|GMT)$"
_OFFSET = r"(?:[T:]\d\d(?:\.\d+)?|T\d{4}|T\d{6})\s?(?:Z|[+-]\d\d(?::?\d\d)?)$"
_CLOCK = r"\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?"


@dataclass(frozen=True)
class TimeColumns:
    """The columns that make a stamp.

    Args:
        whole: the one column, or a column of dates and one of clock times.
        parts: columns by "year", "month", "day", "hour", "minute", "second".
    """

    whole: tuple[str, ...] = ()
    parts: tuple[tuple[str, str], ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All of them."""
        return self.whole + tuple(column for _, column in self.parts)


def find_time_columns(frame: pd.DataFrame, asked: str | None, file: str) -> TimeColumns:
    """The column asked for, or else, in this order: a column whose name says time and
    whose values can be read as such (with a column of clock times beside it where it
    holds dates alone); columns of year, month, day and perhaps hour and minute; the
    first column of text that can be read as times.

    Args:
        frame: the rows.
        asked: the column that the user named.
        file: the name of it, for errors.

    Raises:
        UserError: the column asked for is not there, or none is found.
    """
    names = [str(name) for name in frame.columns]
    if asked is not None:
        if asked not in names:
            raise UserError(
                f"{file}: no column {asked!r} for --time-column; {_listed(names)}"
            )
        return TimeColumns((asked,))
    plain = {re.sub(r"[^a-z]", "", name.lower()): name for name in reversed(names)}
    parts = _find_parts(plain)
    for usual in _TIME_NAMES:
        if usual in plain and not (usual == "day" and parts):
            column = plain[usual]
            if _readable_fraction(frame[column]) >= _ENOUGH_WITH_A_NAME:
                return TimeColumns(_with_clock(frame, column, plain))
    if parts:
        return TimeColumns(parts=parts)
    for name in names:
        if not _is_numeric(frame[name]) and _readable_fraction(frame[name]) >= _ENOUGH:
            return TimeColumns(_with_clock(frame, name, plain))
    raise UserError(
        f"{file}: no column of times is found; {_listed(names)}; choose by "
        "--time-column, or bring columns called year, month, day and hour"
    )


def read_stamps(
    frame: pd.DataFrame,
    columns: TimeColumns,
    time_zone: str | None,
    log: RepairLog,
    file: str,
) -> np.ndarray:
    """The stamp of each row, ``int64[rows]``; ``NO_STAMP`` where it cannot be read.

    Raises:
        UserError: no value can be read as a time, or there is no such time zone.
    """
    zone = _zone(time_zone)
    if columns.parts:
        times = _assembled(frame, columns.parts)
        in_utc = False
    else:
        values = frame[columns.whole[0]]
        if len(columns.whole) == 2:
            dates, clocks = (frame[name].astype(str) for name in columns.whole)
            values = dates.str.strip() + " " + clocks.str.strip()
        times, in_utc = _parsed(values, log)
    if times.isna().all():
        example = frame[columns.columns[0]].iloc[0]
        raise UserError(
            f"{file}: the column {columns.columns[0]!r} holds no times that can be "
            f"read; the first value is {str(example)[:40]!r}; expected for example "
            "2009-01-01 00:10:00, 01.01.2009 00:10:00 or seconds since 1970"
        )
    if zone is not None and not in_utc:
        times = _from_wall_clock(times, zone, log)
    return _seconds(times)


def format_stamp(stamp: int) -> str:
    """``2009-01-01 00:10:00``."""
    return str(np.datetime64(int(stamp), "s")).replace("T", " ")


def _zone(time_zone: str | None) -> ZoneInfo | None:
    if time_zone is None:
        return None
    try:
        return ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError):
        raise UserError(
            f"data.time_zone: no time zone {time_zone!r}; expected a name such as "
            "Europe/Berlin or UTC"
        ) from None


def _listed(names: Sequence[str]) -> str:
    return f"the columns are {', '.join(name[:40] for name in names[:20])}"


def _find_parts(plain: dict[str, str]) -> tuple[tuple[str, str], ...]:
    found = []
    for part, usual in _PARTS.items():
        columns = [plain[name] for name in usual if name in plain]
        if columns:
            found.append((part, columns[0]))
    has = {part for part, _ in found}
    return tuple(found) if {"year", "month", "day"} <= has else ()


def _with_clock(
    frame: pd.DataFrame, column: str, plain: dict[str, str]
) -> tuple[str, ...]:
    """The column, and behind a column of mere dates the one of clock times."""
    sample = _sample(frame[column]).astype(str).str.strip()
    if (
        pd.api.types.is_datetime64_any_dtype(frame[column])
        or sample.str.contains(r":|T\d\d").any()
    ):
        return (column,)
    for name in ("time", "hour", "clock", "zeit", "uhrzeit", "hhmm", "timeutc"):
        clock = plain.get(name)
        if clock is not None and clock != column:
            values = _sample(frame[clock]).astype(str).str.strip()
            if values.str.fullmatch(_CLOCK).mean() > _ENOUGH:
                return (column, clock)
    return (column,)


def _sample(values: pd.Series) -> pd.Series:
    present = values.dropna()
    stride = max(1, len(present) // _SAMPLE)
    # Neighbours in pairs, so that regularity shows.
    return present.iloc[: _SAMPLE // 2] if stride == 1 else _spread(present, stride)


def _spread(present: pd.Series, stride: int) -> pd.Series:
    numbers = np.arange(0, len(present) - 1, 2 * stride)
    return present.iloc[np.unique(np.concatenate([numbers, numbers + 1]))]


def _is_numeric(values: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(values):
        return True
    numbers = pd.to_numeric(_sample(values), errors="coerce")
    return bool(numbers.notna().mean() > 0.5) if len(numbers) else False


def _readable_fraction(values: pd.Series) -> float:
    sample = _sample(values)
    if not len(sample):
        return 0.0
    times, _ = _parsed(sample, RepairLog(""))
    return float(times.notna().mean())


def _parsed(values: pd.Series, log: RepairLog) -> tuple[pd.Series, bool]:
    """Times without a zone, and whether they are in UTC because offsets said so."""
    if pd.api.types.is_datetime64_any_dtype(values):
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            return values.dt.tz_convert("UTC").dt.tz_localize(None), True
        return values, False
    if pd.api.types.is_numeric_dtype(values):
        return _of_numbers(pd.to_numeric(values))
    text = values.astype("string").str.strip()
    text = text.mask(text == "")
    numbers = pd.to_numeric(text, errors="coerce")
    if numbers.notna().sum() > 0.5 * text.notna().sum():
        return _of_numbers(numbers)
    return _of_text(text, log)


def _of_numbers(numbers: pd.Series) -> tuple[pd.Series, bool]:
    """Dates written without separators, or seconds (milli, ...) since 1970."""
    present = numbers.dropna()
    whole = present[(present == np.floor(present)) & (present > 0)].astype("int64")
    digits = whole.astype(str).str.len().mode()
    compact = _COMPACT.get(int(digits.iloc[0])) if len(digits) else None
    if compact is not None:
        text = numbers.astype("Int64").astype("string")
        times = pd.to_datetime(text, format=compact, errors="coerce")
        years = times.dt.year
        if (times.notna() & (years >= 1800) & (years <= 2200)).sum() > _ENOUGH * len(
            present
        ):
            return times, False
    for _, scale in _EPOCH_UNITS:
        seconds = numbers / scale
        inside = (seconds > 1e8) & (seconds < _LATEST)
        if inside.sum() > _ENOUGH * max(1, len(present)):
            whole_seconds = np.floor(seconds.where(inside) + 0.5)
            # Seconds since 1970 are counted in UTC.
            return pd.to_datetime(whole_seconds, unit="s", errors="coerce"), True
    return pd.Series(pd.NaT, numbers.index, dtype="datetime64[s]"), False


def _of_text(text: pd.Series, log: RepairLog) -> tuple[pd.Series, bool]:
    text = text.str.replace(_ZONE_NAME, "Z", regex=True)
    sample = _sample(text)
    in_utc = len(sample) > 0 and bool(sample.str.contains(_OFFSET).mean() > 0.5)
    # Of a clock that is not that of the other rows nothing is known.
    text = text.where(text.str.contains(_OFFSET) == in_utc)
    sample = text[sample.index]
    order = sorted(
        _FORMATS, key=lambda form: _fitness(_read(sample, form, in_utc)), reverse=True
    )
    times = _read(text, order[0], in_utc)
    left = times.isna() & text.notna()
    # Of two orders of day and month one file has one.
    others = [form for form in order[1:] if not ("/" in form and "/" in order[0])]
    for form in others if left.any() else ():
        again = _read(text[left], form, in_utc)
        read = again[again.notna()]
        if len(read):
            times = times.copy()
            times.loc[read.index] = read.astype(times.dtype)
            log.add(
                RepairKind.OTHER_TIME_FORMAT,
                f"read as {form}",
                [str(value) for value in text[read.index].iloc[:3]],
                len(read),
            )
            left = times.isna() & text.notna()
    return times, in_utc


def _read(text: pd.Series, form: str, in_utc: bool) -> pd.Series:
    times = pd.to_datetime(text, format=form, errors="coerce", utc=in_utc)
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        times = times.dt.tz_convert("UTC").dt.tz_localize(None)
    return times


def _fitness(times: pd.Series) -> tuple[int, float]:
    """How many values are read, and how regular the times are that come out."""
    read = times.notna().sum()
    if read < 3:
        return int(read), 0.0
    differences = np.diff(_seconds(times.dropna()))
    _, counts = np.unique(differences, return_counts=True)
    return int(read), float(counts.max() / len(differences))


def _assembled(frame: pd.DataFrame, parts: tuple[tuple[str, str], ...]) -> pd.Series:
    numbers = {
        part: pd.to_numeric(frame[column], errors="coerce") for part, column in parts
    }
    year = numbers["year"]
    dates = pd.DataFrame(
        {
            "year": year.where(year > 99, year + 2000),
            "month": numbers["month"],
            "day": numbers["day"],
        }
    )
    times = pd.to_datetime(dates, errors="coerce").astype("datetime64[s]")
    hours = numbers.get("hour")
    # 0 to 23, or 1 to 24; 0030 and 1330 for half past midnight and half past one.
    if hours is not None and "minute" not in numbers and hours.max() > 24:
        numbers["minute"], numbers["hour"] = hours % 100, hours // 100
    for part, seconds in (("hour", 3600), ("minute", 60), ("second", 1)):
        if part in numbers:
            times = times + pd.to_timedelta(numbers[part] * seconds, unit="s")
    return times


def _from_wall_clock(times: pd.Series, zone: ZoneInfo, log: RepairLog) -> pd.Series:
    """Wall clock times of a zone in UTC, by the rules at the top of this file."""
    twice = times.groupby(times).cumcount()
    local = times.dt.tz_localize(
        zone,
        ambiguous=(twice == 0).to_numpy(),
        nonexistent=pd.Timedelta(hours=1),
    )
    back = local.dt.tz_localize(None)
    skipped = (back != times) & times.notna()
    log.add(
        RepairKind.SKIPPED_TIME,
        "taken as standard time written on",
        [str(time) for time in times[skipped].iloc[:3]],
        int(skipped.sum()),
    )
    return local.dt.tz_convert("UTC").dt.tz_localize(None)


def _seconds(times: pd.Series) -> np.ndarray:
    missing = times.isna().to_numpy()
    seconds = times.dt.round("s").to_numpy().astype("datetime64[s]").astype(np.int64)
    outside = (seconds < _EARLIEST) | (seconds > _LATEST)
    seconds[missing | outside] = NO_STAMP
    return seconds
