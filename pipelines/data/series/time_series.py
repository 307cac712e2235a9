"""Regular time series of one or more stations from any spec, with every repair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ...cards import ColumnFinding, Finding, ReadingPlan
from ...core.errors import UserError
from ..files.tables import BadRow
from ..large_arrays import large_array, slices
from ..reading import Decision, PlanBuilder
from ..sources import TIME_SERIES, read
from ..splits import check_bad_fraction
from .column_findings import note_variables, warn_of_ranges
from .measured_variables import Bounds, Variable, split_unit
from .raw_tables import RawTable
from .regular_grid import GridSeries
from .repairs import Repair, RepairKind, RepairLog
from .resampling import resampled
from .rules import USUAL_SENTINELS, Kind, Rule, Sentinels
from .station_reading import StationReading, read_stations
from .station_variables import station_variables, value_ranges
from .stations import stations_of
from .steps import Step, parse_step

# What later files have no say in.
_FIXED = ("min_fraction", "keep_sentinels", "rows_are_steps", "max_bad_fraction")
# Sentinels that nobody gave.
_UNDECLARED = (list(USUAL_SENTINELS), USUAL_SENTINELS)
# What data.json holds of a variable; the rest stands in the reading plan.
_DESCRIBED = ("column", "name", "unit", "rule")


@dataclass(frozen=True)
class StationSeries:
    """The regular series of one station.

    Args:
        name: of the station.
        start: the time of the first step, ``datetime64[s]``: in UTC where offsets or a
            time zone say so, otherwise by the clock of the station.
        step: from step to step, ``timedelta64[s]``; of a step of the calendar the mean.
        values: ``float32[steps, variables]``, NaN where missing; ``float64`` where
            float32 would lose the steps of a counter.
        stamps: ``datetime64[s][steps]`` of a step of the calendar, and where rows were
            taken as steps whatever their stamps say; otherwise None.
        calendar_step: where steps are months, quarters, years or business days.
    """

    name: str
    start: np.datetime64
    step: np.timedelta64
    values: np.ndarray
    stamps: np.ndarray | None = None
    calendar_step: Step | None = None

    def __len__(self) -> int:
        return len(self.values)

    def times(self, begin: int = 0, end: int | None = None) -> np.ndarray:
        """The time of each step from one to before another, ``datetime64[s]``."""
        end = len(self) if end is None else end
        if self.stamps is not None:
            return self.stamps[begin:end]
        return self.start + np.arange(begin, end) * self.step

    def time(self, step: int) -> np.datetime64:
        """The time of a step."""
        return self.times(step, step + 1)[0]

    def steps_before(self, time: np.datetime64) -> int:
        """The steps before a time; of a regular series also of times outside of it."""
        if self.stamps is not None:
            return int(np.searchsorted(self.stamps, time))
        return -int((self.start - time) // self.step)

    @property
    def end(self) -> np.datetime64:
        """The time of the last step."""
        return self.time(len(self) - 1)


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
        reading_plan: how the files were read.
    """

    spec: str
    variables: tuple[Variable, ...]
    stations: tuple[StationSeries, ...]
    repairs: tuple[Repair, ...]
    bad_rows: tuple[BadRow, ...]
    rows: int
    reading_plan: ReadingPlan = ReadingPlan()

    @property
    def step(self) -> np.timedelta64:
        """From step to step; of a step of the calendar the mean."""
        return self.stations[0].step

    def frame(self) -> pd.DataFrame:
        """A row for each station and step: station, time, and the variables."""
        columns = [variable.column for variable in self.variables]
        return pd.concat(
            [
                pd.DataFrame(station.values, columns=columns).assign(
                    station=station.name, time=station.times()
                )
                for station in self.stations
            ],
            ignore_index=True,
        )[["station", "time", *columns]]

    @property
    def calendar_step(self) -> str:
        """The code of a step of the calendar; empty where steps are equally long."""
        step = self.stations[0].calendar_step
        return "" if step is None else step.code

    def as_dict(self) -> dict[str, Any]:
        """What the data hold, for JSON."""
        return {
            "spec": self.spec,
            "rows": self.rows,
            "step_seconds": int(self.step.astype(int)),
            "variables": [
                {key: getattr(variable, key) for key in _DESCRIBED}
                for variable in self.variables
            ],
            "stations": [
                {
                    "name": station.name,
                    "start": str(station.start),
                    "end": str(station.end),
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


def load_time_series(
    spec: str,
    *,
    time_column: str | None = None,
    station_column: str | None = None,
    variable_column: str | None = None,
    join_files: bool | None = None,
    time_zone: str | None = None,
    step: str | None = None,
    resample_rules: Mapping[str, Rule] | None = None,
    kinds: Mapping[str, Kind] | None = None,
    bounds: Mapping[str, Bounds] | None = None,
    units: Mapping[str, str] | None = None,
    missing_words: Sequence[str] | None = None,
    decimal: str | Mapping[str, str] | None = None,
    min_fraction: float = 0.5,
    sentinels: Sentinels = USUAL_SENTINELS,
    keep_sentinels: bool = False,
    rows_are_steps: bool = False,
    max_bad_fraction: float = 0.05,
    needed: Sequence[str] = (),
    kept: ReadingPlan | None = None,
    **further: Any,
) -> TimeSeries:
    """Reads time series, and lists every decision and every repair.

    Args:
        spec: ``sample`` (hourly) or ``sample:10min``, the embedded generator; ``jena``,
            the public file of 2009 to 2016; or a path to a table (see
            ``files.tables.read_table``) or npz file, or to a folder with a file for
            every station.
        time_column: otherwise found; see ``time_stamps.find_time_columns``.
        station_column: parts the rows of the files into stations.
        variable_column: names the variable of each row, in a long form.
        join_files: whether files of equal columns are of one station, each of another
            time; found by dates in their names.
        time_zone: of stamps that bring no offset; see ``time_stamps`` for the rules.
        step: such as ``1h``; the data are resampled to it, where it is not their own.
        resample_rules: by column or name, as are the next three; what is left out is
            guessed.
        kinds: what variables are.
        bounds: least and largest possible value.
        units: to convert values to: "degC", or "degF to degC" where the file names
            no unit.
        missing_words: for missing values, beside the usual ones.
        decimal: the decimal mark of values that do not tell it, for all or by column.
        min_fraction: of a coarse step that must be there for it not to be missing.
        sentinels: numbers that stand for missing values, for all or by column.
        keep_sentinels: leaves them as values, as published protocols do.
        rows_are_steps: takes rows as steps whatever their stamps say, as published
            protocols do: no sorting, no merging, gaps unseen.
        max_bad_fraction: of rows left out or overruled, and of text among the values
            of a column, over which the data are refused.
        needed: columns, by header or name, that must not be left out.
        kept: the plan of training, for a later file: it stands where nothing is given
            and the file fits it.
        **further: how tables and stamps are read, by the keys of `TableConfig`, and
            ``time_format``.

    Raises:
        UserError: the data cannot be read or are too bad; one line says why.
    """
    given = {
        "time_column": time_column,
        "station_column": station_column,
        "variable_column": variable_column,
        "join_files": join_files,
        "time_zone": time_zone,
        "kinds": kinds or None,
        "bounds": bounds or None,
        "units": units or None,
        "resample": resample_rules or None,
        "missing_words": missing_words or None,
        "decimal": decimal,
        "sentinels": None if sentinels in _UNDECLARED else sentinels,
        **further,
    }
    plan = PlanBuilder(given, kept)
    files: list[RawTable] = read(spec, TIME_SERIES, plan)
    tables = stations_of(files, plan)
    # Over all stations, since a row that cannot be read does not say its own.
    bad_rows = [row for table in tables for row in table.bad_rows]
    rows = len(bad_rows) + sum(len(table.frame) for table in tables)
    check_bad_fraction(spec, bad_rows, rows, max_bad_fraction)
    reading = StationReading(
        keep_sentinels,
        rows_are_steps,
        max_bad_fraction,
        needed,
        None if step is None else parse_step(step),
        plan,
    )
    found = read_stations(tables, reading)
    columns = list(dict.fromkeys(name for each in found for name in each.columns))
    details = _kept_details(kept)
    variables, in_file = station_variables(columns, found, plan, details)
    stations = []
    for station in found:
        values = _in_columns(
            station.series.values, station.columns, columns, station.log
        )
        stations.append(
            _station(
                station.table.station,
                station.series,
                values,
                variables,
                reading.step,
                min_fraction,
            )
        )
    _check_one_step(stations)
    ranges = value_ranges(columns, ((columns, each.values) for each in stations))
    note_variables(variables, ranges, in_file, plan)
    warn_of_ranges(spec, variables, stations, ranges, details, plan)
    plan.decide(
        "step",
        lambda: Decision(
            (stations[0].calendar_step or Step(int(stations[0].step.astype(int)))).code,
            "most rows" if step is None else "given",
        ),
    )
    return TimeSeries(
        spec,
        variables,
        tuple(stations),
        tuple(repair for each in found for repair in each.log.repairs),
        tuple(bad_rows),
        rows,
        plan.plan(),
    )


def _kept_details(kept: ReadingPlan | None) -> dict[str, dict[str, Any]]:
    """By name, what the plan of training says of the variables."""
    return {
        found.details["name"]: found.details
        for found in (() if kept is None else kept.columns)
        if found.role == "variable" and "name" in found.details
    }


def reading_later(
    reading: Mapping[str, Any],
    variables: Sequence[Any],
    step: str,
    kept: ReadingPlan | None,
    given: Mapping[str, Any],
) -> dict[str, Any]:
    """Arguments of `load_time_series` by which a later file is read as in training.

    The plan of training decides, with what was given for training where that is not in
    it; a file that does not fit it is read by itself, and a line says so.

    Args:
        reading: the arguments in training.
        variables: of the model, with name, column, unit and rule.
        step: of the model.
        kept: the plan of training; None where none was written.
        given: arguments that are other than in training.
    """
    fixed = {key: value for key, value in reading.items() if key in _FIXED}
    plan = ReadingPlan() if kept is None else kept
    settled = [
        Finding(key=key, value=value, evidence="given in training")
        for key, value in reading.items()
        if key not in _FIXED
        and key not in plan.values()
        and value not in (None, [], {})
    ]
    columns = plan.columns or [
        ColumnFinding(
            column=each.column,
            role="variable",
            evidence="of the model",
            details={"name": each.name, "unit": each.unit, "rule": each.rule},
        )
        for each in variables
    ]
    told = {key: value for key, value in given.items() if value is not None}
    later = {"findings": [*plan.findings, *settled], "columns": columns}
    return {
        **fixed,
        **told,
        "step": None if reading.get("rows_are_steps") else step,
        "needed": [each.column for each in variables],
        "kept": plan.model_copy(update=later),
    }


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
            replace(station, values=chosen_columns(station.values, order))
            for station in series.stations
        ),
    )


def chosen_columns(values: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """A copy of these columns; the array itself where they are all, in order."""
    if list(order) == list(range(values.shape[1])):
        return values
    chosen = large_array((len(values), len(order)), values.dtype)
    for part in slices(len(values)):
        chosen[part] = values[part, order]
    return chosen


def with_stations(series: TimeSeries, names: Sequence[str]) -> TimeSeries:
    """The series of some stations, with the variables that these measure.

    Raises:
        UserError: there is no such station.
    """
    by_name = {station.name: station for station in series.stations}
    for name in names:
        if name not in by_name:
            raise UserError(
                f"{series.spec}: has no station {name!r}; there are "
                f"{', '.join(by_name)}"
            )
    series = replace(series, stations=tuple(by_name[name] for name in names))
    are_measured = np.any(
        [np.isfinite(station.values).any(axis=0) for station in series.stations], axis=0
    )
    return with_columns(
        series,
        [
            variable.column
            for variable, is_measured in zip(
                series.variables, are_measured, strict=True
            )
            if is_measured
        ],
    )


def _in_columns(
    values: np.ndarray, names: Sequence[str], columns: Sequence[str], log: RepairLog
) -> np.ndarray:
    """The values in the order of all stations' columns."""
    if list(names) == list(columns):
        return values
    absent = [column for column in columns if column not in names]
    log.add(RepairKind.UNMEASURED_VARIABLE, "missing throughout", absent)
    wide = np.full((len(values), len(columns)), np.nan, values.dtype)
    wide[:, [columns.index(name) for name in names]] = values
    return wide


def _station(
    name: str,
    series: GridSeries,
    values: np.ndarray,
    variables: Sequence[Variable],
    step: Step | None,
    min_fraction: float,
) -> StationSeries:
    series = replace(series, values=values)
    if step is not None:
        rules = [variable.rule for variable in variables]
        series = resampled(series, step, rules, min_fraction)
    stamps = series.stamps
    return StationSeries(
        name,
        np.datetime64(series.start, "s"),
        np.timedelta64(series.step.seconds, "s"),
        series.values.astype(values.dtype, copy=False),
        None if stamps is None else stamps.astype("datetime64[s]"),
        series.step if series.step.is_calendar else None,
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
