"""The labels of rows that have one class, or any number of them.

A label of a row is a name where the row has one of some classes, and a tuple of names
where it may have several. As numbers, labels are int64 `[rows]`, or bool
`[rows, classes]` of several.
"""

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

Label: TypeAlias = str | tuple[str, ...]


def names_of(label: Label) -> tuple[str, ...]:
    """The names that a row has."""
    return (label,) if isinstance(label, str) else label


def all_names(labels: Iterable[Label]) -> list[str]:
    """Those of all rows, one after the other."""
    return list(itertools.chain.from_iterable(map(names_of, labels)))


def renamed(labels: Sequence[Label], names: Sequence[str]) -> list[Label]:
    """The labels with other names, given in the order of `all_names`."""
    given = iter(names)
    # Of rows with the same labels there is one tuple.
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    found: list[Label] = []
    for label in labels:
        if isinstance(label, str):
            found.append(next(given))
        else:
            several = tuple(dict.fromkeys(itertools.islice(given, len(label))))
            found.append(known.setdefault(several, several))
    return found


def numbered(
    labels: Sequence[Label], numbers: Mapping[str, int], *, multi_label: bool
) -> np.ndarray:
    """Labels as numbers: int64 `[rows]`, or bool `[rows, classes]` of several."""
    if not multi_label:
        return np.array([numbers[str(label)] for label in labels], dtype=np.int64)
    found = np.zeros((len(labels), len(numbers)), bool)
    for row, label in enumerate(labels):
        for name in names_of(label):
            found[row, numbers[name]] = True
    return found


def rows_by_class(labels: np.ndarray, number_of_classes: int) -> np.ndarray:
    """How many rows have each class, int64 `[classes]`."""
    if labels.ndim == 1:
        return np.bincount(labels, minlength=number_of_classes)
    return labels.sum(axis=0)


def memberships(labels: np.ndarray, number_of_classes: int) -> np.ndarray:
    """Whether a row has a class, bool `[rows, classes]`."""
    return (
        labels[:, None] == np.arange(number_of_classes) if labels.ndim == 1 else labels
    )


def strata(labels: np.ndarray) -> np.ndarray:
    """The numbers that rows are stratified by, int64 `[rows]`.

    A row of several labels goes by the rarest of them, of equals the first; rows
    without a label are a stratum of their own, behind the last label.
    """
    if labels.ndim == 1:
        return labels
    counts = labels.sum(axis=0)
    by_rarity = np.argsort(counts, kind="stable")
    rarest = by_rarity[labels[:, by_rarity].argmax(axis=1)]
    return np.where(labels.any(axis=1), rarest, labels.shape[1])


def named(labels: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """The names of rows as objects `[rows]`: a name, or a list of names of several."""
    names = np.array(classes, object)
    if labels.ndim == 1:
        return names[labels]
    found = np.empty(len(labels), object)
    for row, has in enumerate(labels):
        found[row] = names[has].tolist()
    return found


def joined(names: Sequence[str]) -> str:
    """Names in one cell, with "|" between them; as JSON where a name has one too."""
    if any("|" in name for name in names):
        return json.dumps(list(names), ensure_ascii=False)
    return "|".join(names)


def counts_of_sets(labels: np.ndarray) -> dict[str, float | int]:
    """Of rows with several labels: how many, how many without one, labels of a row."""
    return {
        "rows": len(labels),
        "no_label": int((~labels.any(axis=1)).sum()),
        "labels_per_row": float(labels.sum() / max(1, len(labels))),
    }
