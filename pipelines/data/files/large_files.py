"""Files in parts, where they are too large to be in memory as Python objects."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PosixPath, PurePath

import numpy as np
import pandas as pd

from ..reading import PlanBuilder
from .compression import inner_name
from .streams import FileStream
from .table_layout import NamesColumns
from .tables import Table, read_table

#: Bytes from which on a file is read in parts; of a compressed one a fourth of them.
LARGE = 1 << 26
#: Rows of the first part, which say what the columns of a large table hold.
FIRST_ROWS = 20_000

_PLAIN = (".csv", ".tsv", ".jsonl", ".ndjson")
_COMPRESSED = (".gz", ".bz2", ".xz", ".parquet")
# What the lines of a file in UTF-8 can be given as.
_ENCODINGS = (None, "utf-8")


def read_in_parts(
    path: Path, plan: PlanBuilder, names_columns: NamesColumns | None = None
) -> Iterator[Table]:
    """The rows of a table: of a large one in parts, else as `tables.read_table` does.

    In parts are read CSV, TSV and JSON Lines in UTF-8, also compressed, and Parquet.
    Encoding, delimiter and header are decided by the first rows, as they are of a
    small table. A later part of JSON may lack columns of the first.

    Args:
        path: the file.
        plan: takes the decisions.
        names_columns: as ``tables.read_table`` takes it.

    Raises:
        UserError: as ``tables.read_table`` does.
    """
    if not _is_read_in_parts(path, plan):
        yield read_table(path, plan=plan, names_columns=names_columns)
        return
    parts = FileStream(path, plan=plan).tables(names_columns)
    first: list[Table] = []
    for part in parts:
        first.append(part)
        if sum(len(table.frame) for table in first) >= FIRST_ROWS:
            break
    yield _joined(first)
    yield from parts


def is_large_text(path: Path, plan: PlanBuilder) -> bool:
    """Whether a file is large, and of lines in UTF-8, so that it is read in parts."""
    given = plan.given("encoding") or plan.kept("encoding")
    return _is_large(path) and given in _ENCODINGS and FileStream(path).is_utf_8()


def _is_read_in_parts(path: Path, plan: PlanBuilder) -> bool:
    if not path.is_file():
        return False
    suffix = PurePath(inner_name(path)).suffix.lower()
    if suffix == ".parquet":
        return path.suffix.lower() == suffix and _is_large(path)
    return suffix in _PLAIN and is_large_text(path, plan)


def _is_large(path: Path) -> bool:
    # What stands within a zip has no size that can be asked for.
    size = path.stat().st_size if isinstance(path, PosixPath) else 0
    return size * (4 if path.suffix.lower() in _COMPRESSED else 1) >= LARGE


def _joined(tables: list[Table]) -> Table:
    """One table of the first parts."""
    encodings: Counter[str] = Counter()
    for table in tables:
        encodings.update(table.encodings)
    return Table(
        pd.concat([table.frame for table in tables], ignore_index=True),
        np.concatenate([table.lines for table in tables]),
        tuple(row for table in tables for row in table.bad_rows),
        tables[0].source,
        dict(encodings),
    )
