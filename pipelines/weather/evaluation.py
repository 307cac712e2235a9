"""Judging forecasts: the model and its baselines over the same windows."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ..datasets.time_series import TimeSeries
from .baselines import Baseline
from .conformal import quantile_shifts
from .forecaster import Forecaster
from .metrics import ForecastScores
from .origins import OriginBatch
from .windows import Windows

MODEL, UNCORRECTED = "model", "uncorrected"

# What is kept of the forecasts themselves: for predictions.csv and the figures.
_KEPT_NUMBERS = 100_000
# So many quantiles are at hand together when their shifts are found.
_SHIFTED_NUMBERS = 30_000_000
_SUCCESSIVE = 5_000


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
    features: dict[str, Any]
    origins: OriginBatch
    truth: np.ndarray


#: From a batch to the point forecasts `[N, H, T]` and the quantiles `[N, H, T, Q]`, or
#: None where there are none; in raw units.
System = Callable[[WindowBatch], tuple[np.ndarray, np.ndarray | None]]


@dataclasses.dataclass(frozen=True)
class KeptForecasts:
    """Forecasts of some windows: see `WindowBatch`, and the model's answers.

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
        return cls(
            np.concatenate([part.numbers for part in parts]),
            OriginBatch(
                *(
                    np.concatenate(
                        [getattr(part.origins, field.name) for part in parts]
                    )
                    for field in dataclasses.fields(OriginBatch)
                )
            ),
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
class Judgement:
    """How the systems did.

    Attributes:
        scores: By name of the system.
        blocks: The same for each of the blocks in time that were asked for.
        block_starts: datetime64[s], the first origin of each block.
        shares: By name of the systems with quantiles, `[Q]`, the share of truths that
            lie at or below each.
        spread: The model's forecasts of windows spread evenly over all.
        successive: The model's forecasts for the last lead from the first origins of
            the first station.
    """

    scores: dict[str, ForecastScores]
    blocks: list[dict[str, ForecastScores]]
    block_starts: np.ndarray
    shares: dict[str, np.ndarray]
    spread: KeptForecasts
    successive: KeptForecasts


def judge(
    windows: Windows,
    batch_size: int,
    systems: Mapping[str, System],
    new_scores: Callable[[], ForecastScores],
    blocks: int = 1,
) -> Judgement:
    """Lets all systems forecast each window.

    Args:
        windows: Of a split.
        batch_size: Windows of a batch.
        systems: By name; `MODEL` among them.
        new_scores: Makes empty ones.
        blocks: Into so many equal stretches of time the origins are parted too.
    """
    shape = windows.source.shape
    scores = {name: new_scores() for name in systems}
    times = windows.origin_times(np.arange(len(windows)))
    edges = _edges(times, blocks)
    by_block = [{name: new_scores() for name in systems} for _ in range(blocks)]
    shares = {name: _Shares() for name in systems}
    numbers_of_a_window = shape.horizon * len(shape.targets)
    every = max(1, -(-len(windows) * numbers_of_a_window // _KEPT_NUMBERS))
    spread, successive = [], []
    for batch in window_batches(windows, batch_size):
        in_block = np.searchsorted(edges, times[batch.numbers], side="right") - 1
        for name, system in systems.items():
            point, quantiles = system(batch)
            _add(scores[name], batch, point, quantiles, slice(None))
            if quantiles is not None:
                shares[name].add(batch.truth, quantiles)
            for block in np.unique(in_block) if blocks > 1 else ():
                own = in_block == block
                _add(by_block[block][name], batch, point, quantiles, own)
            if name == MODEL:
                made = KeptForecasts(
                    batch.numbers, batch.origins, batch.truth, point, quantiles
                )
                spread.append(made.of(batch.numbers % every == 0))
                early = (batch.numbers < _SUCCESSIVE) & (
                    batch.origins.stations == windows.places(np.zeros(1, int))[0]
                )
                successive.append(made.of(early, slice(-1, None)))
    return Judgement(
        scores,
        by_block if blocks > 1 else [],
        edges,
        {name: each.observed() for name, each in shares.items() if each.quantiles},
        KeptForecasts.joined(spread),
        KeptForecasts.joined(successive),
    )


def model_system(forecaster: Forecaster) -> System:
    """The model's answers."""
    forecast = tf.function(forecaster.forecast, autograph=False, reduce_retracing=True)

    def answer(batch: WindowBatch) -> tuple[np.ndarray, np.ndarray | None]:
        point, quantiles = forecast(batch.features)
        return point.numpy(), quantiles.numpy() if quantiles.shape[-1] else None

    return answer


def baseline_system(
    baseline: Baseline, series: TimeSeries, offsets: np.ndarray | None
) -> System:
    """A baseline's answers, its quantiles each an offset `[H, T, Q]` from its point."""

    def answer(batch: WindowBatch) -> tuple[np.ndarray, np.ndarray | None]:
        point = baseline.forecast(batch.origins, series)
        return point, None if offsets is None else point[..., None] + offsets

    return answer


def conformal_shifts(
    system: System, windows: Windows, batch_size: int, shares: Sequence[float]
) -> np.ndarray:
    """What to add to a system's quantiles, `[H, T, Q]`, by its errors on the windows.

    A system without quantiles has its point for each of them. See `quantile_shifts`.
    """
    shape = windows.source.shape
    of_a_window = shape.horizon * len(shape.targets) * len(shares)
    every = max(1, -(-len(windows) * of_a_window // _SHIFTED_NUMBERS))
    truths, answers = [], []
    for batch in window_batches(windows, batch_size, every):
        point, quantiles = system(batch)
        truths.append(batch.truth)
        answers.append(point[..., None] if quantiles is None else quantiles)
    return quantile_shifts(np.concatenate(truths), np.concatenate(answers), shares)


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
        stations, origins = windows.places(chunk)
        yield WindowBatch(
            chunk,
            features,
            OriginBatch(stations, origins, windows.target_times(chunk)),
            windows.raw_targets(chunk),
        )


class _Shares:
    """The share of truths at or below each quantile."""

    def __init__(self) -> None:
        self.quantiles = 0
        self._below: Any = 0
        self._count = 0

    def add(self, truth: np.ndarray, quantiles: np.ndarray) -> None:
        self.quantiles = quantiles.shape[-1]
        self._count += int(np.isfinite(truth).sum())
        # A comparison with NaN is false, so what is missing is not counted.
        below = truth[..., None] <= quantiles
        self._below += below.sum(axis=(0, 1, 2))

    def observed(self) -> np.ndarray:
        return self._below / max(1, self._count)


def _edges(times: np.ndarray, blocks: int) -> np.ndarray:
    """The beginnings of equal stretches of time."""
    first, last = times.min().astype(np.int64), times.max().astype(np.int64) + 1
    starts = first + (last - first) * np.arange(blocks) // blocks
    return starts.astype("datetime64[s]")


def _add(
    scores: ForecastScores,
    batch: WindowBatch,
    point: np.ndarray,
    quantiles: np.ndarray | None,
    own: Any,
) -> None:
    scores.add(
        batch.truth[own],
        point[own],
        None if quantiles is None else quantiles[own],
        batch.origins.target_times[own],
    )
