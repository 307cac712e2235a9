"""Texts on the command line: one for each text."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recurra.pipelines.cards import TextAnswer

from ..console import output
from .texts import given_texts, print_answers_as_json

if TYPE_CHECKING:
    from recurra.pipelines.core.exported_model import ExportedModel


def predict(
    model: "ExportedModel",
    inputs: Sequence[str],
    file: Path | None,
    as_json: bool,
    text_column: str | None = None,
) -> None:
    """Prints the answers, a line each."""
    assert isinstance(model.answer, TextAnswer)
    texts = given_texts(inputs, file, text_column)
    answers = model.predict_texts(texts)
    if as_json:
        print_answers_as_json(texts, answers)
        return
    for answer in answers:
        print(answer[model.answer.output])


def demonstrate(model: "ExportedModel", examples: Sequence[str], folder: Path) -> None:
    """Prints every example with its answer below."""
    assert isinstance(model.answer, TextAnswer)
    for text, answer in zip(examples, model.predict_texts(examples), strict=True):
        output.print(f"{text}\n  {answer[model.answer.output]}", markup=False)
