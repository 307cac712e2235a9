"""The forecasting models: three recurrent ones, with a point and quantiles each."""

import dataclasses
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from recurra.layers import RNN

from ..core.training import make_optimizer
from ..recurrent import RecurrentConfig, recurrent_cell, recurrent_layer
from .config import ForecastConfig, ModelConfig, WeatherConfig
from .model_inputs import calendar_width
from .scaling import Scaling
from .windows import WindowShape


def build_model(
    configuration: WeatherConfig,
    shape: WindowShape,
    variables: int,
    scaling: Scaling | None = None,
) -> keras.Model:
    """The untrained model.

    Args:
        configuration: Sections `model` and `forecast`.
        shape: What a window holds.
        variables: F.
        scaling: Of all variables, which says what is a direction; None if none is.

    Returns:
        A functional model from the features of a batch, see `WindowSource`, to
        `[B, H, T, M, 1 + Q]`, standardised: for each of the M networks of the ensemble
        the point forecast, and behind it the quantiles, which never cross; the forecast
        is their `mean_over_ensemble`. The networks forecast both components of a
        direction; the point is the angle of the two, up to whole turns, and the
        quantiles stand around it.
    """
    if scaling is None:
        scaling = Scaling(np.zeros(variables), np.ones(variables))
    inputs = _inputs(shape, scaling)
    outputs = [
        _network(inputs, configuration, shape, scaling)
        for _ in range(configuration.model.ensemble_size)
    ]
    return keras.Model(inputs, ops.stack(outputs, axis=-2))


def mean_over_ensemble(outputs: Any, period: np.ndarray | None = None) -> Any:
    """From a model's outputs to `[B, H, T, 1 + Q]`; means of rising quantiles rise.

    Args:
        outputs: `[B, H, T, M, 1 + Q]`.
        period: Of the targets, see `Scaling.period`; None where none is a direction.
    """
    if period is not None and period.any():
        beside_first = outputs[..., 0] - outputs[..., :1, 0]
        turns = whole_turns(beside_first, period[:, np.newaxis])
        outputs = outputs - turns[..., np.newaxis]
    return ops.mean(outputs, axis=-2)


def whole_turns(difference: Any, period: np.ndarray) -> Any:
    """The multiple of the period that is nearest to a difference; 0 of no period.

    Args:
        difference: `[..., T]`, standardised.
        period: Of the targets, see `Scaling.period`.
    """
    a_period = np.where(period > 0, period, 1)
    per_turn = np.where(period > 0, 1 / a_period, 0).astype("float32")
    return ops.round(difference * per_turn) * a_period.astype("float32")


def compile_model(
    model: keras.Model,
    configuration: WeatherConfig,
    steps_per_epoch: int,
    period: np.ndarray | None = None,
) -> None:
    """Gives the model its optimizer, its loss and the metrics `point`, `mae`, `mse`.

    The loss of a target is that of the point forecast plus the weighted mean of the
    pinball losses of the quantiles, for each network by itself, so that the networks
    stay different. Missing targets have no loss. The metrics are of the mean of the
    networks' points; `point` is its loss. Errors of directions are those round the
    circle, from half a turn before the point to half a turn behind it.

    Args:
        model: As `build_model` makes it.
        configuration: Sections `forecast` and `training`.
        steps_per_epoch: Batches of an epoch.
        period: Of the targets, see `Scaling.period`; None where none is a direction.
    """
    forecast = configuration.forecast
    if period is None:
        period = np.zeros(model.output.shape[2])

    def loss(targets: Any, outputs: Any) -> Any:
        error = ops.expand_dims(ops.expand_dims(targets, -1), -1) - outputs
        if period.any():
            turns = whole_turns(error[..., 0], period[:, np.newaxis])
            error = error - turns[..., np.newaxis]
        total = _point_loss(forecast, error[..., 0])
        if forecast.quantiles:
            total += forecast.quantile_weight * ops.mean(
                pinball(error[..., 1:], forecast.quantiles), axis=-1
            )
        return ops.mean(total, axis=-1)

    def error_of_mean(targets: Any, outputs: Any) -> Any:
        error = targets - mean_over_ensemble(outputs, period)[..., 0]
        return error - whole_turns(error, period) if period.any() else error

    def point(targets: Any, outputs: Any) -> Any:
        return _point_loss(forecast, error_of_mean(targets, outputs))

    def mae(targets: Any, outputs: Any) -> Any:
        return ops.abs(error_of_mean(targets, outputs))

    def mse(targets: Any, outputs: Any) -> Any:
        return ops.square(error_of_mean(targets, outputs))

    model.compile(
        optimizer=make_optimizer(configuration.training, steps_per_epoch),
        loss=loss,
        weighted_metrics=[
            keras.metrics.MeanMetricWrapper(function, name=function.__name__)
            for function in (point, mae, mse)
        ],
    )


def pinball(error: Any, quantiles: list[float]) -> Any:
    """`max(q e, (q - 1) e)` with `e` truth less forecast (Koenker and Bassett 1978).

    Args:
        error: `[..., Q]`.
        quantiles: `Q` levels.
    """
    levels = ops.convert_to_tensor(quantiles, error.dtype)
    return ops.maximum(levels * error, (levels - 1) * error)


def ordered_around(point: Any, raw: Any, forecast: ForecastConfig) -> Any:
    """Point and quantiles, `[..., 1 + Q]`, the quantiles in rising order.

    The quantile nearest to the median stands at the point plus an offset (none where
    the point is a median itself), and each further one a positive distance from its
    neighbour, so none cross whatever the weights are.

    Args:
        point: `[..., 1]`.
        raw: `[..., Q]`, any numbers.
        forecast: Quantiles, and what the point is.
    """
    quantiles = forecast.quantiles
    middle = min(range(len(quantiles)), key=lambda each: abs(quantiles[each] - 0.5))
    centre = point + raw[..., middle : middle + 1]
    if forecast.point_loss == "mae" and quantiles[middle] == 0.5:
        centre = point
    distances = ops.softplus(raw)
    below = ops.flip(ops.cumsum(ops.flip(distances[..., :middle], -1), -1), -1)
    above = ops.cumsum(distances[..., middle + 1 :], -1)
    return ops.concatenate([point, centre - below, centre, centre + above], axis=-1)


def _point_loss(forecast: ForecastConfig, error: Any) -> Any:
    if forecast.point_loss == "mse":
        return ops.square(error)
    distance = ops.abs(error)
    if forecast.point_loss == "mae":
        return distance
    # Huber's with its bend at one standard deviation.
    return ops.where(distance <= 1, 0.5 * ops.square(error), distance - 0.5)


def _inputs(shape: WindowShape, scaling: Scaling) -> dict[str, Any]:
    variables = len(scaling.mean)
    components = variables + len(scaling.directions)
    inputs = {
        "history": keras.Input((shape.history, components), name="history"),
        "observed": keras.Input((shape.history, variables), name="observed"),
    }
    directions = scaling.of(shape.known_future).directions
    known = calendar_width(shape.calendar, shape.week)
    known += 2 * len(shape.known_future) + len(directions)
    if known:
        inputs["known_history"] = keras.Input(
            (shape.history, known), name="known_history"
        )
        inputs["known_future"] = keras.Input(
            (shape.horizon, known), name="known_future"
        )
    return inputs


def _network(
    inputs: dict[str, Any],
    configuration: WeatherConfig,
    shape: WindowShape,
    scaling: Scaling,
) -> Any:
    """The outputs of one network, `[B, H, T, 1 + Q]`."""
    config, forecast = configuration.model, configuration.forecast
    targets = scaling.of(shape.targets)
    # Both components of a direction are forecast like any target.
    shape = dataclasses.replace(shape, targets=scaling.components_of(shape.targets))
    history = ops.take(inputs["history"], list(shape.targets), axis=-1)
    level = _level(config, history)
    build = {
        "direct": _direct,
        "encoder_decoder": _encoder_decoder,
        "segments": _segments,
    }[config.kind]
    raw = build(inputs, history - level, config, shape, 1 + len(forecast.quantiles))
    raw = ops.cast(raw, "float32")
    point = raw[..., :1] + ops.expand_dims(level, -1)
    if config.linear:
        linear = OwnLinear(shape.horizon)(history - level)
        point = point + ops.expand_dims(linear, -1)
    if targets.directions:
        point = angles_of(point[..., 0], targets)[..., np.newaxis]
        raw = raw[:, :, : len(targets.mean)]
    if not forecast.quantiles:
        return point
    return ordered_around(point, raw[..., 1:], forecast)


def angles_of(components: Any, targets: Scaling) -> Any:
    """From components `[B, H, T + D]` to `[B, H, T]`, standardised.

    Args:
        components: Of the targets, see `Scaling`.
        targets: Their scaling.
    """
    number, scaling = len(targets.mean), targets.of_components()
    is_direction = targets.period > 0
    # Where there is no cosine any other number stands, and is not used.
    cosines = np.arange(number)
    cosines[list(targets.directions)] = number + np.arange(len(targets.directions))
    mean = scaling.mean[cosines].astype("float32")
    scale = scaling.scale[cosines].astype("float32")
    sine = components[..., :number]
    cosine = ops.take(components, cosines.tolist(), axis=-1) * scale + mean
    # Not 0 over 0, which has no gradient.
    usable = ops.where(is_direction, cosine + 1e-7, 1.0)
    angle = ops.arctan2(ops.where(is_direction, sine * scale, 0.0), usable) / scale
    return ops.where(is_direction, angle, sine)


def _level(config: ModelConfig, history: Any) -> Any:
    """What the forecast is added to, `[B, 1, T]`."""
    if config.level == "last":
        return history[:, -1:]
    mean = ops.mean(history, axis=1, keepdims=True)
    return mean if config.level == "mean" else ops.zeros_like(mean)


def _encoder_steps(inputs: dict[str, Any]) -> Any:
    """All that is known of each step of the history."""
    names = [name for name in inputs if name != "known_future"]
    return layers.Concatenate()([inputs[name] for name in names])


def _encoded(steps: Any, config: ModelConfig, **last: Any) -> Any:
    """The outputs of the last recurrent layer, whose arguments `last` are."""
    for _ in range(config.depth - 1):
        steps = _recurrent(config, return_sequences=True)(steps)
    return _recurrent(config, **last)(steps)


def _direct(
    inputs: dict[str, Any],
    history: Any,
    config: ModelConfig,
    shape: WindowShape,
    outputs: int,
) -> Any:
    """A recurrent encoder, and a head that answers for all lead times at once.

    The head is given the encoder's last output, a part of it for each lead time, and
    what is known of that time (compare the MQ-RNN of Wen et al. 2017).
    """
    state = _encoded(_encoder_steps(inputs), config)
    state = layers.Dropout(config.dropout)(state)
    hidden = _dense(config, shape.horizon * config.head_units)(state)
    hidden = ops.reshape(hidden, (-1, shape.horizon, config.head_units))
    if "known_future" in inputs:
        hidden = hidden + _dense(config, config.head_units)(inputs["known_future"])
    hidden = layers.Dropout(config.dropout)(ops.gelu(hidden))
    raw = _dense(config, len(shape.targets) * outputs)(hidden)
    return ops.reshape(raw, (-1, shape.horizon, len(shape.targets), outputs))


def _encoder_decoder(
    inputs: dict[str, Any],
    history: Any,
    config: ModelConfig,
    shape: WindowShape,
    outputs: int,
) -> Any:
    """An encoder whose state a decoder starts from, fed its own point forecasts.

    It is fed them in training too, so that it learns what it will have to do.
    """
    targets = len(shape.targets)
    _, *state = _encoded(_encoder_steps(inputs), config, return_state=True)
    ahead = _lead_positions(history, shape)
    if "known_future" in inputs:
        ahead = ops.concatenate([ahead, inputs["known_future"]], axis=-1)
    cell = FeedbackCell(
        recurrent_cell(config, config.units, dtype=_policy(config)), targets, outputs
    )
    first = ops.zeros_like(history[:, 0])
    decoder = RNN(cell, return_sequences=True, dtype=_policy(config))
    raw = decoder(ahead, initial_state=[*state, first])
    return ops.reshape(raw, (-1, shape.horizon, targets, outputs))


def _segments(
    inputs: dict[str, Any],
    history: Any,
    config: ModelConfig,
    shape: WindowShape,
    outputs: int,
) -> Any:
    """A recurrence over segments of each target's own history, weights shared.

    Segments are projected and read one by one. Then the segments of the horizon are
    decoded side by side, by one step from the last state. The inputs of that step are
    the segment's position, its variable and what is known of its time (Lin et al. 2023,
    "SegRNN"), and with `context_units` the state of a recurrence over all variables.
    """
    length, targets = config.segment, len(shape.targets)
    segments = -(-shape.horizon // length)
    by_target = ops.reshape(ops.transpose(history, (0, 2, 1)), (-1, shape.history, 1))
    read = _read_segments(by_target, config, length, config.units)
    layer = _recurrent(config, return_state=True)
    _, *state = layer(read)

    queries = SegmentPlaces(targets, segments, config.units)(history)
    if "known_future" in inputs:
        known = ops.pad(
            inputs["known_future"],
            [[0, 0], [0, segments * length - shape.horizon], [0, 0]],
        )
        known = ops.reshape(known, (-1, 1, segments, length * known.shape[-1]))
        queries = queries + _dense(config, config.units)(known)
    if config.context_units:
        context = _context(inputs, config, length)
        context = _dense(config, targets * config.units)(context)
        queries = queries + ops.reshape(context, (-1, targets, 1, config.units))
    queries = ops.reshape(queries, (-1, 1, config.units))
    state = [
        ops.reshape(
            ops.repeat(ops.expand_dims(each, 1), segments, axis=1),
            (-1, config.units),
        )
        for each in state
    ]
    decoded, *_ = layer(queries, initial_state=state)
    decoded = layers.Dropout(config.dropout)(decoded)
    raw = _dense(config, length * outputs)(decoded)
    raw = ops.reshape(raw, (-1, targets, segments * length, outputs))
    return ops.transpose(raw[:, :, : shape.horizon], (0, 2, 1, 3))


def _context(inputs: dict[str, Any], config: ModelConfig, length: int) -> Any:
    """A recurrence over segments of all variables together, `[B, context_units]`."""
    read = _read_segments(_encoder_steps(inputs), config, length, config.context_units)
    read = layers.Dropout(config.dropout)(read)
    # Dropout around it is all its noise: the published figures were made without more.
    plain = RecurrentConfig(cell=config.cell, layer_norm=config.layer_norm)
    layer = recurrent_layer(plain, config.context_units, dtype=_policy(config))
    return layers.Dropout(config.dropout)(layer(read))


def _read_segments(steps: Any, config: ModelConfig, length: int, units: int) -> Any:
    """From `[B, L, F]` to projected segments `[B, S, units]`, zeros before them."""
    _, history, features = steps.shape
    missing = -history % length
    steps = ops.pad(steps, [[0, 0], [missing, 0], [0, 0]])
    segments = (history + missing) // length
    steps = ops.reshape(steps, (-1, segments, length * features))
    return layers.Dense(units, "relu", dtype=_policy(config))(steps)


def _lead_positions(history: Any, shape: WindowShape) -> Any:
    """From 0 at the first lead time to 1 at the last, `[B, H, 1]`."""
    positions = ops.linspace(0.0, 1.0, shape.horizon)[None, :, None]
    # The symbolic tensor stands first: the other way round, Keras 3.15 loses the batch
    # where it is as large as the horizon.
    return ops.zeros_like(history[:, :1, :1]) + positions


def _recurrent(config: ModelConfig, **arguments: Any) -> layers.Layer:
    return recurrent_layer(
        config,
        config.units,
        dropout=config.input_dropout,
        output_dropout=config.output_dropout,
        dtype=_policy(config),
        **arguments,
    )


def _dense(config: ModelConfig, units: int) -> layers.Dense:
    return layers.Dense(units, dtype=_policy(config))


def _policy(config: ModelConfig) -> str:
    return "mixed_bfloat16" if config.precision == "bfloat16" else "float32"


@keras.saving.register_keras_serializable(package="recurra")
class OwnLinear(layers.Layer):
    """A linear forecast of each variable from its own history.

    y_ht = b_ht + sum_l x_lt W_lht

    Starts at zero: what it adds to a recurrent forecast it has to learn (compare the
    autoregressive part of LSTNet, Lai et al. 2018).

    Args:
        horizon: H.

    Input shape: `[B, L, T]`. Output shape: `[B, H, T]`.
    """

    def __init__(self, horizon: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.horizon = horizon

    def build(self, shape: tuple) -> None:
        _, steps, variables = shape
        self.kernel = self.add_weight(
            shape=(variables, steps, self.horizon), initializer="zeros", name="kernel"
        )
        self.bias = self.add_weight(
            shape=(self.horizon, variables), initializer="zeros", name="bias"
        )

    def call(self, history: Any) -> Any:
        by_variable = ops.transpose(history, (2, 0, 1))
        forecast = ops.matmul(by_variable, self.kernel)
        return ops.transpose(forecast, (1, 2, 0)) + self.bias


@keras.saving.register_keras_serializable(package="recurra")
class SegmentPlaces(layers.Layer):
    """Which variable, and which segment of the horizon: learned, `[B, T, S, units]`.

    Args:
        targets: T.
        segments: S.
        units: Half of them stand for the segment, the others for the variable.
    """

    def __init__(self, targets: int, segments: int, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.targets, self.segments, self.units = targets, segments, units

    def build(self, shape: tuple) -> None:
        self.position = self.add_weight(
            shape=(1, 1, self.segments, self.units // 2), name="place"
        )
        self.variable = self.add_weight(
            shape=(1, self.targets, 1, self.units - self.units // 2), name="variable"
        )

    def call(self, batch: Any) -> Any:
        rows = (ops.shape(batch)[0], self.targets, self.segments)
        return ops.concatenate(
            [
                ops.broadcast_to(each, (*rows, each.shape[-1]))
                for each in (self.position, self.variable)
            ],
            axis=-1,
        )


@keras.saving.register_keras_serializable(package="recurra")
class FeedbackCell(layers.Layer):
    """A cell that reads its last point forecast beside its input.

    h_t = cell([x_t, y_{t-1}], h_{t-1})
    y_t = y_{t-1} + h_t V_y + b_y

    Args:
        cell: A Keras cell.
        targets: T, the size of y.
        outputs: Numbers for each target; the first is y, the others are read off h.

    Output: `[B, T * outputs]`. States: the cell's, then y `[B, T]`.
    """

    def __init__(self, cell: Any, targets: int, outputs: int, **kwargs: Any):
        kwargs.setdefault("dtype", cell.dtype_policy)
        super().__init__(**kwargs)
        self.cell = cell
        self.targets, self.outputs = targets, outputs
        size = cell.state_size
        sizes = size if isinstance(size, list | tuple) else [size]
        self.state_size = [*sizes, targets]
        self.output_size = targets * outputs
        self.head = layers.Dense(targets * outputs, dtype=self.dtype_policy)

    def build(self, shape: tuple) -> None:
        self.cell.build((shape[0], shape[-1] + self.targets))
        self.head.build((shape[0], self.cell.output_size))

    def call(self, step: Any, states: Any, training: bool = False) -> tuple:
        *state, last = states
        joined = ops.concatenate([step, ops.cast(last, step.dtype)], axis=-1)
        hidden, state = self.cell(joined, state, training=training)
        raw = ops.reshape(self.head(hidden), (-1, self.targets, self.outputs))
        point = ops.cast(last, raw.dtype) + raw[..., 0]
        answer = ops.concatenate([point[..., None], raw[..., 1:]], axis=-1)
        state = state if isinstance(state, list | tuple) else [state]
        return ops.reshape(answer, (-1, self.output_size)), [*state, point]

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "cell": keras.saving.serialize_keras_object(self.cell),
            "targets": self.targets,
            "outputs": self.outputs,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "FeedbackCell":
        cell = keras.saving.deserialize_keras_object(config.pop("cell"))
        return cls(cell, **config)
