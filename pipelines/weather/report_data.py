"""The part of a report that says what became of the raw data."""

import functools
from collections.abc import Sequence

import numpy as np

from ..data.series.measured_variables import Variable
from ..data.series.repairs import Repair
from ..reporting.page import Cell, Report
from .data import WindowDataModule
from .diagnostics import MissingMap, missing_map
from .figures import draw_missing
from .report_terms import drawn_name, numbered_name, percent

_DRAWN_STATIONS = 4
_LISTED_REPAIRS = 50


def add_data(report: Report, data_module: WindowDataModule) -> None:
    """Windows, missing values and repairs."""
    data = data_module.data
    report.table(
        "Windows by split",
        ["Split", "Used", "Left out, no target there"],
        [
            [split, len(data_module.windows_of(split)), left_out]
            for split, left_out in data_module.left_out().items()
        ],
    )
    maps = [
        missing_map(station, spans)
        for station, spans in zip(data.series.stations, data.spans, strict=True)
    ]
    _add_missing(report, data.series.variables, maps)
    _add_repairs(report, data.series.repairs)


def _add_missing(
    report: Report, variables: Sequence[Variable], maps: Sequence[MissingMap]
) -> None:
    names = [drawn_name(each, number) for number, each in enumerate(variables)]
    worst = sorted(maps, key=lambda each: -each.fractions.mean())
    for number, missing in enumerate(worst[:_DRAWN_STATIONS]):
        report.figure(
            f"Missing values: {missing.station}",
            functools.partial(draw_missing, missing, names),
            "The darker, the more is missing; where nothing is, it stays blank. Lines "
            "mark where the splits begin.",
            name=f"missing_{number + 1}",
            description=_describe_missing(missing, variables),
        )
    if len(worst) > _DRAWN_STATIONS:
        report.text(
            f"Drawn are the {_DRAWN_STATIONS} stations of {len(worst)} that lack most."
        )
    fractions = np.array([each.fractions.mean(axis=0) for each in maps])
    rows: list[list[object]] = []
    for number, variable in enumerate(variables):
        of_stations = fractions[:, number]
        note = ""
        if len(of_stations) > 1 and of_stations.max() > 0:
            station = maps[int(of_stations.argmax())].station
            note = f"at most {percent(float(of_stations.max()), 2)} at {station}"
        cell = Cell(percent(float(of_stations.mean()), 2), note=note)
        rows.append([numbered_name(variable, number), cell])
    report.table("Share of missing values", ["Variable", "Missing"], rows)


def _add_repairs(report: Report, repairs: Sequence[Repair]) -> None:
    if not repairs:
        report.text("Nothing had to be repaired in the raw data.")
        return
    report.table(
        "Repairs of the raw data",
        ["What was found", "Station", "Count", "What was done", "For example"],
        [
            [
                repair.words,
                repair.station,
                repair.count,
                repair.action,
                "; ".join(repair.examples),
            ]
            for repair in repairs[:_LISTED_REPAIRS]
        ],
        note=f"The first {_LISTED_REPAIRS} of {len(repairs):,}."
        if len(repairs) > _LISTED_REPAIRS
        else "",
    )


def _describe_missing(missing: MissingMap, variables: Sequence[Variable]) -> str:
    means = missing.fractions.mean(axis=0)
    splits = ", ".join(
        f"{name} from {np.datetime_as_string(start, 'D')}"
        for name, start in missing.starts.items()
    )
    lacking = [
        f"{variables[number].name} {percent(float(means[number]), 2)}"
        for number in np.argsort(-means, kind="stable")[:5]
        if means[number] > 0
    ]
    most = f"most in {', '.join(lacking)}" if lacking else "nothing"
    return f"Missing values by time and variable: {most}. Splits: {splits}."
