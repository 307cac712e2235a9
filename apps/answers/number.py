"""Numbers on the command line: one for each text."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..console import output
from .texts import given_texts, on_one_line, print_answers_as_json

if TYPE_CHECKING:
    from recurra.pipelines.core.exported_model import ExportedModel


def predict(
    model: "ExportedModel",
    inputs: Sequence[str],
    file: Path | None,
    as_json: bool,
    text_column: str | None = None,
) -> None:
    """Prints number and text, a line each."""
    texts = given_texts(inputs, file, text_column)
    answers = model.predict_texts(texts)
    if as_json:
        print_answers_as_json(texts, answers)
        return
    for text, answer in zip(texts, answers, strict=True):
        print(f"{answer['value']:.4g}\t{on_one_line(text)}")


def demonstrate(model: "ExportedModel", examples: Sequence[str], folder: Path) -> None:
    """Prints the number of each example."""
    for text, answer in zip(examples, model.predict_texts(examples), strict=True):
        output.print(f"{answer['value']:>10.4g}  {text}", markup=False)
