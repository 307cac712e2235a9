"""From raw measurements and a model that forecasts to what comes next.

The model is any function that runs its default signature, so the command line, the
Python API and the server's page forecast by the same reader and the same window.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...cards import ForecastAnswer
from ...core.errors import UserError
from ..frames import as_spec
from .time_series import StationSeries, TimeSeries, load_time_series, with_columns

#: Runs a model's default signature: from arrays by name to arrays by name.
Runner = Callable[[Mapping[str, Any]], Mapping[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class StationForecast:
    """What comes next at a station, in raw units.

    Attributes:
        station: Its name.
        history_times: datetime64 `[L]`; the last is the origin.
        history: `[L, F]`, NaN where missing.
        history_rows: So many of the `L` steps the data have, the last ones.
        times: datetime64 `[H]`.
        point: `[H, T]`.
        quantiles: `[H, T, Q]`, None where the model states none.
    """

    station: str
    history_times: np.ndarray
    history: np.ndarray
    history_rows: int
    times: np.ndarray
    point: np.ndarray
    quantiles: np.ndarray | None


def forecast(
    run: Runner, answer: ForecastAnswer, data: Any, **reading: Any
) -> tuple[TimeSeries, list[StationForecast]]:
    """The series that some data hold, and a forecast from the end of every one.

    Args:
        run: Runs the model.
        answer: Of its model card.
        data: Raw measurements, in any form that training takes, or a DataFrame; they
            are repaired and resampled as the data of training were. What is too short
            is missing before.
        **reading: `time_column`, `station_column`; None for those of training.

    Raises:
        UserError: They cannot be read, or lack a column of the model.
    """
    arguments = dict(answer.reading)
    arguments |= {name: value for name, value in reading.items() if value is not None}
    needed = [variable.column for variable in answer.variables]
    rows_are_steps = arguments.get("rows_are_steps")
    step = None if rows_are_steps else f"{answer.step_seconds}s"
    with as_spec(data) as spec:
        series = load_time_series(spec, step=step, needed=needed, **arguments)
    series = with_columns(series, needed)
    return series, [_forecast(run, answer, station) for station in series.stations]


def _forecast(
    run: Runner, answer: ForecastAnswer, station: StationSeries
) -> StationForecast:
    names = [variable.name for variable in answer.variables]
    known = [names.index(name) for name in answer.known_future]
    measured = [number for number in range(len(names)) if number not in known]
    rows = np.flatnonzero(np.isfinite(station.values[:, measured]).any(axis=1))
    if not len(rows):
        raise UserError(
            f"{station.name}: has no value of {', '.join(names)} to forecast from"
        )
    origin, steps = int(rows[-1]), answer.history_steps
    step = np.timedelta64(answer.step_seconds, "s")
    values = station.values[max(0, origin + 1 - steps) : origin + 1]
    history = np.full((steps, len(names)), np.nan, np.float32)
    history[steps - len(values) :] = values
    leads = np.array(answer.lead_steps)
    start = station.times()[origin]
    inputs = {
        "history": history[np.newaxis],
        "start": np.array([str(start).encode()], object),
    }
    if known:
        future = np.full((len(leads), len(known)), np.nan, np.float32)
        ahead = origin + leads
        is_known = ahead < len(station)
        future[is_known] = station.values[ahead[is_known]][:, known]
        inputs["known_future"] = future[np.newaxis]
    outputs = run(inputs)
    return StationForecast(
        station.name,
        start + np.arange(1 - steps, 1) * step,
        history,
        len(values),
        start + leads * step,
        outputs["forecast"][0],
        outputs["quantiles"][0] if "quantiles" in outputs else None,
    )


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
