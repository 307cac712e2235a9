"""What an evaluation of forecasts gives: metrics, predictions, and the report."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..core.evaluation import EvaluationResult, ReportContent
from ..data.description import DescriptionTable
from ..data.series.time_series import StationSeries
from ..reporting.page import Report
from .combination import Combination
from .correction import directions_of
from .data import SeriesMetadata, WindowDataModule
from .diagnostics import (
    ExampleForecast,
    ForecastSample,
    ObservedLevels,
    SuccessiveForecasts,
)
from .directions import continuous, unwrapped, unwrapped_quantiles
from .evaluation import MODEL, RECURRENT, UNCORRECTED, WindowScores
from .metrics import ForecastScores
from .report_data import add_data
from .report_delay import add_delay
from .report_forecasts import add_errors, add_examples, add_intervals
from .report_scores import add_scores, add_weights, metrics_of, summary
from .report_terms import Terms, system_name
from .windows import last_values

_EXAMPLES = 6
_SAMPLE = 5_000
_LEARNING_CURVES = {
    "loss": "Loss",
    "point": "Loss of the point forecast",
    "mae": "MAE (standardised)",
    "mse": "MSE (standardised)",
}


class WeatherResult(EvaluationResult):
    """How forecasts and their baselines did on a split.

    Args:
        data_module: All splits.
        split: The name of the split.
        scores: Of its windows.
        series: What the run knows of its series.
        quantiles: `Q` levels; empty where the model states none.
        combination: Of the model's forecast with simple ones, if it is one.
    """

    def __init__(
        self,
        data_module: WindowDataModule,
        split: str,
        scores: WindowScores,
        series: SeriesMetadata,
        quantiles: Sequence[float],
        combination: Combination | None = None,
    ):
        self.data, self.split = data_module.data.series.spec, split
        self.model = scores.scores[MODEL].overall()
        self.baselines = _baselines(scores.scores)
        self._data_module = data_module
        self._scores = scores
        self._series = series
        self._quantiles = list(quantiles)
        self._combination = combination

    def details(self) -> dict[str, Any]:
        measured = self._data_module.data.series
        return {
            "windows": len(self._data_module.evaluation(self.split)),
            "left_out": self._data_module.left_out(),
            "repairs": [repair.as_dict() for repair in measured.repairs],
            "bad_rows": [str(row) for row in measured.bad_rows],
            **self._parts(),
            **self._levels(),
            **self._weights(),
            **({"backtest": self._stretches} if self._stretches else {}),
        }

    def predictions(self) -> pd.DataFrame:
        """A row for each sampled window, lead time and target."""
        sampled, targets = self._scores.sampled, self._series.targets
        windows, horizon, _ = sampled.truth.shape
        stations = np.array([each.name for each in self._measured_stations])
        of_window = horizon * len(targets)
        values = {"truth": sampled.truth, "forecast": sampled.point}
        if sampled.quantiles is not None:
            for number, level in enumerate(self._quantiles):
                values[f"quantile_{level:g}"] = sampled.quantiles[..., number]
        leads = np.repeat(self._series.shape.leads, len(targets))
        return pd.DataFrame(
            {
                "station": np.repeat(stations[sampled.origins.stations], of_window),
                "time": np.repeat(sampled.origins.target_times.ravel(), len(targets)),
                "lead_steps": np.tile(leads, windows),
                "variable": np.tile([each.name for each in targets], windows * horizon),
                **{name: array.ravel() for name, array in values.items()},
            }
        )

    def further_tables(self) -> Mapping[str, DescriptionTable]:
        if not self._stretches:
            return {}
        names = [MODEL, *self.baselines]
        rows = []
        for stretch in self._stretches:
            metrics = {MODEL: stretch["model"], **stretch["baselines"]}
            errors = (metrics[name].get("mae") for name in names)
            cells = ["" if error is None else f"{error:.4f}" for error in errors]
            rows.append([stretch["first_origin"], *cells])
        columns = ["first origin", *(name.replace("_", "\n") for name in names)]
        return {"mae by stretch of time": DescriptionTable(columns, rows)}

    def report_content(self) -> ReportContent:
        series = self._series
        terms = Terms(
            series.targets, series.step_seconds, series.shape.leads, self._quantiles
        )
        scores = {
            name: each
            for name, each in self._scores.scores.items()
            if name != UNCORRECTED
        }
        windows = len(self._data_module.evaluation(self.split))
        measured = self._data_module.data.series

        def add_sections(report: Report) -> None:
            add_scores(report, terms, scores)
            if self._combination is not None:
                add_weights(report, terms, self._combination)
            add_examples(report, terms, self._examples(), self._successive)
            if self._quantiles:
                add_intervals(report, terms, scores[MODEL], self._observed_levels)
            add_errors(report, terms, self._sample)
            add_delay(report, terms, self._sample, self._successive)

        return ReportContent(
            title=f"Weather: {self.data}",
            summary=summary(terms, self.data, self.split, windows, scores),
            learning_curves=_LEARNING_CURVES,
            metrics=metrics_of(terms, self.model),
            names={name: system_name(name) for name in self.baselines},
            sections=[add_sections],
            add_data=lambda report: add_data(report, self._data_module),
            metadata={
                "rows read": measured.rows,
                "step": str(pd.Timedelta(seconds=series.step_seconds)),
                "stations": [station.name for station in measured.stations],
            },
            bad_rows=[str(row) for row in measured.bad_rows],
        )

    @property
    def _measured_stations(self) -> Sequence[StationSeries]:
        return self._data_module.data.series.stations

    def _parts(self) -> dict[str, Any]:
        """By lead time, variable, season and hour, and baselines' MAE by lead time."""
        scores = self._scores.scores
        return {
            "by_lead": scores[MODEL].by_lead(),
            "by_variable": scores[MODEL].by_variable(),
            "by_season": scores[MODEL].by_season(),
            "by_hour": scores[MODEL].by_hour(),
            "mae_by_lead": {
                name: scores[name].by_lead()["mae"] for name in self.baselines
            },
        }

    def _weights(self) -> dict[str, Any]:
        """What each member counts, by target and stretch of lead times."""
        combination = self._combination
        if combination is None:
            return {}
        leads = np.array(self._series.shape.leads)
        blocks = combination.by_block()
        return {
            "combination": {
                "members": [RECURRENT, *combination.names],
                "leads": [leads[each][[0, -1]].tolist() for each, _ in blocks],
                "weights": {
                    target.name: [weights[number].tolist() for _, weights in blocks]
                    for number, target in enumerate(self._series.targets)
                },
            }
        }

    def _levels(self) -> dict[str, Any]:
        """The fractions of truths at or below each quantile."""
        if not self._quantiles:
            return {}
        observed = self._scores.observed_levels
        levels: dict[str, Any] = {
            "quantiles": self._quantiles,
            "observed_shares": observed[MODEL].tolist(),
        }
        if UNCORRECTED in observed:
            levels["uncorrected_shares"] = observed[UNCORRECTED].tolist()
            levels["uncorrected"] = self._scores.scores[UNCORRECTED].overall()
        return levels

    @functools.cached_property
    def _stretches(self) -> list[dict[str, Any]]:
        """The metrics of each stretch of time."""
        return [
            {
                "first_origin": str(start),
                "model": scores[MODEL].overall(),
                "baselines": _baselines(scores),
            }
            for start, scores in zip(
                self._scores.stretch_starts, self._scores.stretches, strict=False
            )
        ]

    @property
    def _observed_levels(self) -> ObservedLevels:
        observed = self._scores.observed_levels
        return ObservedLevels(
            self._quantiles, observed[MODEL], observed.get(UNCORRECTED)
        )

    def _examples(self) -> list[ExampleForecast]:
        """Some of the sampled windows, spread evenly."""
        sampled, shape = self._scores.sampled, self._series.shape
        chosen = np.linspace(0, len(sampled.numbers) - 1, _EXAMPLES).round().astype(int)
        examples = []
        for number in np.unique(chosen):
            station = self._measured_stations[int(sampled.origins.stations[number])]
            origin = int(sampled.origins.origins[number])
            steps = slice(origin - shape.history + 1, origin + 1)
            history = station.values[steps, list(shape.targets)]
            measured, point, quantiles = self._in_line(
                np.concatenate([history, sampled.truth[number]]),
                sampled.point[number],
                None if sampled.quantiles is None else sampled.quantiles[number],
            )
            examples.append(
                ExampleForecast(
                    station.name,
                    station.times(steps.start, steps.stop),
                    measured[: shape.history],
                    sampled.origins.target_times[number],
                    measured[shape.history :],
                    point,
                    quantiles,
                )
            )
        return examples

    def _in_line(
        self, truth: np.ndarray, point: np.ndarray, quantiles: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Truth, and its last forecasts beside it, without jumps of directions."""
        directions = directions_of(self._series.targets)
        truth = continuous(truth, directions)
        if directions:
            near = pd.DataFrame(truth).ffill().bfill().fillna(0.0).to_numpy()
            point = unwrapped(point, near[-len(point) :], directions)
        if quantiles is not None:
            quantiles = unwrapped_quantiles(quantiles, point, directions)
        return truth, point, quantiles

    @property
    def _successive(self) -> SuccessiveForecasts:
        made = self._scores.successive
        return SuccessiveForecasts(
            self._measured_stations[int(made.origins.stations[0])].name,
            self._series.shape.last_lead,
            made.origins.target_times[:, 0],
            *self._in_line(
                made.truth[:, 0],
                made.point[:, 0],
                None if made.quantiles is None else made.quantiles[:, 0],
            ),
            directions_of(self._series.targets),
        )

    @functools.cached_property
    def _sample(self) -> ForecastSample:
        """Forecasts of any lead, drawn from the sampled windows."""
        sampled, shape = self._scores.sampled, self._series.shape
        windows, horizon, _ = sampled.truth.shape
        drawn = np.random.default_rng(0).permutation(windows * horizon)[:_SAMPLE]
        window, lead = np.divmod(np.sort(drawn), horizon)
        return ForecastSample(
            sampled.truth[window, lead],
            sampled.point[window, lead],
            last_values(
                self._data_module.data.series,
                sampled.origins.stations[window],
                sampled.origins.origins[window],
                shape.history,
                shape.targets,
            ),
            directions_of(self._series.targets),
        )


def _baselines(scores: Mapping[str, ForecastScores]) -> dict[str, dict[str, float]]:
    return {
        name: each.overall()
        for name, each in scores.items()
        if name not in (MODEL, UNCORRECTED)
    }
