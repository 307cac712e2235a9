"""What a page uses of a model: its card, its signatures, examples of their inputs."""

from typing import Any, TypeVar

import numpy as np

from recurra.pipelines.cards import Answer

from ..serving.models.loading import LoadedModel
from ..serving.models.signatures import DEFAULT_SIGNATURE
from ..serving.protocols.tensor_protos import array_of

AnswerT = TypeVar("AnswerT", bound=Answer)


def answer_of(model: LoadedModel, kind: type[AnswerT]) -> AnswerT | None:
    """What the card says of the model's answers, if they are of this kind."""
    answer = model.card and model.card.answer
    return answer if isinstance(answer, kind) else None


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
