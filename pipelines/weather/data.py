"""The data of a weather run: series, their splits, and batches of windows."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
import tensorflow as tf

from ..cards import ReadingPlan
from ..core.errors import UserError
from ..data.large_arrays import ROWS_OF_SUMS
from ..data.series.chronological_split import Spans, split_by_date, split_by_fraction
from ..data.series.measured_variables import Variable, find_variable
from ..data.series.steps import Step, parse_step
from ..data.series.time_series import (
    StationSeries,
    TimeSeries,
    load_time_series,
    reading_later,
    with_columns,
    with_stations,
)
from ..data.splits import SPLITS
from .config import WeatherDataConfig
from .correction import directions_of
from .scaling import Scaling, fit_scaling
from .weekly_cycle import shows_week
from .windows import Windows, WindowShape, WindowSource

# Bounds where none were written.
_FREE = (None, None)


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
    def reading_plan(self) -> ReadingPlan:
        """How the files were read."""
        return self.series.reading_plan

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
        return fit_scaling(self.training_parts(), directions_of(self.series.variables))

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
            "start": np.array([str(station.time(origin))]),
            "known_future": ahead[np.newaxis][..., list(shape.known_future)],
        }

    @property
    def step_seconds(self) -> int:
        """From step to step."""
        return int(self.series.step.astype("timedelta64[s]").astype(int))

    @property
    def step(self) -> Step:
        """From step to step."""
        return parse_step(self.series.calendar_step or f"{self.step_seconds}s")

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
        calendar_step: Code of a step of months, quarters, years or business days.
    """

    variables: tuple[Variable, ...]
    shape: WindowShape
    step_seconds: int
    naive_errors: np.ndarray
    calendar_step: str = ""

    @property
    def step(self) -> Step:
        """From step to step."""
        return parse_step(self.calendar_step or f"{self.step_seconds}s")

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
            "calendar_step": self.calendar_step,
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
            tuple(
                Variable(**variable | {"bounds": tuple(variable.get("bounds", _FREE))})
                for variable in values["variables"]
            ),
            WindowShape(**shape),
            values["step_seconds"],
            np.array(values["naive_errors"], np.float64),
            values.get("calendar_step", ""),
        )


def load_weather_data(data: WeatherDataConfig) -> WeatherData:
    """The series that the section names, with their splits.

    Raises:
        UserError: the data are wrong, or a split has no window.
    """
    series = load_time_series(
        data.spec,
        step=data.step,
        needed=[*data.targets, *data.known_future],
        **data.reading(),
    )
    if data.stations:
        series = with_stations(series, data.stations)
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
    shape = replace(shape, week=data.calendar and _has_week(series, spans, shape))
    return WeatherData(series, spans, shape)


def load_test_data(
    data: WeatherDataConfig,
    variables: Sequence[Variable],
    step: Step,
    shape: WindowShape,
    *,
    kept: ReadingPlan | None = None,
    given: Mapping[str, Any] | None = None,
) -> WeatherData:
    """Other series for a trained model; every step of them is the test.

    Args:
        data: The section, with the other spec.
        variables: Of the model, which the series must have.
        step: Of the model, to which the series are resampled.
        shape: What a window holds.
        kept: The plan by which the data of training were read.
        given: How these are read, where that is not as in training.

    Raises:
        UserError: the data are wrong, or lack a variable.
    """
    reading = reading_later(data.reading(), variables, step.code, kept, given or {})
    series = load_time_series(data.spec, **reading)
    series = with_columns(series, [variable.column for variable in variables])
    spans = [
        {"train": (0, 0), "validation": (0, 0), "test": (0, len(station))}
        for station in series.stations
    ]
    _refuse_too_short(series, spans, shape, data.history_reaches_back)
    return WeatherData(series, tuple(spans), shape)


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


def _has_week(series: TimeSeries, spans: Sequence[Spans], shape: WindowShape) -> bool:
    """Whether a target follows the days of the week in the training part."""
    directions = directions_of(series.variables)
    columns = [each for each in shape.targets if each not in directions]
    return bool(series.step <= np.timedelta64(1, "D")) and shows_week(
        _whole_days(station, span["train"], columns)
        for station, span in zip(series.stations, spans, strict=True)
    )


def _whole_days(
    station: StationSeries, span: tuple[int, int], columns: Sequence[int]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Times and values of a span, in pieces of which no day is in two."""
    begin, end = span
    while begin < end:
        stop = end
        if station.stamps is None and end - begin > ROWS_OF_SUMS:
            day = station.time(begin + ROWS_OF_SUMS - 1).astype("datetime64[D]")
            stop = min(end, station.steps_before(day + 1))
        yield station.times(begin, stop), station.values[begin:stop, columns]
        begin = stop


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
