"""KServe's v2 API (the Open Inference Protocol) over gRPC."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format

from ..errors import ServingError, as_serving_error, invalid, not_found
from ..models.folders import as_version
from ..models.loading import LoadedModel
from ..models.signatures import Arrays, Question, Signature, TensorInfo, Work
from ..models.versions import Repository, Version
from . import inference_descriptions as descriptions
from .grpc_calls import Calls, Context
from .inference_messages import SERVICE, message_class
from .inference_tensors import (
    CONTENTS,
    check_complete,
    check_output,
    check_tensor,
    datatype,
    from_bytes,
    input_info,
    to_bytes,
)
from .json_tensors import values_as_array


class InferenceService:
    """GRPCInferenceService, without what is about shared memory and traces.

    Args:
        repository: The models.
        calls: Runs what asks a model.
    """

    def __init__(self, repository: Repository, calls: Calls):
        self._repository = repository
        self._calls = calls

    def handler(self) -> grpc.GenericRpcHandler:
        """What a server adds, to serve this."""
        unary: dict[str, Callable[[Any], Awaitable[Any] | Any]] = {
            "ServerLive": lambda request: {"live": True},
            "ServerReady": lambda request: {"ready": self._repository.is_ready},
            "ModelReady": self._model_ready,
            "ServerMetadata": lambda request: descriptions.server(),
            "ModelMetadata": self._model_metadata,
            "ModelConfig": self._model_config,
            "ModelStatistics": self._model_statistics,
            "RepositoryIndex": self._repository_index,
            "RepositoryModelLoad": partial(self._control, True),
            "RepositoryModelUnload": partial(self._control, False),
        }
        methods = {
            name: grpc.unary_unary_rpc_method_handler(
                partial(_answered, function, message_class(f"{name}Response")),
                **_serialization(f"{name}Request", f"{name}Response"),
            )
            for name, function in unary.items()
        }
        methods["ModelInfer"] = grpc.unary_unary_rpc_method_handler(
            self._infer, **_serialization("ModelInferRequest", "ModelInferResponse")
        )
        methods["ModelStreamInfer"] = grpc.stream_stream_rpc_method_handler(
            self._infer_stream,
            **_serialization("ModelInferRequest", "ModelStreamInferResponse"),
        )
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def _find(self, request: Any) -> Version:
        return self._repository.find(request.name, _number(request.version))

    def _model_ready(self, request: Any) -> dict[str, Any]:
        try:
            self._find(request)
        except ServingError:
            return {"ready": False}
        return {"ready": True}

    def _model_metadata(self, request: Any) -> dict[str, Any]:
        return descriptions.metadata(self._repository, self._find(request))

    def _model_config(self, request: Any) -> dict[str, Any]:
        return {"config": descriptions.config(self._find(request), as_numbers=True)}

    def _model_statistics(self, request: Any) -> dict[str, Any]:
        asked = [self._find(request)] if request.name else self._repository.available()
        return descriptions.statistics(asked)

    def _repository_index(self, request: Any) -> dict[str, Any]:
        return {"models": descriptions.index(self._repository, request.ready)}

    async def _control(self, load: bool, request: Any) -> dict[str, Any]:
        name = request.model_name or request.repository_name
        await self._repository.control(name, load)
        return {"model_name": name, "isLoaded" if load else "isUnloaded": True}

    async def _infer(self, request: Any, context: Context) -> Any:
        try:
            return await self._answer(request, context)
        except ServingError as error:
            await context.abort(error.code, error.message)

    async def _infer_stream(
        self, requests: AsyncIterator[Any], context: Context
    ) -> AsyncIterator[Any]:
        """Answers one request after the other; an error does not end the stream."""
        streamed = message_class("ModelStreamInferResponse")
        async for request in requests:
            try:
                response = await self._answer(request, context)
            except ServingError as error:
                yield streamed(error_message=error.message)
            else:
                yield streamed(infer_response=response)

    async def _answer(self, request: Any, context: Context) -> Any:
        version, response = await self._calls.run(
            context.time_remaining(),
            "infer",
            lambda: (request.model_name, _number(request.model_version), None),
            partial(_infer, request),
            request.ByteSize(),
        )
        response.model_name = version.model
        response.model_version = str(version.number)
        response.id = request.id
        return response


def _serialization(request: str, response: str) -> dict[str, Any]:
    return {
        "request_deserializer": message_class(request).FromString,
        "response_serializer": message_class(response).SerializeToString,
    }


async def _answered(
    function: Callable[[Any], Any], response: Any, request: Any, context: Context
) -> Any:
    """The message of what a function of a request gives as JSON."""
    try:
        document = function(request)
        if isinstance(document, Awaitable):
            document = await document
    except Exception as error:
        failure = as_serving_error(error)
        await context.abort(failure.code, failure.message)
    return json_format.ParseDict(document, response(), ignore_unknown_fields=True)


def _number(version: str) -> int | None:
    if not version:
        return None
    number = as_version(version)
    if number is None:
        raise not_found(f"No version has the number {version[:100]}")
    return number


def _infer(request: Any, model: LoadedModel) -> Work[Any]:
    signature = model.signature(request.parameters["signature_name"].string_param)
    for place, each in enumerate(request.outputs):
        check_output(signature, each.name, f"outputs[{place}]")
    answers = yield Question(signature, _inputs(request, signature))
    names = [each.name for each in request.outputs] or list(signature.outputs)
    infos = [signature.outputs[name] for name in names]
    # As they came; some types have no other form.
    as_bytes = bool(request.raw_input_contents) or not all(
        info.dtype in CONTENTS for info in infos
    )
    response = message_class("ModelInferResponse")()
    for info in infos:
        array = answers[info.name]
        output = response.outputs.add(
            name=info.name, datatype=datatype(info.dtype), shape=array.shape
        )
        if as_bytes:
            response.raw_output_contents.append(to_bytes(array))
        else:
            values = getattr(output.contents, CONTENTS[info.dtype])
            values.extend(array.ravel().tolist())
    return response


def _inputs(request: Any, signature: Signature) -> Arrays:
    arrays: Arrays = {}
    raw = list(request.raw_input_contents)
    if raw and len(raw) != len(request.inputs):
        raise invalid(
            f"raw_input_contents: expected one for each of {len(request.inputs)} "
            f"inputs; received {len(raw)}"
        )
    for place, given in enumerate(request.inputs):
        path = f"inputs[{place}]"
        info = input_info(signature, given.name, path)
        if info.name in arrays:
            raise invalid(f"{path}: input {info.name} is given twice")
        shape = list(given.shape)
        check_tensor(signature, info, given.datatype, shape, path)
        if raw:
            arrays[info.name] = from_bytes(raw[place], info, shape, path)
        else:
            arrays[info.name] = _array(given, info, shape, path)
    check_complete(signature, arrays)
    return arrays


def _array(given: Any, info: TensorInfo, shape: list[int], path: str) -> np.ndarray:
    if info.dtype not in CONTENTS:
        raise invalid(
            f"{path}: tensors of {datatype(info.dtype)} come in raw_input_contents"
        )
    field = CONTENTS[info.dtype]
    values = list(getattr(given.contents, field))
    if len(values) != int(np.prod(shape, dtype=object)):
        raise invalid(
            f"{path}.contents.{field}: expected as many values as shape {shape} has; "
            f"received {len(values)}"
        )
    if info.dtype == tf.string:
        array = np.empty(len(values), object)
        array[:] = values
    else:
        array = values_as_array(
            values,
            info.dtype,
            (len(values),),
            lambda indices: f"{path}.contents.{field}{list(indices)}",
        )
    try:
        return array.reshape(shape)
    except ValueError as error:
        raise invalid(f"{path}.shape: {error}") from None
