"""What all kinds share that answer to texts: where these come from, and JSON."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recurra.pipelines.core.errors import UserError


def given_texts(
    inputs: Sequence[str], file: Path | None, text_column: str | None = None
) -> list[str]:
    """The texts of the command line, or of a file.

    Raises:
        UserError: Neither or both are given, or the file cannot be read.
    """
    if bool(inputs) == (file is not None):
        raise UserError("predict: give texts, or a file by --file; one of the two")
    if file is None:
        return [_as_utf_8(text) for text in inputs]
    from ..inputs import read_texts

    return read_texts(file, text_column)


def print_json(rows: Iterable[Mapping[Any, Any]]) -> None:
    """A JSON array, a row a line."""
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    print("[\n" + ",\n".join(lines) + "\n]")


def print_answers_as_json(
    texts: Sequence[str], answers: Sequence[Mapping[str, Any]]
) -> None:
    """Every text with its answer."""
    print_json(
        {"text": text, **answer} for text, answer in zip(texts, answers, strict=True)
    )


def on_one_line(text: str) -> str:
    """The text without line breaks, its middle left out where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:48]} ... {line[-47:]}"


def _as_utf_8(argument: str) -> str:
    """As UTF-8 has it: other bytes come from the system as surrogates."""
    return argument.encode("utf-8", errors="surrogateescape").decode(
        "utf-8", errors="replace"
    )
