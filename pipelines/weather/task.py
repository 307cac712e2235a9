"""Weather forecasting, as any forecasting of time series, fulfilling the contract."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np

from ..cards import CardVariable, ForecastAnswer
from ..core.files import read_json, write_json, written_whole
from ..core.runs import Run
from ..core.task import Servable, Task
from ..data.digests import sha256
from .baselines import Baseline, fit_baselines, season_steps
from .cli import TASK
from .config import EvaluationConfig, WeatherConfig
from .data import (
    SeriesMetadata,
    WeatherData,
    WindowDataModule,
    load_test_data,
    load_weather_data,
)
from .evaluation import (
    MODEL,
    Forecast,
    System,
    ValidationForecasts,
    baseline_forecast,
    model_forecast,
    score_windows,
)
from .forecaster import Forecaster
from .metrics import ForecastScores, naive_errors
from .model import build_model, compile_model
from .report import WeatherResult
from .scaling import Scaling
from .serving import WeatherServing

#: A fitted baseline, and the correction that makes quantiles of its point.
CorrectedBaseline = tuple[Baseline, np.ndarray | None]


class WeatherTask(Task[WeatherConfig, WeatherData, WindowDataModule]):
    """Time series of one or more stations, and what comes next."""

    definition = TASK
    monitor: ClassVar[str] = "val_point"

    def __init__(self, configuration: WeatherConfig, run: Run):
        super().__init__(configuration, run)
        self._model_forecasts: dict[keras.Model, Forecast] = {}
        # By model or baseline: what its correction was fitted to, to be evaluated too.
        self._validation: dict[
            tuple[keras.Model | str, WindowDataModule], ValidationForecasts
        ] = {}

    @classmethod
    def load(cls, configuration: WeatherConfig) -> WeatherData:
        return load_weather_data(configuration.data)

    def load_test(self, spec: str, **options: Any) -> WeatherData:
        series = self._series
        return load_test_data(
            self.configuration.data.model_copy(update={"spec": spec, **options}),
            series.variables,
            series.step_seconds,
            series.shape,
        )

    def metadata(self, data: WeatherData) -> dict[str, Any]:
        return data.metadata() | {
            "sha256": [sha256(station.values) for station in data.series.stations]
        }

    def splits(self, data: WeatherData) -> Sequence[str]:
        return data.split_names()

    def fit_preprocessing(self, data: WeatherData) -> None:
        targets = list(data.shape.targets)
        parts = [values[:, targets] for values in data.training_parts()]
        series = SeriesMetadata(
            data.series.variables,
            data.shape,
            data.step_seconds,
            naive_errors(parts, season_steps(data.step_seconds)),
        )
        write_json(self._series_file, series.as_dict())
        write_json(self._scaling_file, data.fit_scaling().as_dict())
        with written_whole(self._example_file) as partial, partial.open("wb") as file:
            np.savez(file, **data.example())

    def build(self) -> keras.Model:
        series = self._series
        return build_model(self.configuration, series.shape, len(series.variables))

    def compile(self, model: keras.Model, steps_per_epoch: int) -> None:
        compile_model(model, self.configuration, steps_per_epoch)

    def data_module(self, data: WeatherData) -> WindowDataModule:
        return WindowDataModule(
            data,
            self._scaling,
            self.configuration.data,
            self.configuration.training.batch_size,
            self.configuration.seed,
        )

    def after_training(self, model: keras.Model, data_module: WindowDataModule) -> None:
        forecast = self.configuration.forecast
        if not (forecast.conformal and forecast.quantiles):
            return
        shifts = self._fit_correction(model, self._model_forecast(model), data_module)
        with written_whole(self._shifts_file) as partial, partial.open("wb") as file:
            np.save(file, shifts)

    def fit_baselines(
        self, data_module: WindowDataModule
    ) -> dict[str, CorrectedBaseline]:
        fitted: dict[str, CorrectedBaseline] = {}
        for name, baseline in fit_baselines(data_module).items():
            shifts = None
            if self.configuration.forecast.quantiles:
                # The intervals that its errors on validation suggest.
                forecast = baseline_forecast(baseline, data_module.data.series)
                shifts = self._fit_correction(name, forecast, data_module)
            fitted[name] = (baseline, shifts)
        return fitted

    def evaluate(
        self,
        model: keras.Model,
        data_module: WindowDataModule,
        split: str,
        options: EvaluationConfig,
    ) -> WeatherResult:
        series, quantiles = self._series, self.configuration.forecast.quantiles
        system = functools.partial(self._system, data_module, split)
        systems = {MODEL: system(model, self._model_forecast(model), self._shifts)}
        for name, (baseline, shifts) in self.kept_baselines().items():
            forecast = baseline_forecast(baseline, data_module.data.series)
            systems[name] = system(name, forecast, shifts)
        scores = score_windows(
            data_module.evaluation(split),
            data_module.batch_size,
            systems,
            functools.partial(
                ForecastScores,
                [variable.name for variable in series.targets],
                series.shape.leads,
                scale=self._scaling_of_targets.scale,
                naive_error=series.naive_errors,
                quantiles=quantiles,
            ),
            options.backtest,
        )
        return WeatherResult(data_module, split, scores, series, quantiles)

    def servable(self, model: keras.Model) -> Servable:
        series = self._series
        serving = WeatherServing(
            Forecaster(model, self._scaling_of_targets, self._shifts),
            series.shape,
            self._scaling,
            series.step_seconds,
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
            answer=self._answer(),
            examples={
                name: {spec.name: example[spec.name] for spec in each.input_signature}
                for name, each in signatures.items()
            },
        )

    def _answer(self) -> ForecastAnswer:
        series, data = self._series, self.configuration.data
        shape = series.shape
        return ForecastAnswer(
            variables=[CardVariable(**vars(each)) for each in series.variables],
            targets=[variable.name for variable in series.targets],
            known_future=[variable.name for variable in series.known_future],
            step_seconds=series.step_seconds,
            history_steps=shape.history,
            lead_steps=list(shape.leads),
            quantiles=self.configuration.forecast.quantiles,
            calendar=shape.calendar,
            reading=data.reading(),
        )

    def _system(
        self,
        data_module: WindowDataModule,
        split: str,
        key: keras.Model | str,
        forecast: Forecast,
        shifts: np.ndarray | None,
    ) -> System:
        """With the forecasts that its correction was fitted to, if they are these."""
        made = self._validation.get((key, data_module))
        if split == "validation" and made is not None:
            forecast = made.again()
        return System(forecast, shifts)

    def _fit_correction(
        self,
        key: keras.Model | str,
        forecast: Forecast,
        data_module: WindowDataModule,
    ) -> np.ndarray:
        """What makes a system's quantiles cover on validation, `[H, T, Q]`."""
        levels = self.configuration.forecast.quantiles
        made = ValidationForecasts.make(
            forecast,
            data_module.evaluation("validation"),
            data_module.batch_size,
            len(levels),
        )
        if made.is_whole:
            self._validation[key, data_module] = made
        return made.shifts(levels)

    def _model_forecast(self, model: keras.Model) -> Forecast:
        """The model's answers before correction, by one graph for all passes."""
        if model not in self._model_forecasts:
            forecaster = Forecaster(model, self._scaling_of_targets)
            self._model_forecasts[model] = model_forecast(forecaster)
        return self._model_forecasts[model]

    @functools.cached_property
    def _series(self) -> SeriesMetadata:
        return SeriesMetadata.from_dict(read_json(self._series_file))

    @functools.cached_property
    def _scaling(self) -> Scaling:
        return Scaling.from_dict(read_json(self._scaling_file))

    @property
    def _scaling_of_targets(self) -> Scaling:
        return self._scaling.of(self._series.shape.targets)

    @property
    def _shifts(self) -> np.ndarray | None:
        """Of the model's quantiles; None where they are left as they are."""
        return np.load(self._shifts_file) if self._shifts_file.is_file() else None

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
