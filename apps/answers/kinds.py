"""What the command line does with each kind of answer. Imports nothing slow."""

import importlib
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..options import option

if TYPE_CHECKING:
    from recurra.pipelines.core.exported_model import ExportedModel


class Handler(Protocol):
    """A module that predicts by models of one kind and prints their answers."""

    def predict(
        self,
        model: "ExportedModel",
        inputs: Sequence[str],
        file: Path | None,
        as_json: bool,
        **options: Any,
    ) -> None:
        """Prints the answers to texts, or to what a file holds."""

    def demonstrate(
        self, model: "ExportedModel", examples: Sequence[str], folder: Path
    ) -> None:
        """Shows what the model answers; files go to the folder."""


class _Kind(NamedTuple):
    module: str
    options: Sequence[inspect.Parameter]


_OF_TEXTS = (
    option(
        "text_column",
        str,
        "Column of the texts in FILE; found by usual names if left out.",
    ),
    option(
        "to",
        Path,
        "The file to write: FILE's columns and the answers, as .csv, .tsv, .jsonl "
        "(each also .gz) or .parquet. If left out, answers are printed.",
    ),
    option(
        "resume",
        bool,
        "Go on with the file that --to names, if that was begun and stopped.",
        "--resume",
    ),
    option("workers", int, "Processes that answer FILE; 1 if left out.", min=1),
    option(
        "cluster",
        str,
        "Address of a cluster of Ray that the workers run on: auto, HOST:PORT, "
        "ray://HOST:PORT or local.",
        metavar="ADDRESS",
    ),
)
_OF_SERIES = (
    option("time_column", str, "Column of the times in FILE; found if left out."),
    option("station_column", str, "Column that parts the rows into stations."),
    option(
        "to",
        Path,
        "The file to write, as .csv, .tsv, .jsonl (each also .gz) or .parquet, a "
        "picture beside it. If left out, FILE's name with -forecast.csv, here.",
    ),
)
_OF_CONTINUATIONS = (
    *_OF_TEXTS,
    option("length", int, "Units to write at most; as the model was made if left out."),
    option("temperature", float, "0 takes the likeliest unit, 1 draws as is."),
    option("top_k", int, "Likeliest units to draw from; 0 for all."),
    option("top_p", float, "Draw from the likeliest that make up so much, up to 1."),
    option("seed", int, "The same seed writes the same text; 0 if left out."),
    option("stop", str, "Write up to this text."),
    option("fill", bool, "Fill in what stands as ____ in the texts.", "--fill"),
    option("stream", bool, "Print as it is written.", "--stream"),
)
_TEXTS = _Kind("texts", _OF_TEXTS)
_KINDS = {
    "labels": _TEXTS,
    "label_sets": _TEXTS,
    "number": _TEXTS,
    "text": _TEXTS,
    "continuation": _Kind("continuations", _OF_CONTINUATIONS),
    "forecast": _Kind("forecast", _OF_SERIES),
}


def handler_of(kind: str) -> Handler:
    """What handles answers of this kind; one that is not known here is of texts."""
    module = _KINDS.get(kind, _TEXTS).module
    return importlib.import_module(f".{module}", __package__)


def options_of(kind: str | None) -> list[inspect.Parameter]:
    """The further options of `recurra predict` for this kind; of all kinds if None."""
    if kind is not None:
        return list(_KINDS.get(kind, _TEXTS).options)
    return [parameter for each in _KINDS.values() for parameter in each.options]
