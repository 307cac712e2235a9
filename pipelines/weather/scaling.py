"""Scaling of each variable by its mean and standard deviation in the training part."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .directions import TURN, on_circle, wrapped

_CHUNK = 65_536
# Deviations below this fraction of the mean are rounding of a constant.
_ROUNDING = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 1e-12}
# Of mean to deviation, with which a float32 still tells a thousandth of the latter.
_MOST_RATIO = 8_000
# Degrees; below them a direction is constant.
_LEAST_DEVIATION = 1e-4


@dataclass(frozen=True)
class Scaling:
    """A standardised value is ``(value - mean) / scale``.

    A direction is a point on the circle: its mean is that of the unit vectors, and its
    scale their angular deviation in degrees, ``sqrt(2 (1 - R))`` with ``R`` the length
    of the mean vector (Zar 1999, "Biostatistical Analysis"). As an input it is two
    components, the sine and the cosine of the difference from its mean, standardised
    themselves: the sine in the place of the variable, the cosines of all directions
    behind all variables.

    Args:
        mean: ``float64[variables]``; 0 of a variable that is missing throughout.
        scale: ``float64[variables]``, the standard deviation; 1 of a variable that is
            constant or missing throughout.
        constant: the numbers of the variables that are constant in the training part.
        missing: the numbers of the variables that are missing throughout it.
        directions: the numbers of the directions, in degrees.
    """

    mean: np.ndarray
    scale: np.ndarray
    constant: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    directions: tuple[int, ...] = ()

    @property
    def dtype(self) -> np.dtype:
        """That raw values are computed in: float64 where float32 would lose them.

        Such are counters and other numbers that are large beside what they vary by.
        """
        varies = np.isin(np.arange(len(self.mean)), self.constant, invert=True)
        ratio = np.abs(self.mean[varies]) / self.scale[varies]
        return np.dtype(np.float64 if (ratio > _MOST_RATIO).any() else np.float32)

    @property
    def period(self) -> np.ndarray:
        """A turn in standardised units, float64 `[variables]`; 0 of what has none."""
        is_direction = np.isin(np.arange(len(self.mean)), self.directions)
        return np.where(is_direction, TURN / self.scale.astype(np.float64), 0.0)

    def standardise(self, values: np.ndarray) -> np.ndarray:
        """Raw values, variables last, to standardised ones."""
        difference = values - self.mean
        if self.directions:
            columns = list(self.directions)
            difference[..., columns] = wrapped(difference[..., columns])
        return difference / self.scale

    def restore(self, values: np.ndarray) -> np.ndarray:
        """Standardised values, variables last, to raw ones."""
        raw = values * self.scale + self.mean
        if self.directions:
            columns = list(self.directions)
            raw[..., columns] = on_circle(raw[..., columns])
        return raw

    def of(self, variables: Sequence[int]) -> "Scaling":
        """That of these variables, in this order."""
        chosen = list(variables)

        def places(numbers: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(n for n, each in enumerate(chosen) if each in numbers)

        return Scaling(
            self.mean[chosen],
            self.scale[chosen],
            places(self.constant),
            places(self.missing),
            places(self.directions),
        )

    def of_components(self) -> "Scaling":
        """That of the components, `variables + directions` of them."""
        mean, scale = self.mean.astype(np.float64), self.scale.astype(np.float64)
        columns = list(self.directions)
        deviation = np.radians(scale[columns])
        mean[columns], scale[columns] = 0.0, deviation
        return Scaling(
            np.concatenate([mean, 1 - deviation**2 / 2]),
            np.concatenate([scale, deviation]),
        )

    def components_of(self, variables: Sequence[int]) -> tuple[int, ...]:
        """The numbers of the components of some variables: theirs, then cosines."""
        cosines = {
            variable: len(self.mean) + place
            for place, variable in enumerate(self.directions)
        }
        behind = [cosines[each] for each in variables if each in cosines]
        return (*variables, *behind)

    def variables_of(self, components: Sequence[int]) -> list[int]:
        """The variable that each component is of."""
        of_component = [*range(len(self.mean)), *self.directions]
        return [of_component[component] for component in components]

    def standardise_components(
        self, values: np.ndarray, components: Sequence[int]
    ) -> np.ndarray:
        """Raw values of the variables of these components to standardised components.

        Args:
            values: ``[..., components]``.
            components: their numbers.
        """
        values = values.astype(np.float64)
        for place, component in enumerate(components):
            variable = self.variables_of([component])[0]
            if variable in self.directions:
                angle = np.radians(values[..., place] - self.mean[variable])
                is_cosine = component >= len(self.mean)
                values[..., place] = np.cos(angle) if is_cosine else np.sin(angle)
        scaling = self.of_components() if self.directions else self
        chosen = list(components)
        return (values - scaling.mean[chosen]) / scaling.scale[chosen]

    def restore_components(self, values: np.ndarray) -> np.ndarray:
        """Standardised components of all variables, the last axis, to raw values."""
        variables = len(self.mean)
        if not self.directions:
            return self.restore(values)
        scaling = self.of_components()
        values = values * scaling.scale + scaling.mean
        raw = values[..., :variables]
        for place, variable in enumerate(self.directions):
            angle = np.arctan2(raw[..., variable], values[..., variables + place])
            raw[..., variable] = on_circle(np.degrees(angle) + self.mean[variable])
        return raw

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "constant": list(self.constant),
            "missing": list(self.missing),
            "directions": list(self.directions),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Scaling":
        """What ``as_dict`` gave, also before there were directions."""
        return cls(
            np.array(values["mean"], np.float64),
            np.array(values["scale"], np.float64),
            tuple(values["constant"]),
            tuple(values["missing"]),
            tuple(values.get("directions", ())),
        )


def fit_scaling(parts: Sequence[np.ndarray], directions: Sequence[int] = ()) -> Scaling:
    """The scaling of the values in these parts, missing ones aside.

    Args:
        parts: of each station the training part, ``[steps, variables]``.
        directions: the numbers of the variables that are directions, in degrees.
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
    constant = ~missing & (deviation <= _ROUNDING[parts[0].dtype] * np.abs(mean))
    for variable in directions:
        mean[variable], deviation[variable] = _of_direction(parts, variable)
        constant[variable] = ~missing[variable] & (
            deviation[variable] < _LEAST_DEVIATION
        )
    return Scaling(
        mean,
        np.where(missing | constant, 1.0, deviation),
        tuple(np.flatnonzero(constant).tolist()),
        tuple(np.flatnonzero(missing).tolist()),
        tuple(directions),
    )


def _of_direction(parts: Sequence[np.ndarray], variable: int) -> tuple[float, float]:
    """Mean and angular deviation in degrees, 0 and 0 where there is no value."""
    values = np.concatenate([part[:, variable] for part in parts]).astype(np.float64)
    angles = np.radians(values[np.isfinite(values)])
    if not len(angles):
        return 0.0, 0.0
    mean = np.arctan2(np.sin(angles).mean(), np.cos(angles).mean())
    # 1 - cos, without the loss of digits where all are alike.
    deviation = np.sqrt(4 * (np.sin((angles - mean) / 2) ** 2).mean())
    return float(on_circle(np.degrees(mean))), float(np.degrees(deviation))


def _chunks(parts: Sequence[np.ndarray]) -> Iterable[np.ndarray]:
    """In float64, a little at a time."""
    for part in parts:
        for begin in range(0, len(part), _CHUNK):
            yield part[begin : begin + _CHUNK].astype(np.float64)
