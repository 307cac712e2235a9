"""Pairs of sentences as they stand in the data, and what makes one unusable."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..files.tables import BadRow, Location, Locations, is_missing
from ..reading import PlanBuilder
from .normalised_text import normalise_text
from .stored_texts import TextStore
from .usual_names import SIDE_COLUMNS, SideColumns


@dataclass(frozen=True)
class Sides:
    """The two sides of a pair, as they are asked for.

    Args:
        source, target: the languages.
        pair_columns: names of a column whose values hold both sides: a text for each of
            several languages.
        columns: usual names of the columns of either side.
        plan: takes what is decided of the files: ``source_column``, ``target_column``,
            and how tables are read.
        are_tests: whether files under other names than a split's are test sets, and
            nothing to train on.
    """

    source: str
    target: str
    pair_columns: Sequence[str] = ()
    columns: SideColumns = SIDE_COLUMNS
    plan: PlanBuilder = field(default_factory=PlanBuilder)
    are_tests: bool = False


@dataclass
class PairRows:
    """The usable pairs of one split; all run in step, and are appended to.

    ``locations`` holds the file and the line of each; of Parquet the number of the row,
    of TMX that of the unit, beside the file.
    """

    source: TextStore = field(default_factory=TextStore)
    target: TextStore = field(default_factory=TextStore)
    locations: Locations = field(default_factory=Locations)

    def __len__(self) -> int:
        return len(self.source)


@dataclass
class PairSource:
    """What a spec brings.

    Args:
        splits: pairs by split: ``train``, ``validation`` and names that begin with
            ``test``.
        bad_rows: what cannot be used.
        encodings: lines by the encoding they were decoded with.
    """

    splits: dict[str, PairRows] = field(default_factory=dict)
    bad_rows: list[BadRow] = field(default_factory=list)
    encodings: Counter[str] = field(default_factory=Counter)

    @property
    def number_of_rows(self) -> int:
        """All rows, the bad ones included."""
        return sum(map(len, self.splits.values())) + len(self.bad_rows)


def add_pair(
    rows: PairRows,
    bad_rows: list[BadRow],
    source: Any,
    target: Any,
    location: Location,
) -> None:
    """Adds a pair in its plain form to the usable ones, or to the bad ones."""
    for name, side in (("source", source), ("target", target)):
        fault = _fault(side)
        if fault is not None:
            bad_rows.append(BadRow(*location, f"{name}: {fault}"))
            return
    rows.source.append(normalise_text(source))
    rows.target.append(normalise_text(target))
    rows.locations.append(location)


def _fault(side: Any) -> str | None:
    if is_missing(side):
        return "no text"
    if not isinstance(side, str):
        return f"of type {type(side).__name__}; a string was expected"
    try:
        side.encode("utf-8")
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is no character"
    return None
