"""One form for texts that look the same: NFC, plain spaces, nothing invisible."""

import re
import unicodedata

# Control characters (NUL, tab, line feed, NEL, ...), every kind of space, and the line
# and paragraph separators: Unicode's categories Cc, Zs, Zl and Zp.
_SPACES = re.compile(
    "[\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"
)
# Soft hyphen, zero-width space, word joiner, and byte-order mark. Joiners stay: Persian
# and Indic scripts and emoji need them.
_INVISIBLE = re.compile("[\xad\u200b\u2060\ufeff]")


def normalise_text(text: str) -> str:
    """The text in NFC, with single spaces and none around it."""
    text = _SPACES.sub(" ", _INVISIBLE.sub("", text))
    return unicodedata.normalize("NFC", text).strip(" ")


def comparison_key(text: str) -> str:
    """What equal texts have in common, case and white space aside."""
    return " ".join(text.split()).casefold()
