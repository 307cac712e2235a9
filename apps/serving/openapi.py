"""The OpenAPI description: each model with an example, from its signatures and card."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from .json_tensors import as_json, is_finite
from .signatures import Signature, TensorInfo
from .tensor_protos import array_of
from .versions import Model, Version

ERROR = {"$ref": "#/components/schemas/Error"}

_TYPES = {tf.bool: "boolean", tf.string: "string"}


def describe(models: Mapping[str, Model]) -> dict[str, Any]:
    """The description of what is served now."""
    paths: dict[str, Any] = {
        "/healthz": {"get": _read("Whether the server lives", "text/plain")},
        "/metrics": {"get": _read("Metrics for Prometheus", "text/plain")},
        "/v2": {"get": _read("The server")},
        "/v2/health/live": {"get": _read("Whether the server lives")},
        "/v2/health/ready": {"get": _read("Whether every model answers")},
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
    }
    described = {
        key: signature
        for key, signature in loaded.signatures.items()
        if not any(info.dtype.is_complex for info in signature.inputs.values())
    }
    content = {
        "schema": {"anyOf": [_schema(each) for each in described.values()]},
        "examples": {
            key: {"value": _example(signature, loaded.examples.get(key))}
            for key, signature in described.items()
        },
    }
    if described:
        paths[f"{base}:predict"] = {
            "post": {
                **_operation(f"Predict with {name}", loaded.card),
                "requestBody": {
                    "required": True,
                    "content": {"application/json": content},
                },
            }
        }
    return paths


def _read(summary: str, content_type: str = "application/json") -> dict[str, Any]:
    return {
        "summary": summary,
        "responses": {
            "200": {"description": "The answer", "content": {content_type: {}}},
            "default": _failure(),
        },
    }


def _operation(summary: str, card: Mapping[str, Any]) -> dict[str, Any]:
    told = []
    if isinstance(card.get("task"), str):
        told.append(f"Task: {card['task']}.")
    if isinstance(card.get("classes"), list):
        told.append(f"Classes: {', '.join(map(str, card['classes']))}.")
    return {
        "summary": summary,
        "description": " ".join(told),
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


def _example(signature: Signature, request: Any) -> dict[str, Any]:
    """A request in columns: one that warmed the model up, or one of zeros."""
    inputs = {}
    for name, info in signature.inputs.items():
        array = _zeros(info)
        if request is not None and name in request.inputs:
            array = array_of(request.inputs[name], info)
        inputs[name] = as_json(name, array, False) if is_finite(array) else []
    return {"signature_name": signature.name, "inputs": inputs}


def _zeros(info: TensorInfo) -> np.ndarray:
    shape = [1 if size is None else size for size in info.shape or ()]
    if info.dtype == tf.string:
        return np.full(shape, b"text", object)
    return np.zeros(shape, info.dtype.as_numpy_dtype)
