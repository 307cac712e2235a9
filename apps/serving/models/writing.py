"""Texts that a model writes on and blanks that it fills in, by its kind of answer."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pydantic

from recurra.pipelines.cards import BLANK, ContinuationAnswer, unfilled_blank

from ..errors import invalid
from .loading import LoadedModel
from .signatures import Arrays

_WRITING, _FILLING = {"begin", "write"}, {"fill"}


def writes(model: LoadedModel) -> bool:
    """Whether the model writes on behind a text, unit by unit."""
    return _has(model, _WRITING)


def fills(model: LoadedModel) -> bool:
    """Whether the model fills in blanks."""
    return _has(model, _FILLING)


def write(model: LoadedModel, prompt: str, options: Mapping[str, Any]) -> Iterator[str]:
    """What the model writes behind a prompt, unit by unit.

    Args:
        model: That writes.
        prompt: The text before it.
        options: As of `ContinuationAnswer.request`.

    Raises:
        ServingError: If the model does not write, or an option is wrong.
    """
    answer = _answer(model)
    if answer is None or not writes(model):
        raise invalid(
            "This model does not write unit by unit: its card and signatures do not "
            "say so; ask it by :predict"
        )

    def run(inputs: Mapping[str, Any], signature: str) -> Arrays:
        return _run(model, inputs, signature)

    try:
        return answer.write(run, prompt, **options)
    except pydantic.ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(map(str, problem["loc"]))
        raise invalid(f"{name}: {problem['msg']}") from None


def fill(model: LoadedModel, text: str, k: int) -> list[list[dict[str, Any]]]:
    """By blank of a text the `k` best fillings, each with its probability.

    Raises:
        ServingError: If the model does not fill in, or the text has no blank, or one
            that nothing can fill.
    """
    answer = _answer(model)
    if answer is None or not fills(model):
        raise invalid("This model does not fill in blanks.")
    if BLANK not in text:
        raise invalid(f"The text has no blank; write {BLANK} for what is to be found.")
    found = _run(model, {"text": [text.encode()], "k": k}, "fill")
    (blanks,) = answer.decode_fillings([text], found)
    if unfilled := unfilled_blank(blanks):
        raise invalid(f"{unfilled[0].upper()}{unfilled[1:]}.")
    return blanks


def _answer(model: LoadedModel) -> ContinuationAnswer | None:
    answer = model.card and model.card.answer
    return answer if isinstance(answer, ContinuationAnswer) else None


def _has(model: LoadedModel, signatures: set[str]) -> bool:
    return _answer(model) is not None and signatures <= set(model.signatures)


def _run(model: LoadedModel, inputs: Mapping[str, Any], name: str) -> Arrays:
    signature = model.signature(name)
    return signature.run(
        {
            key: np.array(inputs[key], info.dtype.as_numpy_dtype)
            for key, info in signature.inputs.items()
        }
    )
