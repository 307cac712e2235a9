"""What `recurra data list` and `recurra data show` print."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.pipelines.cards import ReadingPlan
from recurra.pipelines.core.errors import UserError
from recurra.pipelines.core.registry import TaskDefinition
from recurra.pipelines.data.description import DataDescription, DescriptionTable

from .console import as_table, output

if TYPE_CHECKING:
    import pandas as pd

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


def print_description(
    description: DataDescription, *, as_json: bool, rows: int = 0
) -> None:
    """What data look like to a pipeline, as tables or as JSON.

    Args:
        description: Of the data.
        as_json: Whether it is printed for a program.
        rows: So many of the first rows are printed too.

    Raises:
        UserError: There are no rows to print.
    """
    first = frame_of(description).head(rows) if rows else None
    plan = description.plan
    if as_json:
        values = dict(description.values)
        if plan is not None:
            values["plan"] = plan.model_dump(mode="json")
        if first is not None:
            values["first_rows"] = json.loads(
                first.to_json(orient="records", date_format="iso", date_unit="s")
            )
        print(json.dumps(values, indent=2, ensure_ascii=False))
        return
    for block in (*_plan_blocks(plan), *description.blocks):
        _print(block)
    bad_rows = description.bad_rows
    output.print(f"bad rows: {len(bad_rows):,}")
    for row in bad_rows[:BAD_ROWS_SHOWN]:
        output.print(f"  {row}", markup=False, soft_wrap=True)
    if len(bad_rows) > BAD_ROWS_SHOWN:
        more = len(bad_rows) - BAD_ROWS_SHOWN
        output.print(f"  and {more:,} more (--json lists all)")
    if description.examples is not None:
        _print(description.examples)
    if first is not None:
        cells = first.astype("string").fillna("").to_numpy().tolist()
        _print(DescriptionTable(list(map(str, first.columns)), cells))


def write_rows(description: DataDescription, to: Path) -> None:
    """Writes all rows as the pipeline sees them.

    Raises:
        UserError: There are none, or the file is not written, as `write_table` says.
    """
    from recurra.pipelines.data.files.table_writing import write_table

    write_table(to, frame_of(description))


def frame_of(description: DataDescription) -> "pd.DataFrame":
    """All rows as the pipeline sees them. Raises UserError where there are none."""
    if description.frame is None:
        raise UserError("the rows of such data cannot be shown; leave --rows out")
    return description.frame()


def _plan_blocks(plan: ReadingPlan | None) -> Iterator[str | DescriptionTable]:
    """How files are read: columns, decisions, and what the data do not settle."""
    if plan is None:
        return
    if plan.columns:
        yield DescriptionTable(
            ["column", "taken for", "as", "since"],
            [
                [each.column, each.role, _details(each.details), each.evidence]
                for each in plan.columns
            ],
            has_numbers=False,
        )
    if plan.findings:
        yield DescriptionTable(
            ["data.", "is", "since", "or else"],
            [
                [each.key, _value(each.value), each.evidence, each.alternative]
                for each in plan.findings
            ],
            has_numbers=False,
        )
    yield from (f"warning: {line}" for line in plan.warnings)


def _details(details: Mapping[str, Any]) -> str:
    """The details that say something, by name."""
    return ", ".join(
        f"{name} {_value(value)}"
        for name, value in details.items()
        if value not in ("", None, [None, None])
    )


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value, ensure_ascii=False)


def _print(block: str | DescriptionTable) -> None:
    if isinstance(block, str):
        output.print(block, markup=False, soft_wrap=True)
    else:
        output.print(as_table(block))
