"""What is to be translated, in files that pairs are read from."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from ...core.errors import UserError
from ..files.streams import FileStream
from ..files.tables import is_table
from ..files.tmx import is_tmx, languages_of, read_tmx
from .languages import find_language
from .pair_columns import find_source_column, is_row, sampled
from .pair_files import LineLayout, has_columns_of_lines
from .pair_rows import Sides


def read_sources(
    stream: FileStream, sides: Sides
) -> Iterator[tuple[list[str], pd.DataFrame]]:
    """The texts to translate of a file, with its rows, a part at a time.

    They are the source's column of a table, with a header or without, the source's
    segments of a TMX file, or the lines of any other file.

    Args:
        stream: The file.
        sides: The languages, and the plan of training.

    Raises:
        UserError: The file or the column is missing, or a row cannot be read: none is
            left out.
    """
    path = stream.path
    if is_tmx(path):
        texts = memory_sources(path, sides.source)
        yield texts, pd.DataFrame({"text": texts}, dtype=object)
    elif has_columns_of_lines(path):
        lines_of_sources = SourceLines(sides, str(path))
        for lines in stream.lines():
            yield lines_of_sources.read(lines)
    elif is_table(path):
        yield from _table_sources(stream, sides)
    else:
        for lines in stream.lines():
            yield lines, pd.DataFrame({"text": lines}, dtype=object)


def _table_sources(
    stream: FileStream, sides: Sides
) -> Iterator[tuple[list[str], pd.DataFrame]]:
    number = None
    for table in stream.whole_tables():
        frame = table.frame
        names = [str(name) for name in frame.columns]
        numbers = [str(each) for each in range(1, len(names) + 1)]
        if is_row(names, sides):
            # What was taken for a header is a row, which each part has above it.
            above = pd.DataFrame([names] if number is None else [], columns=numbers)
            frame = pd.concat([above, frame.set_axis(numbers, axis=1)])
            names = numbers
        if number is None:
            columns = [
                sampled(
                    frame.iloc[:, each].tolist(), None if names == numbers else name
                )
                for each, name in enumerate(names)
            ]
            number = find_source_column(columns, sides, str(stream.path))
        yield frame.iloc[:, number].fillna("").astype(str).tolist(), frame


class SourceLines:
    """The sources in the lines of a text file, which may have columns.

    The first lines decide, with what training found, which column it is. Lines without
    a delimiter are sources as they are.

    Args:
        sides: The languages, and the plan of training.
        file: The file's name, for messages.
    """

    def __init__(self, sides: Sides, file: str):
        self._sides = sides
        self._file = file
        self._layout: LineLayout | None = None
        self._column = 0
        self._read = 0

    def read(self, lines: Sequence[str]) -> tuple[list[str], pd.DataFrame]:
        """The sources of the next lines, and these lines as rows of a table.

        Raises:
            UserError: There is no column of sources, or a line has too few fields.
        """
        if self._layout is None:
            self._layout = LineLayout.of(lines, self._sides, self._file)
            if len(self._layout.columns) > 1:
                self._column = find_source_column(
                    self._layout.columns, self._sides, self._file
                )
            self._read = self._layout.begin
            lines = lines[self._read :]
        names = self._names(self._layout)
        rows = []
        for number, line in enumerate(lines, start=self._read + 1):
            fields = self._layout.fields(line) if len(names) > 1 else [line]
            if len(fields) <= self._column and line.strip():
                raise UserError(
                    f"{self._file}, line {number}: {len(fields)} fields; the text is "
                    f"in column {self._column + 1}"
                )
            rows.append([*fields, *[""] * len(names)][: len(names)])
        self._read += len(lines)
        return (
            [row[self._column] for row in rows],
            pd.DataFrame(rows, columns=names, dtype=object),
        )

    @staticmethod
    def _names(layout: LineLayout) -> list[str]:
        """Of the columns; their numbers where there is no header."""
        if len(layout.columns) < 2:
            return ["text"]
        return [
            column.name or str(number)
            for number, column in enumerate(layout.columns, start=1)
        ]


def memory_sources(path: Path, language: str) -> list[str]:
    """The segments of a TMX file in a language.

    Raises:
        UserError: The file cannot be read, or has none.
    """
    found = []
    for unit in read_tmx(path):
        name = find_language(unit, language)
        name = name or next(
            filter(lambda each: find_language([each], language), unit), None
        )
        if name is not None:
            found.append(unit[name])
    if not found:
        languages = ", ".join(languages_of(read_tmx(path))) or "none"
        raise UserError(
            f"{path}: no segment in {language}; its languages are {languages}"
        )
    return found
