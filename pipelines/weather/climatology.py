"""The usual weather of season and hour, as a forecast."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import ndimage

from ..data.large_arrays import ROWS_OF_SUMS, slices
from ..data.series.time_series import TimeSeries
from .data import WeatherData
from .scaling import Scaling
from .windows import OriginBatch

#: Rows and columns of a table.
DAYS, HOURS = 366, 24
_DAYS_EITHER_SIDE = 15


@dataclass(frozen=True)
class Climatology:
    """The mean of the training values within 15 days of the day of year, at the hour.

    That of directions is the direction of their mean unit vector. The turn of the year
    is no border. Where a station has no such value the mean at the hour stands, then
    its mean, then the same of all stations together.

    Attributes:
        of_stations: By name of the stations in training, float32 `[366, 24, T]`.
        of_all: Of all stations together, for any other, float32 `[366, 24, T]`.
    """

    of_stations: Mapping[str, np.ndarray]
    of_all: np.ndarray

    def forecast(self, batch: OriginBatch, series: TimeSeries) -> np.ndarray:
        """Whatever came before: float32 `[N, H, T]`."""
        days, hours = _day_and_hour(batch.target_times)
        forecast = np.empty((*days.shape, self.of_all.shape[-1]), np.float32)
        for number in np.unique(batch.stations):
            rows = batch.stations == number
            name = series.stations[number].name
            table = self.of_stations.get(name, self.of_all)
            forecast[rows] = table[days[rows], hours[rows]]
        return forecast


def fit_climatology(data: WeatherData, scaling: Scaling) -> Climatology:
    """The means of the training parts.

    Args:
        data: Series and splits.
        scaling: Of all variables; its means stand where a target has no values.
    """
    targets = scaling.of(data.shape.targets)
    components = targets.components_of(range(len(targets.mean)))
    columns = [data.shape.targets[each] for each in targets.variables_of(components)]
    sums = {}
    for station, spans in zip(data.series.stations, data.spans, strict=True):
        begin, end = spans["train"]
        total = np.zeros((2, DAYS, HOURS, len(components)))
        for part in slices(end - begin, ROWS_OF_SUMS):
            rows = slice(begin + part.start, begin + part.stop)
            values = targets.standardise_components(
                station.values[rows, columns], components
            )
            total += _sums(station.times(rows.start, rows.stop), values)
        sums[station.name] = total
    pooled = np.sum(list(sums.values()), axis=0)
    # The mean of all, standardised.
    of_all = _means(pooled, np.zeros(len(components)))

    def table(means: np.ndarray) -> np.ndarray:
        return targets.restore_components(means).astype(np.float32)

    return Climatology(
        {name: table(_means(each, of_all)) for name, each in sums.items()},
        table(of_all),
    )


def _sums(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Totals and counts by day of year and hour, float64 `[2, 366, 24, T]`."""
    days, hours = _day_and_hour(times)
    cells = days * HOURS + hours
    present = np.isfinite(values)
    sums = [
        np.bincount(cells, weights, minlength=DAYS * HOURS)
        for weights in (*np.where(present, values, 0.0).T, *present.T)
    ]
    return np.stack(sums, axis=-1).reshape(DAYS, HOURS, 2, -1).transpose(2, 0, 1, 3)


def _means(sums: np.ndarray, fallback: np.ndarray) -> np.ndarray:
    """Float64 `[366, 24, T]`."""
    days = np.ones(2 * _DAYS_EITHER_SIDE + 1)
    around = ndimage.convolve1d(sums, days, axis=1, mode="wrap")
    means = fallback
    # From the coarsest to the finest, each where it has values.
    for total, count in (sums.sum(axis=(1, 2)), sums.sum(axis=1), around):
        means = np.where(count > 0, total / np.maximum(count, 1), means)
    return means


def _day_and_hour(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the year from 0, and of the day."""
    index = pd.DatetimeIndex(times.ravel())
    days, hours = index.day_of_year.to_numpy() - 1, index.hour.to_numpy()
    return days.reshape(times.shape), hours.reshape(times.shape)
