"""What data look like to a pipeline: for JSON, and as tables for people."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # These take time to import.
    import pandas as pd

    from ..cards import ReadingPlan


@dataclasses.dataclass(frozen=True)
class DescriptionTable:
    """A table.

    Attributes:
        columns: Their headings; the first column names the row.
        rows: A cell for each column.
        has_numbers: Whether all columns but the first stand to the right.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    has_numbers: bool = True


@dataclasses.dataclass(frozen=True)
class DataDescription:
    """What `recurra data show` shows.

    Attributes:
        values: All of it, ready for JSON.
        blocks: Lines and tables, from top to bottom.
        plan: How the files are read; shown first.
        bad_rows: A line on each row that cannot be used; shown below the blocks.
        examples: A table shown last, if there is any.
        frame: Makes all rows as the pipeline sees them, for `recurra data write`; None
            where that cannot be.
    """

    values: Mapping[str, Any]
    blocks: Sequence[str | DescriptionTable]
    plan: "ReadingPlan | None" = None
    bad_rows: Sequence[str] = ()
    examples: DescriptionTable | None = None
    frame: Callable[[], "pd.DataFrame"] | None = None
