"""A trained model with forecasts in raw units, and the correction of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from recurra.layers import monte_carlo

from .combination import Combination
from .correction import Correction, missing_share
from .members import SimpleMembers
from .model import mean_over_ensemble
from .scaling import Scaling

#: Point forecasts `[N, H, T]` and quantiles `[N, H, T, Q]`, in raw units.
Forecasts = tuple[tf.Tensor, tf.Tensor]


class Forecaster:
    """From a batch's features to forecasts in raw units: graph code.

    Directions of forecasts that are not corrected are up to whole turns.

    Args:
        model: As `build_model` makes it.
        scaling: Of the targets.
        correction: Makes answers of the model's forecasts.
        members: Simple forecasts; None where there are none beside the model's.
        combination: Of the model's and theirs.
    """

    def __init__(
        self,
        model: keras.Model,
        scaling: Scaling,
        correction: Correction,
        members: SimpleMembers | None = None,
        combination: Combination | None = None,
    ):
        self.model = model
        self._period = scaling.period
        self._mean = scaling.mean.astype(scaling.dtype)
        self._scale = scaling.scale.astype(scaling.dtype)
        self._correction = correction
        self._members = members
        self._combination = combination

    @property
    def variables(self) -> Sequence[Any]:
        """Those that an export saves."""
        of_members = self._members.variables if self._members else []
        return [*self.model.variables, *of_members]

    def forecast(self, features: Mapping[str, tf.Tensor]) -> Forecasts:
        """The answers: combined and corrected."""
        point, quantiles = self.combined(features, *self.recurrent(features))
        stated = quantiles if quantiles.shape[-1] else None
        missing = missing_share(features["observed"])
        point, corrected = self._correction.apply(point, stated, missing)
        return point, quantiles if corrected is None else corrected

    def recurrent(self, features: Mapping[str, tf.Tensor]) -> Forecasts:
        """Those of the recurrent networks alone."""
        outputs = self.model(features, training=False)
        outputs = mean_over_ensemble(outputs, self._period)
        outputs = tf.cast(outputs, self._mean.dtype)
        point = outputs[..., 0] * self._scale + self._mean
        quantiles = outputs[..., 1:] * self._scale[:, None] + self._mean[:, None]
        median = self._correction.median
        return point if median is None else quantiles[..., median], quantiles

    def combined(
        self, features: Mapping[str, tf.Tensor], point: tf.Tensor, quantiles: tf.Tensor
    ) -> Forecasts:
        """Of the recurrent and the simple ones, by the fitted weights."""
        if self._members is None or self._combination is None:
            return point, quantiles
        move = self._combination.moves(
            self._members.forecast(features), point, self._correction.ranges
        )
        return point + move, quantiles + move[..., tf.newaxis]

    def spread(self, features: Mapping[str, tf.Tensor], passes: int) -> Forecasts:
        """Mean and spread of the point over passes with noise left on, `[N, H, T]`.

        Simple forecasts have no noise, so they take their weight from the spread.
        """
        points = mean_over_ensemble(self.model.output, self._period)[..., 0]
        model = keras.Model(self.model.input, points)
        result = monte_carlo(model, features, passes)
        mean = tf.cast(result.mean, self._mean.dtype) * self._scale + self._mean
        spread = tf.cast(result.spread, self._mean.dtype) * self._scale
        mean, _ = self.combined(features, mean, mean[..., tf.newaxis])
        mean, _ = self._correction.without_shifts().apply(mean, None)
        if self._combination is not None:
            spread *= self._combination.weights[..., 0]
        return mean, spread
