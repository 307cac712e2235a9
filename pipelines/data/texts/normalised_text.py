"""One form for texts that look the same: NFC, plain spaces, nothing invisible."""

import unicodedata

import regex

from .words import INVISIBLE, SPACES

_SPACES = regex.compile(f"[{SPACES}]+")
_INVISIBLE = regex.compile(f"[{INVISIBLE}]")


def normalise_text(text: str) -> str:
    """The text in NFC, with single spaces and none around it."""
    text = _SPACES.sub(" ", _INVISIBLE.sub("", text))
    return unicodedata.normalize("NFC", text).strip(" ")


def comparison_key(text: str) -> str:
    """What equal texts have in common, case and white space aside."""
    return " ".join(text.split()).casefold()
