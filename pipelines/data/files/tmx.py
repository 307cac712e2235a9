"""TMX files, read unit by unit."""

import gzip
import xml.etree.ElementTree as ElementTree
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ...core.errors import UserError

_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
# Elements inside a segment whose text is the code of a format and no text.
_CODES = frozenset({"bpt", "ept", "ph", "it", "ut"})


def is_tmx(path: Path) -> bool:
    """Whether the name of ``path`` is one that ``read_tmx`` reads."""
    return path.name.lower().endswith((".tmx", ".tmx.gz"))


def read_tmx(path: Path) -> Iterator[dict[str, str]]:
    """The units of a file in turn: the first segment of each language.

    Markup inside a segment is left out, together with what it holds of a format's
    codes.

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
                segments.setdefault(language, "".join(_texts(child)))
    return segments


def _texts(element: ElementTree.Element) -> Iterator[str]:
    if _local_name(element) not in _CODES:
        yield element.text or ""
        for child in element:
            yield from _texts(child)
            yield child.tail or ""


def _local_name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2].lower()
