"""What was repaired in raw data: kind, count and first examples of each repair."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

EXAMPLES = 3


class RepairKind(enum.StrEnum):
    """What was wrong, in the words that are shown."""

    UNREADABLE_ROW = "row that cannot be read"
    OTHER_SEPARATOR = "row with another separator than the header"
    ROW_OUT_OF_ORDER = "row out of order"
    UNREADABLE_TIME = "unreadable time"
    OTHER_TIME_FORMAT = "time in another form"
    SKIPPED_TIME = "time that the clock skips"
    FAR_TIME = "time far from all others"
    EQUAL_DUPLICATE = "duplicate time with equal values"
    CONTRADICTING_DUPLICATE = "duplicate time with contradicting values"
    TIME_BESIDE_GRID = "time beside the grid"
    STEP_TAKEN = "time beside the grid, the step being taken"
    CLOCK_SHIFT = "clock shift"
    IRREGULAR_STEP = "irregular step"
    GAP = "gap"
    MISSING_VALUE = "missing value"
    SENTINEL = "sentinel"
    SENTINEL_AMONG_VALUES = "sentinel among other values"
    INFINITE_VALUE = "infinite value"
    DECIMAL_COMMA = "decimal comma"
    GROUPS_OF_DIGITS = "groups of digits"
    ATTACHED_UNIT = "unit behind the number"
    COMPASS_POINT = "point of the compass"
    NO_DIRECTION = "no direction"
    TRACE = "trace of precipitation"
    TEXT_AMONG_NUMBERS = "text among numbers"
    COLUMN_WITHOUT_NUMBERS = "column without numbers"
    EMPTY_COLUMN = "column without a value"
    COUNTER_OF_ROWS = "counter of rows"
    UNMEASURED_VARIABLE = "variable not measured at the station"


@dataclass(frozen=True)
class Repair:
    """One kind of repair at one station.

    Args:
        kind: what was wrong.
        station: the name of the station.
        count: how often.
        action: what was done about it.
        examples: the first locations: file and line, or time.
        detail: what it was wrong with, for example "in T (degC)".
    """

    kind: RepairKind
    station: str
    count: int
    action: str
    examples: tuple[str, ...]
    detail: str = ""

    @property
    def words(self) -> str:
        """The kind with its detail."""
        return f"{self.kind} {self.detail}".rstrip()

    def __str__(self) -> str:
        examples = "; ".join(self.examples)
        if self.count > len(self.examples):
            examples += ", ..."
        return (
            f"{self.station}: {self.count} x {self.words}: {self.action} ({examples})"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "kind": self.words,
            "station": self.station,
            "count": self.count,
            "action": self.action,
            "examples": list(self.examples),
        }


class RepairLog:
    """Collects the repairs of one station."""

    def __init__(self, station: str):
        self.station = station
        self._repairs: list[Repair] = []

    def add(
        self,
        kind: RepairKind,
        action: str,
        examples: Sequence[str],
        count: int | None = None,
        detail: str = "",
    ) -> None:
        """Notes a repair; of none it notes nothing.

        Args:
            kind: what was wrong.
            action: what was done about it.
            examples: locations, of which the first few are kept.
            count: how often, where that is not the number of examples.
            detail: what it was wrong with.
        """
        number = len(examples) if count is None else count
        if number:
            kept = tuple(examples[:EXAMPLES])
            self._repairs.append(
                Repair(kind, self.station, number, action, kept, detail)
            )

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """In the order in which they were made."""
        return tuple(self._repairs)
