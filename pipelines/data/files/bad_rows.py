"""Rows of a file: where they stand, and which of them cannot be read."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: A file and the 1-based line of it; None where the whole file is one row.
Location = tuple[str, int | None]


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
