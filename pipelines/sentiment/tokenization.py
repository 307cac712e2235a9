"""What a token is, for TensorFlow's regular expressions and Python's.

`preprocessing.tokenize` splits texts in the graph; `count_tokens` counts the same
tokens where TensorFlow is not loaded.
"""

import re

import regex

from ..data.texts.words import FORMATS, SPACES, WITHOUT_SPACES, WORD_CHARACTERS

EMPTY_TOKEN = "[EMPTY]"
LINE_BREAK = r"<[bB][rR][\t\n\f\r ]*/?>"
#: The class of what separates tokens.
SEPARATORS = SPACES + FORMATS
#: Signs that are read as ', which stays in its word.
APOSTROPHES = "’ʼ"

_QUOTE = f"['{APOSTROPHES}]"
_LETTER = f"[[{WORD_CHARACTERS}]--[{WITHOUT_SPACES}{APOSTROPHES}]]"
_LINE_BREAK = re.compile(LINE_BREAK)
# A word with the apostrophes within it; those around it, which are quotation marks; any
# other sign.
_TOKEN = regex.compile(
    rf"{_LETTER}+(?:{_QUOTE}+{_LETTER}+)*|{_QUOTE}+|[^{SEPARATORS}]", regex.V1
)
# The same, many times faster.
_ASCII_TOKEN = re.compile(r"[A-Za-z0-9]+(?:'+[A-Za-z0-9]+)*|'+|[!-~]")


def count_tokens(text: str) -> int:
    """How many tokens `preprocessing.tokenize` makes of the text, cased or not.

    Equal for all characters that TensorFlow's Unicode tables know. Letters that Unicode
    added later are words here, and signs there.
    """
    token = _ASCII_TOKEN if text.isascii() else _TOKEN
    return max(1, len(token.findall(_LINE_BREAK.sub(" ", text))))
