"""Which columns of a table hold the texts and the labels: by name, and by content."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...core.errors import UserError
from ..files.cells import fold_name, kind_of
from ..files.tables import find_column, is_missing
from ..reading import Decision
from .labelled_rows import TEXT_COLUMNS, TextColumns, normalise_label

# Rows that say something of a whole column.
_ENOUGH_ROWS = 20
_SAMPLED_ROWS = 20_000
# Real numbers are classes where there are so few of them: stars in halves.
_MOST_REAL_CLASSES = 20
# Whole numbers are counts where there are more of them, with few rows each.
_MOST_NUMBERS = 50


@dataclass(frozen=True)
class LabelColumn:
    """What stands in a column of labels.

    Args:
        classes: the number of different labels.
        rows: the number of rows that have one.
        fault: why these cannot be classes; None if they can.
    """

    classes: int
    rows: int
    fault: str | None


def find_columns(
    frame: pd.DataFrame,
    path: Path,
    asked: TextColumns,
    known: Mapping[str, str | None] | None = None,
    label_columns: Sequence[str] | None = None,
) -> dict[str, str | None]:
    """The columns of texts, labels and groups; the plan of ``asked`` decides.

    A column of a usual name is the text, or the label, unless what stands in it cannot
    be. Without a header the longest texts are the texts, and the fewest values the
    labels.

    Args:
        frame: the table.
        path: its file, for messages.
        asked: the columns that are asked for.
        known: the columns of the same data's training file, for another one, of which
            the label may be missing.
        label_columns: where each label has a column, these; then no other is looked
            for.

    Returns:
        The columns by role; None for "group" if none is asked for, and for "label" if
        ``label_columns`` are given, or ``known`` is and there is none.

    Raises:
        UserError: a column is not there, or two could be it.
    """
    known = known or {}
    text = _decide("text", frame, path, asked, lambda: _guess_text(frame, path, known))
    label = None
    if label_columns is None and not (
        known and _has_no_labels(frame, text, asked, known)
    ):
        label = _decide(
            "label",
            frame,
            path,
            asked,
            lambda: _guess_label(frame, path, asked, text, known),
        )
        if asked.is_evaluation and _is_empty(frame[label]):
            raise no_labels(path)
    group = None
    if asked.group is not None:
        group = _asked_for("group", asked.group, list(frame.columns), path)
    if text == label:
        raise UserError(
            f"{path}: the column {text!r} cannot be both text and label; choose by "
            "--text-column and --label-column"
        )
    if text in (label_columns or ()):
        raise UserError(
            f"{path}: the column {text!r} cannot be both text and label; choose by "
            "--text-column and --label-columns"
        )
    columns = {"text": text, "label": label, "group": group}
    _note(frame, columns, asked, label_columns or ())
    return columns


def find_text_column(names: list[str], path: Path, asked: str | None) -> str:
    """The column of the texts: the one asked for, or the first of the usual names.

    Raises:
        UserError: there is no such column, or two could be it.
    """
    if asked is not None:
        return _asked_for("text", asked, names, path)
    usual = _usual("text", TEXT_COLUMNS, names, path)
    if usual:
        return usual[0]
    raise _not_found("text", TEXT_COLUMNS, names, path)


def no_labels(path: Path) -> UserError:
    """The error of a file that a model cannot be judged by."""
    return UserError(
        f"{path}: no labels to judge by; it is something to predict: recurra predict "
        f"MODEL --file {shlex.quote(str(path))}; or choose by --label-column"
    )


def describe_labels(labels: Sequence[str | None]) -> LabelColumn:
    """What stands in a column of labels, and whether these can be classes."""
    known = [label for label in labels if label is not None]
    values = dict.fromkeys(known)
    fault = None
    real = [value for value in values if _is_real(value)]
    if len(real) > len(values) / 2 and len(values) > min(
        _MOST_REAL_CLASSES, len(known) / 2
    ):
        shown = ", ".join(real[:3])
        fault = f"holds real numbers ({shown}, ...)"
    elif (
        len(values) > _MOST_NUMBERS
        and 20 * len(values) > len(known)
        and sum(map(_is_whole, values)) > 0.9 * len(values)
    ):
        fault = f"holds {len(values):,} different numbers in {len(known):,} rows"
    elif len(known) >= _ENOUGH_ROWS and len(values) > 0.9 * len(known):
        fault = f"has {len(values):,} values in {len(known):,} rows"
    return LabelColumn(len(values), len(known), fault)


def _decide(
    role: str,
    frame: pd.DataFrame,
    path: Path,
    asked: TextColumns,
    guess: Callable[[], Decision],
) -> str:
    names = list(frame.columns)
    by_name = {name.strip().casefold() for name in names}
    name = asked.plan.decide(
        f"{role}_column",
        guess,
        fits=lambda kept: kept.strip().casefold() in by_name,
        file=path.name,
    )
    return _asked_for(role, name, names, path)


def _asked_for(role: str, asked: str, names: list[str], path: Path) -> str:
    found = find_column(names, asked)
    if found is None:
        raise UserError(
            f"{path}: no column {asked!r} for --{role}-column; {_there(names)}"
        )
    return found


def _usual(role: str, usual: Sequence[str], names: list[str], path: Path) -> list[str]:
    """The columns that have usual names, in order of preference."""
    by_name: dict[str, list[str]] = {}
    for name in names:
        by_name.setdefault(fold_name(name), []).append(name)
    found = [by_name[name] for name in usual if name in by_name]
    if found and len(found[0]) > 1:
        raise UserError(
            f"{path}: the columns {' and '.join(found[0])} could each be the {role}; "
            f"choose by --{role}-column"
        )
    return [columns[0] for columns in found]


def _guess_text(
    frame: pd.DataFrame, path: Path, known: Mapping[str, str | None]
) -> Decision:
    names = list(frame.columns)
    if known.get("text") in names and not _is_numbered(names):
        return Decision(known["text"], "as in the train file")
    usual = _usual("text", TEXT_COLUMNS, names, path)
    texts = [name for name in usual if not _holds_figures(frame[name])]
    if texts:
        return Decision(texts[0], "its name", _others("text", texts[1:]))
    if not _is_numbered(names) and not usual:
        raise _not_found("text", TEXT_COLUMNS, names, path)
    lengths = {name: _length(frame[name]) for name in names}
    longest, *others = sorted(names, key=lambda name: lengths[name], reverse=True)
    if not lengths[longest]:
        raise _not_found("text", TEXT_COLUMNS, names, path)
    others = [name for name in others[:2] if lengths[name] > lengths[longest] / 4]
    evidence = f"the longest texts, {lengths[longest]:.0f} characters on average"
    return Decision(longest, evidence, _others("text", others))


def _guess_label(
    frame: pd.DataFrame,
    path: Path,
    asked: TextColumns,
    text: str,
    known: Mapping[str, str | None],
) -> Decision:
    names = list(frame.columns)
    if known.get("label") in names:
        return Decision(known["label"], "as in the train file")
    named = _usual("label", asked.usual_labels, names, path)
    usual = [name for name in named if name != text] or named
    found = {name: _described(frame[name]) for name in usual}
    classes = [name for name, labels in found.items() if not labels.fault]
    if classes:
        for name in usual[: usual.index(classes[0])]:
            asked.plan.warn(
                f"{path.name}: the column {name!r} {found[name].fault}, and is not "
                f"taken for the label but {classes[0]!r}; data.label_column chooses"
            )
        return Decision(classes[0], "its name", _others("label", classes[1:]))
    if usual:
        return Decision(usual[0], "its name")
    if asked.is_evaluation:
        raise no_labels(path)
    if not _is_numbered(names):
        raise _not_found("label", asked.usual_labels, names, path)
    by_classes = {
        name: labels.classes
        for name in names
        if name != text
        and 2 <= (labels := _described(frame[name])).classes <= max(2, labels.rows / 2)
    }
    if not by_classes:
        raise _not_found("label", asked.usual_labels, names, path)
    first, *others = sorted(by_classes, key=lambda name: by_classes[name])
    decision = Decision(
        first, f"{by_classes[first]} different values", _others("label", others)
    )
    asked.plan.warn(
        f"{path.name} has no header: column {text} is read as the text and column "
        f"{first} as the label ({decision.evidence}); data.text_column and "
        "data.label_column choose others by number"
    )
    return decision


def _has_no_labels(
    frame: pd.DataFrame, text: str, asked: TextColumns, known: Mapping[str, str | None]
) -> bool:
    """Whether a file beside the one to train on has texts alone."""
    names = list(frame.columns)
    label = asked.label or known["label"]
    found = find_column(names, label) if label else None
    if _is_numbered(names) and found == text:
        return True
    if found is None:
        usual = _usual("label", asked.usual_labels, names, Path())
        found = next((name for name in usual if name != text), None)
    return found is None or _is_empty(frame[found])


def _is_empty(labels: pd.Series) -> bool:
    return all(
        not isinstance(label, list | dict | np.ndarray)
        and normalise_label(label) is None
        for label in labels
    )


def _not_found(
    role: str, usual: Sequence[str], names: list[str], path: Path
) -> UserError:
    return UserError(
        f"{path}: no column is called {', '.join(usual[:4])} or another usual name of "
        f"a {role}; {_there(names)}; choose by --{role}-column"
    )


def _there(names: list[str]) -> str:
    return f"its columns are {', '.join(name[:40] for name in names[:20])}"


def _others(role: str, names: list[str]) -> str:
    if not names:
        return ""
    return f"{' or '.join(names)} (data.{role}_column chooses)"


def _is_numbered(names: list[str]) -> bool:
    """Whether the columns have no header."""
    return names == [str(number) for number in range(1, len(names) + 1)]


def _length(column: pd.Series) -> float:
    """Of its texts on average; 0 where it holds figures."""
    texts = [value for value in column[:_SAMPLED_ROWS] if isinstance(value, str)]
    if not texts or _holds_figures(column):
        return 0.0
    return sum(map(len, texts)) / len(texts)


def _holds_figures(column: pd.Series) -> bool:
    values = [value for value in column[:_SAMPLED_ROWS] if not is_missing(value)]
    figures = sum(
        kind_of(value) in ("number", "time")
        if isinstance(value, str)
        else isinstance(value, int | float)
        for value in values
    )
    return figures > 0.9 * len(values)


def _described(column: pd.Series) -> LabelColumn:
    return describe_labels(
        [
            normalise_label(value)
            for value in column
            if not isinstance(value, list | dict | np.ndarray)
        ]
    )


def _is_whole(label: str) -> bool:
    return label.removeprefix("-").isdecimal()


def _is_real(label: str) -> bool:
    try:
        return not float(label).is_integer()
    except (ValueError, OverflowError):
        return False


def _note(
    frame: pd.DataFrame,
    columns: dict[str, str | None],
    asked: TextColumns,
    label_columns: Sequence[str],
) -> None:
    roles = {name: role for role, name in columns.items() if name is not None}
    roles |= dict.fromkeys(label_columns, "label")
    found = {finding.key: finding.evidence for finding in asked.plan.plan().findings}
    for name in frame.columns:
        role = roles.get(name, "ignored")
        key = "label_columns" if name in label_columns else f"{role}_column"
        evidence = "given" if role == "group" else found.get(key, "")
        asked.plan.column(name, role, evidence or "another is taken")
