"""Labels as classes: which are one, which are none, and which are too rare."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from ...core.errors import UserError
from ..reading import PlanBuilder
from .label_sets import all_names
from .labelled_columns import describe_labels
from .labelled_rows import LabelledRows

#: Whether labels that differ by case alone are two classes or one.
LabelCase = Literal["keep", "fold"]

_MOST_SHOWN = 5
# What programs write where there is no value. "none" may be a class.
_NO_VALUE = frozenset(
    ("nan", "null", "na", "n/a", "#n/a", "<na>", "nil", "undefined", "-", "--", "?")
)


def check_labels(labels: Sequence[str], spec: str, column: str | None) -> None:
    """Raises UserError where the labels to train on cannot be classes."""
    fault = describe_labels(labels).fault
    if fault and column:
        raise UserError(
            f"{spec}: the column {column!r} {fault}; classes were expected, a few that "
            "stand in many rows; choose another by --label-column"
        )


def tell_no_values(labels: Sequence[str], plan: PlanBuilder) -> None:
    """Warns of classes whose names are what others write where there is no label."""
    counts = Counter(label for label in labels if label.lower() in _NO_VALUE)
    if counts:
        shown = ", ".join(f"{name!r} ({rows:,} rows)" for name, rows in counts.items())
        plan.warn(
            f"taken for classes: {shown}; leave the cells empty where they stand for "
            "no label"
        )


def join_cases(
    labels: Sequence[str],
    known: Sequence[str],
    label_case: LabelCase | None = None,
    plan: PlanBuilder | None = None,
) -> list[str]:
    """The labels in the case that is known.

    Args:
        labels: of the rows.
        known: the labels of the rows to train on, or the classes of a model.
        label_case: "fold": labels that differ by case alone are the most frequent of
            the known ones. "keep": they are classes of their own, and a line says so.
            None: one that is not known is the known one that differs by case alone.
        plan: takes the line.
    """
    counts = Counter(known)
    by_case: dict[str, list[str]] = {}
    for name, _ in counts.most_common():
        by_case.setdefault(name.casefold(), []).append(name)
    if label_case == "keep":
        alike = [" and ".join(map(repr, n)) for n in by_case.values() if len(n) > 1]
        if alike and plan:
            plan.warn(
                f"the labels {'; '.join(alike[:_MOST_SHOWN])} differ by case alone, "
                "and are classes of their own; data.label_case=fold joins them"
            )
        return list(labels)
    joined = []
    for label in labels:
        names = by_case.get(label.casefold(), [label])
        is_kept = label_case is None and (label in counts or len(names) > 1)
        joined.append(label if is_kept else names[0])
    return joined


def drop_rare_classes(
    splits: Mapping[str, LabelledRows], min_class_rows: int, plan: PlanBuilder
) -> None:
    """Leaves out, with a line, classes that have fewer rows to train on.

    Rows that may have several labels stay, without these.
    """
    counts = Counter(all_names(splits["train"].labels))
    rare = {name: count for name, count in counts.items() if count < min_class_rows}
    if not rare:
        return
    for rows in splits.values():
        rows.labels = [
            label
            if isinstance(label, str)
            else tuple(name for name in label if name not in rare)
            for label in rows.labels
        ]
        rows.keep([label not in rare for label in rows.labels])
    shown = ", ".join(list(rare)[:_MOST_SHOWN])
    plan.warn(
        f"{len(rare):,} classes with fewer than {min_class_rows} rows are left out "
        f"({shown}{', ...' if len(rare) > _MOST_SHOWN else ''}), "
        f"{sum(rare.values()):,} rows to train on (data.min_class_rows)"
    )
