"""The part of a report that says what became of the raw data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..datasets.measured_variables import Variable
from ..datasets.repairs import Repair
from ..reporting import Cell, Report, flattened
from .diagnostics import MissingMap
from .figures import draw_missing
from .report_terms import drawn_name, numbered_name, percent

_DRAWN_STATIONS = 4
_LISTED = 50


@dataclass(frozen=True)
class DataRecord:
    """What became of the raw data.

    Attributes:
        variables: All of them, in the order of the missing maps.
        missing: The map of each station.
        repairs: All that were made.
        bad_rows: A line on each row that could not be read.
        windows: By split, the windows that are used.
        left_out: By split, the windows without a target that is there.
    """

    variables: Sequence[Variable]
    missing: Sequence[MissingMap]
    repairs: Sequence[Repair] = ()
    bad_rows: Sequence[str] = ()
    windows: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)


def add_data(report: Report, record: DataRecord, facts: Mapping[str, Any]) -> None:
    """Windows, missing values, repairs, bad rows, and what else is known."""
    report.section("Data")
    if record.windows:
        report.table(
            "Windows by split",
            ["Split", "Used", "Left out, no target there"],
            [
                [name, number, record.left_out.get(name, 0)]
                for name, number in record.windows.items()
            ],
        )
    _add_missing(report, record)
    _add_repairs(report, record)
    if record.bad_rows:
        report.table(
            f"Rows that could not be read: {len(record.bad_rows):,}",
            ["Row"],
            [[line] for line in record.bad_rows[:_LISTED]],
            note=_first_of(len(record.bad_rows)),
        )
    if facts:
        report.key_values("Facts", flattened(facts))


def _add_missing(report: Report, record: DataRecord) -> None:
    if not record.missing:
        return
    names = [drawn_name(each, number) for number, each in enumerate(record.variables)]
    worst = sorted(record.missing, key=lambda each: -each.shares.mean())
    for number, missing in enumerate(worst[:_DRAWN_STATIONS]):
        report.figure(
            f"Missing values: {missing.station}",
            draw_missing(missing, names),
            "The darker, the more is missing; where nothing is, it stays blank. Lines "
            "mark where the splits begin.",
            name=f"missing_{number + 1}",
            description=_describe_missing(missing, record.variables),
        )
    if len(worst) > _DRAWN_STATIONS:
        report.text(
            f"Drawn are the {_DRAWN_STATIONS} stations of {len(worst)} that lack most."
        )
    shares = np.array([each.shares.mean(axis=0) for each in record.missing])
    rows: list[list[object]] = []
    for number, variable in enumerate(record.variables):
        of_stations = shares[:, number]
        note = ""
        if len(of_stations) > 1 and of_stations.max() > 0:
            station = record.missing[int(of_stations.argmax())].station
            note = f"at most {percent(float(of_stations.max()), 2)} at {station}"
        rows.append(
            [
                numbered_name(variable, number),
                Cell(percent(float(of_stations.mean()), 2), note=note),
            ]
        )
    report.table("Share of missing values", ["Variable", "Missing"], rows)


def _add_repairs(report: Report, record: DataRecord) -> None:
    if not record.repairs:
        report.text("Nothing had to be repaired in the raw data.")
        return
    report.table(
        "Repairs of the raw data",
        ["What was found", "Station", "Count", "What was done", "For example"],
        [
            [
                repair.kind,
                repair.station,
                repair.count,
                repair.action,
                "; ".join(repair.examples),
            ]
            for repair in record.repairs[:_LISTED]
        ],
        note=_first_of(len(record.repairs)),
    )


def _first_of(number: int) -> str:
    return f"The first {_LISTED} of {number:,}." if number > _LISTED else ""


def _describe_missing(missing: MissingMap, variables: Sequence[Variable]) -> str:
    means = missing.shares.mean(axis=0)
    splits = ", ".join(
        f"{name} from {np.datetime_as_string(start, 'D')}"
        for name, start in missing.starts.items()
    )
    lacking = [
        f"{variables[number].name} {percent(float(means[number]), 2)}"
        for number in np.argsort(-means, kind="stable")[:5]
        if means[number] > 0
    ]
    told = f"most in {', '.join(lacking)}" if lacking else "nothing"
    return f"Missing values by time and variable: {told}. Splits: {splits}."
