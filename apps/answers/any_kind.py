"""Answers of a kind that this version does not know: every output as JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
    """Prints every output of the model for each text, as JSON."""
    texts = given_texts(inputs, file, text_column)
    print_answers_as_json(texts, model.predict_texts(texts))


def demonstrate(model: "ExportedModel", examples: Sequence[str], folder: Path) -> None:
    """Prints every example with its answer below."""
    for text, answer in zip(examples, model.predict_texts(examples), strict=True):
        output.print(f"{text}\n  {answer}", markup=False)
