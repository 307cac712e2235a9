"""What is done to forecasts in raw units before anybody sees them.

The model's quantiles are moved so that they cover what they state; the point follows
them; nothing lies where a variable has no values; directions lie on the circle.
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from ..data.series.measured_variables import Variable
from .directions import on_circle, unwrapped, unwrapped_quantiles
from .metrics import central_intervals

#: What becomes of the point when its quantiles have moved: it is their median, or moves
#: into their innermost interval, or stays.
PointRule = Literal["median", "inside", "stays"]

# Quantiles of a direction stand less than half a turn from the point, in degrees.
_FARTHEST = 179.9
# So many differences are wanted for a shift; with fewer windows, those of neighbouring
# leads are taken together.
_WANTED = 100
#: Shares of a history that is missing, between which shifts of their own are fitted.
MISSING_EDGES = (0.1, 0.35, 0.65)
#: A spread that shifts may be multiples of, in standard deviations of the target.
LEAST_SPREAD = 1e-3


@dataclasses.dataclass(frozen=True)
class TargetRanges:
    """Where the values of the targets lie.

    Attributes:
        least: `[T]`, minus infinity where there is no floor.
        most: `[T]`, infinity where there is no ceiling.
        directions: The numbers of the targets that are directions.
    """

    least: np.ndarray
    most: np.ndarray
    directions: tuple[int, ...] = ()

    @classmethod
    def of(cls, targets: Sequence[Variable]) -> "TargetRanges":
        """By bounds and kind of the variables."""
        least, most = zip(*(each.bounds for each in targets), strict=True)
        return cls(
            np.array([-np.inf if each is None else each for each in least]),
            np.array([np.inf if each is None else each for each in most]),
            directions_of(targets),
        )

    def clip(self, values: Any) -> Any:
        """Into the bounds, `[..., T]`."""
        if not np.isfinite([self.least, self.most]).any():
            return values
        dtype = values.dtype
        return tf.clip_by_value(
            values, tf.cast(self.least, dtype), tf.cast(self.most, dtype)
        )

    def clip_quantiles(self, quantiles: Any) -> Any:
        """Into the bounds, `[..., T, Q]`."""
        return _swapped(self.clip(_swapped(quantiles)))


@dataclasses.dataclass(frozen=True)
class Correction:
    """The last step from a forecast to an answer: graph code.

    - Quantiles are clipped into the bounds of their variable, shifted (split-conformal
      correction, see `quantile_shifts`; by lead, target, and how much of the history is
      missing), put in order, and clipped again. Shifts are fitted to clipped quantiles,
      so a truth at the floor with its quantile at the floor counts as covered. They are
      multiples of the spread that is stated, from the lowest quantile to the highest:
      what is said to be certain, such as no sunshine at night, hardly moves.
    - The point follows them. With `point_loss` mae it is a median, and where .5 is
      among the levels it is that quantile; with another loss it moves into its
      innermost central interval, that of 50 % by default.
    - Quantiles of a direction stand around the point, less than half a turn away.
      Points and quantiles of directions lie from 0 to less than 360.

    Attributes:
        ranges: Of the targets.
        levels: Of the quantiles; empty where there are none.
        shifts: `[bins, H, T, Q]`, what is added to the quantiles.
        edges: Rising shares of the history that is missing, between the bins.
        point: What becomes of the point.
        least_spread: `[T]`, what a smaller spread counts as. None: shifts are in the
            unit of the target, as those of points alone.
    """

    ranges: TargetRanges
    levels: tuple[float, ...] = ()
    shifts: np.ndarray | None = None
    edges: tuple[float, ...] = ()
    point: PointRule = "stays"
    least_spread: np.ndarray | None = None

    @classmethod
    def of_old(cls, shifts: np.ndarray | None, targets: int) -> "Correction":
        """That of a run before variables had kinds: shifts `[H, T, Q]` alone."""
        anywhere = np.full(targets, np.inf)
        ranges = TargetRanges(-anywhere, anywhere)
        return cls(ranges, shifts=None if shifts is None else shifts[np.newaxis])

    @property
    def median(self) -> int | None:
        """The number of the quantile that the point is, if it is one."""
        is_median = self.point == "median" and 0.5 in self.levels
        return self.levels.index(0.5) if is_median else None

    def without_shifts(self) -> "Correction":
        """The same, with quantiles and point where the model has them."""
        return dataclasses.replace(self, shifts=None, point="stays")

    def apply(
        self, point: Any, quantiles: Any | None, missing: Any | None = None
    ) -> tuple[Any, Any | None]:
        """Point and quantiles as they are answered.

        Args:
            point: `[N, H, T]`, raw, directions up to whole turns.
            quantiles: `[N, H, T, Q]`, around the point; None: it stands for each.
            missing: The share of each history that is missing, `[N]`; None for none.
        """
        ranges = self.ranges
        if self.shifts is not None:
            stated = point[..., tf.newaxis] if quantiles is None else quantiles
            stated = ranges.clip_quantiles(stated)
            moved = stated + self._shifts_of(missing, point) * self._spread(stated)
            # Each is shifted by itself, after which two might have changed places.
            quantiles = tf.sort(moved, axis=-1)
        if quantiles is None:
            return self._on_circle(ranges.clip(point)), None
        point = self._following(point, quantiles)
        quantiles = _around(point, quantiles, ranges.directions)
        quantiles = ranges.clip_quantiles(quantiles)
        return (
            self._on_circle(ranges.clip(point)),
            _swapped(self._on_circle(_swapped(quantiles))),
        )

    def fitted_shifts(
        self,
        truth: np.ndarray,
        point: np.ndarray,
        quantiles: np.ndarray | None,
        independent: np.ndarray | None = None,
    ) -> np.ndarray:
        """The shifts for forecasts as the system makes them.

        Args:
            truth: `[N, H, T]`, NaN where missing.
            point: `[N, H, T]`.
            quantiles: `[N, H, T, Q]`, or None: the point stands for each.
            independent: By lead, how many errors tell what the N do, `[H]`; N if None.

        Returns:
            float32 `[H, T, Q]`; of few windows those of neighbouring leads together.
        """
        ranges = self.ranges
        stated = point[..., np.newaxis] if quantiles is None else quantiles
        # Within the reach of a direction's quantiles, as those that are answered.
        stated = unwrapped_quantiles(stated, point, ranges.directions)
        truth = unwrapped(truth, point, ranges.directions)
        stated = np.asarray(ranges.clip_quantiles(stated))
        spread = self._spread(stated).numpy()
        truth, stated = truth / spread[..., 0], stated / spread
        # So many leads before each and behind it.
        reach = math.ceil(max(_WANTED / max(len(truth), 1) - 1, 0) / 2)
        shifts = []
        for lead in range(truth.shape[1]):
            near = slice(max(lead - reach, 0), lead + reach + 1)
            parts = (
                _leads_as_windows(truth[:, near]),
                _leads_as_windows(stated[:, near]),
            )
            number = None if independent is None else float(independent[lead])
            shifts.append(quantile_shifts(*parts, self.levels, number))
        return np.concatenate(shifts)

    def _spread(self, quantiles: Any) -> Any:
        """What shifts are multiples of, `[..., T, 1]`."""
        if self.least_spread is None:
            return tf.ones_like(quantiles[..., :1])
        least = tf.cast(self.least_spread[:, np.newaxis], quantiles.dtype)
        return tf.maximum(quantiles[..., -1:] - quantiles[..., :1], least)

    def _shifts_of(self, missing: Any | None, point: Any) -> Any:
        """`[N, H, T, Q]`, or what is broadcast to it."""
        shifts = tf.cast(self.shifts, point.dtype)
        if missing is None or not self.edges:
            return shifts[0]
        edges = tf.constant(self.edges, tf.float32)
        # Not by `tf.searchsorted`, which ONNX lacks.
        is_behind = edges < tf.cast(missing, tf.float32)[..., tf.newaxis]
        return tf.gather(shifts, tf.reduce_sum(tf.cast(is_behind, tf.int32), axis=-1))

    def _following(self, point: Any, quantiles: Any) -> Any:
        if self.point == "stays":
            return point
        if self.median is not None:
            return quantiles[..., self.median]
        intervals = central_intervals(self.levels)
        if not intervals:
            return point
        lower, upper, _ = intervals[-1]
        return tf.clip_by_value(point, quantiles[..., lower], quantiles[..., upper])

    def _on_circle(self, values: Any) -> Any:
        """`[..., T]`, with directions from 0 to less than 360."""
        if not self.ranges.directions:
            return values
        is_direction = np.isin(np.arange(values.shape[-1]), self.ranges.directions)
        return tf.where(is_direction, on_circle(values), values)

    def as_arrays(self) -> dict[str, np.ndarray]:
        """For `numpy.savez`."""
        arrays = {
            "least": self.ranges.least,
            "most": self.ranges.most,
            "directions": np.array(self.ranges.directions, np.int64),
            "levels": np.array(self.levels),
            "edges": np.array(self.edges),
            "point": np.array(self.point),
        }
        further = {"shifts": self.shifts, "least_spread": self.least_spread}
        return arrays | {
            name: array for name, array in further.items() if array is not None
        }

    @classmethod
    def mean(cls, corrections: Sequence["Correction"]) -> "Correction":
        """Of several that differ in their shifts alone."""
        shifts = [each.shifts for each in corrections if each.shifts is not None]
        mean = np.mean(shifts, axis=0) if shifts else None
        return dataclasses.replace(corrections[0], shifts=mean)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Correction":
        """What `as_arrays` gave."""
        ranges = TargetRanges(
            arrays["least"], arrays["most"], tuple(arrays["directions"].tolist())
        )
        return cls(
            ranges,
            tuple(arrays["levels"].tolist()),
            arrays.get("shifts"),
            tuple(arrays["edges"].tolist()),
            arrays["point"].item(),
            arrays.get("least_spread"),
        )


def directions_of(variables: Sequence[Variable]) -> tuple[int, ...]:
    """The numbers of those that are directions."""
    return tuple(n for n, each in enumerate(variables) if each.kind == "direction")


def missing_bins() -> list[tuple[float, float]]:
    """The shares that may be missing in each bin, above the first, up to the second."""
    return list(itertools.pairwise((-1.0, *MISSING_EDGES, 1.0)))


def missing_share(observed: Any) -> Any:
    """The share of each history that is missing, `[N]`, of its mask `[N, L, F]`."""
    return 1 - tf.reduce_mean(tf.cast(observed, tf.float32), axis=(1, 2))


def _leads_as_windows(values: np.ndarray) -> np.ndarray:
    """From `[N, H, ...]` to `[N * H, 1, ...]`."""
    return values.reshape(-1, 1, *values.shape[2:])


def quantile_shifts(
    truth: np.ndarray,
    quantiles: np.ndarray,
    levels: Sequence[float],
    independent: float | None = None,
) -> np.ndarray:
    """What to add to forecast quantiles so that they hold on new data what they state.

    Split-conformal correction: for each lead time, target and level q the shift is an
    order statistic of the n differences truth less quantile: the ceil((n + 1) q)-th
    smallest from the median upwards, the floor((n + 1) q)-th below it, so an interval
    errs to the wide side. Were new windows exchangeable with these, the truth would lie
    at or below the shifted quantile with a probability of at least q (below the median:
    at most q). Weather is not, and neighbouring windows overlap, so the coverage that
    was reached on the test part is what counts. Where n differences tell no more than m
    independent ones, the rank is that of these, ceil(n (m + 1) q / m), and below the
    median as much nearer to the lowest. Source: Romano, Patterson and Candès 2019,
    "Conformalized Quantile Regression", one side at a time.

    Args:
        truth: `[N, H, T]`, NaN where missing.
        quantiles: `[N, H, T, Q]`, or `[N, H, T, 1]`, a point that stands for each.
        levels: Of the quantiles, Q.
        independent: m, at least 1; n if None.

    Returns:
        float32 `[H, T, Q]`; 0 where all truths are missing.
    """
    count = np.isfinite(truth).sum(axis=0)
    shifts = np.zeros((*truth.shape[1:], len(levels)), np.float32)
    for number, level in enumerate(levels):
        stated = quantiles[..., min(number, quantiles.shape[-1] - 1)]
        # What is missing is sorted to the end.
        scores = np.sort(truth - stated, axis=0)
        # The median has no wide side to err to.
        is_exact = independent is None or level == 0.5
        further = 1.0 if is_exact else np.maximum(count / independent, 1.0)
        rank = np.ceil((count + further) * max(level, 1 - level))
        rank = rank if level >= 0.5 else count + 1 - rank
        index = np.clip(rank.astype(int), 1, np.maximum(count, 1)) - 1
        chosen = np.take_along_axis(scores, index[None], axis=0)[0]
        shifts[..., number] = np.where(count > 0, chosen, 0.0)
    return shifts


def _around(point: Any, quantiles: Any, directions: Sequence[int]) -> Any:
    """Quantiles of directions less than half a turn from the point."""
    if not directions:
        return quantiles
    is_direction = np.isin(np.arange(point.shape[-1]), directions)[:, np.newaxis]
    offset = quantiles - point[..., tf.newaxis]
    near = tf.clip_by_value(offset, -_FARTHEST, _FARTHEST)
    return tf.where(is_direction, point[..., tf.newaxis] + near, quantiles)


def _swapped(values: Any) -> Any:
    """With the last two axes exchanged."""
    return tf.linalg.matrix_transpose(values)
