"""Metrics of forecasts and their quantiles, summed batch by batch."""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import sparse

from ..data.large_arrays import ROWS_OF_SUMS, slices
from .directions import unwrapped, unwrapped_quantiles, wrapped

SEASONS = ("Dec-Feb", "Mar-May", "Jun-Aug", "Sep-Nov")

_HOURS = 24
# Sums that there always are; two more follow for each interval.
_COUNT, _ABSOLUTE, _SQUARED, _ERROR, _CRPS = range(5)
_FIRST_INTERVAL = 5


class ForecastScores:
    """The scores of one forecasting system, of which sums alone are kept.

    An element is one target at one lead time of one window. Those whose truth is
    missing count nowhere, and a mean over several targets is one over all elements
    that are there. Errors of directions are taken round the circle: truth and quantiles
    stand within half a turn of the point. The metrics:

    - `mae`, `mse`, `rmse`: mean absolute error, mean squared error and its root.
    - `mase`: the mean of each error over the target's error of a naive forecast in the
      training part (Hyndman and Koehler 2006, "Another look at measures of forecast
      accuracy"). Targets without such an error are left out of it.
    - `bias`: the mean of forecast less truth.
    - `crps`: the continuous ranked probability score, as twice the pinball loss in the
      mean over the quantiles; `mae` where there are none.
    - `mae_standardised`, `mse_standardised`: of errors in units of each target's
      standard deviation.
    - `coverage_80` and `width_80`: how many truths lie in the interval from the
      quantile .1 to .9, and how wide it is; so for each pair of quantiles that lie
      symmetrically. Only where there are quantiles. Frequent values, such as zeros of
      rain, count by `share_at_or_below`, so that the coverage of a right forecast is
      what it states, for any share of zeros.

    Args:
        targets: T names.
        leads: Steps from the origin to each target, H of them.
        scale: Standard deviations of the targets in the training part, `[T]`.
        naive_error: Of each target, see `naive_errors`; `[T]`, NaN where unknown.
        quantiles: The Q that are stated; may be empty.
        directions: The numbers of the targets that are directions, in degrees.
    """

    def __init__(
        self,
        targets: Sequence[str],
        leads: Sequence[int],
        *,
        scale: np.ndarray,
        naive_error: np.ndarray,
        quantiles: Sequence[float],
        directions: Sequence[int] = (),
    ):
        self._targets = list(targets)
        self._directions = tuple(directions)
        self._scale = np.asarray(scale, np.float64)
        self._naive_error = np.asarray(naive_error, np.float64)
        self._quantiles = list(quantiles)
        self._intervals = central_intervals(quantiles)
        self._has_quantiles = False
        self._at_or_below = np.zeros(len(quantiles))
        sums = _FIRST_INTERVAL + 2 * len(self._intervals)
        self._by_lead = np.zeros((sums, len(leads), len(targets)))
        self._by_time = np.zeros((sums, len(SEASONS), _HOURS, len(targets)))

    def add(
        self,
        truth: np.ndarray,
        point: np.ndarray,
        quantiles: np.ndarray | None,
        times: np.ndarray,
    ) -> None:
        """Counts a batch of forecasts, in raw units.

        Args:
            truth: `[N, H, T]`, NaN where missing.
            point: `[N, H, T]`.
            quantiles: `[N, H, T, Q]`, or None: the point stands for each of them.
            times: Of the targets, datetime64 `[N, H]`.

        Raises:
            ValueError: If shapes do not fit, or a forecast is no finite number.
        """
        self._check(truth, point, quantiles)
        self._has_quantiles |= quantiles is not None
        truth = unwrapped(truth, point, self._directions)
        if quantiles is not None:
            quantiles = unwrapped_quantiles(quantiles, point, self._directions)
        cells = _season_and_hour(times).ravel()
        in_cell = sparse.csc_matrix(
            (np.ones(len(cells)), cells, np.arange(len(cells) + 1)),
            shape=(len(SEASONS) * _HOURS, len(cells)),
        )
        for number, term in self._terms(truth, point, quantiles):
            self._by_lead[number] += term.sum(axis=0)
            of_cells = in_cell @ term.reshape(len(cells), -1)
            self._by_time[number] += of_cells.reshape(self._by_time.shape[1:])

    def observed_levels(self) -> np.ndarray | None:
        """How many of all truths lie at or below each quantile, `[Q]`, if any do."""
        count = self._by_lead[_COUNT].sum()
        return self._at_or_below / count if count and self._has_quantiles else None

    def overall(self) -> dict[str, float]:
        """Over all elements; a metric for which nothing was counted is left out."""
        metrics = self._metrics(self._by_lead.sum(axis=1), axis=-1)
        return {
            name: float(value) for name, value in metrics.items() if np.isfinite(value)
        }

    def by_lead(self) -> dict[str, list[float | None]]:
        """Of each metric H values, None where nothing was counted."""
        metrics = self._metrics(self._by_lead, axis=-1)
        return {
            name: [_number(value) for value in values]
            for name, values in metrics.items()
        }

    def by_variable(self) -> dict[str, dict[str, float | None]]:
        """By target, None where nothing was counted."""
        metrics = self._metrics(self._by_lead.sum(axis=1), axis=())
        return _by_name(self._targets, metrics)

    def by_season(self) -> dict[str, dict[str, float | None]]:
        """By `SEASONS` of the targets' times, those in which something was counted."""
        sums = self._by_time.sum(axis=2)
        occurs = sums[_COUNT].any(axis=-1)
        metrics = self._metrics(sums[:, occurs], axis=-1)
        return _by_name(np.array(SEASONS)[occurs].tolist(), metrics)

    def by_hour(self) -> dict[str, dict[str, float | None]]:
        """By the hour of the targets' times, "0" to "23", those that occur."""
        sums = self._by_time.sum(axis=1)
        occurs = sums[_COUNT].any(axis=-1)
        metrics = self._metrics(sums[:, occurs], axis=-1)
        return _by_name([str(hour) for hour in np.flatnonzero(occurs)], metrics)

    def _check(
        self, truth: np.ndarray, point: np.ndarray, quantiles: np.ndarray | None
    ) -> None:
        expected = (len(truth), *self._by_lead.shape[1:])
        if truth.shape != expected or point.shape != expected:
            raise ValueError(
                f"Expected truth and point forecasts of the shape {expected}. "
                f"Received: {truth.shape} and {point.shape}"
            )
        if quantiles is not None and quantiles.shape != (
            *expected,
            len(self._quantiles),
        ):
            raise ValueError(
                f"Expected quantiles of the shape {expected} and "
                f"{len(self._quantiles)}. Received: {quantiles.shape}"
            )
        for forecast in (point, quantiles):
            if forecast is not None and not np.isfinite(forecast).all():
                raise ValueError(
                    "Expected finite forecasts. Received: "
                    f"{np.count_nonzero(~np.isfinite(forecast))} that are not"
                )

    def _terms(
        self, truth: np.ndarray, point: np.ndarray, quantiles: np.ndarray | None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """What is summed, one after the other: the number of the sum, `[N, H, T]`."""
        present = np.isfinite(truth)
        truth = np.where(present, truth, 0.0).astype(np.float64)
        error = np.where(present, point - truth, 0.0)
        yield _COUNT, present.astype(np.float64)
        yield _ABSOLUTE, np.abs(error)
        yield _SQUARED, error**2
        yield _ERROR, error
        if quantiles is None:
            yield _CRPS, np.abs(error)
            return
        crps = np.zeros(truth.shape)
        for number, level in enumerate(self._quantiles):
            short = truth - quantiles[..., number]
            crps += np.maximum(level * short, (level - 1) * short)
        yield _CRPS, np.where(present, 2 / len(self._quantiles) * crps, 0.0)
        share = share_at_or_below(truth, quantiles, self._quantiles)
        self._at_or_below += share[present].sum(axis=0)
        for number, (low, high, _) in enumerate(self._intervals):
            width = quantiles[..., high].astype(np.float64) - quantiles[..., low]
            inside = share[..., high] - share[..., low]
            yield _FIRST_INTERVAL + 2 * number, np.where(present, inside, 0.0)
            yield _FIRST_INTERVAL + 2 * number + 1, np.where(present, width, 0.0)

    def _metrics(
        self, sums: np.ndarray, axis: int | tuple[()]
    ) -> dict[str, np.ndarray]:
        """Metrics from sums `[sums, ..., T]`, NaN where nothing was counted.

        Args:
            sums: As in `_terms`.
            axis: -1 to put the targets together, () to keep them apart.
        """
        count, absolute, squared = sums[_COUNT], sums[_ABSOLUTE], sums[_SQUARED]
        known = np.isfinite(self._naive_error)
        naive_error = np.where(known, self._naive_error, np.inf)
        count_of_known = np.where(known, count, 0.0).sum(axis)
        number = count.sum(axis)
        mean_squared = _ratio(squared.sum(axis), number)
        metrics = {
            "mae": _ratio(absolute.sum(axis), number),
            "mse": mean_squared,
            "rmse": np.sqrt(mean_squared),
            "mase": _ratio((absolute / naive_error).sum(axis), count_of_known),
            "bias": _ratio(sums[_ERROR].sum(axis), number),
            "crps": _ratio(sums[_CRPS].sum(axis), number),
            "mae_standardised": _ratio((absolute / self._scale).sum(axis), number),
            "mse_standardised": _ratio((squared / self._scale**2).sum(axis), number),
        }
        if self._has_quantiles:
            for index, (_, _, stated) in enumerate(self._intervals):
                inside, width = sums[_FIRST_INTERVAL + 2 * index :][:2]
                metrics[f"coverage_{stated}"] = _ratio(inside.sum(axis), number)
                metrics[f"width_{stated}"] = _ratio(width.sum(axis), number)
        return metrics


def share_at_or_below(
    truth: np.ndarray, quantiles: np.ndarray, levels: Sequence[float]
) -> np.ndarray:
    """Whether each truth lies at or below each quantile, 1 or 0; at ties, its share.

    A truth that equals quantiles lies where the forecast has a mass: of a dry hour with
    quantiles 0, 0, 0, 2 and 4 mm at .1, .25, .5, .75 and .9 the mass reaches from level
    0 to halfway between .5 and .75. The truth counts by the share of it that lies at or
    below the level, here .1/.625 at .1, as if it were drawn evenly from the mass. Were
    dry hours counted whole, an interval that holds them could cover no less than they
    are, whatever it states. Source: Czado, Gneiting and Held 2009, "Predictive Model
    Assessment for Count Data".

    Args:
        truth: `[...]`; where it is NaN, the result is 0.
        quantiles: `[..., Q]`, rising.
        levels: Of the quantiles, Q.
    """
    stated = np.asarray(levels, np.float64)
    edges = np.array([0.0, *(stated[1:] + stated[:-1]) / 2, 1.0])
    truth = truth[..., np.newaxis]
    begin = edges[(quantiles < truth).sum(axis=-1, keepdims=True)]
    end = edges[(quantiles <= truth).sum(axis=-1, keepdims=True)]
    share = (stated - begin) / np.where(end > begin, end - begin, 1.0)
    return np.where(quantiles == truth, share, truth < quantiles)


def central_intervals(quantiles: Sequence[float]) -> list[tuple[int, int, str]]:
    """The pairs of quantiles that lie symmetrically, the widest first.

    Returns:
        The numbers of the lower and the upper quantile, and the percentage of truths
        that should lie between them, as it stands in names of metrics.
    """
    pairs = [
        (lower, upper)
        for lower, low in enumerate(quantiles)
        for upper, high in enumerate(quantiles)
        if low < 0.5 and np.isclose(low + high, 1)
    ]
    return [
        (lower, upper, f"{round(100 * (quantiles[upper] - quantiles[lower]), 6):g}")
        for lower, upper in sorted(pairs, key=lambda pair: quantiles[pair[0]])
    ]


def naive_errors(
    parts: Sequence[np.ndarray], season: int, directions: Sequence[int] = ()
) -> np.ndarray:
    """The mean absolute error of the value a season before, over the training parts.

    It is the denominator of MASE. Steps of which an end is missing are left out.

    Args:
        parts: Of each station, `[steps, T]`, NaN where missing.
        season: Steps.
        directions: The numbers of the targets that are directions, in degrees.

    Returns:
        float64 `[T]`; NaN where the error is 0 or there is nothing to compare.
    """
    targets = parts[0].shape[1]
    total, count = np.zeros(targets), np.zeros(targets)
    for part in parts:
        for rows in slices(max(len(part) - season, 0), ROWS_OF_SUMS):
            for target in range(targets):
                values = part[rows.start : rows.stop + season, target]
                values = np.where(np.isfinite(values), values, np.nan)
                values = values.astype(np.float64)
                change = values[season:] - values[:-season]
                if target in directions:
                    change = wrapped(change)
                total[target] += np.nansum(np.abs(change))
                count[target] += np.count_nonzero(~np.isnan(change))
    return np.where(total > 0, _ratio(total, count), np.nan)


def _season_and_hour(times: np.ndarray) -> np.ndarray:
    """A number for each pair of season and hour, the season first."""
    months = times.astype("datetime64[M]").astype(np.int64) % 12
    hours = times.astype("datetime64[h]").astype(np.int64) % _HOURS
    return (months + 1) % 12 // 3 * _HOURS + hours


def _ratio(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _by_name(
    names: Sequence[str], metrics: dict[str, np.ndarray]
) -> dict[str, dict[str, float | None]]:
    return {
        name: {metric: _number(values[index]) for metric, values in metrics.items()}
        for index, name in enumerate(names)
    }
