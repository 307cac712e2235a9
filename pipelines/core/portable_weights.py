"""Weights of graphs of ONNX in fewer bytes: kept as float16 or int8, used as float32.

A graph makes float32 of them by operations that every runtime has, once when it is
opened where the runtime folds constants. So files shrink, and answers take as long.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

#: What `recurra export --weights` can be.
WEIGHTS = ("float32", "float16", "int8")

# Operations that read weights: what they multiply with, or look up in.
_READERS = {"Conv", "Einsum", "Gather", "Gemm", "GRU", "LSTM", "MatMul", "RNN"}
# Numbers, below which there is nothing to gain.
_LEAST = 256
_LARGEST_INT8 = 127


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
    nodes += graph.node
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)


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
                yield from _read_by(attribute.g)
