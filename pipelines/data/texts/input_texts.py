"""Texts to predict on, from a user's file, a part at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from ...cards import ModelCard, TextAnswer
from ...core.errors import UserError
from ..files.patterns import files_at
from ..files.streams import FileStream
from ..files.tables import is_table
from ..reading import PlanBuilder
from .labelled_files import find_text_column
from .pair_rows import Sides
from .source_texts import read_sources
from .text_rows import TextRows, in_turn

# Of columns that a card's plan knows, those that hold a model's input.
_ROLE = "text"


class TextFiles:
    """The texts of a file, or of several in the order of their paths.

    Attributes:
        paths: Of the files.
        size: What there is to read, in a measure of its own.

    Args:
        given: A file, a folder or a pattern, as `files_at` takes it.
        card: Of the model, which may know the column.
        text_column: The column, if the user names it.

    Raises:
        UserError: There is no such file.
    """

    def __init__(self, given: Path, card: ModelCard, text_column: str | None = None):
        self._card, self._column = card, text_column
        self._root, self.paths = files_at(given)
        if not self.paths:
            what = "no files in it" if given.is_dir() else "no such file"
            raise UserError(f"{given}: {what}; give a file, a folder or a pattern")
        self._streams = [FileStream(path, card.reading_plan) for path in self.paths]

    @property
    def size(self) -> int:
        return sum(stream.size for stream in self._streams)

    @property
    def position(self) -> int:
        """How much of them is read."""
        return sum(stream.position for stream in self._streams)

    def parts(self) -> Iterator[TextRows]:
        """All texts with their rows, some at a time.

        Rows of several files have a first column more, `file`, or `input_file` where
        they have one of that name.

        Raises:
            UserError: A file or the column is missing, or a row cannot be read: an
                answer for each row is promised, so none is left out.
        """
        for path, stream in zip(self.paths, self._streams, strict=True):
            for part in read_texts(stream, self._card, self._column):
                if len(self.paths) > 1:
                    part = part._replace(frame=self._with_file(part.rows, path))
                yield part

    def name(self, path: Path) -> str:
        """Of one of the files, within their folder."""
        if path.is_relative_to(self._root):
            path = path.relative_to(self._root)
        return path.as_posix()

    def _with_file(self, rows: pd.DataFrame, path: Path) -> pd.DataFrame:
        name = "file"
        while name in rows.columns:
            name = f"input_{name}"
        rows = rows.copy()
        rows.insert(0, name, self.name(path))
        return rows


def read_texts(
    stream: FileStream, card: ModelCard, text_column: str | None = None
) -> Iterator[TextRows]:
    """The texts of a table's text column, or of any other file the lines.

    Args:
        stream: The file.
        card: Of the model, which may know the column.
        text_column: The column, if the user names it.

    Raises:
        UserError: If the file or the column is missing, or a row cannot be read: an
            answer for each row is promised, so none is left out.
    """
    is_empty = True
    for texts, rows in _parts(stream, card, text_column):
        is_empty = is_empty and not texts
        yield from in_turn(texts, rows)
    if is_empty:
        raise UserError(f"{stream.path}: is empty; give a text a line")


def _parts(
    stream: FileStream, card: ModelCard, text_column: str | None
) -> Iterator[tuple[list[str], pd.DataFrame | None]]:
    answer = card.answer
    if isinstance(answer, TextAnswer) and answer.source and text_column is None:
        plan = PlanBuilder(kept=card.reading_plan)
        sides = Sides(answer.source, answer.target or "", plan=plan)
        yield from read_sources(stream, sides)
    elif is_table(stream.path):
        column = None
        for table in stream.whole_tables():
            table.frame.columns = pd.Index([str(name) for name in table.frame.columns])
            if column is None:
                names = list(table.frame.columns)
                column = _find_column(names, stream, card, text_column)
            yield table.frame[column].fillna("").astype(str).tolist(), table.frame
    else:
        for lines in stream.lines():
            yield lines, None


def _find_column(
    names: Sequence[str], stream: FileStream, card: ModelCard, asked: str | None
) -> str:
    """The column that the user names, that of training, or one by its usual name."""
    if asked is None and card.reading_plan is not None:
        columns = card.reading_plan.columns
        known = {each.column.casefold() for each in columns if each.role == _ROLE}
        asked = next((name for name in names if name.casefold() in known), None)
    return find_text_column(list(names), stream.path, asked)
