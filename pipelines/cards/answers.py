"""Kinds of answers: what a model's outputs mean, and how they become plain values.

A kind is what the command line and the page choose their drawing by. `decode` takes the
outputs of the default signature as arrays, one row for each input.
"""

import codecs
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import pydantic

Outputs = Mapping[str, np.ndarray]
#: Runs a signature: its inputs and its name in, its outputs out.
Run = Callable[[Mapping[str, Any], str], Outputs]

#: What is to be filled in, in a text.
BLANK = "____"


class Answer(pydantic.BaseModel):
    """What every kind of answer has.

    Attributes:
        kind: The name of the kind.
    """

    model_config = pydantic.ConfigDict(extra="allow", frozen=True)

    kind: str

    def decode(self, outputs: Outputs) -> list[dict[str, Any]]:
        """An answer for each row, ready for JSON: every output by its name."""
        names = list(outputs)
        rows = zip(*(outputs[name] for name in names), strict=True)
        return [
            {name: _plain(value) for name, value in zip(names, row, strict=True)}
            for row in rows
        ]


class LabelsAnswer(Answer):
    """One of some classes, with the probability of each.

    Outputs: `label` string `[N]`, `score` `[N]`, `probabilities` `[N, C]`.

    Attributes:
        classes: Their names, in the order of `probabilities`.
        thresholds: In the same order. The label is the class whose probability is
            largest beside its threshold; the most probable one where there are none.
    """

    kind: Literal["labels"] = "labels"
    classes: list[str]
    thresholds: list[float] = []

    def decode(self, outputs: Outputs) -> list[dict[str, Any]]:
        """`label`, `score`, and `probabilities` by class, for each row."""
        return [
            {
                "label": label.decode("utf-8"),
                "score": float(score),
                "probabilities": dict(
                    zip(self.classes, map(float, probabilities), strict=True)
                ),
            }
            for label, score, probabilities in zip(
                outputs["label"],
                outputs["score"],
                outputs["probabilities"],
                strict=True,
            )
        ]


class LabelSetsAnswer(Answer):
    """Any of some labels, or none, with the probability of each.

    Outputs: `labels` string `[N, M]`, "" behind the last one of a row with fewer;
    `chosen` bool `[N, C]`; `probabilities` `[N, C]`, which do not add up to one. Of a
    text that is explained, `label` string `[N]` says which of them is.

    Attributes:
        classes: The names of the labels, in the order of `probabilities`.
        thresholds: In the same order: a row has the labels whose probability reaches
            theirs.
    """

    kind: Literal["label_sets"] = "label_sets"
    classes: list[str]
    thresholds: list[float]

    def decode(self, outputs: Outputs) -> list[dict[str, Any]]:
        """`labels`, a list, and `probabilities` by label, for each row."""
        return [
            {
                "labels": [
                    name for name, has in zip(self.classes, chosen, strict=True) if has
                ],
                "probabilities": dict(
                    zip(self.classes, map(float, probabilities), strict=True)
                ),
            }
            for chosen, probabilities in zip(
                outputs["chosen"], outputs["probabilities"], strict=True
            )
        ]


class NumberAnswer(Answer):
    """A number.

    Outputs: `value` `[N]`.

    Attributes:
        name: What the number is, for people.
        unit: Its unit, empty where it has none.
    """

    kind: Literal["number"] = "number"
    name: str = "value"
    unit: str = ""

    def decode(self, outputs: Outputs) -> list[dict[str, Any]]:
        """`value` for each row."""
        return [{"value": float(value)} for value in outputs["value"]]


class TextAnswer(Answer):
    """A text with its score.

    Outputs: one string `[N]`, named by `output`, and `score` `[N]`.

    Attributes:
        output: The name of the output that holds the text.
        action: What the model does, as a word for a button.
        source: The language of the inputs, where that is known.
        target: The language of the answers, where that is known.
    """

    kind: Literal["text"] = "text"
    output: str = "text"
    action: str = "Answer"
    source: str | None = None
    target: str | None = None

    def decode(self, outputs: Outputs) -> list[dict[str, Any]]:
        """The text under the name of its output, and `score`, for each row."""
        return [
            {self.output: text.decode("utf-8"), "score": float(score)}
            for text, score in zip(outputs[self.output], outputs["score"], strict=True)
        ]


class ContinuationAnswer(Answer):
    """A text that goes on from the input.

    Outputs of the signature `generate`: `text` string `[N]`, what follows on `prompt`
    string `[N]`. `begin` and `write` do the same in parts. The default signature gives
    `log_probability` `[N]` and `units` `[N]` of a text; `fill` takes texts with blanks,
    `____`, and gives `filling` and `probability`, `[N, blanks, k]`.

    Attributes:
        units: What is written one after the other: characters, words, subwords, bytes.
        vocabulary_size: So many different ones there are.
        length: Units that are written, if nothing else is asked for.
        temperature, top_k, top_p: How they are drawn then.
    """

    kind: Literal["continuation"] = "continuation"
    units: str
    vocabulary_size: int
    length: int = 200
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def request(self, prompts: Sequence[str], **options: Any) -> dict[str, Any]:
        """The inputs of `generate`, with what the options leave out.

        Args:
            prompts: Of the texts.
            **options: `length`, `temperature`, `top_k`, `top_p`, `seed` and `stop`.

        Raises:
            pydantic.ValidationError: An option is none of these, or out of its range.
        """
        usual = {key: getattr(self, key) for key in _HOW_TO_WRITE}
        given = {key: value for key, value in options.items() if value is not None}
        asked = _Writing.model_validate({**usual, **given})
        return {"prompt": list(prompts), **asked.model_dump()}

    @staticmethod
    def options_schema() -> dict[str, Any]:
        """The JSON schema of the options of `request`."""
        return _Writing.model_json_schema()

    def write(self, run: Run, prompt: str, **options: Any) -> Iterator[str]:
        """What is written behind a prompt, unit by unit; together as of `generate`.

        Args:
            run: Runs the model's signatures.
            prompt: The text before it.
            **options: As for `request`.

        Raises:
            pydantic.ValidationError: As `request` does, before anything is run.
        """
        request = self.request([prompt], **options)
        del request["prompt"]
        return _pieces(run, prompt.encode(), request)

    def decode_fillings(
        self, texts: Sequence[str], outputs: Outputs
    ) -> list[list[list[dict[str, Any]]]]:
        """By text and blank the fillings of `fill`, each with its `probability`.

        What cannot be at all is left out.
        """
        return [
            [
                [
                    {
                        "filling": filling.decode("utf-8", "replace"),
                        "probability": float(probability),
                    }
                    for filling, probability in zip(*of_blank, strict=True)
                    if probability > 0
                ]
                for of_blank in list(zip(*of_text, strict=True))[: text.count(BLANK)]
            ]
            for text, *of_text in zip(
                texts, outputs["filling"], outputs["probability"], strict=True
            )
        ]

    def decode(self, outputs: Outputs) -> list[dict[str, Any]]:
        """`continuation`, for each row of `generate`."""
        return [
            {"continuation": text.decode("utf-8", "replace")}
            for text in outputs["text"]
        ]


def unfilled_blank(blanks: Sequence[Sequence[Any]]) -> str:
    """What to say of the first blank of a text that has no filling; "" if all have."""
    for number, fillings in enumerate(blanks, 1):
        if not fillings:
            return (
                f"no unit that the model knows fits blank {number} with the letters "
                "that touch it; part them by a space"
            )
    return ""


class _Writing(pydantic.BaseModel):
    """What `generate` takes beside prompts."""

    model_config = pydantic.ConfigDict(extra="forbid")

    length: int = pydantic.Field(ge=1)
    temperature: float = pydantic.Field(ge=0)
    top_k: int = pydantic.Field(ge=0)
    top_p: float = pydantic.Field(gt=0, le=1)
    seed: int = pydantic.Field(0, ge=-(2**31), lt=2**31)
    stop: str = ""


_HOW_TO_WRITE = ("length", "temperature", "top_k", "top_p")


def _pieces(run: Run, behind: bytes, request: dict[str, Any]) -> Iterator[str]:
    """The parts of a text behind a prompt, as `request` says, one unit a run."""
    stop, length = request.pop("stop"), request.pop("length")
    begun = run({"prompt": [behind]}, "begin")
    typed: Any = begun["typed"]
    state = begun["state"]
    request["offset"] = begun["offset"]
    # A unit may be a part of a character.
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    held = ""
    for number in range(length):
        inputs = {"behind": [behind], "typed": typed, "state": state}
        found = run({**inputs, **request, "first": number, "length": 1}, "write")
        piece = found["text"][0]
        behind, typed, state = behind + piece, [b""], found["state"]
        held += decoder.decode(piece)
        if found["is_over"][0] or (stop and stop in held):
            break
        # What may be the beginning of the stop waits.
        ready = max(0, len(held) - max(0, len(stop) - 1))
        if ready:
            yield held[:ready]
            held = held[ready:]
    held += decoder.decode(b"", final=True)
    if last := held.partition(stop)[0] if stop else held:
        yield last


class CardVariable(pydantic.BaseModel):
    """A measured variable.

    Attributes:
        name: For people.
        column: Its column in the data of training.
        unit: Empty where none is known.
        rule: How values become one of a coarser step: mean, sum and so on.
    """

    model_config = pydantic.ConfigDict(extra="allow", frozen=True)

    name: str
    column: str
    unit: str = ""
    rule: str = "mean"


class ForecastAnswer(Answer):
    """What comes next of time series.

    Inputs: `history` float32 `[N, history_steps, variables]`, NaN where missing;
    `start` string `[N]`, the time of the last step of the history; with variables known
    ahead `known_future` `[N, leads, known_future]`. Outputs: `forecast` `[N, leads,
    targets]` and, with quantiles, `quantiles` `[N, leads, targets, quantiles]`.

    Attributes:
        variables: In the order of `history`.
        targets: Names of the variables that are forecast.
        known_future: Names of the variables that are known ahead.
        step_seconds: From step to step; of a step of the calendar the mean.
        calendar_step: "MS", "QE", "B" and so on where steps are months, quarters, years
            or business days; otherwise empty.
        history_steps: Steps that the model looks back on.
        lead_steps: Steps from the origin, for each time of the forecast.
        quantiles: Levels, rising; empty where the model states none.
        calendar: Whether the model looks at the time of day and year.
        reading: How files are read: arguments of `data.series.load_time_series`.
    """

    kind: Literal["forecast"] = "forecast"
    variables: list[CardVariable]
    targets: list[str]
    known_future: list[str] = []
    step_seconds: int
    calendar_step: str = ""
    history_steps: int
    lead_steps: list[int]
    quantiles: list[float] = []
    calendar: bool = True
    reading: dict[str, Any] = {}

    def units(self) -> list[str]:
        """The unit of each target."""
        by_name = {variable.name: variable.unit for variable in self.variables}
        return [by_name[name] for name in self.targets]


_KINDS: Sequence[type[Answer]] = (
    LabelsAnswer,
    LabelSetsAnswer,
    NumberAnswer,
    TextAnswer,
    ContinuationAnswer,
    ForecastAnswer,
)
_TAGS = {kind.model_fields["kind"].default: kind for kind in _KINDS}


def _tag(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, dict) else value.kind
    return str(kind) if kind in _TAGS else "other"


#: Any kind; one that this version does not know is a plain `Answer`.
AnyAnswer = Annotated[
    Annotated[LabelsAnswer, pydantic.Tag("labels")]
    | Annotated[LabelSetsAnswer, pydantic.Tag("label_sets")]
    | Annotated[NumberAnswer, pydantic.Tag("number")]
    | Annotated[TextAnswer, pydantic.Tag("text")]
    | Annotated[ContinuationAnswer, pydantic.Tag("continuation")]
    | Annotated[ForecastAnswer, pydantic.Tag("forecast")]
    | Annotated[Answer, pydantic.Tag("other")],
    pydantic.Discriminator(_tag),
]


def _plain(value: Any) -> Any:
    """A row of an output as JSON has it."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
