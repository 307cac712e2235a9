"""One form for texts that look the same on a page: what words are read from.

HTML's entities are the characters that they stand for, and its tags are gone. What
shows nothing itself is gone too, wide and narrow forms are the usual ones, and all is
in NFC.
"""

import functools
import html.entities
import re
import unicodedata

#: Formats within words, and selectors of a character's look: soft hyphen, zero-width
#: space and joiner, marks of direction, ... Not the zero-width non-joiner, at which
#: Persian words end.
JOINED = (
    "\u00ad\u034f\u061c\u180b-\u180f\u200b\u200d-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\U000e0001\U000e0020-\U000e007f\U000e0100-\U000e01ef"
)
#: The last code point that has a decomposition is below.
END = 0x30000

_WITHIN_WORDS = (
    "a abbr b bdi bdo big cite code del dfn em font i ins kbd mark q s samp small span "
    "strike strong sub sup tt u var wbr"
)
_BETWEEN_WORDS = (
    "address article aside blockquote body br button caption center dd details div dl "
    "dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hr html "
    "iframe img input label legend li link main meta nav ol option p pre script "
    "section select style summary table tbody td textarea tfoot th thead title tr ul "
    "video"
)


def _tags(names: str) -> str:
    any_case = (
        "".join(f"[{letter}{letter.upper()}]" for letter in name)
        for name in sorted(names.split(), reverse=True)
    )
    return rf"</?(?:{'|'.join(any_case)})(?:[\t\n\f\r ][^<>]*)?/?>"


#: Tags that change the look of words, and those that part them.
TAGS_WITHIN_WORDS, TAGS_BETWEEN_WORDS = _tags(_WITHIN_WORDS), _tags(_BETWEEN_WORDS)
#: What entities look like; which there are is said by `entities`.
ENTITY = r"&#?[0-9A-Za-z]+;"

_JOINED = re.compile(f"[{JOINED}]")
_WITHIN, _BETWEEN = re.compile(TAGS_WITHIN_WORDS), re.compile(TAGS_BETWEEN_WORDS)


def visible_text(text: str) -> str:
    """The text as it is seen. The graphs of the tasks do the same."""
    if "&" in text:
        for pattern, character in _compiled_entities():
            text = pattern.sub(character, text)
    if "<" in text:
        text = _BETWEEN.sub(" ", _WITHIN.sub("", text))
    if text.isascii():
        return text
    text = _JOINED.sub("", text).translate(widths())
    return unicodedata.normalize("NFC", text)


@functools.cache
def entities() -> dict[str, str]:
    """By pattern of an entity its character: HTML 4's by name and number, & last."""
    names: dict[int, list[str]] = {39: ["apos"]}
    for name, code in html.entities.name2codepoint.items():
        names.setdefault(code, []).append(name)
    return {
        f"&(?:{'|'.join([*names[code], *_numbers(code)])});": chr(code)
        for code in sorted(names, key=lambda code: (code == ord("&"), code))
    }


def _numbers(code: int) -> tuple[str, str]:
    digits = "".join(
        f"[{digit}{digit.upper()}]" if digit.isalpha() else digit
        for digit in f"{code:x}"
    )
    return f"#0*{code}", f"#[xX]0*{digits}"


@functools.cache
def _compiled_entities() -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(pattern), each) for pattern, each in entities().items()]


@functools.cache
def widths() -> dict[int, int]:
    """By wide or narrow form the usual one."""
    found: dict[int, int] = {}
    for code in range(END):
        kind, _, usual = unicodedata.decomposition(chr(code)).partition(" ")
        if kind in ("<wide>", "<narrow>"):
            found[code] = int(usual, 16)
    return found
