"""The forecasting models: three recurrent ones, with a point and quantiles each."""

from typing import Any

import keras
from keras import layers, ops

from recurra.layers import GRU, LSTM, RNN, GRUCell, LSTMCell, VanillaRNN, VanillaRNNCell

from ..training import make_optimizer
from .config import ForecastSection, ModelSection, WeatherConfiguration
from .model_inputs import CALENDAR_FEATURES
from .windows import WindowShape

_LAYERS = {"vanilla": VanillaRNN, "gru": GRU, "lstm": LSTM}
_CELLS = {"vanilla": VanillaRNNCell, "gru": GRUCell, "lstm": LSTMCell}


def build_model(
    configuration: WeatherConfiguration, shape: WindowShape, variables: int
) -> keras.Model:
    """The untrained model.

    Args:
        configuration: Sections `model` and `forecast`.
        shape: What a window holds.
        variables: F.

    Returns:
        A functional model from the features of a batch, see `WindowSource`, to
        `[B, H, T, M, 1 + Q]`, standardised: of each of the M members the point
        forecast, and behind it the quantiles, which never cross; the answer is their
        `mean_of_members`.
    """
    inputs = _inputs(shape, variables)
    members = [
        _member(inputs, configuration, shape)
        for _ in range(configuration.model.members)
    ]
    return keras.Model(inputs, ops.stack(members, axis=-2))


def mean_of_members(outputs: Any) -> Any:
    """From a model's outputs to `[B, H, T, 1 + Q]`; means of rising quantiles rise."""
    return ops.mean(outputs, axis=-2)


def compile_model(
    model: keras.Model, configuration: WeatherConfiguration, steps_per_epoch: int
) -> None:
    """Gives the model its optimizer, its loss and the metrics `point`, `mae`, `mse`.

    The loss of each target that is there is that of the point forecast and the weighted
    mean of the pinball losses of the quantiles, of each member by itself, so that they
    stay different. The metrics are of the mean of the members' points; `point` is the
    point's loss of it.
    """
    forecast = configuration.forecast

    def loss(targets: Any, outputs: Any) -> Any:
        error = ops.expand_dims(ops.expand_dims(targets, -1), -1) - outputs
        total = _point_loss(forecast, error[..., 0])
        if forecast.quantiles:
            total += forecast.quantile_weight * ops.mean(
                pinball(error[..., 1:], forecast.quantiles), axis=-1
            )
        return ops.mean(total, axis=-1)

    def error_of_mean(targets: Any, outputs: Any) -> Any:
        return targets - mean_of_members(outputs)[..., 0]

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
        quantiles: `Q` shares.
    """
    shares = ops.convert_to_tensor(quantiles, error.dtype)
    return ops.maximum(shares * error, (shares - 1) * error)


def ordered_around(point: Any, raw: Any, forecast: ForecastSection) -> Any:
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


def _point_loss(forecast: ForecastSection, error: Any) -> Any:
    if forecast.point_loss == "mse":
        return ops.square(error)
    distance = ops.abs(error)
    if forecast.point_loss == "mae":
        return distance
    # Huber's with its bend at one standard deviation.
    return ops.where(distance <= 1, 0.5 * ops.square(error), distance - 0.5)


def _inputs(shape: WindowShape, variables: int) -> dict[str, Any]:
    inputs = {
        name: keras.Input((shape.history, variables), name=name)
        for name in ("history", "observed")
    }
    known = CALENDAR_FEATURES * shape.calendar + 2 * len(shape.known_future)
    if known:
        inputs["known_history"] = keras.Input(
            (shape.history, known), name="known_history"
        )
        inputs["known_future"] = keras.Input(
            (shape.horizon, known), name="known_future"
        )
    return inputs


def _member(
    inputs: dict[str, Any], configuration: WeatherConfiguration, shape: WindowShape
) -> Any:
    """What one member gives, `[B, H, T, 1 + Q]`."""
    section, forecast = configuration.model, configuration.forecast
    own = ops.take(inputs["history"], list(shape.targets), axis=-1)
    level = _level(section, own)
    build = {
        "direct": _direct,
        "encoder_decoder": _encoder_decoder,
        "segments": _segments,
    }[section.kind]
    raw = build(inputs, own - level, section, shape, 1 + len(forecast.quantiles))
    raw = ops.cast(raw, "float32")
    point = raw[..., :1] + ops.expand_dims(level, -1)
    if section.linear:
        linear = OwnLinear(shape.horizon)(own - level)
        point = point + ops.expand_dims(linear, -1)
    if not forecast.quantiles:
        return point
    return ordered_around(point, raw[..., 1:], forecast)


def _level(section: ModelSection, own: Any) -> Any:
    """What the forecast is added to, `[B, 1, T]`."""
    if section.level == "last":
        return own[:, -1:]
    mean = ops.mean(own, axis=1, keepdims=True)
    return mean if section.level == "mean" else ops.zeros_like(mean)


def _encoder_steps(inputs: dict[str, Any]) -> Any:
    """All that is known of each step of the history."""
    names = [name for name in inputs if name != "known_future"]
    return layers.Concatenate()([inputs[name] for name in names])


def _encoded(steps: Any, section: ModelSection, **last: Any) -> Any:
    """The output of the last of the recurrent layers, as `last` has it."""
    for _ in range(section.depth - 1):
        steps = _recurrent(section, return_sequences=True)(steps)
    return _recurrent(section, **last)(steps)


def _direct(
    inputs: dict[str, Any],
    own: Any,
    section: ModelSection,
    shape: WindowShape,
    outputs: int,
) -> Any:
    """A recurrent encoder, and a head that answers for all lead times at once.

    The head is given the encoder's last output, a part of it for each lead time, and
    what is known of that time (compare the MQ-RNN of Wen et al. 2017).
    """
    state = _encoded(_encoder_steps(inputs), section)
    state = layers.Dropout(section.dropout)(state)
    hidden = _dense(section, shape.horizon * section.head_units)(state)
    hidden = ops.reshape(hidden, (-1, shape.horizon, section.head_units))
    if "known_future" in inputs:
        hidden = hidden + _dense(section, section.head_units)(inputs["known_future"])
    hidden = layers.Dropout(section.dropout)(ops.gelu(hidden))
    raw = _dense(section, len(shape.targets) * outputs)(hidden)
    return ops.reshape(raw, (-1, shape.horizon, len(shape.targets), outputs))


def _encoder_decoder(
    inputs: dict[str, Any],
    own: Any,
    section: ModelSection,
    shape: WindowShape,
    outputs: int,
) -> Any:
    """An encoder whose state a decoder starts from, fed its own point forecasts.

    It is fed them in training too, so that it learns what it will have to do.
    """
    targets = len(shape.targets)
    _, *state = _encoded(_encoder_steps(inputs), section, return_state=True)
    ahead = _lead_positions(own, shape)
    if "known_future" in inputs:
        ahead = ops.concatenate([ahead, inputs["known_future"]], axis=-1)
    cell = FeedbackCell(
        _CELLS[section.cell](section.units, dtype=_policy(section)), targets, outputs
    )
    first = ops.zeros_like(own[:, 0])
    decoder = RNN(cell, return_sequences=True, dtype=_policy(section))
    raw = decoder(ahead, initial_state=[*state, first])
    return ops.reshape(raw, (-1, shape.horizon, targets, outputs))


def _segments(
    inputs: dict[str, Any],
    own: Any,
    section: ModelSection,
    shape: WindowShape,
    outputs: int,
) -> Any:
    """A recurrence over segments of each target's own history, weights shared.

    Segments are projected and read one by one; then the segments of the horizon are
    decoded side by side, each by one step from the last state, told only its place,
    its variable and what is known of its time (Lin et al. 2023, "SegRNN"), and with
    `context_units` what a recurrence over all variables together made of them.
    """
    length, targets = section.segment, len(shape.targets)
    segments = -(-shape.horizon // length)
    each = ops.reshape(ops.transpose(own, (0, 2, 1)), (-1, shape.history, 1))
    read = _read_segments(each, section, length, section.units)
    layer = _recurrent(section, return_state=True)
    _, *state = layer(read)

    places = SegmentPlaces(targets, segments, section.units)(own)
    if "known_future" in inputs:
        known = ops.pad(
            inputs["known_future"],
            [[0, 0], [0, segments * length - shape.horizon], [0, 0]],
        )
        known = ops.reshape(known, (-1, 1, segments, length * known.shape[-1]))
        places = places + _dense(section, section.units)(known)
    if section.context_units:
        context = _context(inputs, section, length)
        context = _dense(section, targets * section.units)(context)
        places = places + ops.reshape(context, (-1, targets, 1, section.units))
    places = ops.reshape(places, (-1, 1, section.units))
    state = [
        ops.reshape(
            ops.repeat(ops.expand_dims(each, 1), segments, axis=1),
            (-1, section.units),
        )
        for each in state
    ]
    decoded, *_ = layer(places, initial_state=state)
    decoded = layers.Dropout(section.dropout)(decoded)
    raw = _dense(section, length * outputs)(decoded)
    raw = ops.reshape(raw, (-1, targets, segments * length, outputs))
    return ops.transpose(raw[:, :, : shape.horizon], (0, 2, 1, 3))


def _context(inputs: dict[str, Any], section: ModelSection, length: int) -> Any:
    """A recurrence over segments of all variables together, `[B, context_units]`."""
    read = _read_segments(
        _encoder_steps(inputs), section, length, section.context_units
    )
    read = layers.Dropout(section.dropout)(read)
    state = _LAYERS[section.cell](section.context_units, dtype=_policy(section))(read)
    return layers.Dropout(section.dropout)(state)


def _read_segments(steps: Any, section: ModelSection, length: int, units: int) -> Any:
    """From `[B, L, F]` to projected segments `[B, S, units]`, zeros before them."""
    _, history, features = steps.shape
    missing = -history % length
    steps = ops.pad(steps, [[0, 0], [missing, 0], [0, 0]])
    segments = (history + missing) // length
    steps = ops.reshape(steps, (-1, segments, length * features))
    return layers.Dense(units, "relu", dtype=_policy(section))(steps)


def _lead_positions(own: Any, shape: WindowShape) -> Any:
    """From 0 at the first lead time to 1 at the last, `[B, H, 1]`."""
    positions = ops.linspace(0.0, 1.0, shape.horizon)[None, :, None]
    # The symbolic tensor stands first: the other way round, Keras 3.15 loses the batch
    # where it is as large as the horizon.
    return ops.zeros_like(own[:, :1, :1]) + positions


def _recurrent(section: ModelSection, **arguments: Any) -> layers.Layer:
    rates = {
        "dropout": section.input_dropout,
        "recurrent_dropout": section.state_dropout,
        "output_dropout": section.output_dropout,
        "zoneout_hidden": section.zoneout_hidden,
    }
    if section.cell == "lstm":
        rates["zoneout_cell"] = section.zoneout_cell
    return _LAYERS[section.cell](
        section.units, dtype=_policy(section), **rates, **arguments
    )


def _dense(section: ModelSection, units: int) -> layers.Dense:
    return layers.Dense(units, dtype=_policy(section))


def _policy(section: ModelSection) -> str:
    return "mixed_bfloat16" if section.precision == "bfloat16" else "float32"


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
        units: Half of them tell the segment, the others the variable.
    """

    def __init__(self, targets: int, segments: int, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.targets, self.segments, self.units = targets, segments, units

    def build(self, shape: tuple) -> None:
        self.place = self.add_weight(
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
                for each in (self.place, self.variable)
            ],
            axis=-1,
        )


@keras.saving.register_keras_serializable(package="recurra")
class FeedbackCell(layers.Layer):
    """A cell that is given its own last point forecast beside its input.

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
        own = cell.state_size
        self.state_size = [*(own if isinstance(own, list | tuple) else [own]), targets]
        self.output_size = targets * outputs
        self.head = layers.Dense(targets * outputs, dtype=self.dtype_policy)

    def build(self, shape: tuple) -> None:
        self.cell.build((shape[0], shape[-1] + self.targets))
        self.head.build((shape[0], self.cell.output_size))

    def call(self, step: Any, states: Any, training: bool = False) -> tuple:
        *own, last = states
        joined = ops.concatenate([step, ops.cast(last, step.dtype)], axis=-1)
        hidden, own = self.cell(joined, own, training=training)
        raw = ops.reshape(self.head(hidden), (-1, self.targets, self.outputs))
        point = ops.cast(last, raw.dtype) + raw[..., 0]
        answer = ops.concatenate([point[..., None], raw[..., 1:]], axis=-1)
        own = own if isinstance(own, list | tuple) else [own]
        return ops.reshape(answer, (-1, self.output_size)), [*own, point]

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
