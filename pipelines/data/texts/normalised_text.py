"""One form for texts that look the same: NFC, plain spaces, nothing invisible."""

import unicodedata
from collections.abc import Iterable

import numpy as np
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


def comparison_hashes(texts: Iterable[str]) -> np.ndarray:
    """Of each text one number, int64 `[N]`, that stands for its `comparison_key`.

    They serve within one process. Of ten million different texts two have the same one
    with a probability of three in a million.
    """
    return np.fromiter((hash(comparison_key(text)) for text in texts), np.int64)
