"""Answers to texts on the command line, whatever their kind."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.pipelines.cards import (
    LabelsAnswer,
    LabelSetsAnswer,
    NumberAnswer,
    TextAnswer,
)
from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.texts.text_rows import TextRows, in_turn

from ..console import RowProgress, messages, output

if TYPE_CHECKING:
    from recurra.pipelines.core.exported_model import ExportedModel
    from recurra.pipelines.core.parallel.nodes import Nodes

# The kinds whose answers have a line each on the screen.
_OF_A_LINE = (LabelsAnswer, LabelSetsAnswer, NumberAnswer, TextAnswer)


def predict(
    model: "ExportedModel",
    inputs: Sequence[str],
    file: Path | None,
    as_json: bool,
    text_column: str | None = None,
    to: Path | None = None,
    resume: bool | None = None,
    workers: int = 1,
    nodes: "Nodes | None" = None,
) -> None:
    """Answers texts, or those of files a part at a time, in their order.

    With `to` the rows go to a file, each with its answer. Otherwise an answer a line is
    printed; of a kind that has no line of its own, JSON.
    """
    refuse_mixed(file, to, resume, workers, as_json)
    if file is not None and to is not None:
        write_answers(model, file, to, text_column, bool(resume), workers, nodes)
        return
    parts = text_parts(model, inputs, file, text_column)
    answered = answers_of(model, parts, file, workers, nodes)
    if to is not None:
        from recurra.pipelines.data.files.table_writing import written_answers

        with written_answers(to) as write:
            for part, answers in answered:
                write(part.rows, answers)
        return
    kind = model.answer
    pairs = (
        (text, answer)
        for part, answers in answered
        for text, answer in zip(part.texts, answers, strict=True)
    )
    if as_json or not isinstance(kind, _OF_A_LINE):
        print_json({"text": text, **answer} for text, answer in pairs)
        return
    for text, answer in pairs:
        if isinstance(kind, LabelsAnswer):
            print(f"{answer['label']}\t{answer['score']:.4f}\t{_on_one_line(text)}")
        elif isinstance(kind, LabelSetsAnswer):
            print(f"{_with_probabilities(answer)}\t{_on_one_line(text)}")
        elif isinstance(kind, NumberAnswer):
            print(f"{answer['value']:.4g}\t{_on_one_line(text)}")
        else:
            print(answer[kind.output])


def answers_of(
    model: "ExportedModel",
    parts: Iterator[TextRows],
    file: Path | None,
    workers: int,
    nodes: "Nodes | None",
    **options: Any,
) -> Iterator[tuple[TextRows, list[dict[str, Any]]]]:
    """Each part of the texts with its answers."""
    if file is None:
        # Without pandas, which takes longer than the answer.
        return ((part, model.predict_texts(part.texts, **options)) for part in parts)
    from recurra.pipelines.core.file_prediction import answers_in_order

    return answers_in_order(model, parts, workers, nodes, options)


def refuse_mixed(
    file: Path | None,
    to: Path | None,
    resume: bool | None,
    workers: int,
    as_json: bool,
) -> None:
    """Raises UserError for options that do not go together."""
    if to is not None and as_json:
        raise UserError("--json: with --to a file is written; leave one out")
    if resume and (file is None or to is None):
        raise UserError("--resume: goes on from --file to --to; give both")
    if workers > 1 and file is None:
        raise UserError("--workers: answer the texts of a --file; give one")


def write_answers(
    model: "ExportedModel",
    file: Path,
    to: Path,
    text_column: str | None,
    resume: bool,
    workers: int,
    nodes: "Nodes | None",
    **options: Any,
) -> None:
    """Writes the rows of files with their answers, and shows how far it is."""
    from recurra.pipelines.core.file_prediction import predict_file

    with RowProgress(messages, enabled=messages.is_terminal) as progress:
        predict_file(
            model,
            file,
            to,
            text_column=text_column,
            resume=resume,
            workers=workers,
            nodes=nodes,
            advance=progress.advance,
            **options,
        )


def text_parts(
    model: "ExportedModel",
    inputs: Sequence[str],
    file: Path | None,
    text_column: str | None = None,
) -> Iterator[TextRows]:
    """The texts of the command line, or those of files, a part at a time."""
    if file is None:
        yield from in_turn([_as_utf_8(text) for text in inputs])
        return
    from recurra.pipelines.data.texts.input_texts import TextFiles

    source = TextFiles(file, model.card, text_column)
    # Where answers appear on the same screen, they show how far it is.
    is_shown = messages.is_terminal and not output.is_terminal
    with RowProgress(messages, enabled=is_shown) as progress:
        for part in source.parts():
            yield part
            # The part is answered when the next one is asked for.
            progress.advance(len(part.texts), source.position, source.size)


def demonstrate(model: "ExportedModel", examples: Sequence[str], folder: Path) -> None:
    """Prints every example with its answer."""
    kind = model.answer
    for text, answer in zip(examples, model.predict_texts(examples), strict=True):
        if isinstance(kind, LabelsAnswer):
            line = f"{answer['label']:>10} {answer['score']:.3f}  {text}"
        elif isinstance(kind, LabelSetsAnswer):
            line = f"{_with_probabilities(answer)}  {text}"
        elif isinstance(kind, NumberAnswer):
            line = f"{answer['value']:>10.4g}  {text}"
        elif isinstance(kind, TextAnswer):
            line = f"{text}\n  {answer[kind.output]}"
        else:
            line = f"{text}\n  {answer}"
        output.print(line, markup=False)


def _with_probabilities(answer: Mapping[str, Any]) -> str:
    """The labels that a text gets, each with its probability."""
    probabilities = answer["probabilities"]
    shown = [f"{name} {probabilities[name]:.4f}" for name in answer["labels"]]
    return ", ".join(shown) or "(no label)"


def print_json(rows: Iterable[Mapping[Any, Any]]) -> None:
    """A JSON array, a row a line."""
    before = "["
    for row in rows:
        print(before)
        print(json.dumps(row, ensure_ascii=False), end="")
        before = ","
    print("[\n]" if before == "[" else "\n]")


def _on_one_line(text: str) -> str:
    """The text without line breaks, its middle left out where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:48]} ... {line[-47:]}"


def _as_utf_8(argument: str) -> str:
    """As UTF-8 has it: other bytes come from the system as surrogates."""
    return argument.encode("utf-8", errors="surrogateescape").decode(
        "utf-8", errors="replace"
    )
