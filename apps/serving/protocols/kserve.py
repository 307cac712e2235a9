"""KServe's v2 API (the Open Inference Protocol) over REST."""

import base64
import json
import re
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import unquote

import numpy as np

from ..errors import ServingError, invalid, not_found
from ..models.folders import as_version
from ..models.loading import LoadedModel
from ..models.signatures import Arrays, Question, Signature, TensorInfo, Work
from . import inference_descriptions as descriptions
from . import json_values
from .http import JSON, Answer, Api, Request
from .inference_tensors import (
    check_complete,
    check_output,
    check_tensor,
    datatype,
    from_bytes,
    input_info,
    to_bytes,
)
from .json_tensors import (
    as_json,
    dump_finite,
    dump_with_tokens,
    flattened,
    is_finite,
    values_as_array,
)

_MODEL = re.compile(
    r"/v2/models/([^/]+)(?:/versions/(\d+))?(?:/(ready|infer|config|stats))?"
)
_CONTROL = re.compile(r"/v2/repository/models/([^/]+)/(load|unload)")

BASE64 = "base64"

# How long the JSON is before tensors as bytes begin, in requests and in answers.
LENGTH_HEADER = b"inference-header-content-length"
BYTES = "application/octet-stream"


class KServeApi(Api):
    """Answers what is below `/v2`.

    Beyond the protocol: the parameter `signature_name` of a request chooses another
    signature than the default one; the parameter `content_type` "base64" of an input
    or output of BYTES says that its strings are base64.
    """

    async def __call__(self, request: Request) -> Answer:
        """Answers one request."""
        if request.verb == "GET" and request.path == "/v2/models/stats":
            return _json(descriptions.statistics(self.repository.available()))
        match = _MODEL.fullmatch(request.path)
        if match and request.verb == "POST" and match[3] == "infer":
            request.method = "infer"
            async with self.bodies.of(request) as body:
                return await self._infer(request, body, match)
        if match and request.verb == "GET" and match[3] != "infer":
            return self._described(match)
        if request.verb == "GET" and request.path in ("/v2", "/v2/"):
            return _json(descriptions.server())
        if request.verb == "GET" and request.path == "/v2/health/live":
            return _json({"live": True})
        if request.verb == "GET" and request.path == "/v2/health/ready":
            ready = self.repository.is_ready
            return _json({"live": True, "ready": ready}, 200 if ready else 503)
        if request.verb == "POST" and request.path == "/v2/repository/index":
            async with self.bodies.of(request) as body:
                asked = json_values.parse(body) if body.strip() else {}
            only_ready = asked.get("ready") is True
            return _json(descriptions.index(self.repository, only_ready))
        control = _CONTROL.fullmatch(request.path)
        if control and request.verb == "POST":
            await self.repository.control(unquote(control[1]), control[2] == "load")
            return _json({})
        raise not_found(f"Not served: {request.verb} {request.path}")

    async def _infer(self, request: Request, body: bytes, match: re.Match) -> Answer:
        name, number = _spec(match)
        length = _length_of_json(request.header(LENGTH_HEADER), body)
        async with self.runner.admitted(name):
            version = self.repository.find(name, number)
            request.model = version.model
            work = partial(_infer, version.model, version.number, body, length)
            return await self.runner.answer(version, work, len(body))

    def _described(self, match: re.Match) -> Answer:
        name, number = _spec(match)
        try:
            version = self.repository.find(name, number)
        except ServingError:
            if match[3] != "ready":
                raise
            return _json({"name": name, "ready": False}, 404)
        if match[3] == "ready":
            return _json({"name": name, "ready": True})
        if match[3] == "config":
            return _json(descriptions.config(version, as_numbers=False))
        if match[3] == "stats":
            return _json(descriptions.statistics([version]))
        return _json(descriptions.metadata(self.repository, version))


def _spec(match: re.Match) -> tuple[str, int | None]:
    number = as_version(match[2]) if match[2] else None
    if match[2] and number is None:
        raise not_found(f"No version has the number {match[2][:100]}")
    return unquote(match[1]), number


def _json(document: Any, status: int = 200) -> Answer:
    return Answer(json.dumps(document, ensure_ascii=False).encode(), status)


def _length_of_json(said: bytes | None, body: bytes) -> int:
    if said is None:
        return len(body)
    if not said.isdigit() or len(said) > 18 or int(said) > len(body):
        raise invalid(
            "Inference-Header-Content-Length: expected the length of the JSON that "
            f"the body begins with; received {said.decode('latin-1')[:100]}"
        )
    return int(said)


def _infer(
    name: str, number: int, body: bytes, length: int, model: LoadedModel
) -> Work[Answer]:
    document = json_values.parse(body[:length])
    parameters = _object(document, "parameters")
    signature_name = parameters.get("signature_name", "")
    if not isinstance(signature_name, str):
        raise invalid("parameters.signature_name must be a string")
    signature = model.signature(signature_name)
    wanted = _wanted(document, signature, parameters.get("binary_data_output") is True)
    raw = memoryview(body)[length:]
    answers = yield Question(signature, _inputs(document, raw, signature))
    response: dict[str, Any] = {"model_name": name, "model_version": str(number)}
    if "id" in document:
        if not isinstance(document["id"], str):
            raise invalid("id must be a string")
        response["id"] = document["id"]
    given = {key: answers[key] for key in wanted}
    return _dumped(response, given, {key for key in wanted if wanted[key]}, signature)


def _inputs(
    document: Mapping[str, Any], raw: memoryview, signature: Signature
) -> Arrays:
    arrays: Arrays = {}
    for place, given in enumerate(_objects(document, "inputs")):
        path = f"inputs[{place}]"
        info = input_info(signature, given.get("name"), path)
        if info.name in arrays:
            raise invalid(f"{path}: input {info.name} is given twice")
        shape = given.get("shape")
        check_tensor(signature, info, given.get("datatype"), shape, path)
        parameters = _object(given, "parameters")
        size = parameters.get("binary_data_size")
        if size is None:
            arrays[info.name] = _array(given, parameters, info, path)
            continue
        if type(size) is not int or not 0 <= size <= len(raw):
            raise invalid(
                f"{path}.parameters.binary_data_size: the body has {len(raw)} bytes "
                f"left; received {json_values.shown_value(size)}"
            )
        arrays[info.name] = from_bytes(bytes(raw[:size]), info, shape or [], path)
        raw = raw[size:]
    if len(raw):
        raise invalid(f"The body has {len(raw)} bytes that are of no input")
    check_complete(signature, arrays)
    return arrays


def _array(
    given: Mapping[str, Any],
    parameters: Mapping[str, Any],
    info: TensorInfo,
    path: str,
) -> np.ndarray:
    shape = given["shape"]
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
    if parameters.get("content_type") == BASE64:
        values = [{"b64": each} for each in values]
    array = values_as_array(values, info.dtype, own_shape, place)
    try:
        return array.reshape(shape)
    except ValueError as error:
        raise invalid(f"{path}.shape: {error}") from None


def _wanted(
    document: Mapping[str, Any], signature: Signature, as_bytes: bool
) -> dict[str, bool]:
    """The names of the outputs that are asked for, and whether as bytes."""
    wanted = {}
    for place, each in enumerate(_objects(document, "outputs", needed=False)):
        check_output(signature, each.get("name"), f"outputs[{place}]")
        said = _object(each, "parameters").get("binary_data", as_bytes)
        wanted[each["name"]] = said is True
    return wanted or dict.fromkeys(signature.outputs, as_bytes)


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


def _dumped(
    response: dict[str, Any], answers: Arrays, as_bytes: set[str], signature: Signature
) -> Answer:
    finite = all(
        is_finite(array) for name, array in answers.items() if name not in as_bytes
    )
    raw = {name: to_bytes(answers[name]) for name in answers if name in as_bytes}
    response["outputs"] = [
        {
            "name": name,
            "shape": list(array.shape),
            "datatype": datatype(signature.outputs[name].dtype),
            **(
                {"parameters": {"binary_data_size": len(raw[name])}}
                if name in raw
                else _data(name, array, finite)
            ),
        }
        for name, array in answers.items()
    ]
    document = (dump_finite if finite else dump_with_tokens)(response)
    if not raw:
        return Answer(document, 200, JSON)
    headers = ((LENGTH_HEADER, b"%d" % len(document)),)
    return Answer(b"".join([document, *raw.values()]), 200, BYTES, headers)


def _data(name: str, array: np.ndarray, as_array: bool) -> dict[str, Any]:
    if array.dtype == object and name.endswith("_bytes"):
        data = [base64.b64encode(each).decode() for each in array.flat]
        return {"parameters": {"content_type": BASE64}, "data": data}
    return {"data": as_json(name, array.ravel(), as_array)}
