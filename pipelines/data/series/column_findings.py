"""What the reading plan says of columns of series, and what their values warn of."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..large_arrays import changes, present_parts
from ..reading import PlanBuilder
from .column_formats import ColumnFormat
from .measured_variables import Variable, split_unit
from .raw_tables import RawTable
from .repairs import RepairKind, RepairLog
from .variable_words import kind_of

if TYPE_CHECKING:
    from .time_series import StationSeries

_LEFT_OUT = {
    RepairKind.COLUMN_WITHOUT_NUMBERS: "text",
    RepairKind.EMPTY_COLUMN: "no value in it",
    RepairKind.COUNTER_OF_ROWS: "it counts the rows",
}
# An extreme that is repeated so often, this far from all others, in so many ranges of
# theirs, is taken for a sentinel.
_REPEATED = 3
_FAR = 1.0
# So many distinct values at either end are looked at for sentinels.
_EXTREMES = 128
_FEWEST_OTHERS = 5
# Of the range of training, by which later values may go beyond it, and how many do.
_MARGIN = 0.1
_MOSTLY = 0.5
# Rises of a counter, and of all its changes those that may begin it anew.
_FEWEST_RISES, _RESETS = 20, 0.01
# Of the usual change from row to row, that float32 may round away.
_ROUNDED = 0.25


def note_columns(
    table: RawTable,
    formats: Mapping[str, ColumnFormat],
    names: Sequence[str],
    log: RepairLog,
    plan: PlanBuilder,
) -> None:
    """Notes the columns that are left out, and why."""
    reasons = {
        example.partition(":")[0]: example.partition(": ")[2] or _LEFT_OUT[repair.kind]
        for repair in log.repairs
        if repair.kind in _LEFT_OUT
        for example in repair.examples
    }
    for column in formats:
        if column not in names:
            plan.column(column, "ignored", reasons.get(column, "no numbers"))


def note_variables(
    variables: Sequence[Variable],
    ranges: Mapping[str, tuple[float, float]],
    in_file: Mapping[str, str],
    plan: PlanBuilder,
) -> None:
    """Notes the variables with unit, kind, rule, bounds, and what values they have.

    Args:
        variables: of the series.
        ranges: least and largest value by column.
        in_file: the unit in the file by column.
        plan: takes the notes.
    """
    for variable in variables:
        least, most = ranges.get(variable.column, (np.nan, np.nan))
        evidence = "numbers" if variable.kind == "number" else "its name and unit"
        said = kind_of(*split_unit(variable.column))
        if (plan.given("kinds") or {}).keys() & {variable.column, variable.name}:
            evidence = "kind given"
        elif said != variable.kind:
            evidence = f"no {said}, with values from {least:g} to {most:g}"
        if least == most:
            evidence += f"; {least:g} throughout"
        details: dict[str, Any] = {}
        if in_file[variable.column] != variable.unit:
            details["unit_in_file"] = in_file[variable.column]
        if np.isfinite(least):
            details |= {"least": least, "most": most}
        plan.column(
            variable.column,
            "variable",
            evidence,
            name=variable.name,
            unit=variable.unit,
            kind=variable.kind,
            rule=variable.rule,
            bounds=list(variable.bounds),
            **details,
        )


def warn_of_ranges(
    spec: str,
    variables: Sequence[Variable],
    stations: "Sequence[StationSeries]",
    ranges: Mapping[str, tuple[float, float]],
    kept: Mapping[str, Mapping[str, Any]],
    plan: PlanBuilder,
) -> None:
    """Warns of variables most of whose values lie beyond those of training.

    Args:
        spec: for the message.
        variables: of the series.
        stations: their values.
        ranges: their least and largest value by column.
        kept: by name, least and most in training.
        plan: takes the warnings.
    """
    for number, variable in enumerate(variables):
        known = kept.get(variable.name, {})
        here = ranges.get(variable.column)
        if "least" not in known or here is None:
            continue
        least, most = known["least"], known["most"]
        margin = _MARGIN * (most - least)
        count = beyond = 0
        for station in stations:
            for values in present_parts(station.values[:, number]):
                count += len(values)
                beyond += ((values < least - margin) | (values > most + margin)).sum()
        if beyond > _MOSTLY * count:
            plan.warn(
                f"{spec}: {variable.name} is {here[0]:g} to {here[1]:g} here "
                f"and was {least:g} to {most:g} in training; if it is in another unit, "
                "data.units converts it"
            )


def warn_of_values(
    values: np.ndarray, columns: Sequence[str], file: str, plan: PlanBuilder
) -> None:
    """Warns of numbers that look like sentinels, and of amounts that are counters.

    Args:
        values: ``float[rows, columns]``.
        columns: their names.
        file: for the message.
        plan: takes the warnings.
    """
    found = {}
    for column, each in zip(columns, values.T, strict=True):
        if sentinels := undeclared_sentinels(each):
            found[column] = sentinels
        name, unit = split_unit(column)
        if kind_of(name, unit) == "amount" and _only_rises(each):
            plan.warn(
                f"{file}: {column} only rises, as a counter does, and is summed as an "
                f'amount is; data.kinds="{{{name!r}: state}}" takes its last value'
            )
    if found:
        shown = ", ".join(
            f"{', '.join(f'{one:g}' for one in each)} in {column}"
            for column, each in found.items()
        )
        mapping = ", ".join(
            f"{column!r}: [{', '.join(f'{one:g}' for one in each)}]"
            for column, each in found.items()
        )
        plan.warn(
            f"{file}: {shown} may stand for missing values, and "
            f"{'is' if len(found) == 1 else 'are'} read as numbers; "
            f'data.sentinels="{{{mapping}}}" makes them missing'
        )


def undeclared_sentinels(column: np.ndarray) -> list[float]:
    """Extremes that are repeated, and far from all other values: 999.9, -200."""
    left = _extremes(column)
    found: list[float] = []
    while _has_more_than(_FEWEST_OTHERS, left):
        most, least = left[-1], left[0]
        below = left[: np.searchsorted(left, most)]
        above = left[np.searchsorted(left, least, side="right") :]
        for edge, others, nearest in (
            (most, below, below[-1]),
            (least, above, above[0]),
        ):
            is_repeated = len(left) - len(others) >= _REPEATED
            distance = abs(edge - nearest)
            if is_repeated and distance > _FAR * (others[-1] - others[0]):
                found.append(float(edge))
                left = others
                break
        else:
            break
    return found


def _extremes(column: np.ndarray) -> np.ndarray:
    """The least and the largest of the distinct values, in order.

    Each stands there so many times as it is in the column, up to `_REPEATED`.
    """
    found, counts = np.zeros(0), np.zeros(0, np.int64)
    for present in present_parts(column):
        if len(found) == 2 * _EXTREMES:
            within = (present > found[_EXTREMES - 1]) & (present < found[_EXTREMES])
            present = present[~within]
        here, times = np.unique(present, return_counts=True)
        found, places = np.unique(np.concatenate([found, here]), return_inverse=True)
        counts = np.bincount(places, np.concatenate([counts, times])).astype(np.int64)
        if len(found) > 2 * _EXTREMES:
            ends = np.r_[:_EXTREMES, len(found) - _EXTREMES : len(found)]
            found, counts = found[ends], counts[ends]
    return np.repeat(found, np.minimum(counts, _REPEATED))


def _has_more_than(number: int, ordered: np.ndarray) -> bool:
    """Whether there are more distinct values."""
    for _ in range(number):
        if not len(ordered):
            return False
        ordered = ordered[np.searchsorted(ordered, ordered[0], side="right") :]
    return len(ordered) > 0


def _only_rises(column: np.ndarray) -> bool:
    """Whether values rise often and fall at most when a counter begins anew."""
    count = rises = falls = 0
    for each in changes(column):
        count += len(each)
        rises += int((each > 0).sum())
        falls += int((each < 0).sum())
    return rises >= _FEWEST_RISES and falls <= _RESETS * count


def loses_steps(values: np.ndarray) -> bool:
    """Whether float32 rounds away the changes from row to row of a column.

    Args:
        values: ``float[rows, columns]``.
    """
    return any(map(_is_rounded, values.T))


def _is_rounded(column: np.ndarray) -> bool:
    """Whether float32 loses the changes from row to row."""
    largest = max(
        (np.abs(each).max() for each in present_parts(column) if len(each)), default=0
    )
    least = float(np.spacing(np.float32(largest))) / _ROUNDED
    # The median is below that: what is needed of it, without all changes in order.
    below = above = 0
    next_below, next_above = 0.0, np.inf
    for each in changes(column):
        sizes = np.abs(each[each != 0])
        is_below = sizes < least
        below += int(is_below.sum())
        above += int((~is_below).sum())
        next_below = max(next_below, sizes[is_below].max(initial=0.0))
        next_above = min(next_above, sizes[~is_below].min(initial=np.inf))
    if below == above:
        return bool(below and (next_below + next_above) / 2 < least)
    return below > above
