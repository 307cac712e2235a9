"""A trained model with forecasts in raw units, and the correction of its quantiles."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from recurra.layers import monte_carlo

from .model import mean_over_ensemble
from .scaling import Scaling


class Forecaster:
    """From a batch's features to forecasts in raw units: graph code.

    Args:
        model: As `build_model` makes it.
        scaling: Of the targets.
        shifts: What conformal correction adds to the quantiles, `[H, T, Q]`; None to
            leave them as they are.
    """

    def __init__(
        self, model: keras.Model, scaling: Scaling, shifts: np.ndarray | None = None
    ):
        self.model = model
        self._mean = scaling.mean
        self._scale = scaling.scale
        self._shifts = shifts

    def forecast(self, features: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """The point forecasts `[N, H, T]` and the quantiles `[N, H, T, Q]`."""
        outputs = mean_over_ensemble(self.model(features, training=False))
        point = outputs[..., 0] * self._scale + self._mean
        quantiles = outputs[..., 1:] * self._scale[:, None] + self._mean[:, None]
        if self._shifts is not None:
            # Each is shifted by itself, after which two might have changed places.
            quantiles = tf.sort(quantiles + self._shifts, axis=-1)
        return point, quantiles

    def spread(
        self, features: dict[str, tf.Tensor], passes: int
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and spread of the point over passes with noise left on, `[N, H, T]`."""
        points = mean_over_ensemble(self.model.output)[..., 0]
        model = keras.Model(self.model.input, points)
        result = monte_carlo(model, features, passes)
        return result.mean * self._scale + self._mean, result.spread * self._scale


def quantile_shifts(
    truth: np.ndarray, quantiles: np.ndarray, levels: Sequence[float]
) -> np.ndarray:
    """What to add to forecast quantiles so that they hold on new data what they state.

    Split-conformal correction: for each lead time, target and level q the shift is an
    order statistic of the n differences truth less quantile: the ceil((n + 1) q)-th
    smallest from the median upwards, the floor((n + 1) q)-th below it, so an interval
    errs to the wide side. Were new windows exchangeable with these, the truth would lie
    at or below the shifted quantile with a probability of at least q (below the median:
    at most q). Weather is not, and neighbouring windows overlap, so the coverage that
    was reached on the test part is what counts. Source: Romano, Patterson and Candès
    2019, "Conformalized Quantile Regression", one side at a time.

    Args:
        truth: `[N, H, T]`, NaN where missing.
        quantiles: `[N, H, T, Q]`, or `[N, H, T, 1]`, a point that stands for each.
        levels: Of the quantiles, Q.

    Returns:
        float32 `[H, T, Q]`; 0 where all truths are missing.
    """
    count = np.isfinite(truth).sum(axis=0)
    shifts = np.zeros((*truth.shape[1:], len(levels)), np.float32)
    for number, level in enumerate(levels):
        stated = quantiles[..., min(number, quantiles.shape[-1] - 1)]
        # What is missing is sorted to the end.
        scores = np.sort(truth - stated, axis=0)
        rank = (count + 1) * level
        rank = np.ceil(rank) if level >= 0.5 else np.floor(rank)
        index = np.clip(rank.astype(int), 1, np.maximum(count, 1)) - 1
        chosen = np.take_along_axis(scores, index[None], axis=0)[0]
        shifts[..., number] = np.where(count > 0, chosen, 0.0)
    return shifts
