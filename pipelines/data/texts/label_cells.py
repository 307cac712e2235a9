"""Cells of labels: which data have several labels in a row, and how these are read.

Lists have several, and so have texts with a separator that is given, and columns of yes
and no, one for each label.
"""

import ast
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from ...core.errors import UserError
from ..files.tables import find_column, is_missing
from ..reading import Decision, PlanBuilder
from .label_sets import Label
from .labelled_rows import normalise_label

#: The label of a cell, None where it has none; raises ValueError where it can be none.
ReadLabel: TypeAlias = Callable[[Any], Label | None]

_LISTS = (list, tuple, set, frozenset, np.ndarray)
_YES, _NO = ("1", "true", "yes"), ("0", "false", "no")
# Signs that programs put between labels, for a warning alone.
_SEPARATORS = ("|", ";", ",")


def label_reader(
    frame: pd.DataFrame, column: str, path: Path, plan: PlanBuilder
) -> tuple[ReadLabel, bool]:
    """What reads the cells of labels, and whether a row may have several.

    Args:
        frame: the first rows of the file.
        column: of the labels.
        path: of the file, for messages.
        plan: brings what is given, and takes what is found.

    Raises:
        UserError: keys do not go together.
    """
    separator = settled(plan, "label_separator")
    cells = [cell for cell in frame[column] if not is_missing(cell)]
    if separator is not None:
        _refuse_one_class(plan, "--label-separator")
        return _Shared(_split_by(separator)), True
    if plan.given("multi_label") is False:
        return read_one, False
    lists = sum(isinstance(cell, _LISTS) for cell in cells)
    if 2 * lists > len(cells):
        found_several(plan, path, f"the cells of {column} are lists")
        return _Shared(_of_list), True
    if cells and _are_written_lists(cells):
        found_several(plan, path, f"the cells of {column} are lists, as text")
        return _Shared(lambda cell: _of_list(_written_list(cell))), True
    if settled(plan, "multi_label"):
        return _Shared(_of_list), True
    _tell_separator(cells, path, plan)
    return read_one, False


def settled(plan: PlanBuilder, key: str) -> Any:
    """What the user gave for the key, or else what training had; None without."""
    if plan.given(key) is None and plan.kept(key) is None:
        return None
    return plan.decide(key, lambda: Decision(None, ""))


def found_several(plan: PlanBuilder, path: Path, evidence: str) -> None:
    """Notes that rows may have several labels, and since when."""
    plan.decide(
        "multi_label",
        lambda: Decision(True, evidence, "false: one class for each row"),
        file=path.name,
    )


def read_one(cell: Any) -> str | None:
    """The one name of a cell."""
    if isinstance(cell, list | dict | np.ndarray):
        raise ValueError(f"the label is of type {type(cell).__name__}, not one class")
    return normalise_label(cell)


def find_label_columns(
    names: Sequence[str], path: Path, plan: PlanBuilder, *, may_lack: bool
) -> list[str] | None:
    """The columns of which each holds whether a row has a label; None if none is asked.

    Args:
        names: of the columns there are.
        path: of the file, for messages.
        plan: brings what is asked for.
        may_lack: whether the file may be without labels: then the list is empty.

    Raises:
        UserError: a column is not there, or there are fewer than two, or keys do not go
            together.
    """
    others = plan.given("label_column") or plan.given("label_separator")
    if others and plan.given("label_columns") is None:
        return None
    asked = settled(plan, "label_columns")
    if asked is None:
        return None
    for key in ("label_column", "label_separator"):
        if plan.given(key) is not None:
            raise UserError(
                f"data.{key}: --label-columns names the columns of the labels; leave "
                "one out"
            )
    _refuse_one_class(plan, "--label-columns")
    if len(asked) < 2:
        raise UserError(
            f"--label-columns {','.join(asked)}: a single column of yes and no has two "
            f"classes; choose it by --label-column {','.join(asked)}"
        )
    found = [find_column(names, column) for column in asked]
    if may_lack and not any(found):
        return []
    for column, name in zip(asked, found, strict=True):
        if name is None:
            there = ", ".join(name[:40] for name in names[:20])
            raise UserError(
                f"{path}: no column {column!r} for --label-columns; its columns are "
                f"{there}"
            )
    if len(set(found)) < len(found):
        raise UserError(f"{path}: --label-columns names a column twice")
    return [str(name) for name in found]


def _refuse_one_class(plan: PlanBuilder, option: str) -> None:
    if plan.given("multi_label") is False:
        raise UserError(
            f"data.multi_label=false: {option} makes the labels several; leave one out"
        )


class ColumnsOfLabels:
    """Reads a row's cells of yes and no, a cell for each label.

    Args:
        names: of the columns, which are the labels.
    """

    def __init__(self, names: Sequence[str]):
        self._names = names
        self._known: dict[tuple[bool, ...], tuple[str, ...]] = {}

    def __call__(self, cells: Sequence[Any]) -> tuple[str, ...]:
        """The labels of a row. Raises ValueError where a cell is neither."""
        answers = tuple(map(_is_yes, cells, self._names))
        if answers not in self._known:
            self._known[answers] = tuple(itertools.compress(self._names, answers))
        return self._known[answers]


def _is_yes(cell: Any, name: str) -> bool:
    value = (normalise_label(cell) or "").lower()
    if value in _YES:
        return True
    if value in _NO:
        return False
    shown = repr(str(cell)[:40]) if value else "nothing"
    raise ValueError(f"{shown} in the column {name}, where 0 or 1 was expected")


class _Shared:
    """Reads cells to tuples, of which equal ones are one."""

    def __init__(self, read: Callable[[Any], tuple[str, ...] | None]):
        self._read = read
        self._known: dict[tuple[str, ...], tuple[str, ...]] = {}

    def __call__(self, cell: Any) -> tuple[str, ...] | None:
        names = self._read(cell)
        return None if names is None else self._known.setdefault(names, names)


def _of_list(cell: Any) -> tuple[str, ...] | None:
    """The names of a list; those of a text are one. None: no list is there."""
    if is_missing(cell):
        return None
    if isinstance(cell, dict):
        raise ValueError("the label is of type dict, not a list of classes")
    if not isinstance(cell, _LISTS):
        name = normalise_label(cell)
        return None if name is None else (name,)
    for item in cell:
        if isinstance(item, (*_LISTS, dict)):
            raise ValueError("the list of labels holds another list or object")
    return _unique(cell)


def _split_by(separator: str) -> Callable[[Any], tuple[str, ...]]:
    def read(cell: Any) -> tuple[str, ...]:
        if is_missing(cell):
            # A table has no other way to say that a text has no label.
            return ()
        if isinstance(cell, (*_LISTS, dict)):
            return _of_list(cell) or ()
        return _unique(str(cell).split(separator))

    return read


def _unique(items: Iterable[Any]) -> tuple[str, ...]:
    names = map(normalise_label, items)
    return tuple(dict.fromkeys(name for name in names if name is not None))


def _are_written_lists(cells: Sequence[Any]) -> bool:
    """Whether all cells are lists as JSON or Python writes them."""
    return all(
        isinstance(cell, str) and cell.strip()[:1] == "[" and cell.strip()[-1:] == "]"
        for cell in cells
    ) and all(isinstance(_written_list(cell), list) for cell in cells)


def _written_list(cell: Any) -> Any:
    """The list that a text says; what is none is left as it is."""
    if not isinstance(cell, str):
        return cell
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(cell)
        except (ValueError, SyntaxError):
            continue
        if isinstance(value, list):
            return value
    return cell


def _tell_separator(cells: Sequence[Any], path: Path, plan: PlanBuilder) -> None:
    """Warns where labels look like several, with a sign between them."""
    values = {cell for cell in cells if isinstance(cell, str)}
    for separator in _SEPARATORS:
        read = _split_by(separator)
        joined = [value for value in values if separator in value]
        parts = Counter(name for value in joined for name in read(value))
        # Labels come in other company, or alone, again and again.
        again = [name for name in parts if parts[name] > 1 or name in values]
        if len(again) >= 2 and 2 * len(again) >= len(parts):
            plan.warn(
                f"{path.name}: labels such as {min(joined)[:60]!r} are taken for "
                f"classes of their own; data.label_separator={separator!r} makes them "
                "several labels of a text"
            )
            return
