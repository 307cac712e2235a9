"""From one time of a series to the next: so many seconds, or a step of the calendar.

Months, quarters, years and business days have no fixed length. Their series keep the
day of the month and the time of day of their first stamp, or are last days of months.
Weeks are seven days.
"""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ...core.errors import UserError

_DAY = 86_400
_MONTH_SECONDS = 2_629_746  # Of the Gregorian calendar, on average.
# By unit, in words and in pandas' codes: so many months.
_CALENDAR = {
    "M": 1, "month": 1, "months": 1, "monthly": 1, "MS": 1, "ME": 1,
    "Q": 3, "quarter": 3, "quarters": 3, "quarterly": 3, "QS": 3, "QE": 3,
    "Y": 12, "A": 12, "year": 12, "years": 12, "yearly": 12, "YS": 12, "YE": 12,
}  # fmt: skip
_BUSINESS = re.compile(r"B|(?:business|working) ?days?")
_WEEKS = re.compile(r"W|weeks?|weekly")
_WORDS = {"hourly": "1h", "daily": "1D"}
_TEXT = re.compile(r"(?P<count>\d+)? *(?P<unit>.*)")
# Of the stamps, that must lie on a calendar's steps for it to be meant.
_MOST = 0.9
_FEWEST = 3
# Weekends without a row that make business days.
_FEWEST_WEEKENDS = 3
_SHORTEST_MONTH = 27
# The first of January 1970 was one, three days behind a Monday.
_THURSDAY = 3
# Behind March.
_JANUARY = 10


@dataclass(frozen=True)
class Step:
    """From stamp to stamp.

    Attributes:
        seconds: Of a calendar's step the mean.
        months: Of a step of months, quarters or years; otherwise 0.
        at_end: Whether stamps are the last days of months.
        business_days: Of a step of business days; otherwise 0.
    """

    seconds: int
    months: int = 0
    at_end: bool = False
    business_days: int = 0

    @classmethod
    def of_months(cls, months: int, at_end: bool = False) -> "Step":
        """A step of so many months."""
        return cls(months * _MONTH_SECONDS, months, at_end)

    @classmethod
    def of_business_days(cls, days: int = 1) -> "Step":
        """A step of so many days from Monday to Friday."""
        return cls(days * _DAY * 7 // 5, business_days=days)

    @property
    def is_calendar(self) -> bool:
        """Whether its length in seconds differs from step to step."""
        return bool(self.months or self.business_days)

    @property
    def code(self) -> str:
        """As `parse_step` reads it: `600s`, `MS`, `2QE`, `B`."""
        if self.business_days:
            return _counted(self.business_days, "B")
        if not self.months:
            return f"{self.seconds}s"
        months, letter = next(
            (months, letter)
            for months, letter in ((12, "Y"), (3, "Q"), (1, "M"))
            if self.months % months == 0
        )
        return _counted(self.months // months, f"{letter}{'E' if self.at_end else 'S'}")

    def __str__(self) -> str:
        """For people: `10 min`, `month`, `3 years`."""
        if self.business_days:
            return _in_words(self.business_days, "business day")
        for months, word in ((12, "year"), (3, "quarter"), (1, "month")):
            if self.months and self.months % months == 0:
                return _in_words(self.months // months, word)
        for seconds, word in ((7 * _DAY, "week"), (_DAY, "day"), (3600, "hour")):
            if self.seconds % seconds == 0:
                return _in_words(self.seconds // seconds, word)
        if self.seconds % 60 == 0:
            return f"{self.seconds // 60} min"
        return f"{self.seconds} s"

    def add(self, stamp: Any, steps: Any) -> Any:
        """The stamps so many steps behind others, negative for before them.

        Args:
            stamp: Seconds since 1970: an int, an array or a tensor, int64.
            steps: The same, of a shape that fits.

        Returns:
            Seconds since 1970.
        """
        if not self.is_calendar:
            return stamp + steps * self.seconds
        day, clock = stamp // _DAY, stamp % _DAY
        if self.business_days:
            number = _business_days(day) + steps * self.business_days
            return (number // 5 * 7 + number % 5 - _THURSDAY) * _DAY + clock
        month = _month(day)
        later = month + steps * self.months
        last = _first_day(later + 1) - _first_day(later) - 1
        in_month = last if self.at_end else _least(day - _first_day(month), last)
        return (_first_day(later) + in_month) * _DAY + clock

    def since(self, stamp: int, stamps: np.ndarray) -> np.ndarray:
        """How many steps stamps are behind one, to the nearest step; int64."""
        stamps = np.asarray(stamps, np.int64)
        if not self.is_calendar:
            # Half-way is the later step: no value stands before it was measured.
            return (stamps - stamp + self.seconds // 2) // self.seconds
        if self.business_days:
            apart = _business_days(stamps // _DAY) - _business_days(stamp // _DAY)
            return apart // self.business_days
        apart = _month(stamps // _DAY) - _month(stamp // _DAY)
        return (apart + self.months // 2) // self.months

    def times(self, stamp: int, steps: int) -> np.ndarray:
        """`steps` stamps from one on."""
        return self.add(stamp, np.arange(steps, dtype=np.int64))

    def ends(self, first: int, last: int) -> np.ndarray:
        """The ends of steps, from before one stamp to the other or behind it.

        Steps of seconds end at multiples of them since 1970. Steps of months end with
        the last day of one, at the time of day of the first stamp, or else with the
        first moment of the next month.
        """
        if not self.is_calendar:
            begin = -(-first // self.seconds) - 1
            end = -(-last // self.seconds)
            return np.arange(begin, end + 1) * self.seconds
        if self.business_days:
            number = _business_days(first // _DAY) - 1
            start = (number // 5 * 7 + number % 5 - _THURSDAY) * _DAY
        else:
            # Years and quarters begin with January.
            number = (_month(first // _DAY) - _JANUARY) // self.months - 1
            start = _first_day(number * self.months + _JANUARY) * _DAY
            if self.at_end:
                start += first % _DAY - _DAY
        steps = int((last - start) // (self.seconds * 27 // 31)) + 3
        ends = self.times(start, steps)
        before = max(int(np.searchsorted(ends, first)) - 1, 0)
        return ends[before : int(np.searchsorted(ends, last)) + 1]


def parse_step(text: str) -> Step:
    """The step that is written: `10min`, `1 day`, `1 month`, `MS`, `quarter`, `B`.

    Raises:
        UserError: it is no positive whole number of seconds and no calendar step.
    """
    written = _WORDS.get(text.strip(), text.strip())
    match = _TEXT.fullmatch(written)
    count, unit = (int(match["count"] or 1), match["unit"]) if match else (0, "")
    if count and unit in _CALENDAR:
        return Step.of_months(count * _CALENDAR[unit], unit in ("ME", "QE", "YE"))
    if count and _BUSINESS.fullmatch(unit):
        return Step.of_business_days(count)
    if count and _WEEKS.fullmatch(unit):
        return Step(count * 7 * _DAY)
    try:
        seconds = pd.Timedelta(written).total_seconds()
    except ValueError:
        seconds = 0.0
    if seconds <= 0 or seconds != int(seconds):
        raise UserError(
            f"data.step: {text!r} is no step; expected for example 10min, 1h, 1D, 1W, "
            "1 month, 1 quarter, 1 year or B for business days"
        )
    return Step(int(seconds))


def calendar_step(stamps: np.ndarray) -> Step | None:
    """The calendar's step that stamps are apart, or None where it is another.

    Args:
        stamps: Seconds since 1970, rising, each once.
    """
    if len(stamps) < _FEWEST or np.unique(stamps % _DAY).size != 1:
        return None
    days = stamps // _DAY
    usual = float(np.median(np.diff(days)))
    if usual < _SHORTEST_MONTH:
        return Step.of_business_days() if _skips_weekends(days, usual) else None
    months = _month(days)
    apart = np.bincount(np.diff(months))
    most = int(np.argmax(apart))
    if most == 0:
        return None
    last = _first_day(months + 1) - 1
    if (days == last).mean() >= _MOST:
        return Step.of_months(most, True)
    in_month = np.bincount(days - _first_day(months))
    one_day = in_month.max() >= _MOST * len(days)
    return Step.of_months(most) if one_day else None


def _skips_weekends(days: np.ndarray, usual: float) -> bool:
    weeks = (days[-1] - days[0]) // 7
    on_weekends = (days + _THURSDAY) % 7 > 4
    return usual == 1 and weeks >= _FEWEST_WEEKENDS and not on_weekends.any()


# By operators alone, which arrays and tensors have too. Days are since 1970; months are
# counted from March of the year 0, so that a leap day is the last one of its year.


def _month(day: Any) -> Any:
    day = day + 719_468
    era = day // 146_097
    of_era = day % 146_097
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    return (era * 400 + year) * 12 + (5 * of_year + 2) // 153


def _first_day(month: Any) -> Any:
    year, in_year = month // 12, month % 12
    leap_days = year // 4 - year // 100 + year // 400
    return year * 365 + leap_days + (153 * in_year + 2) // 5 - 719_468


def _business_days(day: Any) -> Any:
    """Since a Monday before 1970; of a weekend the Friday before it."""
    day = day + _THURSDAY
    return day // 7 * 5 + _least(day % 7, 4)


def _least(one: Any, other: Any) -> Any:
    return (one + other - abs(one - other)) // 2


def _counted(count: int, unit: str) -> str:
    return unit if count == 1 else f"{count}{unit}"


def _in_words(count: int, word: str) -> str:
    return word if count == 1 else f"{count} {word}s"
