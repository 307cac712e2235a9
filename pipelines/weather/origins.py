"""Where forecasts begin, and what the series hold around there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..datasets.time_series import TimeSeries


@dataclass(frozen=True)
class OriginBatch:
    """Some windows, without their values.

    Attributes:
        stations: Their numbers, int64 `[N]`.
        origins: The last step of each history, a row of its station, int64 `[N]`.
        target_times: datetime64[s] `[N, H]`.
    """

    stations: np.ndarray
    origins: np.ndarray
    target_times: np.ndarray


def values_around(
    series: TimeSeries,
    stations: np.ndarray,
    origins: np.ndarray,
    steps: Sequence[int] | np.ndarray,
    variables: Sequence[int],
) -> np.ndarray:
    """Values at some steps from each origin, which is step 0.

    Args:
        series: All stations.
        stations: Their numbers, `[N]`.
        origins: Rows of the stations, `[N]`.
        steps: `S` of them.
        variables: Their numbers, `V`.

    Returns:
        Raw, float32 `[N, S, V]`, NaN where missing and before the series begins.
    """
    columns = list(variables)
    values = np.empty((len(origins), len(steps), len(columns)), np.float32)
    for number in np.unique(stations):
        own = stations == number
        rows = origins[own, None] + np.asarray(steps)
        picked = series.stations[number].values[np.maximum(rows, 0)[..., None], columns]
        picked[rows < 0] = np.nan
        values[own] = picked
    values[~np.isfinite(values)] = np.nan
    return values


def last_values(
    series: TimeSeries,
    stations: np.ndarray,
    origins: np.ndarray,
    history: int,
    variables: Sequence[int],
) -> np.ndarray:
    """The last value of each history that is there.

    Args:
        series: All stations.
        stations: Their numbers, `[N]`.
        origins: The last step of each history, `[N]`.
        history: Steps of a history.
        variables: Their numbers, `V`.

    Returns:
        Raw, float32 `[N, V]`, NaN where a history has none.
    """
    back = np.arange(0, -history, -1)
    values = values_around(series, stations, origins, back, variables)
    latest = np.isfinite(values).argmax(axis=1)[:, None]
    return np.take_along_axis(values, latest, axis=1)[:, 0]


def times_of(series: TimeSeries, stations: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The times of some rows of each of the stations `[N]`.

    Args:
        rows: `[N]` or `[N, S]`.

    Returns:
        datetime64[s], of the shape of the rows.
    """
    times = np.empty(rows.shape, "datetime64[s]")
    for number in np.unique(stations):
        own = stations == number
        station = series.stations[number]
        if station.stamps is None:
            times[own] = station.start + rows[own] * station.step
        else:
            times[own] = station.stamps[rows[own]]
    return times


def filled_forward(values: np.ndarray) -> np.ndarray:
    """Missing values replaced by the last one before them, 0 before the first.

    Args:
        values: `[N, S, V]`, NaN where missing.
    """
    missing = np.isnan(values)
    if not missing.any():
        return values
    places = np.where(missing, 0, np.arange(values.shape[1])[:, None])
    last = np.maximum.accumulate(places, axis=1)
    # Where none came before, that is the first, which is missing itself.
    return np.nan_to_num(np.take_along_axis(values, last, axis=1), nan=0.0)
