"""What `recurra data list` and `recurra data show` print."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas
import rich.box
import rich.table
from rich.text import Text

from recurra.pipelines.datasets.labelled_texts import describe_labelled_texts
from recurra.pipelines.datasets.text_description import TextDescription
from recurra.pipelines.datasets.tfds_texts import TEXT_SPECS
from recurra.pipelines.datasets.time_series import SERIES_SPECS, load_time_series

from .screen import output

BAD_ROWS_SHOWN = 20


def print_data_list() -> None:
    """The specs of data, a line each, by task."""
    table = _table("task", "spec", "what it is", numbers=False)
    for task, specs in (("sentiment", TEXT_SPECS), ("weather", SERIES_SPECS)):
        for spec in specs:
            table.add_row(task, spec.spec, spec.description)
        table.add_section()
    output.print(table)


def print_series(spec: str, *, as_json: bool, **columns: str | None) -> None:
    """What a spec of time series brings. Raises UserError for wrong data.

    Args:
        spec: See `load_time_series`.
        as_json: As JSON, not as tables.
        **columns: `time_column` and `station_column`; found if None.
    """
    series = load_time_series(spec, **columns)  # type: ignore[arg-type]
    if as_json:
        print(json.dumps(series.as_dict(), indent=2, ensure_ascii=False))
        return
    output.print(f"{spec}: {series.rows:,} rows", markup=False)
    stations = _table("station", "first step", "last step", "step", "steps", "missing")
    for station in series.stations:
        stations.add_row(
            Text(station.name),
            str(station.start),
            str(station.times()[-1]),
            str(pandas.Timedelta(station.step)).replace("0 days ", ""),
            f"{len(station):,}",
            f"{np.isnan(station.values).mean():.2%}",
        )
    output.print(stations)
    variables = _table("variable", "unit", "resampled by", "missing", "least", "most")
    for number, variable in enumerate(series.variables):
        values = np.concatenate([each.values[:, number] for each in series.stations])
        there = values[np.isfinite(values)]
        extremes = [f"{there.min():g}", f"{there.max():g}"] if len(there) else []
        variables.add_row(
            Text(variable.name),
            Text(variable.unit),
            variable.rule,
            f"{1 - len(there) / len(values):.2%}",
            *extremes,
        )
    output.print(variables)
    output.print(f"repairs: {len(series.repairs):,}")
    for repair in series.repairs:
        output.print(f"  {repair}", markup=False)
    _print_bad_rows([vars(row) for row in series.bad_rows])


def print_description(
    spec: str,
    *,
    text_column: str | None,
    label_column: str | None,
    group_column: str | None,
    as_json: bool,
) -> None:
    """What a spec brings, as tables or as JSON. Raises UserError for wrong data."""
    description = describe_labelled_texts(
        spec,
        text_column=text_column,
        label_column=label_column,
        group_column=group_column,
    )
    if as_json:
        print(json.dumps(description.as_dict(), indent=2, ensure_ascii=False))
        return
    _print_columns(description)
    _print_splits(description)
    _print_lengths(description)
    _print_bad_rows(description.bad_rows)
    _print_examples(description)


def _print_columns(description: TextDescription) -> None:
    output.print(f"{description.spec}: {description.rows:,} rows", markup=False)
    if description.available_columns:
        output.print(
            f"columns: {', '.join(description.available_columns)}", markup=False
        )
    for role, column in description.columns.items():
        if column is not None:
            output.print(f"{role} column: {column}", markup=False)
    if len(description.encodings) > 1:
        lines = (f"{name} {count:,}" for name, count in description.encodings.items())
        output.print(f"lines by encoding: {', '.join(lines)}", markup=False)
    for where, count in description.duplicates.items():
        if count:
            output.print(f"duplicated texts, {where}: {count:,}", markup=False)


def _print_splits(description: TextDescription) -> None:
    table = _table("split", "rows", *description.classes)
    for name, split in description.splits.items():
        balance = (f"{split.class_balance[label]:,}" for label in description.classes)
        table.add_row(name, f"{split.rows:,}", *balance)
    output.print(table)


def _print_lengths(description: TextDescription) -> None:
    first = next(iter(description.splits.values()))
    table = _table("length", *(f"{quantile} %" for quantile in first.tokens))
    for name, split in description.splits.items():
        for unit in ("tokens", "characters"):
            lengths = getattr(split, unit).values()
            table.add_row(f"{name}, {unit}", *(f"{length:,}" for length in lengths))
    output.print(table)


def _print_bad_rows(bad_rows: Sequence[Mapping[str, Any]]) -> None:
    output.print(f"bad rows: {len(bad_rows):,}")
    for row in bad_rows[:BAD_ROWS_SHOWN]:
        output.print(
            f"  {row['file']}, line {row['line']}: {row['reason']}", markup=False
        )
    if len(bad_rows) > BAD_ROWS_SHOWN:
        output.print(
            f"  and {len(bad_rows) - BAD_ROWS_SHOWN:,} more (--json lists all)"
        )


def _print_examples(description: TextDescription) -> None:
    table = _table("label", "example", numbers=False)
    for example in description.examples:
        table.add_row(Text(example["label"]), Text(example["text"]))
    output.print(table)


def _table(*columns: str, numbers: bool = True) -> rich.table.Table:
    table = rich.table.Table(box=rich.box.SIMPLE)
    for index, column in enumerate(columns):
        table.add_column(Text(column), justify="right" if numbers and index else "left")
    return table
