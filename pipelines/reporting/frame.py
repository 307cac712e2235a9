"""The frame of every report: results, what follows from them, training, data."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas

from ..core.configuration import Config, flattened
from ..core.evaluation import EvaluationResult, ReportContent
from ..core.optional import failures, optional
from .page import Report, Scores
from .report_training import add_training

_LISTED_BAD_ROWS = 50


def write_report(
    result: EvaluationResult, folder: Path, configuration: Config, history: Path
) -> None:
    """Writes `report.html` and `figures/` into a folder.

    A section that fails ends where it does; what failed is named below all sections.

    Args:
        result: What the report is about.
        folder: For example a run's.
        configuration: Of the run.
        history: The run's history.csv; where there is none, the section is left out.
    """
    content = result.report_content()
    report = Report(content.title, content.summary)
    for add_section in _sections(result, content, history):
        with optional(lambda: f"section {report.heading} of the report"):
            add_section(report)
    report.section("Configuration")
    report.key_values("", flattened(configuration.model_dump(mode="json")))
    if failures():
        report.section("What failed")
        report.key_values("", failures())
    report.write(folder)


def _sections(
    result: EvaluationResult, content: ReportContent, history: Path
) -> Iterator[Callable[[Report], None]]:
    if content.metrics:
        yield lambda report: _add_results(report, result, content)
    yield from content.sections
    if history.is_file():
        curves = content.learning_curves
        yield lambda report: add_training(report, pandas.read_csv(history), curves)
    yield lambda report: _add_data(report, content)


def _add_results(
    report: Report, result: EvaluationResult, content: ReportContent
) -> None:
    report.section("Results")
    scores = list(_scores(result, content))
    report.metrics_table("Model and baselines", content.metrics, scores)


def _add_data(report: Report, content: ReportContent) -> None:
    report.section("Data")
    if content.add_data:
        content.add_data(report)
    if content.metadata:
        report.key_values("", flattened(content.metadata))
    number = len(content.bad_rows)
    if number:
        report.table(
            f"Rows that could not be used: {number:,}",
            ["Row"],
            [[row] for row in content.bad_rows[:_LISTED_BAD_ROWS]],
            note=f"The first {_LISTED_BAD_ROWS} of them."
            if number > _LISTED_BAD_ROWS
            else "",
        )


def _scores(result: EvaluationResult, content: ReportContent) -> Iterator[Scores]:
    intervals = content.intervals
    yield Scores("This model", result.model, intervals.get("model", {}), is_own=True)
    for name, values in result.baselines.items():
        yield Scores(content.names.get(name, name), values, intervals.get(name, {}))
