"""Windows of history and target, cut from series that stay where they are.

A window is a number. Its station and its origin, the last step of its history, are
computed from the number, and its values are gathered from the one array of the series
when its batch is made; so memory does not grow with the number of windows, and an epoch
can begin at any batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ..core.autotuning import without_autotuning
from ..data.large_arrays import slices
from ..data.series.chronological_split import Spans
from ..data.series.time_series import StationSeries, TimeSeries
from .model_inputs import history_inputs, known_inputs, standardised
from .scaling import Scaling


@dataclass(frozen=True)
class WindowShape:
    """What a window holds.

    Args:
        history: steps up to the origin and with it, L.
        horizon: steps that are forecast, H.
        first_lead: steps from the origin to the first of them.
        targets: the numbers of the variables that are forecast, T.
        known_future: the numbers of the variables known ahead.
        calendar: whether time of day and of year are inputs.
        week: whether the time of week is one too, where there is a calendar.
    """

    history: int
    horizon: int
    first_lead: int
    targets: tuple[int, ...]
    known_future: tuple[int, ...] = ()
    calendar: bool = True
    week: bool = False

    @property
    def last_lead(self) -> int:
        """Steps from the origin to the last target."""
        return self.first_lead + self.horizon - 1

    @property
    def leads(self) -> range:
        """Steps from the origin to each target, H of them."""
        return range(self.first_lead, self.last_lead + 1)

    def origins(self, span: tuple[int, int], reaches_back: bool) -> range:
        """The origins of the windows whose targets all lie in a span of steps.

        Args:
            span: its first step, and the one behind its last.
            reaches_back: whether the history may begin before the span.
        """
        begin, end = span
        whole_history = self.history - 1 + (0 if reaches_back else begin)
        return range(max(begin - self.first_lead, whole_history), end - self.last_lead)


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
        Raw, `[N, S, V]` of the series' type, NaN where missing and before the series
        begins.
    """
    columns = list(variables)
    size = len(origins), len(steps), len(columns)
    values = np.empty(size, series.stations[0].values.dtype)
    for number in np.unique(stations):
        here = stations == number
        rows = origins[here, None] + np.asarray(steps)
        picked = series.stations[number].values[np.maximum(rows, 0)[..., None], columns]
        picked[rows < 0] = np.nan
        values[here] = picked
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
        here = stations == number
        station = series.stations[number]
        if station.stamps is None:
            times[here] = station.start + rows[here] * station.step
        else:
            times[here] = station.stamps[rows[here]]
    return times


def rows_with_a_value(values: np.ndarray, columns: Sequence[int]) -> np.ndarray:
    """How many rows before each one, and before the end, have one in these columns.

    Args:
        values: `[rows, V]`.
        columns: Their numbers.

    Returns:
        int32 `[rows + 1]`.
    """
    seen = np.zeros(len(values) + 1, np.int32)
    for part in slices(len(values)):
        present = np.isfinite(values[part, list(columns)]).any(axis=1)
        seen[part.start + 1 : part.stop + 1] = present
    return np.cumsum(seen, out=seen)


def filled_forward(values: np.ndarray) -> np.ndarray:
    """Missing values replaced by the last one before them, 0 before the first.

    Args:
        values: `[N, S, V]`, NaN where missing.
    """
    missing = np.isnan(values)
    if not missing.any():
        return values
    steps = np.where(missing, 0, np.arange(values.shape[1])[:, None])
    last = np.maximum.accumulate(steps, axis=1)
    # Where none came before, that is the first, which is missing itself.
    return np.nan_to_num(np.take_along_axis(values, last, axis=1), nan=0.0)


def spread_numbers(count: int, most: int) -> np.ndarray:
    """Of so many numbers at most `most`, one from each of equal stretches.

    Where in its stretch is drawn: at equal distances all might lie at one hour.
    """
    if count <= most:
        return np.arange(count)
    within = np.random.default_rng(0).random(most)
    return ((np.arange(most) + within) * (count / most)).astype(np.int64)


class WindowSource:
    """Series in memory, and windows gathered from them.

    A batch of windows is a triple:

    - features: ``history`` ``float32[B, L, F + D]``, with a second component for each
      of D directions, and ``observed`` ``float32[B, L, F]`` as ``history_inputs`` gives
      them, and, where there are known-future inputs, ``known_history``
      ``[B, L, K]`` and ``known_future`` ``[B, H, K]`` as ``known_inputs`` gives them;
    - targets ``float32[B, H, T]``, standardised, of directions up to whole turns, 0
      where missing;
    - weights ``float32[B, H, T]``, 1 where a target is there and 0 where not.

    Args:
        series: the stations.
        scaling: of all variables, fitted to the training part.
        shape: what a window holds.
    """

    def __init__(self, series: TimeSeries, scaling: Scaling, shape: WindowShape):
        self.series = series
        self.shape = shape
        self.scaling = scaling
        stations = series.stations
        first_rows = np.cumsum([0] + [len(station) for station in stations])[:-1]
        # On the host: gathered batches go to a device, the series does not.
        with tf.device("CPU:0"):
            self._values = _in_a_variable(stations, scaling.dtype)
            self._clock = _Clock(stations)
            self._rows = tf.constant(first_rows, tf.int64)
            self._targets = tf.constant(shape.targets, tf.int32)
            self._known = tf.constant(shape.known_future, tf.int32)

    def windows(
        self,
        spans: Sequence[Spans],
        split: str,
        *,
        stride: int = 1,
        history_reaches_back: bool = True,
    ) -> "Windows":
        """The windows whose targets all lie in one split.

        Args:
            spans: of each station.
            split: its name.
            stride: steps from origin to origin.
            history_reaches_back: the history may begin in the split before; otherwise
                it lies in the split too.
        """
        runs, left_out = [], 0
        for number, (station, parts) in enumerate(
            zip(self.series.stations, spans, strict=True)
        ):
            origins = self.shape.origins(parts[split], history_reaches_back)
            if not origins:
                continue
            usable = self._has_target(station, origins)[::stride]
            left_out += int((~usable).sum())
            runs += [
                (number, origins.start + begin * stride, end - begin)
                for begin, end in _runs_of_true(usable)
            ]
        return Windows(self, np.array(runs, np.int64).reshape(-1, 3), stride, left_out)

    def gather(self, stations: tf.Tensor, origins: tf.Tensor) -> tuple[Any, Any, Any]:
        """The batch of the windows with these stations and origins, ``int64[B]``."""
        shape = self.shape
        back = tf.range(1 - shape.history, 1, dtype=tf.int64)
        ahead = tf.range(shape.first_lead, shape.last_lead + 1, dtype=tf.int64)
        past = origins[:, None] + back
        future = origins[:, None] + ahead
        first = tf.gather(self._rows, stations)[:, None]
        # A sparse read of the variable: no batch touches the rest of it.
        raw = tf.gather(self._values, first + past)
        scaling, targets_of = self.scaling, self.scaling.of(shape.targets)
        features = history_inputs(raw, scaling.mean, scaling.scale, scaling.directions)
        to_come = tf.gather(self._values, first + future)
        if shape.calendar or shape.known_future:
            features["known_history"] = self._known_inputs(raw, stations, past)
            features["known_future"] = self._known_inputs(to_come, stations, future)
        targets, weights = standardised(
            tf.gather(to_come, self._targets, axis=-1),
            targets_of.mean,
            targets_of.scale,
        )
        return features, targets, weights

    def _known_inputs(
        self, raw: tf.Tensor, stations: tf.Tensor, steps: tf.Tensor
    ) -> tf.Tensor:
        """Nothing else of the future is let through here than what is known ahead."""
        shape, known = self.shape, self.scaling.of(self.shape.known_future)
        return known_inputs(
            self._clock.seconds(stations, steps) if shape.calendar else None,
            tf.gather(raw, self._known, axis=-1) if shape.known_future else None,
            known.mean,
            known.scale,
            known.directions,
            week=shape.week,
        )

    def _has_target(self, station: StationSeries, origins: range) -> np.ndarray:
        """Whether the window of each origin has a target, ``bool[origins]``."""
        seen = rows_with_a_value(station.values, self.shape.targets)
        begin = origins.start + self.shape.first_lead
        end = origins.stop + self.shape.first_lead
        horizon = self.shape.horizon
        return seen[begin + horizon : end + horizon] > seen[begin:end]


class Windows:
    """The windows of one split, numbered from 0: station by station, in time.

    Args:
        source: gathers them.
        runs: ``int64[runs, 3]``: station, first origin, and number of windows, each a
            stride behind the one before.
        stride: steps from origin to origin.
        left_out: windows whose targets are all missing.
    """

    def __init__(
        self, source: WindowSource, runs: np.ndarray, stride: int, left_out: int
    ):
        self.source = source
        self.stride = stride
        self.left_out = left_out
        self._runs = runs
        self._ends = np.cumsum(runs[:, 2])

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def batches(
        self, batch_size: int, numbers: np.ndarray | None = None
    ) -> tf.data.Dataset:
        """Each window, or those of these numbers, once, in their order."""
        if numbers is None or len(numbers) == len(self):
            return self._batches(batch_size, len(self), lambda places: places)
        with tf.device("CPU:0"):
            chosen = tf.constant(numbers, tf.int64)
        return self._batches(
            batch_size, len(numbers), lambda places: tf.gather(chosen, places)
        )

    def shuffled(self, batch_size: int, seed: int, epoch: int) -> tf.data.Dataset:
        """Each window once, in an order that seed and epoch decide."""
        last = tf.constant(len(self) - 1, tf.int64)
        key = tf.constant([seed % 2**31, epoch], tf.int32)
        return self._batches(
            batch_size,
            len(self),
            # A permutation that is computed number by number and stored nowhere.
            lambda numbers: tf.random.experimental.index_shuffle(numbers, key, last),
        )

    def locations(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The stations and the origins of these windows."""
        run = np.searchsorted(self._ends, numbers, side="right")
        station, first, length = self._runs[run].T
        return station, first + (numbers - (self._ends[run] - length)) * self.stride

    def origin_times(self, numbers: np.ndarray) -> np.ndarray:
        """``datetime64[s][windows]``."""
        return times_of(self.source.series, *self.locations(numbers))

    def target_times(self, numbers: np.ndarray) -> np.ndarray:
        """``datetime64[s][windows, H]``."""
        stations, origins = self.locations(numbers)
        steps = origins[:, None] + self.source.shape.leads
        return times_of(self.source.series, stations, steps)

    def raw_inputs(self, numbers: np.ndarray) -> dict[str, np.ndarray]:
        """What an export takes: `history`, `start` and `known_future`, raw."""
        source = self.source
        shape, at = source.shape, self.locations(numbers)
        back, every = range(1 - shape.history, 1), range(len(source.series.variables))
        return {
            "history": values_around(source.series, *at, back, every),
            "start": self.origin_times(numbers).astype(str),
            "known_future": values_around(
                source.series, *at, shape.leads, shape.known_future
            ),
        }

    def raw_targets(self, numbers: np.ndarray) -> np.ndarray:
        """In raw units, ``float32[windows, H, T]``, NaN where missing."""
        shape = self.source.shape
        return values_around(
            self.source.series, *self.locations(numbers), shape.leads, shape.targets
        )

    def _batches(self, batch_size: int, count: int, order: Any) -> tf.data.Dataset:
        with tf.device("CPU:0"):
            ends = tf.constant(self._ends, tf.int64)
            runs = tf.constant(self._runs, tf.int64)

        @tf.autograph.experimental.do_not_convert  # Plain graph code.
        def gather(batch: tf.Tensor) -> tuple[Any, Any, Any]:
            begin = batch * batch_size
            numbers = order(tf.range(begin, tf.minimum(begin + batch_size, count)))
            run = tf.searchsorted(ends, numbers, side="right", out_type=tf.int64)
            station, first, length = tf.unstack(tf.gather(runs, run), axis=1)
            earlier = tf.gather(ends, run) - length
            return self.source.gather(
                station, first + (numbers - earlier) * self.stride
            )

        return without_autotuning(
            tf.data.Dataset.range(-(-count // batch_size))
            .map(gather, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
            .prefetch(2)
        )


class _Clock:
    """The time of each step of each station, in a graph."""

    def __init__(self, stations: Sequence[StationSeries]):
        self._starts = tf.constant(
            [int(station.start.astype(np.int64)) for station in stations], tf.int64
        )
        self._step = int(stations[0].step.astype(np.int64))
        self._stamps: tf.Tensor | None = None
        if all(station.stamps is not None for station in stations):
            stamps = [station.times().astype(np.int64) for station in stations]
            self._stamps = tf.constant(np.concatenate(stamps), tf.int64)
            first = np.cumsum([0] + [len(each) for each in stamps])[:-1]
            self._rows = tf.constant(first, tf.int64)

    def seconds(self, stations: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        """Since 1970-01-01: of stations ``[B]`` and their steps ``[B, S]``."""
        if self._stamps is not None:
            return tf.gather(
                self._stamps, tf.gather(self._rows, stations)[:, None] + steps
            )
        return tf.gather(self._starts, stations)[:, None] + steps * self._step


def _in_a_variable(stations: Sequence[StationSeries], dtype: np.dtype) -> tf.Variable:
    """The values of all stations, one below the other.

    A variable, since tf.data writes a constant that it uses into its graph as a copy;
    and filled a little at a time, since its initial value would be another.
    """
    rows = sum(len(station) for station in stations)
    shape = (rows, stations[0].values.shape[1])
    joined = tf.Variable(tf.zeros(shape, dtype), trainable=False)
    begin = 0
    for station in stations:
        for some in slices(len(station)):
            part = station.values[some].astype(dtype)
            # In place, where an assignment to a slice would double the variable.
            into = tf.range(begin, begin + len(part))
            joined.scatter_update(tf.IndexedSlices(part, into))
            begin += len(part)
    return joined


def _runs_of_true(mask: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]
