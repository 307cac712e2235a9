"""The model card: the one contract between what trains models and what uses them."""

import json
from pathlib import Path
from typing import Any

import pydantic

from .answers import AnyAnswer
from .reading_plan import ReadingPlan

#: Where the card stands in the folder of a version.
CARD_FILE = Path("assets.extra") / "model_card.json"


class CardError(Exception):
    """There is no card that can be read. The message says where and what to do."""

    exit_status = 2


class TensorCard(pydantic.BaseModel):
    """An input or output of the default signature.

    Attributes:
        dtype: TensorFlow's name of it.
        shape: Sizes; "N" is the number of rows, None any other free size.
    """

    dtype: str
    shape: list[int | str | None]


class ModelCard(pydantic.BaseModel):
    """What an exported model says of itself.

    Attributes:
        format: Of the card; cards of former versions are read as this one.
        name: The name that the model was exported under.
        version: Its number among the versions of that name.
        created: ISO time of the export, in UTC.
        task: The name of the task that trained it.
        answer: The kind of its answers, with what is needed to read them.
        inputs: Of the default signature.
        outputs: Of the default signature.
        requires: Packages to import before loading, since the graph has ops of theirs.
        independent_rows: Names of the signatures that answer each row of a request as
            if it were alone, so that requests may be joined.
        training_data: What the training data were found to hold.
        reading_plan: How their files were read; None where that is not known.
        metrics: As in metrics.json of the run.
        configuration: Every key of the run's configuration.
        details: What the task says beside that.
        license: Of the model, as the Hugging Face Hub names licences.
        intended_use: What it is for, in a sentence.
        limits: What it is not for, and what it cannot, a sentence each.
        versions: Of the packages that the model was made with.
    """

    model_config = pydantic.ConfigDict(extra="allow")

    format: int = 2
    name: str
    version: int
    created: str
    task: str
    answer: AnyAnswer
    inputs: dict[str, TensorCard]
    outputs: dict[str, TensorCard]
    requires: list[str] = []
    independent_rows: list[str] = []
    training_data: dict[str, Any] = {}
    reading_plan: ReadingPlan | None = None
    metrics: dict[str, Any] = {}
    configuration: dict[str, Any] = {}
    details: dict[str, Any] = {}
    license: str = "unknown"
    intended_use: str = ""
    limits: list[str] = []
    versions: dict[str, str] = {}


def read_card(folder: Path) -> ModelCard:
    """The card of an exported version.

    Args:
        folder: Of the version.

    Raises:
        CardError: There is none, or it cannot be read.
    """
    path = folder / CARD_FILE
    try:
        return parse_card(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise CardError(
            f"{path}: no readable model card ({reason}); was this model exported by "
            "'recurra export'?"
        ) from None


def parse_card(values: Any) -> ModelCard:
    """The card that the JSON value is, also one of format 1.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(values, dict):
        raise ValueError("a card is a JSON object")
    if "format" not in values:
        values = _from_format_1(values)
    if "independent_rows" not in values and _is_of_our_first_kinds(values):
        values = {**values, "independent_rows": ["serving_default"]}
    return ModelCard.model_validate(values)


def _is_of_our_first_kinds(values: dict[str, Any]) -> bool:
    """Whether a card without `independent_rows` is that of a model which has them.

    Before the field was there, `recurra export` wrote these kinds for tasks of its own
    alone, whose default signatures answer each row by itself.
    """
    answer = values.get("answer")
    kind = answer.get("kind") if isinstance(answer, dict) else None
    return kind in ("labels", "text", "forecast")


# In format 1 the keys of an answer stood beside all others, without a kind.
_FORECAST_KEYS = (
    "variables",
    "targets",
    "known_future",
    "step_seconds",
    "history_steps",
    "lead_steps",
    "quantiles",
    "calendar",
    "reading",
)
_RENAMED_READING = {"min_share": "min_fraction", "max_bad_share": "max_bad_fraction"}


def _from_format_1(values: dict[str, Any]) -> dict[str, Any]:
    values = dict(values)
    answer: dict[str, Any]
    if "classes" in values:
        answer = {"kind": "labels", "classes": values.pop("classes")}
    elif "lead_steps" in values:
        answer = {key: values.pop(key) for key in _FORECAST_KEYS if key in values}
        answer["kind"] = "forecast"
        answer["reading"] = {
            _RENAMED_READING.get(key, key): value
            for key, value in answer.get("reading", {}).items()
        }
    elif "source" in values and "target" in values:
        (output,) = values.get("outputs", {}).keys() - {"score"}
        languages = {side: values.pop(side) for side in ("source", "target")}
        answer = {"kind": "text", "output": output, **languages}
        values["requires"] = ["tensorflow_text"]
    else:
        answer = {"kind": "other"}
    return {**values, "format": 2, "answer": answer}
