"""TensorBoard: event files in the run's folder `tensorboard/`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# What tf.summary writes by.
import tensorboard  # noqa: F401
import tensorflow as tf

from ...cards import ModelCard
from ..runs import Run


class TensorBoard:
    """Scalars, figures, and texts on configuration, report and model.

    To look at them: `tensorboard --logdir RUNS`.
    """

    def __init__(self, run: Run, known: str | None):
        self._run = run
        self.identity = "tensorboard"
        self._writer = tf.summary.create_file_writer(str(run.path / self.identity))

    def configuration(self, values: Mapping[str, Any]) -> None:
        self._text("configuration", _table(values))

    def metrics(self, rows: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        with self._writer.as_default():
            for step, values in rows:
                for name, value in values.items():
                    tf.summary.scalar(name, value, step)

    def results(self, values: Mapping[str, float]) -> None:
        self.metrics([(0, values)])
        with self._writer.as_default(step=0):
            for figure in self._run.figures:
                picture = tf.io.decode_png(figure.read_bytes(), channels=3)
                tf.summary.image(figure.stem, picture[tf.newaxis])
        self._text("report", f"{self._run.report.resolve()}\n\n{_table(values)}")

    def model(self, folder: Path, card: ModelCard) -> None:
        self._text(f"model/{card.name}/{card.version}", str(folder.resolve()))

    def close(self, status: str) -> None:
        self._writer.close()

    def _text(self, name: str, text: str) -> None:
        with self._writer.as_default(step=0):
            tf.summary.text(name, text)


def _table(values: Mapping[str, Any]) -> str:
    rows = [f"| {name} | {value} |" for name, value in values.items()]
    return "\n".join(["| | |", "|---|---|", *rows])


TRACKER = TensorBoard
