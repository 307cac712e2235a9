"""Predict as REST has it: JSON in rows or columns in, JSON out."""

import base64
import json
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

import grpc
import numpy as np
import orjson
import tensorflow as tf

from ..errors import ServingError, invalid
from ..models.signatures import Arrays, Signature, TensorInfo, shown
from .json_values import decoded_base64, is_base64, json_type, shown_value

# Of a value within a tensor, from its indices to how a message calls it.
Path = Callable[[tuple[int, ...]], str]

# As many as NumPy has.
MOST_DIMENSIONS = 64

_NUMBERS = {
    tf.float32,
    tf.float64,
    tf.float16,
    tf.bfloat16,
    tf.int8,
    tf.int16,
    tf.int32,
    tf.int64,
    tf.uint8,
    tf.uint16,
    tf.uint32,
    tf.uint64,
}


def signature_name(body: Mapping[str, Any]) -> str:
    """The name of the signature that a request asks for; "" for the default one."""
    name = body.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {shown_value(body)} not formatted correctly. "
            "'signature_name' key must be a string value."
        )
    return name


def arrays_of(body: Mapping[str, Any], signature: Signature) -> tuple[Arrays, bool]:
    """The arrays of a predict request, and whether it is in rows.

    Raises:
        ServingError: If the JSON does not fit the signature; the message names the path
            of the value.
    """
    if not signature.inputs:
        raise invalid(f"Failed to get input map for signature: {signature.name}")
    if "instances" in body and "inputs" in body:
        raise invalid(
            f"JSON Value: {shown_value(body)} Not formatted correctly expecting only "
            "one of 'inputs' or 'instances' keys to exist "
        )
    if "instances" in body:
        return _of_rows(body["instances"], signature), True
    if "inputs" in body:
        return _of_columns(body["inputs"], signature), False
    raise invalid("Missing 'inputs' or 'instances' key")


def _of_rows(instances: Any, signature: Signature) -> Arrays:
    if not isinstance(instances, list):
        raise invalid(
            f"JSON Value: {shown_value(instances)} Excepting 'instances' to be an "
            "list/array"
        )
    if not instances:
        raise invalid("JSON Value: [] No values in 'instances' array")
    inputs = signature.inputs
    # Before the work of reading them.
    signature.check_rows(next(iter(inputs)), len(instances))
    if _is_object(instances[0]):
        _check_rows_of_objects(instances, signature)
        return {
            name: array_of(
                [instance[name] for instance in instances], info, _path_in_rows(name)
            )
            for name, info in inputs.items()
        }
    if len(inputs) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple "
            "input tensors required as per tensorinfo_map"
        )
    for number, instance in enumerate(instances):
        if _is_object(instance):
            raise invalid(
                f"Expecting value/list but got object at item {number} of input list"
            )
    ((name, info),) = inputs.items()
    return {name: array_of(instances, info, _path("instances"))}


def _check_rows_of_objects(instances: list[Any], signature: Signature) -> None:
    names = set(signature.inputs)
    for number, instance in enumerate(instances):
        if not _is_object(instance):
            raise invalid(
                f"Expecting object but got list at item {number} of input list"
            )
        if set(instance) != names:
            raise invalid(
                f"Failed to process element: {number} of 'instances' list. JSON "
                f"object: {shown_value(instance)} keys must be equal to: "
                f"{','.join(sorted(names))}"
            )


def _of_columns(value: Any, signature: Signature) -> Arrays:
    inputs = signature.inputs
    columns = value if _is_object(value) else dict.fromkeys(inputs, value)
    for name in inputs:
        if isinstance(columns.get(name), list):
            signature.check_rows(name, len(columns[name]))
    if not _is_object(value):
        if len(inputs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple "
                "input tensors required as per tensorinfo_map"
            )
        ((name, info),) = inputs.items()
        return {name: array_of(value, info, _path("inputs"))}
    for name in inputs:
        if name not in value:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
    return {
        name: array_of(value[name], info, _path(f"inputs.{name}"))
        for name, info in inputs.items()
    }


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _path(begin: str) -> Path:
    return lambda indices: begin + "".join(f"[{index}]" for index in indices)


def _path_in_rows(name: str) -> Path:
    def path(indices: tuple[int, ...]) -> str:
        if not indices:
            return "instances"
        return _path(f"instances[{indices[0]}].{name}")(indices[1:])

    return path


def array_of(value: Any, info: TensorInfo, path: Path) -> np.ndarray:
    """The array that nested lists hold for an input.

    Raises:
        ServingError: If the lists are ragged, a value is of another type, or the shape
            is not one that the input takes.
    """
    shape, values = flattened(value, path)
    if not info.accepts(shape):
        raise _wrong_shape(shape, info, path)
    return values_as_array(values, info.dtype, shape, path)


def flattened(value: Any, path: Path) -> tuple[tuple[int, ...], list[Any]]:
    """The shape of nested lists, and their values in a row."""
    shape: list[int] = []
    values = [value]
    while values and list in (kinds := set(map(type, values))):
        if len(kinds) > 1 or len(set(map(len, values))) > 1:
            raise _ragged(value, path)
        shape.append(len(values[0]))
        if len(shape) > MOST_DIMENSIONS:
            raise invalid(f"Lists are nested too deeply at {path(())}")
        values = list(chain.from_iterable(values))
    return tuple(shape), values


def _ragged(value: Any, path: Path) -> ServingError:
    """Which list is not as the first one on its level."""
    level: list[tuple[tuple[int, ...], Any]] = [((), value)]
    while True:
        first = level[0][1]
        for indices, other in level:
            if isinstance(other, list) != isinstance(first, list):
                return invalid(
                    f"JSON Value: {shown_value(other)} found at incorrect level: "
                    f"{len(indices)}, where {path(level[0][0])} is a "
                    f"{'list' if isinstance(first, list) else 'value'}: {path(indices)}"
                )
            if isinstance(other, list) and len(other) != len(first):
                return invalid(
                    f"Encountered list at unexpected size: {len(other)} at level: "
                    f"{len(indices)} expected size: {len(first)}: {path(indices)}"
                )
        level = [
            ((*indices, index), inner)
            for indices, each in level
            for index, inner in enumerate(each)
        ]


def _wrong_shape(shape: tuple[int, ...], info: TensorInfo, path: Path) -> ServingError:
    expected = info.shape or ()
    wrong = next(
        (
            axis
            for axis, (size, wanted) in enumerate(zip(shape, expected, strict=False))
            if wanted is not None and size != wanted
        ),
        min(len(shape), len(expected)),
    )
    return invalid(
        f"Expecting shape {info.shown_shape()} but got: {shown(shape)} for input "
        f"{info.name}: {path((0,) * wrong)}"
    )


def values_as_array(
    values: list[Any], dtype: tf.DType, shape: tuple[int, ...], path: Path
) -> np.ndarray:
    """JSON values as an array of the type."""

    def path_of(place: int) -> str:
        return path(tuple(map(int, np.unravel_index(place, shape))) if shape else ())

    if dtype == tf.string:
        array = np.empty(len(values), object)
        array[:] = _as_bytes(values, path_of)
    elif dtype == tf.bool:
        _check_types(values, {bool}, dtype, path_of)
        array = np.array(values, np.bool_)
    elif dtype not in _NUMBERS:
        raise ServingError(
            grpc.StatusCode.UNIMPLEMENTED,
            f"Conversion of JSON Value: {shown_value(values[:1])} to type: "
            f"{dtype.name}: {path(())}",
        )
    elif dtype.is_floating:
        array = _as_floats(values, dtype, path_of)
    else:
        array = _as_integers(values, dtype, path_of)
    return array.reshape(shape)


def _as_bytes(values: list[Any], path_of: Callable[[int], str]) -> list[bytes]:
    if set(map(type, values)) <= {str}:
        return [value.encode() for value in values]
    encoded = []
    for place, value in enumerate(values):
        if isinstance(value, str):
            encoded.append(value.encode())
        elif is_base64(value):
            encoded.append(decoded_base64(value, path_of(place)))
        elif isinstance(value, dict):
            raise invalid(
                f"JSON Value: {shown_value(value)} not formatted correctly for base64 "
                f"data: {path_of(place)}"
            )
        else:
            raise _type_error(value, tf.string, path_of(place))
    return encoded


def _as_floats(
    values: list[Any], dtype: tf.DType, path_of: Callable[[int], str]
) -> np.ndarray:
    _check_types(values, {int, float}, dtype, path_of)
    try:
        exact = np.array(values, np.float64)
    except OverflowError:
        place = next(i for i, each in enumerate(values) if not _is_float64(each))
        raise _lossy(values[place], dtype, path_of(place)) from None
    with np.errstate(over="ignore"):
        array = exact.astype(dtype.as_numpy_dtype)
    lost = np.isinf(array) & np.isfinite(exact)
    # Whole numbers are taken as they are, or not at all.
    for large in np.flatnonzero(np.abs(exact) >= _WHOLE.get(dtype, np.inf)):
        if type(values[large]) is int and np.isfinite(array[large]):
            lost[large] |= int(array[large]) != values[large]
    if lost.any():
        place = int(np.argmax(lost))
        raise _lossy(values[place], dtype, path_of(place))
    return array


# Below which all whole numbers are values of the type.
_WHOLE = {tf.float32: 2.0**24, tf.float64: 2.0**53}


def _is_float64(value: Any) -> bool:
    try:
        float(value)
    except OverflowError:
        return False
    return True


def _as_integers(
    values: list[Any], dtype: tf.DType, path_of: Callable[[int], str]
) -> np.ndarray:
    _check_types(values, {int}, dtype, path_of)
    if values and not dtype.min <= min(values) <= max(values) <= dtype.max:
        place = next(
            i for i, each in enumerate(values) if not dtype.min <= each <= dtype.max
        )
        raise _type_error(values[place], dtype, path_of(place))
    return np.array(values, dtype.as_numpy_dtype)


def _check_types(
    values: list[Any],
    accepted: set[type],
    dtype: tf.DType,
    path_of: Callable[[int], str],
) -> None:
    if set(map(type, values)) <= accepted:
        return
    place = next(i for i, each in enumerate(values) if type(each) not in accepted)
    raise _type_error(values[place], dtype, path_of(place))


def _type_error(value: Any, dtype: tf.DType, path: str) -> ServingError:
    return invalid(
        f"JSON Value: {shown_value(value)} Type: {json_type(value)} is not of expected "
        f"type: {_NAMES.get(dtype, dtype.name)}: {path}"
    )


# As TensorFlow Serving calls them.
_NAMES = {tf.float32: "float", tf.float64: "double", tf.float16: "half"}


def _lossy(value: Any, dtype: tf.DType, path: str) -> ServingError:
    return invalid(
        f"Cannot convert JSON value: {shown_value(value)} to "
        f"{_NAMES.get(dtype, dtype.name)} without loss of precision.: {path}"
    )


def predictions(answers: Arrays) -> bytes:
    """The JSON answer to a request in rows."""
    rows = None
    for name, array in answers.items():
        if not array.ndim:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if rows is not None and len(array) != rows:
            raise invalid(
                f"Tensor name: {name} has inconsistent batch size: {len(array)} "
                f"expecting: {rows}"
            )
        rows = len(array)
    columns, dump = _columns(answers)
    if len(columns) == 1:
        return dump({"predictions": next(iter(columns.values()))})
    names = list(columns)
    instances = zip(*columns.values(), strict=True)
    return dump(
        {"predictions": [dict(zip(names, row, strict=True)) for row in instances]}
    )


def outputs(answers: Arrays) -> bytes:
    """The JSON answer to a request in columns."""
    columns, dump = _columns(answers)
    if len(columns) == 1:
        return dump({"outputs": next(iter(columns.values()))})
    return dump({"outputs": columns})


def _columns(answers: Arrays) -> tuple[dict[str, Any], Callable[[Any], bytes]]:
    """The outputs as JSON values, and what writes these."""
    finite = all(map(is_finite, answers.values()))
    columns = {name: as_json(name, each, finite) for name, each in answers.items()}
    return columns, dump_finite if finite else dump_with_tokens


def is_finite(array: np.ndarray) -> bool:
    """Whether no value needs a token that standard JSON lacks."""
    return array.dtype.kind in "biuO" or bool(np.isfinite(array).all())


def dump_finite(document: Any) -> bytes:
    """JSON, with arrays in it."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def dump_with_tokens(document: Any) -> bytes:
    """JSON with NaN and Infinity, without arrays in it."""
    return json.dumps(document, ensure_ascii=False).encode()


def as_json(name: str, array: np.ndarray, as_array: bool) -> Any:
    """An output as nested lists, or as the array itself if it is one of numbers."""
    if array.dtype == object:
        return _strings(name, array)
    if array.dtype.kind == "c":
        raise invalid(
            f"Failed to write JSON value for tensor type: {array.dtype}: {name}"
        )
    if array.dtype.kind == "V":
        # bfloat16, which is none of NumPy's own types.
        array = array.astype(np.float32)
    if as_array:
        return np.ascontiguousarray(array) if array.ndim else array[()]
    if array.dtype.kind != "f":
        return array.tolist()
    # By way of text, as short as the type allows: 0.2 and not 0.20000000298.
    texts = array.astype(str).astype(object)
    return np.vectorize(float, otypes=[object])(texts).tolist()


def shortest(value: float) -> float:
    """A float32 as the Python number with the fewest digits that is the same."""
    return float(str(np.float32(value)))


def _strings(name: str, array: np.ndarray) -> Any:
    values: list[Any]
    if name.endswith("_bytes"):
        values = [{"b64": base64.b64encode(each).decode()} for each in array.flat]
    else:
        values = [each.decode("utf-8", errors="replace") for each in array.flat]
    nested = np.empty(array.size, object)
    nested[:] = values
    return nested.reshape(array.shape).tolist()
