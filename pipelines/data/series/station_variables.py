"""The variables of stations, in the units that are asked for or those of training."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ...core.errors import UserError
from ..large_arrays import present_parts
from ..reading import PlanBuilder
from .measured_variables import Variable, refuse_unknown, variables_of
from .rules import Kind
from .station_reading import ReadStation
from .units import can_convert, conversion, same_unit, without_factor
from .variable_words import kind_of


def station_variables(
    columns: Sequence[str],
    stations: Sequence[ReadStation],
    plan: PlanBuilder,
    kept: Mapping[str, Mapping[str, Any]],
) -> tuple[tuple[Variable, ...], dict[str, str]]:
    """By what is given, by the plan of training, or by words and values.

    Beside them the units that their columns have in the files.
    """
    units, in_file = _converted(stations, columns, plan, kept)
    ranges = value_ranges(
        columns, ((each.columns, each.series.values) for each in stations)
    )
    names = {each.name for each in variables_of(columns)}
    told = {
        detail: {
            name: details[detail]
            for name, details in kept.items()
            if name in names and detail in details
        }
        for detail in ("rule", "kind", "bounds")
    }
    compass: dict[str, Kind] = {
        column: "direction"
        for each in stations
        for column, form in each.formats.items()
        if form.degrees is not None
    }
    variables = variables_of(
        columns,
        told["rule"] | (plan.given("resample") or {}),
        kinds=compass | told["kind"] | (plan.given("kinds") or {}),
        bounds=told["bounds"] | (plan.given("bounds") or {}),
        units=units,
        ranges=ranges,
    )
    return variables, in_file


def value_ranges(
    columns: Sequence[str],
    parts: Iterable[tuple[Sequence[str], np.ndarray]],
) -> dict[str, tuple[float, float]]:
    """Least and largest value of each column that has one, over stations."""
    ranges: dict[str, tuple[float, float]] = {}
    for names, values in parts:
        for column in set(columns) & set(names):
            for each in present_parts(values[:, list(names).index(column)]):
                if len(each):
                    low, high = ranges.get(column, (np.inf, -np.inf))
                    ranges[column] = (
                        min(low, float(each.min())),
                        max(high, float(each.max())),
                    )
    return ranges


def _converted(
    stations: Sequence[ReadStation],
    columns: Sequence[str],
    plan: PlanBuilder,
    kept: Mapping[str, Mapping[str, Any]],
) -> tuple[dict[str, str], dict[str, str]]:
    """Brings the values to the units asked for, or to those of training.

    Returns:
        The unit of each column, and that in the file.
    """
    attached = {
        column: unit for each in stations for column, unit in each.units().items()
    }
    measured = variables_of(columns, units=attached)
    refuse_unknown("data.units", plan.given("units") or (), measured)
    file = stations[0].table.files[0]
    units, in_file = {}, {}
    for variable in measured:
        column = variable.column
        source, unit = _source_and_unit(variable, plan, kept, file)
        units[column], in_file[column] = unit, source
        if not can_convert(source, unit):
            continue
        scale, offset = conversion(source, unit, variable.name)
        if (scale, offset) == (1.0, 0.0):
            continue  # Adding 0 would change -0.
        for station in stations:
            if column in station.columns:
                values = station.series.values[:, station.columns.index(column)]
                values *= scale
                values += offset
    return units, in_file


def _source_and_unit(
    variable: Variable,
    plan: PlanBuilder,
    kept: Mapping[str, Mapping[str, Any]],
    file: str,
) -> tuple[str, str]:
    """The unit in the file, and the one that values come to be in."""
    asked = plan.given("units") or {}
    text = asked.get(variable.column, asked.get(variable.name))
    if text is not None:
        source, _, unit = str(text).rpartition(" to ")
        source = source or variable.unit
        if not source:
            raise UserError(
                f"data.units: {variable.name} has no unit in the file; name both, "
                f"such as 'degF to {unit}'"
            )
        conversion(source, unit, variable.name)
        return source, unit
    trained = kept.get(variable.name, {})
    unit = trained.get("unit") or variable.unit
    if kind_of(variable.name, without_factor(unit)) == "direction":
        unit = without_factor(unit)  # Tens of degrees are no directions yet.
    # What was converted in training is converted again, where the file names no unit.
    source = variable.unit or trained.get("unit_in_file") or unit
    if not can_convert(source, unit):
        if not same_unit(source, unit):
            plan.warn(
                f"{file}: {variable.name} is in {source} here and in {unit} in "
                "training, and is read as it stands; data.units converts known units"
            )
    elif (
        variable.unit
        and trained
        and source != trained.get("unit_in_file")
        and conversion(source, unit, variable.name) != (1.0, 0.0)
    ):
        plan.warn(
            f"{file}: {variable.name} is in {source} here and is converted to {unit}, "
            "the unit in training"
        )
    return source, unit
