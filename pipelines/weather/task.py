"""Weather forecasting, as any forecasting of time series, fulfilling the contract."""

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import pandas

from ..datasets.chronological_split import SPLITS
from ..files import read_json, write_json, written_whole
from ..task import Evaluation, Servable, Task
from .baselines import Baseline, fit_baselines, season_steps
from .config import WeatherConfiguration
from .data import PreparedWindows, WeatherData, load_test_data, load_weather_data
from .evaluation import (
    MODEL,
    UNCORRECTED,
    Judgement,
    System,
    baseline_system,
    conformal_shifts,
    judge,
    model_system,
)
from .forecaster import Forecaster
from .knowledge import SeriesKnowledge
from .metrics import ForecastScores, naive_errors
from .model import build_model, compile_model
from .results import make_evaluation
from .scaling import Scaling
from .serving import WeatherServing


class WeatherTask(Task[WeatherConfiguration, WeatherData, PreparedWindows]):
    """Time series of one or more stations, and what comes next."""

    name: ClassVar[str] = "weather"
    configuration_class: ClassVar[type] = WeatherConfiguration
    recipes: ClassVar[Path] = Path(__file__).parent / "recipes"
    monitor: ClassVar[str] = "val_point"

    @classmethod
    def load(cls, configuration: WeatherConfiguration) -> WeatherData:
        return load_weather_data(configuration.data)

    def load_test(self, spec: str, **columns: str | None) -> WeatherData:
        given = {name: column for name, column in columns.items() if column is not None}
        known = self._series
        return load_test_data(
            self.configuration.data.model_copy(update={"spec": spec, **given}),
            known.variables,
            known.step_seconds,
            known.shape,
        )

    def facts(self, data: WeatherData) -> dict[str, Any]:
        return data.facts() | {
            "sha256": [
                hashlib.sha256(station.values.tobytes()).hexdigest()
                for station in data.series.stations
            ]
        }

    def splits(self, data: WeatherData) -> Sequence[str]:
        return [
            name
            for name in SPLITS
            if any(spans[name][1] > spans[name][0] for spans in data.spans)
        ]

    def learn(self, data: WeatherData) -> None:
        step_seconds = int(data.series.step.astype("timedelta64[s]").astype(int))
        targets = list(data.shape.targets)
        parts = [values[:, targets] for values in data.training_parts()]
        known = SeriesKnowledge(
            data.series.variables,
            data.shape,
            step_seconds,
            naive_errors(parts, season_steps(step_seconds)),
        )
        write_json(self._series_file, known.as_dict())
        write_json(self._scaling_file, data.learn_scaling().as_dict())
        with written_whole(self._example_file) as partial, partial.open("wb") as file:
            np.savez(file, **data.example())

    def build(self) -> keras.Model:
        known = self._series
        return build_model(self.configuration, known.shape, len(known.variables))

    def compile(self, model: keras.Model, steps_per_epoch: int) -> None:
        compile_model(model, self.configuration, steps_per_epoch)

    def prepare(self, data: WeatherData) -> PreparedWindows:
        return PreparedWindows(
            data,
            self._scaling,
            self.configuration.data,
            self.configuration.training.batch_size,
            self.configuration.seed,
        )

    def calibrate(self, model: keras.Model, prepared: PreparedWindows) -> None:
        forecast = self.configuration.forecast
        if not (forecast.conformal and forecast.quantiles):
            return
        uncorrected = Forecaster(model, self._scaling_of_targets, None)
        shifts = self._shifts_of(model_system(uncorrected), prepared)
        with written_whole(self._shifts_file) as partial, partial.open("wb") as file:
            np.save(file, shifts)

    def fit_baselines(
        self, prepared: PreparedWindows
    ) -> dict[str, tuple[Baseline, np.ndarray | None]]:
        fitted: dict[str, tuple[Baseline, np.ndarray | None]] = {}
        for name, baseline in fit_baselines(prepared).items():
            offsets = None
            if self.configuration.forecast.quantiles:
                # The intervals that its errors on validation tell.
                system = baseline_system(baseline, prepared.data.series, None)
                offsets = self._shifts_of(system, prepared)
            fitted[name] = (baseline, offsets)
        return fitted

    def evaluate(
        self, model: keras.Model, prepared: PreparedWindows, split: str
    ) -> Evaluation:
        return self.backtest(model, prepared, split, 1)

    def backtest(
        self, model: keras.Model, prepared: PreparedWindows, split: str, blocks: int
    ) -> Evaluation:
        judged = self._judge(model, prepared, split, blocks)
        return make_evaluation(
            judged,
            prepared,
            split,
            known=self._series,
            configuration=self.configuration,
            history=pandas.read_csv(self.run.history),
        )

    def servable(self, model: keras.Model) -> Servable:
        known = self._series
        serving = WeatherServing(
            self._forecaster(model),
            known.shape,
            self._scaling,
            known.step_seconds,
            self.configuration.forecast.monte_carlo_passes,
        )
        signatures = serving.signatures()
        with np.load(self._example_file) as file:
            example = dict(file)
        # As a saved array it has a width, which no tensor of strings has.
        example["start"] = example["start"].astype(object)
        return Servable(
            module=serving,
            signatures=signatures,
            card=self._card(),
            examples={
                name: {each: example[each] for each in _inputs_of(signature)}
                for name, signature in signatures.items()
            },
        )

    def _judge(
        self, model: keras.Model, prepared: PreparedWindows, split: str, blocks: int
    ) -> Judgement:
        series = prepared.data.series
        systems = {MODEL: model_system(self._forecaster(model))}
        if self._shifts_file.is_file():
            bare = Forecaster(model, self._scaling_of_targets, None)
            systems[UNCORRECTED] = model_system(bare)
        for name, (baseline, offsets) in self.kept_baselines().items():
            systems[name] = baseline_system(baseline, series, offsets)
        known = self._series
        return judge(
            prepared.evaluation(split),
            prepared.batch_size,
            systems,
            functools.partial(
                ForecastScores,
                [variable.name for variable in known.targets],
                known.shape.leads,
                scale=self._scaling_of_targets.scale,
                naive_error=known.naive_errors,
                quantiles=self.configuration.forecast.quantiles,
            ),
            blocks,
        )

    def _shifts_of(self, system: System, prepared: PreparedWindows) -> np.ndarray:
        return conformal_shifts(
            system,
            prepared.evaluation("validation"),
            prepared.batch_size,
            self.configuration.forecast.quantiles,
        )

    def _forecaster(self, model: keras.Model) -> Forecaster:
        shifts = np.load(self._shifts_file) if self._shifts_file.is_file() else None
        return Forecaster(model, self._scaling_of_targets, shifts)

    def _card(self) -> dict[str, Any]:
        known, data = self._series, self.configuration.data
        shape, quantiles = known.shape, self.configuration.forecast.quantiles
        targets = len(shape.targets)
        inputs = {
            "history": _tensor("float32", shape.history, len(known.variables)),
            "start": _tensor("string"),
        }
        if shape.known_future:
            inputs["known_future"] = _tensor(
                "float32", shape.horizon, len(shape.known_future)
            )
        outputs = {"forecast": _tensor("float32", shape.horizon, targets)}
        if quantiles:
            outputs["quantiles"] = _tensor(
                "float32", shape.horizon, targets, len(quantiles)
            )
        return {
            "task": self.name,
            "inputs": inputs,
            "outputs": outputs,
            "variables": [vars(variable) for variable in known.variables],
            "targets": [variable.name for variable in known.targets],
            "known_future": [variable.name for variable in known.known_future],
            "step_seconds": known.step_seconds,
            "history_steps": shape.history,
            "lead_steps": list(shape.leads),
            "quantiles": quantiles,
            "calendar": shape.calendar,
            "reading": {"resample_rules": data.resample}
            | {
                key: getattr(data, key)
                for key in (
                    "time_column",
                    "station_column",
                    "time_zone",
                    "sentinels",
                    "keep_sentinels",
                    "rows_are_steps",
                    "max_bad_share",
                    "min_share",
                )
            },
            "training_data": read_json(self.run.data),
            "metrics": read_json(self.run.metrics),
            "configuration": self.configuration.model_dump(mode="json"),
        }

    @functools.cached_property
    def _series(self) -> SeriesKnowledge:
        return SeriesKnowledge.from_dict(read_json(self._series_file))

    @functools.cached_property
    def _scaling(self) -> Scaling:
        return Scaling.from_dict(read_json(self._scaling_file))

    @property
    def _scaling_of_targets(self) -> Scaling:
        return self._scaling.of(self._series.shape.targets)

    @property
    def _series_file(self) -> Path:
        return self.run.assets / "series.json"

    @property
    def _scaling_file(self) -> Path:
        return self.run.assets / "scaling.json"

    @property
    def _example_file(self) -> Path:
        return self.run.assets / "example.npz"

    @property
    def _shifts_file(self) -> Path:
        return self.run.assets / "conformal_shifts.npy"


def _tensor(dtype: str, *sizes: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": ["N", *sizes]}


def _inputs_of(signature: Any) -> list[str]:
    """The names of a signature's inputs."""
    positional, _ = signature.structured_input_signature
    # An argument that has its default has no specification.
    return [spec.name for spec in positional if spec is not None]
