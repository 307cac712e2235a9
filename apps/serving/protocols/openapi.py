"""The OpenAPI description: each model with an example, from its signatures and card."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from recurra.pipelines.cards import (
    ContinuationAnswer,
    LabelsAnswer,
    LabelSetsAnswer,
    ModelCard,
)

from ..models import writing
from ..models.loading import LoadedModel
from ..models.signatures import Arrays, Signature, TensorInfo
from ..models.versions import Model, Version
from .examples import CLASSIFY, REGRESS, to_json
from .inference_tensors import datatype
from .json_tensors import as_json, is_finite
from .tensor_protos import array_of

ERROR = {"$ref": "#/components/schemas/Error"}

_TYPES = {tf.bool: "boolean", tf.string: "string"}


def describe(models: Mapping[str, Model]) -> dict[str, Any]:
    """The description of what is served now."""
    paths: dict[str, Any] = {
        "/healthz": {"get": _read("Whether the server lives", "text/plain")},
        "/metrics": {"get": _read("Metrics for Prometheus", "text/plain")},
        "/monitoring/prometheus/metrics": {
            "get": _read("The same, where TensorFlow Serving has them", "text/plain")
        },
        "/v2": {"get": _read("The server")},
        "/v2/health/live": {"get": _read("Whether the server lives")},
        "/v2/health/ready": {"get": _read("Whether models answer")},
        "/v2/models/stats": {"get": _read("How often models were asked")},
    }
    for name, model in sorted(models.items()):
        if model.available:
            paths |= _paths(name, list(model.available.values())[-1])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Models",
            "version": "1",
            "description": "TensorFlow Serving's REST API and KServe's v2 API.",
        },
        "paths": paths,
        "components": {
            "schemas": {
                "Error": {
                    "type": "object",
                    "properties": {"error": {"type": "string"}},
                    "required": ["error"],
                }
            }
        },
    }


def _paths(name: str, version: Version) -> dict[str, Any]:
    loaded = version.loaded
    assert loaded is not None
    base = f"/v1/models/{name}"
    paths = {
        base: {"get": _read(f"Status of {name}")},
        f"{base}/metadata": {"get": _read(f"Signatures of {name}")},
        f"/v2/models/{name}": {"get": _read(f"{name}: inputs and outputs")},
        f"/v2/models/{name}/ready": {"get": _read(f"Whether {name} answers")},
        f"/v2/models/{name}/config": {"get": _read(f"{name} as Triton describes it")},
        f"/v2/models/{name}/stats": {"get": _read(f"How often {name} was asked")},
    }
    described = {
        key: signature
        for key, signature in loaded.signatures.items()
        if signature.inputs
        and not any(info.dtype.is_complex for info in signature.inputs.values())
    }
    post = partial(_post, loaded)
    if described:
        arrays = {
            key: example_inputs(signature, loaded.examples.get(key))
            for key, signature in described.items()
        }
        for path, summary, schema, example in (
            (f"{base}:predict", f"Predict with {name}", _schema, _example),
            (
                f"/v2/models/{name}/infer",
                f"Predict with {name}, by KServe's protocol",
                _infer_schema,
                _infer_example,
            ),
        ):
            paths[path] = post(
                summary,
                [schema(each) for each in described.values()],
                {key: example(each, arrays[key]) for key, each in described.items()},
            )
    if writing.writes(loaded):
        paths[f"{base}:generate"] = post(
            f"Write on behind a text with {name}; as server-sent events by `stream`",
            [_writing_schema()],
            {"written": {"prompt": "", "length": 20, "stream": False}},
        )
    for verb, method in (("classify", CLASSIFY), ("regress", REGRESS)):
        keys = [
            key
            for key, definition in loaded.definitions.items()
            if definition.method_name == method and key in loaded.signatures
        ]
        if keys:
            paths[f"{base}:{verb}"] = post(
                f"{verb.capitalize()} with {name}",
                [_examples_schema(keys)],
                {
                    key: {"signature_name": key, "examples": to_json(request)}
                    for key in sorted(keys)
                    if (request := loaded.tf_examples.get(key))
                },
            )
    return paths


def _read(summary: str, content_type: str = "application/json") -> dict[str, Any]:
    return {
        "summary": summary,
        "responses": {
            "200": {"description": "The answer", "content": {content_type: {}}},
            "default": _failure(),
        },
    }


def _post(
    model: LoadedModel,
    summary: str,
    schemas: list[dict[str, Any]],
    examples: Mapping[str, Any],
) -> dict[str, Any]:
    """What is asked of a model by a body of one of these forms."""
    content: dict[str, Any] = {"schema": {"anyOf": schemas}}
    if examples:
        content["examples"] = {key: {"value": each} for key, each in examples.items()}
    return {
        "post": {
            **_operation(summary, model.card),
            "requestBody": {
                "required": True,
                "content": {"application/json": content},
            },
        }
    }


def _operation(summary: str, card: ModelCard | None) -> dict[str, Any]:
    sentences = []
    if card:
        sentences.append(f"Task: {card.task}.")
    if card and isinstance(card.answer, LabelsAnswer | LabelSetsAnswer):
        kind = "Classes" if isinstance(card.answer, LabelsAnswer) else "Labels"
        sentences.append(f"{kind}: {', '.join(card.answer.classes)}.")
    return {
        "summary": summary,
        "description": " ".join(sentences),
        "responses": {
            "200": {
                "description": "The predictions",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            "default": _failure(),
        },
    }


def _failure() -> dict[str, Any]:
    return {
        "description": "An error",
        "content": {"application/json": {"schema": ERROR}},
    }


def _schema(signature: Signature) -> dict[str, Any]:
    inputs = {info.name: _tensor_schema(info) for info in signature.inputs.values()}
    return {
        "type": "object",
        "title": signature.name,
        "properties": {
            "signature_name": {"const": signature.name},
            "inputs": {
                "type": "object",
                "properties": inputs,
                "required": list(inputs),
                "additionalProperties": False,
            },
        },
        "required": ["signature_name", "inputs"],
    }


def _tensor_schema(info: TensorInfo) -> dict[str, Any]:
    schema = _value_schema(info.dtype)
    for size in reversed(info.shape or ()):
        schema = {"type": "array", "items": schema}
        if size is None:
            schema["minItems"] = 1
        else:
            schema["minItems"] = schema["maxItems"] = size
    return schema


def _value_schema(dtype: tf.DType) -> dict[str, Any]:
    if dtype in _TYPES:
        return {"type": _TYPES[dtype]}
    if dtype.is_floating:
        return {"type": "number"}
    return {"type": "integer", "minimum": int(dtype.min), "maximum": int(dtype.max)}


def example_inputs(signature: Signature, request: Any) -> Arrays:
    """What warmed the model up, or zeros; without what standard JSON cannot write."""
    arrays = {}
    for name, info in signature.inputs.items():
        array = _zeros(info)
        if request is not None and name in request.inputs:
            array = array_of(request.inputs[name], info)
        if not is_finite(array):
            array = np.where(np.isfinite(array), array, 0).astype(array.dtype)
        arrays[name] = array
    return arrays


def _example(signature: Signature, arrays: Arrays) -> dict[str, Any]:
    """A request in columns."""
    inputs = {name: as_json(name, array, False) for name, array in arrays.items()}
    return {"signature_name": signature.name, "inputs": inputs}


def _zeros(info: TensorInfo) -> np.ndarray:
    shape = [1 if size is None else size for size in info.shape or ()]
    if info.dtype == tf.string:
        return np.full(shape, b"text", object)
    return np.zeros(shape, info.dtype.as_numpy_dtype)


def _infer_schema(signature: Signature) -> dict[str, Any]:
    inputs = [
        {
            "type": "object",
            "properties": {
                "name": {"const": info.name},
                "datatype": {"const": datatype(info.dtype)},
                "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                "data": {"type": "array", "items": _value_schema(info.dtype)},
            },
            "required": ["name", "datatype", "shape", "data"],
        }
        for info in signature.inputs.values()
    ]
    return {
        "type": "object",
        "title": signature.name,
        "properties": {
            "id": {"type": "string"},
            "parameters": {
                "type": "object",
                "properties": {"signature_name": {"const": signature.name}},
                "required": ["signature_name"],
            },
            "inputs": {
                "type": "array",
                "items": {"anyOf": inputs},
                "minItems": len(inputs),
                "maxItems": len(inputs),
            },
        },
        "required": ["parameters", "inputs"],
    }


def _infer_example(signature: Signature, arrays: Arrays) -> dict[str, Any]:
    inputs = [
        {
            "name": name,
            "datatype": datatype(signature.inputs[name].dtype),
            "shape": list(array.shape),
            "data": as_json("", array.ravel(), False),
        }
        for name, array in arrays.items()
    ]
    return {"parameters": {"signature_name": signature.name}, "inputs": inputs}


def _writing_schema() -> dict[str, Any]:
    """A body that asks for a text."""
    options = ContinuationAnswer.options_schema()
    return {
        **options,
        "properties": {
            "prompt": {"type": "string"},
            "stream": {"type": "boolean"},
            **options["properties"],
        },
        "required": ["prompt"],
    }


def _examples_schema(signatures: list[str]) -> dict[str, Any]:
    """A body of examples. Their features are not in the signature."""
    value = {"type": ["number", "string"]}
    features = {
        "type": "object",
        "additionalProperties": {"anyOf": [value, {"type": "array", "items": value}]},
    }
    return {
        "type": "object",
        "properties": {
            "signature_name": {"enum": sorted(signatures)},
            "context": features,
            "examples": {"type": "array", "items": features, "minItems": 1},
        },
        "required": ["signature_name", "examples"],
    }
