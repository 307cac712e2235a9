"""From raw tables to the series of each station, its columns not yet variables."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...core.errors import UserError
from ..files.tables import find_column, show_location
from ..large_arrays import as_type
from ..reading import Decision, PlanBuilder
from .clocks import offset_name, stated_offset
from .column_findings import loses_steps, note_columns, warn_of_values
from .column_formats import ColumnFormat, column_formats
from .measured_values import read_values
from .measured_variables import split_unit, variables_of
from .raw_tables import RawTable
from .regular_grid import GridSeries, rows_as_steps, to_grid
from .repairs import RepairKind, RepairLog
from .rules import USUAL_SENTINELS
from .steps import Step
from .time_stamps import (
    TimeColumns,
    TimeRules,
    TimeSource,
    decide_times,
    find_time_columns,
    read_stamps,
)
from .time_text import NO_STAMP

# Rows without a time that are looked at for names of columns.
_MOST_LOST = 1_000


@dataclass(frozen=True)
class StationReading:
    """How raw tables are to be read, beside what the plan says.

    Args:
        keep_sentinels: leaves sentinels as values.
        rows_as_steps: takes rows as steps whatever their stamps say.
        max_bad_fraction: over which a station or a column is refused.
        needed: columns, by header or name, that must not be left out.
        step: that rows are brought to; None for their own.
        plan: takes the decisions.
    """

    keep_sentinels: bool
    rows_as_steps: bool
    max_bad_fraction: float
    needed: Collection[str]
    step: Step | None
    plan: PlanBuilder


@dataclass(frozen=True)
class ReadStation:
    """A station's series before its variables are known.

    Args:
        table: its rows.
        series: its values on a regular grid.
        columns: of the values.
        formats: of the columns.
        log: of its repairs.
    """

    table: RawTable
    series: GridSeries
    columns: list[str]
    formats: Mapping[str, ColumnFormat]
    log: RepairLog

    def units(self) -> dict[str, str]:
        """By column, the unit that its values bring."""
        return {
            column: form.unit or "deg"
            for column, form in self.formats.items()
            if form.unit or form.degrees is not None
        }


def read_stations(
    tables: Sequence[RawTable], reading: StationReading
) -> list[ReadStation]:
    """The stations; times are read alike in all files, and columns in each file."""
    plan = reading.plan
    columns = {id(table): _time_columns(table, plan) for table in tables}
    times = decide_times(
        [TimeSource(each.frame, columns[id(each)], each.files[0]) for each in tables],
        plan,
    )
    files = defaultdict(list)
    for table in tables:
        files[table.files].append(table)
    stations = {}
    for together in files.values():
        of_time = {name for each in together for name in columns[id(each)].columns}
        rest = [name for name in together[0].frame.columns if name not in of_time]
        formats = column_formats(together, rest, plan)
        for table in together:
            stations[id(table)] = _read_station(
                table, columns[id(table)], times, formats, reading
            )
    return [stations[id(table)] for table in tables]


def _time_columns(table: RawTable, plan: PlanBuilder) -> TimeColumns:
    file, kept = table.files[0], plan.kept("time_column")
    asked = plan.given("time_column")
    if asked is not None:
        asked = find_column(list(table.frame.columns), asked) or asked
    if asked is None and kept in table.frame.columns:
        asked = kept
    if not len(table.frame):
        raise UserError(f"{file}: no rows of the station {table.station!r}")
    found = find_time_columns(
        table.frame, asked, file, time_format=plan.given("time_format")
    )
    if found.whole:
        plan.decide(
            "time_column",
            lambda: Decision(found.whole[0], "its name and its values"),
            fits=lambda kept: kept in table.frame.columns,
            file=file,
        )
    for column in found.columns:
        offset = stated_offset([column])
        stated = {} if offset is None else {"offset": offset_name(offset)}
        since = "given" if asked else "its name and its values"
        plan.column(column, "time", since, **stated)
    return found


def _read_station(
    table: RawTable,
    time_columns: TimeColumns,
    times: TimeRules,
    formats: Mapping[str, ColumnFormat],
    reading: StationReading,
) -> ReadStation:
    """The series of a station, with the columns of its values."""
    log, plan, file = RepairLog(table.station), reading.plan, table.files[0]
    log.add(RepairKind.UNREADABLE_ROW, "left out", [str(row) for row in table.bad_rows])
    log.add(
        RepairKind.OTHER_SEPARATOR,
        "read with it",
        [show_location((row.file, row.line)) for row in table.rescued],
    )
    stamps = read_stamps(
        table.frame,
        time_columns,
        None,
        log,
        file,
        rules=times,
        locate=table.location,
    )
    _warn_of_headers(table, time_columns, stamps == NO_STAMP, plan)
    columns = [name for name in formats if name in table.frame.columns]
    values, names = read_values(
        table,
        {name: formats[name] for name in columns},
        log,
        needed=_headers(columns, reading.needed),
        sentinels=_sentinels(columns, reading),
        max_bad_fraction=reading.max_bad_fraction,
    )
    warn_of_values(values, names, file, plan)
    if not plan.given("sentinels"):
        _warn_of_sentinels(log, file, plan)
    # As most models take them, and as runs have kept their digests.
    values = as_type(values, np.float64 if loses_steps(values) else np.float32)
    if reading.rows_as_steps:
        series = rows_as_steps(table, stamps, values, log)
    else:
        series = to_grid(table, stamps, values, log, reading.step)
    if series.bad_rows > reading.max_bad_fraction * len(table.frame):
        _refuse(table, log, series.bad_rows, reading.max_bad_fraction)
    note_columns(table, formats, names, log, plan)
    read = {name: formats[name] for name in names}
    return ReadStation(table, series, names, read, log)


def _warn_of_headers(
    table: RawTable, time_columns: TimeColumns, lost: np.ndarray, plan: PlanBuilder
) -> None:
    """Warns of a line among the rows that names the columns, and otherwise."""
    names = [str(name).strip() for name in table.frame.columns]
    time = names.index(time_columns.columns[0].strip())
    for row in np.flatnonzero(lost)[:_MOST_LOST]:
        cells = [str(cell).strip() for cell in table.frame.iloc[row]]
        pairs = zip(cells, names, strict=True)
        # Of a unit that stands in a line of its own the names have more.
        if cells[time] == names[time] and not all(
            name.startswith(cell) for cell, name in pairs
        ):
            plan.warn(
                f"{table.location(int(row))} names the columns again, and otherwise "
                f"({', '.join(cells)[:80]}); the rows below it are read by the header "
                "above: part the file in two if they are of another table"
            )


def _sentinels(
    columns: Sequence[str], reading: StationReading
) -> dict[str, list[float]]:
    """By column, the numbers that stand for a missing value."""
    usual = list(USUAL_SENTINELS)
    decided = reading.plan.decide(
        "sentinels", lambda: Decision(usual, "the usual ones"), fits=lambda kept: True
    )
    if reading.keep_sentinels:
        return {}
    if not isinstance(decided, Mapping):
        return {column: list(decided) for column in columns}
    return {
        column: list(decided.get(column, decided.get(split_unit(column)[0], usual)))
        for column in columns
    }


def _warn_of_sentinels(log: RepairLog, file: str, plan: PlanBuilder) -> None:
    """Warns of numbers that may as well have been measured."""
    for repair in log.repairs:
        if repair.kind is RepairKind.SENTINEL_AMONG_VALUES:
            plan.warn(
                f"{file}: {repair.detail} is made missing {repair.count} times, though "
                "other values are below and above it; if it was measured, "
                "data.sentinels=[] keeps it"
            )


# Kinds of repair that make a row bad, and what to do about them.
_HINTS = {
    RepairKind.UNREADABLE_TIME: "mend the file",
    RepairKind.FAR_TIME: "mend the file",
    RepairKind.CONTRADICTING_DUPLICATE: (
        "if it holds several stations, name their column by --station-column; if the "
        "clock goes back within it, data.time_zone"
    ),
    RepairKind.TIME_BESIDE_GRID: "rows a regular step apart were expected",
    RepairKind.STEP_TAKEN: "rows a regular step apart were expected",
}


def _refuse(table: RawTable, log: RepairLog, bad: int, max_bad_fraction: float) -> None:
    total = len(table.frame)
    worst = max(
        (repair for repair in log.repairs if repair.kind in _HINTS),
        key=lambda repair: repair.count,
    )
    raise UserError(
        f"{table.files[0]}: {bad} of {total} rows are bad ({bad / total:.1%}; at most "
        f"{max_bad_fraction:.1%} are tolerated), most of them for this: {worst.words} "
        f"({worst.examples[0]}); {_HINTS[worst.kind]}"
    )


def _headers(columns: Sequence[str], asked: Collection[str]) -> set[str]:
    """The headers of what is asked for by header or name."""
    variables = variables_of(columns) if columns else ()
    return {
        variable.column
        for variable in variables
        if variable.column in asked or variable.name in asked
    }
