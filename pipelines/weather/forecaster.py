"""A trained model with its answers in raw units."""

import keras
import numpy as np
import tensorflow as tf

from recurra.layers import monte_carlo

from .model import mean_of_members
from .scaling import Scaling


class Forecaster:
    """From a batch's features to forecasts in raw units: graph code.

    Args:
        model: As `build_model` makes it.
        scaling: Of the targets.
        shifts: What conformal correction adds to the quantiles, `[H, T, Q]`; None to
            leave them as they are.
    """

    def __init__(self, model: keras.Model, scaling: Scaling, shifts: np.ndarray | None):
        self.model = model
        self._mean = scaling.mean
        self._scale = scaling.scale
        self._shifts = shifts

    def forecast(self, features: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """The point forecasts `[N, H, T]` and the quantiles `[N, H, T, Q]`."""
        outputs = mean_of_members(self.model(features, training=False))
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
        points = mean_of_members(self.model.output)[..., 0]
        model = keras.Model(self.model.input, points)
        result = monte_carlo(model, features, passes)
        return result.mean * self._scale + self._mean, result.spread * self._scale
