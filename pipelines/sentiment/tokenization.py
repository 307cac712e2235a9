"""What a token is, for TensorFlow's regular expressions and Python's.

`preprocessing.tokenize` splits texts in the graph; `text_tokens` gives the same tokens
where TensorFlow is not loaded.
"""

import re

import regex

from ..data.texts.visible_text import visible_text
from ..data.texts.words import FORMATS, SPACES, WITHOUT_SPACES, WORD_CHARACTERS

#: Of the rules by which texts become tokens. A run keeps those it was fitted by: 1
#: reads texts as they are written, but for HTML's line breaks; 2 as they are seen.
VERSION = 2
EMPTY_TOKEN = "[EMPTY]"
#: Ids that no token of the vocabulary has.
PADDING, UNKNOWN = 0, 1
#: Where case is dropped, all of these are i: Turkish has a dotted and a dotless one,
#: and what I becomes must not depend on where a model is served.
LETTERS_I = "[Iİı]|i\u0307"
#: The class of what separates tokens.
SEPARATORS = SPACES + FORMATS
#: Signs that are read as ', which stays in its word.
APOSTROPHES = "’ʼ"

_QUOTE = f"['{APOSTROPHES}]"
_LETTER = f"[[{WORD_CHARACTERS}]--[{WITHOUT_SPACES}{APOSTROPHES}]]"
_APOSTROPHES = re.compile(f"[{APOSTROPHES}]")
_LETTERS_I = re.compile(LETTERS_I)
# A word with the apostrophes within it; those around it, which are quotation marks; any
# other sign.
_TOKEN = regex.compile(
    rf"{_LETTER}+(?:{_QUOTE}+{_LETTER}+)*|{_QUOTE}+|[^{SEPARATORS}]", regex.V1
)
# The same, many times faster.
_ASCII_TOKEN = re.compile(r"[A-Za-z0-9]+(?:'+[A-Za-z0-9]+)*|'+|[!-~]")


def text_tokens(text: str, lowercase: bool) -> list[str]:
    """The tokens that `preprocessing.tokenize` makes of the text.

    Equal for all characters that TensorFlow's Unicode tables know. Letters that Unicode
    added later are words here, and signs there.
    """
    text = _APOSTROPHES.sub("'", visible_text(text))
    if lowercase:
        text = _LETTERS_I.sub("i", text).lower()
    token = _ASCII_TOKEN if text.isascii() else _TOKEN
    # Of apostrophes around words there is one, however many they are.
    tokens = ["'" if each[0] == "'" else each for each in token.findall(text)]
    return tokens or [EMPTY_TOKEN]


def count_tokens(text: str) -> int:
    """How many tokens `preprocessing.tokenize` makes of the text, cased or not."""
    return len(text_tokens(text, lowercase=False))
