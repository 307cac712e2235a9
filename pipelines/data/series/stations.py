"""Which rows are of one station: parted by a column, or joined from yearly files.

Tables in long form, with a row for each value of a variable, become wide first.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ...core.errors import UserError
from ..files.tables import find_column
from ..reading import Decision, PlanBuilder
from ..time_words import MONTHS
from .raw_tables import RawTable
from .time_stamps import find_time_columns
from .variable_words import words_of

_STATION_WORDS = frozenset(
    ("station", "stations", "stn", "st", "sta", "site", "location", "place", "city")
    + ("wban", "usaf", "icao", "sensor")
)
# Of the rows, that have the time of another one where several stations are mixed, and
# where they are parted.
_MIXED, _PARTED = 0.3, 0.05
# A date in the name of a file.
_DATE = re.compile(r"(?:19|20)\d\d(?:[-_.]?[01]\d(?:[-_.]?[0-3]\d)?)?(?!\d)")
# Usual names of the columns of a long form: of the variable and of its value.
_VARIABLE_NAMES = (
    "entity_id",
    "variable",
    "parameter",
    "metric",
    "element",
    "datatype",
)
_VALUE_NAMES = ("state", "value")
_HOUR_OF_A_DAY = re.compile(r"(?i)(?:he?|hr|hour)[ _]?\d{1,2}")
_CLOCK_TIME = re.compile(r"\d{1,2}:\d\d(?::\d\d)?")
_UNIT_NAMES = ("unit", "units", "unit_of_measurement", "uom", "einheit")


def stations_of(tables: Sequence[RawTable], plan: PlanBuilder) -> list[RawTable]:
    """The rows of each station.

    Args:
        tables: one of each file.
        plan: has `station_column`, `join_files` and `variable_column` of the user and
            of training, and takes the decisions.

    Raises:
        UserError: there is no such column as was given.
    """
    for table in tables:
        _warn_of_times_side_by_side(table, plan)
    tables = [_wide(table, plan) for table in tables]
    column = _station_column(tables, plan)
    if column is None:
        return _joined(tables, plan)
    return list(_by_station(tables, column))


def _warn_of_times_side_by_side(table: RawTable, plan: PlanBuilder) -> None:
    """Warns where a row is a year of months or a day of hours."""
    names = [str(name).strip() for name in table.frame.columns]
    months = [name for name in names if name.lower().rstrip(".") in MONTHS]
    hours = [name for name in names if _HOUR_OF_A_DAY.fullmatch(name)]
    clocks = [name for name in names if _CLOCK_TIME.fullmatch(name)]
    for found, fewest, what in (
        (months, 12, "months"),
        (hours, 24, "hours"),
        (clocks, 3, "clock times"),
    ):
        if len(found) >= fewest:
            plan.warn(
                f"{table.files[0]}: the {what} {found[0]} to {found[-1]} stand side by "
                "side and are read as a variable each; a series of them needs a row "
                "for each"
            )


def _station_column(tables: Sequence[RawTable], plan: PlanBuilder) -> str | None:
    given, kept = plan.given("station_column"), plan.kept("station_column")
    evidence = "given"
    if given is None and kept is not None:
        without = [each for each in tables if kept not in each.frame.columns]
        if without:
            plan.warn(
                f"{without[0].files[0]}: no column {kept!r}, which parted the stations "
                f"in training; it is one station, {without[0].station!r}"
            )
            return None
        evidence = "as in training"
    elif given is None:
        guessed = _mixed_stations(tables)
        if guessed is None:
            return None
        evidence = "times repeat, but not within its values"
        plan.warn(
            f"{tables[0].files[0]}: the column {guessed!r} is taken for stations, "
            "since times repeat otherwise; --station-column chooses another"
        )
        plan.decide("station_column", lambda: Decision(guessed, evidence))
        plan.column(guessed, "station", evidence)
        return guessed
    column = str(plan.decide("station_column", lambda: Decision(None, "")))
    column = find_column(list(tables[0].frame.columns), column) or column
    plan.column(column, "station", evidence)
    return column


def _mixed_stations(
    tables: Sequence[RawTable], within: Sequence[str] = ()
) -> str | None:
    """A column that parts rows whose times repeat, where its name says station.

    Within the columns of a long form that name variables, times may repeat.
    """
    frame = tables[0].frame
    names = [
        name
        for name in frame.columns
        if set(words_of(name)) & _STATION_WORDS
        and name not in within
        and 2 <= frame[name].nunique() <= len(frame) / 2
        and all(name in table.frame.columns for table in tables)
    ]
    if not names:
        return None
    try:
        times = list(find_time_columns(frame, None, tables[0].files[0]).columns)
    except UserError:
        return None
    times += within
    if frame.duplicated(times).mean() < _MIXED:
        return None
    for name in names:
        if frame.duplicated([*times, name]).mean() <= _PARTED:
            return str(name)
    return None


def differ_by_date(names: Sequence[str]) -> bool:
    """Whether two of the stations' names differ by a date alone."""
    return len({_DATE.sub("#", name) for name in names}) < len(names)


def _joined(tables: Sequence[RawTable], plan: PlanBuilder) -> list[RawTable]:
    """Files of one station, each of another time, as one table."""
    together: dict[tuple, list[RawTable]] = defaultdict(list)
    for table in tables:
        name = _DATE.sub("#", table.station)
        key = name if "#" in name else table.station
        together[(key, *table.frame.columns)].append(table)
    joined = []
    for (name, *_), parts in together.items():
        if len(parts) > 1 and _join(parts, plan):
            joined.append(_one_table(name, parts))
        else:
            joined += parts
    order = {table.files[0]: number for number, table in enumerate(tables)}
    return sorted(joined, key=lambda table: order[table.files[0]])


def _join(parts: Sequence[RawTable], plan: PlanBuilder) -> bool:
    first, last = parts[0].files[0], parts[-1].files[0]

    def guess() -> Decision:
        plan.warn(
            f"{first} to {last}: {len(parts)} files of equal columns, each with "
            "another date in its name and other times, are taken for one station; "
            "data.join_files=false keeps them apart"
        )
        return Decision(True, "dates in their names", "data.join_files=false")

    if plan.given("join_files") is None and _times_repeat(parts):
        return False
    return bool(plan.decide("join_files", guess))


def _times_repeat(parts: Sequence[RawTable]) -> bool:
    """Whether files have times in common, so that they are of several stations."""
    columns = find_time_columns(parts[0].frame, None, parts[0].files[0]).columns
    times = pd.concat(
        [each.frame[list(columns)].drop_duplicates() for each in parts]
    ).astype(str)
    return bool(times.duplicated().mean() > _PARTED)


def _one_table(name: str, parts: Sequence[RawTable]) -> RawTable:
    counts = [len(each.frame) for each in parts]
    station = name.replace("#", "").strip(" -_.") or "station"
    return RawTable(
        station,
        pd.concat([each.frame for each in parts], ignore_index=True),
        np.concatenate([each.lines for each in parts]),
        tuple(file for each in parts for file in each.files),
        np.repeat(np.arange(len(parts)), counts).astype(np.int16),
        tuple(row for each in parts for row in each.bad_rows),
        tuple(row for each in parts for row in each.rescued),
    )


def _wide(table: RawTable, plan: PlanBuilder) -> RawTable:
    """A table in long form with a column for each variable."""
    names = {str(name).lower(): name for name in table.frame.columns}
    variable = plan.given("variable_column") or plan.kept("variable_column")
    if variable is None:
        variable = next(
            (names[each] for each in _VARIABLE_NAMES if each in names), None
        )
    value = next((names[each] for each in _VALUE_NAMES if each in names), None)
    if variable not in table.frame.columns or value is None:
        return table
    plan.decide(
        "variable_column",
        lambda: Decision(variable, f"a long form: {variable} names what {value} is of"),
    )
    plan.column(variable, "ignored", "names the variables of a long form")
    key = list(find_time_columns(table.frame, None, table.files[0]).columns)
    station = plan.given("station_column") or plan.kept("station_column")
    station = find_column(list(table.frame.columns), str(station)) if station else None
    station = station or _mixed_stations([table], [str(variable)])
    if station in table.frame.columns and station not in (*key, variable, value):
        key.append(str(station))
    rows = _with_units(table, str(variable), plan)[[*key, variable, value]]
    last = ~rows.duplicated([*key, variable], keep="last")
    lost = int((~last & ~rows.duplicated(keep="last")).sum())
    if lost:
        plan.warn(
            f"{table.files[0]}: {lost} values have the time and {variable} of another; "
            "the last in the file stands; if it holds several stations, name their "
            "column by --station-column"
        )
    wide = rows[last].pivot(index=key, columns=variable, values=value)
    first = table.frame.assign(_line=table.lines).groupby(key, sort=False)["_line"]
    lines = first.first().reindex(wide.index).to_numpy()
    wide = wide.reset_index()
    wide.columns = pd.Index([str(name) for name in wide.columns])
    return replace(
        table,
        frame=wide.astype(object).where(wide.notna(), ""),
        lines=lines,
        file_numbers=np.zeros(len(wide), np.int16),
    )


def _with_units(table: RawTable, variable: str, plan: PlanBuilder) -> pd.DataFrame:
    """The rows of a long form, their variables named with the unit in its column."""
    frame = table.frame
    column = next((n for n in frame.columns if str(n).lower() in _UNIT_NAMES), None)
    if column is None or column == variable:
        return frame
    units = frame[column].astype("string").str.strip().fillna("")
    by_variable = units[units != ""].groupby(frame[variable]).unique()
    for name, found in by_variable.items():
        if len(found) > 1:
            plan.warn(
                f"{table.files[0]}: {name} is in {' and in '.join(map(repr, found))}, "
                f"as {column} says; its values are read as they stand"
            )
    names = {
        name: f"{name} ({found[0]})"
        for name, found in by_variable.items()
        if len(found) == 1
    }
    plan.column(str(column), "ignored", "names the units of a long form")
    return frame.assign(**{variable: frame[variable].replace(names)})


def _by_station(tables: Sequence[RawTable], column: str) -> Iterator[RawTable]:
    for table in tables:
        if column not in table.frame.columns:
            names = ", ".join(str(name)[:40] for name in table.frame.columns[:20])
            raise UserError(
                f"{table.files[0]}: no column {column!r} for --station-column; the "
                f"columns are {names}"
            )
    frame = pd.concat([table.frame for table in tables], ignore_index=True)
    lines = np.concatenate([table.lines for table in tables])
    numbers = np.repeat(np.arange(len(tables)), [len(table.lines) for table in tables])
    files = tuple(file for table in tables for file in table.files)
    # A row that cannot be read says nothing of its station.
    bad_rows = tuple(row for table in tables for row in table.bad_rows)
    rescued = tuple(row for table in tables for row in table.rescued)
    stations = frame.pop(column).astype("string").str.strip().fillna("")
    for position, (name, rows) in enumerate(
        stations.groupby(stations, sort=False).indices.items()
    ):
        yield RawTable(
            str(name) or "unnamed",
            frame.iloc[rows].reset_index(drop=True),
            lines[rows],
            files,
            numbers[rows],
            () if position else bad_rows,
            () if position else rescued,
        )
