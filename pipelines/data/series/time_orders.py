"""In which order a column writes day, month and year: one order for all of it.

Of the orders that the shapes of the column allow the one is taken that reads most
values; of several the one whose times are most regular; of several the usual one, and
that is a guess, with the other reading named.
"""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .time_text import NO_STAMP, Moments, TimeText

_DAY = 86_400
#: Of the values: so few decide nothing alone.
FEW = 0.005
#: Of the neighbours, at most: irregular ones of a regular series.
REGULAR = 0.2
# Of the values: what a usual order must read for the unusual one not to be thought of.
_HABITUAL = 0.9
_MOST_CHOICES = 64
_HALF_A_YEAR = 6


@dataclass(frozen=True)
class OrderDecision:
    """The orders by which a column is read.

    Attributes:
        orders: One of each family of shapes.
        text: The most frequent form as strftime writes it.
        alternative: Another form that reads the column as well; empty if there is none.
        read: How many values are read.
        irregular: How many neighbours are not a step apart.
    """

    orders: tuple[str, ...]
    text: str
    alternative: str
    read: int
    irregular: int


@dataclass(frozen=True)
class _Score:
    """How well some orders read the columns.

    Attributes:
        orders: One of each family.
        read: Values that are read.
        irregular: Neighbours that are not a step apart.
        path: Seconds from each row to the next, added up.
    """

    orders: tuple[str, ...]
    read: int
    irregular: int
    path: int


def decide_orders(
    columns: Sequence[TimeText],
    clocks: Sequence[np.ndarray | None],
    asked: str | None = None,
) -> OrderDecision | None:
    """One decision for all files.

    Args:
        columns: The column of each file.
        clocks: Seconds of the day of each row, from another column; None where the
            column itself says them.
        asked: An order that is taken wherever a shape allows it, such as "dmy".

    Returns:
        None where no value has the shape of a time.
    """
    families = _families(columns)
    if asked is not None:
        families = [_asked(family, asked) for family in families]
    choices = [_readable(columns, family) for family in families]
    if not families or not all(choices):
        return None
    scores = [
        _score(columns, clocks, orders)
        for orders in itertools.islice(itertools.product(*choices), _MOST_CHOICES)
    ]
    if not max(score.read for score in scores):
        return None
    best, *others = _best(scores, sum(len(column) for column in columns))
    text = _text(columns, best.orders)
    alternatives = [
        other_text
        for other in others
        if (other_text := _text(columns, other.orders)) != text
        and not _same(columns, best.orders, other.orders)
    ]
    return OrderDecision(
        best.orders,
        text,
        alternatives[0] if alternatives else "",
        best.read,
        best.irregular,
    )


def irregular_neighbours(seconds: np.ndarray) -> int:
    """How many neighbours are not the usual step apart, in days, months or seconds."""
    seconds = seconds[seconds != NO_STAMP]
    if len(seconds) < 2:
        return 0
    differences = [np.diff(seconds)]
    days = seconds.astype("datetime64[s]").astype("datetime64[D]")
    if (seconds % _DAY == 0).all():
        months = days.astype("datetime64[M]")
        last = ((days + 1).astype("datetime64[M]") != months).all()
        first = (months.astype("datetime64[D]") == days).all()
        if first or last:
            differences.append(np.diff(months.astype(np.int64)))
    return min(len(each) - int(_most(each)) for each in differences)


def _most(values: np.ndarray) -> int:
    return int(np.unique(values, return_counts=True)[1].max())


def _families(columns: Sequence[TimeText]) -> list[tuple[str, ...]]:
    """Orders that go together, since some shapes allow both."""
    families: list[tuple[str, ...]] = []
    for orders in (orders for column in columns for orders in column.orders()):
        joined = [family for family in families if set(family) & set(orders)]
        others = [family for family in families if family not in joined]
        together = [order for family in [*joined, orders] for order in family]
        families = [*others, tuple(dict.fromkeys(together))]
    return families


def _asked(orders: tuple[str, ...], asked: str) -> tuple[str, ...]:
    same = tuple(each for each in orders if _plain_order(each) == _plain_order(asked))
    return same or orders


def _plain_order(order: str) -> str:
    """The order whatever the year has for digits and the month for letters."""
    return order.lower().replace("b", "m")


def _readable(columns: Sequence[TimeText], family: tuple[str, ...]) -> list[str]:
    """The orders of a family that can be meant; none where none reads a value."""
    counts = {
        order: sum(int(column.moments([order]).read.sum()) for column in columns)
        for order in family
    }
    # Year, day, month is nobody's habit: only where no other can be.
    habitual = {key: n for key, n in counts.items() if _plain_order(key) != "ydm"}
    if not habitual or max(habitual.values()) < _HABITUAL * max(counts.values()):
        habitual = counts
    most = max(habitual.values())
    few = max(FEW * most, 1)
    return [order for order, count in habitual.items() if 0 < count >= most - few]


def _score(
    columns: Sequence[TimeText],
    clocks: Sequence[np.ndarray | None],
    orders: tuple[str, ...],
) -> _Score:
    read = irregular = path = 0
    for column, clock in zip(columns, clocks, strict=True):
        seconds = _with_clock(column.moments(orders), clock)
        seconds = seconds[seconds != NO_STAMP]
        if set(orders) & {"by"} and not _are_months(seconds):
            seconds = seconds[:0]
        read += len(seconds)
        irregular += irregular_neighbours(seconds)
        path += int(np.abs(np.diff(seconds)).sum())
    return _Score(orders, read, irregular, path)


def _are_months(seconds: np.ndarray) -> bool:
    """Of "Jan-15", whether 15 is the year: months then follow each other."""
    months = seconds.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
    apart = np.diff(months)
    one_way = (apart >= 0).all() or (apart <= 0).all()
    return bool(len(apart) and one_way and np.median(np.abs(apart)) <= _HALF_A_YEAR)


def _best(scores: list[_Score], rows: int) -> list[_Score]:
    """The best, and behind it those that are as good."""
    most = max(score.read for score in scores)
    faults = [most - score.read + score.irregular for score in scores]
    if min(faults) <= REGULAR * rows:
        kept = [
            score
            for score, fault in zip(scores, faults, strict=True)
            if fault == min(faults)
        ]
    else:
        # Of an irregular series the days follow each other more closely than months.
        shortest = min(score.path for score in scores)
        kept = [score for score in scores if score.path <= 3 * shortest]
    most = max(score.read for score in kept)
    return [score for score in kept if score.read == most]


def _with_clock(moments: Moments, clock: np.ndarray | None) -> np.ndarray:
    if clock is None:
        return moments.seconds
    both = moments.read & (clock != NO_STAMP)
    return np.where(both, moments.seconds + np.where(both, clock, 0), NO_STAMP)


def _same(
    columns: Sequence[TimeText], orders: Sequence[str], others: Sequence[str]
) -> bool:
    return all(
        (column.moments(orders).seconds == column.moments(others).seconds).all()
        for column in columns
    )


def _text(columns: Sequence[TimeText], orders: Sequence[str]) -> str:
    forms = Counter(
        form.text for column in columns if (form := column.form(orders)) is not None
    )
    return forms.most_common(1)[0][0] if forms else ""
