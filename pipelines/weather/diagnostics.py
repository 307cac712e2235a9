"""How forecasts err beside their scores, and what their data lack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..data.series.chronological_split import Spans
from ..data.series.time_series import StationSeries
from ..data.splits import SPLITS
from .directions import as_vectors, unwrapped

_FEWEST_PAIRS = 10
_SHIFTS_EACH_WAY = 48


@dataclass(frozen=True)
class ExampleForecast:
    """One forecast with what came before it and what came true, in raw units.

    Attributes:
        station: Its name.
        history_times: datetime64 `[L]`; the last is the origin.
        history: `[L, T]`, of the targets, NaN where missing.
        times: datetime64 `[H]`, of the leads.
        truth: `[H, T]`, NaN where missing.
        point: `[H, T]`.
        quantiles: `[H, T, Q]`, None where there are none.
    """

    station: str
    history_times: np.ndarray
    history: np.ndarray
    times: np.ndarray
    truth: np.ndarray
    point: np.ndarray
    quantiles: np.ndarray | None = None


@dataclass(frozen=True)
class SuccessiveForecasts:
    """The forecasts for one lead from successive origins of a station, in raw units.

    Attributes:
        station: Its name.
        lead: Steps from origin to target.
        times: datetime64 `[M]`, rising, of the targets; a step apart where windows are,
            otherwise multiples of it.
        truth: `[M, T]`, NaN where missing.
        point: `[M, T]`.
        quantiles: `[M, T, Q]`, None where there are none.
        directions: The numbers of the targets that are directions.
    """

    station: str
    lead: int
    times: np.ndarray
    truth: np.ndarray
    point: np.ndarray
    quantiles: np.ndarray | None = None
    directions: tuple[int, ...] = ()


@dataclass(frozen=True)
class ForecastSample:
    """Some forecasts of any origins and leads, in raw units.

    Attributes:
        truth: `[K, T]`, NaN where missing.
        point: `[K, T]`.
        last_value: `[K, T]`, the last that was there at the origin, NaN if none was.
        directions: The numbers of the targets that are directions, whose differences
            are those round the circle.
    """

    truth: np.ndarray
    point: np.ndarray
    last_value: np.ndarray
    directions: tuple[int, ...] = ()

    @property
    def errors(self) -> np.ndarray:
        """Forecast less truth, `[K, T]`."""
        return unwrapped(self.point, self.truth, self.directions) - self.truth

    @property
    def foreseen_changes(self) -> np.ndarray:
        """Forecast less last value, `[K, T]`."""
        last = self.last_value
        return unwrapped(self.point, last, self.directions) - last

    @property
    def true_changes(self) -> np.ndarray:
        """Truth less last value, `[K, T]`."""
        last = self.last_value
        return unwrapped(self.truth, last, self.directions) - last


@dataclass(frozen=True)
class ObservedLevels:
    """How many truths lie at or below each quantile.

    Attributes:
        levels: What each quantile states, `Q` rising numbers between 0 and 1.
        observed: `[Q]`, the fraction that was found.
        uncorrected: `[Q]`, the same before the conformal correction; None without one.
    """

    levels: Sequence[float]
    observed: np.ndarray
    uncorrected: np.ndarray | None = None


@dataclass(frozen=True)
class MissingMap:
    """What a station's series lacks over time.

    Attributes:
        station: Its name.
        edges: datetime64 `[bins + 1]`.
        fractions: `[bins, F]`, of missing values.
        starts: The time at which each split begins, in their order.
    """

    station: str
    edges: np.ndarray
    fractions: np.ndarray
    starts: Mapping[str, np.datetime64]


@dataclass(frozen=True)
class ShiftedFit:
    """How well successive forecasts follow the truth when moved in time.

    Attributes:
        lead: Steps from origin to target.
        shifts: int `[S]`, steps, 0 among them: negative where the forecast is moved to
            an earlier time, as it must be if it comes late.
        correlations: float64 `[S, T]`, NaN where there is none.
    """

    lead: int
    shifts: np.ndarray
    correlations: np.ndarray

    def best(self, target: int) -> int | None:
        """The shift of the highest correlation, the smallest of equals."""
        values = self.correlations[:, target]
        if not np.isfinite(values).any():
            return None
        highest = np.flatnonzero(values == np.nanmax(values))
        return int(self.shifts[highest[np.abs(self.shifts[highest]).argmin()]])

    def at(self, shift: int, target: int) -> float:
        """The correlation at a shift, NaN where there is none."""
        found = self.correlations[self.shifts == shift, target]
        return float(found[0]) if len(found) else float("nan")


def change_correlations(sample: ForecastSample) -> np.ndarray:
    """The correlation of the forecast change from the last value with the true one.

    A forecast that repeats the last value foresees no change and has none.

    Returns:
        float64 `[T]`, NaN where there is none.
    """
    foreseen, true = sample.foreseen_changes, sample.true_changes
    return np.array(
        [
            _correlation(foreseen[:, each], true[:, each])
            for each in range(true.shape[1])
        ]
    )


def fit_by_shift(successive: SuccessiveForecasts, step_seconds: int) -> ShiftedFit:
    """The correlation of the forecasts with the truth before and after their time.

    Forecasts that are the last value, delayed, fit best when moved back by the lead.
    Shifts reach to one and a half times the lead, long ones a few steps apart.
    """
    seconds = successive.times.astype("datetime64[s]").astype(np.int64)
    steps = (seconds - seconds.min()) // step_seconds
    shape = (int(steps.max()) + 1, successive.truth.shape[1])
    truth, point = np.full(shape, np.nan), np.full(shape, np.nan)
    truth[steps], point[steps] = successive.truth, successive.point
    truth = as_vectors(truth, successive.directions)
    point = as_vectors(point, successive.directions)
    shifts = _shifts(successive.lead)
    correlations = [
        [_correlation(*_overlap(point, truth, shift, each)) for each in range(shape[1])]
        for shift in shifts
    ]
    return ShiftedFit(successive.lead, shifts, np.array(correlations))


def missing_map(station: StationSeries, spans: Spans, bins: int = 160) -> MissingMap:
    """The fraction of missing values by time and variable.

    Args:
        station: With all its variables.
        spans: Of its splits; an empty one is left out.
        bins: At most so many, of as equal length as whole steps can be.
    """
    number = len(station)
    cuts = np.linspace(0, number, min(bins, number) + 1).astype(int)
    missing = np.isnan(station.values)
    return MissingMap(
        station.name,
        np.array([*map(station.time, cuts[:-1]), station.end + station.step]),
        np.add.reduceat(missing, cuts[:-1], axis=0) / np.diff(cuts)[:, None],
        {
            name: station.time(spans[name][0])
            for name in SPLITS
            if spans[name][1] > spans[name][0]
        },
    )


def _shifts(lead: int) -> np.ndarray:
    reach = max(lead + lead // 2, 6)
    number = min(reach, _SHIFTS_EACH_WAY)
    ahead = np.linspace(0, reach, number + 1).round().astype(int)
    return np.unique(np.concatenate([-ahead, ahead, [-lead]]))


def _overlap(
    point: np.ndarray, truth: np.ndarray, shift: int, target: int
) -> tuple[np.ndarray, np.ndarray]:
    """The forecasts and the truths that are `shift` steps behind them."""
    end = max(len(point) - abs(shift), 0)
    later, earlier = slice(abs(shift), None), slice(0, end)
    if shift < 0:
        return point[later, target], truth[earlier, target]
    return point[earlier, target], truth[later, target]


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Of the pairs that are whole; NaN of too few, and where one side is constant.

    Numbers or vectors, as complex numbers.
    """
    whole = np.isfinite(first) & np.isfinite(second)
    first, second = (np.array(each[whole], np.complex128) for each in (first, second))
    if len(first) < _FEWEST_PAIRS:
        return float("nan")
    if (first == first[0]).all() or (second == second[0]).all():
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1].real)
