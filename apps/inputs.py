"""Texts to predict on, from a user's file."""

from pathlib import Path

from recurra.pipelines.errors import UserError


def read_texts(path: Path, text_column: str | None) -> list[str]:
    """The texts of a .txt file, one a line, or of a table's text column.

    Raises:
        UserError: If the file or the column is missing, or a row cannot be read: an
            answer for each row is promised, so none is left out.
    """
    if path.suffix == ".txt":
        return _read_lines(path)
    from recurra.pipelines.datasets.labelled_rows import find_text_column
    from recurra.pipelines.datasets.tables import read_table

    table = read_table(path)
    if table.bad_rows:
        bad = table.bad_rows[0]
        raise UserError(
            f"{bad} ({len(table.bad_rows)} such rows); mend or remove them, so that "
            "each row gets its answer"
        )
    column = find_text_column(list(table.frame.columns), path, text_column)
    return table.frame[column].fillna("").astype(str).tolist()


def _read_lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    if not text:
        raise UserError(f"{path}: is empty; give a text a line")
    # Not splitlines, which also ends lines at signs that stand within texts.
    return text.removesuffix("\n").split("\n")
