"""What an evaluation gives: metrics at once, all else when it is asked for."""

import abc
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas

from ..data.description import DescriptionTable
from .files import written_whole

if TYPE_CHECKING:
    from ..reporting.page import Metric, Report


@dataclasses.dataclass(frozen=True)
class ReportContent:
    """What a task puts into the frame that every report has.

    Attributes:
        title: Of the page.
        summary: What a reader in a hurry should know.
        learning_curves: Heading by column of the history.
        metrics: The columns of the table of results; without any there is no table,
            and a section of the task's own has the results.
        names: For people, of the baselines.
        intervals: By system, "model" and the baselines, (lower, upper) by metric.
        sections: Add what follows from the results, in this order.
        add_data: Adds to the section on data what is particular to them.
        metadata: What else there is to say of the data, by a name for people or nested.
        bad_rows: A line on each row that could not be read.
    """

    title: str
    summary: str
    learning_curves: Mapping[str, str]
    metrics: Sequence["Metric"] = ()
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    intervals: Mapping[str, Mapping[str, tuple[float, float]]] = dataclasses.field(
        default_factory=dict
    )
    sections: Sequence[Callable[["Report"], None]] = ()
    add_data: Callable[["Report"], None] | None = None
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    bad_rows: Sequence[str] = ()


class EvaluationResult(abc.ABC):
    """How the model and its baselines did on one split.

    Attributes:
        data: The spec of the data.
        split: The name of the split.
        model: Metric by name.
        baselines: The same metrics of each baseline.
        remarks: What is to be known of them: `failed`, by name the reason why a
            baseline or part of the report is left out; `unfinished`, by name of
            a run whose training has not ended, the `epoch` that was taken, of `epochs`.
    """

    data: str
    split: str
    model: Mapping[str, float]
    baselines: Mapping[str, Mapping[str, float]]

    @functools.cached_property
    def remarks(self) -> dict[str, Any]:
        return {}

    def details(self) -> Mapping[str, Any]:
        """Intervals, curves and tables, ready for JSON."""
        return {}

    @abc.abstractmethod
    def predictions(self) -> pandas.DataFrame:
        """A row for each row of the split."""

    @abc.abstractmethod
    def report_content(self) -> ReportContent:
        """What a report on this evaluation says."""

    def further_tables(self) -> Mapping[str, DescriptionTable]:
        """By title, what the command line shows below the table of metrics."""
        return {}

    def as_json(self, task: str) -> dict[str, Any]:
        """The one form that metrics.json and `evaluate --json` have."""
        return {
            "task": task,
            "data": self.data,
            "split": self.split,
            **self.metrics(),
            **self.details(),
            **self.remarks,
        }

    def metrics(self) -> dict[str, Any]:
        """The metrics alone: of the model, and of each baseline by name."""
        return {
            "model": dict(self.model),
            "baselines": {name: dict(row) for name, row in self.baselines.items()},
        }

    def write_predictions(self, path: Path) -> None:
        """Writes them as CSV, whole or not at all."""
        with written_whole(path) as partial:
            self.predictions().to_csv(partial, index=False)


@dataclasses.dataclass(frozen=True)
class RowScores:
    """What a model says of the answers that stand in the data, a row for each."""

    scores: pandas.DataFrame
