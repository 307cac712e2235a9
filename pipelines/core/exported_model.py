"""An exported model, used by Python: raw inputs in, plain answers out.

Neither layers nor training code is needed: all that the model does is in its graph, and
the model card says what its answers are.
"""

import contextlib
import importlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydantic

from ..cards import (
    BLANK,
    Answer,
    ContinuationAnswer,
    ForecastAnswer,
    TextAnswer,
    read_card,
    unfilled_blank,
)
from .errors import UserError
from .notebook import model_html
from .versions import format_of, version_folder

ROWS_TOGETHER = 64


def load_model(path: str | Path) -> "ExportedModel":
    """An exported model of any format.

    Args:
        path: The folder of a version, or of a model for its latest one; or the file of
            a model of ONNX or LiteRT within its version's folder.

    Raises:
        UserError: If there is none, or it cannot be loaded.
        CardError: If it has no model card.
    """
    model = opened(Path(path))
    model.load()
    return model


def opened(path: Path) -> "ExportedModel":
    """As `load_model`, with its graph left to be loaded when it first runs."""
    if format_of(version_folder(path)) == "savedmodel":
        return ExportedModel(path)
    from .portable import PortableModel

    return PortableModel(path)


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

    def _repr_html_(self) -> str:
        return model_html(self)

    def load(self) -> None:
        """Loads the graph.

        Raises:
            UserError: It cannot be loaded.
        """
        import tensorflow as tf

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
        import tensorflow as tf

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
                as `time_column`; those of training by default. For one that writes on,
                `length`, `temperature`, `top_k`, `top_p`, `seed`, `stop`.

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
        if options and not isinstance(self.answer, ContinuationAnswer):
            raise UserError(f"{self.folder}: a model of texts takes no {min(options)}")
        return self.predict_texts(inputs, **options)

    def predict_file(
        self,
        file: str | Path,
        to: str | Path,
        *,
        resume: bool = False,
        workers: int = 1,
        cluster: str | None = None,
        **options: Any,
    ) -> Path:
        """Writes the answers to what files hold, whole or not at all.

        >>> model.predict_file("reviews/*.csv", "answers.parquet", workers=4)

        Args:
            file: A file, a folder, or a pattern with `*`, `?` and `**`. Texts are read
                a part at a time, so there may be more of them than memory holds.
            to: A new file: CSV, TSV or JSON Lines, each also `.gz`, or Parquet. It has
                the columns of the input and the answers; of a model that forecasts,
                the table that `predict` gives.
            resume: Go on with what was begun and stopped, or killed.
            workers: Processes that answer, each with its part of the cores.
            cluster: The address of a cluster of Ray that these run on, as for `train`.
            **options: As for `predict`; `text_column` for the column of the texts.

        Returns:
            The path of the file.

        Raises:
            UserError: The input cannot be read or the file not be written; or input,
                model or options have changed since it was begun.
        """
        from ..data.files.table_writing import write_table
        from .file_prediction import predict_file
        from .parallel.cluster import connected

        file, to = Path(file), Path(to)
        if workers < 1:
            raise UserError(f"workers: is {workers}; give 1 or more")
        if not isinstance(self.answer, ForecastAnswer):
            with connected(cluster) as nodes:
                predict_file(
                    self,
                    file,
                    to,
                    resume=resume,
                    workers=workers,
                    nodes=nodes,
                    **options,
                )
            return to
        if resume or workers > 1 or cluster is not None:
            raise UserError(
                f"{self.folder}: forecasts are made at once; leave out resume, "
                "workers and cluster"
            )
        write_table(to, self.predict(file, **options))
        return to

    def predict_texts(
        self, texts: Sequence[str], **options: Any
    ) -> list[dict[str, Any]]:
        """An answer for each text, in their order; options as for `predict`."""
        if isinstance(texts, str):
            raise UserError("predict: give a list of texts, not a single one")
        texts = list(texts)
        # A graph that answers with texts puts like lengths together by itself.
        together = len(texts) if isinstance(self.answer, TextAnswer) else ROWS_TOGETHER
        answers: list[dict[str, Any]] = [{}] * len(texts)
        # Like lengths together, so that little work goes into padding.
        order = np.argsort([len(text) for text in texts], kind="stable")
        for begin in range(0, len(texts), max(1, together)):
            rows = order[begin : begin + together]
            outputs = self._asked([texts[row] for row in rows], options)
            for row, answer in zip(rows, self.answer.decode(outputs), strict=True):
                answers[row] = answer
        return answers

    def _asked(self, texts: Sequence[str], options: Mapping[str, Any]) -> Any:
        if isinstance(self.answer, ContinuationAnswer):
            return self.run(self._request(texts, options), "generate")
        return self.run({self._text_input: texts})

    @property
    def _text_input(self) -> str:
        """The input of the default signature that takes texts."""
        (name,) = self.card.inputs
        return name

    def write(self, prompt: str, **options: Any) -> Iterator[str]:
        """What a model writes behind a prompt, as it comes; together as `predict` says.

        Args:
            prompt: The text before it.
            **options: As for `predict`.

        Raises:
            UserError: It is no model that writes, or an option is wrong.
        """
        with _options_explained():
            return self._writer().write(self.run, prompt, **options)

    def fill(
        self, texts: Sequence[str], k: int = 5
    ) -> list[list[list[dict[str, Any]]]]:
        """By text and blank, `____`, the `k` best fillings with their probability.

        Raises:
            UserError: It is no model that fills in, or a text has no blank, or one that
                nothing can fill.
        """
        self._writer()
        for text in texts:
            if BLANK not in text:
                raise UserError(f"{text!r}: has no blank; write {BLANK} for it")
        found = self.run({"text": list(texts), "k": k}, "fill")
        filled = self._writer().decode_fillings(texts, found)
        for text, blanks in zip(texts, filled, strict=True):
            if unfilled := unfilled_blank(blanks):
                raise UserError(f"{text!r}: {unfilled}")
        return filled

    def _request(self, prompts: Sequence[str], options: Mapping[str, Any]) -> Any:
        """The inputs of `generate`."""
        with _options_explained():
            return self._writer().request(prompts, **options)

    def _writer(self) -> ContinuationAnswer:
        if not isinstance(self.answer, ContinuationAnswer):
            raise UserError(f"{self.folder}: is no model that writes")
        return self.answer


@contextlib.contextmanager
def _options_explained() -> Iterator[None]:
    """UserError for options that are none or out of their range."""
    try:
        yield
    except pydantic.ValidationError as error:
        problem = error.errors()[0]
        raise UserError(
            f"{problem['loc'][0]}: {problem['msg']}; received {problem['input']!r}"
        ) from None
