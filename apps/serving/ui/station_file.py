"""A CSV file of measurements as what a weather model takes.

Simple files alone: a row each step, named columns. `recurra predict` reads the rest.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from ..errors import invalid

# ISO 8601 and the one other form in which day and month cannot be confused.
TIME_FORMATS = ("ISO8601", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M")
# Of the values of a column, so many must be times.
SHARE_OF_TIMES = 0.95
# Of rows, after gaps are filled with missing ones.
MOST_ROWS = 1_000_000

RAW = "'recurra predict' reads raw files"


@dataclasses.dataclass(frozen=True)
class Window:
    """What one forecast is made from.

    Attributes:
        times: datetime64 `[L]`; the last is the origin.
        history: float32 `[L, F]` in raw units, NaN where missing.
        known_future: float32 `[H, V]`.
        rows: So many of the history's rows the file had.
    """

    times: np.ndarray
    history: np.ndarray
    known_future: np.ndarray
    rows: int


def read_window(card: Mapping[str, Any], file: Path | IO[str]) -> Window:
    """The last window of a file.

    Args:
        card: The model's, which names columns, step and lead times.
        file: CSV, or where it stands.

    Raises:
        ServingError: If it does not fit; the message says what to do.
    """
    frame = _read(file)
    columns = _columns(card, frame)
    frame = frame.set_index(_times(card, frame, set(columns))).sort_index()
    step = pd.Timedelta(seconds=card["step_seconds"])
    _check_steps(frame.index, step)
    grid = frame.reindex(pd.date_range(frame.index[0], frame.index[-1], freq=step))
    numbers = grid[columns].apply(pd.to_numeric, errors="coerce")
    reading = card.get("reading", {})
    sentinels = [] if reading.get("keep_sentinels") else reading.get("sentinels", [])
    is_number = numbers.abs() <= np.finfo(np.float32).max
    usable = is_number & ~numbers.isin(sentinels)
    values = numbers.where(usable).to_numpy(np.float32)
    return _last_window(card, pd.DatetimeIndex(grid.index), values)


def write_example(card: Mapping[str, Any], history: np.ndarray, start: str) -> str:
    """A file, as CSV, that holds this history; `start` is the time of its last row."""
    step = pd.Timedelta(seconds=card["step_seconds"])
    times = pd.date_range(end=pd.Timestamp(start), periods=len(history), freq=step)
    frame = pd.DataFrame(
        history,
        pd.Index(times, name="time"),
        [each["column"] for each in card["variables"]],
    )
    return frame.to_csv(date_format="%Y-%m-%dT%H:%M:%S", float_format="%.6g")


def shown_step(step: pd.Timedelta) -> str:
    """A step in words: 1 hour, 10 minutes."""
    seconds = int(step.total_seconds())
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds % size == 0 and seconds:
            number = seconds // size
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return f"{seconds} seconds"


def _read(file: Path | IO[str]) -> pd.DataFrame:
    try:
        frame = pd.read_csv(file, encoding="utf-8-sig", skipinitialspace=True)
    except (ValueError, OSError, pd.errors.ParserError) as error:
        reason = " ".join(str(error).split())
        raise invalid(
            f"The file cannot be read as CSV: {reason}. Give comma-separated values "
            "with the names of the columns in the first row."
        ) from None
    if frame.empty:
        raise invalid("The file has no rows below the names of its columns.")
    return frame


def _columns(card: Mapping[str, Any], frame: pd.DataFrame) -> list[str]:
    """The file's columns in the order of the model's variables."""
    found = [
        next((name for name in (each["column"], each["name"]) if name in frame), None)
        for each in card["variables"]
    ]
    missing = [
        each["column"]
        for each, name in zip(card["variables"], found, strict=True)
        if name is None
    ]
    if missing:
        raise invalid(
            f"The file lacks {_listed('column', missing)}. It has "
            f"{_listed('column', list(map(str, frame.columns)))}."
        )
    return [name for name in found if name is not None]


def _listed(kind: str, names: list[str]) -> str:
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    return f"the {kind}{'' if len(names) == 1 else 's'} {shown}"


def _times(
    card: Mapping[str, Any], frame: pd.DataFrame, columns: set[str]
) -> pd.DatetimeIndex:
    _check_station(card, frame)
    told = card.get("reading", {}).get("time_column")
    others = [name for name in frame.columns if name not in columns]
    for name in [told] if told in frame else others:
        times = _as_times(frame[name])
        if times is None:
            continue
        if times.tz is not None:
            raise invalid(
                f"The times in {name} have offsets; give them without, by the clock "
                f"of the model's training data, or use the command line: {RAW}."
            )
        if times.hasnans:
            row = int(np.argmax(times.isna())) + 2
            raise invalid(f"Row {row} has no readable time in {name}.")
        if times.has_duplicates:
            again = times[times.duplicated()][0]
            raise invalid(f"The time {again} stands in {name} more than once.")
        return times
    raise invalid(
        "No column holds the times of the rows. Add one such as time, with values like "
        "2020-06-30T12:00."
    )


def _check_station(card: Mapping[str, Any], frame: pd.DataFrame) -> None:
    station = card.get("reading", {}).get("station_column")
    if station in frame and frame[station].nunique() > 1:
        raise invalid(
            f"The file has {frame[station].nunique()} stations in {station}; give the "
            "rows of one."
        )


def _as_times(column: pd.Series) -> pd.DatetimeIndex | None:
    """The column as times, if that is what it holds."""
    if pd.api.types.is_numeric_dtype(column):
        return None
    for form in TIME_FORMATS:
        try:
            times = pd.to_datetime(column, errors="coerce", format=form)
        except ValueError:
            # Offsets that differ, as those of summer and winter do.
            times = pd.to_datetime(column, errors="coerce", format=form, utc=True)
        if times.notna().mean() >= SHARE_OF_TIMES:
            return pd.DatetimeIndex(times)
    return None


def _check_steps(times: pd.Index, step: pd.Timedelta) -> None:
    begin, end = times[0], times[-1]
    if (end - begin) / step > MOST_ROWS:
        raise invalid(f"The file reaches from {begin} to {end}; give its last part.")
    beside = (times - begin) % step != pd.Timedelta(0)
    if not beside.any():
        return
    usual = pd.Timedelta(np.median(np.diff(times)))
    if usual == step:
        raise invalid(
            f"The time {times[beside][0]} does not lie on the steps of "
            f"{shown_step(step)} from {begin}."
        )
    raise invalid(
        f"The rows are {shown_step(usual)} apart; the model takes "
        f"{shown_step(step)}. Resample them, or use the command line: {RAW}."
    )


def _last_window(
    card: Mapping[str, Any], times: pd.DatetimeIndex, values: np.ndarray
) -> Window:
    names = [each["name"] for each in card["variables"]]
    known = [names.index(name) for name in card.get("known_future", [])]
    measured = [number for number in range(len(names)) if number not in known]
    there = np.flatnonzero(np.isfinite(values[:, measured]).any(axis=1))
    if not len(there):
        raise invalid("None of the model's columns holds a number.")
    # Rows after it hold columns known ahead alone.
    origin, steps = int(there[-1]), card["history_steps"]
    given = values[max(0, origin + 1 - steps) : origin + 1]
    history = np.full((steps, len(names)), np.nan, np.float32)
    history[steps - len(given) :] = given
    leads = np.array(card["lead_steps"])
    future = np.full((len(leads), len(known)), np.nan, np.float32)
    is_there = origin + leads < len(values)
    future[is_there] = values[(origin + leads)[is_there]][:, known]
    step = pd.Timedelta(seconds=card["step_seconds"])
    return Window(
        pd.date_range(end=times[origin], periods=steps, freq=step).to_numpy(),
        history,
        future,
        len(given),
    )
