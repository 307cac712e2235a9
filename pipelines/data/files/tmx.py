"""TMX files, read unit by unit."""

import gzip
import xml.etree.ElementTree as ElementTree
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import regex

from ...core.errors import UserError
from ..texts.words import WITHOUT_SPACES, WORD_CHARACTERS

_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
# Elements inside a segment whose text is the code of a format and no text.
_CODES = frozenset({"bpt", "ept", "ph", "it", "ut"})
# Codes of line and page breaks, by their type.
_BREAKS = frozenset({"lb", "pb"})
# Codes that change the look of what they stand in, which may be a part of a word: by
# their type, or by the markup that they hold.
_LOOKS = frozenset({"bold", "italic", "ulined", "dulined", "color", "font", "scap"})
_MARKUP_OF_LOOKS = regex.compile(
    r"</?(?:b|i|u|s|em|strong|font|span|su[bp]|small|big|mark)\b|\\(?:b|i|ul|cf|f)\d*\b"
)
# Letters of scripts that have spaces between words.
_LETTER = regex.compile(rf"[[{WORD_CHARACTERS}]--[{WITHOUT_SPACES}]]", regex.V1)


def is_tmx(path: Path) -> bool:
    """Whether the name of ``path`` is one that ``read_tmx`` reads."""
    return path.name.lower().endswith((".tmx", ".tmx.gz"))


def read_tmx(path: Path) -> Iterator[dict[str, str]]:
    """The units of a file in turn: the first segment of each language.

    Markup inside a segment is left out, together with what it holds of a format's
    codes. A space stands where there was a break, or between two letters any other code
    than one of their look.

    Raises:
        UserError: the file cannot be read, is no whole XML, or is in an encoding that
            the XML parser does not know.
    """
    try:
        compressed = path.name.lower().endswith(".gz")
        with path.open("rb") as file:
            yield from _units(gzip.GzipFile(fileobj=file) if compressed else file)
    except ElementTree.ParseError as error:
        raise UserError(f"{path}: not a whole TMX file ({error})") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"{path}: not a whole gzip file ({error})") from None
    except RecursionError:
        raise UserError(f"{path}: a segment's elements are nested too deep") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except (LookupError, ValueError) as error:
        raise UserError(f"{path}: {error}; convert the file to UTF-8") from None


def languages_of(units: Iterator[dict[str, str]]) -> list[str]:
    """The languages of the units, the most frequent first."""
    return [
        name
        for name, _ in Counter(name for unit in units for name in unit).most_common()
    ]


def _units(file: BinaryIO | gzip.GzipFile) -> Iterator[dict[str, str]]:
    body = None
    for event, element in ElementTree.iterparse(file, events=("start", "end")):
        name = _local_name(element)
        if event == "start":
            body = element if name == "body" else body
        elif name == "tu":
            yield _segments(element)
            # What was read is let go of, so that a file of any size fits.
            if body is not None:
                body.clear()


def _segments(unit: ElementTree.Element) -> dict[str, str]:
    segments: dict[str, str] = {}
    for variant in unit:
        if _local_name(variant) != "tuv":
            continue
        language = variant.get(_LANGUAGE) or variant.get("lang") or ""
        for child in variant:
            if _local_name(child) == "seg":
                segments.setdefault(language, _text(child))
    return segments


def _text(segment: ElementTree.Element) -> str:
    said = ""
    space_between_letters = False
    # The numbers of the codes of looks: an end may tell nothing of itself.
    of_looks: set[str | None] = set()
    for part in _parts(segment):
        if isinstance(part, str):
            if space_between_letters and _LETTER.match(part) and _ends_in_letter(said):
                said += " "
            said += part
            space_between_letters = space_between_letters and not part
        elif part.get("type") in _BREAKS:
            said += " "
        elif _is_of_looks(part) or (
            _local_name(part) == "ept" and part.get("i") in of_looks
        ):
            of_looks.add(part.get("i"))
        else:
            space_between_letters = True
    return said


def _parts(element: ElementTree.Element) -> Iterator[str | ElementTree.Element]:
    """The texts of a segment in turn, and the codes between them."""
    yield element.text or ""
    for child in element:
        if _local_name(child) in _CODES:
            yield child
        else:
            yield from _parts(child)
        yield child.tail or ""


def _is_of_looks(code: ElementTree.Element) -> bool:
    held = "".join(code.itertext()).strip(" {")
    return code.get("type") in _LOOKS or _MARKUP_OF_LOOKS.match(held) is not None


def _ends_in_letter(text: str) -> bool:
    return _LETTER.match(text[-1:]) is not None


def _local_name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2].lower()
