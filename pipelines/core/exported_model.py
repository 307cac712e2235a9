"""An exported model, used by Python: raw inputs in, plain answers out.

Neither layers nor training code is needed: all that the model does is in its graph, and
the model card says what its answers are.
"""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ..cards import Answer, ForecastAnswer, TextAnswer, read_card
from .errors import UserError
from .versions import version_folder

ROWS_TOGETHER = 64


def load_model(path: str | Path) -> "ExportedModel":
    """An exported model: the folder of a version, or of a model for its latest one.

    Raises:
        UserError: If there is none, or it cannot be loaded.
        CardError: If it has no model card.
    """
    model = ExportedModel(Path(path))
    model.load()
    return model


class ExportedModel:
    """A version of an exported model.

    Its graph is loaded when it first runs, so that input that cannot be read is refused
    at once.

    Attributes:
        folder: Of the version.
        card: Its model card.

    Args:
        folder: The version's folder, or the model's, whose latest version is taken.

    Raises:
        UserError: No exported model stands there.
        CardError: It has no model card.
    """

    def __init__(self, folder: Path):
        self.folder = version_folder(folder)
        self.card = read_card(self.folder)
        self._loaded: Any = None

    def load(self) -> None:
        """Loads the graph.

        Raises:
            UserError: It cannot be loaded.
        """
        for package in self.card.requires:
            # Makes known to TensorFlow what such a graph is made of.
            importlib.import_module(package)
        try:
            self._loaded = tf.saved_model.load(str(self.folder))
        except (OSError, tf.errors.OpError, ValueError) as error:
            raise UserError(
                f"{self.folder}: the SavedModel cannot be loaded "
                f"({str(error).splitlines()[0]}); export it again"
            ) from error

    @property
    def answer(self) -> Answer:
        """The kind of its answers."""
        return self.card.answer

    def run(self, inputs: Mapping[str, Any], signature: str = "serving_default") -> Any:
        """Runs a signature; inputs and outputs are arrays by name."""
        if self._loaded is None:
            self.load()
        function = self._loaded.signatures[signature]
        _, specs = function.structured_input_signature
        outputs = function(
            **{
                name: tf.constant(value, specs[name].dtype)
                for name, value in inputs.items()
            }
        )
        return {name: output.numpy() for name, output in outputs.items()}

    def predict(self, inputs: Any, **options: Any) -> Any:
        """The answers to raw inputs.

        Args:
            inputs: A sequence of texts; for a model that forecasts, measurements: a
                file, a folder, a spec or a `pandas.DataFrame`.
            **options: For a model that forecasts, how the measurements are read, such
                as `time_column`; those of training by default.

        Returns:
            A dict for each text, as `Answer.decode` of the model's kind says; of
            forecasts a `pandas.DataFrame` with a row for each station, time and
            variable.

        Raises:
            UserError: The inputs cannot be read, or are not what the model takes.
        """
        if isinstance(self.answer, ForecastAnswer):
            from ..data.series.forecasting import forecast, forecast_table

            plan = self.card.reading_plan
            _, forecasts = forecast(self.run, self.answer, inputs, plan, **options)
            return forecast_table(self.answer, forecasts)
        if options:
            raise UserError(f"{self.folder}: a model of texts takes no {min(options)}")
        return self.predict_texts(inputs)

    def predict_texts(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """An answer for each text, in their order."""
        if isinstance(texts, str):
            raise UserError("predict: give a list of texts, not a single one")
        texts = list(texts)
        (name,) = self.card.inputs
        # A graph that answers with texts puts like lengths together by itself.
        together = len(texts) if isinstance(self.answer, TextAnswer) else ROWS_TOGETHER
        answers: list[dict[str, Any]] = [{}] * len(texts)
        # Like lengths together, so that little work goes into padding.
        order = np.argsort([len(text) for text in texts], kind="stable")
        for begin in range(0, len(texts), max(1, together)):
            rows = order[begin : begin + together]
            outputs = self.run({name: [texts[row] for row in rows]})
            for row, answer in zip(rows, self.answer.decode(outputs), strict=True):
                answers[row] = answer
        return answers
