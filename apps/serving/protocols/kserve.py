"""KServe's v2 API (the Open Inference Protocol) over REST."""

import base64
import json
import re
from collections.abc import Mapping
from functools import partial
from importlib.metadata import version as package_version
from typing import Any
from urllib.parse import unquote

import numpy as np
import tensorflow as tf

from ..errors import ServingError, invalid, not_found
from ..models.loading import LoadedModel
from ..models.signatures import Arrays, Signature, TensorInfo
from . import json_values
from .http import Answer, Api, Request
from .json_tensors import (
    as_json,
    dump_finite,
    dump_with_tokens,
    flattened,
    is_finite,
    values_as_array,
)

_MODEL = re.compile(r"/v2/models/([^/]+)(?:/versions/(\d+))?(?:/(ready|infer))?")

_DATATYPES = {
    tf.bool: "BOOL",
    tf.uint8: "UINT8",
    tf.uint16: "UINT16",
    tf.uint32: "UINT32",
    tf.uint64: "UINT64",
    tf.int8: "INT8",
    tf.int16: "INT16",
    tf.int32: "INT32",
    tf.int64: "INT64",
    tf.float16: "FP16",
    tf.float32: "FP32",
    tf.float64: "FP64",
    tf.bfloat16: "BF16",
    tf.string: "BYTES",
}

BASE64 = "base64"


class KServeApi(Api):
    """Answers what is below `/v2`.

    Beyond the protocol: the parameter `signature_name` of a request chooses another
    signature than the default one; the parameter `content_type` "base64" of an input
    or output of BYTES says that its strings are base64.
    """

    async def __call__(self, request: Request) -> Answer:
        """Answers one request."""
        match = _MODEL.fullmatch(request.path)
        if request.verb == "GET" and request.path == "/v2":
            return _json(
                {
                    "name": "recurra",
                    "version": package_version("recurra"),
                    "extensions": [],
                }
            )
        if request.verb == "GET" and request.path == "/v2/health/live":
            return _json({"live": True})
        if request.verb == "GET" and request.path == "/v2/health/ready":
            ready = self.repository.is_ready
            return _json({"live": ready}, 200 if ready else 503)
        if match and request.verb == "POST" and match[3] == "infer":
            request.method = "infer"
            async with self.runner.admitted():
                body = await request.body(self.most_bytes)
                return await self._infer(request, body, match)
        if match and request.verb == "GET" and match[3] == "ready":
            return self._ready(match)
        if match and request.verb == "GET" and match[3] is None:
            return self._metadata(match)
        raise not_found(f"Not served: {request.verb} {request.path}")

    async def _infer(self, request: Request, body: bytes, match: re.Match) -> Answer:
        version = self.repository.find(*_spec(match))
        request.model = version.model
        work = partial(_infer, version.model, version.number, body)
        return Answer(await self.runner.run(version, work))

    def _ready(self, match: re.Match) -> Answer:
        name, number = _spec(match)
        try:
            self.repository.find(name, number)
        except ServingError:
            return _json({"name": name, "ready": False}, 404)
        return _json({"name": name, "ready": True})

    def _metadata(self, match: re.Match) -> Answer:
        version = self.repository.find(*_spec(match))
        assert version.loaded is not None
        signature = version.loaded.signature("")
        available = self.repository.models[version.model].available
        return _json(
            {
                "name": version.model,
                "versions": [str(number) for number in available],
                "platform": "tensorflow_savedmodel",
                "inputs": _tensors(signature.inputs),
                "outputs": _tensors(signature.outputs),
            }
        )


def _spec(match: re.Match) -> tuple[str, int | None]:
    return unquote(match[1]), int(match[2]) if match[2] else None


def _json(document: Any, status: int = 200) -> Answer:
    return Answer(json.dumps(document, ensure_ascii=False).encode(), status)


def datatype(dtype: tf.DType) -> str:
    """What the protocol calls a type of tensors."""
    return _DATATYPES.get(dtype, dtype.name)


def _tensors(infos: Mapping[str, TensorInfo]) -> list[dict[str, Any]]:
    return [
        {
            "name": info.name,
            "datatype": datatype(info.dtype),
            "shape": [-1 if size is None else size for size in info.shape or ()],
        }
        for info in infos.values()
    ]


def _infer(name: str, number: int, body: bytes, model: LoadedModel) -> bytes:
    document = json_values.parse(body)
    parameters = _object(document, "parameters")
    signature_name = parameters.get("signature_name", "")
    if not isinstance(signature_name, str):
        raise invalid("parameters.signature_name must be a string")
    signature = model.signature(signature_name)
    wanted = _wanted(document, signature)
    answers = signature.run(_inputs(document, signature))
    given = {key: answers[key] for key in wanted}
    response: dict[str, Any] = {"model_name": name, "model_version": str(number)}
    if "id" in document:
        if not isinstance(document["id"], str):
            raise invalid("id must be a string")
        response["id"] = document["id"]
    return _dumped(response, given, signature)


def _inputs(document: Mapping[str, Any], signature: Signature) -> Arrays:
    arrays: Arrays = {}
    for place, given in enumerate(_objects(document, "inputs")):
        path = f"inputs[{place}]"
        name = given.get("name")
        info = signature.inputs.get(name) if isinstance(name, str) else None
        if info is None:
            raise invalid(
                f"{path}.name: expected one of {', '.join(signature.inputs)}; "
                f"received {json_values.shown_value(name)}"
            )
        if info.name in arrays:
            raise invalid(f"{path}: input {info.name} is given twice")
        arrays[info.name] = _array(given, info, path)
    missing = set(signature.inputs) - set(arrays)
    if missing:
        raise invalid(f"inputs: missing {', '.join(sorted(missing))}")
    return arrays


def _array(given: Mapping[str, Any], info: TensorInfo, path: str) -> np.ndarray:
    expected = datatype(info.dtype)
    if given.get("datatype") != expected:
        raise invalid(
            f"{path}.datatype: expected {expected}; received "
            f"{json_values.shown_value(given.get('datatype'))}"
        )
    shape = given.get("shape")
    if not isinstance(shape, list) or not all(
        type(size) is int and size >= 0 for size in shape
    ):
        raise invalid(
            f"{path}.shape: expected a list of whole numbers; received "
            f"{json_values.shown_value(shape)}"
        )
    if "data" not in given:
        raise invalid(f"{path}.data: is missing")

    def place(indices: tuple[int, ...]) -> str:
        return f"{path}.data" + "".join(f"[{index}]" for index in indices)

    own_shape, values = flattened(given["data"], place)
    if len(values) != int(np.prod(shape, dtype=object)):
        raise invalid(
            f"{path}.data: expected as many values as shape {shape} has; received "
            f"{len(values)}"
        )
    if _object(given, "parameters").get("content_type") == BASE64:
        values = [{"b64": each} for each in values]
    array = values_as_array(values, info.dtype, own_shape, place)
    try:
        return array.reshape(shape)
    except ValueError as error:
        raise invalid(f"{path}.shape: {error}") from None


def _wanted(document: Mapping[str, Any], signature: Signature) -> list[str]:
    names = []
    for place, each in enumerate(_objects(document, "outputs", needed=False)):
        name = each.get("name")
        if not isinstance(name, str) or name not in signature.outputs:
            raise invalid(
                f"outputs[{place}].name: expected one of "
                f"{', '.join(signature.outputs)}; received "
                f"{json_values.shown_value(name)}"
            )
        names.append(name)
    return names or list(signature.outputs)


def _objects(
    document: Mapping[str, Any], key: str, needed: bool = True
) -> list[dict[str, Any]]:
    given = document.get(key, None if needed else [])
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise invalid(f"{key}: expected a list of objects")
    return given


def _object(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    given = document.get(key, {})
    if not isinstance(given, dict):
        raise invalid(f"{key}: expected an object")
    return given


def _dumped(response: dict[str, Any], answers: Arrays, signature: Signature) -> bytes:
    finite = all(map(is_finite, answers.values()))
    response["outputs"] = [
        _output(name, array, signature.outputs[name].dtype, finite)
        for name, array in answers.items()
    ]
    return (dump_finite if finite else dump_with_tokens)(response)


def _output(
    name: str, array: np.ndarray, dtype: tf.DType, as_array: bool
) -> dict[str, Any]:
    output: dict[str, Any] = {
        "name": name,
        "shape": list(array.shape),
        "datatype": datatype(dtype),
    }
    if array.dtype == object and name.endswith("_bytes"):
        output["parameters"] = {"content_type": BASE64}
        output["data"] = [base64.b64encode(each).decode() for each in array.flat]
    else:
        output["data"] = as_json(name, array.ravel(), as_array)
    return output
