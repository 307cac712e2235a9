"""Regular time series of one or more stations from any spec, with every repair."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ..errors import UserError
from .jena import jena_file
from .measured_values import USUAL_SENTINELS, read_values
from .measured_variables import Rule, Variable, split_unit, variables_of
from .raw_tables import RawTable, read_raw_tables
from .regular_grid import GridSeries, rows_as_steps, to_grid
from .repairs import Repair, RepairLog
from .resampling import parse_step, resample
from .specs import DataSpec
from .tables import BadRow
from .time_stamps import find_time_columns, read_stamps
from .weather_sample import sample_table

SERIES_SPECS = (
    DataSpec("sample", "embedded: three years of one generated station, hourly"),
    DataSpec("sample:10min", "the same every ten minutes"),
    DataSpec("jena", "the public record of Jena, 2009 to 2016, every ten minutes"),
    DataSpec("FILE", "your .csv, .tsv, .jsonl (each also .gz), .parquet or .npz"),
    DataSpec("FOLDER", "your files of one station each"),
)


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
    max_bad_share: float
    needed: Collection[str]


def load_time_series(
    spec: str,
    *,
    time_column: str | None = None,
    station_column: str | None = None,
    time_zone: str | None = None,
    step: str | None = None,
    resample_rules: Mapping[str, Rule] | None = None,
    min_share: float = 0.5,
    sentinels: Collection[float] = USUAL_SENTINELS,
    keep_sentinels: bool = False,
    rows_are_steps: bool = False,
    max_bad_share: float = 0.05,
    needed: Sequence[str] = (),
) -> TimeSeries:
    """Reads, repairs and lists.

    Args:
        spec: ``sample`` (hourly) or ``sample:10min``, the embedded generator; ``jena``,
            the public file of 2009 to 2016; or a path to a CSV, TSV, JSON Lines (each
            also .gz), Parquet or npz file, or to a folder of them, a station each.
        time_column: otherwise found; see ``time_stamps.find_time_columns``.
        station_column: parts the rows of the files into stations.
        time_zone: of stamps that bring no offset; see ``time_stamps`` for the rules.
        step: such as ``1h``; the data are resampled to it, where it is not their own.
        resample_rules: by column or name; the others are guessed.
        min_share: of a coarse step that must be there for it not to be missing.
        sentinels: numbers that stand for missing values.
        keep_sentinels: leaves them as values, as published protocols do.
        rows_are_steps: takes rows as steps whatever their stamps say, as published
            protocols do: no sorting, no merging, gaps unseen.
        max_bad_share: of rows left out or overruled, and of text among the values of a
            column, over which the data are refused.
        needed: columns, by header or name, that must not be left out.

    Raises:
        UserError: the data cannot be read or are too bad; one line says why.
    """
    tables = _tables(spec, station_column)
    _refuse_unreadable(tables, max_bad_share)
    reading = _Reading(
        time_column,
        time_zone,
        () if keep_sentinels else sentinels,
        rows_are_steps,
        max_bad_share,
        needed,
    )
    logs = [RepairLog(table.station) for table in tables]
    read = [
        _read_station(table, reading, log)
        for table, log in zip(tables, logs, strict=True)
    ]
    columns = list(dict.fromkeys(name for _, names in read for name in names))
    variables = variables_of(columns, resample_rules)
    stations = []
    for table, log, (series, names) in zip(tables, logs, read, strict=True):
        values = _in_columns(series.values, names, columns, log)
        stations.append(
            _station(table.station, series, values, variables, step, min_share)
        )
    _check_one_step(stations)
    return TimeSeries(
        spec,
        variables,
        tuple(stations),
        tuple(repair for log in logs for repair in log.repairs),
        tuple(row for table in tables for row in table.bad_rows),
        sum(len(table.frame) + len(table.bad_rows) for table in tables),
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


def _tables(spec: str, station_column: str | None) -> list[RawTable]:
    if spec == "sample" or spec.startswith("sample:"):
        if station_column is not None:
            raise UserError(
                f"{spec} has no column to choose for --station-column "
                f"{station_column}; leave it out"
            )
        return [sample_table(spec.partition(":")[2] or "1h")]
    if spec == "jena":
        return read_raw_tables(str(jena_file()), station_column)
    return read_raw_tables(spec, station_column)


def _read_station(
    table: RawTable, reading: _Reading, log: RepairLog
) -> tuple[GridSeries, list[str]]:
    """The series and the columns of its values."""
    log.add("row that cannot be read", "left out", [str(row) for row in table.bad_rows])
    log.add(
        "row with another separator than the header",
        "read with it",
        [f"{row.file}, line {row.line}" for row in table.rescued],
    )
    if not len(table.frame):
        raise UserError(f"{table.files[0]}: no rows of the station {table.station!r}")
    place = table.files[0]
    time_columns = find_time_columns(table.frame, reading.time_column, place)
    stamps = read_stamps(table.frame, time_columns, reading.time_zone, log, place)
    rest = [name for name in table.frame.columns if name not in time_columns.columns]
    values, names = read_values(
        table,
        rest,
        log,
        needed=_headers(rest, reading.needed),
        sentinels=reading.sentinels,
        max_bad_share=reading.max_bad_share,
    )
    regular = rows_as_steps if reading.rows_as_steps else to_grid
    series = regular(table, stamps, values, log)
    if series.bad_rows > reading.max_bad_share * len(table.frame):
        _refuse(table, log, series.bad_rows, reading.max_bad_share)
    return series, names


def _refuse_unreadable(tables: Sequence[RawTable], max_bad_share: float) -> None:
    """Over all stations, since a row that cannot be read says nothing of its own."""
    bad_rows = [row for table in tables for row in table.bad_rows]
    total = len(bad_rows) + sum(len(table.frame) for table in tables)
    if len(bad_rows) > max_bad_share * total:
        raise UserError(
            f"{len(bad_rows)} of {total} rows cannot be read "
            f"({len(bad_rows) / total:.1%}; at most {max_bad_share:.1%} are put up "
            f"with), the first: {bad_rows[0]}"
        )


_BAD_KINDS = (
    "unreadable time",
    "time far from all others",
    "duplicate time with contradicting values",
    "time beside the grid",
    "time beside the grid, the step being taken",
)


def _refuse(table: RawTable, log: RepairLog, bad: int, max_bad_share: float) -> None:
    total = len(table.frame)
    worst = max(
        (repair for repair in log.repairs if repair.kind in _BAD_KINDS),
        key=lambda repair: repair.count,
    )
    hint = "mend the file"
    if worst.kind.startswith("time beside the grid"):
        hint = "rows a regular step apart were expected"
    if worst.kind == "duplicate time with contradicting values":
        hint = "if it holds several stations, name their column by --station-column"
    raise UserError(
        f"{table.files[0]}: {bad} of {total} rows are bad ({bad / total:.1%}; at most "
        f"{max_bad_share:.1%} are put up with), most of them for this: {worst.kind} "
        f"({worst.examples[0]}); {hint}"
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
    log.add("variable not measured at the station", "missing throughout", absent)
    wide = np.full((len(values), len(columns)), np.nan, np.float32)
    wide[:, [columns.index(name) for name in names]] = values
    return wide


def _station(
    name: str,
    series: GridSeries,
    values: np.ndarray,
    variables: Sequence[Variable],
    step: str | None,
    min_share: float,
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
        start, values = resample(start, seconds, values, rules, to_step, min_share)
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
        each = ", ".join(
            f"{pd.Timedelta(step)} at {name}" for step, name in steps.items()
        )
        raise UserError(
            f"the stations have different steps ({each}); name a common one by "
            "data.step"
        )
