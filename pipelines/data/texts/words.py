"""What a word is, in any language, and the classes of characters that make it.

The classes are written as they stand within square brackets, by the names of Unicode.
The package `regex` and TensorFlow's RE2 read them alike, so what Python counts is what
a graph splits.
"""

import regex

#: Scripts written without spaces between words: every character stands alone.
WITHOUT_SPACES = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
#: Written with signs between syllables and no spaces.
TIBETAN = r"\p{Tibetan}"
HANGUL = r"\p{Hangul}"
#: Letters, their marks (vowel signs, accents), and digits.
WORD_CHARACTERS = r"\p{L}\p{M}\p{N}"
#: Control characters (NUL, tab, line feed, ...), every kind of space, and the line and
#: paragraph separators.
SPACES = r"\p{Cc}\p{Zs}\p{Zl}\p{Zp}"
#: What changes how its neighbours are shown, and shows nothing itself: joiners, marks
#: of direction, soft hyphen, byte-order mark, ...
FORMATS = r"\p{Cf}"
#: Soft hyphen, zero-width space, word joiner and byte-order mark: the formats that no
#: script needs. Persian, Indic scripts and emoji need the zero-width joiners.
INVISIBLE = "\u00ad\u200b\u2060\ufeff"


def spaced_word(alone: str, joiners: str) -> str:
    """A pattern of `regex` for the words of scripts that have spaces.

    A word begins with a letter, a digit or an underscore, and has marks besides.

    Args:
        alone: The class of the characters that are in no such word.
        joiners: The class of signs that join two words to one.
    """
    # ASCII comes first, since that is found fast.
    begin = rf"[a-zA-Z0-9_[[\p{{L}}\p{{N}}]--[{alone}]]]"
    word = rf"{begin}[a-zA-Z0-9_[[{WORD_CHARACTERS}]--[{alone}]]]*"
    return rf"{word}(?:[{joiners}]{word})*"


_ALONE = WITHOUT_SPACES + TIBETAN
# With its hyphens and apostrophes; a number with its points.
_SPACED_WORD = spaced_word(_ALONE, joiners=r"\-'\u2019.,:")
_SPACED = regex.compile(_SPACED_WORD, regex.V1)
_WORD = regex.compile(rf"{_SPACED_WORD}|[{_ALONE}]", regex.V1)

#: A word between spaces; else one character that is no space.
TOKEN = regex.compile(rf"{_SPACED_WORD}|\S", regex.V1)


def count_words(text: str) -> int:
    """Words between spaces, and characters of scripts that have no spaces."""
    return sum(1 for _ in _WORD.finditer(text))


def is_spaced_word(token: str) -> bool:
    """Whether a `TOKEN` is a word between spaces, and no sign or character alone."""
    return _SPACED.match(token) is not None
