"""A trained model with forecasts in raw units, and the correction of them."""

import keras
import tensorflow as tf

from recurra.layers import monte_carlo

from .correction import Correction, missing_share
from .model import mean_over_ensemble
from .scaling import Scaling


class Forecaster:
    """From a batch's features to forecasts in raw units: graph code.

    Args:
        model: As `build_model` makes it.
        scaling: Of the targets.
        correction: Makes answers of the model's forecasts; None to leave them as they
            are, with directions up to whole turns.
    """

    def __init__(
        self,
        model: keras.Model,
        scaling: Scaling,
        correction: Correction | None = None,
    ):
        self.model = model
        self._period = scaling.period
        self._mean = scaling.mean.astype(scaling.dtype)
        self._scale = scaling.scale.astype(scaling.dtype)
        self._correction = correction

    def forecast(self, features: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """The point forecasts `[N, H, T]` and the quantiles `[N, H, T, Q]`."""
        outputs = self.model(features, training=False)
        outputs = mean_over_ensemble(outputs, self._period)
        outputs = tf.cast(outputs, self._mean.dtype)
        point = outputs[..., 0] * self._scale + self._mean
        quantiles = outputs[..., 1:] * self._scale[:, None] + self._mean[:, None]
        if self._correction is None:
            return point, quantiles
        stated = quantiles if quantiles.shape[-1] else None
        missing = missing_share(features["observed"])
        point, corrected = self._correction.apply(point, stated, missing)
        return point, quantiles if corrected is None else corrected

    def spread(
        self, features: dict[str, tf.Tensor], passes: int
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and spread of the point over passes with noise left on, `[N, H, T]`."""
        points = mean_over_ensemble(self.model.output, self._period)[..., 0]
        model = keras.Model(self.model.input, points)
        result = monte_carlo(model, features, passes)
        mean = tf.cast(result.mean, self._mean.dtype) * self._scale + self._mean
        if self._correction is not None:
            mean, _ = self._correction.without_shifts().apply(mean, None)
        return mean, tf.cast(result.spread, self._mean.dtype) * self._scale
