"""From raw measurements and a model that forecasts to what comes next.

The model is any function that runs its default signature, so the command line, the
Python API and the server's page forecast by the same reader and the same window.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...cards import ForecastAnswer, ReadingPlan
from ...core.errors import UserError
from ..frames import as_spec
from ..large_arrays import slices
from .steps import Step, parse_step
from .time_series import (
    StationSeries,
    TimeSeries,
    load_time_series,
    reading_later,
    with_columns,
)

#: Runs a model's default signature: from arrays by name to arrays by name.
Runner = Callable[[Mapping[str, Any]], Mapping[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class StationForecast:
    """What comes next at a station, in raw units.

    Attributes:
        station: Its name.
        history_times: datetime64 `[L]`; the last is the origin.
        history: `[L, F]`, NaN where missing.
        times: datetime64 `[H]`.
        point: `[H, T]`.
        quantiles: `[H, T, Q]`, None where the model states none.
        remarks: What the forecast had to do without, a line each.
    """

    station: str
    history_times: np.ndarray
    history: np.ndarray
    times: np.ndarray
    point: np.ndarray
    quantiles: np.ndarray | None
    remarks: tuple[str, ...] = ()


def forecast(
    run: Runner,
    answer: ForecastAnswer,
    data: Any,
    plan: ReadingPlan | None = None,
    **given: Any,
) -> tuple[TimeSeries, list[StationForecast]]:
    """The series that some data hold, and a forecast from the end of every one.

    Args:
        run: Runs the model.
        answer: Of its model card.
        data: Raw measurements, in any form that training takes, or a DataFrame; they
            are repaired and resampled as the data of training were. What is too short
            is missing before.
        plan: By which the data of training were read, of the model card.
        **given: How these are read, where that is not as in training, such as
            `time_column`.

    Raises:
        UserError: They cannot be read, or lack a column of the model.
    """
    arguments = reading_later(
        answer.reading, answer.variables, _step(answer).code, plan, given
    )
    with as_spec(data) as spec:
        series = load_time_series(spec, **arguments)
    series = with_columns(series, [variable.column for variable in answer.variables])
    return series, [_forecast(run, answer, station) for station in series.stations]


def _last_row(values: np.ndarray, columns: Sequence[int]) -> int | None:
    """The last one with a value in one of the columns."""
    for part in reversed(list(slices(len(values)))):
        found = np.flatnonzero(np.isfinite(values[part][:, columns]).any(axis=1))
        if len(found):
            return part.start + int(found[-1])
    return None


def _forecast(
    run: Runner, answer: ForecastAnswer, station: StationSeries
) -> StationForecast:
    names = [variable.name for variable in answer.variables]
    known = [names.index(name) for name in answer.known_future]
    measured = [number for number in range(len(names)) if number not in known]
    origin = _last_row(station.values, measured)
    if origin is None:
        raise UserError(
            f"{station.name}: has no value of {', '.join(names)} to forecast from"
        )
    steps = answer.history_steps
    values = station.values[max(0, origin + 1 - steps) : origin + 1]
    history = np.full((steps, len(names)), np.nan, station.values.dtype)
    history[steps - len(values) :] = values
    leads = np.array(answer.lead_steps)
    start = station.time(origin)
    inputs = {
        "history": history[np.newaxis],
        "start": np.array([str(start).encode()], object),
    }
    if known:
        future = np.full((len(leads), len(known)), np.nan, station.values.dtype)
        ahead = origin + leads
        is_known = ahead < len(station)
        future[is_known] = station.values[ahead[is_known]][:, known]
        inputs["known_future"] = future[np.newaxis]
    outputs = run(inputs)
    return StationForecast(
        station.name,
        _times(answer, start, np.arange(1 - steps, 1)),
        history,
        _times(answer, start, leads),
        outputs["forecast"][0],
        outputs["quantiles"][0] if "quantiles" in outputs else None,
        tuple(_remarks(answer, station, origin, len(values), inputs)),
    )


def _remarks(
    answer: ForecastAnswer,
    station: StationSeries,
    origin: int,
    rows: int,
    inputs: Mapping[str, Any],
) -> Iterator[str]:
    if rows < answer.history_steps:
        yield f"the file has {rows} of the {answer.history_steps} rows that are read"
    history = inputs["history"][0, answer.history_steps - rows :]
    if holes := int(np.isnan(history).sum()):
        yield f"values missing in the rows that are read: {holes}"
    names = [variable.name for variable in answer.variables]
    for target in answer.targets:
        if np.isnan(history[:, names.index(target)]).all():
            yield f"no value of {target}, which is forecast from the others alone"
    after = len(station) - origin - 1
    if after and not answer.known_future:
        yield (
            f"the last {after} steps of the file have no value; the forecast begins "
            f"after {_shown(station.time(origin))}"
        )
    for number, name in enumerate(answer.known_future):
        absent = int(np.isnan(inputs["known_future"][0, :, number]).sum())
        if absent:
            yield (
                f"{name} is known ahead of a forecast, and the file lacks it for "
                f"{absent} of {len(answer.lead_steps)} steps to come"
            )


def _shown(time: np.datetime64) -> str:
    return str(time.astype("datetime64[m]")).replace("T", " ")


def _step(answer: ForecastAnswer) -> Step:
    return parse_step(answer.calendar_step or f"{answer.step_seconds}s")


def _times(
    answer: ForecastAnswer, origin: np.datetime64, steps: np.ndarray
) -> np.ndarray:
    stamp = int(origin.astype("datetime64[s]").astype(np.int64))
    return _step(answer).add(stamp, steps.astype(np.int64)).astype("datetime64[s]")


def forecast_table(
    answer: ForecastAnswer, forecasts: Sequence[StationForecast]
) -> pd.DataFrame:
    """A row for each station, time and target."""
    targets, leads = answer.targets, answer.lead_steps
    tables = []
    for forecast in forecasts:
        columns: dict[str, Any] = {
            "station": forecast.station,
            "time": np.repeat(forecast.times, len(targets)),
            "lead_steps": np.repeat(leads, len(targets)),
            "variable": np.tile(targets, len(leads)),
            "unit": np.tile(answer.units(), len(leads)),
            "forecast": forecast.point.ravel(),
        }
        if forecast.quantiles is not None:
            for number, level in enumerate(answer.quantiles):
                columns[f"quantile_{level:g}"] = forecast.quantiles[..., number].ravel()
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)
