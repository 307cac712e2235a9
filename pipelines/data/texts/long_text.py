"""Texts that are too long to be kept in memory: read from their file when needed."""

import codecs
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Bytes of a file from which on a text stays on disk, and that are read at once.
LONG, _BLOCK = 1 << 26, 1 << 20


@dataclass(frozen=True)
class LongText:
    """A text in UTF-8 that stays in its file.

    Args:
        path: Of the file.
        begin, end: Its bytes in the file.
    """

    path: Path
    begin: int
    end: int

    @classmethod
    def of_file(cls, path: Path) -> "LongText | None":
        """The text of a plain file; None if it is short, or not UTF-8 in lines."""
        size = path.stat().st_size
        if size < LONG or path.suffix in (".gz", ".bz2", ".xz", ".zip", ".zst"):
            return None
        with path.open("rb") as file:
            begin = len(codecs.BOM_UTF8) if file.read(3) == codecs.BOM_UTF8 else 0
        text = cls(path, begin, size)
        try:
            for part in text.parts():
                if "\0" in part or "\n" not in part:
                    return None
        except UnicodeDecodeError:
            return None
        return text

    def parts(self) -> Iterator[str]:
        """The text in parts of about a megabyte, with `\\n` at the end of lines."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        held = ""
        with self.path.open("rb") as file:
            file.seek(self.begin)
            left = self.end - self.begin
            while left:
                block = file.read(min(_BLOCK, left))
                left -= len(block)
                held += decoder.decode(block, final=not left)
                # The rest of a line, and half of its end, wait for the next block.
                end = held.rfind("\n") + 1 if left else len(held)
                if end:
                    yield held[:end].replace("\r\n", "\n")
                    held = held[end:]

    @functools.cached_property
    def _length(self) -> int:
        return sum(map(len, self.parts()))

    def __len__(self) -> int:
        """Characters."""
        return self._length

    def __str__(self) -> str:
        return "".join(self.parts())

    def cut(self, fractions: list[float]) -> list["LongText"]:
        """Parts of the text of such sizes, each up to the end of a line.

        The last has the rest.
        """
        places = [self.begin]
        total = 0.0
        with self.path.open("rb") as file:
            for fraction in fractions:
                total += fraction
                place = self.begin + round(min(total, 1.0) * (self.end - self.begin))
                file.seek(max(place, places[-1]))
                file.readline()
                places.append(min(file.tell(), self.end))
        places[-1] = self.end
        return [
            LongText(self.path, begin, end)
            for begin, end in zip(places[:-1], places[1:], strict=True)
        ]
