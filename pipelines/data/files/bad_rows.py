"""Rows of a file: where they stand, and which of them cannot be read."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: A file and the 1-based line of it; None where the whole file is one row.
Location = tuple[str, int | None]

_NO_LINE = -1


class Locations(Sequence[Location]):
    """Locations to append to, as to a list; each takes sixteen bytes."""

    def __init__(self, locations: Iterable[Location] = ()):
        self._files: list[str] = []
        self._lines = array("q")
        self.extend(locations)

    def __len__(self) -> int:
        return len(self._files)

    def append(self, location: Location) -> None:
        """Adds one."""
        file, line = location
        self._files.append(file)
        self._lines.append(_NO_LINE if line is None else line)

    def extend(self, locations: Iterable[Location]) -> None:
        """Adds some."""
        for location in locations:
            self.append(location)

    def __iadd__(self, locations: Iterable[Location]) -> "Locations":
        self.extend(locations)
        return self

    def __getitem__(self, row: Any) -> Any:
        if isinstance(row, slice):
            return [self[number] for number in range(*row.indices(len(self)))]
        line = self._lines[row]
        return self._files[row], None if line == _NO_LINE else line


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used: where it stands and why.

    ``line`` is the 1-based line of the file where the row, or the broken quotation
    mark in it, begins; for Parquet and tfds the 1-based row; None where the whole file
    is one row.
    """

    file: str
    line: int | None
    reason: str

    def __str__(self) -> str:
        return f"{show_location((self.file, self.line))}: {self.reason}"


@dataclass
class Rows:
    """The rows of a file, as far as they are read; all in the order of the file."""

    path: Path
    values: list[Any] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    rescued: list[BadRow] = field(default_factory=list)

    def add(self, line: int, values: Any) -> None:
        self.values.append(values)
        self.lines.append(line)

    def bad_row(self, line: int, reason: str) -> BadRow:
        return BadRow(str(self.path), line, reason)


def show_location(location: Location) -> str:
    """``file.csv, line 12``."""
    file, line = location
    return file if line is None else f"{file}, line {line}"
