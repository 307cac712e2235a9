"""The result of an evaluation, and what the report says of it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas

from recurra.pipelines.core.evaluation import EvaluationResult, ReportContent
from recurra.pipelines.data.texts.labelled_texts import LabelledTexts
from recurra.pipelines.reporting.page import Metric

from .data import rows_of
from .metrics import regression_metrics

METRICS = (
    Metric("mae", "MAE", higher_is_better=False),
    Metric("rmse", "RMSE", higher_is_better=False),
    Metric("r2", "R²"),
)


class StarsResult(EvaluationResult):
    """Stars of a split as the model and the baselines predict them, `[N]` by name."""

    def __init__(self, data: LabelledTexts, split: str, answers: Mapping[str, Any]):
        self.data, self.split = data.spec, split
        self._reviews, self._answers = data, answers
        self._texts, self._stars = rows_of(data, split)
        metrics = {
            name: regression_metrics(self._stars, answer)
            for name, answer in answers.items()
        }
        self.model = metrics.pop("model")
        self.baselines = metrics

    def predictions(self) -> pandas.DataFrame:
        predicted = np.asarray(self._answers["model"])
        columns = {"text": self._texts, "stars": self._stars, "predicted": predicted}
        return pandas.DataFrame(columns)

    def report_content(self) -> ReportContent:
        return ReportContent(
            title=f"Stars: {self.data}",
            summary=f"On {len(self._texts):,} reviews ({self.split}) the model is "
            f"{self.model['mae']:.2f} stars off.",
            learning_curves={"loss": "Loss", "mae": "MAE"},
            metrics=METRICS,
            metadata=self._reviews.metadata()["rows"],
            bad_rows=[str(row) for row in self._reviews.bad_rows],
        )
