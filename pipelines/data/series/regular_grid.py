"""Rows with stamps brought to a regular series: sorted, merged, aligned, gaps kept.

The step is the most frequent difference between neighbouring stamps, and the grid is
the one that most stamps lie on; of a clock that jitters they are what it jitters
around. What does not fit is repaired and listed:

- rows out of order are sorted;
- of rows with the same stamp equal ones are merged; of contradicting ones the last in
  the file stands, as that of a correction would, and gives way to the earlier one only
  where it has no value;
- a stamp beside the grid moves to the nearest step, a run of them by the same amount is
  a clock shift; where another row is nearer to that step, the row is left out;
- rows far away in time from all others (a clock that was reset) are left out;
- steps without a row are missing. Nothing is interpolated.

Stamps that are months, quarters, years or business days apart have a step of the
calendar. Rows that no step fits stay as they are where a coarser step is asked for:
`resampling` puts them together.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...core.errors import UserError
from ..large_arrays import large_array, slices
from .raw_tables import RawTable
from .repairs import EXAMPLES, RepairKind, RepairLog
from .steps import Step, calendar_step
from .time_stamps import NO_STAMP, format_stamp

_DAY = 86_400
# Shorter runs of stamps beside the grid are single faults.
_SHORTEST_SHIFT = 2
# Of the step: how far from it the median of jittering ones is.
_JITTER = 0.05
# Of the step: farther beside the grid, rows are irregular ones, unless a run of so many
# shows that the clock was set to another time.
_IRREGULAR = 0.25
_SURE_SHIFT = 24
# Of the rows: more than so many beside the grid are no faults where another step is
# asked for.
_FEW_ROWS = 0.05
# Longer series with fewer rows are a fault of their stamps.
_LONGEST_EMPTY = 1_000_000
_MOST_STEPS_PER_ROW = 50
# Rows that are looked at together.
_TOGETHER = 65_536
_USUAL_STEPS = tuple(
    period // parts
    for period in (60, 3600, _DAY)
    for parts in (60, 30, 20, 12, 10, 6, 5, 4, 3, 2, 1)
    if period % parts == 0
) + (7 * _DAY,)


@dataclass(frozen=True)
class GridSeries:
    """A regular series.

    Args:
        start: the stamp of the first step, in seconds.
        step: from step to step.
        values: ``float[steps, variables]``, NaN where missing.
        stamps: ``int64[steps]`` where they are not ``step.seconds`` apart: of a step of
            the calendar, of rows that were taken as steps, and of irregular rows.
        bad_rows: how many rows were left out or overruled.
        is_irregular: whether they are rows, in time, that are yet to be resampled.
    """

    start: int
    step: Step
    values: np.ndarray
    stamps: np.ndarray | None
    bad_rows: int
    is_irregular: bool = False


def most_frequent_step(stamps: np.ndarray) -> int:
    """The most frequent difference of neighbours, the smallest of several, or 0.

    Where no difference is that of most rows the clock jitters, and the step is the
    usual one (a part of an hour, a day or a week) next to the median, if it is near.
    """
    differences = np.diff(np.unique(stamps))
    if not len(differences):
        return 0
    steps, counts = np.unique(differences, return_counts=True)
    if 2 * counts.max() > len(differences):
        return int(steps[np.argmax(counts)])
    median = float(np.median(differences))
    usual = min(_USUAL_STEPS, key=lambda step: abs(step - median))
    if abs(usual - median) <= _JITTER * usual:
        return usual
    return int(steps[np.argmax(counts)])


def rows_as_steps(
    table: RawTable, stamps: np.ndarray, values: np.ndarray, log: RepairLog
) -> GridSeries:
    """Each row a step, in the order of the file, whatever its stamp says.

    As the published protocols on public data sets take them: duplicates count twice and
    gaps not at all.
    """
    stamps, values, readable = _readable(stamps, values)
    rows = np.flatnonzero(readable)
    step = _checked_step(table, stamps)
    odd = np.flatnonzero(np.diff(stamps) != step)
    log.add(
        RepairKind.IRREGULAR_STEP,
        "left as it is, since rows are taken as steps",
        [f"after {table.location(rows[row])}" for row in odd[:EXAMPLES]],
        len(odd),
    )
    unreadable = len(readable) - len(stamps)
    return GridSeries(int(stamps[0]), Step(step), values, stamps, unreadable)


def to_grid(
    table: RawTable,
    stamps: np.ndarray,
    values: np.ndarray,
    log: RepairLog,
    step: Step | None = None,
) -> GridSeries:
    """The rows as a regular series, by the rules at the top of this file.

    Args:
        table: where rows stand, for the list of repairs.
        stamps: ``int64[rows]`` of seconds, ``NO_STAMP`` where unreadable.
        values: ``float[rows, variables]``.
        log: takes every repair.
        step: that is asked for, to which the series will be resampled; None for that
            of the data.

    Raises:
        UserError: there are fewer than two different stamps.
    """
    stamps, values, readable = _readable(stamps, values)
    unreadable = len(readable) - len(stamps)
    if not (step is not None and step.is_calendar):
        spacing = _spacing(stamps)
        if spacing is not None and (step is None or not spacing.changes(len(stamps))):
            # What all below would come to, in a fraction of its memory.
            return _spaced(table, stamps, values, spacing, unreadable, log)
    rows = np.flatnonzero(readable)
    stamps, values, rows = _sorted(table, stamps, values, rows, log)
    usual = _checked_step(table, stamps)
    stamps, values, rows, far = _without_far_rows(
        table, stamps, values, rows, usual, log
    )
    stamps, values, rows, contradicting = _merged(table, stamps, values, rows, log)
    bad = unreadable + far + contradicting
    own = _step(stamps, usual, step)
    if step is not None and not own.is_calendar and _is_irregular(stamps, usual):
        log.add(
            RepairKind.IRREGULAR_STEP,
            f"rows put together by steps of {step}",
            [f"{len(stamps)} rows from {format_stamp(stamps[0])}"],
        )
        return GridSeries(int(stamps[0]), own, values, stamps, bad, True)
    anchor = _anchor(stamps, own)
    numbers, nearest_first, collisions = _aligned(table, stamps, rows, own, anchor, log)
    values = values[nearest_first]
    first = int(numbers[0])
    steps = int(numbers[-1]) - first + 1
    _refuse_empty(table, len(numbers), steps, own)
    grid = np.full((steps, values.shape[1]), np.nan, values.dtype)
    grid[numbers - first] = values
    apart = np.diff(numbers)
    gaps = np.flatnonzero(apart > 1)
    _list_gaps(own.add(anchor, numbers[gaps]), apart[gaps], own, log)
    start = int(own.add(anchor, first))
    times = own.times(start, steps) if own.is_calendar else None
    return GridSeries(start, own, grid, times, bad + collisions)


@dataclass(frozen=True)
class _Spacing:
    """How rows that follow each other on the grid of a step lie on it.

    Args:
        step: in seconds, less than a day.
        gaps: the rows before steps without one.
        lengths: steps from each of them to the next row.
    """

    step: int
    gaps: np.ndarray
    lengths: np.ndarray

    def changes(self, rows: int) -> bool:
        """Whether another step is that of long runs of so many rows."""
        begins = np.flatnonzero(
            np.append(True, (np.diff(self.gaps) != 1) | (np.diff(self.lengths) != 0))
        )
        runs = np.diff(np.append(begins, len(self.gaps)))
        return bool(runs[runs >= _SURE_SHIFT].sum() > _FEW_ROWS * (rows - 1))


def _spacing(stamps: np.ndarray) -> _Spacing | None:
    """That of rows in order, none beside the grid or far away; None of others."""
    counts: Counter[int] = Counter()
    for apart in _differences(stamps):
        if (apart == apart[0]).all():
            counts[int(apart[0])] += len(apart)
        else:
            found, times = np.unique(apart, return_counts=True)
            counts.update(dict(zip(found.tolist(), times.tolist(), strict=True)))
        if min(counts) <= 0 or len(counts) > _TOGETHER:
            return None
    if not counts:
        return None
    step, most = counts.most_common(1)[0]
    if (
        2 * most < len(stamps)
        or step >= _DAY
        or any(apart % step for apart in counts)
        or max(counts) > _farthest(stamps, step)
    ):
        return None
    gaps, lengths = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    begin = 0
    for apart in _differences(stamps):
        here = np.flatnonzero(apart != step)
        gaps.append(begin + here)
        lengths.append(apart[here] // step)
        begin += len(apart)
    return _Spacing(step, np.concatenate(gaps), np.concatenate(lengths))


def _differences(stamps: np.ndarray) -> Iterator[np.ndarray]:
    """From each stamp to the next, some at a time."""
    for part in slices(len(stamps) - 1, _TOGETHER):
        yield np.diff(stamps[part.start : part.stop + 1])


def _spaced(
    table: RawTable,
    stamps: np.ndarray,
    values: np.ndarray,
    spacing: _Spacing,
    unreadable: int,
    log: RepairLog,
) -> GridSeries:
    """The series of rows that lie so."""
    start, step = int(stamps[0]), Step(spacing.step)
    steps = (int(stamps[-1]) - start) // spacing.step + 1
    _refuse_empty(table, len(stamps), steps, step)
    _list_gaps(stamps[spacing.gaps], spacing.lengths, step, log)
    if steps > len(stamps):
        grid = large_array((steps, values.shape[1]), values.dtype)
        for part in slices(steps):
            grid[part] = np.nan
        for part in slices(len(stamps)):
            grid[(stamps[part] - start) // spacing.step] = values[part]
        values = grid
    return GridSeries(start, step, values, None, unreadable)


def _refuse_empty(table: RawTable, rows: int, steps: int, step: Step) -> None:
    """Refuses a series most of whose steps would have no row."""
    if steps > max(_LONGEST_EMPTY, _MOST_STEPS_PER_ROW * rows):
        raise UserError(
            f"{table.files[0]}: {rows} rows over {steps} steps of {step} at "
            f"the station {table.station!r}, so that nearly all would be missing; rows "
            "a regular step apart were expected, or a coarser step by data.step"
        )


def _readable(
    stamps: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows with a stamp, and which these are, bool."""
    readable = stamps != NO_STAMP
    if readable.all():
        return stamps, values, readable
    return stamps[readable], values[readable], readable


def _checked_step(table: RawTable, stamps: np.ndarray) -> int:
    step = most_frequent_step(stamps)
    if step == 0:
        raise UserError(
            f"{table.files[0]}: fewer than two different times at the station "
            f"{table.station!r}; a series was expected"
        )
    return step


def _sorted(
    table: RawTable,
    stamps: np.ndarray,
    values: np.ndarray,
    rows: np.ndarray,
    log: RepairLog,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    late = np.flatnonzero(stamps[1:] < np.maximum.accumulate(stamps)[:-1]) + 1
    if not len(late):
        return stamps, values, rows
    log.add(
        RepairKind.ROW_OUT_OF_ORDER,
        "sorted",
        [table.location(rows[row]) for row in late[:EXAMPLES]],
        len(late),
    )
    # Stable, since of rows with the same stamp the last in the file counts.
    order = np.argsort(stamps, kind="stable")
    return stamps[order], values[order], rows[order]


def _without_far_rows(
    table: RawTable,
    stamps: np.ndarray,
    values: np.ndarray,
    rows: np.ndarray,
    step: int,
    log: RepairLog,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Leaves out what is farther away than all rows end to end, and a year."""
    is_far = np.diff(stamps) > _farthest(stamps, step)
    parts = np.split(np.arange(len(stamps)), np.flatnonzero(is_far) + 1)
    if len(parts) == 1:
        return stamps, values, rows, 0
    largest = max(range(len(parts)), key=lambda part: len(parts[part]))
    far = np.concatenate(parts[:largest] + parts[largest + 1 :])
    log.add(
        RepairKind.FAR_TIME,
        "row left out",
        [
            f"{table.location(rows[row])}: {format_stamp(stamps[row])}"
            for row in far[:3]
        ],
        len(far),
    )
    kept = parts[largest]
    return stamps[kept], values[kept], rows[kept], len(far)


def _farthest(stamps: np.ndarray, step: int) -> int:
    """Seconds from one row to the next, beyond which there are two records."""
    return max(len(stamps) * step, 366 * _DAY)


def _merged(
    table: RawTable,
    stamps: np.ndarray,
    values: np.ndarray,
    rows: np.ndarray,
    log: RepairLog,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """One row for each stamp."""
    again = np.flatnonzero(np.diff(stamps) == 0) + 1
    if not len(again):
        return stamps, values, rows, 0
    values = values.copy()
    equal: list[str] = []
    contradicting: list[str] = []
    contradicting_stamps: list[int] = []
    for row in again:
        earlier, later = values[row - 1], values[row]
        both = np.isfinite(earlier) & np.isfinite(later)
        example = f"{format_stamp(stamps[row])}, {table.location(rows[row])}"
        if (earlier[both] == later[both]).all():
            equal.append(example)
        else:
            contradicting.append(example)
            contradicting_stamps.append(int(stamps[row]))
        values[row] = np.where(np.isfinite(later), later, earlier)
    log.add(RepairKind.EQUAL_DUPLICATE, "merged", equal)
    hint = (
        "; if the clock follows daylight saving, name data.time_zone"
        if _look_like_autumn(contradicting_stamps)
        else ""
    )
    log.add(
        RepairKind.CONTRADICTING_DUPLICATE,
        f"the last in the file stands{hint}",
        contradicting,
    )
    last = np.append(np.diff(stamps) != 0, True)
    return stamps[last], values[last], rows[last], len(contradicting)


def _look_like_autumn(stamps: list[int]) -> bool:
    """Whether all lie in the first three hours of Sundays."""
    # The first of January 1970 was a Thursday.
    return bool(stamps) and all(
        (stamp // _DAY + 4) % 7 == 0 and stamp % _DAY <= 3 * 3600 for stamp in stamps
    )


def _step(stamps: np.ndarray, usual: int, asked: Step | None) -> Step:
    """That of the calendar where the stamps have one, and seconds otherwise."""
    if asked is not None and asked.is_calendar:
        times = asked.add(int(stamps[0]), asked.since(int(stamps[0]), stamps))
        if (times == stamps).all():
            return asked  # Too few rows would not say so.
    found = calendar_step(stamps)
    if found is None or (found.business_days and asked is not None):
        return Step(usual)
    return found


def _is_irregular(stamps: np.ndarray, usual: int) -> bool:
    """Whether many rows lie beside the grid, or change to another step for long."""
    numbers = Step(usual).since(_phase(stamps, usual), stamps)
    offsets = stamps - (_phase(stamps, usual) + numbers * usual)
    beside = (np.abs(offsets) > _IRREGULAR * usual).mean()
    taken = 1 - len(np.unique(numbers)) / len(numbers)
    differences = np.diff(stamps)
    begins = np.flatnonzero(np.append(True, np.diff(differences) != 0))
    lengths = np.diff(np.append(begins, len(differences)))
    other = (differences[begins] != usual) & (lengths >= _SURE_SHIFT)
    changed = lengths[other].sum() / len(differences)
    return bool(max(beside, taken, changed) > _FEW_ROWS)


def _anchor(stamps: np.ndarray, step: Step) -> int:
    """A stamp on the grid."""
    if not step.is_calendar:
        return _phase(stamps, step.seconds)
    on_grid = [
        (step.add(int(each), step.since(int(each), stamps)) == stamps).sum()
        for each in stamps[:_SURE_SHIFT]
    ]
    return int(stamps[int(np.argmax(on_grid))])


def _phase(stamps: np.ndarray, step: int) -> int:
    """Where on the clock the steps lie, in seconds from a multiple of the step."""
    phases, counts = np.unique(stamps % step, return_counts=True)
    if 20 * counts.max() > len(stamps):
        return int(phases[np.argmax(counts)])
    # A clock that jitters: what it jitters around, to the minute where that is fine.
    angles = 2 * np.pi * phases / step
    middle = np.angle(np.sum(counts * np.exp(1j * angles))) / (2 * np.pi) * step
    unit = 60 if step >= 600 else 1
    return int(round(middle / unit) * unit % step)


def _aligned(
    table: RawTable,
    stamps: np.ndarray,
    rows: np.ndarray,
    step: Step,
    anchor: int,
    log: RepairLog,
) -> tuple[np.ndarray, np.ndarray, int]:
    """The steps that have a row, their rows, and the number of rows without a step.

    Irregular rows, which were moved far, count as such.
    """
    numbers = step.since(anchor, stamps)
    offsets = stamps - step.add(anchor, numbers)
    irregular = _list_shifts(table, stamps, rows, offsets, step.seconds, log)
    order = np.lexsort((np.abs(offsets), numbers))
    is_first = np.append(True, np.diff(numbers[order]) != 0)
    left_out = np.sort(order[~is_first])
    log.add(
        RepairKind.STEP_TAKEN,
        "row left out",
        [
            f"{format_stamp(stamps[row])}, {table.location(rows[row])}"
            for row in left_out[:3]
        ],
        len(left_out),
    )
    kept = order[is_first]
    return numbers[kept], kept, max(len(left_out), irregular)


def _list_shifts(
    table: RawTable,
    stamps: np.ndarray,
    rows: np.ndarray,
    offsets: np.ndarray,
    step: int,
    log: RepairLog,
) -> int:
    """Lists them; returns how many rows are irregular."""
    begins = np.flatnonzero(np.append(True, np.diff(offsets) != 0))
    lengths = np.diff(np.append(begins, len(offsets)))
    shifted = offsets[begins] != 0
    runs = shifted & (lengths >= _SHORTEST_SHIFT)
    single = begins[shifted & ~runs]
    log.add(
        RepairKind.TIME_BESIDE_GRID,
        "moved to the nearest step",
        [
            f"{format_stamp(stamps[row])}, {table.location(rows[row])}"
            for row in single[:EXAMPLES]
        ],
        len(single),
    )
    log.add(
        RepairKind.CLOCK_SHIFT,
        "moved to the nearest step",
        [
            f"{length} rows from {format_stamp(stamps[begin])} by "
            f"{-offsets[begin] / 60:+g} min"
            for begin, length in zip(begins[runs], lengths[runs], strict=True)
        ],
    )
    far = np.abs(offsets[begins]) > _IRREGULAR * step
    return int(lengths[far & (lengths < _SURE_SHIFT)].sum())


def _list_gaps(
    before: np.ndarray, lengths: np.ndarray, step: Step, log: RepairLog
) -> None:
    """Lists them: the stamp before each one, and its steps to the next row."""
    longest_first = np.argsort(-lengths, kind="stable")
    log.add(
        RepairKind.GAP,
        f"{(lengths - 1).sum()} steps left missing, the longest gaps first",
        [
            f"{format_stamp(before[gap])}, "
            f"{lengths[gap] * step.seconds / 60:g} min to the next row"
            for gap in longest_first[:EXAMPLES]
        ],
        len(lengths),
    )
