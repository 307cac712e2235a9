"""An exported model as `mlflow.pyfunc` loads and asks it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ...cards import ForecastAnswer
from ..exported_model import ExportedModel, load_model


class _PyfuncModel:
    """A table in, a table out: a row for each text, or the rows of a forecast."""

    def __init__(self, model: ExportedModel):
        self._model = model

    def predict(
        self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        if isinstance(self._model.answer, ForecastAnswer):
            return self._model.predict(model_input)
        (name,) = self._model.card.inputs
        texts = model_input[name].fillna("").astype(str).tolist()
        # Nested values become columns such as `probabilities.good`.
        return pd.json_normalize(self._model.predict(texts, **(params or {})))


def _load_pyfunc(path: str) -> _PyfuncModel:
    """By the name that MLflow calls."""
    return _PyfuncModel(load_model(Path(path)))
