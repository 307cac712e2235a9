"""A form for any signature: JSON for each input, JSON back."""

import json
from collections.abc import Mapping

import numpy as np

from ..errors import ServingError, invalid
from ..models.loading import LoadedModel
from ..models.signatures import DEFAULT_SIGNATURE, Arrays
from ..protocols import json_tensors, json_values
from ..protocols.openapi import example_inputs

# Beyond them a browser is slow to show an answer.
MOST_CHARACTERS = 20_000


def names(model: LoadedModel) -> list[str]:
    """The signatures that there is a form for, the default one first."""
    return sorted(model.signatures, key=lambda name: (name != DEFAULT_SIGNATURE, name))


def fields(model: LoadedModel, name: str) -> list[tuple[str, str, str]]:
    """Of each input its name, what it takes, and an example as JSON."""
    signature = model.signature(name)
    arrays = example_inputs(signature, model.examples.get(name))
    return [
        (
            info.name,
            f"{info.name}: {info.dtype.name} {info.shown_shape()}",
            _json(info.name, arrays[info.name]),
        )
        for info in signature.inputs.values()
    ]


def answer(model: LoadedModel, name: str, given: Mapping[str, str]) -> str:
    """The outputs of a signature as JSON.

    Args:
        model: Any.
        name: Of the signature.
        given: JSON by input.

    Raises:
        ServingError: If the JSON cannot be read or does not fit the signature.
    """
    signature = model.signature(name)
    inputs = {key: _value(key, text) for key, text in given.items()}
    arrays: Arrays = {}
    if signature.inputs:
        arrays, _ = json_tensors.arrays_of({"inputs": inputs}, signature)
    outputs = signature.run(arrays)
    # One output a line: indented lists of numbers would fill the screen.
    lines = (
        f"  {json.dumps(name)}: {_json(name, array)}" for name, array in outputs.items()
    )
    text = "{\n" + ",\n".join(lines) + "\n}"
    if len(text) > MOST_CHARACTERS:
        raise invalid(
            f"The answer has {len(text)} characters, more than the "
            f"{MOST_CHARACTERS} that are shown here; ask for fewer rows, or by the API."
        )
    return text


def _json(name: str, array: np.ndarray) -> str:
    return json.dumps(json_tensors.as_json(name, array, False), ensure_ascii=False)


def _value(name: str, text: str) -> object:
    try:
        document = json_values.parse(f'{{"value": {text}}}'.encode())
    except ServingError:
        document = {}
    if set(document) != {"value"}:
        raise invalid(f"{name}: this is not JSON: {text[:80].strip() or 'nothing'}")
    return document["value"]
