"""The frame of every report: results, what follows from them, training, data."""

from collections.abc import Iterator
from pathlib import Path

import pandas

from ..core.configuration import Config
from ..core.evaluation import EvaluationResult, ReportContent
from .page import Report, Scores, flattened
from .report_training import add_training

_LISTED_BAD_ROWS = 50


def write_report(
    result: EvaluationResult, folder: Path, configuration: Config, history: Path
) -> None:
    """Writes `report.html` and `figures/` into a folder.

    Args:
        result: What the report is about.
        folder: For example a run's.
        configuration: Of the run.
        history: The run's history.csv; where there is none, the section is left out.
    """
    content = result.report_content()
    report = Report(content.title, content.summary)
    if content.metrics:
        report.section("Results")
        report.metrics_table(
            "Model and baselines", content.metrics, list(_scores(result, content))
        )
    for add_section in content.sections:
        add_section(report)
    if history.is_file():
        add_training(report, pandas.read_csv(history), content.learning_curves)
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
    report.section("Configuration")
    report.key_values("", flattened(configuration.model_dump(mode="json")))
    report.write(folder)


def _scores(result: EvaluationResult, content: ReportContent) -> Iterator[Scores]:
    intervals = content.intervals
    yield Scores("This model", result.model, intervals.get("model", {}), is_own=True)
    for name, values in result.baselines.items():
        yield Scores(content.names.get(name, name), values, intervals.get(name, {}))
