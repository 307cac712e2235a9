"""The reading plan: what a reader takes a user's files for, decided once and kept.

A run writes the plan of its training data, the exported model's card carries it, and
later files are read by it.
"""

from typing import Any

import pydantic


class Finding(pydantic.BaseModel):
    """One decision about the files.

    Attributes:
        key: The field of the section `data` that decides it instead: "time_format".
        value: What was decided, as that field takes it.
        evidence: Why: "480 of 480 values", "given", "as in training".
        alternative: Another reading that the data allow too, and what would choose it;
            empty where there is none.
    """

    model_config = pydantic.ConfigDict(extra="allow", frozen=True)

    key: str
    value: Any
    evidence: str
    alternative: str = ""


class ColumnFinding(pydantic.BaseModel):
    """What a column is taken for.

    Attributes:
        column: Its header, or its number from 1 where there is no header.
        role: "time", "station", "text", "label", "group", "source", "target",
            "variable" or "ignored".
        evidence: Why.
        details: What more is known of it: unit, kind, rule, format, sentinels.
    """

    model_config = pydantic.ConfigDict(extra="allow", frozen=True)

    column: str
    role: str
    evidence: str
    details: dict[str, Any] = {}


class ReadingPlan(pydantic.BaseModel):
    """All decisions about the files of a spec.

    Attributes:
        findings: In the order in which they were made; one for each key.
        columns: In the order of the file.
        warnings: What the data could not settle, each with the key that does.
    """

    model_config = pydantic.ConfigDict(extra="allow", frozen=True)

    findings: list[Finding] = []
    columns: list[ColumnFinding] = []
    warnings: list[str] = []

    def values(self) -> dict[str, Any]:
        """The decided values by key: what later files are read by."""
        return {finding.key: finding.value for finding in self.findings}
