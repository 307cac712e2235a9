"""The simple forecasts that stand beside the recurrent one in a model: graph code.

They are the baselines as a model can have them, which knows a history and no series.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from .baselines import RepeatLast, SeasonalNaive
from .climatology import DAYS, HOURS, Climatology
from .model import angles_of
from .model_inputs import day_and_hour
from .ridge import Ridge
from .scaling import Scaling
from .windows import WindowShape

# Standard deviations. What is farther off is no measurement, and overflows in sums.
_FARTHEST = 1e6


class SimpleMembers:
    """Point forecasts of fitted baselines, from a batch's features.

    A seasonal naive forecast takes the season from the history, and is none where that
    is shorter. Climatology is that of all stations together, and there is none without
    a calendar.

    Args:
        baselines: By name.
        shape: What a window holds.
        scaling: Of all variables.

    Attributes:
        names: Of the members, M, in the order of the baselines.
        variables: Of TensorFlow, which an export saves.
    """

    def __init__(
        self, baselines: Mapping[str, Any], shape: WindowShape, scaling: Scaling
    ):
        self._shape, self._scaling = shape, scaling
        self._targets = scaling.of(shape.targets)
        self._components = list(scaling.components_of(shape.targets))
        self.variables: list[tf.Variable] = []
        made = {name: self._member(each) for name, each in baselines.items()}
        self._members = {name: each for name, each in made.items() if each is not None}
        self.names = list(self._members)

    def forecast(self, features: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """In raw units `[N, H, T, M]`, directions up to whole turns."""
        history = tf.clip_by_value(features["history"], -_FARTHEST, _FARTHEST)
        features = {**features, "history": history}
        dtype = self._scaling.dtype
        points = [tf.cast(each(features), dtype) for each in self._members.values()]
        return tf.stack(points, axis=-1)

    def _member(self, baseline: Any) -> Callable[[Any], tf.Tensor] | None:
        match baseline:
            case RepeatLast():
                return self._repeat_last
            case SeasonalNaive() if baseline.season <= self._shape.history:
                return self._seasonal_naive(baseline)
            case Climatology() if self._shape.calendar:
                return self._climatology(baseline)
            case Ridge():
                return self._ridge(baseline)
        return None

    def _repeat_last(self, features: Mapping[str, tf.Tensor]) -> tf.Tensor:
        last = tf.gather(features["history"][:, -1:], self._components, axis=-1)
        return tf.repeat(self._raw(last), self._shape.horizon, axis=1)

    def _seasonal_naive(self, baseline: SeasonalNaive) -> Callable[[Any], tf.Tensor]:
        history, observed = self._shape.history, list(self._shape.targets)
        observed += [each for each in observed if each in self._scaling.directions]
        rows = history - 1 + baseline.places(self._shape)
        seasons: list[np.ndarray] = []
        while (rows >= 0).all() and len(seasons) < baseline.most_seasons:
            seasons.append(rows)
            rows = rows - baseline.season

        def forecast(features: Mapping[str, tf.Tensor]) -> tf.Tensor:
            values = tf.gather(features["history"], self._components, axis=-1)
            is_there = tf.gather(features["observed"], observed, axis=-1) > 0
            # Where no season has a value, the last one before the latest stands.
            found = tf.gather(values, seasons[0], axis=1)
            for rows in reversed(seasons):
                found = tf.where(
                    tf.gather(is_there, rows, axis=1),
                    tf.gather(values, rows, axis=1),
                    found,
                )
            return self._raw(found)

        return forecast

    def _climatology(self, baseline: Climatology) -> Callable[[Any], tf.Tensor]:
        cells = baseline.of_all.reshape(DAYS * HOURS, -1)
        table = self._variable("climatology", cells)

        def forecast(features: Mapping[str, tf.Tensor]) -> tf.Tensor:
            day, hour = day_and_hour(features["known_future"])
            return tf.gather(table, day * HOURS + hour)

        return forecast

    def _ridge(self, ridge: Ridge) -> Callable[[Any], tf.Tensor]:
        """The regressions that have the same variables by one product."""
        targets, horizon = ridge.inputs.targets, self._shape.horizon
        groups: dict[tuple[int, ...], list[int]] = {}
        for number, regression in enumerate(ridge.regressions):
            groups.setdefault(regression.variables, []).append(number)
        weights = [
            self._variable(
                f"ridge_{place}",
                np.concatenate([ridge.regressions[n].weights for n in members], axis=1),
            )
            for place, members in enumerate(groups.values())
        ]
        order = np.argsort(np.concatenate(list(groups.values())))

        def forecast(features: Mapping[str, tf.Tensor]) -> tf.Tensor:
            parts = []
            for (variables, members), kernel in zip(
                groups.items(), weights, strict=True
            ):
                inputs, levels = self._lagged(features, ridge, variables)
                change = tf.reshape(inputs @ kernel, (-1, len(members), horizon))
                places = [variables.index(targets[n]) for n in members]
                level = tf.gather(levels, places, axis=-1)
                parts.append(level[..., tf.newaxis] + change)
            components = tf.gather(tf.concat(parts, axis=1), order, axis=1)
            return self._raw(tf.linalg.matrix_transpose(components))

        return forecast

    def _lagged(
        self,
        features: Mapping[str, tf.Tensor],
        ridge: Ridge,
        variables: Sequence[int],
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """What `LaggedInputs.make` makes."""
        values = tf.gather(features["history"], list(variables), axis=-1)
        levels = values[:, -1]
        changes = values[:, :-1] - levels[:, tf.newaxis]
        lags = tf.concat([changes, levels[:, tf.newaxis]], axis=1)
        columns = [tf.ones_like(levels[:, :1])]
        if ridge.inputs.calendar:
            width = ridge.inputs.first_lag - 1
            columns.append(features["known_history"][:, -1, :width])
        size = len(variables) * self._shape.history
        lags = tf.reshape(tf.linalg.matrix_transpose(lags), (-1, size))
        return tf.concat([*columns, lags], axis=-1), levels

    def _raw(self, components: tf.Tensor) -> tf.Tensor:
        """From standardised components of the targets, the last axis."""
        targets, dtype = self._targets, self._targets.dtype
        if targets.directions:
            components = angles_of(components, targets)
        scaled = tf.cast(components, dtype) * targets.scale.astype(dtype)
        return scaled + targets.mean.astype(dtype)

    def _variable(self, name: str, values: np.ndarray) -> tf.Variable:
        variable = tf.Variable(values.astype(np.float32), trainable=False, name=name)
        self.variables.append(variable)
        return variable
