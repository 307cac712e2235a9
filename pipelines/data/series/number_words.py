"""Numbers as people write them: decimal marks, groups of digits, units, compass points.

"1,234" is 1234 where a comma parts thousands, and 1.234 where it is the decimal mark. A
word says by itself which mark is which if it has both, two groups, a leading zero, or
other than three digits behind the mark; "1,234" alone does not.
"""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

#: The decimal marks, each of which parts thousands where the other is the decimal one.
MARKS = (".", ",")

_OTHER = {".": ",", ",": "."}
_EXPONENT = r"(?:[eE][+-]?\d+)?"
_INDIAN = r"\d{1,2}(?:,\d{2})+,\d{3}"
# Of integers without a mark, from which on "1,000" beside them goes on counting.
_NEAR_THOUSAND = 100
# So few words with points are no sign that points part thousands: most are decimal.
_FEWEST_POINTS = 3
_UNIT = re.compile(
    r"(?P<number>[+-]?\.?\d[\d.,' _]*?)\s?"
    r"(?P<unit>°?\s?[A-Za-zµμ%‰°][\w%°/²³^*\-]{0,9})"
)
_UNIT_FRACTION = 0.9
_POINTS = (
    *("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE"),
    *("S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"),
)
# West first, since east stands in it.
_POINT_WORDS = {
    "W": ("west", "ouest", "oeste"),
    "N": ("north", "nord", "norte"),
    "E": ("east", "ost", "este", "est"),
    "S": ("south", "sued", "süd", "sud", "sur"),
}
#: Words for a direction that there is none of.
NO_DIRECTION = frozenset(("vrb", "variable", "var", "calm", "c", "clm", "cal"))


def plain_words(values: pd.Series) -> pd.Series:
    """The words without outer space, with one kind of minus, space and apostrophe."""
    words = values.astype(str).str.strip()
    return (
        words.str.replace("[\u2212\u2013]", "-", regex=True)
        .str.replace("[\u00a0\u2009\u202f]", " ", regex=True)
        .str.replace("[\u2019\u02bc`]", "'", regex=True)
    )


def decimal_marks(words: pd.Series) -> dict[str, int]:
    """How many words say by themselves that a mark is the decimal one."""
    return {mark: int(_certain(words, mark).sum()) for mark in MARKS}


def ambiguous_words(words: pd.Series, mark: str) -> pd.Series:
    """The words in which the mark parts thousands or is the decimal one."""
    return words[words.str.fullmatch(_ambiguous(mark))]


def continues_counting(words: pd.Series, mark: str) -> bool:
    """Whether the mark parts thousands since integers below go on in it: 999, 1,000.

    A column of fractions has the mark in all values, or other numbers of digits
    behind it.
    """
    count = len(ambiguous_words(words, mark))
    plain = words[words.str.fullmatch(r"[+-]?\d{1,3}")]
    if count < (_FEWEST_POINTS if mark == "." else 1) or not len(plain):
        return False
    return bool(plain.astype(float).abs().max() >= _NEAR_THOUSAND)


def parse_numbers(words: pd.Series, decimal: str) -> np.ndarray:
    """The words as numbers, NaN where they are none, ``float64[words]``.

    Args:
        words: as of `plain_words`.
        decimal: the decimal mark, of words that do not say it by themselves.
    """
    numbers = np.full(len(words), np.nan)
    for mark in (decimal, _OTHER[decimal]):
        left = np.flatnonzero(np.isnan(numbers))
        rest = words.iloc[left]
        rest = rest.where(rest.str.fullmatch(_number(mark)))
        parts = f"[ '_{_OTHER[mark]}]"
        plain = rest.str.replace(parts, "", regex=True)
        plain = plain.str.replace(mark, ".", regex=False)
        numbers[left] = pd.to_numeric(plain, errors="coerce").to_numpy(np.float64)
    return numbers


def attached_unit(words: pd.Series) -> tuple[pd.Series, str]:
    """The words without the unit that nearly all of them bring, and the unit.

    The unit is empty, and the words are as they were, where there is no such one.
    """
    parts = words.str.extract(f"^{_UNIT.pattern}$")
    counts = parts["unit"].value_counts()
    if not len(counts) or counts.iloc[0] < _UNIT_FRACTION * len(words):
        return words, ""
    unit = str(counts.index[0])
    return parts["number"].where(parts["unit"] == unit, words), unit


def compass_degrees(words: Sequence[str]) -> dict[str, float] | None:
    """Degrees by word, where the words are points of the compass, otherwise None.

    Of O, which is east in German and west in French and Spanish, the other words tell:
    a language has E or W beside it.
    """
    plain = {word: re.sub(r"[\s\-_]", "", word.lower()) for word in set(words)}
    letters = {word: _letters(text) for word, text in plain.items()}
    if any("O" in point for point in letters.values()):
        has_east = any("E" in point for point in letters.values())
        has_west = any("W" in point for point in letters.values())
        if has_east == has_west:
            return None
        east_or_west = "W" if has_east else "E"
        letters = {
            word: point.replace("O", east_or_west) for word, point in letters.items()
        }
    degrees = {
        word: 22.5 * _POINTS.index(point)
        for word, point in letters.items()
        if point in _POINTS
    }
    absent = {word: np.nan for word, text in plain.items() if text in NO_DIRECTION}
    if len(set(degrees.values())) < 2 or len(degrees) + len(absent) < len(plain):
        return None
    return degrees | absent


def _letters(text: str) -> str:
    for letter, names in _POINT_WORDS.items():
        for name in names:
            text = text.replace(name, letter)
    return text.upper()


def _certain(words: pd.Series, mark: str) -> pd.Series:
    other = _OTHER[mark]
    has_mark = words.str.contains(mark, regex=False)
    certain = has_mark & words.str.fullmatch(_number(mark))
    certain &= ~words.str.fullmatch(_ambiguous(mark))
    groups = rf"[+-]?(?:\d{{1,3}}(?:{re.escape(other)}\d{{3}}){{2,}}"
    groups += rf"|{_INDIAN})" if other == "," else ")"
    return certain | words.str.fullmatch(groups)


def _ambiguous(mark: str) -> str:
    return rf"[+-]?[1-9]\d{{0,2}}{re.escape(mark)}\d{{3}}"


def _number(mark: str) -> str:
    """A number with this decimal mark; one and the same mark parts its thousands."""
    other = _OTHER[mark]
    groups = "|".join(
        rf"\d{{1,3}}(?:{re.escape(part)}\d{{3}})+" for part in (other, " ", "'", "_")
    )
    whole = rf"\d+|{groups}" + (rf"|{_INDIAN}" if other == "," else "")
    point = re.escape(mark)
    return rf"[+-]?(?:(?:{whole})(?:{point}\d*)?|{point}\d+){_EXPONENT}"
