"""Rows of text and label as they stand in the data, and what makes one unusable."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...core.errors import UserError
from ..files.tables import BadRow, Location, is_missing

#: The names that columns are found by, in order of preference, whatever their case.
TEXT_COLUMNS = ("text", "review", "sentence", "content")
LABEL_COLUMNS = ("label", "target", "class")
#: The columns of data that have none.
NO_COLUMNS: Mapping[str, str | None] = {"text": None, "label": None, "group": None}

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)(?=(?:\.0+)?$)")


@dataclass(frozen=True)
class TextColumns:
    """Which columns hold the texts, the labels and the groups.

    Args:
        text, label: None: the first of the usual names that the data have.
        group: None: the rows are in no groups.
        usual_labels: names of a column of labels, in order of preference.
    """

    text: str | None = None
    label: str | None = None
    group: str | None = None
    usual_labels: Sequence[str] = LABEL_COLUMNS

    def refuse(self, spec: str, *roles: str) -> None:
        """Raises UserError where a column is asked for that the data cannot have."""
        for role in roles:
            column = getattr(self, role)
            if column is not None:
                raise UserError(
                    f"{spec} has no column to choose for --{role}-column {column}; "
                    "leave it out"
                )


@dataclass
class LabelledRows:
    """The usable rows of one split; the lists run in step.

    ``groups`` is None where no group column was asked for. ``locations``
    holds the file and the line of each row.
    """

    texts: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    groups: list[str] | None = None
    locations: list[Location] = field(default_factory=list)


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

    splits: dict[str, LabelledRows] = field(default_factory=dict)
    classes: tuple[str, ...] | None = None
    columns: Mapping[str, str | None] = field(default_factory=dict)
    available_columns: tuple[str, ...] = ()
    bad_rows: list[BadRow] = field(default_factory=list)
    encodings: Counter[str] = field(default_factory=Counter)

    @property
    def number_of_rows(self) -> int:
        """All rows, the bad ones included."""
        return sum(len(rows.texts) for rows in self.splits.values()) + len(
            self.bad_rows
        )


def normalise_label(value: object) -> str | None:
    """The class name that a label stands for, or None where there is no label.

    Whole numbers are integers however they are written: ``1``, ``1.0`` and ``"1.0"``
    are the class ``"1"``. Other labels are strings without the space around them.
    """
    if is_missing(value):
        return None
    label = str(value).strip()
    whole = _INTEGER.match(label)
    return (whole[0] if whole else label) or None


def sorted_classes(labels: set[str]) -> tuple[str, ...]:
    """Class names in order: as numbers where all are integers, else as strings."""
    if all(_INTEGER.fullmatch(label) for label in labels):
        return tuple(sorted(labels, key=int))
    return tuple(sorted(labels))


def add_row(
    rows: LabelledRows,
    bad_rows: list[BadRow],
    text: Any,
    label: str | None,
    group: object,
    location: Location,
) -> None:
    """Adds a row to the usable ones, or to the bad ones with the reason."""
    fault = _text_fault(text) or ("no label" if label is None else None)
    if fault is not None or label is None:
        bad_rows.append(BadRow(*location, fault or "no label"))
        return
    rows.texts.append(text)
    rows.labels.append(label)
    rows.locations.append(location)
    if rows.groups is not None:
        # A row without a group is a group by itself.
        name = normalise_label(group)
        rows.groups.append(f"={name}" if name else f"row {len(rows.texts)} {location}")


def _text_fault(text: Any) -> str | None:
    if is_missing(text):
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
