"""What `recurra data list` and `recurra data show` print."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas
import rich.box
import rich.table
from rich.text import Text

from recurra.pipelines.datasets.labelled_texts import describe_labelled_texts
from recurra.pipelines.datasets.sentence_pairs import SentencePairs, load_sentence_pairs
from recurra.pipelines.datasets.text_description import TextDescription
from recurra.pipelines.datasets.tfds_pairs import PAIR_SPECS
from recurra.pipelines.datasets.tfds_texts import TEXT_SPECS
from recurra.pipelines.datasets.time_series import SERIES_SPECS, load_time_series
from recurra.pipelines.errors import UserError

from .screen import output

BAD_ROWS_SHOWN = 20
PAIRS_SHOWN = 5


def print_data_list() -> None:
    """The specs of data, a line each, by task."""
    table = _table("task", "spec", "what it is", numbers=False)
    by_task = {
        "sentiment": TEXT_SPECS,
        "weather": SERIES_SPECS,
        "translation": PAIR_SPECS,
    }
    for task, specs in by_task.items():
        for spec in specs:
            table.add_row(task, spec.spec, spec.description)
        table.add_section()
    output.print(table)


@dataclasses.dataclass(frozen=True)
class View:
    """How data are shown for a task.

    Attributes:
        show: Prints what a spec brings.
        columns: The options on columns and languages that it takes.
    """

    show: Callable[..., None]
    columns: tuple[str, ...]


def find_view(task: str) -> View:
    """How data are shown for the task. Raises UserError if there is none such."""
    views = {
        "sentiment": View(
            print_description, ("text_column", "label_column", "group_column")
        ),
        "weather": View(print_series, ("time_column", "station_column")),
        "translation": View(print_pairs, ("source", "target")),
    }
    if task not in views:
        raise UserError(f"--task {task}: no such task; there are: {', '.join(views)}")
    return views[task]


def print_series(
    spec: str,
    *,
    as_json: bool,
    time_column: str | None = None,
    station_column: str | None = None,
) -> None:
    """What a spec of time series brings. Raises UserError for wrong data."""
    series = load_time_series(
        spec, time_column=time_column, station_column=station_column
    )
    if as_json:
        print(json.dumps(series.as_dict(), indent=2, ensure_ascii=False))
        return
    output.print(f"{spec}: {series.rows:,} rows", markup=False)
    stations = _table("station", "first step", "last step", "step", "steps", "missing")
    for station in series.stations:
        stations.add_row(
            Text(station.name),
            *(_to_the_minute(time) for time in (station.start, station.times()[-1])),
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
        output.print(f"  {repair}", markup=False, soft_wrap=True)
    _print_bad_rows([vars(row) for row in series.bad_rows])


def print_pairs(
    spec: str, *, as_json: bool, source: str = "en", target: str = "de"
) -> None:
    """What a spec of sentence pairs brings. Raises UserError for wrong data."""
    # As they stand in the data: no split is carved, and bad rows stop nothing.
    pairs = load_sentence_pairs(
        spec,
        source=source,
        target=target,
        validation_share=0.0,
        test_share=0.0,
        max_bad_share=1.0,
    )
    bad_rows = [vars(row) for row in pairs.bad_rows]
    if as_json:
        told = pairs.as_dict() | {"bad_rows": bad_rows}
        del told["first_bad_rows"]
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return
    number = sum(map(len, pairs.splits.values()))
    output.print(f"{spec}: {number:,} pairs from {source} to {target}", markup=False)
    _print_pair_lengths(pairs)
    _print_pair_checks(pairs)
    _print_bad_rows(bad_rows)
    examples = _table(source, target, numbers=False)
    first = next(iter(pairs.splits.values()))
    for sides in zip(
        first.source[:PAIRS_SHOWN], first.target[:PAIRS_SHOWN], strict=True
    ):
        examples.add_row(*map(Text, sides))
    output.print(examples)


def _print_pair_lengths(pairs: SentencePairs) -> None:
    splits = pairs.as_dict()["splits"]
    shares = next(iter(splits.values()))["source_characters"]
    table = _table("split, characters", "pairs", *(f"{share} %" for share in shares))
    for name, split in splits.items():
        for language, side in ((pairs.source, "source"), (pairs.target, "target")):
            lengths = split[f"{side}_characters"].values()
            table.add_row(
                Text(f"{name}, {language}"),
                f"{split['pairs']:,}",
                *(f"{length:,}" for length in lengths),
            )
    output.print(table)


def _print_pair_checks(pairs: SentencePairs) -> None:
    checks = pairs.checks
    table = _table("found", *checks.found)
    for check in next(iter(checks.found.values())):
        table.add_row(check, *(f"{found[check]:,}" for found in checks.found.values()))
    output.print(table)
    for split, examples in checks.examples.items():
        for check, places in examples.items():
            told = f"{split}, {check}: {'; '.join(places)}"
            output.print(told, markup=False, soft_wrap=True)
    for splits, shared in checks.shared.items():
        if shared["sources"]:
            output.print(
                f"{splits}: {shared['pairs']:,} pairs of the second are in the first "
                f"too, {shared['sources']:,} sources",
                markup=False,
            )
    for rule, number in checks.dropped.items():
        if number:
            output.print(f"left out of training, {rule}: {number:,}", markup=False)


def print_description(
    spec: str,
    *,
    as_json: bool,
    text_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
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


def _to_the_minute(time: np.datetime64) -> str:
    return str(time.astype("datetime64[m]")).replace("T", " ")


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
            f"  {row['file']}, line {row['line']}: {row['reason']}",
            markup=False,
            soft_wrap=True,
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
        # Folded where the screen is narrow, so that nothing is cut off.
        side: Any = "right" if numbers and index else "left"
        table.add_column(Text(column), justify=side, overflow="fold")
    return table
