"""Signatures that a page knows how to use, and examples of what they take."""

from typing import Any

import numpy as np

from ..loading import DEFAULT_SIGNATURE, LoadedModel
from ..tensor_protos import array_of


def has(
    model: LoadedModel, inputs: set[str], outputs: set[str], name: str = ""
) -> bool:
    """Whether a signature takes these inputs alone and gives at least these outputs."""
    signature = model.signatures.get(name or DEFAULT_SIGNATURE)
    return (
        signature is not None
        and set(signature.inputs) == inputs
        and outputs <= set(signature.outputs)
    )


def example(model: LoadedModel, name: str = "") -> dict[str, np.ndarray]:
    """The inputs of the signature's first warm-up request; none without one."""
    name = name or DEFAULT_SIGNATURE
    request = model.examples.get(name)
    if request is None:
        return {}
    infos = model.signatures[name].inputs
    return {key: array_of(request.inputs[key], info) for key, info in infos.items()}


def example_text(model: LoadedModel) -> str:
    """The first text that warmed the model up, or ""."""
    texts = example(model).get("text", np.array([b""], object))
    return as_text(texts.ravel()[0]) if texts.size else ""


def as_text(value: Any) -> str:
    """A string of a model, of which any bytes may come."""
    return value.decode("utf-8", errors="replace")
