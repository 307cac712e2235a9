"""The words of a text in any language, and what languages there are without spaces."""

import re

from ..datasets.scripts import MARKS, TIBETAN, WITHOUT_SPACES

# Every character of these scripts, written without spaces, is a word.
_ALONE = WITHOUT_SPACES + TIBETAN
_LETTER = rf"(?:[^\W{_ALONE}]|[{MARKS}])"
_SPACED = rf"{_LETTER}+(?:[-'\u2019.,:]{_LETTER}+)*"
_WORD = re.compile(rf"{_SPACED}|[{_ALONE}]")

#: Codes of languages that have no spaces between sentences either.
CHINESE = ("zh", "zho", "chi", "cmn", "yue", "wuu", "lzh")
JAPANESE = ("ja", "jpn")
#: A word with its hyphens and apostrophes, a number with its points; else one
#: character that is no space.
TOKEN = re.compile(rf"{_SPACED}|\S")
#: What a word between spaces begins with.
SPACED_LETTER = re.compile(_LETTER)


def count_words(text: str) -> int:
    """Words between spaces, and characters of scripts that have no spaces."""
    return sum(1 for _ in _WORD.finditer(text))
