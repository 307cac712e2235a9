"""A regular series at a coarser step, by a rule for each variable.

A coarse step carries the time of its end and holds what was measured after the step
before it and up to that time, so whatever stands at a time was known then. The times
are multiples of the step since 1970-01-01 00:00.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...core.errors import UserError
from .rules import Rule

# Shorter mean vectors of directions come of directions all around.
_SHORTEST_MEAN_VECTOR = 1e-3


def parse_step(text: str) -> int:
    """``"1h"``, ``"10min"`` or ``"1 day"`` in seconds.

    Raises:
        UserError: it is no positive whole number of seconds.
    """
    try:
        seconds = pd.Timedelta(text).total_seconds()
    except ValueError:
        seconds = 0.0
    if seconds <= 0 or seconds != int(seconds):
        raise UserError(
            f"data.step: {text!r} is no step; expected for example 10min, 1h or 1D"
        )
    return int(seconds)


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
        values: ``float32[steps, variables]``, NaN where missing.
        rules: one for each variable.
        to_step: seconds, a multiple of ``step``.
        min_fraction: of the steps of a coarse one that must be there; otherwise it is
            missing.

    Returns:
        The time of the first coarse step and the values, ``float32[steps, variables]``.

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
    padded = np.pad(values, ((before, after), (0, 0)), constant_values=np.nan)
    groups = padded.reshape(-1, together, values.shape[1])
    coarse = np.empty((len(groups), values.shape[1]), np.float32)
    for column, rule in enumerate(rules):
        coarse[:, column] = _reduce(groups[:, :, column], rule, min_fraction)
    return int(first), coarse


def _reduce(groups: np.ndarray, rule: Rule, min_fraction: float) -> np.ndarray:
    """``[steps, together]`` to ``[steps]``."""
    there = np.isfinite(groups)
    count = there.sum(axis=1)
    safe_count = np.maximum(count, 1)
    if rule in ("mean", "sum"):
        reduced = (
            np.where(there, groups, 0.0).sum(axis=1, dtype=np.float64) / safe_count
        )
        if rule == "sum":
            reduced = reduced * groups.shape[1]
    elif rule == "circular":
        reduced = _circular_mean(groups, there, safe_count)
    elif rule == "max":
        reduced = np.where(there, groups, -np.inf).max(axis=1)
    elif rule == "min":
        reduced = np.where(there, groups, np.inf).min(axis=1)
    else:
        latest = groups.shape[1] - 1 - np.argmax(there[:, ::-1], axis=1)
        reduced = groups[np.arange(len(groups)), latest]
    enough = (count > 0) & (count >= min_fraction * groups.shape[1])
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
