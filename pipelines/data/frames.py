"""DataFrames where a file is expected."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_object_dtype

from ..core.errors import UserError


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Writes a DataFrame as Parquet.

    Raises:
        UserError: It cannot be: a column has values of several types, or the frame has
            no rows.
    """
    if not len(frame):
        raise UserError("the DataFrame has no rows")
    frame = frame.rename(columns=str)
    for name in filter(lambda name: is_object_dtype(frame[name]), frame):
        frame[name] = frame[name].map(_without_sets)
    try:
        frame.to_parquet(path)
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"the DataFrame cannot be written as Parquet: {reason}"
        ) from None


def _without_sets(cell: Any) -> Any:
    """Parquet has lists, in whatever order."""
    return sorted(cell, key=str) if isinstance(cell, set | frozenset) else cell


@contextlib.contextmanager
def as_spec(data: Any) -> Iterator[str]:
    """A spec to read data by: that given, or of a file that a DataFrame is written to.

    The file is gone when the context ends.
    """
    if not isinstance(data, pd.DataFrame):
        yield str(data)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.parquet"
        write_frame(data, path)
        yield str(path)
