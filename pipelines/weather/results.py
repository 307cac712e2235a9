"""What is told of a judgement: metrics.json, predictions.csv and the report."""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas

from ..task import Evaluation
from .config import WeatherConfiguration
from .data import PreparedWindows
from .data_section import DataRecord
from .diagnostics import (
    ExampleForecast,
    ForecastSample,
    QuantileShares,
    SuccessiveForecasts,
    missing_map,
)
from .evaluation import MODEL, UNCORRECTED, Judgement, KeptForecasts
from .knowledge import SeriesKnowledge
from .metrics import ForecastScores
from .origins import last_values
from .report import write_weather_report
from .report_terms import SystemScores

_EXAMPLES = 6
_SAMPLE = 5_000


def make_evaluation(
    judged: Judgement,
    prepared: PreparedWindows,
    split: str,
    *,
    known: SeriesKnowledge,
    configuration: WeatherConfiguration,
    history: pandas.DataFrame,
) -> Evaluation:
    """The judgement in the form that every task has.

    Args:
        judged: Of the split.
        prepared: The data.
        split: Its name.
        known: What the run knows of its series.
        configuration: Of the run.
        history: A row per epoch.
    """
    series = prepared.data.series
    quantiles = configuration.forecast.quantiles
    windows = prepared.evaluation(split)
    left_out = prepared.left_out()
    return Evaluation(
        data=series.spec,
        split=split,
        model=judged.scores[MODEL].overall(),
        baselines=_baselines(judged.scores),
        further={
            "windows": len(windows),
            "left_out": left_out,
            "repairs": [repair.as_dict() for repair in series.repairs],
            "bad_rows": [str(row) for row in series.bad_rows],
            **_details(judged),
            **_shares(judged, quantiles),
            **_blocks(judged),
        },
        predictions=_predictions(judged.spread, prepared, known, quantiles),
        write_report=functools.partial(
            write_weather_report,
            data=series.spec,
            split=split,
            targets=known.targets,
            step_seconds=known.step_seconds,
            leads=known.shape.leads,
            quantiles=quantiles,
            forecasts=len(windows),
            scores={
                name: SystemScores(
                    scores.overall(),
                    scores.by_lead(),
                    scores.by_variable(),
                    scores.by_season(),
                    scores.by_hour(),
                )
                for name, scores in judged.scores.items()
                if name != UNCORRECTED
            },
            examples=_examples(judged.spread, prepared),
            successive=_successive(judged.successive, prepared),
            sample=_sample(judged.spread, prepared),
            shares=QuantileShares(
                quantiles, judged.shares[MODEL], judged.shares.get(UNCORRECTED)
            )
            if quantiles
            else None,
            record=DataRecord(
                series.variables,
                [
                    missing_map(station, spans)
                    for station, spans in zip(
                        series.stations, prepared.data.spans, strict=True
                    )
                ],
                series.repairs,
                [str(row) for row in series.bad_rows],
                {name: len(prepared.windows_of(name)) for name in left_out},
                left_out,
            ),
            facts={
                "rows read": series.rows,
                "step": str(pandas.Timedelta(seconds=known.step_seconds)),
                "stations": [station.name for station in series.stations],
            },
            configuration=configuration.model_dump(mode="json"),
            history=history,
        ),
    )


def _baselines(scores: Mapping[str, ForecastScores]) -> dict[str, dict[str, float]]:
    return {
        name: own.overall()
        for name, own in scores.items()
        if name not in (MODEL, UNCORRECTED)
    }


def _details(judged: Judgement) -> dict[str, Any]:
    """By lead time, variable, season and hour: all of the model, MAE of the rest."""
    own = judged.scores[MODEL]
    return {
        "by_lead": own.by_lead(),
        "by_variable": own.by_variable(),
        "by_season": own.by_season(),
        "by_hour": own.by_hour(),
        "mae_by_lead": {
            name: scores.by_lead()["mae"]
            for name, scores in judged.scores.items()
            if name not in (MODEL, UNCORRECTED)
        },
    }


def _shares(judged: Judgement, quantiles: list[float]) -> dict[str, Any]:
    if not quantiles:
        return {}
    told = {"quantiles": quantiles, "observed_shares": judged.shares[MODEL].tolist()}
    if UNCORRECTED in judged.shares:
        told["uncorrected_shares"] = judged.shares[UNCORRECTED].tolist()
        told["uncorrected"] = judged.scores[UNCORRECTED].overall()
    return told


def _blocks(judged: Judgement) -> dict[str, Any]:
    if not judged.blocks:
        return {}
    return {
        "backtest": [
            {
                "first_origin": str(start),
                "model": block[MODEL].overall(),
                "baselines": _baselines(block),
            }
            for start, block in zip(judged.block_starts, judged.blocks, strict=True)
        ]
    }


def _predictions(
    kept: KeptForecasts,
    prepared: PreparedWindows,
    known: SeriesKnowledge,
    quantiles: list[float],
) -> pandas.DataFrame:
    """A row for each kept window, lead time and target."""
    windows, horizon, targets = kept.truth.shape
    stations = np.array([station.name for station in prepared.data.series.stations])
    each_lead = horizon * targets
    answers = {"truth": kept.truth, "forecast": kept.point}
    if kept.quantiles is not None:
        for number, share in enumerate(quantiles):
            answers[f"quantile_{share:g}"] = kept.quantiles[..., number]
    return pandas.DataFrame(
        {
            "station": np.repeat(stations[kept.origins.stations], each_lead),
            "time": np.repeat(kept.origins.target_times.ravel(), targets),
            "lead_steps": np.tile(np.repeat(known.shape.leads, targets), windows),
            "variable": np.tile(
                [variable.name for variable in known.targets], windows * horizon
            ),
            **{name: values.ravel() for name, values in answers.items()},
        }
    )


def _examples(kept: KeptForecasts, prepared: PreparedWindows) -> list[ExampleForecast]:
    """Some of the kept windows, spread evenly."""
    chosen = np.linspace(0, len(kept.numbers) - 1, _EXAMPLES).round().astype(int)
    examples = []
    for each in np.unique(chosen):
        place = int(kept.origins.stations[each]), int(kept.origins.origins[each])
        station = prepared.data.series.stations[place[0]]
        shape = prepared.data.shape
        steps = slice(place[1] - shape.history + 1, place[1] + 1)
        examples.append(
            ExampleForecast(
                station.name,
                station.times()[steps],
                station.values[steps, list(shape.targets)],
                kept.origins.target_times[each],
                kept.truth[each],
                kept.point[each],
                None if kept.quantiles is None else kept.quantiles[each],
            )
        )
    return examples


def _successive(kept: KeptForecasts, prepared: PreparedWindows) -> SuccessiveForecasts:
    return SuccessiveForecasts(
        prepared.data.series.stations[int(kept.origins.stations[0])].name,
        prepared.data.shape.last_lead,
        kept.origins.target_times[:, 0],
        kept.truth[:, 0],
        kept.point[:, 0],
        None if kept.quantiles is None else kept.quantiles[:, 0],
    )


def _sample(kept: KeptForecasts, prepared: PreparedWindows) -> ForecastSample:
    """Forecasts of any lead, drawn from those that were kept."""
    windows, horizon, _ = kept.truth.shape
    shape = prepared.data.shape
    drawn = np.random.default_rng(0).permutation(windows * horizon)[:_SAMPLE]
    window, lead = np.sort(drawn) // horizon, np.sort(drawn) % horizon
    return ForecastSample(
        kept.truth[window, lead],
        kept.point[window, lead],
        last_values(
            prepared.data.series,
            kept.origins.stations[window],
            kept.origins.origins[window],
            shape.history,
            shape.targets,
        ),
    )
