"""What an exported weather model answers: signatures in raw units."""

import numpy as np
import tensorflow as tf

from ..core.portable import MODEL_GRAPH, NumberGraph, Portable
from ..core.serving_module import ServingModule, graph
from ..data.series.steps import Step
from .forecaster import Forecaster
from .model_inputs import history_inputs, known_inputs, seconds_of
from .scaling import Scaling
from .windows import WindowShape


class WeatherServing(ServingModule):
    """Raw histories in, forecasts in raw units out.

    The answer to `history` float32 `[N, L, F]`, NaN where a value is missing, `start`
    string `[N]`, the ISO time of each history's last row, and, where columns are known
    ahead, `known_future` float32 `[N, H, V]`, is `forecast` float32 `[N, H, T]` and,
    where there are quantiles, `quantiles` float32 `[N, H, T, Q]`. All of them are
    float64 where float32 would lose values, see `Scaling.dtype`.

    Args:
        forecaster: Of the trained model.
        shape: What a window holds.
        scaling: Of all variables.
        step: From step to step.
        passes: With noise left on, for `spread`; 0 for none.
    """

    def __init__(
        self,
        forecaster: Forecaster,
        shape: WindowShape,
        scaling: Scaling,
        step: Step,
        passes: int = 0,
    ):
        super().__init__(
            "weather",
            forecaster.variables,
            forecaster=forecaster,
            scaling=scaling,
        )
        self._shape = shape
        self._step = step
        self._passes = passes

    def signatures(self) -> dict[str, tf.types.experimental.PolymorphicFunction]:
        """The functions to export, by name.

        `serving_default`; `from_history`, which takes `history` alone, where nothing
        else is used; and `spread`, `mean` and `spread` of passes with noise left on,
        where passes are asked for.
        """
        shape = self._shape
        history, known_future = self._raw_inputs()
        start = tf.TensorSpec([None], tf.string, "start")
        inputs = [history, start, *known_future]
        signatures = {"serving_default": graph(self._forecast, inputs)}
        if not shape.calendar and not shape.known_future:
            signatures["from_history"] = graph(self._forecast, inputs[:1])
        if self._passes:
            signatures["spread"] = graph(self._spread, inputs)
        return signatures

    def portable(self) -> Portable:
        """The same of numbers alone, with `seconds` in place of `start`."""
        history, known_future = self._raw_inputs()
        signature = [history, *known_future]
        if self._shape.calendar:
            signature.append(tf.TensorSpec([None], tf.int64, "seconds"))
        names = [spec.name for spec in signature]

        def forecast(*values: tf.Tensor) -> dict[str, tf.Tensor]:
            given = dict(zip(names, values, strict=True))
            return self._forecast_from(
                given["history"], given.get("seconds"), given.get("known_future")
            )

        return Portable({MODEL_GRAPH: NumberGraph(forecast, signature)})

    def _raw_inputs(self) -> tuple[tf.TensorSpec, list[tf.TensorSpec]]:
        """Of the history, and, if columns are known ahead, of these."""
        shape, scaling = self._shape, self.untracked.scaling
        dtype = tf.as_dtype(scaling.dtype)
        sizes = [None, shape.history, len(scaling.mean)]
        history = tf.TensorSpec(sizes, dtype, "history")
        if not shape.known_future:
            return history, []
        known = [None, shape.horizon, len(shape.known_future)]
        return history, [tf.TensorSpec(known, dtype, "known_future")]

    def _forecast(
        self,
        history: tf.Tensor,
        start: tf.Tensor | None = None,
        known_future: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        seconds = None if start is None else seconds_of(start)
        return self._forecast_from(history, seconds, known_future)

    def _forecast_from(
        self,
        history: tf.Tensor,
        seconds: tf.Tensor | None,
        known_future: tf.Tensor | None,
    ) -> dict[str, tf.Tensor]:
        features = self._features(history, seconds, known_future)
        point, quantiles = self.untracked.forecaster.forecast(features)
        answer = {"forecast": point}
        return answer | {"quantiles": quantiles} if quantiles.shape[-1] else answer

    def _spread(
        self,
        history: tf.Tensor,
        start: tf.Tensor | None = None,
        known_future: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        seconds = None if start is None else seconds_of(start)
        features = self._features(history, seconds, known_future)
        mean, spread = self.untracked.forecaster.spread(features, self._passes)
        return {"mean": mean, "spread": spread}

    def _features(
        self,
        history: tf.Tensor,
        seconds: tf.Tensor | None,
        known_future: tf.Tensor | None,
    ) -> dict[str, tf.Tensor]:
        shape, scaling = self._shape, self.untracked.scaling
        features = history_inputs(
            history, scaling.mean, scaling.scale, scaling.directions
        )
        if not shape.calendar and not shape.known_future:
            return features
        known = scaling.of(shape.known_future)
        numbers = tf.constant(shape.known_future, tf.int32)
        back = np.arange(1 - shape.history, 1)
        ahead = np.array(shape.leads)
        stamps = seconds[:, None] if shape.calendar and seconds is not None else None
        for name, steps, values in (
            ("known_history", back, tf.gather(history, numbers, axis=-1)),
            ("known_future", ahead, known_future),
        ):
            features[name] = known_inputs(
                None if stamps is None else self._step.add(stamps, steps),
                values if shape.known_future else None,
                known.mean,
                known.scale,
                known.directions,
                week=shape.week,
            )
        return features
