"""Texts that go on, and blanks that are filled, on the command line."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.pipelines.core.errors import UserError

from ..console import output
from .texts import print_json, text_parts

if TYPE_CHECKING:
    from recurra.pipelines.core.exported_model import ExportedModel

_FILLINGS = 5


def predict(
    model: "ExportedModel",
    inputs: Sequence[str],
    file: Path | None,
    as_json: bool,
    text_column: str | None = None,
    fill: bool | None = None,
    stream: bool | None = None,
    **writing: Any,
) -> None:
    """Writes on behind texts, or those of a file, or fills in their blanks."""
    given = {key: value for key, value in writing.items() if value is not None}
    if fill and (given or stream):
        name = next(iter(given), "stream").replace("_", "-")
        raise UserError(f"--{name}: nothing is written by --fill; leave one out")
    if stream and as_json:
        raise UserError("--json: --stream prints a text as it comes; leave one out")
    texts = (
        text
        for part in text_parts(model, inputs, file, text_column)
        for text in part.texts
    )
    if fill:
        _fill(model, texts, as_json)
    elif stream:
        for text in texts:
            print(text, end="", flush=True)
            for piece in model.write(text, **given):
                print(piece, end="", flush=True)
            print()
    else:
        answered = ((text, model.predict_texts([text], **given)[0]) for text in texts)
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
