"""What a cell of a table looks like: a number, a time, a word, or nothing."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Literal

from ..time_words import MONTHS, WEEKDAYS

Kind = Literal["number", "time", "word", ""]

_NUMBER = re.compile(
    r"[+\-−]?(?:\d[\d.,' \u00a0\u202f]*|[.,]\d+)(?:[eE][+\-]?\d+)?\s*%?"
)


def _any_of(words: Iterable[str]) -> str:
    return rf"(?:{'|'.join(sorted(words, key=len, reverse=True))})\.?"


_MONTH, _DAY = _any_of(MONTHS), _any_of(WEEKDAYS)
_ACCENTS = re.compile("[\u0300-\u036f]")
# Of texts without accents.
_TIME = re.compile(
    rf"(?:{_DAY},? +)?\d{{1,4}}[-/.年 ]+(?:\d{{1,2}}|{_MONTH})[-/.月 ,]+\d{{1,4}}.*"
    rf"|(?:{_DAY},? +)?{_MONTH} +\d{{1,2}}.*\d{{2}}.*"  # Thu Dec 31 12:00:00 2020
    r"|\d{1,2}:\d{2}(?::\d{2}.*)?(?: ?[ap]\.?m\.?)?"  # 12:00
    r"|\d{4}-\d{2}|\d{4}-?[wWqQ]\d{1,2}|\d{8}[T ]\d{4,6}.*",
    re.IGNORECASE,
)
_MISSING = frozenset(
    (
        *("", "na", "nan", "n/a", "#n/a", "nil", "null", "none", "missing", "m", "t"),
        *("-", "--", "---", ".", "?", "trace", "\\n", "inf", "-inf"),
    )
)


def kind_of(cell: str) -> Kind:
    """What the cell looks like; empty where it stands for no value."""
    text = cell.strip()
    if text.lower() in _MISSING:
        return ""
    if _TIME.fullmatch(_without_accents(text)):
        return "time"
    return "number" if _NUMBER.fullmatch(text) else "word"


def _without_accents(text: str) -> str:
    return _ACCENTS.sub("", unicodedata.normalize("NFD", text))


def is_figure(cell: str) -> bool:
    """Whether the cell is a number or a time."""
    return kind_of(cell) in ("number", "time")


def fold_name(name: str) -> str:
    """A header as it is compared: without case, space and what joins words."""
    return re.sub(r"[\s_\-.]+", "", name).casefold()
