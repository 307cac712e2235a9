"""MLflow: a run of its own, and each export as a version of a registered model.

The server is the one of MLFLOW_TRACKING_URI; the experiment that of
MLFLOW_EXPERIMENT_NAME, or the task's name.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import mlflow
import mlflow.pyfunc
from mlflow.entities import Metric, Param
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import Array

from ...cards import (
    ContinuationAnswer,
    ForecastAnswer,
    LabelsAnswer,
    LabelSetsAnswer,
    ModelCard,
    NumberAnswer,
    TextAnswer,
)
from ..runs import Run, package_versions

_STATUS = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
# MLflow takes so many in a request.
_METRICS_TOGETHER, _PARAMETERS_TOGETHER = 1000, 100


class MLflow:
    """A run of MLflow's, by its client, which leaves other runs of a process alone."""

    def __init__(self, run: Run, known: str | None):
        self._run = run
        self._client = mlflow.MlflowClient()
        self.identity = known or self._created()

    def _created(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or self._run.task
        experiment = self._client.get_experiment_by_name(name)
        number = (
            experiment.experiment_id
            if experiment
            else self._client.create_experiment(name)
        )
        return self._client.create_run(
            number, run_name=self._run.name, tags={"task": self._run.task}
        ).info.run_id

    def configuration(self, values: Mapping[str, Any]) -> None:
        # A run that is resumed with more epochs has a value already, which stays.
        there = self._client.get_run(self.identity).data.params
        new = [Param(k, str(v)) for k, v in values.items() if k not in there]
        for begin in range(0, len(new), _PARAMETERS_TOGETHER):
            part = new[begin : begin + _PARAMETERS_TOGETHER]
            self._client.log_batch(self.identity, params=part)
        self._client.update_run(self.identity, "RUNNING")
        self._client.log_artifact(self.identity, str(self._run.config_file))

    def metrics(self, rows: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        now = int(time.time() * 1000)
        every = [
            Metric(name, value, now, step)
            for step, values in rows
            for name, value in values.items()
        ]
        for begin in range(0, len(every), _METRICS_TOGETHER):
            part = every[begin : begin + _METRICS_TOGETHER]
            self._client.log_batch(self.identity, metrics=part)

    def results(self, values: Mapping[str, float]) -> None:
        self.metrics([(0, values)])
        for figure in self._run.figures:
            self._client.log_artifact(self.identity, str(figure), "figures")
        if self._run.report.is_file():
            self._client.log_artifact(self.identity, str(self._run.report))

    def model(self, folder: Path, card: ModelCard) -> None:
        with mlflow.start_run(run_id=self.identity, nested=True):
            mlflow.pyfunc.log_model(
                name=card.name,
                loader_module=f"{__package__}.mlflow_model",
                data_path=str(folder),
                signature=signature(card),
                pip_requirements=[
                    f"{name}=={version}" for name, version in package_versions().items()
                ],
                registered_model_name=card.name,
            )

    def close(self, status: str) -> None:
        self._client.set_terminated(self.identity, _STATUS[status])


def signature(card: ModelCard) -> ModelSignature | None:
    """What a model of this card takes and gives, in MLflow's words.

    None where a card does not say which column holds the times of a model that
    forecasts.
    """
    answer = card.answer
    if isinstance(answer, ForecastAnswer):
        columns = card.reading_plan.columns if card.reading_plan else []
        times = [each.column for each in columns if each.role == "time"]
        if len(times) != 1:
            return None
        inputs = [
            ColSpec(DataType.datetime, times[0]),
            *(ColSpec(DataType.double, each.column) for each in answer.variables),
        ]
    else:
        (name,) = card.inputs
        inputs = [ColSpec(DataType.string, name)]
    outputs = [ColSpec(kind, name) for name, kind in _outputs(answer)]
    params = None
    if isinstance(answer, ContinuationAnswer):
        params = ParamSchema(
            [
                ParamSpec("length", DataType.long, answer.length),
                ParamSpec("temperature", DataType.double, answer.temperature),
                ParamSpec("top_k", DataType.long, answer.top_k),
                ParamSpec("top_p", DataType.double, answer.top_p),
                ParamSpec("seed", DataType.long, 0),
                ParamSpec("stop", DataType.string, ""),
            ]
        )
    return ModelSignature(Schema(inputs), Schema(outputs) if outputs else None, params)


def _outputs(answer: Any) -> Iterator[tuple[str, Any]]:
    """The columns of what `mlflow_model` answers with."""
    if isinstance(answer, LabelsAnswer):
        yield "label", DataType.string
        yield "score", DataType.double
        for name in answer.classes:
            yield f"probabilities.{name}", DataType.double
    elif isinstance(answer, LabelSetsAnswer):
        yield "labels", Array(DataType.string)
        for name in answer.classes:
            yield f"probabilities.{name}", DataType.double
    elif isinstance(answer, NumberAnswer):
        yield "value", DataType.double
    elif isinstance(answer, TextAnswer):
        yield answer.output, DataType.string
        yield "score", DataType.double
    elif isinstance(answer, ContinuationAnswer):
        yield "continuation", DataType.string
    elif isinstance(answer, ForecastAnswer):
        yield "station", DataType.string
        yield "time", DataType.datetime
        yield "lead_steps", DataType.long
        yield "variable", DataType.string
        yield "unit", DataType.string
        yield "forecast", DataType.double
        for level in answer.quantiles:
            yield f"quantile_{level:g}", DataType.double


TRACKER = MLflow
