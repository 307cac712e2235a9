"""The words of a text in any language, for counts and the baselines."""

import re

# Every character of these scripts, written without spaces, is a word.
_ALONE = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u0f00-\u0fff"  # Tibetan
    "\u1000-\u109f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u3040-\u30ff\u31f0-\u31ff"  # Hiragana, Katakana
    "\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
# Vowel signs and accents, which Python's \w leaves out: Latin, Hebrew, Arabic, Indic.
_MARK = (
    "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u06d6-\u06ed"
    "\u0900-\u0963\u0970-\u0dff"
)
_LETTER = rf"(?:[^\W{_ALONE}]|[{_MARK}])"
_SPACED = rf"{_LETTER}+(?:[-'\u2019.,:]{_LETTER}+)*"
_WORD = re.compile(rf"{_SPACED}|[{_ALONE}]")

#: A word with its hyphens and apostrophes, a number with its points; else one
#: character that is no space.
TOKEN = re.compile(rf"{_SPACED}|\S")
#: What a word between spaces begins with.
SPACED_LETTER = re.compile(_LETTER)


def count_words(text: str) -> int:
    """Words between spaces, and characters of scripts that have no spaces."""
    return sum(1 for _ in _WORD.finditer(text))
