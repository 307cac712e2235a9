"""Parts one after the other in time, with the published roundings."""

import numpy as np
import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.series.chronological_split import (
    split_by_date,
    split_by_fraction,
)
from recurra.pipelines.data.series.time_series import StationSeries


def station(steps, start="2020-01-01", name="a"):
    return StationSeries(
        name,
        np.datetime64(start, "s"),
        np.timedelta64(3600, "s"),
        np.zeros((steps, 1), np.float32),
    )


def shares(stations, train=0.7, validation=0.1, test=0.2, rest="validation"):
    return split_by_fraction(
        stations, train=train, validation=validation, test=test, rest=rest
    )


def test_published_roundings():
    # The long-horizon benchmarks: int(.7n), rest, int(.2n).
    (spans,) = shares([station(52_696)])
    assert spans["train"] == (0, 36_887)
    assert spans["test"] == (52_696 - 10_539, 52_696)
    # The book's example on Jena: int(.5n), int(.25n), rest.
    (spans,) = shares([station(70_038)], 0.5, 0.25, 0.25, "test")
    assert spans == {
        "train": (0, 35_019),
        "validation": (35_019, 52_528),
        "test": (52_528, 70_038),
    }


def test_stations_are_cut_at_the_same_times():
    early, late = station(100), station(60, "2020-01-03T12:00")
    first, second = shares([early, late])
    # From the first time of all to the last there are 120 steps.
    assert first["train"] == (0, 84) and second["train"] == (0, 24)
    assert first["validation"] == (84, 96) and second["validation"] == (24, 36)
    assert first["test"] == (96, 100) and second["test"] == (36, 60)


def test_by_date():
    (spans,) = split_by_date([station(96)], "2020-01-03", "2020-01-04T12:00:00Z")
    assert spans == {"train": (0, 48), "validation": (48, 84), "test": (84, 96)}


@pytest.mark.parametrize(
    ("dates", "said"),
    [
        (("2020-01-04", "2020-01-03"), "must be before"),
        (("soon", "2020-01-03"), "validation_from: 'soon' is no date"),
        (("2020-01-03", "2021-01-01"), "the test part is empty"),
    ],
)
def test_dates_that_do_not_fit_are_refused(dates, said):
    with pytest.raises(UserError, match=said):
        split_by_date([station(96)], *dates)


def test_shares_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="add up to 1; received 0.7"):
        shares([station(96)], test=0.5)
    with pytest.raises(UserError, match="the validation part is empty"):
        shares([station(5)], 0.8, 0.1, 0.1, "test")
    shares([station(50)], 0.8, 0.2, 0.0)
