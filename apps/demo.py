"""The demonstration: every task on its embedded sample, from data to predictions."""

import logging
from pathlib import Path

from recurra.pipelines import exporting, workflow
from recurra.pipelines.configuration import find_recipe, make_configuration, read_yaml
from recurra.pipelines.runs import Run, next_free

from .forecasting import forecast, write_forecasts
from .predicting import ExportedModel
from .screen import TrainingProgress, messages, metrics_table, output

logger = logging.getLogger("recurra")

SENTENCES = (
    "The food was not bad at all.",
    "I expected a great film and got a dull one.",
    "The room was small, but the staff made it a wonderful stay.",
)

TO_TRANSLATE = (
    "The old king does not sell the black horse.",
    "They say that the sister has bought twenty-seven summer socks.",
    "The tired nephew repairs the kitchen window because the waiter gets up.",
)


def run_demo(runs: Path, models: Path) -> None:
    """Trains, evaluates, exports and tries every task; says where the reports are.

    Args:
        runs: Folder in which a new run directory is made for each task.
        models: Folder in which each model gets its next version.
    """
    for name in workflow.TASK_NAMES:
        messages.rule(f"{name} on the embedded sample")
        run = _train(name, next_free(runs, f"demo-{name}"))
        version = _export(run, models, name)
        output.print(metrics_table(run.read_metrics()))
        PREDICTIONS[name](ExportedModel(version), run)
        messages.print(f"Report: {run.report}", markup=False)
        messages.print(f"Model:  {version}", markup=False)


def _train(name: str, path: Path) -> Run:
    task_class = workflow.find_task(name)
    recipe = find_recipe(task_class.recipes, "sample")
    configuration = make_configuration(
        task_class.configuration_class, [("recipe sample", read_yaml(recipe))]
    )
    progress = TrainingProgress()
    try:
        return workflow.train(task_class, configuration, path, progress=progress)
    finally:
        progress.close()


def _export(run: Run, models: Path, name: str) -> Path:
    logger.info("Exporting")
    task = workflow.open_task(run)
    servable = task.servable(workflow.trained_model(task))
    return exporting.export(servable, models, name)


def _classify_sentences(model: ExportedModel, run: Run) -> None:
    for sentence, answer in zip(SENTENCES, model.classify(SENTENCES), strict=True):
        output.print(
            f"{answer['label']:>10} {answer['score']:.3f}  {sentence}", markup=False
        )


def _forecast_sample(model: ExportedModel, run: Run) -> None:
    _, forecasts = forecast(model, "sample")
    paths = write_forecasts(model.card, forecasts, run.path / "forecast.csv")
    output.print(f"Forecast from the end of the sample: {paths[-1]}", markup=False)


def _translate_sentences(model: ExportedModel, run: Run) -> None:
    for sentence, answer in zip(
        TO_TRANSLATE, model.translate(TO_TRANSLATE), strict=True
    ):
        output.print(f"{sentence}\n  {answer['translation']}", markup=False)


PREDICTIONS = {
    "sentiment": _classify_sentences,
    "weather": _forecast_sample,
    "translation": _translate_sentences,
}
