"""Ridge regression on lagged values and the calendar, the baseline to beat."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from ..data.series.time_series import TimeSeries
from .data import WeatherData, WindowDataModule
from .model_inputs import calendar_features, calendar_width
from .scaling import Scaling
from .windows import (
    OriginBatch,
    Windows,
    WindowShape,
    filled_forward,
    rows_with_a_value,
    spread_numbers,
    times_of,
    values_around,
)

# Of inputs of unit variance, times the number of windows.
_PENALTIES = (1e-6, 1e-4, 1e-3, 1e-2, 10**-1.5, 1e-1, 10**-0.5, 1.0, 10.0)
# Neighbouring windows hold nearly the same: more than these teach little and take long.
_MOST_TRAINING, _MOST_VALIDATION = 50_000, 4_000
# With a smaller fraction of complete windows, missing targets are filled.
_LEAST_COMPLETE = 0.1
# The lags of all variables are tried up to so many inputs and weights.
_MOST_LAGS, _MOST_WEIGHTS = 2_000, 4_000_000
_YEAR = np.timedelta64(365, "D")
# Of an input that is constant but for rounding; and as a fraction of its mean square.
_LEAST_VARIANCE, _LEAST_FRACTION = 1e-9, 1e-12
# Numbers of a batch of windows.
_NUMBERS_AT_A_TIME = 4_000_000


@dataclass(frozen=True)
class Ridge:
    """Linear regression of each target at each lead time, with squared weights bounded.

    What is forecast is the change from the last value, in standard deviations. The
    inputs are the changes from the last value back to the earlier ones, and as the
    validation part decides for each target: the last value itself or not; those of all
    other variables or not; the calendar at the origin or not (at another lead time it
    is a linear function of that); and how strong the penalty is. The
    last value before it stands for a missing one, and the mean before the first. A
    direction is two variables, and two targets, its components, see `Scaling`.

    Attributes:
        inputs: Makes them.
        regressions: Of each component of the targets.
    """

    inputs: "LaggedInputs"
    regressions: tuple["Regression", ...]

    def forecast(self, batch: OriginBatch, series: TimeSeries) -> np.ndarray:
        """`[N, H, T]`."""
        shape, scaling = self.inputs.shape, self.inputs.scaling
        targets = self.inputs.targets
        standard = np.empty((len(batch.origins), shape.horizon, len(targets)))
        made: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]] = {}
        for number, target in enumerate(targets):
            variables = self.regressions[number].variables
            if variables not in made:
                made[variables] = self.inputs.make(
                    series, batch.stations, batch.origins, variables
                )
            inputs, levels = made[variables]
            change = inputs @ self.regressions[number].weights
            level = levels[:, variables.index(target), None]
            standard[..., number] = level + change
        raw = scaling.of(shape.targets).restore_components(standard)
        # Finite also where the history holds the largest of numbers.
        largest = np.finfo(np.float32).max
        return np.clip(raw, -largest, largest).astype(series.stations[0].values.dtype)


@dataclass(frozen=True)
class Regression:
    """The weights of one target.

    Attributes:
        variables: The numbers of the components whose lags are inputs.
        weights: float32 `[P, H]`, a row for each column of `LaggedInputs`; 0 where
            it is not used.
    """

    variables: tuple[int, ...]
    weights: np.ndarray


@dataclass(frozen=True)
class LaggedInputs:
    """The inputs of a regression, from the history alone.

    The columns are: 1; the calendar's, where there is one; and for each component of
    the variables, see `Scaling`, the standardised values of its history less the last
    one, oldest first, with the last one itself at the end.

    Attributes:
        shape: What a window holds.
        scaling: Of all variables.
        calendar: Whether there are columns of it.
    """

    shape: WindowShape
    scaling: Scaling
    calendar: bool

    @property
    def first_lag(self) -> int:
        """The number of the first column of a history."""
        return 1 + calendar_width(self.calendar, self.shape.week)

    @property
    def targets(self) -> tuple[int, ...]:
        """The components of the targets."""
        return self.scaling.components_of(self.shape.targets)

    def size(self, variables: Sequence[int]) -> int:
        """The number of columns, P."""
        return self.first_lag + len(variables) * self.shape.history

    def make(
        self,
        series: TimeSeries,
        stations: np.ndarray,
        origins: np.ndarray,
        variables: Sequence[int],
    ) -> tuple[np.ndarray, np.ndarray]:
        """The columns, float64 `[N, P]`, and the last values, float64 `[N, V]`."""
        back = np.arange(1 - self.shape.history, 1)
        history = self.values(series, stations, origins, back, variables)
        history = filled_forward(history)
        levels = history[:, -1].copy()
        history[:, :-1] -= levels[:, None]
        inputs = np.ones((len(origins), self.size(variables)))
        if self.calendar:
            seconds = times_of(series, stations, origins).astype(np.int64)
            inputs[:, 1 : self.first_lag] = calendar_features(seconds, self.shape.week)
        inputs[:, self.first_lag :] = history.transpose(0, 2, 1).reshape(
            len(origins), -1
        )
        return inputs, levels

    def values(
        self,
        series: TimeSeries,
        stations: np.ndarray,
        origins: np.ndarray,
        steps: Sequence[int] | np.ndarray,
        components: Sequence[int],
    ) -> np.ndarray:
        """Standardised, at some steps from each origin, float64 `[N, S, V]`."""
        raw = values_around(
            series, stations, origins, steps, self.scaling.variables_of(components)
        )
        return self.scaling.standardise_components(raw, components)


def fit_ridge(data_module: WindowDataModule) -> Ridge:
    """Fits to the training windows, and chooses by the error on validation windows.

    For a target, windows are left out in which one of its values is missing; where
    next to none is complete, the last value before stands for a missing one. Less than
    a year says nothing of the time of year, nor how the course of the day changes with
    it, so then there is no calendar.
    """
    data = data_module.data
    shape, scaling = data.shape, data_module.source.scaling
    variables = scaling.components_of(range(len(data.series.variables)))
    training = _Sample.of(data_module.training, _MOST_TRAINING)
    validation = _Sample.of(data_module.evaluation("validation"), _MOST_VALIDATION)
    inputs = LaggedInputs(shape, scaling, shape.calendar and _spans_a_year(data))
    targets = inputs.targets
    lags = len(variables) * shape.history
    weights = lags * shape.horizon * len(targets)
    if lags <= _MOST_LAGS and weights <= _MOST_WEIGHTS:
        groups = _with_the_same_windows(training, validation)
        fits = [_Fit(inputs, variables, group) for group in groups]
    else:
        fits = [_Fit(inputs, (each,), [n]) for n, each in enumerate(targets)]
    regressions: dict[int, Regression] = {}
    for fit in fits:
        regressions |= fit.choose(training, validation)
    return Ridge(inputs, tuple(regressions[n] for n in range(len(targets))))


@dataclass(frozen=True)
class _Sample:
    """Windows, and for which targets each can be used.

    Attributes:
        series: All stations.
        stations: int64 `[N]`.
        origins: int64 `[N]`.
        usable: bool `[N, T]`, of each component of the targets.
    """

    series: TimeSeries
    stations: np.ndarray
    origins: np.ndarray
    usable: np.ndarray

    @classmethod
    def of(cls, windows: Windows, most: int) -> "_Sample":
        """At most so many, spread evenly."""
        source, series = windows.source, windows.source.series
        stations, origins = windows.locations(spread_numbers(len(windows), most))
        components = source.scaling.components_of(source.shape.targets)
        targets = source.scaling.variables_of(components)
        usable = _complete(series, source.shape, targets, stations, origins)
        usable[:, usable.mean(axis=0) < _LEAST_COMPLETE] = True
        return cls(series, stations, origins, usable)


@dataclass(frozen=True)
class _Fit:
    """Finds the regressions of some targets on the lags of some variables.

    Attributes:
        inputs: Makes them.
        variables: The numbers of components; those of the targets are among them.
        targets: Numbers of these targets among the components of all. The same windows
            can be used for each of them.
    """

    inputs: LaggedInputs
    variables: tuple[int, ...]
    targets: list[int]

    def choose(self, training: _Sample, validation: _Sample) -> dict[int, Regression]:
        """For each target the regression with the least error on validation."""
        fitted, held_out = self._sums(training), self._sums(validation)
        least = {target: np.inf for target in self.targets}
        # The last value, should no error be a number.
        size = self.inputs.size(self.variables), self.inputs.shape.horizon
        best = {
            target: Regression(self.variables, np.zeros(size, np.float32))
            for target in self.targets
        }
        for columns, outputs in self._choices():
            part = held_out.part(columns, outputs)
            targets = [self.targets[output] for output in outputs]
            for weights in _solutions(fitted.part(columns, outputs)):
                errors = part.mean_squared_errors(weights)
                for index, target in enumerate(targets):
                    if errors[index] < least[target]:
                        least[target] = errors[index]
                        best[target] = self._regression(
                            target, columns, weights[:, index]
                        )
        return best

    def _choices(self) -> Iterator[tuple[np.ndarray, list[int]]]:
        """Columns that are used together, and for which outputs."""
        heads = [np.arange(1)]
        if self.inputs.calendar:
            heads.append(np.arange(self.inputs.first_lag))
        for head in heads:
            for output, target in enumerate(self.targets):
                lags = self._lags_of(target)
                yield np.concatenate([head, lags[:-1]]), [output]
                yield np.concatenate([head, lags]), [output]
            if len(self.variables) > 1:
                size = self.inputs.size(self.variables)
                rest = np.arange(self.inputs.first_lag, size)
                yield np.concatenate([head, rest]), list(range(len(self.targets)))

    def _lags_of(self, target: int) -> np.ndarray:
        """The columns of the target's history, the last value at the end."""
        history = self.inputs.shape.history
        variable = self.variables.index(self.inputs.targets[target])
        return self.inputs.first_lag + variable * history + np.arange(history)

    def _regression(
        self, target: int, columns: np.ndarray, weights: np.ndarray
    ) -> Regression:
        """Without the variables that have no weight."""
        inputs = self.inputs
        whole = np.zeros((inputs.size(self.variables), weights.shape[1]), np.float32)
        whole[columns] = weights
        lags = self._lags_of(target)
        if np.isin(columns[columns >= inputs.first_lag], lags).all():
            whole = np.concatenate([whole[: inputs.first_lag], whole[lags]])
            return Regression((inputs.targets[target],), whole)
        return Regression(self.variables, whole)

    def _sums(self, sample: _Sample) -> "_Sums":
        """Over the windows that can be used for these targets."""
        (numbers,) = np.nonzero(sample.usable[:, self.targets[0]])
        shape = self.inputs.shape
        targets = [self.inputs.targets[target] for target in self.targets]
        levels_of = [self.variables.index(target) for target in targets]
        size, outputs = self.inputs.size(self.variables), (len(targets), shape.horizon)
        gram, cross = np.zeros((size, size)), np.zeros((size, *outputs))
        squares = np.zeros(outputs)
        rows = max(1, _NUMBERS_AT_A_TIME // (size + math.prod(outputs)))
        for begin in range(0, len(numbers), rows):
            chunk = numbers[begin : begin + rows]
            windows = sample.series, sample.stations[chunk], sample.origins[chunk]
            inputs, levels = self.inputs.make(*windows, self.variables)
            change = self.inputs.values(*windows, shape.leads, targets)
            change -= levels[:, None, levels_of]
            change = filled_forward(change).swapaxes(1, 2)
            gram += inputs.T @ inputs
            cross += (inputs.T @ change.reshape(len(chunk), -1)).reshape(cross.shape)
            squares += (change**2).sum(axis=0)
        return _Sums(len(numbers), gram, cross, squares)


@dataclass(frozen=True)
class _Sums:
    """All that a least-squares fit, and its error, need of windows.

    Attributes:
        count: Of the windows.
        gram: Of products of inputs, the first of which is 1: `[P, P]`.
        cross: Of products of inputs and outputs: `[P, M, H]`.
        squares: Of squared outputs: `[M, H]`.
    """

    count: int
    gram: np.ndarray
    cross: np.ndarray
    squares: np.ndarray

    def part(self, columns: np.ndarray, outputs: list[int]) -> "_Sums":
        """For these inputs, and these of the M."""
        return _Sums(
            self.count,
            self.gram[np.ix_(columns, columns)],
            self.cross[columns][:, outputs],
            self.squares[outputs],
        )

    def mean_squared_errors(self, weights: np.ndarray) -> np.ndarray:
        """`[M]`, of regressions with weights `[P, M, H]`."""
        flat = weights.reshape(len(weights), -1)
        explained = (self.gram @ flat).reshape(weights.shape) - 2 * self.cross
        squared = (weights * explained).sum(axis=0) + self.squares
        return squared.mean(axis=-1) / self.count


def _solutions(sums: _Sums) -> Iterator[np.ndarray]:
    """Weights `[P, M, H]` for each penalty; the first input, 1, has none.

    Inputs that are constant, but for rounding, have no weight either. The others are
    taken apart into uncorrelated ones, so nothing is divided by less than the penalty.
    """
    means = sums.gram[0] / sums.count
    mean_outputs = sums.cross[0] / sums.count
    squares = np.diag(sums.gram) / sums.count
    variance = squares - means**2
    varies = variance > np.maximum(_LEAST_VARIANCE, _LEAST_FRACTION * squares)
    varies[0] = False
    varies &= np.isfinite(variance)
    (used,) = np.nonzero(varies)
    means, spread = means[used], np.sqrt(variance[used])
    # Of inputs and outputs less their means, the inputs in standard deviations.
    covariance = sums.gram[np.ix_(used, used)] / sums.count - np.outer(means, means)
    covariance /= np.outer(spread, spread)
    outputs = sums.cross[used].reshape(len(used), mean_outputs.size) / sums.count
    outputs -= np.outer(means, mean_outputs)
    outputs /= spread[:, None]
    values, vectors = linalg.eigh(covariance)
    rotated = vectors.T @ outputs
    # None is below 0 but by rounding.
    values = np.maximum(values, np.finfo(float).eps * values.max(initial=0.0))
    for penalty in _PENALTIES:
        weights = np.zeros_like(sums.cross)
        solved = vectors @ (rotated / (values + penalty)[:, None]) / spread[:, None]
        weights[used] = solved.reshape(len(used), *sums.cross.shape[1:])
        weights[0] = mean_outputs - np.tensordot(means, weights[used], 1)
        yield weights


def _spans_a_year(data: WeatherData) -> bool:
    """Whether the training parts do, from the first step of all to the last."""
    ends = [
        station.time(step)
        for station, spans in zip(data.series.stations, data.spans, strict=True)
        for begin, end in [spans["train"]]
        for step in (begin, end - 1)
        if end > begin
    ]
    return bool(max(ends) - min(ends) >= _YEAR)


def _complete(
    series: TimeSeries,
    shape: WindowShape,
    targets: Sequence[int],
    stations: np.ndarray,
    origins: np.ndarray,
) -> np.ndarray:
    """Whether all values of a target are there, bool `[N, T]`."""
    complete = np.empty((len(origins), len(targets)), bool)
    for number in np.unique(stations):
        rows = stations == number
        first = origins[rows] + shape.first_lead
        for column, target in enumerate(targets):
            seen = rows_with_a_value(series.stations[number].values, [target])
            found = seen[first + shape.horizon] - seen[first]
            complete[rows, column] = found == shape.horizon
    return complete


def _with_the_same_windows(
    training: _Sample, validation: _Sample
) -> Sequence[list[int]]:
    """Targets put together whose usable windows are the same."""
    groups: dict[bytes, list[int]] = {}
    usable = np.concatenate([training.usable, validation.usable])
    for target, rows in enumerate(usable.T):
        groups.setdefault(rows.tobytes(), []).append(target)
    return list(groups.values())
