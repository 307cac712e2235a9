"""A regular series at a coarser step, by a rule for each variable.

A coarse step carries the time of its end and holds what was measured after the step
before it and up to that time, so whatever stands at a time was known then. The times
are multiples of the step since 1970-01-01 00:00, or ends of months and so on.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from ...core.errors import UserError
from ..large_arrays import ROWS_TOGETHER, large_array, slices
from .regular_grid import GridSeries
from .rules import Rule
from .steps import Step

_DAY = 86_400

# Shorter mean vectors of directions come of directions all around.
_SHORTEST_MEAN_VECTOR = 1e-3


def resampled(
    series: GridSeries, step: Step, rules: Sequence[Rule], min_fraction: float
) -> GridSeries:
    """The series at a step that is asked for, by the rules of `resample`.

    Rows that are not regular are put together where they are: `sum` adds them, and one
    row is enough. Months of daily or coarser data end with their last day, those of
    finer data with the first moment of the next.

    Args:
        series: regular, or rows in time.
        step: the same as the step of the series, or a coarser one.
        rules: one for each variable.
        min_fraction: see `resample`.

    Raises:
        UserError: rows were taken as steps, or the step does not fit the data's.
    """
    own = series.step
    if step.months and not series.is_irregular:
        step = dataclasses.replace(step, at_end=own.seconds >= _DAY)
        if own.months == step.months:
            return series
    if step == own and not series.is_irregular:
        return series
    if series.stamps is None and not step.is_calendar:
        start, values = resample(
            series.start, own.seconds, series.values, rules, step.seconds, min_fraction
        )
        return GridSeries(start, step, values, None, series.bad_rows)
    if series.stamps is not None and not (series.is_irregular or own.is_calendar):
        raise UserError(
            "data.step: rows that are taken as steps cannot be resampled; leave out "
            "data.step or data.rows_are_steps"
        )
    if step.seconds < own.seconds:
        raise UserError(f"data.step: {step} is finer than the data's step of {own}")
    return _by_ends(series, step, rules, min_fraction)


def _by_ends(
    series: GridSeries, step: Step, rules: Sequence[Rule], min_fraction: float
) -> GridSeries:
    stamps = series.stamps
    if stamps is None:
        stamps = series.step.times(series.start, len(series.values))
    ends = step.ends(int(stamps[0]), int(stamps[-1]))
    numbers = np.searchsorted(ends, stamps) - 1
    counts = np.bincount(numbers, minlength=len(ends) - 1)
    within = np.arange(len(stamps)) - np.searchsorted(numbers, numbers)
    groups = np.full((len(ends) - 1, int(counts.max()), series.values.shape[1]), np.nan)
    groups[numbers, within] = series.values
    whole = np.diff(ends) / series.step.seconds
    expected = counts if series.is_irregular else np.maximum(np.round(whole), 1)
    fraction = 0.0 if series.is_irregular else min_fraction
    values = np.empty((len(groups), groups.shape[2]), series.values.dtype)
    for column, rule in enumerate(rules):
        values[:, column] = _reduce(groups[:, :, column], rule, fraction, expected)
    times = ends[1:] if step.is_calendar else None
    return GridSeries(int(ends[1]), step, values, times, series.bad_rows)


def resample(
    start: int,
    step: int,
    values: np.ndarray,
    rules: Sequence[Rule],
    to_step: int,
    min_fraction: float,
) -> tuple[int, np.ndarray]:
    """The series at the step ``to_step``.

    ``mean`` of the values that are there; ``sum``, their mean times the number of steps
    put together, so that a missing one does not look dry; ``circular``, the direction
    of the mean unit vector in degrees from 0 to 360, missing where they cancel;
    ``max``; ``min``; ``last``, the latest value that is there.

    Args:
        start: the time of the first step, in seconds.
        step: seconds from step to step.
        values: ``float[steps, variables]``, NaN where missing.
        rules: one for each variable.
        to_step: seconds, a multiple of ``step``.
        min_fraction: of the steps of a coarse one that must be there; otherwise it is
            missing.

    Returns:
        The time of the first coarse step and the values, of the type of ``values``;
        they are computed in float64.

    Raises:
        UserError: ``to_step`` is no multiple of ``step``.
    """
    if to_step % step:
        raise UserError(
            f"data.step: {to_step} s is no multiple of the data's step of {step} s"
        )
    together = to_step // step
    first = -(-start // to_step) * to_step
    before = together - ((first - start) // step + 1)
    after = -(before + len(values)) % together
    steps = (before + len(values) + after) // together
    coarse = large_array((steps, values.shape[1]), values.dtype)
    for part in slices(steps, max(1, ROWS_TOGETHER // together)):
        begin, end = part.start * together - before, part.stop * together - before
        some = np.pad(
            values[max(begin, 0) : end],
            ((max(-begin, 0), max(end - len(values), 0)), (0, 0)),
            constant_values=np.nan,
        )
        groups = some.reshape(-1, together, values.shape[1])
        for column, rule in enumerate(rules):
            coarse[part, column] = _reduce(
                groups[:, :, column], rule, min_fraction, together
            )
    return int(first), coarse


def _reduce(
    groups: np.ndarray, rule: Rule, min_fraction: float, expected: int | np.ndarray
) -> np.ndarray:
    """``[steps, together]`` to float64 ``[steps]``, of so many expected values each."""
    groups = groups.astype(np.float64)
    there = np.isfinite(groups)
    count = there.sum(axis=1)
    safe_count = np.maximum(count, 1)
    if rule in ("mean", "sum"):
        reduced = np.where(there, groups, 0.0).sum(axis=1) / safe_count
        if rule == "sum":
            reduced = reduced * expected
    elif rule == "circular":
        reduced = _circular_mean(groups, there, safe_count)
    elif rule == "max":
        reduced = np.where(there, groups, -np.inf).max(axis=1)
    elif rule == "min":
        reduced = np.where(there, groups, np.inf).min(axis=1)
    else:
        latest = groups.shape[1] - 1 - np.argmax(there[:, ::-1], axis=1)
        reduced = groups[np.arange(len(groups)), latest]
    enough = (count > 0) & (count >= min_fraction * expected)
    return np.where(enough, reduced, np.nan)


def _circular_mean(
    groups: np.ndarray, there: np.ndarray, count: np.ndarray
) -> np.ndarray:
    angles = np.deg2rad(np.where(there, groups, 0.0))
    east = np.where(there, np.sin(angles), 0.0).sum(axis=1) / count
    north = np.where(there, np.cos(angles), 0.0).sum(axis=1) / count
    direction = np.rad2deg(np.arctan2(east, north)).astype(np.float32) % 360.0
    direction %= 360.0  # A little below zero came out as 360 itself.
    return np.where(np.hypot(east, north) < _SHORTEST_MEAN_VECTOR, np.nan, direction)
