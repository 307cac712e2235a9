"""Weather forecasting, as any forecasting of time series, fulfilling the contract."""

import dataclasses
import functools
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from ..cards import CardVariable, ForecastAnswer
from ..core.ensembles import refuse_strangers
from ..core.errors import UserError
from ..core.files import read_json, write_json, written_whole
from ..core.optional import of_baselines
from ..core.portable import Portable
from ..core.runs import Run
from ..core.task import Servable, Task
from ..data.digests import sha256
from ..data.large_arrays import as_type
from ..data.series.time_series import chosen_columns
from .baselines import Baseline, fit_baselines, season_steps
from .cli import TASK
from .combination import Combination, fit_weights
from .config import EvaluationConfig, WeatherConfig
from .correction import (
    LEAST_SPREAD,
    MISSING_EDGES,
    Correction,
    PointRule,
    TargetRanges,
    directions_of,
)
from .data import (
    SeriesMetadata,
    WeatherData,
    WindowDataModule,
    load_test_data,
    load_weather_data,
)
from .evaluation import (
    MODEL,
    RECURRENT,
    Forecast,
    ModelForecasts,
    System,
    ValidationForecasts,
    baseline_forecast,
    held_out_errors,
    score_windows,
    shifts_by_missing,
)
from .forecaster import Forecaster
from .members import SimpleMembers
from .metrics import ForecastScores, naive_errors
from .model import build_model, compile_model
from .report import WeatherResult
from .scaling import Scaling
from .serving import WeatherServing
from .windows import spread_numbers

logger = logging.getLogger("recurra")

#: A fitted baseline, and the correction that makes quantiles of its point. Of runs
#: before variables had kinds: shifts of its point, `[H, T, Q]`, or None.
CorrectedBaseline = tuple[Baseline, Correction | np.ndarray | None]

_GUESSED = ("kind", "bounds")
# Windows that smaller weights are measured by.
_HELD_OUT = 200
# Of the assets.
_CORRECTION = "correction.npz"
_RECURRENT_CORRECTION = "recurrent_correction.npz"
_COMBINATION = "combination.npz"


class WeatherTask(Task[WeatherConfig, WeatherData, WindowDataModule]):
    """Time series of one or more stations, and what comes next."""

    definition = TASK
    monitor: ClassVar[str] = "val_point"

    def __init__(self, configuration: WeatherConfig, run: Run):
        super().__init__(configuration, run)
        # This run, and those whose models are taken as one with its model.
        self._runs = [run]
        self._model_forecasts: dict[keras.Model, ModelForecasts] = {}
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
            series.step,
            series.shape,
            kept=self.run.reading_plan,
            given=options,
        )

    def metadata(self, data: WeatherData) -> dict[str, Any]:
        metadata = data.metadata()
        # What a run takes its variables for stands in its assets, and is no datum.
        variables = [
            {key: value for key, value in variable.items() if key not in _GUESSED}
            for variable in metadata["variables"]
        ]
        return metadata | {
            "variables": variables,
            "sha256": [
                sha256(as_type(station.values, np.float32))
                for station in data.series.stations
            ],
        }

    def splits(self, data: WeatherData) -> Sequence[str]:
        return data.split_names()

    def fit_preprocessing(self, data: WeatherData) -> None:
        targets = list(data.shape.targets)
        parts = [chosen_columns(each, targets) for each in data.training_parts()]
        series = SeriesMetadata(
            data.series.variables,
            data.shape,
            data.step_seconds,
            naive_errors(
                parts,
                season_steps(data.step),
                directions_of([data.series.variables[each] for each in targets]),
            ),
            data.series.calendar_step,
        )
        write_json(self._series_file, series.as_dict())
        write_json(self._scaling_file, data.fit_scaling().as_dict())
        with written_whole(self._example_file) as partial, partial.open("wb") as file:
            np.savez(file, **data.example())

    def build(self) -> keras.Model:
        series = self._series
        return build_model(
            self.configuration, series.shape, len(series.variables), self._scaling
        )

    def compile(self, model: keras.Model, steps_per_epoch: int) -> None:
        period = self._scaling_of_targets.period
        compile_model(model, self.configuration, steps_per_epoch, period)

    def data_module(self, data: WeatherData) -> WindowDataModule:
        # As in training, whatever is found in other data.
        return WindowDataModule(
            dataclasses.replace(data, shape=self._series.shape),
            self._scaling,
            self.configuration.data,
            self.configuration.training.batch_size,
            self.configuration.seed,
        )

    def after_training(self, model: keras.Model, data_module: WindowDataModule) -> None:
        forecast = self.configuration.forecast
        point: PointRule = "median" if forecast.point_loss == "mae" else "inside"
        correction = self._uncorrected(point)
        # What is combined and corrected is as the answers will be.
        _write_arrays(self.run.assets / _CORRECTION, correction.as_arrays())
        (self.run.assets / _COMBINATION).unlink(missing_ok=True)
        if self.configuration.model.combine:
            self.keep_baselines(data_module)
            self._combine(model, data_module)
        if not (forecast.conformal and forecast.quantiles):
            return
        forecasts = self._forecasts(model)
        fitted = self._fit_correction(
            model, forecasts.combined, data_module, correction
        )
        if self._combination is not None:
            alone = self._fit_correction(
                RECURRENT, forecasts.recurrent, data_module, correction
            )
            _write_arrays(self.run.assets / _RECURRENT_CORRECTION, alone.as_arrays())
        _write_arrays(self.run.assets / _CORRECTION, fitted.as_arrays())

    def _combine(self, model: keras.Model, data_module: WindowDataModule) -> None:
        """Fits the weights of the recurrent and the simple forecasts to validation."""
        members = self._simple_members(self._baselines())
        if not members.names:
            return
        windows = data_module.evaluation("validation")
        errors, beside = held_out_errors(
            self._forecasts(model).recurrent,
            members,
            windows,
            data_module.batch_size,
            self._correction.ranges,
        )
        horizons = 1 + len(windows) * windows.stride / self._series.shape.horizon
        weights = fit_weights(errors, beside, self.configuration.forecast, horizons)
        combination = Combination(tuple(members.names), weights)
        _write_arrays(self.run.assets / _COMBINATION, combination.as_arrays())
        self._model_forecasts.pop(model)
        shown = zip((RECURRENT, *members.names), weights.mean(axis=(0, 1)), strict=True)
        logger.info(
            "Combined, on average: %s",
            ", ".join(f"{name} {weight:.2f}" for name, weight in shown),
        )

    def fit_baselines(
        self, data_module: WindowDataModule
    ) -> dict[str, CorrectedBaseline]:
        return of_baselines(
            {key: (key, each) for key, each in fit_baselines(data_module).items()},
            lambda named: self._corrected(*named, data_module),
        )

    def _corrected(
        self, name: str, baseline: Baseline, data_module: WindowDataModule
    ) -> CorrectedBaseline:
        correction = self._uncorrected("stays")
        if self.configuration.forecast.quantiles:
            # The intervals that its errors on validation suggest.
            forecast = baseline_forecast(baseline, data_module.data.series)
            correction = self._fit_correction(name, forecast, data_module, correction)
        return baseline, correction

    def evaluate(
        self,
        model: keras.Model,
        data_module: WindowDataModule,
        split: str,
        options: EvaluationConfig,
    ) -> WeatherResult:
        series, quantiles = self._series, self.configuration.forecast.quantiles
        system = functools.partial(self._system, data_module, split)
        forecasts = self._forecasts(model)
        systems = {MODEL: system(model, forecasts.combined, self._correction)}
        if self._combination is not None:
            correction = self._kept_correction(_RECURRENT_CORRECTION)
            systems[RECURRENT] = system(
                RECURRENT, forecasts.recurrent, correction or self._correction
            )
        for name, (baseline, kept) in self.kept_baselines().items():
            forecast = baseline_forecast(baseline, data_module.data.series)
            if not isinstance(kept, Correction):
                kept = Correction.of_old(kept, len(series.targets))
            systems[name] = system(name, forecast, kept)
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
                directions=self._scaling_of_targets.directions,
            ),
            options.backtest,
        )
        return WeatherResult(
            data_module, split, scores, series, quantiles, self._combination
        )

    def ensemble(
        self, models: Sequence[keras.Model], others: Sequence[Task]
    ) -> keras.Model:
        refuse_strangers(
            self,
            others,
            facts=("sha256", "splits"),
            sections=("model", "forecast"),
            assets=(self._series_file.name, self._scaling_file.name),
        )
        self._runs = [self.run, *(other.run for other in others)]
        # They are one more dimension of networks, of which the mean is taken.
        inputs = models[0].input
        outputs = [model(inputs) for model in models]
        return keras.Model(inputs, ops.concatenate(outputs, axis=-2))

    def servable(self, model: keras.Model) -> Servable:
        serving = self._serving(model)
        signatures = serving.signatures()
        with np.load(self._example_file) as file:
            example = dict(file)
        return Servable(
            module=serving,
            signatures=signatures,
            answer=self._answer(),
            examples={
                # Texts too: as a saved array they have a width, which no tensor has.
                name: {
                    spec.name: example[spec.name].astype(spec.dtype.as_numpy_dtype)
                    for spec in each.input_signature
                }
                for name, each in signatures.items()
            },
            # The noise of a pass depends on the place in the batch.
            independent_rows=[name for name in signatures if name != "spread"],
        )

    def portable(self, model: keras.Model) -> Portable:
        return self._serving(model).portable()

    def held_out_inputs(self) -> dict[str, Any]:
        try:
            data = self.load(self.configuration)
        except UserError as error:
            logger.warning("The data of training cannot be read again: %s", error)
            return {}
        windows = self.data_module(data).evaluation("validation")
        return windows.raw_inputs(spread_numbers(len(windows), _HELD_OUT))

    def _serving(self, model: keras.Model) -> WeatherServing:
        series = self._series
        return WeatherServing(
            self._forecaster(model),
            series.shape,
            self._scaling,
            series.step,
            self.configuration.forecast.monte_carlo_passes,
        )

    def _answer(self) -> ForecastAnswer:
        series, data = self._series, self.configuration.data
        shape = series.shape
        return ForecastAnswer(
            variables=[CardVariable(**vars(each)) for each in series.variables],
            targets=[variable.name for variable in series.targets],
            known_future=[variable.name for variable in series.known_future],
            step_seconds=series.step_seconds,
            calendar_step=series.calendar_step,
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
        correction: Correction,
    ) -> System:
        """With the forecasts that its correction was fitted to, if they are these."""
        made = self._validation.get((key, data_module))
        if split == "validation" and made is not None:
            forecast = made.again()
        return System(forecast, correction)

    def _uncorrected(self, point: PointRule) -> Correction:
        """What is done to forecasts whose quantiles are not shifted."""
        levels = tuple(self.configuration.forecast.quantiles)
        return Correction(TargetRanges.of(self._series.targets), levels, point=point)

    def _fit_correction(
        self,
        key: keras.Model | str,
        forecast: Forecast,
        data_module: WindowDataModule,
        correction: Correction,
    ) -> Correction:
        """With what makes a system's quantiles cover on validation."""
        windows = data_module.evaluation("validation")
        batch_size, levels = data_module.batch_size, len(correction.levels)
        made = ValidationForecasts.make(forecast, windows, batch_size, levels)
        if made.is_whole:
            self._validation[key, data_module] = made
        if made.states_quantiles:
            least_spread = LEAST_SPREAD * self._scaling_of_targets.scale
            correction = dataclasses.replace(correction, least_spread=least_spread)
        if isinstance(key, str):
            # Baselines read the series, from which nothing can be left out.
            shifts = made.shifts(correction)[np.newaxis]
            return dataclasses.replace(correction, shifts=shifts)
        shifts = shifts_by_missing(made, forecast, windows, batch_size, correction)
        return dataclasses.replace(correction, shifts=shifts, edges=MISSING_EDGES)

    def _forecasts(self, model: keras.Model) -> ModelForecasts:
        """The model's answers before correction, by one graph for all passes."""
        if model not in self._model_forecasts:
            self._model_forecasts[model] = ModelForecasts(self._forecaster(model))
        return self._model_forecasts[model]

    def _forecaster(self, model: keras.Model) -> Forecaster:
        combination, members = self._combination, None
        if combination is not None:
            baselines = self._baselines()
            members = self._simple_members(
                {name: baselines[name] for name in combination.names}
            )
        return Forecaster(
            model, self._scaling_of_targets, self._correction, members, combination
        )

    def _baselines(self) -> dict[str, Baseline]:
        return {name: each for name, (each, _) in self.kept_baselines().items()}

    def _simple_members(self, baselines: dict[str, Baseline]) -> SimpleMembers:
        return SimpleMembers(baselines, self._series.shape, self._scaling)

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
    def _correction(self) -> Correction:
        """Of the model's forecasts."""
        kept = self._kept_correction(_CORRECTION)
        if kept is not None:
            return kept
        old = self.run.assets / "conformal_shifts.npy"
        shifts = np.load(old) if old.is_file() else None
        return Correction.of_old(shifts, len(self._series.targets))

    def _kept_correction(self, file: str) -> Correction | None:
        """Of the run, or the mean of the runs'; None where they have none."""
        kept = [_read_arrays(run.assets / file) for run in self._runs]
        found = [Correction.from_arrays(each) for each in kept if each is not None]
        return Correction.mean(found) if len(found) == len(kept) else None

    @property
    def _combination(self) -> Combination | None:
        """None where the recurrent forecast stands alone."""
        kept = [_read_arrays(run.assets / _COMBINATION) for run in self._runs]
        found = [Combination.from_arrays(each) for each in kept if each is not None]
        if not found:
            return None
        if len(found) < len(kept) or len({each.names for each in found}) > 1:
            raise UserError(
                f"{self.run.path}: another run combines other simple forecasts; name "
                "runs that were trained alike"
            )
        return Combination.mean(found)

    @property
    def _series_file(self) -> Path:
        return self.run.assets / "series.json"

    @property
    def _scaling_file(self) -> Path:
        return self.run.assets / "scaling.json"

    @property
    def _example_file(self) -> Path:
        return self.run.assets / "example.npz"


def _write_arrays(path: Path, arrays: dict[str, Any]) -> None:
    with written_whole(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)


def _read_arrays(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    with np.load(path) as file:
        return dict(file)
