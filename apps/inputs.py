"""Texts to predict on, from a user's file, a part at a time."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pandas as pd

from recurra.pipelines.cards import ModelCard, TextAnswer
from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.files.streams import FileStream
from recurra.pipelines.data.files.tables import is_table
from recurra.pipelines.data.reading import PlanBuilder
from recurra.pipelines.data.texts.labelled_files import find_text_column
from recurra.pipelines.data.texts.pair_rows import Sides
from recurra.pipelines.data.texts.source_texts import read_sources

# A model sorts so many texts by their length.
_ROWS = 1024
# Of columns that a card's plan knows, those that hold a model's input.
_ROLE = "text"


class TextRows(NamedTuple):
    """Some rows of a file: their texts, and the rows as they stand there."""

    texts: list[str]
    rows: pd.DataFrame


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


def in_turn(
    texts: Sequence[str], frame: pd.DataFrame | None = None
) -> Iterator[TextRows]:
    """The texts, so many together as a model sorts by length.

    Args:
        texts: One for each row.
        frame: The rows; of the texts alone if None.
    """
    if frame is None:
        frame = pd.DataFrame({"text": texts}, dtype=object)
    for begin in range(0, len(texts), _ROWS):
        part = slice(begin, begin + _ROWS)
        yield TextRows([_valid(text) for text in texts[part]], frame.iloc[part])


def _valid(text: str) -> str:
    """As UTF-8 has it: JSON can hold halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _find_column(
    names: Sequence[str], stream: FileStream, card: ModelCard, asked: str | None
) -> str:
    """The column that the user names, that of training, or one by its usual name."""
    if asked is None and card.reading_plan is not None:
        columns = card.reading_plan.columns
        known = {each.column.casefold() for each in columns if each.role == _ROLE}
        asked = next((name for name in names if name.casefold() in known), None)
    return find_text_column(list(names), stream.path, asked)
