"""The splits of data: their names and order, and checks of fractions of rows."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..core.errors import UserError

if TYPE_CHECKING:
    from .files.tables import BadRow
    from .reading import PlanBuilder

#: In their order.
SPLITS = ("train", "validation", "test")

_SPLIT_OF_NAME = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
# "validation.en", "val_2.en", but not "valley.en".
_BEGIN = re.compile(r"(train|validation|valid|val|dev)(?![a-z])", re.IGNORECASE)


def split_called(name: str) -> str | None:
    """The split that a file, folder or set of exactly this name is; None if none."""
    return _SPLIT_OF_NAME.get(name.lower())


def split_of_name(name: str) -> str | None:
    """The split that a name begins with; None if none.

    There may be several test sets, as `test.2016` and `test.2017` are: a test set keeps
    its name, with underscores for dots.
    """
    if begin := _BEGIN.match(name):
        return split_called(begin[1])
    if is_test(name.lower()):
        return "test" + name[len("test") :].replace(".", "_")
    return None


def is_test(split: str) -> bool:
    """Whether a split is a test set."""
    return split.startswith("test")


def in_order(splits: Iterable[str]) -> list[str]:
    """Training, validation, then the test sets by name."""
    return sorted(
        splits,
        key=lambda name: (SPLITS.index(name) if name in SPLITS else len(SPLITS), name),
    )


def splits_among(values: Iterable[Any]) -> set[str] | None:
    """The splits that values of a column name; None where one is no split's name."""
    found = set()
    for value in values:
        split = split_called(str(value).strip())
        if split is None:
            return None
        found.add(split)
    return found


def warn_of_split_column(
    name: str, found: Iterable[str], file: str, plan: "PlanBuilder"
) -> None:
    """Warns where a column that is not read parts the rows into splits."""
    splits = in_order(found)
    if len(splits) > 1:
        plan.warn(
            f"{file}: the column {name} parts the rows into {', '.join(splits)}; they "
            f"are read as one. To keep them apart, give --split-column {name}, or a "
            f"folder with a file of each, such as {splits[0]}.csv"
        )


def given_split_column(
    plan: "PlanBuilder", names: Sequence[str], file: str
) -> int | None:
    """The number of the column that `data.split_column` names; None if it does not.

    Raises:
        UserError: There is no such column.
    """
    name = plan.given("split_column")
    if name is None:
        return None
    if name not in names:
        raise UserError(
            f"{file}: no column {name!r} for data.split_column; its columns are "
            f"{', '.join(names[:20])}"
        )
    plan.column(name, "split", "given")
    return list(names).index(name)


def refuse_split_column(plan: "PlanBuilder", spec: str) -> None:
    """Refuses the key where the data cannot have such a column.

    Raises:
        UserError: It is given.
    """
    name = plan.given("split_column")
    if name is not None:
        raise UserError(
            f"{spec} is no single table, of which the column {name!r} could say the "
            "splits; leave data.split_column out"
        )


def split_of_cell(value: Any) -> str:
    """The split that a cell names.

    Raises:
        ValueError: It names none.
    """
    split = split_called(str(value).strip())
    if split is None:
        raise ValueError(
            f"{str(value)[:40]!r} is no split; expected train, validation (or valid, "
            "val, dev) or test"
        )
    return split


def check_fractions(validation_fraction: float, test_fraction: float) -> None:
    """Raises UserError if such parts cannot be carved from the training rows."""
    _check_fraction("validation_fraction", validation_fraction)
    _check_fraction("test_fraction", test_fraction)
    if validation_fraction + test_fraction >= 1:
        raise UserError(
            f"validation_fraction {validation_fraction} and test_fraction "
            f"{test_fraction} leave nothing to train on; together they must be below 1"
        )


def check_bad_fraction(
    spec: str, bad_rows: Sequence["BadRow"], rows: int, max_bad_fraction: float
) -> None:
    """Refuses data of which too much cannot be used.

    Args:
        spec: Of the data.
        bad_rows: The rows that cannot be used.
        rows: The number of all rows, the bad ones included.
        max_bad_fraction: The largest fraction of bad rows that is tolerated.

    Raises:
        UserError: More are bad, or all are.
    """
    _check_fraction("max_bad_fraction", max_bad_fraction)
    bad = len(bad_rows)
    if bad == rows:
        first = f"{bad_rows[0]}; " if bad_rows else ""
        raise UserError(f"{first}not one of the {rows:,} rows of {spec} can be used")
    if bad > max_bad_fraction * rows:
        raise UserError(
            f"{bad_rows[0]}; {bad:,} of {rows:,} rows of {spec} cannot be used, more "
            f"than a fraction of {max_bad_fraction:g} (max_bad_fraction)"
        )


def _check_fraction(name: str, fraction: float) -> None:
    if not 0 <= fraction <= 1:
        raise UserError(f"{name}: {fraction} was given; it lies between 0 and 1")
