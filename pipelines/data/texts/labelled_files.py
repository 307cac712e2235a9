"""Labelled texts in a user's files: tables, lines, or class-named folders of texts."""

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ...core.errors import UserError
from ..files.large_files import read_in_parts
from ..files.tables import (
    UNDECODABLE,
    BadRow,
    Location,
    Table,
    TextLines,
    decode_text,
    is_table,
    is_tabular,
    read_lines,
)
from ..sources import Spec
from ..splits import (
    given_split_column,
    in_order,
    refuse_split_column,
    split_called,
    split_of_cell,
    splits_among,
    warn_of_split_column,
)
from .label_cells import (
    ColumnsOfLabels,
    ReadLabel,
    find_label_columns,
    found_several,
    label_reader,
)
from .label_sets import Label
from .labelled_columns import find_columns, find_text_column, no_labels
from .labelled_rows import (
    NO_COLUMNS,
    LabelledRows,
    LabelledSource,
    TextColumns,
    add_row,
    normalise_label,
)

__all__ = ["find_text_column", "read_labelled_files"]

# The third folder of the IMDB archive: reviews without a label.
_NO_CLASS = ("unsup",)
_LAYOUTS = (
    "a folder of train, validation and test files; of class-named folders of .txt "
    "files; or of train and test folders of such class-named folders"
)
# Of lines with several labels so small a part may be a mistake.
_FEW = 0.05
# How fastText marks the label of a line.
_LABEL = "__label__"


def read_labelled_files(spec: Spec, columns: TextColumns) -> LabelledSource:
    """Reads a file, or a folder; see `labelled_texts.load_labelled_texts`.

    Raises:
        UserError: a file, a folder or a column is not there, or class-named folders
            were given a column.
    """
    path = spec.path
    if not path.is_dir():
        return _read_split_files({"train": path}, columns)
    files = _split_files(path)
    if files:
        return _read_split_files(files, columns)
    columns.refuse(str(spec), "text", "label", "group")
    columns.refuse_label_sets(str(spec), "multi_label")
    refuse_split_column(columns.plan, str(spec))
    return _read_class_folders(path, columns)


def _split_files(folder: Path) -> dict[str, Path]:
    """The train, validation and test file of a folder, where it has them."""
    paths = [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.startswith(".")
    ]
    for split_of in (_split_by_stem, _split_by_part):
        files: dict[str, Path] = {}
        for path in paths:
            split = split_of(path.name)
            if split is None or not _holds_rows(path):
                continue
            if split in files:
                raise UserError(
                    f"{folder}: {files[split].name} and {path.name} are both the "
                    f"{split} split; leave one"
                )
            files[split] = path
        if "train" in files:
            return {split: files[split] for split in in_order(files)}
        if files and split_of is _split_by_stem:
            names = ", ".join(path.name for path in files.values())
            raise UserError(f"{folder}: has {names} and no train file")
    return {}


def _split_by_stem(name: str) -> str | None:
    return split_called(name.partition(".")[0])


def _split_by_part(name: str) -> str | None:
    """The split that one of the parts of a name says: "news-train.csv"."""
    splits = {
        split for part in re.split(r"[._\- ]", name) if (split := split_called(part))
    }
    return splits.pop() if len(splits) == 1 else None


def _holds_rows(path: Path) -> bool:
    if is_table(path) or is_tabular(path):
        return True
    try:
        return _begins_with_label(read_lines(path))
    except UserError:
        return False


def _begins_with_label(lines: TextLines) -> bool:
    first = next((line for line in lines.lines if line.strip()), "")
    return first.startswith(_LABEL)


def _read_split_files(paths: dict[str, Path], asked: TextColumns) -> LabelledSource:
    source = LabelledSource()
    if len(paths) > 1:
        refuse_split_column(asked.plan, ", ".join(map(str, paths.values())))
    for split, path in paths.items():
        lines = None if is_table(path) else read_lines(path, asked.plan)
        if lines is None or not _begins_with_label(lines):
            _read_table(split, path, asked, source)
            continue
        asked.refuse(str(path), "text", "label", "group")
        refuse_split_column(asked.plan, str(path))
        source.columns = NO_COLUMNS
        source.splits[split] = _rows_of_lines(lines, path, source, asked)
        source.encodings.update(lines.encodings)
    return source


def _read_table(
    split: str, path: Path, asked: TextColumns, source: LabelledSource
) -> None:
    tables = read_in_parts(path, asked.plan)
    first = next(tables)
    names = [str(name) for name in first.frame.columns]
    first = _with_text_names(first)
    label_columns = find_label_columns(
        names, path, asked.plan, may_lack=bool(source.splits) or asked.is_evaluation
    )
    if label_columns == [] and asked.is_evaluation:
        raise no_labels(path)
    columns = find_columns(
        first.frame,
        path,
        asked,
        source.columns if source.splits else None,
        label_columns,
    )
    read_label: ReadLabel
    if label_columns:
        read_label, several = ColumnsOfLabels(label_columns), True
        source.classes = tuple(map(str, map(normalise_label, label_columns)))
    elif columns["label"] is None:
        source.unlabelled[split] = path
        return
    else:
        read_label, several = label_reader(
            first.frame, columns["label"], path, asked.plan
        )
    source.multi_label |= several
    if not source.splits:
        source.columns, source.available_columns = columns, tuple(names)
    number = given_split_column(asked.plan, names, str(path))
    split_column = None if number is None else names[number]
    bad_rows: list[BadRow] = []
    used = {*columns.values(), *(label_columns or ()), split_column}
    splits: dict[str, set[str]] = {name: set() for name in names if name not in used}
    for table in itertools.chain([first], map(_with_text_names, tables)):
        _note_splits(table.frame, splits)
        bad_rows += table.bad_rows
        labels = _labels(table.frame, columns["label"], label_columns)
        parts = [split] * len(table.frame)
        if split_column is not None:
            parts = _values(table.frame, split_column)
        _add_rows(table, columns, labels, parts, read_label, source.splits, bad_rows)
        source.encodings.update(table.encodings)
    if split_column is None:
        source.splits.setdefault(split, LabelledRows())
    for name, found in splits.items():
        warn_of_split_column(name, found, str(path), asked.plan)
    source.bad_rows += sorted(bad_rows, key=lambda row: row.line or 0)


def _with_text_names(table: Table) -> Table:
    """The table with names of columns that are texts; Parquet can have numbers."""
    table.frame.columns = pd.Index(map(str, table.frame.columns))
    return table


def _note_splits(frame: pd.DataFrame, splits: dict[str, set[str]]) -> None:
    """Adds what columns of names of splits hold; leaves out those that are none."""
    for name in list(splits):
        found = splits_among(frame[name].dropna()) if name in frame else set()
        if found is None:
            del splits[name]
        else:
            splits[name] |= found


def _rows_of_lines(
    lines: TextLines, path: Path, source: LabelledSource, asked: TextColumns
) -> LabelledRows:
    """The rows of lines that begin with their labels, as fastText reads them."""
    rows, file = LabelledRows(), str(path)
    asks_for_one = asked.plan.given("multi_label") is False
    takes_none = bool(asked.plan.given("multi_label"))
    several = 0
    for number, line in enumerate(lines.lines, start=1):
        location = (file, number)
        words = line.split()
        labels = list(itertools.takewhile(lambda word: word.startswith(_LABEL), words))
        if not words:
            continue
        if number in lines.undecodable:
            source.bad_rows.append(BadRow(*location, UNDECODABLE))
        elif len(labels) > 1 and asks_for_one:
            reason = (
                f"{len(labels)} labels ({' '.join(labels)}), where one was expected"
            )
            source.bad_rows.append(BadRow(*location, reason))
        else:
            text = line.split(maxsplit=len(labels))[len(labels) :] if labels else [line]
            names = [normalise_label(label.removeprefix(_LABEL)) for label in labels]
            label: Label | None = names[0] if names else None
            if len(names) > 1 or (takes_none and not names):
                label = tuple(dict.fromkeys(name for name in names if name))
                several += len(names) > 1
            add_row(
                rows,
                source.bad_rows,
                text[0] if text else None,
                label,
                None,
                location,
            )
    if several or takes_none:
        evidence = f"{several:,} of {len(rows.labels):,} lines have several labels"
        found_several(asked.plan, path, evidence)
        if several < _FEW * len(rows.labels) and not takes_none:
            asked.plan.warn(
                f"{path.name}: {evidence}, so each text may; data.multi_label=false "
                "takes these lines for bad rows"
            )
    source.multi_label |= bool(several) or takes_none
    return rows


def _add_rows(
    table: Table,
    columns: dict[str, str | None],
    labels: Iterable[Any],
    parts: Iterable[Any],
    read_label: ReadLabel,
    splits: dict[str, LabelledRows],
    bad_rows: list[BadRow],
) -> None:
    """Adds rows to their splits, which `parts` name."""
    texts, groups = (_values(table.frame, columns[role]) for role in ("text", "group"))
    for text, label, group, line, part in zip(
        texts, labels, groups, table.lines.tolist(), parts, strict=True
    ):
        location = (table.source, line)
        try:
            name, split = read_label(label), split_of_cell(part)
        except ValueError as error:
            bad_rows.append(BadRow(*location, str(error)))
        else:
            rows = splits.setdefault(
                split, LabelledRows(groups=None if columns["group"] is None else [])
            )
            add_row(rows, bad_rows, text, name, group, location)


def _labels(
    frame: pd.DataFrame, column: str | None, several: Sequence[str] | None
) -> Iterable[Any]:
    """The cells of the labels, of each row one, or a tuple where each has a column."""
    if not several:
        return _values(frame, column)
    return zip(*(_values(frame, name) for name in several), strict=True)


def _values(frame: pd.DataFrame, column: str | None) -> list[Any]:
    """Of a column, which a part of JSON may lack, or of none."""
    return frame[column].tolist() if column in frame else [None] * len(frame)


def _read_class_folders(folder: Path, asked: TextColumns) -> LabelledSource:
    by_split = _split_folders(folder, split_called) or _split_folders(
        folder, _split_by_part
    )
    if by_split and "train" not in by_split:
        names = ", ".join(path.name for path in by_split.values())
        raise UserError(f"{folder}: has {names} and no train folder")
    source = LabelledSource(columns=NO_COLUMNS)
    encoding = asked.plan.given("encoding")
    for split, path in (by_split or {"train": folder}).items():
        classes = _class_folders(path)
        if not classes:
            raise UserError(f"{folder}: no texts in it; expected {_LAYOUTS}")
        source.splits[split] = _rows_of_classes(classes, source, encoding)
    return source


def _split_folders(
    folder: Path, split_of: Callable[[str], str | None]
) -> dict[str, Path]:
    return {
        split: path
        for path in sorted(folder.iterdir())
        if path.is_dir() and (split := split_of(path.name)) and _class_folders(path)
    }


def _class_folders(folder: Path) -> dict[str, list[Path]]:
    """The texts of each class-named folder in ``folder``."""
    classes = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name not in _NO_CLASS and path.name[0] != ".":
            texts = _texts_in(path)
            if texts:
                classes[path.name] = texts
    return classes


def _texts_in(folder: Path) -> list[Path]:
    """The .txt files of a folder, or else those without a suffix, or with a number."""
    files = [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.startswith(".")
    ]
    texts = [path for path in files if path.suffix == ".txt"]
    return texts or [
        path for path in files if not path.suffix or path.suffix[1:].isdecimal()
    ]


def _rows_of_classes(
    classes: dict[str, list[Path]], source: LabelledSource, encoding: str | None
) -> LabelledRows:
    rows = LabelledRows()
    for name, paths in classes.items():
        for path in paths:
            location: Location = (str(path), None)
            data = path.read_bytes()
            decoded = decode_text(data, encoding)
            if decoded is None:
                source.bad_rows.append(BadRow(*location, UNDECODABLE))
                continue
            text, encoding_of_text = decoded
            source.encodings[encoding_of_text] += 1
            add_row(rows, source.bad_rows, text, normalise_label(name), None, location)
    return rows
