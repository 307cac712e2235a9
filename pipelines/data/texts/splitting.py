"""Carving a held-out part from labelled rows: stratified, by seed, groups whole."""

import warnings
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from ...core.errors import UserError

# Grouped rows are held out in whole folds; with up to 20 of them a fraction is met to
# within a few per cent of itself and the assignment of groups stays quick.
_MOST_FOLDS = 20


def hold_out(
    labels: np.ndarray,
    groups: np.ndarray | None,
    *,
    fraction: float,
    seed: int,
    name: str,
    classes: Sequence[str],
) -> tuple[np.ndarray, np.ndarray]:
    """Splits rows into a part to keep and a part to hold out.

    Without groups every class gives ``fraction`` of its rows, rounded, and at least
    one. With groups the rows of a group stay on one side, so that the fraction of every
    class is met as nearly as the groups allow. A class of one row, or of one group, is
    kept.

    Args:
        labels: class numbers, integers of shape ``[rows]``.
        groups: the group of each row, shape ``[rows]``, or None.
        fraction: the fraction of the rows to hold out, above 0 and below 1.
        seed: the same seed gives the same split.
        name: what the held-out part is called in errors.
        classes: the name of each class number, for errors.

    Returns:
        The row numbers kept and held out, each in rising order.

    Raises:
        UserError: there are too few rows or groups to hold out two classes.
    """
    counts = Counter(labels.tolist())
    held: Sequence[int] | np.ndarray
    if groups is None:
        held = _stratified(labels, counts, fraction, seed)
    else:
        held = _stratified_by_group(labels, groups, fraction, seed, name)
        held = _without_whole_classes(held, labels, groups)
    missing = counts.keys() - set(labels[held].tolist())
    if len(counts) - len(missing) < 2:
        what = "rows" if groups is None else "groups"
        rarest = min(missing, key=lambda number: (counts[number], number))
        raise UserError(
            f"too few {what} to carve a {name} split: the class {classes[rarest]!r} "
            + (
                f"has {counts[rarest]} row left, and both parts need one"
                if groups is None
                else "would be on one side only"
            )
        )
    is_held = np.zeros(len(labels), dtype=bool)
    is_held[held] = True
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)


def give_back(
    kept: np.ndarray, held: np.ndarray, labels: np.ndarray, groups: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """The same parts, but that no label has all of its rows held out.

    Rows of several labels are stratified by one of them, so that another one of few
    rows could be.

    Args:
        kept, held: the row numbers of the parts.
        labels: the labels that rows have, bool of shape ``[rows, classes]``.
        groups: as in ``hold_out``.
    """
    lost = labels[held].any(axis=0) & ~labels[kept].any(axis=0)
    returned = labels[held][:, lost].any(axis=1)
    if groups is not None:
        returned = np.isin(groups[held], groups[held[returned]])
    return np.sort(np.concatenate([kept, held[returned]])), held[~returned]


def _stratified(
    labels: np.ndarray, counts: dict[int, int], fraction: float, seed: int
) -> list[int]:
    # scikit-learn's stratified split rounds over all classes together and can leave a
    # rare class out of the held-out part, where its metrics are then undefined.
    generator = np.random.default_rng(seed)
    held: list[int] = []
    for number, count in sorted(counts.items()):
        if count < 2:
            continue
        rows = generator.permutation(np.flatnonzero(labels == number))
        held.extend(rows[: min(max(1, round(fraction * count)), count - 1)].tolist())
    return held


def _without_whole_classes(
    held: np.ndarray, labels: np.ndarray, groups: np.ndarray
) -> np.ndarray:
    """Gives back the groups of classes of which nothing would be kept."""
    is_kept = np.ones(len(labels), dtype=bool)
    is_kept[held] = False
    lost = set(labels.tolist()) - set(labels[is_kept].tolist())
    returned = groups[np.isin(labels, list(lost))]
    return held[~np.isin(groups[held], returned)]


def _stratified_by_group(
    labels: np.ndarray, groups: np.ndarray, fraction: float, seed: int, name: str
) -> np.ndarray:
    folded = Fraction(fraction).limit_denominator(_MOST_FOLDS)
    folded = max(folded, Fraction(1, _MOST_FOLDS))
    number_of_groups = len(np.unique(groups))
    if number_of_groups < folded.denominator:
        raise UserError(
            f"too few groups to carve a {name} split: {number_of_groups} groups, and "
            f"at least {folded.denominator} are needed for a fraction of {fraction:g}"
        )
    folds = StratifiedGroupKFold(folded.denominator, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class rarer than the folds; whether it matters is checked below.
        warnings.simplefilter("ignore", UserWarning)
        try:
            parts = [held for _, held in folds.split(labels, labels, groups)]
        except ValueError as error:
            raise UserError(f"cannot carve a {name} split: {error}") from error
    return np.concatenate(parts[: folded.numerator])
