"""Weights of graphs of ONNX in fewer bytes: kept once, and as float16 or int8.

A graph makes float32 of them by operations that every runtime has, once when it is
opened where the runtime folds constants. So files shrink, and answers take as long.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

#: What `recurra export --weights` can be.
WEIGHTS = ("float32", "float16", "int8")

# Operations that read weights: what they multiply with, or look up in.
_READERS = {"Conv", "Einsum", "Gather", "Gemm", "GRU", "LSTM", "MatMul", "RNN"}
# Numbers, below which there is nothing to gain.
_LEAST = 256
_LARGEST_INT8 = 127


def keep_once(model: Any) -> None:
    """Keeps once what a model of ONNX has twice, as it is and transposed.

    So are embeddings that are also what the output is multiplied with.

    Args:
        model: An `onnx.ModelProto`, which is changed.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    names: dict[tuple[tuple[int, ...], bytes], str] = {}
    kept, nodes = [], []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.ndim == 2 and values.size >= _LEAST:
            same = names.get((values.T.shape, _digest(values.T)))
            if same is not None:
                nodes.append(helper.make_node("Transpose", [same], [tensor.name]))
                continue
            names[values.shape, _digest(values)] = tensor.name
        kept.append(tensor)
    _replace(graph, kept, nodes)


def shrink(model: Any, weights: str) -> None:
    """Keeps the weights of a model of ONNX in fewer bytes.

    float16 keeps each weight to 11 bits. int8 keeps it as a whole number up to 127
    times a scale, one for each row or each column, whichever comes closer.

    Args:
        model: An `onnx.ModelProto`, which is changed.
        weights: One of `WEIGHTS`.
    """
    from onnx import TensorProto, helper, numpy_helper

    if weights == "float32":
        return
    graph = model.graph
    read = set(_read_by(graph))
    kept, nodes = [], []
    for tensor in graph.initializer:
        name, values = tensor.name, numpy_helper.to_array(tensor)
        is_float = values.dtype == np.float32
        if name not in read or not is_float or values.size < _LEAST:
            kept.append(tensor)
            continue
        stored, scale = _stored(values, weights)
        kept.append(numpy_helper.from_array(stored, f"{name}/stored"))
        cast = name if scale is None else f"{name}/unscaled"
        nodes.append(
            helper.make_node("Cast", [f"{name}/stored"], [cast], to=TensorProto.FLOAT)
        )
        if scale is not None:
            kept.append(numpy_helper.from_array(scale, f"{name}/scale"))
            nodes.append(helper.make_node("Mul", [cast, f"{name}/scale"], [name]))
    _replace(graph, kept, nodes)


def _replace(graph: Any, initializers: Sequence[Any], first: Sequence[Any]) -> None:
    """Gives a graph other initializers, and nodes before its own."""
    nodes = [*first, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(initializers)
    graph.node.extend(nodes)


def _digest(values: np.ndarray) -> bytes:
    return hashlib.sha256(values.dtype.str.encode() + values.tobytes()).digest()


def _stored(values: np.ndarray, weights: str) -> tuple[np.ndarray, np.ndarray | None]:
    """What is kept of weights, and the scale that it is times, if there is one."""
    if weights == "float16":
        highest = np.finfo(np.float16).max
        return np.clip(values, -highest, highest).astype(np.float16), None
    found = []
    # One scale for all is the last resort of arrays without a long axis.
    for axes in (*range(values.ndim), None):
        largest = np.abs(values).max(axis=axes, keepdims=True)
        if largest.size > values.size // 8:
            continue
        scale = np.where(largest > 0, largest, 1).astype(np.float32) / _LARGEST_INT8
        stored = np.rint(values / scale).astype(np.int8)
        found.append((np.square(values - stored * scale).sum(), stored, scale))
    _, stored, scale = min(found, key=lambda each: each[0])
    return stored, scale


def _read_by(graph: Any) -> Iterator[str]:
    """Names that the readers of a graph read, those of its loops included."""
    for node in graph.node:
        if node.op_type in _READERS:
            yield from node.input
        for attribute in node.attribute:
            if attribute.HasField("g"):
                within = set(_read_by(attribute.g))
                yield from within
                # A loop takes weights as variables, which it leaves as they are.
                names = zip(attribute.g.input, node.input, strict=False)
                yield from (outer for own, outer in names if own.name in within)
