"""What was repaired in raw data: kind, count and first examples of each repair."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

EXAMPLES = 3


@dataclass(frozen=True)
class Repair:
    """One kind of repair at one station.

    Args:
        kind: what was wrong, for example "duplicate" or "sentinel".
        station: the name of the station.
        count: how often.
        action: what was done about it.
        examples: the first places: file and line, or time.
    """

    kind: str
    station: str
    count: int
    action: str
    examples: tuple[str, ...]

    def __str__(self) -> str:
        shown = "; ".join(self.examples)
        more = ", ..." if self.count > len(self.examples) else ""
        return (
            f"{self.station}: {self.count} x {self.kind}: {self.action} ({shown}{more})"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self) | {"examples": list(self.examples)}


class RepairLog:
    """Collects the repairs of one station."""

    def __init__(self, station: str):
        self.station = station
        self._repairs: list[Repair] = []

    def add(
        self, kind: str, action: str, examples: Sequence[str], count: int | None = None
    ) -> None:
        """Notes a repair; of none it notes nothing.

        Args:
            kind: what was wrong.
            action: what was done about it.
            examples: places, of which the first few are kept.
            count: how often, where that is not the number of examples.
        """
        number = len(examples) if count is None else count
        if number:
            kept = tuple(examples[:EXAMPLES])
            self._repairs.append(Repair(kind, self.station, number, action, kept))

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """In the order in which they were made."""
        return tuple(self._repairs)
