"""The data of a weather run: series, their splits, and batches of windows."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import tensorflow as tf

from ..core.errors import UserError
from ..data.series.chronological_split import Spans, split_by_date, split_by_fraction
from ..data.series.measured_variables import Variable, find_variable
from ..data.series.time_series import TimeSeries, load_time_series, with_columns
from ..data.splits import SPLITS
from .config import WeatherDataConfig
from .scaling import Scaling, fit_scaling
from .windows import Windows, WindowShape, WindowSource


@dataclass(frozen=True)
class WeatherData:
    """Series with their splits.

    Args:
        series: the stations.
        spans: of each station, by split its first step and the one behind its last.
        shape: what a window holds, with the numbers of targets and known inputs.
    """

    series: TimeSeries
    spans: tuple[Spans, ...]
    shape: WindowShape

    @property
    def target_names(self) -> tuple[str, ...]:
        """In the order of the last axis of the targets."""
        return tuple(self.series.variables[each].name for each in self.shape.targets)

    def training_parts(self) -> list[np.ndarray]:
        """Of each station, ``float32[steps, variables]``."""
        return [
            station.values[slice(*spans["train"])]
            for station, spans in zip(self.series.stations, self.spans, strict=True)
        ]

    def fit_scaling(self) -> Scaling:
        """Fits the scaling to the training parts alone."""
        return fit_scaling(self.training_parts())

    def example(self) -> dict[str, Any]:
        """The last training window of the first station that has one.

        Raw, and a batch of one, as an export takes it: `history` `[1, L, F]`, `start`
        `[1]` and `known_future` `[1, H, V]`.
        """
        station, origin = next(
            (station, origins[-1])
            for station, spans in zip(self.series.stations, self.spans, strict=True)
            if (origins := self.shape.origins(spans["train"], reaches_back=True))
        )
        shape = self.shape
        history = station.values[origin + 1 - shape.history : origin + 1]
        ahead = station.values[np.array(shape.leads) + origin]
        return {
            "history": history[np.newaxis],
            "start": np.array([str(station.times()[origin])]),
            "known_future": ahead[np.newaxis][..., list(shape.known_future)],
        }

    @property
    def step_seconds(self) -> int:
        """From step to step."""
        return int(self.series.step.astype("timedelta64[s]").astype(int))

    def split_names(self) -> list[str]:
        """The splits that are not empty."""
        return [
            name
            for name in SPLITS
            if any(spans[name][1] > spans[name][0] for spans in self.spans)
        ]

    def metadata(self) -> dict[str, Any]:
        """What the data hold, for JSON."""
        return self.series.as_dict() | {
            "targets": list(self.target_names),
            "known_future": [
                self.series.variables[each].name for each in self.shape.known_future
            ],
            "splits": {
                name: [list(spans[name]) for spans in self.spans] for name in SPLITS
            },
        }


@dataclass(frozen=True)
class SeriesMetadata:
    """What a run knows of its series without the data; written to its assets.

    Attributes:
        variables: F, in the order of the history's last axis.
        shape: What a window holds.
        step_seconds: From step to step.
        naive_errors: Of each target, see `metrics.naive_errors`; NaN where unknown.
    """

    variables: tuple[Variable, ...]
    shape: WindowShape
    step_seconds: int
    naive_errors: np.ndarray

    @property
    def targets(self) -> tuple[Variable, ...]:
        return tuple(self.variables[number] for number in self.shape.targets)

    @property
    def known_future(self) -> tuple[Variable, ...]:
        return tuple(self.variables[number] for number in self.shape.known_future)

    def as_dict(self) -> dict[str, Any]:
        return {
            "variables": [vars(variable) for variable in self.variables],
            "shape": vars(self.shape),
            "step_seconds": self.step_seconds,
            "naive_errors": [
                float(error) if np.isfinite(error) else None
                for error in self.naive_errors
            ],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "SeriesMetadata":
        shape = dict(values["shape"])
        for name in ("targets", "known_future"):
            shape[name] = tuple(shape[name])
        return cls(
            tuple(Variable(**variable) for variable in values["variables"]),
            WindowShape(**shape),
            values["step_seconds"],
            np.array(values["naive_errors"], np.float64),
        )


def load_weather_data(data: WeatherDataConfig) -> WeatherData:
    """The series that the section names, with their splits.

    Raises:
        UserError: the data are wrong, or a split has no window.
    """
    series = _load_series(data, data.step, [*data.targets, *data.known_future])
    shape = WindowShape(
        history=data.history,
        horizon=data.horizon,
        first_lead=data.first_lead,
        targets=_numbers(series, data.targets, "--target")
        or tuple(range(len(series.variables))),
        known_future=_numbers(series, data.known_future, "data.known_future"),
        calendar=data.calendar,
    )
    spans = tuple(_split(series, data))
    _refuse_too_short(series, spans, shape, data.history_reaches_back)
    return WeatherData(series, spans, shape)


def load_test_data(
    data: WeatherDataConfig,
    variables: Sequence[Variable],
    step_seconds: int,
    shape: WindowShape,
) -> WeatherData:
    """Other series for a trained model; every step of them is the test.

    Args:
        data: The section, with the other spec.
        variables: Of the model, which the series must have.
        step_seconds: Of the model, to which the series are resampled.
        shape: What a window holds.

    Raises:
        UserError: the data are wrong, or lack a variable.
    """
    step = None if data.rows_are_steps else f"{step_seconds}s"
    columns = [variable.column for variable in variables]
    series = with_columns(_load_series(data, step, columns), columns)
    spans = [
        {"train": (0, 0), "validation": (0, 0), "test": (0, len(station))}
        for station in series.stations
    ]
    _refuse_too_short(series, spans, shape, data.history_reaches_back)
    return WeatherData(series, tuple(spans), shape)


def _load_series(
    data: WeatherDataConfig, step: str | None, needed: Sequence[str]
) -> TimeSeries:
    return load_time_series(data.spec, step=step, needed=needed, **data.reading())


def _numbers(series: TimeSeries, asked: list[str], option: str) -> tuple[int, ...]:
    numbers = [find_variable(series.variables, name, option) for name in asked]
    return tuple(dict.fromkeys(numbers))


def _split(series: TimeSeries, data: WeatherDataConfig) -> list[Spans]:
    split = data.split
    if split.validation_from is not None and split.test_from is not None:
        return split_by_date(series.stations, split.validation_from, split.test_from)
    return split_by_fraction(
        series.stations,
        train=split.train,
        validation=split.validation,
        test=split.test,
        rest=split.rest,
    )


def _refuse_too_short(
    series: TimeSeries,
    spans: Sequence[Spans],
    shape: WindowShape,
    reaches_back: bool,
) -> None:
    for split in SPLITS:
        parts = [station[split] for station in spans]
        if any(end > begin for begin, end in parts) and not any(
            shape.origins(span, reaches_back) for span in parts
        ):
            _refuse_without_window(
                series,
                split,
                f"a window spans {shape.history} + {shape.last_lead} steps",
            )


def _refuse_without_window(series: TimeSeries, split: str, reason: str) -> NoReturn:
    raise UserError(
        f"{series.spec}: the {split} part has no window ({reason}); "
        "bring more data, or set data.history, data.horizon or data.split"
    )


class WindowDataModule:
    """The splits as batches of windows; see `WindowSource` for what a batch holds.

    Args:
        data: Series and splits.
        scaling: Fitted to the training part.
        config: Strides, and whether a history may reach back.
        batch_size: Windows of a batch; the last one is smaller.
        seed: Of the order of training.
    """

    def __init__(
        self,
        data: WeatherData,
        scaling: Scaling,
        config: WeatherDataConfig,
        batch_size: int,
        seed: int,
    ):
        self.data = data
        self.source = WindowSource(data.series, scaling, data.shape)
        self.batch_size = batch_size
        self._config = config
        self._seed = seed
        self._evaluated: dict[str, Windows] = {}

    @functools.cached_property
    def training(self) -> Windows:
        """The training windows."""
        return self._windows("train", self._config.stride)

    def windows_of(self, split: str) -> Windows:
        """The windows of a split as they are used: in training, or in evaluation."""
        return self.training if split == "train" else self.evaluation(split)

    def evaluation(self, split: str) -> Windows:
        """The windows of a split, a stride of evaluation apart."""
        if split not in self._evaluated:
            stride = self._config.evaluation_stride
            self._evaluated[split] = self._windows(split, stride)
        return self._evaluated[split]

    def training_batches(self, epoch: int) -> tf.data.Dataset:
        return self.training.shuffled(self.batch_size, self._seed, epoch)

    def validation_batches(self) -> tf.data.Dataset:
        return self.evaluation("validation").batches(self.batch_size)

    def left_out(self) -> dict[str, int]:
        """By split, the windows without any target."""
        return {
            split: self.windows_of(split).left_out for split in self.data.split_names()
        }

    def _windows(self, split: str, stride: int) -> Windows:
        windows = self.source.windows(
            self.data.spans,
            split,
            stride=stride,
            history_reaches_back=self._config.history_reaches_back,
        )
        if not len(windows):
            _refuse_without_window(
                self.data.series, split, "all their targets are missing"
            )
        return windows
