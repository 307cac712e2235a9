"""Labels on the command line: the class of each text and how sure it is."""

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
    """Prints label, probability and text, a line each."""
    texts = given_texts(inputs, file, text_column)
    answers = model.predict_texts(texts)
    if as_json:
        print_answers_as_json(texts, answers)
        return
    for text, answer in zip(texts, answers, strict=True):
        print(f"{answer['label']}\t{answer['score']:.4f}\t{on_one_line(text)}")


def demonstrate(model: "ExportedModel", examples: Sequence[str], folder: Path) -> None:
    """Prints the class of each example."""
    answers = model.predict_texts(examples)
    for text, answer in zip(examples, answers, strict=True):
        line = f"{answer['label']:>10} {answer['score']:.3f}  {text}"
        output.print(line, markup=False)
