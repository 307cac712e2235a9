"""How times may be written, told by structure: dates in any order, clocks, offsets.

A *shape* is a value with every digit written as 9 and in lower case: "01/02/2015 00:00"
is "99/99/9999 99:99". A column has few shapes. Each is parted once into the spans of
year, month, day, clock and offset; where the shape allows several orders it has a
`Form` for each of them, and the column decides (see `time_orders`).
"""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..time_words import MONTHS, WEEKDAYS, ZONES

#: Where a part of the time stands in the value: name, begin and end.
Span = tuple[str, int, int]


@dataclass(frozen=True)
class Form:
    """One reading of a shape.

    Attributes:
        order: The parts of the date as they stand: "Ymd", "dmY", "mdy" (y: two digits),
            "Ym", "Yq", "YW", "Yj" ...; empty for a clock alone.
        spans: Parts that are digits, by directive of strftime, "f" for a fraction, "q"
            for a quarter, "+" and ":" for hours and minutes of an offset.
        month: Of a month that is a word; 0 if it is not.
        half: "a" or "p" on a 12-hour clock, otherwise empty.
        zone: Seconds east of UTC where a word says so, or the sign of an offset.
        has_offset: Whether the value says its offset.
        text: As strftime would write it.
    """

    order: str
    spans: tuple[Span, ...]
    month: int
    half: str
    zone: int
    has_offset: bool
    text: str

    @property
    def is_day(self) -> bool:
        """Whether the date is a day, and no longer time."""
        return any(name in "dju" for name, _, _ in self.spans)

    @property
    def has_clock(self) -> bool:
        """Whether it says the time of day."""
        return any(name in "HI" for name, _, _ in self.spans)


_OFFSET = (
    r"(?: ?(?P<zone>[a-z]{1,4})(?![a-z:+-])"
    r"| ?(?:utc|gmt)?(?P<sign>[+-])(?P<offset_hour>99)(?::?(?P<offset_minute>99))?"
    r")?(?:\[[a-z_/]+\])?"
)
_HALF = r"(?: ?(?P<half>[ap])(?:\.? ?m)?\.?)?"
_CLOCKS = tuple(
    re.compile(pattern + _OFFSET)
    for pattern in (
        r"(?P<hour>9{1,2}):(?P<minute>9{1,2})"
        r"(?::(?P<second>9{1,2})(?:[.,:](?P<fraction>9+))?)?"
        rf"(?: uhr| h|h)?{_HALF}",
        r"(?P<hour>9{1,2})\.(?P<minute>99)(?:\.(?P<second>99))?(?: uhr)?" + _HALF,
        r"(?P<hour>9{1,2}) ?(?:h|uhr) ?(?P<minute>99)?",
        r"(?P<hour>9{1,2}) ?(?P<half>[ap])\.? ?m\.?",
        r"(?P<hour>99)(?P<minute>99)(?:(?P<second>99)(?:[.,](?P<fraction>9+))?)?"
        + _HALF,
        r"(?P<hour>9{1,2})",
    )
)
_Y4, _N = r"(?P<{}>9999)", r"(?P<{}>9{{1,2}})"
_SEPARATOR = r"(?P<s>[-/.]| |, ?|\. )"
_WORD = r"(?P<word>[a-z]{3,10})\.?"
_GAP = r"[-/., ]{0,3}"
_LATER = r"(?P=s) ?"


def _triple(order: str) -> str:
    first, second, third = (
        (_Y4 if part == "Y" else r"(?P<{}>99)" if part == "y" else _N).format(part)
        for part in order
    )
    return rf"{first}{_SEPARATOR}{second}{_LATER}{third}"


def _packed(order: str) -> str:
    return "".join(rf"(?P<{part}>{'9999' if part == 'Y' else '99'})" for part in order)


_DAY = r"(?P<d>9{1,2})(?:st|nd|rd|th|\.)?"
# The order is that of preference where two read all values equally regularly.
_DATES = tuple(
    (order, re.compile(pattern))
    for order, pattern in (
        ("Ymd", _triple("Ymd")),
        ("Ydm", _triple("Ydm")),
        ("dmY", _triple("dmY")),
        ("mdY", _triple("mdY")),
        ("dmy", _triple("dmy")),
        ("mdy", _triple("mdy")),
        ("ymd", _triple("ymd")),
        ("ydm", _triple("ydm")),
        ("dbY", rf"{_DAY}{_GAP}(?:de |of )?{_WORD}{_GAP}(?:de )?(?P<Y>9999)"),
        ("dby", rf"{_DAY}{_GAP}{_WORD}{_GAP}'?(?P<y>99)"),
        ("ybd", rf"(?P<y>99){_GAP}{_WORD}{_GAP}{_DAY}"),
        ("Ybd", rf"(?P<Y>9999){_GAP}{_WORD}{_GAP}{_DAY}"),
        ("Ydb", rf"(?P<Y>9999){_GAP}{_DAY}{_GAP}{_WORD}"),
        ("ydb", rf"(?P<y>99){_GAP}{_DAY}{_GAP}{_WORD}"),
        ("bdY", rf"{_WORD}{_GAP}{_DAY}[-/., ]{{1,3}}(?P<Y>9999)"),
        ("bdy", rf"{_WORD}{_GAP}{_DAY}[-/., ]{{1,3}}'?(?P<y>99)"),
        ("byd", rf"{_WORD}{_GAP}(?P<y>99)[-/., ]{{1,3}}{_DAY}"),
        ("bYd", rf"{_WORD}{_GAP}(?P<Y>9999)[-/., ]{{1,3}}{_DAY}"),
        ("bY", rf"{_WORD}{_GAP}(?:de )?(?P<Y>9999)"),
        ("by", rf"{_WORD}[-/ ]?'?(?P<y>99)"),
        ("Yb", rf"(?P<Y>9999){_GAP}{_WORD}"),
        ("Ymd", _packed("Ymd")),
        ("dmY", _packed("dmY")),
        ("mdY", _packed("mdY")),
        ("Ydm", _packed("Ydm")),
        ("Ym", _packed("Ym")),
        ("ymd", _packed("ymd")),
        ("dmy", _packed("dmy")),
        ("mdy", _packed("mdy")),
        ("mY", _packed("mY")),
        ("Ym", r"(?P<Y>9999)(?:[-/]|\.(?=99)|m)(?P<m>9{1,2})"),
        ("mY", r"(?P<m>9{1,2})(?:[-/]|(?<=99)\.)(?P<Y>9999)"),
        ("Yj", r"(?P<Y>9999)-?(?P<j>999)"),
        ("YW", r"(?P<Y>9999)-?w(?P<V>99)(?:-?(?P<u>9))?"),
        ("Yq", r"(?P<Y>9999)[- ]?q(?P<q>9)"),
        ("qY", r"q(?P<q>9)[-/ ]?(?P<Y>9999)"),
        ("Y", r"(?P<Y>9999)"),
    )
)
# Between date and clock; packed clocks and mere hours stand behind a date alone.
_BETWEEN = r"(?: - | at | um |[ t_:-]|, ?)"
_INTERVAL = re.compile(r"(.+9)(?: - | to |/)(9.+)")
_WEEKDAY = re.compile(r"(?P<weekday>[a-z]{2,10})\.?,? ")
_CTIME = re.compile(
    rf"{_WORD} (?P<d>9{{1,2}}) (?P<clock>9{{1,2}}:99:99)(?P<zone> [a-z]{{3}})? "
    r"(?P<Y>9999)"
)
_NAMES = {
    "hour": "H", "minute": "M", "second": "S", "fraction": "f",
    "offset_hour": "+", "offset_minute": ":",
}  # fmt: skip


@functools.lru_cache(maxsize=20_000)
def forms_of(shape: str) -> tuple[Form, ...]:
    """The readings of a shape, in the order of preference; none if it is no time."""
    if "9" not in shape or len(shape) > 60:
        return ()
    found = list(_forms(shape, 0, len(shape)))
    word = _WEEKDAY.match(shape)
    # Only then, since "mar 2015" is a month and "mar 01 ene 2015" a Tuesday.
    if not found and word and word["weekday"] in WEEKDAYS:
        found = list(_forms(shape, word.end(), len(shape)))
    interval = _INTERVAL.fullmatch(shape)
    if not found and interval and forms_of(interval[2]):
        found = list(forms_of(interval[1]))  # It is known by its begin.
    different = {(form.order, form.spans): form for form in reversed(found)}
    return _by_preference(list(reversed(different.values())), shape)


@functools.lru_cache(maxsize=20_000)
def clock_forms_of(shape: str) -> tuple[Form, ...]:
    """The readings of a shape as a clock time without a date."""
    for clock in _CLOCKS[:-1]:
        match = clock.fullmatch(shape)
        if match and (form := _joined(shape, "", None, match)) is not None:
            return (form,)
    return ()


def _forms(shape: str, begin: int, end: int) -> Iterator[Form]:
    ctime = _CTIME.fullmatch(shape, begin, end)
    if ctime:
        clock = _CLOCKS[0].fullmatch(shape, *ctime.span("clock"))
        form = _joined(shape, "bdY", ctime, clock)
        if form:
            yield form
    for order, pattern in _DATES:
        match = pattern.match(shape, begin, end)
        whole = pattern.fullmatch(shape, begin, end)
        if whole and (form := _joined(shape, order, whole, None)):
            yield form
        if len(order) < 3 and order != "Yj":
            continue  # A month or a week has no time of day.
        for date in _lengths(pattern, shape, begin, end) if match else ():
            yield from _with_clock_behind(shape, order, date, end)
        yield from _with_clock_before(shape, order, pattern, begin, end)


def _lengths(
    pattern: re.Pattern[str], shape: str, begin: int, end: int
) -> Iterator[re.Match[str]]:
    """The dates that begin here and end where a number does, or packed digits go on."""
    for stop in range(begin + 6, end):
        date = pattern.fullmatch(shape, begin, stop)
        if date:
            yield date


def _with_clock_behind(
    shape: str, order: str, date: re.Match[str], end: int
) -> Iterator[Form]:
    stop = date.end()
    packed = shape[date.start() : stop].strip("9") == ""
    if packed and shape[stop] == "9":
        for clock in (_CLOCKS[4], _CLOCKS[5]):
            match = clock.fullmatch(shape, stop, end)
            # Two digits behind six would be minutes of nothing.
            if match and (stop - date.start() == 8 or end - stop > 2):
                form = _joined(shape, order, date, match)
                if form:
                    yield form
        return
    between = re.compile(_BETWEEN).match(shape, stop, end)
    if shape[stop] == "9" or between is None:
        return
    for clock in _CLOCKS:
        match = clock.fullmatch(shape, between.end(), end)
        if match and (form := _joined(shape, order, date, match)):
            yield form
            return


def _with_clock_before(
    shape: str, order: str, pattern: re.Pattern[str], begin: int, end: int
) -> Iterator[Form]:
    for clock in _CLOCKS[:4]:
        for space in re.finditer(r", ?| - | ", shape[begin:end]):
            match = clock.fullmatch(shape, begin, begin + space.start())
            date = pattern.fullmatch(shape, begin + space.end(), end)
            if match and date and (form := _joined(shape, order, date, match)):
                yield form


def _joined(
    shape: str, order: str, date: re.Match[str] | None, clock: re.Match[str] | None
) -> Form | None:
    spans: list[Span] = []
    month, half, zone, has_offset = 0, "", 0, False
    if date is not None:
        for name, value in date.groupdict().items():
            if len(name) == 1 and name != "s" and value is not None:
                spans.append((name, *date.span(name)))
        word = date.groupdict().get("word")
        if word is not None:
            if word not in MONTHS:
                return None
            month = MONTHS[word]
    if clock is not None:
        groups = clock.groupdict()
        half = groups.get("half") or ""
        for long, name in _NAMES.items():
            if groups.get(long) is not None:
                name = "I" if name == "H" and half else name
                spans.append((name, *clock.span(long)))
        if groups.get("zone") is not None:
            if groups["zone"] not in ZONES:
                return None
            zone, has_offset = ZONES[groups["zone"]], True
        elif groups.get("sign") is not None:
            zone, has_offset = (1 if groups["sign"] == "+" else -1), True
    spans.sort(key=lambda span: span[1])
    text = _written(shape, spans, date, clock)
    return Form(order, tuple(spans), month, half, zone, has_offset, text)


def _written(
    shape: str,
    spans: list[Span],
    date: re.Match[str] | None,
    clock: re.Match[str] | None,
) -> str:
    """The form as strftime would write it."""
    pieces = [
        (begin, end, f"%{name}") for name, begin, end in spans if name not in "+:"
    ]
    first = date.start() if date is not None else 0
    if clock is not None:
        first = min(first, clock.start())
    if first:
        pieces.append((0, first, "%a " if shape[first - 2] != "," else "%a, "))
    if date is not None and date.groupdict().get("word"):
        begin, end = date.span("word")
        pieces.append((begin, end, "%b" if end - begin < 4 else "%B"))
    if clock is not None:
        if clock.groupdict().get("half"):
            begin = clock.start("half")
            stop = re.compile(r"[ap](?:\.? ?m\.?)?").match(shape, begin)
            pieces.append((begin, stop.end() if stop else begin + 1, "%p"))
        if clock.groupdict().get("sign"):
            pieces.append((clock.start("sign"), clock.end(), "%z"))
    written, at = "", 0
    for begin, end, directive in sorted(pieces):
        written += shape[at:begin].upper() + directive
        at = end
    return written + shape[at:].upper()


def _by_preference(forms: list[Form], shape: str) -> tuple[Form, ...]:
    """Month first is preferred with slashes alone, as the United States write it."""
    if "/" in shape:
        forms = sorted(forms, key=lambda form: form.order[:2] not in ("md", "Ym"))
    return tuple(forms)
