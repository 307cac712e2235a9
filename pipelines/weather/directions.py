"""Arithmetic of directions: degrees on a circle, where 359 and 1 are 2 apart."""

from collections.abc import Sequence
from typing import Any

import numpy as np

TURN = 360


def wrapped(difference: Any) -> Any:
    """The same difference of directions from -180 to less than 180.

    Args:
        difference: Degrees, an array or a tensor.
    """
    return (difference + TURN / 2) % TURN - TURN / 2


def on_circle(degrees: Any) -> Any:
    """The same direction from 0 to less than 360."""
    # The remainder of a number a little below 0 is rounded to 360.
    return degrees % TURN % TURN


def unwrapped(
    values: np.ndarray, around: np.ndarray, directions: Sequence[int]
) -> np.ndarray:
    """Directions within half a turn of others, so that they can be compared by size.

    Args:
        values: `[..., T]`, degrees in the columns of directions.
        around: `[..., T]`, those that stay.
        directions: The numbers of their columns; the others stay as they are.
    """
    if not len(directions):
        return values
    columns = list(directions)
    moved = np.array(values)
    near = around[..., columns]
    moved[..., columns] = near + wrapped(values[..., columns] - near)
    return moved


def unwrapped_quantiles(
    quantiles: np.ndarray, point: np.ndarray, directions: Sequence[int]
) -> np.ndarray:
    """Quantiles `[..., T, Q]` within half a turn of their point `[..., T]`."""
    moved = unwrapped(np.moveaxis(quantiles, -1, 0), point, directions)
    return np.moveaxis(moved, 0, -1)


def continuous(values: np.ndarray, directions: Sequence[int]) -> np.ndarray:
    """A series `[S, T]` whose directions never jump by more than half a turn."""
    moved = np.array(values, np.float64)
    for column in directions:
        is_there = np.isfinite(moved[:, column])
        moved[is_there, column] = np.unwrap(moved[is_there, column], period=TURN)
    return moved


def as_vectors(values: np.ndarray, directions: Sequence[int]) -> np.ndarray:
    """A series `[S, T]` with directions as unit vectors, complex numbers."""
    if not len(directions):
        return values
    columns, vectors = list(directions), values.astype(np.complex128)
    vectors[:, columns] = np.exp(1j * np.radians(values[:, columns]))
    return vectors
