"""One pass over the windows of a split: how the model and its baselines did."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from ..data.series.time_series import TimeSeries
from .baselines import Baseline
from .forecaster import Forecaster, quantile_shifts
from .metrics import ForecastScores
from .windows import OriginBatch, Windows

MODEL, UNCORRECTED = "model", "uncorrected"

# So much of the forecasts themselves is kept, for predictions.csv and the figures.
_KEPT_NUMBERS = 100_000
_SUCCESSIVE = 5_000
# So many quantiles are in memory together when their correction is fitted.
_FITTED_NUMBERS = 30_000_000


@dataclasses.dataclass(frozen=True)
class WindowBatch:
    """What a system may know of some windows, and what came true.

    Attributes:
        numbers: Of the windows, int64 `[N]`.
        features: The model's, as `WindowSource` has them.
        origins: Stations, origins and target times.
        truth: Raw, float32 `[N, H, T]`, NaN where missing.
    """

    numbers: np.ndarray
    features: dict[str, tf.Tensor]
    origins: OriginBatch
    truth: np.ndarray


#: In raw units the point forecasts `[N, H, T]`, and the quantiles `[N, H, T, Q]` or
#: None.
Answer = tuple[np.ndarray, np.ndarray | None]
Forecast = Callable[[WindowBatch], Answer]


@dataclasses.dataclass(frozen=True)
class System:
    """The model or a baseline.

    Attributes:
        forecast: From a batch to its answer before correction.
        shifts: What conformal correction adds to the quantiles, or where there are none
            to the point, `[H, T, Q]`; None for no correction.
    """

    forecast: Forecast
    shifts: np.ndarray | None = None

    def corrected(
        self, point: np.ndarray, quantiles: np.ndarray | None
    ) -> np.ndarray | None:
        """The quantiles with the correction."""
        if self.shifts is None:
            return quantiles
        stated = point[..., None] if quantiles is None else quantiles
        # Each is shifted by itself, after which two might have changed places.
        return np.sort(stated + self.shifts, axis=-1)


@dataclasses.dataclass(frozen=True)
class KeptForecasts:
    """Forecasts of the model for some windows; see `WindowBatch`.

    Attributes:
        numbers: int64 `[N]`.
        origins: Stations, origins and target times.
        truth: `[N, H, T]`.
        point: `[N, H, T]`.
        quantiles: `[N, H, T, Q]`, None where there are none.
    """

    numbers: np.ndarray
    origins: OriginBatch
    truth: np.ndarray
    point: np.ndarray
    quantiles: np.ndarray | None

    @classmethod
    def joined(cls, parts: Sequence["KeptForecasts"]) -> "KeptForecasts":
        """One behind the other."""
        quantiles = [part.quantiles for part in parts if part.quantiles is not None]
        origins = zip(*(vars(part.origins).values() for part in parts), strict=True)
        return cls(
            np.concatenate([part.numbers for part in parts]),
            OriginBatch(*(np.concatenate(arrays) for arrays in origins)),
            np.concatenate([part.truth for part in parts]),
            np.concatenate([part.point for part in parts]),
            np.concatenate(quantiles) if quantiles else None,
        )

    def of(self, windows: np.ndarray, leads: slice = slice(None)) -> "KeptForecasts":
        """Those of some of the windows and leads."""
        origins = self.origins
        return KeptForecasts(
            self.numbers[windows],
            OriginBatch(
                origins.stations[windows],
                origins.origins[windows],
                origins.target_times[windows][:, leads],
            ),
            self.truth[windows][:, leads],
            self.point[windows][:, leads],
            None if self.quantiles is None else self.quantiles[windows][:, leads],
        )


@dataclasses.dataclass(frozen=True)
class WindowScores:
    """How the systems did over the windows of a split.

    Attributes:
        scores: By name of the system; `UNCORRECTED` is the model without correction.
        stretches: The same for each of the stretches of time that were asked for.
        stretch_starts: datetime64[s], the first origin of each stretch.
        observed_levels: Of the model and `UNCORRECTED`, if they have quantiles, `[Q]`:
            the fraction of truths at or below each.
        sampled: The model's forecasts of windows spread evenly over all.
        successive: The model's forecasts for the last lead from the first origins of
            the first station.
    """

    scores: Mapping[str, ForecastScores]
    stretches: Sequence[Mapping[str, ForecastScores]]
    stretch_starts: np.ndarray
    observed_levels: Mapping[str, np.ndarray]
    sampled: KeptForecasts
    successive: KeptForecasts


def score_windows(
    windows: Windows,
    batch_size: int,
    systems: Mapping[str, System],
    new_scores: Callable[[], ForecastScores],
    stretches: int | None = None,
) -> WindowScores:
    """Lets all systems forecast each window, once.

    Args:
        windows: Of a split.
        batch_size: Windows of a batch.
        systems: By name; `MODEL` among them.
        new_scores: Makes empty ones.
        stretches: Into so many of equal length the origins are parted too.
    """
    names = [*systems]
    if systems[MODEL].shifts is not None:
        names.insert(1, UNCORRECTED)
    scores = {name: new_scores() for name in names}
    parts = [{name: new_scores() for name in names} for _ in range(stretches or 0)]
    times = windows.origin_times(np.arange(len(windows)))
    starts = _stretch_starts(times, stretches or 1)
    levels = {name: _ObservedLevels() for name in (MODEL, UNCORRECTED)}
    kept = _Kept(windows)
    for batch in window_batches(windows, batch_size):
        stretch = np.searchsorted(starts, times[batch.numbers], side="right") - 1
        for name, point, quantiles in _answers(systems, batch):
            _add(scores[name], batch, point, quantiles)
            for number in np.unique(stretch) if parts else ():
                rows = stretch == number
                _add(parts[number][name], batch, point, quantiles, rows)
            if name in levels and quantiles is not None:
                levels[name].add(batch.truth, quantiles)
            if name == MODEL:
                kept.add(batch, point, quantiles)
    return WindowScores(
        scores,
        parts,
        starts,
        {name: each.fractions() for name, each in levels.items() if each.count},
        KeptForecasts.joined(kept.sampled),
        KeptForecasts.joined(kept.successive),
    )


def model_forecast(forecaster: Forecaster) -> Forecast:
    """The model's answers."""
    run = tf.function(forecaster.forecast, autograph=False, reduce_retracing=True)

    def forecast(batch: WindowBatch) -> Answer:
        point, quantiles = run(batch.features)
        return point.numpy(), quantiles.numpy() if quantiles.shape[-1] else None

    return forecast


def baseline_forecast(baseline: Baseline, series: TimeSeries) -> Forecast:
    """A baseline's answers: points alone."""
    return lambda batch: (baseline.forecast(batch.origins, series), None)


@dataclasses.dataclass(frozen=True)
class ValidationForecasts:
    """A system's forecasts of validation windows.

    They are made once, for the correction and for the evaluation on validation.

    Attributes:
        answers: Of each batch.
        truth: `[N, H, T]`.
        is_whole: Whether they are of all windows, and not of some.
    """

    answers: Sequence[Answer]
    truth: np.ndarray
    is_whole: bool

    @classmethod
    def make(
        cls, forecast: Forecast, windows: Windows, batch_size: int, levels: int
    ) -> "ValidationForecasts":
        """Forecasts the windows, or where they are many some of them, spread evenly.

        Args:
            forecast: Of the system.
            windows: Of the validation part.
            batch_size: Windows of a batch.
            levels: The number of quantiles to be corrected.
        """
        shape = windows.source.shape
        numbers = len(windows) * shape.horizon * len(shape.targets) * levels
        every = max(1, -(-numbers // _FITTED_NUMBERS))
        answers, truths = [], []
        for batch in window_batches(windows, batch_size, every):
            answers.append(forecast(batch))
            truths.append(batch.truth)
        return cls(answers, np.concatenate(truths), every == 1)

    def shifts(self, levels: Sequence[float]) -> np.ndarray:
        """The correction of the quantiles, `[H, T, Q]`, see `quantile_shifts`."""
        stated = [
            point[..., None] if quantiles is None else quantiles
            for point, quantiles in self.answers
        ]
        return quantile_shifts(self.truth, np.concatenate(stated), levels)

    def again(self) -> Forecast:
        """The same forecasts for one more pass over the same batches."""
        answers = iter(self.answers)
        return lambda batch: next(answers)


def window_batches(
    windows: Windows, batch_size: int, every: int = 1
) -> Iterator[WindowBatch]:
    """The windows whose numbers `every` divides, in their order."""
    numbers = np.arange(0, len(windows), every)
    batches = windows.batches(batch_size, every)
    for begin, (features, _, _) in zip(
        range(0, len(numbers), batch_size), batches, strict=True
    ):
        chunk = numbers[begin : begin + batch_size]
        stations, origins = windows.locations(chunk)
        yield WindowBatch(
            chunk,
            features,
            OriginBatch(stations, origins, windows.target_times(chunk)),
            windows.raw_targets(chunk),
        )


def _answers(
    systems: Mapping[str, System], batch: WindowBatch
) -> Iterator[tuple[str, np.ndarray, np.ndarray | None]]:
    """Each system's point and quantiles, and the model's without correction."""
    for name, system in systems.items():
        point, quantiles = system.forecast(batch)
        yield name, point, system.corrected(point, quantiles)
        if name == MODEL and system.shifts is not None:
            yield UNCORRECTED, point, quantiles


class _Kept:
    """Keeps some of the model's forecasts."""

    def __init__(self, windows: Windows) -> None:
        self.sampled: list[KeptForecasts] = []
        self.successive: list[KeptForecasts] = []
        shape = windows.source.shape
        numbers = len(windows) * shape.horizon * len(shape.targets)
        self._every = max(1, -(-numbers // _KEPT_NUMBERS))
        (self._station,), _ = windows.locations(np.zeros(1, int))

    def add(
        self, batch: WindowBatch, point: np.ndarray, quantiles: np.ndarray | None
    ) -> None:
        made = KeptForecasts(
            batch.numbers, batch.origins, batch.truth, point, quantiles
        )
        self.sampled.append(made.of(batch.numbers % self._every == 0))
        is_early = batch.numbers < _SUCCESSIVE
        is_early &= batch.origins.stations == self._station
        self.successive.append(made.of(is_early, slice(-1, None)))


class _ObservedLevels:
    """Counts the truths at or below each quantile."""

    def __init__(self) -> None:
        self.count = 0
        self._below = np.zeros(1, np.int64)

    def add(self, truth: np.ndarray, quantiles: np.ndarray) -> None:
        self.count += int(np.isfinite(truth).sum())
        # A comparison with NaN is false, so what is missing is not counted.
        self._below = self._below + (truth[..., None] <= quantiles).sum(axis=(0, 1, 2))

    def fractions(self) -> np.ndarray:
        return self._below / self.count


def _stretch_starts(times: np.ndarray, stretches: int) -> np.ndarray:
    """The beginnings of equal stretches of time."""
    first, last = times.min().astype(np.int64), times.max().astype(np.int64) + 1
    starts = first + (last - first) * np.arange(stretches) // stretches
    return starts.astype("datetime64[s]")


def _add(
    scores: ForecastScores,
    batch: WindowBatch,
    point: np.ndarray,
    quantiles: np.ndarray | None,
    rows: np.ndarray | slice = slice(None),
) -> None:
    scores.add(
        batch.truth[rows],
        point[rows],
        None if quantiles is None else quantiles[rows],
        batch.origins.target_times[rows],
    )
