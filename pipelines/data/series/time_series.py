"""Regular time series of one or more stations from any spec, with every repair."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ...core.errors import UserError
from ..files.tables import BadRow, show_location
from ..sources import TIME_SERIES, read
from ..splits import check_bad_fraction
from .measured_values import read_values
from .measured_variables import Variable, split_unit, variables_of
from .raw_tables import RawTable
from .regular_grid import GridSeries, rows_as_steps, to_grid
from .repairs import Repair, RepairKind, RepairLog
from .resampling import parse_step, resample
from .rules import USUAL_SENTINELS, Rule
from .time_stamps import find_time_columns, read_stamps


@dataclass(frozen=True)
class StationSeries:
    """The regular series of one station.

    Args:
        name: of the station.
        start: the time of the first step, ``datetime64[s]``: in UTC where offsets or a
            time zone say so, otherwise by the clock of the station.
        step: from step to step, ``timedelta64[s]``.
        values: ``float32[steps, variables]``, NaN where missing.
        stamps: ``datetime64[s][steps]`` where rows were taken as steps whatever their
            stamps say, otherwise None.
    """

    name: str
    start: np.datetime64
    step: np.timedelta64
    values: np.ndarray
    stamps: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    def times(self) -> np.ndarray:
        """The time of each step, ``datetime64[s][steps]``."""
        if self.stamps is not None:
            return self.stamps
        return self.start + np.arange(len(self.values)) * self.step


@dataclass(frozen=True)
class TimeSeries:
    """What a spec brings.

    Args:
        spec: as given.
        variables: in the order of the columns of ``values``.
        stations: with the same step and the same variables; what a station does not
            measure is missing.
        repairs: all that was done to the raw data.
        bad_rows: rows of files that cannot be read.
        rows: all rows of the files, the bad ones included.
    """

    spec: str
    variables: tuple[Variable, ...]
    stations: tuple[StationSeries, ...]
    repairs: tuple[Repair, ...]
    bad_rows: tuple[BadRow, ...]
    rows: int

    @property
    def step(self) -> np.timedelta64:
        """From step to step."""
        return self.stations[0].step

    def as_dict(self) -> dict[str, Any]:
        """What the data hold, for JSON."""
        return {
            "spec": self.spec,
            "rows": self.rows,
            "step_seconds": int(self.step.astype(int)),
            "variables": [vars(variable) for variable in self.variables],
            "stations": [
                {
                    "name": station.name,
                    "start": str(station.start),
                    "end": str(station.times()[-1]),
                    "steps": len(station),
                    "missing": {
                        variable.name: int(count)
                        for variable, count in zip(
                            self.variables,
                            np.isnan(station.values).sum(axis=0),
                            strict=True,
                        )
                    },
                }
                for station in self.stations
            ],
            "repairs": [repair.as_dict() for repair in self.repairs],
            "bad_rows": [vars(row) for row in self.bad_rows],
        }


@dataclass(frozen=True)
class _Reading:
    """How raw tables are to be read."""

    time_column: str | None
    time_zone: str | None
    sentinels: Collection[float]
    rows_as_steps: bool
    max_bad_fraction: float
    needed: Collection[str]


def load_time_series(
    spec: str,
    *,
    time_column: str | None = None,
    station_column: str | None = None,
    time_zone: str | None = None,
    step: str | None = None,
    resample_rules: Mapping[str, Rule] | None = None,
    min_fraction: float = 0.5,
    sentinels: Collection[float] = USUAL_SENTINELS,
    keep_sentinels: bool = False,
    rows_are_steps: bool = False,
    max_bad_fraction: float = 0.05,
    needed: Sequence[str] = (),
) -> TimeSeries:
    """Reads time series and lists every repair.

    Args:
        spec: ``sample`` (hourly) or ``sample:10min``, the embedded generator; ``jena``,
            the public file of 2009 to 2016; or a path to a CSV, TSV, JSON Lines (each
            also .gz), Parquet or npz file, or to a folder with a file for every
            station.
        time_column: otherwise found; see ``time_stamps.find_time_columns``.
        station_column: parts the rows of the files into stations.
        time_zone: of stamps that bring no offset; see ``time_stamps`` for the rules.
        step: such as ``1h``; the data are resampled to it, where it is not their own.
        resample_rules: by column or name; the others are guessed.
        min_fraction: of a coarse step that must be there for it not to be missing.
        sentinels: numbers that stand for missing values.
        keep_sentinels: leaves them as values, as published protocols do.
        rows_are_steps: takes rows as steps whatever their stamps say, as published
            protocols do: no sorting, no merging, gaps unseen.
        max_bad_fraction: of rows left out or overruled, and of text among the values
            of a column, over which the data are refused.
        needed: columns, by header or name, that must not be left out.

    Raises:
        UserError: the data cannot be read or are too bad; one line says why.
    """
    tables: list[RawTable] = read(spec, TIME_SERIES, station_column)
    # Over all stations, since a row that cannot be read does not say its own.
    bad_rows = [row for table in tables for row in table.bad_rows]
    rows = len(bad_rows) + sum(len(table.frame) for table in tables)
    check_bad_fraction(spec, bad_rows, rows, max_bad_fraction)
    reading = _Reading(
        time_column,
        time_zone,
        () if keep_sentinels else sentinels,
        rows_are_steps,
        max_bad_fraction,
        needed,
    )
    logs = [RepairLog(table.station) for table in tables]
    series_and_names = [
        _read_station(table, reading, log)
        for table, log in zip(tables, logs, strict=True)
    ]
    columns = list(
        dict.fromkeys(name for _, names in series_and_names for name in names)
    )
    variables = variables_of(columns, resample_rules)
    stations = []
    for table, log, (series, names) in zip(tables, logs, series_and_names, strict=True):
        values = _in_columns(series.values, names, columns, log)
        stations.append(
            _station(table.station, series, values, variables, step, min_fraction)
        )
    _check_one_step(stations)
    return TimeSeries(
        spec,
        variables,
        tuple(stations),
        tuple(repair for log in logs for repair in log.repairs),
        tuple(bad_rows),
        rows,
    )


def with_columns(series: TimeSeries, columns: Sequence[str]) -> TimeSeries:
    """The series with these variables alone, in this order: those of a trained model.

    Raises:
        UserError: one is not there; the message lists all that are missing.
    """
    numbers = {
        key: number
        for number, variable in enumerate(series.variables)
        for key in (variable.name, variable.column)
    }
    # A header may have its unit lost or written in another way.
    chosen = [
        numbers.get(column, numbers.get(split_unit(column)[0])) for column in columns
    ]
    absent = [
        column for column, number in zip(columns, chosen, strict=True) if number is None
    ]
    if absent:
        raise UserError(
            f"{series.spec}: the model needs the columns {', '.join(absent)}; there "
            f"are {', '.join(variable.column for variable in series.variables)}"
        )
    order = [number for number in chosen if number is not None]
    return replace(
        series,
        variables=tuple(series.variables[number] for number in order),
        stations=tuple(
            replace(station, values=station.values[:, order])
            for station in series.stations
        ),
    )


def _read_station(
    table: RawTable, reading: _Reading, log: RepairLog
) -> tuple[GridSeries, list[str]]:
    """The series and the columns of its values."""
    log.add(RepairKind.UNREADABLE_ROW, "left out", [str(row) for row in table.bad_rows])
    log.add(
        RepairKind.OTHER_SEPARATOR,
        "read with it",
        [show_location((row.file, row.line)) for row in table.rescued],
    )
    if not len(table.frame):
        raise UserError(f"{table.files[0]}: no rows of the station {table.station!r}")
    file = table.files[0]
    time_columns = find_time_columns(table.frame, reading.time_column, file)
    stamps = read_stamps(table.frame, time_columns, reading.time_zone, log, file)
    rest = [name for name in table.frame.columns if name not in time_columns.columns]
    values, names = read_values(
        table,
        rest,
        log,
        needed=_headers(rest, reading.needed),
        sentinels=reading.sentinels,
        max_bad_fraction=reading.max_bad_fraction,
    )
    regular = rows_as_steps if reading.rows_as_steps else to_grid
    series = regular(table, stamps, values, log)
    if series.bad_rows > reading.max_bad_fraction * len(table.frame):
        _refuse(table, log, series.bad_rows, reading.max_bad_fraction)
    return series, names


# Kinds of repair that make a row bad, and what to do about them.
_HINTS = {
    RepairKind.UNREADABLE_TIME: "mend the file",
    RepairKind.FAR_TIME: "mend the file",
    RepairKind.CONTRADICTING_DUPLICATE: (
        "if it holds several stations, name their column by --station-column"
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


def _in_columns(
    values: np.ndarray, names: Sequence[str], columns: Sequence[str], log: RepairLog
) -> np.ndarray:
    """The values in the order of all stations' columns."""
    if list(names) == list(columns):
        return values
    absent = [column for column in columns if column not in names]
    log.add(RepairKind.UNMEASURED_VARIABLE, "missing throughout", absent)
    wide = np.full((len(values), len(columns)), np.nan, np.float32)
    wide[:, [columns.index(name) for name in names]] = values
    return wide


def _station(
    name: str,
    series: GridSeries,
    values: np.ndarray,
    variables: Sequence[Variable],
    step: str | None,
    min_fraction: float,
) -> StationSeries:
    start, seconds, stamps = series.start, series.step, series.stamps
    to_step = seconds if step is None else parse_step(step)
    if to_step != seconds:
        if stamps is not None:
            raise UserError(
                "data.step: rows that are taken as steps cannot be resampled; leave "
                "out data.step or data.rows_are_steps"
            )
        rules = [variable.rule for variable in variables]
        start, values = resample(start, seconds, values, rules, to_step, min_fraction)
    return StationSeries(
        name,
        np.datetime64(start, "s"),
        np.timedelta64(to_step, "s"),
        values,
        None if stamps is None else stamps.astype("datetime64[s]"),
    )


def _check_one_step(stations: Sequence[StationSeries]) -> None:
    steps: dict[np.timedelta64, str] = {}
    for station in stations:
        steps.setdefault(station.step, station.name)
    if len(steps) > 1:
        found = ", ".join(
            f"{pd.Timedelta(step)} at {name}" for step, name in steps.items()
        )
        raise UserError(
            f"the stations have different steps ({found}); name a common one by "
            "data.step"
        )
