"""Whether series follow the days of the week, as loads and traffic do."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import stats

_DAYS = 7
# Of the training part; of fewer weeks each looks like a cycle.
_LEAST_WEEKS = 8
# What the days of the week must tell of the days' deviations from their week.
_LEAST_FRACTION, _MOST_CHANCE = 0.2, 1e-6


def shows_week(parts: Iterable[Iterable[tuple[np.ndarray, np.ndarray]]]) -> bool:
    """Whether the days of the week differ by more than chance in one of the series.

    Daily means less the mean of the week around them are compared by an analysis of
    variance. A model of weather is better off without the day of the week.

    Args:
        parts: Times datetime64 `[S]` and values `[S, T]` of the training part of each
            station, in steps of at most a day; in pieces of whole days.
    """
    return any(
        _follows_week(column)
        for pieces in parts
        if (found := [_daily_means(*piece) for piece in pieces])
        for _, column in pd.concat(found).items()
    )


def _daily_means(times: np.ndarray, values: np.ndarray) -> pd.DataFrame:
    present = pd.DataFrame(values, times).replace([np.inf, -np.inf], np.nan)
    return present.resample("D").mean()


def _follows_week(daily: pd.Series) -> bool:
    deviations = (daily - daily.rolling(_DAYS, center=True).mean()).dropna()
    days_of_week = pd.DatetimeIndex(deviations.index).day_of_week
    groups = [days.to_numpy() for _, days in deviations.groupby(days_of_week)]
    if len(groups) < _DAYS or min(map(len, groups)) < _LEAST_WEEKS:
        return False
    total = float((deviations**2).sum())
    between = sum(len(days) * (days.mean() - deviations.mean()) ** 2 for days in groups)
    if between <= _LEAST_FRACTION * total or np.isclose(total, 0):
        return False
    # Where nothing else differs there is no chance at all.
    with np.errstate(divide="ignore", invalid="ignore"):
        chance = stats.f_oneway(*groups).pvalue
    return bool(np.isnan(chance) or chance < _MOST_CHANCE)
