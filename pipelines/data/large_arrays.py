"""Arrays that take little memory, however long they are."""

import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import byte_store

#: Rows of an array that are looked at together.
ROWS_TOGETHER = 1 << 16
#: Likewise, where sums of sums are taken: of shorter data they are those of the whole.
ROWS_OF_SUMS = 1 << 20


def large_array(shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array to fill.

    Beyond `byte_store.MOST_IN_MEMORY` it stands in a file without a name in the folder
    for temporary files (`TMPDIR`), which the system reads and writes as memory allows,
    and which is gone with the array.

    Raises:
        UserError: The folder for temporary files cannot take it.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size <= byte_store.MOST_IN_MEMORY:
        return np.empty(shape, dtype)
    with (
        byte_store.temporary_space(),
        tempfile.TemporaryFile(prefix="recurra-") as file,
    ):
        # Where space is short this says so, and not a later write.
        os.posix_fallocate(file.fileno(), 0, size)
        return np.asarray(np.memmap(file, dtype, "r+", shape=shape))


def slices(rows: int, together: int = ROWS_TOGETHER) -> Iterator[slice]:
    """Those that part so many rows, one after the other."""
    for begin in range(0, rows, together):
        yield slice(begin, min(begin + together, rows))


def copied(values: np.ndarray, dtype: Any = None) -> np.ndarray:
    """A copy, of another type if one is named."""
    result = large_array(values.shape, dtype or values.dtype)
    for part in slices(len(values)):
        result[part] = values[part]
    return result


def as_type(values: np.ndarray, dtype: Any) -> np.ndarray:
    """The array itself, or a copy where it is of another type."""
    return values if values.dtype == dtype else copied(values, dtype)


def rows_where(
    values: np.ndarray, is_meant: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """The numbers of the rows for whose values, float64, this holds."""
    found = [
        part.start + np.flatnonzero(is_meant(np.asarray(values[part], np.float64)))
        for part in slices(len(values))
    ]
    return np.concatenate([np.zeros(0, np.int64), *found])


def present_parts(column: np.ndarray) -> Iterator[np.ndarray]:
    """The finite values of a column in their order, float64, some at a time."""
    for part in slices(len(column)):
        values = column[part]
        yield values[np.isfinite(values)].astype(np.float64)


def changes(column: np.ndarray) -> Iterator[np.ndarray]:
    """From each finite value to the next one, float64, some at a time."""
    before = np.zeros(0)
    for values in present_parts(column):
        joined = np.concatenate([before, values])
        yield np.diff(joined)
        before = joined[-1:]
