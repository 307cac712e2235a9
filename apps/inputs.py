"""Texts to predict on, from a user's file."""

from pathlib import Path

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.files.tables import is_table, read_lines, read_table
from recurra.pipelines.data.texts.labelled_files import find_text_column


def read_texts(path: Path, text_column: str | None) -> list[str]:
    """The texts of a table's text column, or of any other file the lines.

    Raises:
        UserError: If the file or the column is missing, or a row cannot be read: an
            answer for each row is promised, so none is left out.
    """
    if not is_table(path):
        lines = read_lines(path).lines
        if not lines:
            raise UserError(f"{path}: is empty; give a text a line")
        return lines
    table = read_table(path)
    if table.bad_rows:
        bad = table.bad_rows[0]
        raise UserError(
            f"{bad} ({len(table.bad_rows)} such rows); mend or remove them, so that "
            "each row gets its answer"
        )
    column = find_text_column(list(table.frame.columns), path, text_column)
    return table.frame[column].fillna("").astype(str).tolist()
