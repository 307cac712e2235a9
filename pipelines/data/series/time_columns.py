"""Which columns of a table make the time of a row."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...core.errors import UserError
from ..time_words import MONTHS
from .measured_variables import split_unit
from .time_numbers import read_numbers
from .time_orders import decide_orders
from .time_text import NO_STAMP, TimeText, clock_seconds

_SAMPLE = 2_000
# Of the values looked at, to be a column of time, where the name says so and without.
_ENOUGH_WITH_A_NAME = 0.5
_ENOUGH = 0.8

_TIME_NAMES = (
    "datetime", "timestamp", "date", "time", "dates", "times", "datetimeutc",
    "timeutc", "timestamputc", "utc", "validtime", "validtimeutc", "valid", "obstime",
    "observationtime", "ds", "dt", "datum", "zeit", "zeitstempel", "messdatum",
    "datumzeit", "datumuhrzeit", "fecha", "fechahora", "dateheure", "heure", "hora",
    "lastchanged", "lastupdated", "timestampend", "timestampstart", "localtime",
    "timelocal", "datetimelocal",
    "yyyymmdd", "yearmoda", "yyyymm", "day", "yearmonth", "yearweek", "yearquarter",
    "period", "month", "monat", "quarter", "week", "year", "jahr",
)  # fmt: skip
_WITHIN_PARTS = ("day", "month", "monat", "quarter", "week", "year", "jahr")
_CLOCK_NAMES = re.compile(
    r"(time|times|hour|hours|hr|hrs|hh|hhmm|hrmn|hhmmss|clock|zeit|uhrzeit|stunde|hora|"
    r"heure|ora|tijd|uur)(utc|gmt|local|lst|ofday|cet|mez|h|hr|hh|hhmm|"
    r"hhmmss)?"
)
# Clock times too, where dates repeat: of intervals, and of hours by their end.
_INTERVAL_NAMES = re.compile(
    r"start|starttime|timestart|startzeit|starttijd|intervalstart|from|timefrom|von|"
    r"van|begin|beginn|desde|he|hourend|hourending|hourbegin|hourbeginning"
)
_HALVES = re.compile(r"(?i)am[ /_-]?pm|meridiem")
# By part of the time its usual names, its least and its greatest value.
_PARTS: dict[str, tuple[tuple[str, ...], int, int]] = {
    "year": (("year", "yyyy", "yr", "jahr", "yy", "annee", "ano"), 0, 2200),
    "month": (("month", "mo", "mm", "mon", "mth", "monat", "mois", "mes"), 1, 12),
    "day": (("day", "dd", "dy", "da", "tag", "dayofmonth", "jour", "dia"), 1, 31),
    "yday": (
        ("doy", "yday", "dayofyear", "jday", "jd", "julianday", "julian", "day"),
        1,
        366,
    ),
    "quarter": (("quarter", "qtr", "quartal", "trimestre", "q"), 1, 4),
    "week": (("week", "isoweek", "weekofyear", "woche", "kw"), 1, 53),
    "minute": (("minute", "minutes", "min", "mn", "mi", "mm"), 0, 59),
    "second": (("second", "seconds", "sec", "ss", "sekunde"), 0, 59),
}


@dataclass(frozen=True)
class TimeColumns:
    """The columns that make a stamp.

    Args:
        whole: the one column; or a column of dates, one of clock times and perhaps
            one of AM and PM.
        parts: columns by "year", "month", "day", "yday", "quarter", "week", "hour",
            "minute", "second".
    """

    whole: tuple[str, ...] = ()
    parts: tuple[tuple[str, str], ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All of them."""
        return self.whole + tuple(column for _, column in self.parts)


def find_time_columns(
    frame: pd.DataFrame,
    asked: str | None,
    file: str,
    *,
    time_format: str | None = None,
) -> TimeColumns:
    """The column asked for, or else, in this order: a column whose name says time and
    whose values can be read as such; columns of year with month and day, day of the
    year, month, quarter or week, and perhaps hour and minute; the first column of text
    that can be read as times. A column of dates alone is joined by one of clock times
    or hours.

    Args:
        frame: the rows.
        asked: the column that the user named.
        file: the name of it, for errors.
        time_format: that the user named, as strftime writes it.

    Raises:
        UserError: the column asked for is not there, or none is found.
    """
    names = [str(name) for name in frame.columns]
    if asked is not None:
        if asked not in names:
            raise UserError(
                f"{file}: no column {asked!r} for --time-column; {_listed(names)}"
            )
        return TimeColumns(_with_clock(frame, asked))
    plain = {_plain(name): name for name in reversed(names)}
    parts = _find_parts(frame)
    for usual in _TIME_NAMES:
        if usual in plain and not (usual in _WITHIN_PARTS and parts):
            column = plain[usual]
            readable = _readable_fraction(frame[column], time_format)
            if readable >= _ENOUGH_WITH_A_NAME:
                return TimeColumns(_with_clock(frame, column))
    if parts:
        return TimeColumns(parts=parts)
    for name in names:
        if _is_numeric(frame[name]):
            continue
        if _readable_fraction(frame[name], time_format) >= _ENOUGH:
            return TimeColumns(_with_clock(frame, name))
    raise UserError(
        f"{file}: no column of times is found; {_listed(names)}; choose by "
        "--time-column, or bring columns called year, month, day and hour"
    )


def _readable_fraction(values: pd.Series, time_format: str | None) -> float:
    """Of some of the values, how many can be read as times."""
    sample = _sample(values)
    if not len(sample):
        return 0.0
    if pd.api.types.is_datetime64_any_dtype(sample):
        return 1.0
    if time_format and (strptime(sample, time_format) != NO_STAMP).mean() >= _ENOUGH:
        return 1.0
    column = TimeText(as_text(sample))
    decision = decide_orders([column], [None])
    fraction = decision.read / len(sample) if decision else 0.0
    if fraction < _ENOUGH and (numbers := read_numbers(sample)) is not None:
        fraction = max(fraction, float(numbers[1].read.mean()))
    return fraction


def strptime(values: pd.Series, time_format: str) -> np.ndarray:
    """Seconds since 1970 of times without an offset, by a format as it stands."""
    none = np.full(len(values), NO_STAMP)
    if "%z" in time_format or "%Z" in time_format:
        return none
    try:
        times = pd.to_datetime(
            as_text(values).str.strip(), format=time_format, errors="coerce"
        )
    except ValueError:  # A directive of ours, such as %q.
        return none
    seconds = times.to_numpy("datetime64[s]").astype(np.int64)
    return np.where(times.isna(), NO_STAMP, seconds)


def as_text(values: pd.Series) -> pd.Series:
    """The values as text, whole numbers without a point."""
    if pd.api.types.is_float_dtype(values):
        whole = values.notna() & (values == np.floor(values)) & (values.abs() < 2**62)
        text = values.astype("string")
        return text.mask(whole, values.where(whole).astype("Int64").astype("string"))
    return values.astype("string").str.replace(r"^(\d{4,})\.0+$", r"\1", regex=True)


def _listed(names: Sequence[str]) -> str:
    return f"the columns are {', '.join(name[:40] for name in names[:20])}"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _find_parts(frame: pd.DataFrame) -> tuple[tuple[str, str], ...]:
    """Columns whose names and values say a part of the time each."""
    taken: dict[str, str] = {}
    for part in ("year", "month", "day"):
        _take_part(frame, part, taken)
    if "year" not in taken:
        return ()
    date: tuple[str, ...] = ("year", "month", "day")
    if not set(date) <= set(taken):
        if "month" not in taken and any(_is_called(each, "month") for each in frame):
            return ()
        taken.pop("day", None)  # Without a month it is that of the year.
        for part in ("yday", "quarter", "week"):
            _take_part(frame, part, taken)
        rest = [part for part in ("yday", "month", "quarter", "week") if part in taken]
        if not rest:
            return ()
        date = ("year", rest[0])
    found = {part: taken[part] for part in date}
    if date[-1] in ("day", "yday"):
        clock = _find_clock(frame, list(found.values()))
        if clock is not None:
            found["hour"] = clock
    # "Min" beside Year, Month, Day is a minimum.
    if "hour" in found and _are_hours(frame[found["hour"]]):
        _take_part(frame, "minute", found)
        if "minute" in found:
            _take_part(frame, "second", found)
    return tuple(found.items())


def _take_part(frame: pd.DataFrame, part: str, taken: dict[str, str]) -> None:
    usual, least, greatest = _PARTS[part]
    for name in usual:
        for column in frame.columns:
            if not _is_named(column, name) or str(column) in taken.values():
                continue
            # "mm" is the month where it comes first, and the minute behind it.
            if _are_whole(frame[column], least, greatest) or (
                part == "month" and _are_names_of_months(frame[column])
            ):
                taken[part] = str(column)
                return


def _is_called(column: object, part: str) -> bool:
    return any(_is_named(column, name) for name in _PARTS[part][0])


def _is_named(column: object, name: str) -> bool:
    """Whether that is its name, perhaps with a unit in brackets."""
    return name in (_plain(str(column)), _plain(split_unit(str(column))[0]))


def _are_names_of_months(values: pd.Series) -> bool:
    words = pd.Series(_sample(values).astype("string").unique())
    return bool(len(words)) and bool((month_numbers(words) > 0).all())


def month_numbers(values: pd.Series) -> np.ndarray:
    """1 to 12 of numbers or names of months, int64; 0 where it is neither."""
    words = values.astype("string").str.strip().str.lower().str.rstrip(".")
    folded = words.str.normalize("NFKD").str.replace(r"[^a-z]", "", regex=True)
    numbers = pd.to_numeric(words, errors="coerce").fillna(folded.map(MONTHS))
    return numbers.fillna(0).to_numpy(np.float64).astype(np.int64)


def _are_whole(values: pd.Series, least: int, greatest: int) -> bool:
    numbers = pd.to_numeric(values, errors="coerce").dropna()
    inside = (numbers == np.floor(numbers)) & numbers.between(least, greatest)
    return len(numbers) > 0.5 * len(values) and bool(inside.mean() > 0.95)


def _are_hours(values: pd.Series) -> bool:
    return _are_whole(values, 0, 24)


def _is_clock(values: pd.Series) -> bool:
    sample = _sample(values)
    return bool(len(sample)) and bool(
        (clock_seconds(sample)[0] != NO_STAMP).mean() > _ENOUGH
    )


def _with_clock(frame: pd.DataFrame, column: str) -> tuple[str, ...]:
    """The column, and behind a column of mere dates the one of clock times."""
    values = frame[column]
    clock = _find_clock(frame, [column]) if _is_date_alone(values) else None
    if clock is None:
        return (column,)
    halves = [name for name in map(str, frame.columns) if _HALVES.fullmatch(name)]
    return (column, clock, *halves[:1])


def _find_clock(frame: pd.DataFrame, taken: Sequence[str]) -> str | None:
    names = [str(name) for name in frame.columns if str(name) not in taken]
    usual = [_CLOCK_NAMES]
    if len(taken) == 1 and frame[taken[0]].duplicated().any():
        usual.append(_INTERVAL_NAMES)
    for pattern in usual:
        for name in names:
            if pattern.fullmatch(_plain(name)) and _is_clock(frame[name]):
                return name
    return None


def _is_date_alone(values: pd.Series) -> bool:
    """Whether they are days, without a time of day."""
    sample = _sample(values)
    if pd.api.types.is_datetime64_any_dtype(values):
        return bool((sample.dt.normalize() == sample).all())
    text = TimeText(as_text(sample))
    decision = decide_orders([text], [None])
    if decision is None or decision.read < _ENOUGH * len(sample):
        return False  # Numbers of seconds or days.
    forms = [form for form in text.forms(decision.orders) if form is not None]
    return all(form.is_day and not form.has_clock for form in forms)


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
