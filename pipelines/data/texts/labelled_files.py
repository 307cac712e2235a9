"""Labelled texts in a user's files: tables, or class-named folders of text files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ...core.errors import UserError
from ..files.tables import (
    UNDECODABLE,
    BadRow,
    Location,
    Table,
    decode_text,
    is_table,
    read_table,
)
from ..sources import Spec
from ..splits import split_called
from .labelled_rows import (
    NO_COLUMNS,
    TEXT_COLUMNS,
    LabelledRows,
    LabelledSource,
    TextColumns,
    add_row,
    normalise_label,
)

# The third folder of the IMDB archive: reviews without a label.
_NO_CLASS = ("unsup",)
_LAYOUTS = (
    "a folder of train, validation and test files; of class-named folders of .txt "
    "files; or of train and test folders of such class-named folders"
)


def read_labelled_files(spec: Spec, columns: TextColumns) -> LabelledSource:
    """Reads a table, or a folder; see `labelled_texts.load_labelled_texts`.

    Raises:
        UserError: a file, a folder or a column is not there, or class-named folders
            were given a column.
    """
    path = spec.path
    if not path.is_dir():
        return _read_tables({"train": path}, columns)
    tables = _split_files(path)
    if tables:
        return _read_tables(tables, columns)
    columns.refuse(str(spec), "text", "label", "group")
    return _read_class_folders(path)


def _split_files(folder: Path) -> dict[str, Path]:
    """The train, validation and test file of a folder, where it has them."""
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        split = split_called(path.name.partition(".")[0])
        if split is None or not path.is_file() or not is_table(path):
            continue
        if split in files:
            raise UserError(
                f"{folder}: {files[split].name} and {path.name} are both the {split} "
                "split; leave one"
            )
        files[split] = path
    if files and "train" not in files:
        names = ", ".join(path.name for path in files.values())
        raise UserError(f"{folder}: has {names} and no train file")
    return files


def _read_tables(paths: dict[str, Path], asked: TextColumns) -> LabelledSource:
    source = LabelledSource()
    for split, path in paths.items():
        table = read_table(path)
        names = [str(name) for name in table.frame.columns]
        table.frame.columns = pd.Index(names)
        columns = _find_columns(names, path, asked)
        if not source.splits:
            source.columns, source.available_columns = columns, tuple(names)
        bad_rows = list(table.bad_rows)
        source.splits[split] = _rows_of_table(table, columns, bad_rows)
        source.bad_rows += sorted(bad_rows, key=lambda row: row.line or 0)
        source.encodings.update(table.encodings)
    return source


def _rows_of_table(
    table: Table, columns: dict[str, str | None], bad_rows: list[BadRow]
) -> LabelledRows:
    frame, group_column = table.frame, columns["group"]
    rows = LabelledRows(groups=None if group_column is None else [])
    texts = frame[columns["text"]].tolist()
    labels = frame[columns["label"]].tolist()
    groups = [None] * len(frame) if group_column is None else frame[group_column]
    for text, label, group, line in zip(
        texts, labels, groups, table.lines, strict=True
    ):
        location = (table.source, int(line))
        if isinstance(label, list | dict | np.ndarray):
            reason = f"the label is of type {type(label).__name__}, not one class"
            bad_rows.append(BadRow(*location, reason))
        else:
            add_row(rows, bad_rows, text, normalise_label(label), group, location)
    return rows


def find_text_column(names: list[str], path: Path, asked: str | None) -> str:
    """The column of the texts: the one asked for, or the first of the usual names.

    Raises:
        UserError: there is no such column, or two could be it.
    """
    return _find_column("text", TEXT_COLUMNS, names, path, asked)


def _find_columns(
    names: list[str], path: Path, asked: TextColumns
) -> dict[str, str | None]:
    columns = {
        "text": find_text_column(names, path, asked.text),
        "label": _find_column("label", asked.usual_labels, names, path, asked.label),
        "group": None
        if asked.group is None
        else _find_column("group", (), names, path, asked.group),
    }
    if columns["text"] == columns["label"]:
        raise UserError(
            f"{path}: the column {columns['text']!r} cannot be both text and label; "
            "choose by --text-column and --label-column"
        )
    return columns


def _find_column(
    role: str,
    usual: Sequence[str],
    names: list[str],
    path: Path,
    asked: str | None,
) -> str:
    there = f"its columns are {', '.join(name[:40] for name in names[:20])}"
    option = f"--{role}-column"
    if asked is not None:
        if asked not in names:
            raise UserError(f"{path}: no column {asked!r} for {option}; {there}")
        return asked
    for name in usual:
        found = [column for column in names if column.lower() == name]
        if len(found) > 1:
            raise UserError(
                f"{path}: the columns {' and '.join(found)} could each be the {role}; "
                f"choose by {option}"
            )
        if found:
            return found[0]
    raise UserError(
        f"{path}: no column is called {', '.join(usual[:-1])} or {usual[-1]}; {there}; "
        f"choose by {option}"
    )


def _read_class_folders(folder: Path) -> LabelledSource:
    by_split = {
        split: path
        for path in sorted(folder.iterdir())
        if path.is_dir() and (split := split_called(path.name)) and _class_folders(path)
    }
    if by_split and "train" not in by_split:
        names = ", ".join(path.name for path in by_split.values())
        raise UserError(f"{folder}: has {names} and no train folder")
    source = LabelledSource(columns=NO_COLUMNS)
    for split, path in (by_split or {"train": folder}).items():
        classes = _class_folders(path)
        if not classes:
            raise UserError(f"{folder}: no texts in it; expected {_LAYOUTS}")
        source.splits[split] = _rows_of_classes(classes, source)
    return source


def _class_folders(folder: Path) -> dict[str, list[Path]]:
    """The .txt files of each class-named folder in ``folder``."""
    classes = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name not in _NO_CLASS and path.name[0] != ".":
            texts = sorted(path.glob("*.txt"))
            if texts:
                classes[path.name] = texts
    return classes


def _rows_of_classes(
    classes: dict[str, list[Path]], source: LabelledSource
) -> LabelledRows:
    rows = LabelledRows()
    for name, paths in classes.items():
        for path in paths:
            location: Location = (str(path), None)
            decoded = decode_text(path.read_bytes())
            if decoded is None:
                source.bad_rows.append(BadRow(*location, UNDECODABLE))
                continue
            text, encoding = decoded
            source.encodings[encoding] += 1
            add_row(rows, source.bad_rows, text, normalise_label(name), None, location)
    return rows
