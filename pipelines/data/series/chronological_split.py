"""Training, validation and test parts of time series, one after the other in time."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from ...core.errors import UserError
from ..splits import SPLITS
from .time_series import StationSeries

#: Of a station, by split: its first step and the one behind its last.
Spans = dict[str, tuple[int, int]]


def split_by_fraction(
    stations: Sequence[StationSeries],
    *,
    train: float,
    validation: float,
    test: float,
    rest: Literal["validation", "test"],
) -> list[Spans]:
    """The spans of each station, by fractions of the steps.

    Of ``n`` steps the parts have ``int(fraction * n)``, and the part ``rest`` what
    these leave: "validation" for int(.7n) / rest / int(.2n), "test" for
    int(.5n) / int(.25n) / rest. ``n`` counts from the first time of all stations to the
    last, and all are cut at the same times, so that no station's test lies in another's
    training time.

    Raises:
        UserError: the fractions do not add up to 1.
    """
    if abs(train + validation + test - 1) > 1e-6:
        raise UserError(
            f"data.split: the fractions must add up to 1; received {train:g} + "
            f"{validation:g} + {test:g}"
        )
    begin = min(station.start for station in stations)
    step = stations[0].step
    steps = max(_steps_since(begin, station) + len(station) for station in stations)
    first = int(train * steps)
    second = first + int(validation * steps)
    if rest == "validation":
        second = steps - int(test * steps)
    spans = []
    for station in stations:
        before = _steps_since(begin, station)
        spans.append(_spans(first - before, second - before, len(station)))
    _refuse_empty(spans, f"{steps} steps of {pd.Timedelta(step)}", needs_test=test > 0)
    return spans


def split_by_date(
    stations: Sequence[StationSeries], validation_from: str, test_from: str
) -> list[Spans]:
    """The spans of each station; the dates are the first of validation and of test.

    Raises:
        UserError: a date cannot be read, they are out of order, or a part is empty.
    """
    cuts = [
        _parse_date(validation_from, "validation_from"),
        _parse_date(test_from, "test_from"),
    ]
    if cuts[0] >= cuts[1]:
        raise UserError(
            f"data.split: validation_from {validation_from} must be before test_from "
            f"{test_from}"
        )
    spans = []
    for station in stations:
        first, second = map(station.steps_before, cuts)
        spans.append(_spans(first, second, len(station)))
    ends = f"{stations[0].start} to {stations[0].end}"
    _refuse_empty(spans, f"data from {ends}", needs_test=True)
    return spans


def _steps_since(begin: np.datetime64, station: StationSeries) -> int:
    if station.calendar_step is not None:
        first = int(begin.astype(np.int64))
        starts = np.array([station.start], "datetime64[s]").astype(np.int64)
        return int(station.calendar_step.since(first, starts)[0])
    if station.stamps is not None:
        return 0  # Where rows are steps they do not say how many came before.
    return int((station.start - begin) // station.step)


def _spans(first: int, second: int, steps: int) -> Spans:
    first, second = (min(max(cut, 0), steps) for cut in (first, second))
    return {
        "train": (0, first),
        "validation": (first, second),
        "test": (second, steps),
    }


def _parse_date(text: str, key: str) -> np.datetime64:
    try:
        date = pd.Timestamp(text)
    except ValueError:
        raise UserError(
            f"data.split.{key}: {text!r} is no date; expected for example 2015-01-01"
        ) from None
    if date.tzinfo is not None:
        date = date.tz_convert("UTC").tz_localize(None)
    return np.datetime64(int(date.timestamp()), "s")


def _refuse_empty(spans: Sequence[Spans], of: str, *, needs_test: bool) -> None:
    for name in SPLITS if needs_test else SPLITS[:2]:
        if not any(end > begin for begin, end in (parts[name] for parts in spans)):
            raise UserError(f"data.split: the {name} part is empty ({of})")
