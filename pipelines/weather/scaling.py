"""Scaling of each variable by its mean and standard deviation in the training part."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_CHUNK = 65_536
# Deviations below this fraction of the mean are rounding of a constant.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Scaling:
    """A standardised value is ``(value - mean) / scale``.

    Args:
        mean: ``float32[variables]``; 0 of a variable that is missing throughout.
        scale: ``float32[variables]``, the standard deviation; 1 of a variable that is
            constant or missing throughout.
        constant: the numbers of the variables that are constant in the training part.
        missing: the numbers of the variables that are missing throughout it.
    """

    mean: np.ndarray
    scale: np.ndarray
    constant: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()

    def standardise(self, values: np.ndarray) -> np.ndarray:
        """Raw values, variables last, to standardised ones."""
        return (values - self.mean) / self.scale

    def restore(self, values: np.ndarray) -> np.ndarray:
        """Standardised values, variables last, to raw ones."""
        return values * self.scale + self.mean

    def of(self, variables: Sequence[int]) -> "Scaling":
        """That of these variables, in this order."""
        chosen = list(variables)
        return Scaling(
            self.mean[chosen],
            self.scale[chosen],
            tuple(n for n, each in enumerate(chosen) if each in self.constant),
            tuple(n for n, each in enumerate(chosen) if each in self.missing),
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "constant": list(self.constant),
            "missing": list(self.missing),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Scaling":
        """What ``as_dict`` gave."""
        return cls(
            np.array(values["mean"], np.float32),
            np.array(values["scale"], np.float32),
            tuple(values["constant"]),
            tuple(values["missing"]),
        )


def fit_scaling(parts: Sequence[np.ndarray]) -> Scaling:
    """The scaling of the values in these parts, missing ones aside.

    Args:
        parts: of each station the training part, ``float32[steps, variables]``.
    """
    variables = parts[0].shape[1]
    count = np.zeros(variables)
    total = np.zeros(variables)
    for chunk in _chunks(parts):
        there = np.isfinite(chunk)
        count += there.sum(axis=0)
        total += np.where(there, chunk, 0.0).sum(axis=0)
    mean = total / np.maximum(count, 1)
    squares = np.zeros(variables)
    for chunk in _chunks(parts):
        squares += np.where(np.isfinite(chunk), (chunk - mean) ** 2, 0.0).sum(axis=0)
    deviation = np.sqrt(squares / np.maximum(count, 1))
    missing = count == 0
    constant = ~missing & (deviation <= _ROUNDING * np.abs(mean))
    scale = np.where(missing | constant, 1.0, deviation)
    return Scaling(
        mean.astype(np.float32),
        scale.astype(np.float32),
        tuple(np.flatnonzero(constant).tolist()),
        tuple(np.flatnonzero(missing).tolist()),
    )


def _chunks(parts: Sequence[np.ndarray]) -> Iterable[np.ndarray]:
    """In float64, a little at a time."""
    for part in parts:
        for begin in range(0, len(part), _CHUNK):
            yield part[begin : begin + _CHUNK].astype(np.float64)
