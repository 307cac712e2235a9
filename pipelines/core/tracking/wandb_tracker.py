"""Weights & Biases: a run in the project of WANDB_PROJECT, or in `recurra`.

WANDB_MODE=offline keeps it in the run's folder `wandb/`.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import wandb

from ...cards import ModelCard
from ..runs import Run


class WeightsAndBiases:
    """A run of W&B's; exported versions are its artifacts."""

    def __init__(self, run: Run, known: str | None):
        self._run = run
        self._tracked = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "recurra"),
            group=run.task,
            name=run.name,
            id=known,
            resume="allow",
            dir=str(run.path),
            # Leaves the user's own run of this process alone.
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off"),
        )
        self.identity = self._tracked.id

    def configuration(self, values: Mapping[str, Any]) -> None:
        self._tracked.config.update(dict(values), allow_val_change=True)

    def metrics(self, rows: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        for step, values in rows:
            self._tracked.log(dict(values), step=step)

    def results(self, values: Mapping[str, float]) -> None:
        self._tracked.summary.update(dict(values))
        pictures = {
            f"figures/{figure.stem}": wandb.Image(str(figure))
            for figure in self._run.figures
        }
        if self._run.report.is_file():
            pictures["report"] = wandb.Html(str(self._run.report))
        self._tracked.log(pictures)

    def model(self, folder: Path, card: ModelCard) -> None:
        artifact = wandb.Artifact(
            card.name, type="model", metadata=card.model_dump(mode="json")
        )
        artifact.add_dir(str(folder))
        self._tracked.log_artifact(artifact)

    def close(self, status: str) -> None:
        self._tracked.finish(exit_code=0 if status == "finished" else 1)


TRACKER = WeightsAndBiases
