"""From a user's file or folder to raw tables, one per station, no row lost."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...core.errors import UserError
from ..files.parquet_frames import read_time_index
from ..files.table_layout import check_names
from ..files.tables import BadRow, Table, is_table, read_table
from ..reading import PlanBuilder
from ..sources import Spec
from .stated_scales import warn_of_scales

# Names and values of columns of time that have no header.
_HOUR = ("hour", r"[01]?\d|2[0-4]")
_PARTS_OF_TIME = (
    ("year", r"(?:18|19|20|21)\d\d"),
    ("month", r"0?[1-9]|1[0-2]"),
    ("day", r"0?[1-9]|[12]\d|3[01]"),
    _HOUR,
)
_DATE_AND_HOUR = (
    (
        "date",
        r"(?:18|19|20|21)\d\d[-/.]?[01]\d[-/.]?[0-3]\d|\d?\d[./-]\d?\d[./-]\d{4}",
    ),
    _HOUR,
)
_NPZ_TIMES = ("dates", "date", "time", "times", "timestamps", "timestamp", "index")
_NPZ_NAMES = ("cols", "columns", "names", "features", "variables", "feature_names")


@dataclass(frozen=True)
class RawTable:
    """The rows of one station as they stand in its files.

    Args:
        station: its name.
        frame: the rows; from CSV and TSV every value is a string.
        lines: the line, or row, of the file at which each row stands, ``[rows]``.
        files: the files that the rows are from.
        file_numbers: the number of the file of each row, ``[rows]``.
        bad_rows: rows that cannot be read.
        rescued: rows that another separator than the header's parts.
    """

    station: str
    frame: pd.DataFrame
    lines: np.ndarray | pd.Index
    files: tuple[str, ...]
    file_numbers: np.ndarray
    bad_rows: tuple[BadRow, ...] = ()
    rescued: tuple[BadRow, ...] = ()

    def location(self, row: int) -> str:
        """``station.csv, line 12``."""
        return f"{self.files[self.file_numbers[row]]}, line {self.lines[row]}"


def is_raw_table(path: Path) -> bool:
    """Whether the name of ``path`` is one that can be a station's file."""
    return is_table(path) or path.suffix.lower() == ".npz"


def read_station_files(spec: Spec, plan: PlanBuilder) -> list[RawTable]:
    """Reads the file or folder that a spec names; see `read_raw_tables`."""
    return read_raw_tables(spec.path, plan)


def read_raw_tables(path: Path, plan: PlanBuilder) -> list[RawTable]:
    """The table of a file, or those of a folder, one for each file.

    Raises:
        UserError: a file cannot be read, or a folder holds none.
    """
    return [_read(file, plan) for file in station_files(path)]


def station_files(path: Path) -> list[Path]:
    """The file, or those of a folder that can be stations' files.

    Raises:
        UserError: there is none, or two are called alike.
    """
    if not path.is_dir():
        return [path]
    files = [
        file
        for file in sorted(path.iterdir())
        if file.is_file() and not file.name.startswith(".") and is_raw_table(file)
    ]
    if not files:
        raise UserError(
            f"{path}: no file of a station in this folder; expected .csv, .tsv, .jsonl "
            "(each also .gz), .parquet or .npz"
        )
    names = [station_name(file) for file in files]
    for name in names:
        if names.count(name) > 1:
            same = [file.name for file in files if station_name(file) == name]
            raise UserError(
                f"{path}: {' and '.join(same)} are both the station {name!r}; leave one"
            )
    return files


def station_name(path: Path) -> str:
    """What a file of one station is called."""
    return path.name.removesuffix(".gz").rpartition(".")[0] or path.name


def _read(path: Path, plan: PlanBuilder) -> RawTable:
    if path.suffix.lower() == ".npz":
        table = _read_npz(path)
    elif path.suffix.lower() == ".parquet":
        table = _with_time_index(read_table(path), path)
    else:
        table = read_table(path, rescue=True, plan=plan)
        warn_of_scales(path, list(table.frame.columns), plan)
    names = check_names([str(name) for name in table.frame.columns], str(path))
    table.frame.columns = pd.Index(names)
    return RawTable(
        station_name(path),
        _with_time_names(table.frame),
        table.lines,
        (str(path),),
        np.broadcast_to(np.int16(0), len(table.frame)),
        table.bad_rows,
        table.rescued,
    )


def _with_time_names(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of a file without a header, its columns of time named by their values.

    These are year, month, day and perhaps hour, side by side, or a date and an hour.
    """
    names = list(frame.columns)
    if names != [str(number) for number in range(1, len(names) + 1)]:
        return frame
    for begin in range(min(3, len(names))):
        for parts in (_DATE_AND_HOUR, _PARTS_OF_TIME, _PARTS_OF_TIME[:3]):
            columns = names[begin : begin + len(parts)]
            if len(columns) < len(parts) or not all(
                frame[column].astype(str).str.strip().str.fullmatch(pattern).all()
                for column, (_, pattern) in zip(columns, parts, strict=True)
            ):
                continue
            if parts is _DATE_AND_HOUR and not frame[columns[0]].duplicated().any():
                continue  # A number of each day.
            found = [part for part, _ in parts]
            return frame.rename(columns=dict(zip(columns, found, strict=True)))
    return frame


def _with_time_index(table: Table, path: Path) -> Table:
    """The table with its index as a column, where that is one of times."""
    index = read_time_index(path)
    if index is not None:
        name = str(index.name or "time")
        if name not in table.frame.columns:
            table.frame.insert(0, name, index)
    return table


def _read_npz(path: Path) -> Table:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: not a readable npz file ({reason})") from error
    frame = _npz_frame(arrays, path)
    if not len(frame):
        raise UserError(f"{path}: the arrays hold no rows")
    return Table(frame, np.arange(1, len(frame) + 1), (), str(path))


def _npz_frame(arrays: dict[str, np.ndarray], path: Path) -> pd.DataFrame:
    """Of a matrix, its times and its columns' names, or of one array per column."""
    shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
    matrices = [name for name, array in arrays.items() if array.ndim == 2]
    if len(matrices) > 1:
        raise UserError(
            f"{path}: {' and '.join(matrices)} could each be the values; one array of "
            f"shape [rows, variables] was expected; there are {shapes}"
        )
    if not matrices:
        columns = {name: array for name, array in arrays.items() if array.ndim == 1}
        if len({len(array) for array in columns.values()}) != 1:
            raise UserError(
                f"{path}: expected an array of shape [rows, variables] with its times, "
                f"or arrays of one length; there are {shapes}"
            )
        return pd.DataFrame(columns)
    values = arrays[matrices[0]]
    rows, variables = values.shape
    vectors = {name: array for name, array in arrays.items() if array.ndim == 1}
    names = _npz_vector(vectors, _NPZ_NAMES, "U", variables)
    times = _npz_vector(vectors, _NPZ_TIMES, "M", rows)
    if times is None:
        raise UserError(
            f"{path}: no array of {rows} times beside {matrices[0]}; expected one "
            f"called dates; there are {shapes}"
        )
    headers = (
        [f"{matrices[0]}_{number}" for number in range(1, variables + 1)]
        if names is None
        else [str(name) for name in vectors[names]]
    )
    if len(set(headers) | {times}) != variables + 1:
        raise UserError(f"{path}: {names} names a column twice, or one like {times}")
    frame = pd.DataFrame(values, columns=headers)
    frame.insert(0, times, vectors[times])
    return frame


def _npz_vector(
    vectors: dict[str, np.ndarray], usual: tuple[str, ...], kind: str, length: int
) -> str | None:
    """The vector of this length with a usual name, or else of this kind."""
    fitting = [name for name, array in vectors.items() if len(array) == length]
    for name in usual:
        if name in fitting:
            return name
    of_kind = [name for name in fitting if vectors[name].dtype.kind == kind]
    return of_kind[0] if len(of_kind) == 1 else None
