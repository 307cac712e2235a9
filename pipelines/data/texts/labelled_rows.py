"""Rows of text and label as they stand in the data, and what makes one unusable."""

import itertools
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...core.errors import UserError
from ..files.tables import BadRow, Location, Locations, is_missing
from ..reading import PlanBuilder
from .label_sets import Label
from .stored_texts import TextStore
from .usual_names import LABEL_COLUMNS, TEXT_COLUMNS

__all__ = [
    "LABEL_COLUMNS",
    "LABEL_SET_KEYS",
    "NO_COLUMNS",
    "TEXT_COLUMNS",
    "LabelledRows",
    "LabelledSource",
    "TextColumns",
    "add_row",
    "normalise_label",
    "sorted_classes",
]

#: The columns of data that have none.
NO_COLUMNS: Mapping[str, str | None] = {"text": None, "label": None, "group": None}

#: The fields of the section `data` that make a row have several labels, or none.
LABEL_SET_KEYS = ("label_columns", "label_separator", "multi_label")

_INTEGER = re.compile(r"(?:\+(?=\d))?(-?(?:0|[1-9][0-9]*))(?:\.0+)?")
# Of a character as text or as a picture.
_SELECTORS_OF_LOOKS = "\ufe0e\ufe0f"
_BOOLEANS = {"true": "True", "false": "False"}


@dataclass(frozen=True)
class TextColumns:
    """Which columns hold the texts, the labels and the groups.

    Args:
        text, label: None: the first of the usual names that the data have.
        group: None: the rows are in no groups.
        usual_labels: names of a column of labels, in order of preference.
        is_evaluation: whether all that is read is to judge a model by.
        plan: takes the decisions on the files.
    """

    text: str | None = None
    label: str | None = None
    group: str | None = None
    usual_labels: Sequence[str] = LABEL_COLUMNS
    is_evaluation: bool = False
    plan: PlanBuilder = field(default_factory=PlanBuilder)

    def refuse(self, spec: str, *roles: str) -> None:
        """Raises UserError where a column is asked for that the data cannot have."""
        if "label" in roles:
            self.refuse_label_sets(spec, "label_columns", "label_separator")
        for role in roles:
            column = getattr(self, role)
            if column is not None:
                raise UserError(
                    f"{spec} has no column to choose for --{role}-column {column}; "
                    "leave it out"
                )

    def refuse_label_sets(self, spec: str, *keys: str) -> None:
        """Raises UserError where one of these keys asks for several labels of a row."""
        for key in keys:
            if self.plan.given(key):
                raise UserError(
                    f"data.{key}: {spec} has no cells that could hold several labels; "
                    "leave it out, or give a table"
                )


@dataclass
class LabelledRows:
    """The usable rows of one split; all run in step, and are appended to.

    A label is a name, or a tuple of names where a row may have several.
    ``groups`` is None where no group column was asked for. ``locations``
    holds the file and the line of each row.
    """

    texts: TextStore = field(default_factory=TextStore)
    labels: list[Label] = field(default_factory=list)
    groups: list[str] | None = None
    locations: Locations = field(default_factory=Locations)

    def keep(self, is_kept: Sequence[bool]) -> None:
        """Leaves out the rows that are not to be kept."""
        self.texts = TextStore(itertools.compress(self.texts, is_kept))
        self.labels = list(itertools.compress(self.labels, is_kept))
        self.locations = Locations(itertools.compress(self.locations, is_kept))
        if self.groups is not None:
            self.groups = list(itertools.compress(self.groups, is_kept))


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
        unlabelled: the files of splits whose rows have no labels.
        multi_label: whether a row may have several labels, or none.
    """

    splits: dict[str, LabelledRows] = field(default_factory=dict)
    classes: tuple[str, ...] | None = None
    columns: Mapping[str, str | None] = field(default_factory=dict)
    available_columns: tuple[str, ...] = ()
    bad_rows: list[BadRow] = field(default_factory=list)
    encodings: Counter[str] = field(default_factory=Counter)
    unlabelled: dict[str, Path] = field(default_factory=dict)
    multi_label: bool = False

    @property
    def number_of_rows(self) -> int:
        """All rows, the bad ones included."""
        return sum(len(rows.texts) for rows in self.splits.values()) + len(
            self.bad_rows
        )


def normalise_label(value: object) -> str | None:
    """The class name that a label stands for, or None where there is no label.

    Whole numbers are integers however they are written: ``1``, ``1.0`` and ``"1.0"``
    are the class ``"1"``; true and false are ``"True"`` and ``"False"``. Other labels
    are strings in NFC, without characters that do not show and the space around them;
    space within them is one space.
    """
    if is_missing(value):
        return None
    label = unicodedata.normalize("NFC", str(value))
    if not label.isascii():
        label = "".join(
            char
            for char in label
            if unicodedata.category(char) != "Cf" and char not in _SELECTORS_OF_LOOKS
        )
    label = " ".join(label.split())
    whole = _INTEGER.fullmatch(label)
    return (whole[1] if whole else _BOOLEANS.get(label.lower(), label)) or None


def sorted_classes(labels: set[str]) -> tuple[str, ...]:
    """Class names in order: as numbers where all are integers, else as strings."""
    if all(_INTEGER.fullmatch(label) for label in labels):
        return tuple(sorted(labels, key=int))
    return tuple(sorted(labels))


def add_row(
    rows: LabelledRows,
    bad_rows: list[BadRow],
    text: Any,
    label: Label | None,
    group: object,
    location: Location,
) -> None:
    """Adds a row to the usable ones, or to the bad ones with the reason."""
    fault = _text_fault(text) or ("no label" if label is None else None)
    if fault is not None or label is None:
        bad_rows.append(BadRow(*location, fault or "no label"))
        return
    rows.texts.append(text)
    # Of a class there is one string, however many rows have it.
    rows.labels.append(sys.intern(label) if isinstance(label, str) else label)
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
