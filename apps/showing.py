"""What `recurra data list` and `recurra data show` print."""

import json

import rich.box
import rich.table
from rich.text import Text

from recurra.pipelines.datasets.labelled_texts import describe_labelled_texts
from recurra.pipelines.datasets.text_description import TextDescription
from recurra.pipelines.datasets.tfds_texts import TEXT_SPECS

from .screen import output

BAD_ROWS_SHOWN = 20


def print_data_list() -> None:
    """The specs of data, a line each."""
    table = _table("spec", "what it is", numbers=False)
    for spec in TEXT_SPECS:
        table.add_row(spec.spec, spec.description)
    output.print(table)


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
    _print_bad_rows(description)
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


def _print_bad_rows(description: TextDescription) -> None:
    bad_rows = description.bad_rows
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
