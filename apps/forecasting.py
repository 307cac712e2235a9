"""Forecasts from an exported weather model and a raw file of recent measurements.

Neither layers nor training code is imported: the model is its graph, and the model card
says how the file is to be read.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from recurra.pipelines.datasets.time_series import (
    StationSeries,
    TimeSeries,
    load_time_series,
    with_columns,
)
from recurra.pipelines.errors import UserError
from recurra.pipelines.files import written_whole

from .predicting import ExportedModel
from .screen import messages

# Of stations and of targets, so many are drawn.
_DRAWN = 4


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
    """

    station: str
    history_times: np.ndarray
    history: np.ndarray
    times: np.ndarray
    point: np.ndarray
    quantiles: np.ndarray | None


def forecast(
    model: ExportedModel, spec: str, **columns: str | None
) -> tuple[TimeSeries, list[StationForecast]]:
    """The series that some data hold, and a forecast from the end of each station's.

    Args:
        model: An exported weather model.
        spec: Raw measurements, in any form that training takes; repaired and resampled
            as the data of training were. What is too short is missing before.
        **columns: `time_column`, `station_column`; None for those of training.

    Raises:
        UserError: They cannot be read, or lack a column of the model.
    """
    card = model.card
    reading = dict(card["reading"])
    reading |= {name: column for name, column in columns.items() if column is not None}
    needed = [variable["column"] for variable in card["variables"]]
    step = None if reading["rows_are_steps"] else f"{card['step_seconds']}s"
    series = load_time_series(spec, step=step, needed=needed, **reading)
    series = with_columns(series, needed)
    return series, [_forecast(model, station) for station in series.stations]


def _forecast(model: ExportedModel, station: StationSeries) -> StationForecast:
    card = model.card
    names = [variable["name"] for variable in card["variables"]]
    known = [names.index(name) for name in card["known_future"]]
    measured = [number for number in range(len(names)) if number not in known]
    there = np.flatnonzero(np.isfinite(station.values[:, measured]).any(axis=1))
    if not len(there):
        raise UserError(
            f"{station.name}: no value of {', '.join(names)} is there to forecast from"
        )
    origin, steps = int(there[-1]), card["history_steps"]
    step = np.timedelta64(card["step_seconds"], "s")
    values = station.values[max(0, origin + 1 - steps) : origin + 1]
    history = np.full((steps, len(names)), np.nan, np.float32)
    history[steps - len(values) :] = values
    leads = np.array(card["lead_steps"])
    start = station.times()[origin]
    inputs = {"history": history, "start": str(start)}
    if known:
        future = np.full((len(leads), len(known)), np.nan, np.float32)
        rows = origin + leads
        is_known = rows < len(station)
        future[is_known] = station.values[rows[is_known]][:, known]
        inputs["known_future"] = future
    answer = model.signature("serving_default")(
        **{name: tf.constant(value)[tf.newaxis] for name, value in inputs.items()}
    )
    return StationForecast(
        station.name,
        start + np.arange(1 - steps, 1) * step,
        history,
        start + leads * step,
        answer["forecast"][0].numpy(),
        answer["quantiles"][0].numpy() if "quantiles" in answer else None,
    )


def forecast_table(
    card: dict[str, Any], forecasts: list[StationForecast]
) -> pd.DataFrame:
    """A row for each station, time and target."""
    targets, leads = card["targets"], card["lead_steps"]
    units = {variable["name"]: variable["unit"] for variable in card["variables"]}
    tables = []
    for forecast in forecasts:
        columns: dict[str, Any] = {
            "station": forecast.station,
            "time": np.repeat(forecast.times, len(targets)),
            "lead_steps": np.repeat(leads, len(targets)),
            "variable": np.tile(targets, len(leads)),
            "unit": np.tile([units[name] for name in targets], len(leads)),
            "forecast": forecast.point.ravel(),
        }
        if forecast.quantiles is not None:
            for number, share in enumerate(card["quantiles"]):
                columns[f"quantile_{share:g}"] = forecast.quantiles[..., number].ravel()
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def write_forecasts(
    card: dict[str, Any], forecasts: list[StationForecast], to: Path
) -> list[Path]:
    """Writes the table as CSV, and beside it a picture for each of the first stations.

    Raises:
        UserError: The file is there already, or cannot be written.
    """
    if to.suffix.lower() == ".png":
        raise UserError(f"{to}: the forecasts are CSV; give a --to that ends in .csv")
    pictures = [
        to.with_name(f"{to.stem}{f'-{number + 1}' if number else ''}.png")
        for number in range(min(_DRAWN, len(forecasts)))
    ]
    for path in (to, *pictures):
        if path.exists():
            raise UserError(
                f"{path}: exists already and is left as it is; give another --to"
            )
    try:
        with written_whole(to) as partial:
            forecast_table(card, forecasts).to_csv(partial, index=False)
        for path, forecast in zip(pictures, forecasts, strict=False):
            with written_whole(path) as partial:
                _draw(card, forecast, partial)
    except OSError as error:
        raise UserError(f"{to}: cannot be written: {error.strerror}") from None
    return [to, *pictures]


def _draw(card: dict[str, Any], forecast: StationForecast, path: Path) -> None:
    from recurra.pipelines.weather.diagnostics import ExampleForecast
    from recurra.pipelines.weather.forecast_figures import draw_example

    variables = {variable["name"]: variable for variable in card["variables"]}
    names = list(variables)
    columns = [names.index(name) for name in card["targets"]]
    labels = [
        f"{name} [{variables[name]['unit']}]" if variables[name]["unit"] else name
        for name in card["targets"][:_DRAWN]
    ]
    example = ExampleForecast(
        forecast.station,
        forecast.history_times,
        forecast.history[:, columns],
        forecast.times,
        np.full_like(forecast.point, np.nan),
        forecast.point,
        forecast.quantiles,
    )
    figure = draw_example(example, labels, card["quantiles"])
    figure.savefig(path, format="png", dpi=150)


def tell_repairs(series: TimeSeries) -> None:
    """What was done to the file before it was forecast from, a line each."""
    for repair in series.repairs:
        messages.print(f"repaired: {repair}", markup=False, soft_wrap=True)
