"""One clock for all stamps: that of the station, of a zone, or UTC by their offsets."""

import numpy as np
import pandas as pd
import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.reading import PlanBuilder
from recurra.pipelines.data.series.repairs import RepairLog
from recurra.pipelines.data.series.time_columns import TimeColumns
from recurra.pipelines.data.series.time_stamps import (
    TimeSource,
    decide_times,
    read_stamps,
)

TIMES = pd.date_range("2015-03-01", periods=96, freq="1h")
SECONDS = TIMES.to_numpy("datetime64[s]").astype(np.int64)
BARE = list(TIMES.strftime("%Y-%m-%dT%H:%M"))
AHEAD = [f"{time}+02:00" for time in BARE]


def read(values, plan=None, name="t"):
    plan = plan or PlanBuilder()
    frame, columns = pd.DataFrame({name: values}), TimeColumns((name,))
    rules = decide_times([TimeSource(frame, columns, "a.csv")], plan)
    stamps = read_stamps(frame, columns, None, RepairLog(""), "a.csv", rules=rules)
    return stamps, plan.plan()


def clock_of(plan):
    return plan.values()["time_zone"]


def test_the_clock_is_a_finding():
    assert clock_of(read(BARE)[1]) == "station"
    assert clock_of(read(AHEAD)[1]) == "+02:00"
    assert clock_of(read([f"{time}Z" for time in BARE])[1]) == "UTC"
    berlin = TIMES.union(TIMES + pd.Timedelta("60D")).tz_localize("Europe/Berlin")
    assert clock_of(read([time.isoformat() for time in berlin])[1]) == "offsets"
    assert clock_of(read(SECONDS)[1]) == "UTC"


def test_a_file_with_offsets_is_brought_to_the_stations_clock():
    kept = read(BARE)[1]
    stamps, plan = read(AHEAD, PlanBuilder({}, kept))
    assert (stamps == SECONDS).all()
    (line,) = plan.warnings
    assert "the offset +02:00 from UTC, those of training none" in line
    # Several offsets cannot be.
    berlin = TIMES.union(TIMES + pd.Timedelta("60D")).tz_localize("Europe/Berlin")
    with pytest.raises(UserError, match=r"state 2 offsets .*\+01:00, \+02:00.*clock"):
        read([time.isoformat() for time in berlin], PlanBuilder({}, kept))


def test_a_file_without_offsets_is_taken_as_the_clock_of_training():
    kept = read(AHEAD)[1]
    stamps, plan = read(BARE, PlanBuilder({}, kept))
    assert (stamps == SECONDS - 7200).all()
    assert "taken as the clock +02:00 of training" in plan.warnings[0]
    berlin = TIMES.union(TIMES + pd.Timedelta("60D")).tz_localize("Europe/Berlin")
    kept = read([time.isoformat() for time in berlin])[1]
    with pytest.raises(UserError, match="96 of 96 times state no offset.*time_zone"):
        read(BARE, PlanBuilder({}, kept))


def test_the_users_zone_decides():
    stamps, plan = read(BARE, PlanBuilder({"time_zone": "+02:00"}))
    assert (stamps == SECONDS - 7200).all()
    assert (read(AHEAD, PlanBuilder({"time_zone": "station"}))[0] == SECONDS).all()
    assert (read(AHEAD, PlanBuilder({"time_zone": "UTC"}))[0] == SECONDS - 7200).all()


def test_a_mix_that_cannot_be_settled_is_refused():
    # Every second row, so that neither reading is regular.
    mixed = [bare if row % 2 else ahead for row, (bare, ahead) in enumerate(
        zip(BARE, AHEAD, strict=True)
    )]  # fmt: skip
    stamps, plan = read(mixed)
    assert (np.diff(stamps) == 3600).all()
    assert "the others are taken as +02:00" in plan.warnings[0]
    with pytest.raises(UserError, match="they could be of that clock or in UTC"):
        read([AHEAD[0], BARE[1]])
    changing = [*AHEAD[:40], *BARE[40:80], *(f"{time}+01:00" for time in BARE[80:])]
    with pytest.raises(UserError, match="the others none; name their zone"):
        read(changing)
    berlin = read(changing, PlanBuilder({"time_zone": "Europe/Berlin"}))[0]
    assert len(berlin) == 96


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M", "%d/%m/%Y %I:%M %p"])
def test_the_doubled_hour_by_the_direction_of_the_file(newest_first, form):
    utc = pd.date_range("2015-10-20", periods=312, freq="1h", tz="UTC")
    if newest_first:
        utc = utc[::-1]
    wall = utc.tz_convert("Europe/Berlin").strftime(form)
    stamps, _ = read(wall, PlanBuilder({"time_zone": "Europe/Berlin"}))
    expected = utc.tz_localize(None).to_numpy("datetime64[s]").astype(np.int64)
    assert (stamps == expected).all()


@pytest.mark.parametrize(
    ("name", "clock", "hours"),
    [
        ("Time (UTC+1)", "+01:00", 1),
        ("Date Time, GMT-03:30", "-03:30", -3.5),
        ("time_gmt+02:00", "+02:00", 2),
        ("valid_utc", "UTC", 0),
        ("Date/Time LST", "station", 0),
        ("utcoffset", "station", 0),
    ],
)
def test_an_offset_in_the_name_of_the_column_is_that_of_its_times(name, clock, hours):
    stamps, plan = read(BARE, name=name)
    assert clock_of(plan) == clock
    assert (stamps == SECONDS - 3600 * hours).all()
    as_it_stands, _ = read(BARE, PlanBuilder({"time_zone": "station"}), name)
    assert (as_it_stands == SECONDS).all()
    # What the values state counts more, and days have no clock.
    assert (read(AHEAD, name=name)[0] == SECONDS - 7200).all()
    days = pd.date_range("2015-03-01", periods=9, freq="1D")
    stamps, plan = read(days.strftime("%Y-%m-%d"), name=name)
    assert clock_of(plan) == "station" and (stamps % 86_400 == 0).all()
