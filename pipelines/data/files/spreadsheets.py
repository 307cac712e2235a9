"""Spreadsheets: the rows of the first sheet that holds a table."""

import datetime
import io
from pathlib import Path
from typing import Any

import python_calamine

from ...core.errors import UserError
from .compression import read_bytes
from .delimited import Record

#: What a spreadsheet's name may end with.
SHEET_SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")


def read_sheet(path: Path) -> list[Record]:
    """The rows of the first sheet with at least two, each cell as text.

    Dates are in ISO format, whole numbers without a fraction; empty cells are empty.

    Raises:
        UserError: the file is no spreadsheet, or none of its sheets holds two rows.
    """
    data = read_bytes(path)
    if not data:
        raise UserError(f"{path}: the file is empty; rows were expected")
    try:
        workbook = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        for name in workbook.sheet_names:
            sheet = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
            records = _records(sheet)
            if len(records) > 1:
                return records
    except python_calamine.CalamineError as error:
        raise UserError(f"{path}: not a readable spreadsheet ({error})") from error
    raise UserError(f"{path}: no sheet holds a header and rows")


def _records(sheet: list[list[Any]]) -> list[Record]:
    # A midnight comes as a bare date; it is written as the times of its column are.
    columns = list(zip(*sheet, strict=True))
    timed = [any(isinstance(c, datetime.datetime) for c in cells) for cells in columns]
    rows = [
        [_as_text(cell, has_time) for cell, has_time in zip(row, timed, strict=True)]
        for row in sheet
    ]
    filled = [
        [position for position, cell in enumerate(row) if cell.strip()] for row in rows
    ]
    used = [positions for positions in filled if positions]
    if not used:
        return []
    first = min(positions[0] for positions in used)
    last = max(positions[-1] for positions in used)
    return [
        Record(number, number, row[first : last + 1])
        for number, (row, positions) in enumerate(
            zip(rows, filled, strict=True), start=1
        )
        if positions
    ]


def _as_text(cell: Any, has_time: bool) -> str:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if has_time and type(cell) is datetime.date:
        cell = datetime.datetime.combine(cell, datetime.time())
    if isinstance(cell, datetime.datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    return str(cell)
