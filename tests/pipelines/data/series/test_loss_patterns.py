"""Losses that have something in common are refused, whatever their share."""

import numpy as np
import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.series.loss_patterns import check_pattern

STATIONS = np.repeat(np.array(["A", "B", "C"], object), 100)


def check(rows, **kinds):
    lost = np.zeros(300, bool)
    lost[rows] = True
    check_pattern(lost, where="a.csv", what="have no value", kinds=kinds)


def test_accidents_are_put_up_with():
    check([5, 17, 120, 299], station=STATIONS)
    check([], station=STATIONS)
    # Two are too few to say.
    check([5, 7], station=STATIONS)


def test_all_rows_of_one_station():
    with pytest.raises(
        UserError,
        match=r"a\.csv: 100 of 300 rows have no value, and not by accident: all are "
        "of the station 'B'; mend the file",
    ):
        check(np.arange(100, 200), **{"of the station": STATIONS})
    # Some rows of a station are no reason.
    check([101, 105, 117, 140], **{"of the station": STATIONS})


def test_every_nth_row():
    with pytest.raises(UserError, match="every 24th row, from row 12"):
        check(np.arange(11, 300, 24))
