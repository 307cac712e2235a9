"""What `recurra data list` and `recurra data show` print."""

import json
from collections.abc import Iterable

from recurra.pipelines.core.registry import TaskDefinition
from recurra.pipelines.data.description import DataDescription, DescriptionTable

from .console import as_table, output

BAD_ROWS_SHOWN = 20


def print_data_list(definitions: Iterable[TaskDefinition]) -> None:
    """The specs of data, a line each, by task."""
    rows = [
        [definition.name, spec.spec, spec.description]
        for definition in definitions
        for spec in definition.listed_specs()
    ]
    columns = ["task", "spec", "what it is"]
    output.print(as_table(DescriptionTable(columns, rows, has_numbers=False)))


def print_description(description: DataDescription, *, as_json: bool) -> None:
    """What data look like to a pipeline, as tables or as JSON."""
    if as_json:
        print(json.dumps(description.values, indent=2, ensure_ascii=False))
        return
    for block in description.blocks:
        if isinstance(block, str):
            output.print(block, markup=False, soft_wrap=True)
        else:
            output.print(as_table(block))
    bad_rows = description.bad_rows
    output.print(f"bad rows: {len(bad_rows):,}")
    for row in bad_rows[:BAD_ROWS_SHOWN]:
        output.print(f"  {row}", markup=False, soft_wrap=True)
    if len(bad_rows) > BAD_ROWS_SHOWN:
        more = len(bad_rows) - BAD_ROWS_SHOWN
        output.print(f"  and {more:,} more (--json lists all)")
    if description.examples is not None:
        output.print(as_table(description.examples))
