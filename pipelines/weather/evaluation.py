"""One pass over the windows of a split: how the model and its baselines did."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ..core.optional import of_baselines
from ..data.series.time_series import TimeSeries
from .baselines import Baseline
from .combination import differences
from .correction import (
    Correction,
    TargetRanges,
    missing_bins,
    missing_share,
)
from .directions import unwrapped
from .forecaster import Forecaster
from .members import SimpleMembers
from .metrics import ForecastScores
from .model_inputs import with_hidden
from .scaling import Scaling
from .windows import OriginBatch, Windows, spread_numbers

MODEL, UNCORRECTED = "model", "uncorrected"
#: The recurrent forecast of a model that combines it with others.
RECURRENT = "recurrent"

# So much of the forecasts themselves is kept, for predictions.csv and the figures.
_KEPT_NUMBERS = 100_000
_SUCCESSIVE = 5_000
# So many quantiles are in memory together when their correction is fitted.
_FITTED_NUMBERS = 30_000_000
# So many windows tell what missing values do to the quantiles, and so few do not.
_MASKED_WINDOWS, _ENOUGH = 2_000, 100
_MOST_MISSING = 0.95


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
        correction: Makes the answer that is given of it; None to give it as it is.
    """

    forecast: Forecast
    correction: Correction | None = None

    @property
    def is_shifted(self) -> bool:
        """Whether there are other quantiles before the correction."""
        return self.correction is not None and self.correction.shifts is not None


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
    if systems[MODEL].is_shifted:
        names.insert(1, UNCORRECTED)
    scores = {name: new_scores() for name in names}
    parts = [{name: new_scores() for name in names} for _ in range(stretches or 0)]
    times = windows.origin_times(np.arange(len(windows)))
    starts = _stretch_starts(times, stretches or 1)
    kept = _Kept(windows)
    for batch in window_batches(windows, batch_size):
        stretch = np.searchsorted(starts, times[batch.numbers], side="right") - 1
        stated = _stated(systems, batch)
        # A baseline that fails is asked no more, and has no scores.
        systems = {name: systems[name] for name in stated}
        for name, point, quantiles in _answers(systems, stated, batch):
            _add(scores[name], batch, point, quantiles)
            for number in np.unique(stretch) if parts else ():
                rows = stretch == number
                _add(parts[number][name], batch, point, quantiles, rows)
            if name == MODEL:
                kept.add(batch, point, quantiles)
    left = [name for name in names if name in (*systems, UNCORRECTED)]
    return WindowScores(
        {name: scores[name] for name in left},
        [{name: part[name] for name in left} for part in parts],
        starts,
        {
            name: observed
            for name in left
            if name in (MODEL, UNCORRECTED)
            and (observed := scores[name].observed_levels()) is not None
        },
        KeptForecasts.joined(kept.sampled),
        KeptForecasts.joined(kept.successive),
    )


class ModelForecasts:
    """A model's answers before correction, by one run of its network for each batch.

    Args:
        forecaster: Of the model.
    """

    def __init__(self, forecaster: Forecaster):
        def run(features: dict[str, tf.Tensor]) -> tuple[Any, Any]:
            recurrent = forecaster.recurrent(features)
            return recurrent, forecaster.combined(features, *recurrent)

        self._run = tf.function(run, autograph=False, reduce_retracing=True)
        self._last: tuple[WindowBatch | None, Any] = (None, None)

    def recurrent(self, batch: WindowBatch) -> Answer:
        """Those of the recurrent networks alone."""
        return self._answers(batch)[0]

    def combined(self, batch: WindowBatch) -> Answer:
        """Those that are to be corrected and given."""
        return self._answers(batch)[1]

    def _answers(self, batch: WindowBatch) -> tuple[Answer, Answer]:
        if self._last[0] is not batch:
            recurrent, combined = (
                (point.numpy(), quantiles.numpy() if quantiles.shape[-1] else None)
                for point, quantiles in self._run(batch.features)
            )
            self._last = batch, (recurrent, combined)
        return self._last[1]


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
        missing: The share of each history that is missing, `[N]`.
        independent: How many windows beside each other the part holds, by lead, `[H]`.
            The errors of others overlap: they have steps in common.
        is_whole: Whether they are of all windows, and not of some.
    """

    answers: Sequence[Answer]
    truth: np.ndarray
    missing: np.ndarray
    independent: np.ndarray
    is_whole: bool

    @classmethod
    def make(
        cls,
        forecast: Forecast,
        windows: Windows,
        batch_size: int,
        levels: int,
        missing: tuple[float, float] | None = None,
    ) -> "ValidationForecasts":
        """Forecasts the windows, or where they are many some of them, spread evenly.

        Args:
            forecast: Of the system.
            windows: Of the validation part.
            batch_size: Windows of a batch.
            levels: The number of quantiles to be corrected.
            missing: Values of each history are left out until a share between these
                two is missing; None for histories as they are.
        """
        shape = windows.source.shape
        most = _FITTED_NUMBERS // (shape.horizon * len(shape.targets) * levels)
        most = max(1, most if missing is None else min(most, _MASKED_WINDOWS))
        numbers = spread_numbers(len(windows), most)
        answers, truths, shares = [], [], []
        for batch in window_batches(windows, batch_size, numbers):
            if missing is not None:
                batch = _with_missing(batch, *missing, windows.source.scaling)
            answers.append(forecast(batch))
            truths.append(batch.truth)
            shares.append(missing_share(batch.features["observed"]).numpy())
        return cls(
            answers,
            np.concatenate(truths),
            np.concatenate(shares),
            np.maximum(len(windows) * windows.stride / np.array(shape.leads), 1.0),
            missing is None and len(numbers) == len(windows),
        )

    @property
    def states_quantiles(self) -> bool:
        """Whether there are some, and not points alone."""
        return self.answers[0][1] is not None

    def shifts(
        self, correction: Correction, rows: np.ndarray | slice = slice(None)
    ) -> np.ndarray:
        """The shifts of the correction for some of the windows, `[H, T, Q]`."""
        points, quantiles = zip(*self.answers, strict=True)
        return correction.fitted_shifts(
            self.truth[rows],
            np.concatenate(points)[rows],
            None if quantiles[0] is None else np.concatenate(quantiles)[rows],
            self.independent,
        )

    def within(self, least: float, most: float) -> np.ndarray:
        """The windows of which a share in this bin of `Correction` is missing."""
        return np.flatnonzero((self.missing > least) & (self.missing <= most))

    def again(self) -> Forecast:
        """The same forecasts for one more pass over the same batches."""
        answers = iter(self.answers)
        return lambda batch: next(answers)


def held_out_errors(
    recurrent: Forecast,
    members: SimpleMembers,
    windows: Windows,
    batch_size: int,
    ranges: TargetRanges,
) -> tuple[np.ndarray, np.ndarray]:
    """What the weights of a combination are fitted to.

    Args:
        recurrent: The recurrent forecast.
        members: M that are combined with it.
        windows: Of the validation part; of many some, spread evenly.
        batch_size: Windows of a batch.
        ranges: Of the targets.

    Returns:
        In standard deviations of the training part, truth less recurrent forecast
        float32 `[N, H, T]`, NaN where missing, and what the members forecast less that,
        float32 `[N, H, T, M]`.
    """
    shape = windows.source.shape
    scale = windows.source.scaling.of(shape.targets).scale
    size = shape.horizon * len(shape.targets) * (1 + len(members.names))
    numbers = spread_numbers(len(windows), max(1, _FITTED_NUMBERS // size))
    forecast = tf.function(members.forecast, autograph=False, reduce_retracing=True)
    errors, beside = [], []
    for batch in window_batches(windows, batch_size, numbers):
        point, _ = recurrent(batch)
        error = unwrapped(batch.truth, point, ranges.directions) - point
        errors.append((error / scale).astype(np.float32))
        other = differences(forecast(batch.features), point, ranges).numpy()
        beside.append((other / scale[:, np.newaxis]).astype(np.float32))
    return np.concatenate(errors), np.concatenate(beside)


def shifts_by_missing(
    made: ValidationForecasts,
    forecast: Forecast,
    windows: Windows,
    batch_size: int,
    correction: Correction,
) -> np.ndarray:
    """The shifts for each bin of `MISSING_EDGES`, `[bins, H, T, Q]`.

    Where too few histories are in a bin, copies from which values are left out stand
    for them: a model that has seen little that is missing states intervals for it that
    nobody has tried.

    Args:
        made: The forecasts of the windows as they are.
        forecast: Of the model.
        windows: Of the validation part.
        batch_size: Windows of a batch.
        correction: To be fitted.
    """
    shifts: list[np.ndarray] = []
    enough = min(_ENOUGH, len(made.truth) / 2)
    # From the last, since all histories may lack more than the first bins hold.
    for least, most in reversed(missing_bins()):
        of_bin, rows = made, made.within(least, most)
        if len(rows) < enough:
            share = max(least, 0.0), min(most, _MOST_MISSING)
            of_bin = ValidationForecasts.make(
                forecast, windows, batch_size, len(correction.levels), share
            )
            rows = of_bin.within(least, most)
        if len(rows):
            shifts.append(of_bin.shifts(correction, rows))
        else:
            shifts.append(shifts[-1] if shifts else made.shifts(correction))
    return np.stack(shifts[::-1])


def _with_missing(
    batch: WindowBatch, least: float, most: float, scaling: Scaling
) -> WindowBatch:
    """With values left out, until a share between these two is missing."""
    already = missing_share(batch.features["observed"])
    rng = np.random.default_rng(int(batch.numbers[0]))
    share = rng.uniform(least, most, len(batch.numbers)).astype(np.float32)
    fraction = (share - already) / tf.maximum(1 - already, 1e-6)
    features = with_hidden(
        batch.features, fraction, scaling.directions, int(batch.numbers[0])
    )
    return dataclasses.replace(batch, features=features)


def window_batches(
    windows: Windows, batch_size: int, numbers: np.ndarray | None = None
) -> Iterator[WindowBatch]:
    """All windows, or those of these numbers, in their order."""
    batches = windows.batches(batch_size, numbers)
    if numbers is None:
        numbers = np.arange(len(windows))
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


def _stated(systems: Mapping[str, System], batch: WindowBatch) -> dict[str, Answer]:
    """What each system forecasts, by name; a baseline that fails is left out."""
    baselines = {name: each for name, each in systems.items() if name != MODEL}
    answers = of_baselines(baselines, lambda baseline: baseline.forecast(batch))
    return {MODEL: systems[MODEL].forecast(batch), **answers}


def _answers(
    systems: Mapping[str, System], answers: Mapping[str, Answer], batch: WindowBatch
) -> Iterator[tuple[str, np.ndarray, np.ndarray | None]]:
    """Each system's point and quantiles, and the model's without shifts."""
    missing = missing_share(batch.features["observed"])
    for name, system in systems.items():
        stated = answers[name]
        if system.correction is None:
            yield name, *stated
            continue
        yield name, *_corrected(system.correction, stated, missing)
        if name == MODEL and system.is_shifted:
            unshifted = system.correction.without_shifts()
            yield UNCORRECTED, *_corrected(unshifted, stated, missing)


def _corrected(correction: Correction, stated: Answer, missing: tf.Tensor) -> Answer:
    point, quantiles = (
        None if each is None else tf.convert_to_tensor(each) for each in stated
    )
    point, quantiles = correction.apply(point, quantiles, missing)
    return point.numpy(), None if quantiles is None else quantiles.numpy()


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
