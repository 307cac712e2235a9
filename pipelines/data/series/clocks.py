"""Which clock stamps are of, decided over all files of a spec.

The key is `data.time_zone`:

- "station": one clock all year round, as loggers have it, whatever it is called;
- a zone such as Europe/Berlin, UTC or +02:00: of stamps without an offset, which are
  brought to UTC. Of an hour that the clock shows twice in autumn the earlier rows are
  in summer time; a time in the hour that it skips in spring is standard time written
  on;
- "offsets": every stamp states its offset from UTC, and they change over the year.

Stamps with an offset are brought to UTC, except by the station's clock. An offset in
the name of their column, "Date Time, GMT+01:00", is that of all that state none.
"""

import dataclasses
import datetime
import re
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from ...core.errors import UserError
from ..large_arrays import large_array, slices
from ..reading import Decision, PlanBuilder
from .repairs import RepairKind, RepairLog
from .time_orders import irregular_neighbours
from .time_text import NO_STAMP, Moments

STATION = "station"
OFFSETS = "offsets"

_IN_NAME = re.compile(
    r"(?i)(?<![a-z])(?:utc|gmt)(?![a-z])"
    r"\s*(?:(?P<sign>[+\-\u2212])\s?(?P<hours>\d{1,2})(?::?(?P<minutes>\d\d))?)?"
)
_DAY = 86_400


def decide_clock(moments: Sequence[Moments], plan: PlanBuilder, file: str) -> str:
    """The value of `data.time_zone` for these files.

    Args:
        moments: The times of each file, as written.
        plan: Takes the decision, and the warnings on a clock that is not that of
            training.
        file: The name of the first of them, for lines and errors.

    Raises:
        UserError: Some stamps state their offset and others do not, or a clock of
            training is another and the two cannot be brought together.
    """
    times = sum(int(each.read.sum()) for each in moments)
    with_offset, distinct = _stated(moments)
    kept = plan.kept("time_zone") if plan.given("time_zone") is None else None
    zone = plan.decide(
        "time_zone",
        lambda: _guess(moments, times, with_offset, distinct, plan, file),
        file=file,
    )
    check_zone(zone)
    if zone == STATION and with_offset:
        if len(distinct) > 1:
            raise UserError(
                f"{file}: the times state {len(distinct)} offsets from UTC "
                f"({', '.join(offset_name(each) for each in distinct[:3])}), which are "
                "not on the one clock all year round that was asked for or trained on; "
                "write them by one clock, or name data.time_zone"
            )
        if kept is not None:
            plan.warn(
                f"{file}: the times state the offset {offset_name(distinct[0])} from "
                "UTC, those of training none; they are taken as they stand, as the "
                "station's clock; data.time_zone chooses"
            )
    elif kept is not None and _from_offsets(zone) and not with_offset:
        plan.warn(
            f"{file}: the times state no offset from UTC; they are taken as the clock "
            f"{zone} of training; data.time_zone chooses"
        )
    if zone == OFFSETS and with_offset < times:
        raise UserError(
            f"{file}: {times - with_offset} of {times} times state no offset "
            "from UTC; name their zone by data.time_zone"
        )
    return str(zone)


def on_clock(moments: Moments, zone: str, log: RepairLog) -> np.ndarray:
    """Seconds since 1970 by the clock `zone`, `int64[rows]`; fractions are rounded."""
    seconds = moments.seconds
    is_later = moments.read & (moments.nanoseconds >= 500_000_000)
    if is_later.any():
        seconds = seconds + is_later
    if zone == STATION:
        return seconds
    in_utc = large_array(len(seconds), np.int64)
    for part in slices(len(seconds)):
        here, offsets = seconds[part], moments.offsets[part]
        stated = (here != NO_STAMP) & (offsets != NO_STAMP)
        in_utc[part] = np.where(stated, here - np.where(stated, offsets, 0), NO_STAMP)
    wall = moments.read & (moments.offsets == NO_STAMP)
    if wall.any():
        in_utc[wall] = _from_wall_clock(seconds[wall], _zone(zone), log)
    return in_utc


def stated_offset(columns: Sequence[str]) -> int | None:
    """Seconds east of UTC that names of columns of time state, None without any."""
    for found in filter(None, map(_IN_NAME.search, columns)):
        minutes = 60 * int(found["hours"] or 0) + int(found["minutes"] or 0)
        return 60 * minutes * (1 if found["sign"] in (None, "+") else -1)
    return None


def with_stated_offset(moments: Moments, columns: Sequence[str]) -> Moments:
    """The moments with the offset that their columns' names state.

    Days, which have no clock, stay what they are.
    """
    offset = stated_offset(columns)
    is_bare = moments.read & (moments.offsets == NO_STAMP)
    if offset is None or not (moments.seconds[moments.read] % _DAY).any():
        return moments
    return dataclasses.replace(
        moments, offsets=np.where(is_bare, offset, moments.offsets)
    )


def offset_name(seconds: int) -> str:
    """`+02:00`; `UTC` for none."""
    if seconds == 0:
        return "UTC"
    hours, minutes = divmod(abs(int(seconds)) // 60, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02}:{minutes:02}"


def _from_offsets(zone: str) -> bool:
    """Whether stamps that state their offset were read by it."""
    return zone == "UTC" or zone[:1] in ("+", "-")


def check_zone(zone: str) -> None:
    """Refuses what is no zone.

    Raises:
        UserError: It is none.
    """
    if zone not in (STATION, OFFSETS):
        _zone(zone)


def _stated(moments: Sequence[Moments]) -> tuple[int, np.ndarray]:
    """How many times state an offset, and the distinct ones, in their order."""
    count, found = 0, np.zeros(0, np.int64)
    for each in moments:
        for part in slices(len(each.seconds)):
            offsets = each.offsets[part]
            here = (each.seconds[part] != NO_STAMP) & (offsets != NO_STAMP)
            count += int(here.sum())
            found = np.union1d(found, offsets[here])
    return count, found


def _guess(
    moments: Sequence[Moments],
    times: int,
    with_offset: int,
    distinct: np.ndarray,
    plan: PlanBuilder,
    file: str,
) -> Decision:
    """By the distinct offsets that some of so many times state."""
    if not with_offset:
        return Decision(STATION, "no time states an offset from UTC")
    if with_offset == times:
        evidence = f"the offsets of {with_offset} of {times} times"
        value = offset_name(distinct[0]) if len(distinct) == 1 else OFFSETS
        return Decision(value, evidence)
    line = f"{file}: {with_offset} of {times} times state an offset from UTC"
    if len(distinct) > 1:
        raise UserError(
            f"{line}, the others none; name their zone by data.time_zone, or write all "
            "times by one clock"
        )
    offset = int(distinct[0])
    as_the_others = sum(_irregular(each, offset) for each in moments)
    as_utc = sum(_irregular(each, 0) for each in moments)
    if offset and as_the_others == as_utc:
        raise UserError(
            f"{line} ({offset_name(offset)}), the others none, and they could be of "
            "that clock or in UTC; name data.time_zone"
        )
    clock = offset if as_the_others <= as_utc else 0
    plan.warn(
        f"{line} ({offset_name(offset)}); the others are taken as "
        f"{offset_name(clock)}, by which the rows are more regular; data.time_zone "
        "chooses"
    )
    most_are_bare = 2 * with_offset < times and clock == offset
    return Decision(
        STATION if most_are_bare else offset_name(clock),
        "the more regular reading of those without an offset",
        offset_name(offset if clock == 0 else 0),
    )


def _irregular(moments: Moments, of_the_others: int) -> int:
    offsets = np.where(moments.offsets == NO_STAMP, of_the_others, moments.offsets)
    return irregular_neighbours((moments.seconds - offsets)[moments.read])


def _zone(zone: str) -> datetime.tzinfo:
    try:
        if zone[:1] in ("+", "-"):
            return datetime.datetime.strptime(zone, "%z").tzinfo or datetime.UTC
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise UserError(
            f"data.time_zone: no time zone {zone!r}; expected a name such as "
            f"Europe/Berlin or UTC, an offset such as +02:00, or {STATION!r}"
        ) from None


def _from_wall_clock(
    seconds: np.ndarray, zone: datetime.tzinfo, log: RepairLog
) -> np.ndarray:
    """Wall clock times of a zone in UTC, by the rules at the top of this file."""
    times = pd.Series(seconds.astype("datetime64[s]"))
    falls = bool((np.diff(seconds) < 0).sum() > (np.diff(seconds) > 0).sum())
    # The earlier of two rows is the later one in a file that begins with the newest.
    repeats = times.groupby(times).cumcount(ascending=not falls)
    local = times.dt.tz_localize(
        zone,
        ambiguous=(repeats == 0).to_numpy(),
        nonexistent=pd.Timedelta(hours=1),
    )
    back = local.dt.tz_localize(None)
    skipped = back != times
    log.add(
        RepairKind.SKIPPED_TIME,
        "taken as standard time written on",
        [str(time) for time in times[skipped].iloc[:3]],
        int(skipped.sum()),
    )
    in_utc = local.dt.tz_convert("UTC").dt.tz_localize(None)
    return in_utc.to_numpy().astype("datetime64[s]").astype(np.int64)
