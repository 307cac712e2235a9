"""Answers to texts on the command line, whatever their kind."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.pipelines.cards import LabelsAnswer, NumberAnswer, TextAnswer

from ..console import output

if TYPE_CHECKING:
    from recurra.pipelines.core.exported_model import ExportedModel


def predict(
    model: "ExportedModel",
    inputs: Sequence[str],
    file: Path | None,
    as_json: bool,
    text_column: str | None = None,
) -> None:
    """Prints an answer a line; of a kind that has no line of its own, JSON."""
    texts = [_as_utf_8(text) for text in inputs]
    if file is not None:
        from ..inputs import read_texts

        texts = read_texts(file, text_column)
    answers = model.predict_texts(texts)
    kind = model.answer
    if as_json or not isinstance(kind, LabelsAnswer | NumberAnswer | TextAnswer):
        print_json(
            {"text": text, **answer}
            for text, answer in zip(texts, answers, strict=True)
        )
        return
    for text, answer in zip(texts, answers, strict=True):
        if isinstance(kind, LabelsAnswer):
            print(f"{answer['label']}\t{answer['score']:.4f}\t{_on_one_line(text)}")
        elif isinstance(kind, NumberAnswer):
            print(f"{answer['value']:.4g}\t{_on_one_line(text)}")
        else:
            print(answer[kind.output])


def demonstrate(model: "ExportedModel", examples: Sequence[str], folder: Path) -> None:
    """Prints every example with its answer."""
    kind = model.answer
    for text, answer in zip(examples, model.predict_texts(examples), strict=True):
        if isinstance(kind, LabelsAnswer):
            line = f"{answer['label']:>10} {answer['score']:.3f}  {text}"
        elif isinstance(kind, NumberAnswer):
            line = f"{answer['value']:>10.4g}  {text}"
        elif isinstance(kind, TextAnswer):
            line = f"{text}\n  {answer[kind.output]}"
        else:
            line = f"{text}\n  {answer}"
        output.print(line, markup=False)


def print_json(rows: Iterable[Mapping[Any, Any]]) -> None:
    """A JSON array, a row a line."""
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    print("[\n" + ",\n".join(lines) + "\n]")


def _on_one_line(text: str) -> str:
    """The text without line breaks, its middle left out where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:48]} ... {line[-47:]}"


def _as_utf_8(argument: str) -> str:
    """As UTF-8 has it: other bytes come from the system as surrogates."""
    return argument.encode("utf-8", errors="surrogateescape").decode(
        "utf-8", errors="replace"
    )
