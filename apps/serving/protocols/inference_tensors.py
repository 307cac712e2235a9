"""Tensors of the Open Inference Protocol: its names of types, and values as bytes."""

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ..errors import ServingError, invalid
from ..models.signatures import Signature, TensorInfo
from . import json_values
from .json_tensors import MOST_DIMENSIONS

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
    tf.string: "BYTES",
    tf.bfloat16: "BF16",
}

# The field of InferTensorContents for each type; the others come as bytes alone.
CONTENTS = {
    tf.bool: "bool_contents",
    tf.uint8: "uint_contents",
    tf.uint16: "uint_contents",
    tf.uint32: "uint_contents",
    tf.uint64: "uint64_contents",
    tf.int8: "int_contents",
    tf.int16: "int_contents",
    tf.int32: "int_contents",
    tf.int64: "int64_contents",
    tf.float32: "fp32_contents",
    tf.float64: "fp64_contents",
    tf.string: "bytes_contents",
}

_LENGTH = struct.Struct("<I")


def datatype(dtype: tf.DType) -> str:
    """What the protocol calls a type of tensors."""
    return _DATATYPES.get(dtype, dtype.name)


def config_type(dtype: tf.DType) -> tuple[int, str]:
    """What model configurations call it: a number and a name."""
    places = {each: place for place, each in enumerate(_DATATYPES, 1)}
    if dtype not in places:
        return 0, "TYPE_INVALID"
    name = "STRING" if dtype == tf.string else _DATATYPES[dtype]
    return places[dtype], f"TYPE_{name}"


def shape_of(info: TensorInfo) -> list[int]:
    """The shape for metadata."""
    return [-1 if size is None else size for size in info.shape or ()]


def input_info(signature: Signature, name: Any, path: str) -> TensorInfo:
    """The input of that name.

    Raises:
        ServingError: If there is none.
    """
    info = signature.inputs.get(name) if isinstance(name, str) else None
    if info is None:
        raise invalid(
            f"{path}.name: expected one of {', '.join(signature.inputs)}; received "
            f"{json_values.shown_value(name)}"
        )
    return info


def check_complete(signature: Signature, given: Any) -> None:
    """Refuses a request that leaves inputs out."""
    missing = set(signature.inputs) - set(given)
    if missing:
        raise invalid(f"inputs: missing {', '.join(sorted(missing))}")


def check_output(signature: Signature, name: Any, path: str) -> None:
    """Refuses an output that the signature does not have."""
    if not isinstance(name, str) or name not in signature.outputs:
        raise invalid(
            f"{path}.name: expected one of {', '.join(signature.outputs)}; received "
            f"{json_values.shown_value(name)}"
        )


def check_tensor(
    signature: Signature, info: TensorInfo, type_name: Any, shape: Any, path: str
) -> None:
    """Refuses another type than the input's, what is no shape, and too many rows."""
    expected = datatype(info.dtype)
    if type_name != expected:
        raise invalid(
            f"{path}.datatype: expected {expected}; received "
            f"{json_values.shown_value(type_name)}"
        )
    # Without a limit on both, their product alone takes minutes.
    if (
        not isinstance(shape, list)
        or len(shape) > MOST_DIMENSIONS
        or not all(type(size) is int and 0 <= size <= tf.int64.max for size in shape)
    ):
        raise invalid(
            f"{path}.shape: expected a list of whole numbers, {MOST_DIMENSIONS} at "
            f"most; received {json_values.shown_value(shape)}"
        )
    if shape:
        signature.check_rows(info.name, shape[0])


def from_bytes(
    raw: bytes, info: TensorInfo, shape: Sequence[int], path: str
) -> np.ndarray:
    """The array that bytes hold, the first values first, little-endian.

    Raises:
        ServingError: If there are more or fewer than the shape has.
    """
    number = math.prod(shape)
    if info.dtype == tf.string:
        values = _strings(raw, path)
        if len(values) != number:
            raise _wrong_number(path, shape, f"{len(values)} strings")
        array = np.empty(number, object)
        array[:] = values
        return _shaped(array, shape, path)
    expected = number * info.dtype.size
    if len(raw) != expected:
        raise _wrong_number(path, shape, f"{len(raw)} bytes, not {expected}")
    if info.dtype == tf.bool:
        return _shaped(np.frombuffer(raw, np.uint8) != 0, shape, path)
    return _shaped(np.frombuffer(raw, info.dtype.as_numpy_dtype), shape, path)


def _shaped(array: np.ndarray, shape: Sequence[int], path: str) -> np.ndarray:
    try:
        return array.reshape(shape)
    except ValueError as error:
        raise invalid(f"{path}.shape: {error}") from None


def _wrong_number(path: str, shape: Sequence[int], received: str) -> ServingError:
    return invalid(
        f"{path}: expected as many values as shape {list(shape)} has; received "
        f"{received}"
    )


def _strings(raw: bytes, path: str) -> list[bytes]:
    """Each stands behind its length, in four bytes."""
    values = []
    place = 0
    while place < len(raw):
        begin = place + _LENGTH.size
        if begin > len(raw):
            raise invalid(f"{path}: the bytes end within the length of a string")
        (length,) = _LENGTH.unpack_from(raw, place)
        place = begin + length
        if place > len(raw):
            raise invalid(f"{path}: the bytes end within a string")
        values.append(raw[begin:place])
    return values


def to_bytes(array: np.ndarray) -> bytes:
    """An output as bytes, as `from_bytes` reads them."""
    if array.dtype == object:
        return b"".join(_LENGTH.pack(len(each)) + each for each in array.flat)
    return array.tobytes()
