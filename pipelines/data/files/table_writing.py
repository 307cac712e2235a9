"""Tables written to a file of any kind: rows, and the answers to them."""

import contextlib
import csv
import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
from pandas.api.types import is_object_dtype

from ...core.errors import UserError
from ...core.files import written_whole
from ..texts.label_sets import joined
from .tables import is_missing

Answers = Sequence[Mapping[str, Any]]
#: Writes some rows with their answers.
Write = Callable[[pd.DataFrame, Answers], None]

# Halves of surrogate pairs, which JSON can hold, are written as JSON escapes them.
_TEXT: Any = {"encoding": "utf-8", "errors": "backslashreplace", "newline": ""}
_KINDS = ".csv, .tsv or .jsonl, each also with .gz, or .parquet"


def check_output(to: Path) -> None:
    """Raises UserError if the file is there, or is of a kind that is not written."""
    if _writer_of(to) is None:
        raise UserError(f"--to {to}: what it is to be is not known; give {_KINDS}")
    if to.exists():
        raise UserError(f"{to}: exists already and is left as it is; give another --to")


@contextlib.contextmanager
def written_answers(to: Path) -> Iterator[Write]:
    """What writes rows to the file, which is there whole on leaving without an error.

    A row of the file has the columns of the input and, behind them, the answer; where
    both have a column of one name, that of the answer begins with `predicted_`. Nested
    values are JSON in JSON Lines; elsewhere they are columns such as
    `probabilities.good`. Several labels are joined by "|" in CSV and TSV.

    Args:
        to: CSV, TSV, JSON Lines or Parquet, by its suffix.

    Raises:
        UserError: As `check_output` does; or the file cannot be written.
    """
    check_output(to)
    with (
        unwritable_named(to),
        written_whole(to) as partial,
        table_writer(partial) as write,
    ):
        yield write


def table_writer(path: Path) -> contextlib.AbstractContextManager[Write]:
    """As `written_answers`, at once at its place."""
    writer = _writer_of(path)
    assert writer is not None
    return writer(path)


@contextlib.contextmanager
def unwritable_named(to: Path) -> Iterator[None]:
    """Says of which file it is, if something cannot be written."""
    try:
        yield
    except OSError as error:
        raise UserError(f"--to {to}: cannot be written: {error.strerror}") from None


def write_table(to: Path, table: pd.DataFrame) -> None:
    """Writes a table that is there whole, as `written_answers` does."""
    with written_answers(to) as write:
        write(table, [{}] * len(table))


def _writer_of(to: Path) -> Callable[[Path], Any] | None:
    name = to.name.lower()
    suffix = Path(name.removesuffix(".gz")).suffix
    if name.endswith(".parquet"):
        return _parquet
    return {
        ".csv": lambda path: _delimited(path, ","),
        ".tsv": lambda path: _delimited(path, "\t"),
        ".jsonl": _json_lines,
        ".ndjson": _json_lines,
    }.get(suffix)


@contextlib.contextmanager
def _delimited(path: Path, delimiter: str) -> Iterator[Write]:
    with _opened(path) as file:
        columns: pd.Index | None = None

        def write(rows: pd.DataFrame, answers: Answers) -> None:
            nonlocal columns
            answers = [{k: _joined(v) for k, v in each.items()} for each in answers]
            table = _table(rows, answers, columns)
            for name in filter(lambda name: is_object_dtype(table[name]), table):
                table[name] = table[name].map(_as_text)
            table.to_csv(
                file,
                sep=delimiter,
                index=False,
                header=columns is None,
                quoting=_quoting(table),
            )
            columns = table.columns

        yield write


def _quoting(table: pd.DataFrame) -> Any:
    """All texts, where one holds a carriage return: readers may end a row there."""
    texts = table.select_dtypes(exclude="number").astype(str)
    holds = texts.apply(lambda column: column.str.contains("\r", regex=False).any())
    return csv.QUOTE_NONNUMERIC if holds.any() else csv.QUOTE_MINIMAL


@contextlib.contextmanager
def _json_lines(path: Path) -> Iterator[Write]:
    with _opened(path) as file:

        def write(rows: pd.DataFrame, answers: Answers) -> None:
            taken = set(rows.columns)
            may_lack = {name for name in rows if is_object_dtype(rows[name])}
            for row, answer in zip(rows.to_dict("records"), answers, strict=True):
                # A key that a JSON object lacks is NaN among those of others.
                given = {
                    str(name): None if is_missing(value) else value
                    for name, value in row.items()
                    if value is None or name not in may_lack or not is_missing(value)
                }
                named = {_free(name, taken): value for name, value in answer.items()}
                file.write(_json(given | named) + "\n")

        yield write


@contextlib.contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    writer: pyarrow.parquet.ParquetWriter | None = None

    def write(rows: pd.DataFrame, answers: Answers) -> None:
        nonlocal writer
        columns = pd.Index(writer.schema.names) if writer else None
        frame = _table(rows, answers, columns)
        try:
            schema = writer.schema if writer else _schema(frame)
            table = pyarrow.Table.from_pandas(frame, schema, preserve_index=False)
        except pyarrow.ArrowException as error:
            reason = str(error).splitlines()[0]
            raise UserError(
                f"a column has values of several types ({reason}); give a --to that "
                "ends in .jsonl or .csv"
            ) from None
        writer = writer or pyarrow.parquet.ParquetWriter(path, schema)
        writer.write_table(table)

    try:
        yield write
    finally:
        if writer:
            writer.close()


def _schema(frame: pd.DataFrame) -> pyarrow.Schema:
    """That of the first rows; a column without a value is one of texts."""
    schema = pyarrow.Schema.from_pandas(frame, preserve_index=False)
    for number, column in enumerate(schema):
        kind = column.type
        if pyarrow.types.is_null(kind):
            schema = schema.set(number, column.with_type(pyarrow.string()))
        elif pyarrow.types.is_list(kind) and pyarrow.types.is_null(kind.value_type):
            lists = pyarrow.list_(pyarrow.string())
            schema = schema.set(number, column.with_type(lists))
    return schema


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    if path.suffix.lower() == ".gz":
        with gzip.open(path, "wt", **_TEXT) as file:
            yield file
    else:
        with path.open("w", **_TEXT) as file:
            yield file


def _table(
    rows: pd.DataFrame, answers: Answers, columns: pd.Index | None
) -> pd.DataFrame:
    """The rows with their answers, in the columns of the rows before.

    Raises:
        UserError: There are others, as objects of JSON may have.
    """
    taken = set(rows.columns)
    answered = pd.DataFrame([_flat(answer) for answer in answers], index=rows.index)
    answered.columns = pd.Index([_free(name, taken) for name in answered.columns])
    table = pd.concat([rows, answered], axis=1)
    if columns is None or table.columns.equals(columns):
        return table
    for name in table.columns.difference(columns, sort=False):
        raise UserError(
            f"column {name} is not in the rows before; give a --to that ends in .jsonl"
        )
    return table.reindex(columns=columns)


def _flat(answer: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in answer.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name = f"predicted_{name}"
    return name


def _joined(value: Any) -> Any:
    """The labels of an answer in one cell."""
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return joined(value)
    return value


def _as_text(value: Any) -> Any:
    """A list or an object, which JSON and Parquet may hold, as JSON."""
    return _json(value) if isinstance(value, list | dict | np.ndarray) else value


def _json(value: Any) -> str:
    def plain(other: Any) -> Any:
        return other.tolist() if isinstance(other, np.ndarray) else str(other)

    return json.dumps(value, ensure_ascii=False, default=plain)
