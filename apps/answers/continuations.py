"""Texts that go on, and blanks that are filled, on the command line."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.texts.text_rows import in_turn

from ..console import output
from .texts import answers_of, print_json, refuse_mixed, text_parts, write_answers

if TYPE_CHECKING:
    from recurra.pipelines.core.exported_model import ExportedModel
    from recurra.pipelines.core.parallel.nodes import Nodes

_FILLINGS = 5


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
    fill: bool | None = None,
    stream: bool | None = None,
    **writing: Any,
) -> None:
    """Writes on behind texts, or those of files, or fills in their blanks.

    With `to` the rows of the files go to a file, each with what follows on its text.
    """
    given = {key: value for key, value in writing.items() if value is not None}
    if fill and (given or stream):
        name = next(iter(given), "stream").replace("_", "-")
        raise UserError(f"--{name}: nothing is written by --fill; leave one out")
    if stream and as_json:
        raise UserError("--json: --stream prints a text as it comes; leave one out")
    refuse_mixed(file, to, resume, workers, as_json)
    if (fill or stream) and (to is not None or workers > 1 or nodes):
        name = "--to" if to is not None else "--cluster" if nodes else "--workers"
        raise UserError(f"{name}: is for what is written on; leave it out")
    if to is not None:
        if file is None:
            raise UserError("--to: answers the texts of a --file; give one")
        write_answers(
            model, file, to, text_column, bool(resume), workers, nodes, **given
        )
        return
    parts = text_parts(model, inputs, file, text_column)
    texts = (text for part in parts for text in part.texts)
    if fill:
        _fill(model, texts, as_json)
    elif stream:
        for text in texts:
            print(text, end="", flush=True)
            for piece in model.write(text, **given):
                print(piece, end="", flush=True)
            print()
    else:
        # One by one, since each takes its time.
        alone = (part for text in texts for part in in_turn([text]))
        answered = (
            (part.texts[0], answers[0])
            for part, answers in answers_of(model, alone, file, workers, nodes, **given)
        )
        if as_json:
            print_json({"text": text, **answer} for text, answer in answered)
            return
        for text, answer in answered:
            print(text + answer["continuation"])


def _fill(model: "ExportedModel", texts: Iterable[str], as_json: bool) -> None:
    filled = ((text, model.fill([text], _FILLINGS)[0]) for text in texts)
    if as_json:
        print_json({"text": text, "blanks": blanks} for text, blanks in filled)
        return
    for _, blanks in filled:
        for number, fillings in enumerate(blanks, 1):
            before = f"{number}\t" if len(blanks) > 1 else ""
            for each in fillings:
                print(f"{before}{each['probability']:.4f}\t{each['filling']}")


def demonstrate(model: "ExportedModel", examples: Sequence[str], folder: Path) -> None:
    """Prints what follows on every example."""
    for text, answer in zip(examples, model.predict_texts(examples), strict=True):
        output.print(text + answer["continuation"], markup=False)
