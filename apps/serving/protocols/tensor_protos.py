"""Predict as gRPC has it: TensorProto in, TensorProto out."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from ..errors import invalid
from ..models.loading import LoadedModel
from ..models.signatures import Question, Signature, TensorInfo, Work, shown
from .json_tensors import MOST_DIMENSIONS

# The field in which TensorFlow Serving sends values of each type.
_FIELDS = {
    tf.float32: "float_val",
    tf.float64: "double_val",
    tf.int32: "int_val",
    tf.int16: "int_val",
    tf.int8: "int_val",
    tf.uint16: "int_val",
    tf.uint8: "int_val",
    tf.int64: "int64_val",
    tf.uint32: "uint32_val",
    tf.uint64: "uint64_val",
    tf.bool: "bool_val",
    tf.string: "string_val",
}


def predict(
    model: LoadedModel, request: predict_pb2.PredictRequest
) -> Work[predict_pb2.PredictResponse]:
    """Answers a PredictRequest; the caller fills in the model's name and version."""
    signature = model.signature(request.model_spec.signature_name)
    _check_names(signature, request.inputs)
    wanted = _wanted(signature, list(request.output_filter))
    arrays = {
        name: _array_of(request.inputs[name], info, signature)
        for name, info in signature.inputs.items()
    }
    answers = yield Question(signature, arrays)
    response = predict_pb2.PredictResponse()
    response.model_spec.signature_name = signature.name
    for name in wanted:
        fill_proto(response.outputs[name], answers[name])
    return response


def bytes_of(request: Any) -> int:
    """Of a request, once its tensors are filled: a few bytes can ask for many."""
    filled = (
        # Of more dimensions the product itself takes long; such are refused.
        8 * math.prod(dim.size for dim in proto.tensor_shape.dim[:MOST_DIMENSIONS])
        for proto in getattr(request, "inputs", {}).values()
    )
    return max(request.ByteSize(), *filled, 0)


def _check_names(signature: Signature, inputs: Mapping[str, Any]) -> None:
    sent, expected = set(inputs), set(signature.inputs)
    if sent == expected:
        return
    raise invalid(
        f"input size does not match signature: {len(sent)}!={len(expected)} "
        f"len({_set(sent)}) != len({_set(expected)}). "
        f"Sent extra: {_set(sent - expected)}. "
        f"Missing but required: {_set(expected - sent)}."
    )


def _wanted(signature: Signature, names: list[str]) -> list[str]:
    for name in names:
        if name not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {name} Outputs expected "
                f"to be in the set {_set(signature.outputs)}."
            )
        if names.count(name) > 1:
            raise invalid(f"duplicate output tensor alias: {name}")
    return names or list(signature.outputs)


def _set(names: Any) -> str:
    return "{" + ",".join(sorted(names)) + "}"


def _array_of(proto: Any, info: TensorInfo, signature: Signature) -> np.ndarray:
    """Likewise, within the limits of a request: a few bytes can ask for gigabytes."""
    sizes = [dim.size for dim in proto.tensor_shape.dim]
    if len(sizes) > MOST_DIMENSIONS:
        raise invalid(
            f"Input {info.name} has {len(sizes)} dimensions; expected at most "
            f"{MOST_DIMENSIONS}"
        )
    if sizes:
        signature.check_rows(info.name, sizes[0])
    # A string without characters takes a pointer.
    signature.check_bytes(info.name, math.prod(sizes) * (info.dtype.size or 8))
    return array_of(proto, info)


def array_of(proto: Any, info: TensorInfo) -> np.ndarray:
    """The array that a TensorProto holds for an input.

    Raises:
        ServingError: If its type is another, or it is malformed.
    """
    if proto.dtype != info.dtype.as_datatype_enum:
        raise invalid(
            f"Input {info.name} has type {_type_name(proto.dtype)}; expected "
            f"{info.dtype.name}"
        )
    sizes = [dim.size for dim in proto.tensor_shape.dim]
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in sizes):
        raise invalid(f"Input {info.name} has no complete shape: {shown(sizes)}")
    try:
        return tf.make_ndarray(proto)
    except (TypeError, ValueError) as error:
        raise invalid(f"Input {info.name} cannot be read: {error}") from None


def _type_name(number: int) -> str:
    try:
        return tf.as_dtype(number).name if number else "none"
    except TypeError:
        return f"{number}, which is none"


def fill_proto(proto: Any, array: np.ndarray) -> None:
    """Writes an array into a TensorProto, in the fields that clients read."""
    dtype = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
    field = _FIELDS.get(dtype)
    if field is None:
        proto.CopyFrom(tf.make_tensor_proto(array))
        return
    proto.dtype = dtype.as_datatype_enum
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    getattr(proto, field).extend(array.ravel().tolist())
