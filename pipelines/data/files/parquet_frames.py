"""Parquet files as frames, the long columns of numbers and times in large arrays."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet

from .. import byte_store
from ..large_arrays import ROWS_TOGETHER, large_array, slices

# Of a column's pages that are read together.
_BUFFER = 1 << 20
_NOT_A_TIME = np.iinfo(np.int64).min


def read_parquet_frame(path: Path) -> pd.DataFrame:
    """The rows of a file without their index.

    Where columns of floating point numbers or of times are long they are read a part
    at a time; a column of whole seconds in a finer unit then is one of seconds.
    """
    with _opened(path) as file:
        index = _index_columns(file)
        names = [name for name in file.schema_arrow.names if name not in index]
        plain = [name for name in names if _is_plain(file, name)]
        if not _is_long(file, plain):
            frame = pd.read_parquet(path).reset_index(drop=True)
            # What was read and decompressed would stay with the process.
            pyarrow.default_memory_pool().release_unused()
            return frame
        columns = _read(file, plain)
    others = [name for name in names if name not in columns]
    if others:
        rest = pd.read_parquet(path, columns=others).reset_index(drop=True)
        columns |= {name: rest[name] for name in others}
    return pd.DataFrame({name: columns[name] for name in names}, copy=False)


def read_time_index(path: Path) -> pd.Series | None:
    """The index of a file's rows, where it is one of times; its name may be None."""
    with _opened(path) as file:
        names = _index_columns(file)
        if _is_long(file, names) and [_is_plain(file, name) for name in names] == [
            True
        ]:
            if not pyarrow.types.is_timestamp(file.schema_arrow.field(names[0]).type):
                return None
            name = None if names[0].startswith("__index_level_") else names[0]
            return _read(file, names)[names[0]].rename(name)
    index = pd.read_parquet(path, columns=[]).index
    if not isinstance(index, pd.DatetimeIndex):
        return None
    return pd.Series(index, name=index.name)


def parquet_batches(
    file: pyarrow.parquet.ParquetFile,
    rows: int,
    columns: Sequence[str] | None = None,
) -> Iterator[pyarrow.RecordBatch]:
    """The rows of a file, at most so many together, in the memory of a row group."""
    for group in range(file.num_row_groups):
        # Asked for all groups it would keep each one that it has read.
        yield from file.iter_batches(
            rows, row_groups=[group], columns=None if columns is None else list(columns)
        )


def _opened(path: Path) -> pyarrow.parquet.ParquetFile:
    return pyarrow.parquet.ParquetFile(path, buffer_size=_BUFFER)


def _index_columns(file: pyarrow.parquet.ParquetFile) -> list[str]:
    found = (file.schema_arrow.pandas_metadata or {}).get("index_columns", [])
    return [name for name in found if isinstance(name, str)]


def _is_plain(file: pyarrow.parquet.ParquetFile, name: str) -> bool:
    schema, types = file.schema_arrow, pyarrow.types
    if schema.names.count(name) != 1:
        return False
    kind = schema.field(name).type
    return bool(
        types.is_float32(kind) or types.is_float64(kind) or types.is_timestamp(kind)
    )


def _is_long(file: pyarrow.parquet.ParquetFile, names: Sequence[str]) -> bool:
    return 8 * file.metadata.num_rows * len(names) > byte_store.MOST_IN_MEMORY


def _read(
    file: pyarrow.parquet.ParquetFile, names: Sequence[str]
) -> dict[str, pd.Series]:
    rows = file.metadata.num_rows
    kinds = {name: file.schema_arrow.field(name).type for name in names}
    arrays = {
        name: large_array(
            rows,
            np.int64
            if pyarrow.types.is_timestamp(kind)
            else np.dtype(kind.to_pandas_dtype()),
        )
        for name, kind in kinds.items()
    }
    begin = 0
    for batch in parquet_batches(file, ROWS_TOGETHER, names):
        for name, array in arrays.items():
            values = batch.column(name).to_numpy(zero_copy_only=False)
            part = slice(begin, begin + len(values))
            array[part] = values.view(np.int64) if array.dtype == np.int64 else values
        begin += batch.num_rows
    return {
        name: _times(array, kinds[name])
        if array.dtype == np.int64
        else pd.Series(array, copy=False)
        for name, array in arrays.items()
    }


def _times(counts: np.ndarray, kind: pyarrow.DataType) -> pd.Series:
    """Counts of a unit since 1970 as times, in seconds where all of them are whole."""
    unit = kind.unit
    per_second = 1_000 ** ("s", "ms", "us", "ns").index(unit)
    if per_second > 1 and not any(_remainders(counts, per_second)):
        unit = "s"
        for part in slices(len(counts)):
            here = counts[part]
            np.floor_divide(here, per_second, out=here, where=here != _NOT_A_TIME)
    times = pd.Series(counts.view(f"datetime64[{unit}]"), copy=False)
    if kind.tz is None:
        return times
    return times.dt.tz_localize("UTC").dt.tz_convert(kind.to_pandas_dtype().tz)


def _remainders(counts: np.ndarray, per_second: int) -> Iterator[bool]:
    for part in slices(len(counts)):
        there = counts[part][counts[part] != _NOT_A_TIME]
        yield bool((there % per_second).any())
