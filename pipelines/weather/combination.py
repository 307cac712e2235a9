"""The forecast that is given: the recurrent one and simple ones, by fitted weights."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from scipy import optimize

from .config import ForecastConfig
from .correction import TargetRanges
from .directions import wrapped
from .windows import spread_numbers

# The later, the longer: near ones differ more.
_MOST_BLOCKS = 4
# So many errors tell the weights of a target and block.
_MOST_ERRORS = 50_000
# Of the loss, for weights that are one apart, where one horizon alone was seen.
_SHRINKAGE = 1.0
# A member that counts less than this is left out.
_LEAST_WEIGHT = 0.01
# Standard deviations within which the absolute loss is rounded off, to have a slope.
_ROUNDED = 1e-2

# Values and slopes at errors.
_Loss = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Combination:
    """Moves point and quantiles of the recurrent forecast to a weighted mean of points.

    Weights are not negative and sum to one. The quantiles keep their distances from the
    point: their spread is the recurrent one, which knows that nights are calm. Simple
    forecasts lie within the bounds of their variable, those of directions within half a
    turn of the recurrent one.

    Attributes:
        names: Of the simple members, M.
        weights: float32 `[H, T, 1 + M]`, of the recurrent forecast first.
    """

    names: tuple[str, ...]
    weights: np.ndarray

    def moves(self, members: Any, point: Any, ranges: TargetRanges) -> Any:
        """What is added to point and quantiles, `[N, H, T]`.

        Args:
            members: Raw simple forecasts, `[N, H, T, M]`.
            point: The recurrent one, `[N, H, T]`.
            ranges: Of the targets.
        """
        beside = differences(members, point, ranges)
        return tf.reduce_sum(beside * tf.cast(self.weights[..., 1:], beside.dtype), -1)

    def by_block(self) -> list[tuple[slice, np.ndarray]]:
        """Stretches of the lead times, and their weights `[T, 1 + M]`."""
        blocks = lead_blocks(len(self.weights))
        return [(leads, self.weights[leads.start]) for leads in blocks]

    def as_arrays(self) -> dict[str, np.ndarray]:
        """For `numpy.savez`."""
        return {"names": np.array(self.names), "weights": self.weights}

    @classmethod
    def mean(cls, combinations: Sequence["Combination"]) -> "Combination":
        """Of several with the same members."""
        weights = np.mean([each.weights for each in combinations], axis=0)
        return cls(combinations[0].names, weights)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Combination":
        """What `as_arrays` gave."""
        return cls(tuple(arrays["names"].tolist()), arrays["weights"])


def differences(members: Any, point: Any, ranges: TargetRanges) -> Any:
    """What simple forecasts are beside the recurrent one, `[N, H, T, M]`.

    Args:
        members: Raw, `[N, H, T, M]`.
        point: `[N, H, T]`.
        ranges: Of the targets.
    """
    beside = ranges.clip_quantiles(members) - point[..., tf.newaxis]
    if not ranges.directions:
        return beside
    is_direction = np.isin(np.arange(point.shape[-1]), ranges.directions)
    return tf.where(is_direction[:, np.newaxis], wrapped(beside), beside)


def lead_blocks(horizon: int) -> list[slice]:
    """Stretches of the lead times that have weights of their own."""
    edges = horizon * np.linspace(0, 1, _MOST_BLOCKS + 1) ** 2
    edges = np.unique(np.ceil(edges).astype(int))
    return [slice(*pair) for pair in zip(edges[:-1], edges[1:], strict=True)]


def fit_weights(
    errors: np.ndarray,
    beside: np.ndarray,
    forecast: ForecastConfig,
    independent: float,
) -> np.ndarray:
    """The weights with which the loss of the point is least on held-out windows.

    Weights of all targets and lead times together are drawn to those by the inverse
    squares of the members' losses (Bates and Granger 1969, "The Combination of
    Forecasts"), those of a target to these, and those of a block of its lead times to
    the target's: the more, the less was seen.

    Args:
        errors: Truth less recurrent forecast in standard deviations of the training
            part, `[N, H, T]`, NaN where missing.
        beside: Simple forecasts less the recurrent one, `[N, H, T, M]`.
        forecast: With the loss of the point.
        independent: How many horizons the windows hold beside each other.

    Returns:
        float32 `[H, T, 1 + M]`, as `Combination` has them.
    """
    loss = _losses(forecast.point_loss)
    targets, members = errors.shape[-1], 1 + beside.shape[-1]

    def fitted(leads: slice, targets: Any, prior: np.ndarray | None) -> np.ndarray:
        error = errors[:, leads, targets].ravel()
        parts = beside[:, leads, targets].reshape(len(error), -1)
        (kept,) = np.nonzero(np.isfinite(error))
        kept = kept[spread_numbers(len(kept), _MOST_ERRORS)]
        if not len(kept):
            return np.eye(members)[0] if prior is None else prior
        inputs = np.column_stack([np.zeros(len(kept)), parts[kept]])
        error = error[kept].astype(np.float64)
        return _least_loss(error, inputs, loss, prior, _SHRINKAGE / independent)

    everything = fitted(slice(None), slice(None), None)
    weights = np.empty((*errors.shape[1:], members), np.float32)
    for target in range(targets):
        of_target = fitted(slice(None), target, everything)
        for leads in lead_blocks(errors.shape[1]):
            weights[leads, target] = fitted(leads, target, of_target)
    return weights


def _least_loss(
    error: np.ndarray,
    inputs: np.ndarray,
    loss: _Loss,
    prior: np.ndarray | None,
    shrinkage: float,
) -> np.ndarray:
    """Weights of the inputs `[N, M]`, not negative and of sum one.

    Args:
        error: That their sum is to explain, `[N]`.
        inputs: `[N, M]`.
        loss: Of what is left.
        prior: To which weights are drawn; the inverse squares of losses if None.
        shrinkage: How much, as a fraction of the best input's loss.
    """
    losses = np.array([loss(error - column)[0].mean() for column in inputs.T])
    if prior is None:
        prior = 1 / np.maximum(losses, 1e-9) ** 2
        prior = prior / prior.sum()
    strength = shrinkage * losses.min()

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        values, slopes = loss(error - inputs @ weights)
        away = weights - prior
        value = values.mean() + strength * (away**2).sum()
        return value, 2 * strength * away - slopes @ inputs / len(error)

    found = optimize.minimize(
        objective,
        prior,
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * len(prior),
        constraints={
            "type": "eq",
            "fun": lambda weights: weights.sum() - 1,
            "jac": np.ones_like,
        },
    ).x
    found = np.where(found < _LEAST_WEIGHT, 0.0, found)
    found = found / found.sum() if found.sum() > 0 else prior
    # A search that went astray gives nothing that is worse than where it began.
    return found if objective(found)[0] <= objective(prior)[0] else prior


def _losses(name: str) -> _Loss:
    """The loss of the point and its slope, of errors."""

    def squared(error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return error**2, 2 * error

    def absolute(error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        size = np.sqrt(error**2 + _ROUNDED**2)
        return size - _ROUNDED, error / size

    def huber(error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        size = np.abs(error)
        values = np.where(size <= 1, 0.5 * error**2, size - 0.5)
        return values, np.clip(error, -1.0, 1.0)

    return {"mse": squared, "mae": absolute, "huber": huber}[name]
