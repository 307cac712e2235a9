"""From a spec to rows of text and label, as they stand in the user's files."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import UserError
from .sentiment_sample import DEFAULT_NUMBER_OF_TEXTS, sample_reviews
from .tables import BadRow, decode_text, is_table, read_table
from .tfds_texts import DEFAULT_TFDS_NAME, read_tfds_texts

#: The names that columns are found by, in order of preference, whatever their case.
TEXT_COLUMNS = ("text", "review", "sentence", "content")
LABEL_COLUMNS = ("label", "sentiment", "target", "class")

SPLITS = ("train", "validation", "test")
_SPLIT_OF_NAME = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
# The third folder of the IMDB archive: reviews without a label.
_NO_CLASS = ("unsup",)
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)(?=(?:\.0+)?$)")

_LAYOUTS = (
    "a folder of train, validation and test files; of class-named folders of .txt "
    "files; or of train and test folders of such class-named folders"
)


@dataclass
class LabelledRows:
    """The usable rows of one split; the lists run in step.

    ``groups`` is None where no group column was asked for. ``places`` holds the file
    and the line of each row.
    """

    texts: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    groups: list[str] | None = None
    places: list[tuple[str, int | None]] = field(default_factory=list)


@dataclass
class LabelledSource:
    """What a spec brings.

    Args:
        splits: rows by split; ``train`` alone where the data bring no splits.
        classes: the class names in their order, or None where the labels say.
        columns: the columns used as ``text``, ``label`` and ``group``.
        available_columns: all columns there are, in their order.
        bad_rows: the rows that cannot be used.
        encodings: lines by the encoding they were decoded with.
    """

    splits: dict[str, LabelledRows]
    classes: tuple[str, ...] | None = None
    columns: dict[str, str | None] = field(default_factory=dict)
    available_columns: tuple[str, ...] = ()
    bad_rows: tuple[BadRow, ...] = ()
    encodings: dict[str, int] = field(default_factory=dict)

    @property
    def number_of_rows(self) -> int:
        """All rows, the bad ones included."""
        return sum(len(rows.texts) for rows in self.splits.values()) + len(
            self.bad_rows
        )


def read_labelled_source(
    spec: str,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
) -> LabelledSource:
    """Reads what ``spec`` names; see ``load_labelled_texts`` for the specs.

    Raises:
        UserError: the spec, a file, a folder or a column is not there, or ``sample``,
            class-named folders or tfds were given a column they do not have.
    """
    if spec == "sample" or spec.startswith("sample:"):
        _refuse_columns(spec, text_column, label_column, group_column)
        return _read_sample(spec)
    if spec == "tfds" or spec.startswith("tfds:"):
        _refuse_columns(spec, None, None, group_column)
        return _read_tfds(spec, text_column, label_column)
    path = Path(spec).expanduser()
    if not path.is_dir():
        columns = (text_column, label_column, group_column)
        return _read_tables({"train": path}, columns)
    tables = _split_files(path)
    if tables:
        return _read_tables(tables, (text_column, label_column, group_column))
    _refuse_columns(spec, text_column, label_column, group_column)
    return _read_class_folders(path)


def normalise_label(value: object) -> str | None:
    """The class name that a label stands for, or None where there is no label.

    Whole numbers are integers however they are written: ``1``, ``1.0`` and ``"1.0"``
    are the class ``"1"``. Other labels are strings without the space around them.
    """
    if _is_missing(value):
        return None
    label = str(value).strip()
    whole = _INTEGER.match(label)
    return (whole[0] if whole else label) or None


def sorted_classes(labels: set[str]) -> tuple[str, ...]:
    """Class names in order: as numbers where all are integers, else as strings."""
    if all(_INTEGER.fullmatch(label) for label in labels):
        return tuple(sorted(labels, key=int))
    return tuple(sorted(labels))


def _refuse_columns(
    spec: str,
    text_column: str | None,
    label_column: str | None,
    group_column: str | None,
) -> None:
    for option, column in (
        ("--text-column", text_column),
        ("--label-column", label_column),
        ("--group-column", group_column),
    ):
        if column is not None:
            raise UserError(
                f"{spec} has no column to choose for {option} {column}; leave it out"
            )


def _read_sample(spec: str) -> LabelledSource:
    _, _, number = spec.partition(":")
    if number and not number.isdecimal():
        raise UserError(f"{spec}: sample:NUMBER was expected, as in sample:6000")
    sample = sample_reviews(int(number) if number else DEFAULT_NUMBER_OF_TEXTS)
    splits = {}
    for name, (texts, labels) in sample.splits.items():
        places: list[tuple[str, int | None]]
        places = [(f"sample/{name}", row) for row in range(1, len(texts) + 1)]
        names = [sample.classes[label] for label in labels]
        splits[name] = LabelledRows(list(texts), names, None, places)
    return LabelledSource(
        splits, sample.classes, {"text": None, "label": None, "group": None}
    )


def _read_tfds(
    spec: str, text_column: str | None, label_column: str | None
) -> LabelledSource:
    name = spec.partition(":")[2] or DEFAULT_TFDS_NAME
    data = read_tfds_texts(name, text_column=text_column, label_column=label_column)
    splits: dict[str, LabelledRows] = {}
    bad_rows: list[BadRow] = []
    for split, (texts, labels) in data.splits.items():
        if (labels < 0).all():
            continue  # tfds writes -1 for a label that is kept secret or unknown.
        rows = splits.setdefault(_SPLIT_OF_NAME[split], LabelledRows())
        place = f"tfds:{name}/{split}"
        for number, (text, label) in enumerate(
            zip(texts, labels, strict=True), start=1
        ):
            class_name = data.classes[label] if label >= 0 else None
            _add_row(rows, bad_rows, text, class_name, None, (place, number))
    if "train" not in splits:
        raise UserError(f"{spec}: has no train split; it has {', '.join(data.splits)}")
    return LabelledSource(
        splits,
        data.classes,
        {"text": data.text_feature, "label": data.label_feature, "group": None},
        data.features,
        tuple(bad_rows),
    )


def _split_files(folder: Path) -> dict[str, Path]:
    """The train, validation and test file of a folder, where it has them."""
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        split = _SPLIT_OF_NAME.get(path.name.partition(".")[0].lower())
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


_Columns = tuple[str | None, str | None, str | None]


def _read_tables(paths: dict[str, Path], asked: _Columns) -> LabelledSource:
    source = LabelledSource({})
    encodings: Counter[str] = Counter()
    bad_rows: list[BadRow] = []
    for split, path in paths.items():
        table = read_table(path)
        names = [str(name) for name in table.frame.columns]
        table.frame.columns = pd.Index(names)
        columns = _find_columns(names, path, asked)
        if not source.splits:
            source.columns, source.available_columns = columns, tuple(names)
        unusable = list(table.bad_rows)
        source.splits[split] = _rows_of_table(
            table.frame, table.lines, str(path), columns, unusable
        )
        bad_rows += sorted(unusable, key=lambda row: row.line or 0)
        encodings.update(table.encodings)
    source.bad_rows = tuple(bad_rows)
    source.encodings = dict(encodings)
    return source


def _rows_of_table(
    frame: pd.DataFrame,
    lines: np.ndarray,
    file: str,
    columns: dict[str, str | None],
    bad_rows: list[BadRow],
) -> LabelledRows:
    group_column = columns["group"]
    rows = LabelledRows(groups=None if group_column is None else [])
    texts = frame[columns["text"]].tolist()
    labels = frame[columns["label"]].tolist()
    groups = [None] * len(frame) if group_column is None else frame[group_column]
    for text, label, group, line in zip(texts, labels, groups, lines, strict=True):
        place = (file, int(line))
        if isinstance(label, list | dict | np.ndarray):
            reason = f"the label is of type {type(label).__name__}, not one class"
            bad_rows.append(BadRow(*place, reason))
        else:
            _add_row(rows, bad_rows, text, normalise_label(label), group, place)
    return rows


def _add_row(
    rows: LabelledRows,
    bad_rows: list[BadRow],
    text: Any,
    label: str | None,
    group: object,
    place: tuple[str, int | None],
) -> None:
    fault = _text_fault(text) or ("no label" if label is None else None)
    if fault is not None or label is None:
        bad_rows.append(BadRow(*place, fault or "no label"))
        return
    rows.texts.append(text)
    rows.labels.append(label)
    rows.places.append(place)
    if rows.groups is not None:
        # A row without a group is a group of its own.
        named = normalise_label(group)
        rows.groups.append(f"={named}" if named else f"row {len(rows.texts)} {place}")


def _is_missing(value: object) -> bool:
    # Not pandas.isna, which answers for each item of a list.
    return (
        value is None or value is pd.NA or (isinstance(value, float) and isnan(value))
    )


def _text_fault(text: Any) -> str | None:
    if _is_missing(text):
        return "no text"
    if not isinstance(text, str):
        return f"the text is of type {type(text).__name__}; a string was expected"
    if not text.strip():
        return "empty text"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "the text holds half of a surrogate pair, which is no character"
    return None


def find_text_column(names: list[str], path: Path, asked: str | None) -> str:
    """The column of the texts: the one asked for, or the first of the usual names.

    Raises:
        UserError: there is no such column, or two could be it.
    """
    return _find_column("text", TEXT_COLUMNS, names, path, asked)


def _find_columns(
    names: list[str], path: Path, asked: _Columns
) -> dict[str, str | None]:
    text, label, group = asked
    columns = {
        "text": find_text_column(names, path, text),
        "label": _find_column("label", LABEL_COLUMNS, names, path, label),
        "group": None
        if group is None
        else _find_column("group", (), names, path, group),
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
    subfolders = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    by_split = {
        _SPLIT_OF_NAME[path.name.lower()]: path
        for path in subfolders
        if path.name.lower() in _SPLIT_OF_NAME and _class_folders(path)
    }
    if by_split and "train" not in by_split:
        names = ", ".join(path.name for path in by_split.values())
        raise UserError(f"{folder}: has {names} and no train folder")
    if not by_split:
        by_split = {"train": folder}
    source = LabelledSource({}, columns={"text": None, "label": None, "group": None})
    encodings: Counter[str] = Counter()
    bad_rows: list[BadRow] = []
    for split, path in by_split.items():
        classes = _class_folders(path)
        if not classes:
            raise UserError(f"{folder}: no texts in it; expected {_LAYOUTS}")
        source.splits[split] = _rows_of_classes(classes, bad_rows, encodings)
    source.bad_rows = tuple(bad_rows)
    source.encodings = dict(encodings)
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
    classes: dict[str, list[Path]], bad_rows: list[BadRow], encodings: Counter[str]
) -> LabelledRows:
    rows = LabelledRows()
    for name, paths in classes.items():
        for path in paths:
            place = (str(path), None)
            decoded = decode_text(path.read_bytes())
            if decoded is None:
                reason = "bytes that are neither UTF-8 nor cp1252"
                bad_rows.append(BadRow(*place, reason))
                continue
            text, encoding = decoded
            encodings[encoding] += 1
            _add_row(rows, bad_rows, text, normalise_label(name), None, place)
    return rows
