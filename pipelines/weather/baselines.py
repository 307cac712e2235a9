"""What a user would pick instead of a recurrent network, fitted to the same windows."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from ..core.optional import of_baselines
from ..data.series.steps import Step
from ..data.series.time_series import TimeSeries
from .climatology import fit_climatology
from .data import WindowDataModule
from .ridge import fit_ridge
from .windows import OriginBatch, WindowShape, last_values, values_around

_DAY = 86_400


class Baseline(Protocol):
    """A fitted baseline. It holds no series; joblib saves it and loads it again."""

    def forecast(self, batch: OriginBatch, series: TimeSeries) -> np.ndarray:
        """Forecasts in raw units, `[N, H, T]`, finite whatever is missing.

        Args:
            batch: Where the forecasts begin.
            series: With the stations of the batch; nothing after an origin is read.
        """
        ...


def fit_baselines(data_module: WindowDataModule) -> dict[str, Baseline]:
    """Fits every baseline to the training part.

    - `repeat_last`: the last value that was there.
    - `seasonal_naive`: the value a season before, see `season_steps`.
    - `climatology`: the usual value of season and hour, see `Climatology`.
    - `ridge`: linear regression on lags and calendar, see `Ridge`.

    Returns:
        Fitted baseline by name, in this order.
    """
    data, scaling = data_module.data, data_module.source.scaling
    season = season_steps(data.step)
    repeat_last = RepeatLast(data.shape, scaling.mean[list(data.shape.targets)])
    return of_baselines(
        {
            "repeat_last": lambda: repeat_last,
            "seasonal_naive": lambda: (
                SeasonalNaive(repeat_last, season) if season > 1 else repeat_last
            ),
            "climatology": lambda: fit_climatology(data, scaling),
            "ridge": lambda: fit_ridge(data_module),
        },
        lambda fit: fit(),
    )


def season_steps(step: Step) -> int:
    """Steps of the season of a naive forecast.

    A day where steps divide one; a week of days or of business days; a year where
    steps are months that divide it; otherwise 1, no season.
    """
    if step.months:
        return 12 // step.months if 12 % step.months == 0 else 1
    if step.business_days:
        return 5 if step.business_days == 1 else 1
    if step.seconds == _DAY:
        return 7
    return _DAY // step.seconds if _DAY % step.seconds == 0 else 1


@dataclass(frozen=True)
class RepeatLast:
    """The last value of the history that is there, at every lead time.

    Attributes:
        shape: What a window holds.
        means: Of the training part, float32 `[T]`: where the history has no value.
    """

    shape: WindowShape
    means: np.ndarray

    def forecast(self, batch: OriginBatch, series: TimeSeries) -> np.ndarray:
        """`[N, H, T]`."""
        last = self.last_values(series, batch.stations, batch.origins)
        return np.repeat(last, self.shape.horizon, axis=1)

    def last_values(
        self, series: TimeSeries, stations: np.ndarray, origins: np.ndarray
    ) -> np.ndarray:
        """Float32 `[N, 1, T]`."""
        history, targets = self.shape.history, self.shape.targets
        last = last_values(series, stations, origins, history, targets)
        means = self.means.astype(last.dtype)
        return np.where(np.isnan(last), means, last)[:, None]


@dataclass(frozen=True)
class SeasonalNaive:
    """The last value at the same time of the season.

    Where it is missing, that of a season before, up to seven; then the last value.

    Attributes:
        repeat_last: Stands where the seasons have no value.
        season: Steps.
        most_seasons: That are looked back on.
    """

    repeat_last: RepeatLast
    season: int
    most_seasons: ClassVar[int] = 7

    def places(self, shape: WindowShape) -> np.ndarray:
        """The last step at the time of each lead, int64 `[H]`; the origin is 0."""
        leads = np.array(shape.leads)
        return leads - self.season * -(-leads // self.season)

    def forecast(self, batch: OriginBatch, series: TimeSeries) -> np.ndarray:
        """`[N, H, T]`."""
        shape = self.repeat_last.shape
        # Many lead times may have one time of the season.
        steps, of_lead = np.unique(self.places(shape), return_inverse=True)
        size = len(batch.origins), len(steps), len(shape.targets)
        values = np.full(size, np.nan, series.stations[0].values.dtype)
        short = np.arange(len(values))
        for seasons in range(self.most_seasons):
            earlier = values_around(
                series,
                batch.stations[short],
                batch.origins[short],
                steps - seasons * self.season,
                shape.targets,
            )
            values[short] = np.where(np.isnan(values[short]), earlier, values[short])
            short = np.flatnonzero(np.isnan(values).any(axis=(1, 2)))
        last = self.repeat_last.last_values(
            series, batch.stations[short], batch.origins[short]
        )
        values[short] = np.where(np.isnan(values[short]), last, values[short])
        return values[:, of_lead]
