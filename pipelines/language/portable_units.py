"""Units of texts as `units` has them, cut and put together without TensorFlow."""

import abc
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import regex

from .vocabulary import (
    APART,
    JOINER,
    LINE_END,
    TORN_UNKNOWN,
    UNKNOWN,
    UNKNOWN_TEXT,
)

_JOINER = JOINER.encode()
_ENDS_IN_SPACE = re.compile(rb"(?s)(.*[\t\n\f\r ])?")


class Units(abc.ABC):
    """Texts to the numbers of their units and back.

    Args:
        settings, arrays: As `portable` of the units in the graph gives them.
    """

    def __init__(self, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]):
        self.vocabulary = [unit.encode("latin-1") for unit in settings["vocabulary"]]

    @abc.abstractmethod
    def encode(self, text: bytes) -> list[int]:
        """The numbers of a text's units."""

    def join(self, unit: bytes, behind: bytes) -> bytes:
        """What a unit writes behind a text."""
        return unit

    def shown(self, unit: int) -> bytes:
        """The text of a unit for people, who see no marks."""
        return self.vocabulary[unit]

    def without_broken_end(self, text: bytes) -> tuple[list[int], bytes]:
        """The units of a prompt, and what is typed of a last one that may go on."""
        return self.encode(text), b""

    def completing(self, typed: bytes) -> np.ndarray:
        """Which units begin with a text, bool `[V]`; the special ones never do."""
        begin = np.array([unit.startswith(typed) for unit in self.vocabulary])
        begin[: UNKNOWN + 1] = False
        return begin


class _ListedUnits(Units):
    def __init__(self, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]):
        super().__init__(settings, arrays)
        known = enumerate(self.vocabulary[UNKNOWN + 1 :], UNKNOWN + 1)
        self._numbers = {unit: number for number, unit in known}

    @abc.abstractmethod
    def cut(self, text: bytes) -> Sequence[bytes]:
        """The texts of the units."""

    def encode(self, text: bytes) -> list[int]:
        return [self._numbers.get(unit, UNKNOWN) for unit in self.cut(text)]


class _Characters(_ListedUnits):
    def cut(self, text: bytes) -> Sequence[bytes]:
        return [character.encode() for character in text.decode("utf-8", "replace")]


class _Bytes(_ListedUnits):
    def cut(self, text: bytes) -> Sequence[bytes]:
        return [bytes([number]) for number in text]


class _Words(_ListedUnits):
    def __init__(self, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]):
        super().__init__(settings, arrays)
        patterns = APART if settings["parts_signs"] else ()
        self._apart = [regex.compile(pattern) for pattern in patterns for _ in "12"]

    def cut(self, text: bytes) -> Sequence[bytes]:
        cut = text.decode("utf-8", "replace").replace("\n", f" {LINE_END} ")
        for pattern in self._apart:
            cut = pattern.sub(rf"\1 {JOINER}\2", cut)
        if self._apart:
            cut = cut.replace(TORN_UNKNOWN, UNKNOWN_TEXT)
        # Of bytes, which know no other spaces than TensorFlow does.
        words = cut.encode().split()
        return [b"\n" if word == LINE_END.encode() else word for word in words]

    def join(self, unit: bytes, behind: bytes) -> bytes:
        if not unit:
            return b""
        text = (b" " + unit).replace(b" " + _JOINER, b"")
        text = re.sub(rb" ?\n ?", b"\n", text)
        return text.removeprefix(b" ") if _ENDS_IN_SPACE.fullmatch(behind) else text

    def shown(self, unit: int) -> bytes:
        return self.vocabulary[unit].removeprefix(_JOINER)

    def without_broken_end(self, text: bytes) -> tuple[list[int], bytes]:
        words, ids = self.cut(text), self.encode(text)
        ends = _ENDS_IN_SPACE.fullmatch(text)
        if ends or ids[-1] != UNKNOWN or not self.completing(words[-1]).any():
            return ids, b""
        return ids[:-1], words[-1]


class _Subwords(Units):
    def __init__(self, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]):
        super().__init__(settings, arrays)
        import sentencepiece

        model = arrays["subwords"].tobytes()
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)

    def encode(self, text: bytes) -> list[int]:
        return list(self._processor.encode(text.decode("utf-8", "replace")))

    def without_broken_end(self, text: bytes) -> tuple[list[int], bytes]:
        ids = self.encode(text)
        return ids[:-1], b"".join(self.vocabulary[unit] for unit in ids[-1:])


_KINDS: Mapping[str, type[Units]] = {
    "characters": _Characters,
    "bytes": _Bytes,
    "words": _Words,
    "subwords": _Subwords,
}


def read_units(settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Units:
    """The units of which `portable` gave these."""
    return _KINDS[settings["kind"]](settings, arrays)
