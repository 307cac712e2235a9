"""Values of a column as times: the shapes that they have, and what each then says.

A shape may allow several orders of day, month and year; `time_orders` chooses.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .time_forms import Form, clock_forms_of, forms_of

#: Stands for a stamp that cannot be read.
NO_STAMP = np.iinfo(np.int64).min

_DAY = 86_400
_WIDTH = 48
# The oldest series of temperature begins in 1659, that of sunspots in 1700.
_FIRST_YEAR, _LAST_YEAR = 1600, 2200
#: Two digits say 1969 to 2068, as strptime has it.
PIVOT = 69
_LONG = {
    "Y": "year", "m": "month", "d": "day", "j": "yday",
    "q": "quarter", "V": "week", "u": "weekday",
}  # fmt: skip


@dataclass(frozen=True)
class Moments:
    """What values say, row by row.

    Attributes:
        seconds: Of the clock that they are of, int64; `NO_STAMP` where unreadable.
        nanoseconds: Beyond them, int64.
        offsets: Seconds east of UTC that the value states, int64; `NO_STAMP` where it
            states none.
    """

    seconds: np.ndarray
    nanoseconds: np.ndarray
    offsets: np.ndarray

    @classmethod
    def none(cls, rows: int) -> "Moments":
        """Nothing read."""
        return cls(
            np.full(rows, NO_STAMP),
            np.zeros(rows, np.int64),
            np.full(rows, NO_STAMP),
        )

    @property
    def read(self) -> np.ndarray:
        """Which rows are, bool."""
        return self.seconds != NO_STAMP


class TimeText:
    """Values with their shapes.

    Args:
        values: Of a column, as text.
        clocks_alone: Whether they are clock times without a date.
    """

    def __init__(self, values: pd.Series, clocks_alone: bool = False):
        self.letters = _letters(values)
        self._forms_of = clock_forms_of if clocks_alone else forms_of
        self.codes, self.shapes = _shapes(self.letters)
        counts = np.bincount(self.codes, minlength=len(self.shapes))
        self._latest: tuple[tuple[str, ...], Moments] | None = None
        self.by_count = [int(code) for code in np.argsort(-counts, kind="stable")]

    def __len__(self) -> int:
        return len(self.codes)

    def orders(self) -> list[tuple[str, ...]]:
        """Of each family of shapes the orders that it allows, the largest first."""
        families: dict[frozenset[str], tuple[str, ...]] = {}
        for code in self.by_count:
            orders = tuple(dict.fromkeys(each.order for each in self._forms(code)))
            if orders:
                families.setdefault(frozenset(orders), orders)
        return list(families.values())

    def moments(self, orders: Sequence[str]) -> Moments:
        """The values read by these orders, each where a shape allows it."""
        if self._latest is not None and self._latest[0] == tuple(orders):
            return self._latest[1]
        result = Moments.none(len(self))
        rows_of = _rows_by_code(self.codes, len(self.shapes))
        for code in range(len(self.shapes)):
            form = self._form(code, orders)
            if form is not None:
                _read_into(result, form, self.letters, rows_of[code])
        self._latest = tuple(orders), result
        return result

    def forms(self, orders: Sequence[str]) -> list[Form | None]:
        """The reading of each shape."""
        return [self._form(code, orders) for code in range(len(self.shapes))]

    def form(self, orders: Sequence[str]) -> Form | None:
        """The reading of the most frequent shape that has one."""
        forms = self.forms(orders)
        readable = [form for code in self.by_count if (form := forms[code]) is not None]
        return readable[0] if readable else None

    def _forms(self, code: int) -> tuple[Form, ...]:
        return self._forms_of(self.shapes[code])

    def _form(self, code: int, orders: Sequence[str]) -> Form | None:
        forms = self._forms(code)
        return next((form for form in forms if form.order in orders), None)


def clock_seconds(values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of the day of clock times, or of whole hours, hhmm or hhmmss.

    Returns:
        Seconds and offsets, int64, `NO_STAMP` where unreadable.
    """
    text = values.astype("string").str.strip()
    numbers = pd.to_numeric(text, errors="coerce")
    present = text.notna() & (text != "")
    if present.any() and numbers[present].notna().mean() > 0.5:
        return _clock_numbers(text, numbers), np.full(len(values), NO_STAMP)
    column = TimeText(values, clocks_alone=True)
    moments = column.moments([""])
    rounded = moments.seconds + (moments.nanoseconds >= 500_000_000)
    return np.where(moments.read, rounded, NO_STAMP), moments.offsets


def _clock_numbers(text: pd.Series, numbers: pd.Series) -> np.ndarray:
    whole = numbers.notna() & (numbers == np.floor(numbers)) & (numbers >= 0)
    value = numbers.where(whole, 0).to_numpy(np.float64).astype(np.int64)
    longest = int(text[whole].str.len().max()) if whole.any() else 0
    largest = int(value.max()) if len(value) else 0
    if largest <= 24 and longest <= 2:
        hours, minutes, seconds = value, value * 0, value * 0
    elif largest <= 2400 and longest <= 4:
        hours, minutes, seconds = value // 100, value % 100, value * 0
    else:
        hours, minutes, seconds = value // 10_000, value // 100 % 100, value % 100
    total = hours * 3600 + minutes * 60 + seconds
    good = whole.to_numpy() & (minutes < 60) & (seconds < 60) & (total <= _DAY)
    return np.where(good, total, NO_STAMP)


def _letters(values: pd.Series) -> np.ndarray:
    """``uint8[rows, width]``: lower case, no accents, one space, 0 behind the end."""
    text = values.astype("string").str.strip().fillna("").str.slice(0, 2 * _WIDTH)
    try:
        letters = _bytes(text)
        blank = (letters > 0) & (letters <= 32)
        is_plain = not (blank[:, 1:] & blank[:, :-1]).any()
    except UnicodeEncodeError:
        is_plain = False
    if not is_plain:
        letters = _bytes(text.map(_plain))
    letters[(letters >= 65) & (letters <= 90)] += 32
    if letters.shape[1] > _WIDTH:
        letters[letters[:, _WIDTH] != 0] = 0  # So long is no time.
    return letters


def _bytes(text: pd.Series) -> np.ndarray:
    if not len(text):
        return np.zeros((0, 1), np.uint8)
    packed = text.to_numpy(object).astype("S")
    return packed.view(np.uint8).reshape(len(packed), -1).copy()


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text.replace("\u2212", "-"))
    return " ".join(folded.encode("ascii", "ignore").decode().split())


def _shapes(letters: np.ndarray) -> tuple[np.ndarray, list[str]]:
    digit = (letters >= 48) & (letters <= 57)
    shapes = np.where(digit, np.uint8(57), letters)
    # One number for each row: equal rows have equal ones.
    generator = np.random.Generator(np.random.PCG64(20_150_101))
    weights = generator.integers(1, 2**63, shapes.shape[1], np.uint64) * 2 + 1
    keys = np.zeros(len(shapes), np.uint64)
    for column, weight in enumerate(weights):
        keys += (shapes[:, column].astype(np.uint64) + np.uint64(1)) * weight
    codes, unique = pd.factorize(keys)
    first = np.empty(len(unique), np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return codes, [bytes(shapes[row]).rstrip(b"\0").decode("ascii") for row in first]


def _rows_by_code(codes: np.ndarray, count: int) -> list[np.ndarray]:
    if count == 1:
        return [np.arange(len(codes))]
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.cumsum(np.bincount(codes, minlength=count))[:-1])


def _read_into(
    result: Moments, form: Form, letters: np.ndarray, rows: np.ndarray
) -> None:
    part = letters[rows]
    numbers = {
        name: _number(part[:, begin:end])
        for name, begin, end in form.spans
        if name != "f"
    }
    good = np.ones(len(rows), bool)
    days = np.zeros(len(rows), np.int64)
    if form.order:
        days, good = days_of(_date_numbers(form, numbers, len(rows)), len(rows))
    clock, valid = _clock(form, numbers, len(rows))
    seconds = days * _DAY + clock
    result.seconds[rows] = np.where(good & valid, seconds, NO_STAMP)
    for name, begin, end in form.spans:
        if name == "f":
            stop = min(end, begin + 9)
            fraction = _number(part[:, begin:stop]) * 10 ** (9 - (stop - begin))
            result.nanoseconds[rows] = fraction
    if form.has_offset:
        offset = np.full(len(rows), form.zone, np.int64)
        if "+" in numbers:
            offset *= numbers["+"] * 3600 + numbers.get(":", 0) * 60
        result.offsets[rows] = offset


def _number(digits: np.ndarray) -> np.ndarray:
    number = np.zeros(len(digits), np.int64)
    for column in range(digits.shape[1]):
        number = number * 10 + (digits[:, column].astype(np.int64) - 48)
    return number


def days_of(
    numbers: Mapping[str, np.ndarray], rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """Days since 1970-01-01 of dates, and whether there is such a date.

    Args:
        numbers: "year" and, where they are said, "month", "day", "yday", "quarter",
            "week" (of ISO) and "weekday", int64 `[rows]`.
        rows: How many.
    """
    one = np.ones(rows, np.int64)
    year, month = numbers["year"], numbers.get("month", one)
    good = (year >= _FIRST_YEAR) & (year <= _LAST_YEAR)
    if "quarter" in numbers:
        good &= (numbers["quarter"] >= 1) & (numbers["quarter"] <= 4)
        month = numbers["quarter"] * 3 - 2
    good &= (month >= 1) & (month <= 12)
    months = np.where(good, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    first = months.astype("datetime64[D]").astype(np.int64)
    if "week" in numbers:
        week, day = numbers["week"], numbers.get("weekday", one)
        monday, later = _first_monday(first), _first_monday(_later(months, 12))
        good &= (week >= 1) & (week <= (later - monday) // 7) & (day >= 1) & (day <= 7)
        return monday + (week - 1) * 7 + day - 1, good
    length = _later(months, 12 if "yday" in numbers else 1) - first
    day = numbers.get("yday", numbers.get("day", one))
    good &= (day >= 1) & (day <= length)
    return first + day - 1, good


def _later(months: np.ndarray, by: int) -> np.ndarray:
    return (months + by).astype("datetime64[D]").astype(np.int64)


def _first_monday(new_year: np.ndarray) -> np.ndarray:
    """Of the first week, which holds the fourth of January, in days since 1970."""
    # The first of January 1970 was a Thursday.
    return new_year + 3 - (new_year + 6) % 7


def _date_numbers(
    form: Form, numbers: dict[str, np.ndarray], rows: int
) -> dict[str, np.ndarray]:
    named = {long: numbers[name] for name, long in _LONG.items() if name in numbers}
    if "y" in numbers:
        named["year"] = numbers["y"] + np.where(numbers["y"] < PIVOT, 2000, 1900)
    if form.month:
        named["month"] = np.full(rows, form.month)
    return named


def _clock(
    form: Form, numbers: dict[str, np.ndarray], rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of the day, and whether the clock shows them; 24:00 is the next day."""
    nothing = np.zeros(rows, np.int64)
    minute, second = numbers.get("M", nothing), numbers.get("S", nothing)
    good = (minute < 60) & (second <= 60)
    if form.half:
        hour = numbers["I"]
        good &= hour <= 12
        hour = hour % 12 + (12 if form.half == "p" else 0)
    else:
        hour = numbers.get("H", nothing)
    seconds = hour * 3600 + minute * 60 + second
    return seconds, good & (seconds <= _DAY)
