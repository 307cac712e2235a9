"""Rows on a grid, with gaps or without, take a short way to the same series."""

import numpy as np
import pandas as pd
import pytest

from recurra.pipelines.data.series import regular_grid
from recurra.pipelines.data.series.column_findings import undeclared_sentinels
from recurra.pipelines.data.series.raw_tables import RawTable
from recurra.pipelines.data.series.regular_grid import to_grid
from recurra.pipelines.data.series.repairs import RepairLog
from recurra.pipelines.data.series.steps import parse_step
from recurra.pipelines.data.series.time_columns import TimeColumns
from recurra.pipelines.data.series.time_stamps import NO_STAMP, read_stamps


def grid_of(stamps, step=None):
    rows = len(stamps)
    values = np.arange(2.0 * rows).reshape(rows, 2)
    table = RawTable("s", pd.DataFrame(), np.arange(rows), ("f",), np.zeros(rows, int))
    log = RepairLog("s")
    series = to_grid(table, stamps, values, log, step)
    return series, [vars(repair) for repair in log.repairs]


@pytest.mark.parametrize("seconds", [1, 60, 3600, 7000])
@pytest.mark.parametrize("rows", [2, 3, 200])
@pytest.mark.parametrize("asked", [None, "2h", "1D", "1M"])
@pytest.mark.parametrize("begin", [0, 12_345, -86_399])
def test_the_short_way_comes_to_the_same(monkeypatch, seconds, rows, asked, begin):
    stamps = begin + seconds * np.arange(rows)
    step = None if asked is None else parse_step(asked)
    monkeypatch.setattr(regular_grid, "_TOGETHER", 50)
    (short, repairs) = grid_of(stamps, step)
    monkeypatch.setattr(regular_grid, "_spacing", lambda stamps: None)
    (long, others) = grid_of(stamps, step)
    assert repairs == others
    assert (short.start, short.step, short.bad_rows) == (
        long.start,
        long.step,
        long.bad_rows,
    )
    assert short.is_irregular == long.is_irregular
    np.testing.assert_array_equal(short.values, long.values)
    assert (short.stamps is None) == (long.stamps is None)


@pytest.mark.parametrize("seconds", [1, 60, 3600, 43_200])
@pytest.mark.parametrize("share", [0.02, 0.4, 0.6])
@pytest.mark.parametrize("asked", [None, "2h", "1D", "1M"])
def test_gaps_take_the_short_way_too(monkeypatch, seconds, share, asked):
    kept = np.random.default_rng(0).random(400) >= share
    kept[-40:] |= share == 0.4
    stamps = 12_345 + seconds * np.flatnonzero(kept)
    stamps[100:] += 20 * seconds
    if share == 0.4:
        # For so long that the step has changed, where another one is asked for.
        stamps[-40:] += 3 * seconds * np.arange(40)
    if seconds == 3600:
        # So far away that it is left out.
        stamps = np.append(stamps, stamps[-1] + 367 * 86_400)
    stamps[50] = NO_STAMP
    step = None if asked is None else parse_step(asked)
    monkeypatch.setattr(regular_grid, "_TOGETHER", 50)
    (short, repairs) = grid_of(stamps, step)
    monkeypatch.setattr(regular_grid, "_spacing", lambda stamps: None)
    (long, others) = grid_of(stamps, step)
    assert repairs == others
    arrays = {"values": None, "stamps": None}
    assert vars(short) | arrays == vars(long) | arrays
    np.testing.assert_array_equal(short.values, long.values)
    np.testing.assert_array_equal(short.stamps, long.stamps)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_datetimes_of_every_unit_are_read_to_the_second(unit):
    times = ["1599-12-31T23:59:59.500", "1970-01-01T00:00:00.499", "NaT", "2020-02-29"]
    half = 0 if unit == "s" else 1
    first = pd.Timestamp("1599-12-31 23:59:59").timestamp() + half
    # Before 1600 there are no measurements.
    expected = [first if half else NO_STAMP, 0, NO_STAMP, 1_582_934_400]
    # Nanoseconds begin in 1677.
    begin = 1 if unit == "ns" else 0
    frame = pd.DataFrame({"t": np.array(times[begin:], f"datetime64[{unit}]")})
    stamps = read_stamps(frame, TimeColumns(("t",)), None, RepairLog(""), "a.parquet")
    assert stamps.tolist() == expected[begin:]


def by_counting(present):
    distinct, counts = np.unique(present, return_counts=True)
    found = []
    while len(distinct) > 5:
        for edge, rest in ((-1, slice(None, -1)), (0, slice(1, None))):
            others = distinct[rest]
            distance = abs(distinct[edge] - others[edge])
            if counts[edge] >= 3 and distance > np.ptp(others):
                found.append(float(distinct[edge]))
                distinct, counts = others, counts[rest]
                break
        else:
            break
    return found


@pytest.mark.parametrize("seed", range(8))
def test_sentinels_are_those_of_distinct_values(seed):
    generator = np.random.default_rng(seed)
    values = generator.integers(0, 3 + seed, 60).astype(float)
    ends = [(-999.0, 4), (9999.0, 3), (500.0, 2), (0.0, 9)][: seed % 5]
    for value, times in ends:
        values = np.append(values, [value] * times)
    assert undeclared_sentinels(values) == by_counting(values)
    assert undeclared_sentinels(values[:0]) == []
