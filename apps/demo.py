"""The demonstration: every task on its embedded sample, from data to predictions."""

from pathlib import Path

from recurra.pipelines import train
from recurra.pipelines.core.progress import TrainingProgress
from recurra.pipelines.core.registry import TaskDefinition, definitions
from recurra.pipelines.core.runs import Run, next_free

from .answers.kinds import handler_of
from .console import messages, metrics_table, output


def run_demo(runs: Path, models: Path) -> None:
    """Trains, evaluates, exports and tries every task; says where the reports are.

    Tasks without a recipe called `sample` are left out.

    Args:
        runs: Folder in which a new run directory is made for each task.
        models: Folder in which each model gets its next version.
    """
    for definition in definitions():
        if not (definition.recipes / "sample.yaml").is_file():
            continue
        messages.rule(f"{definition.name} on the embedded sample")
        run = _train(definition, next_free(runs, f"demo-{definition.name}"))
        model = run.export(models, definition.name)
        output.print(metrics_table(run.metrics))
        handler_of(model.answer.kind).demonstrate(model, definition.examples, run.path)
        messages.print(f"Report: {run.report}", markup=False)
        messages.print(f"Model:  {model.folder}", markup=False)


def _train(definition: TaskDefinition, path: Path) -> Run:
    progress = TrainingProgress(messages)
    try:
        return train(definition.name, run=path, recipe="sample", progress=progress)
    finally:
        progress.close()
