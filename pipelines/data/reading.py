"""How readers decide what a user's files hold; see `cards.ReadingPlan`.

What the user gives stands. Otherwise what training found stands, where a later file
fits it; where it does not, the file decides and a line says how it differs. Otherwise
the file decides.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..cards import ColumnFinding, Finding, ReadingPlan

logger = logging.getLogger("recurra")


@dataclass(frozen=True)
class Decision:
    """What a file says about a key.

    Attributes:
        value: As the field of the section `data` takes it.
        evidence: Why, for people.
        alternative: Another reading that the file allows too; empty if there is none.
    """

    value: Any
    evidence: str
    alternative: str = ""


class PlanBuilder:
    """Collects the decisions of the readers of one spec.

    Args:
        given: Values of the section `data` by key, None where the user gave none.
        kept: The plan of training, for a later file.
    """

    def __init__(
        self,
        given: Mapping[str, Any] | None = None,
        kept: ReadingPlan | None = None,
    ):
        self._given = {
            key: value for key, value in (given or {}).items() if value is not None
        }
        self._kept = {} if kept is None else kept.values()
        self._findings: dict[str, Finding] = {}
        self._latest: dict[str, Any] = {}
        self._columns: dict[str, ColumnFinding] = {}
        self._warnings: list[str] = []

    def given(self, key: str) -> Any:
        """What the user gave for the key, or None."""
        return self._given.get(key)

    def kept(self, key: str) -> Any:
        """What training found for the key, or None."""
        return self._kept.get(key)

    def latest(self) -> dict[str, Any]:
        """By key what was decided last: where files are read in turn, of the last one.

        Keys that were given are among these, also before they are decided.
        """
        return self._given | self._latest

    def decide(
        self,
        key: str,
        guess: Callable[[], Decision],
        *,
        fits: Callable[[Any], bool] = lambda value: True,
        file: str = "",
    ) -> Any:
        """The value of a key, by the rules at the top of this file.

        Args:
            key: The field of the section `data`.
            guess: What the file says; asked where nothing else decides.
            fits: Whether the file can be read with the value of training.
            file: The name of the file, for the line on a contradiction.
        """
        if key in self._given:
            return self._note(key, Decision(self._given[key], "given"))
        if key not in self._kept:
            return self._note(key, guess())
        kept = self._kept[key]
        if fits(kept):
            return self._note(key, Decision(kept, "as in training"))
        found = guess()
        self.warn(
            f"{file + ': ' if file else ''}data.{key} is {found.value!r} here "
            f"({found.evidence}) and {kept!r} in training"
        )
        return self._note(key, found)

    def column(self, column: str, role: str, evidence: str, **details: Any) -> None:
        """Notes what a column is taken for; the last word on a column stands."""
        self._columns[column] = ColumnFinding(
            column=column, role=role, evidence=evidence, details=details
        )

    def warn(self, line: str) -> None:
        """Notes and logs, once, what the data cannot settle or contradict."""
        if line not in self._warnings:
            self._warnings.append(line)
            logger.warning("%s", line)

    def plan(self) -> ReadingPlan:
        """All that was decided so far."""
        return ReadingPlan(
            findings=list(self._findings.values()),
            columns=list(self._columns.values()),
            warnings=list(self._warnings),
        )

    def _note(self, key: str, decision: Decision) -> Any:
        self._latest[key] = decision.value
        # Of several files the first decides what later data are read by.
        self._findings.setdefault(
            key,
            Finding(
                key=key,
                value=decision.value,
                evidence=decision.evidence,
                alternative=decision.alternative,
            ),
        )
        return decision.value
