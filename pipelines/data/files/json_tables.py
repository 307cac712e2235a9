"""Tables in JSON: an object a line, an array of objects, or an object of columns."""

import json
from collections.abc import Iterator
from typing import Any

from ...core.errors import UserError
from .bad_rows import Rows
from .encodings import UNDECODABLE

_EXPECTED = (
    "expected an object {...} a line, an array of objects, or an object of columns"
)


def read_json(
    text: str, undecodable: set[int], rows: Rows, *, is_one_value: bool = True
) -> None:
    """Adds the rows; those of columns are numbered from 1.

    Args:
        text: of the file.
        undecodable: the 1-based numbers of lines that could not be decoded.
        rows: takes the rows.
        is_one_value: whether a single line may be a table within an object.

    Raises:
        UserError: the text is one JSON value that is no table.
    """
    value = None if undecodable else _whole_document(text, is_one_value)
    if value is None:
        _read_lines(text, undecodable, rows)
    elif isinstance(value, list):
        for line, item in _items(text):
            _add(line, item, rows)
    else:
        table = _table_within(value)
        if table is None:
            keys = ", ".join(name[:40] for name in list(value)[:10])
            raise UserError(f"{rows.path}: {_EXPECTED}; its keys are {keys}")
        for number, row in enumerate(table, start=1):
            _add(number, row, rows)


def _whole_document(text: str, is_one_value: bool) -> Any:
    """The array, or the object with a table in it, that all of the text is."""
    begin = text.lstrip()
    first, _, below = begin.partition("\n")
    if not begin.startswith(("[", "{")):
        return None
    if first.startswith("{") and isinstance(_json_object(first), dict):
        value = None if below.strip() else json.loads(first)
        is_table = value and (
            _columns(value) or (is_one_value and _table_within(value))
        )
        return value if is_table else None
    try:
        return json.loads(text) or None
    except (json.JSONDecodeError, RecursionError):
        return None


def _items(text: str) -> Iterator[tuple[int, Any]]:
    """The items of an array, with the line that each begins in."""
    decoder = json.JSONDecoder()
    position, line = text.index("[") + 1, 1 + text.count("\n", 0, text.index("["))
    while True:
        begin = position
        while text[position] in " \t\n\r,":
            position += 1
        line += text.count("\n", begin, position)
        if text[position] == "]":
            return
        item, end = decoder.raw_decode(text, position)
        yield line, item
        line += text.count("\n", position, end)
        position = end


def _table_within(value: dict[str, Any]) -> list[Any] | None:
    """The rows of the one table that an object is, or holds; else None."""
    columns = [found for found in map(_columns, (value, *value.values())) if found]
    arrays = [
        item
        for item in value.values()
        if isinstance(item, list) and item and all(isinstance(i, dict) for i in item)
    ]
    if len(columns) + len(arrays) != 1:
        return None
    if arrays:
        return arrays[0]
    names, values = columns[0].keys(), columns[0].values()
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def _columns(value: Any) -> dict[str, list[Any]] | None:
    """Columns of one length, as lists or as pandas writes them, by row; else None."""
    if not isinstance(value, dict) or not value:
        return None
    columns = list(value.values())
    if all(isinstance(column, dict) and column for column in columns):
        keys = list(columns[0])
        if all(list(column) == keys for column in columns):
            return {name: list(column.values()) for name, column in value.items()}
        return None
    if all(isinstance(c, list) and c and not isinstance(c[0], dict) for c in columns):
        return value if len({len(column) for column in columns}) == 1 else None
    return None


def _read_lines(text: str, undecodable: set[int], rows: Rows) -> None:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        if number in undecodable:
            rows.bad.append(rows.bad_row(number, UNDECODABLE))
        else:
            _add(number, _json_object(line), rows)


def _add(line: int, row: Any, rows: Rows) -> None:
    if isinstance(row, dict):
        rows.add(line, row)
    else:
        rows.bad.append(rows.bad_row(line, row if isinstance(row, str) else _no(row)))


def _no(value: object) -> str:
    return f"a JSON {type(value).__name__}, where an object {{...}} was expected"


def _json_object(line: str) -> dict[str, Any] | str:
    """The object, or why there is none."""
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        return f"broken JSON: {error.msg} at column {error.colno}"
    except RecursionError:
        return "broken JSON: nested too deeply"
    return value if isinstance(value, dict) else _no(value)
