"""From a user's file or folder to raw tables, one per station, no row lost."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...core.errors import UserError
from ..files.tables import BadRow, Table, is_table, read_table
from ..sources import Spec

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
    lines: np.ndarray
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


def read_station_files(spec: Spec, station_column: str | None) -> list[RawTable]:
    """Reads the file or folder that a spec names; see `read_raw_tables`."""
    return read_raw_tables(spec.path, station_column)


def read_raw_tables(path: Path, station_column: str | None) -> list[RawTable]:
    """The tables of a file, or of a folder with a file for every station.

    With ``station_column`` the rows of all files are parted by the values in it.

    Raises:
        UserError: a file cannot be read, a folder holds none, or there is no such
            column.
    """
    tables = [_read(file) for file in _files(path)]
    if station_column is None:
        return tables
    return list(_by_station(tables, station_column))


def _files(path: Path) -> list[Path]:
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
    names = [_station_name(file) for file in files]
    for name in names:
        if names.count(name) > 1:
            same = [file.name for file in files if _station_name(file) == name]
            raise UserError(
                f"{path}: {' and '.join(same)} are both the station {name!r}; leave one"
            )
    return files


def _station_name(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[0] or path.name


def _read(path: Path) -> RawTable:
    if path.suffix.lower() == ".npz":
        table = _read_npz(path)
    elif path.suffix.lower() == ".parquet":
        table = _with_time_index(read_table(path), path)
    else:
        table = read_table(path, rescue=True)
    table.frame.columns = pd.Index([str(name).strip() for name in table.frame.columns])
    return RawTable(
        _station_name(path),
        table.frame,
        table.lines,
        (str(path),),
        np.zeros(len(table.frame), np.int16),
        table.bad_rows,
        table.rescued,
    )


def _with_time_index(table: Table, path: Path) -> Table:
    """The table with its index as a column, where that is one of times."""
    index = pd.read_parquet(path, columns=[]).index
    if isinstance(index, pd.DatetimeIndex):
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


def _by_station(tables: list[RawTable], column: str) -> Iterator[RawTable]:
    for table in tables:
        if column not in table.frame.columns:
            names = ", ".join(str(name)[:40] for name in table.frame.columns[:20])
            raise UserError(
                f"{table.files[0]}: no column {column!r} for --station-column; the "
                f"columns are {names}"
            )
    frame = pd.concat([table.frame for table in tables], ignore_index=True)
    lines = np.concatenate([table.lines for table in tables])
    numbers = np.repeat(np.arange(len(tables)), [len(table.lines) for table in tables])
    files = tuple(file for table in tables for file in table.files)
    # A row that cannot be read says nothing of its station.
    bad_rows = tuple(row for table in tables for row in table.bad_rows)
    rescued = tuple(row for table in tables for row in table.rescued)
    stations = frame.pop(column).astype("string").str.strip().fillna("")
    for position, (name, rows) in enumerate(
        stations.groupby(stations, sort=False).indices.items()
    ):
        yield RawTable(
            str(name) or "unnamed",
            frame.iloc[rows].reset_index(drop=True),
            lines[rows],
            files,
            numbers[rows],
            () if position else bad_rows,
            () if position else rescued,
        )
