"""Graphs of numbers, written as ONNX or for LiteRT."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from .errors import UserError
from .files import write_json
from .portable import (
    ARRAYS_FILE,
    SETTINGS_FILE,
    NumberGraph,
    Portable,
    PortableModel,
    graph_file,
)
from .serving_module import graph
from .task import Servable

# Of 2022: runtimes of browsers and phones have it.
_ONNX_OPSET = 17
_TOLERANCE = 1e-4


def write_portable(portable: Portable, format: str, folder: Path) -> dict[str, Any]:
    """Writes the graphs, and what is needed around them, into the folder.

    Args:
        portable: What to write.
        format: "onnx" or "litert".
        folder: Of the version.

    Returns:
        The graphs by name, as concrete functions whose inputs and outputs the card has.

    Raises:
        UserError: The converter is not installed, or does not know an operation.
    """
    for name, each in portable.graphs.items():
        _WRITERS[format](each, graph_file(folder, name, format))
    write_json(folder / SETTINGS_FILE, dict(portable.settings))
    if portable.arrays:
        np.savez(folder / ARRAYS_FILE, **portable.arrays)  # type: ignore[arg-type]
    return {
        name: graph(each.function, each.signature).get_concrete_function()
        for name, each in portable.graphs.items()
    }


def check_portable(servable: Servable, model: PortableModel) -> None:
    """Compares the model's answers to the examples with those of the default signature.

    Raises:
        UserError: They are others: a converter took an operation for another one.
    """
    inputs = servable.examples["serving_default"]
    asked = {name: tf.constant(value) for name, value in inputs.items()}
    expected = servable.signatures["serving_default"](**asked)
    for name, found in model.run(inputs).items():
        value = expected[name].numpy()
        if value.dtype == object:
            is_equal = found.tolist() == value.tolist()
        else:
            is_equal = np.allclose(found, value, _TOLERANCE, _TOLERANCE, equal_nan=True)
        if not is_equal:
            raise UserError(
                f"--format: {name} differs from what the SavedModel answers to the "
                "examples; export it as a SavedModel"
            )


def _write_onnx(numbers: NumberGraph, path: Path) -> None:
    try:
        import onnx
        import tf2onnx
    except ImportError as error:
        raise UserError(
            f"--format onnx: {error}; this needs the extra onnx: "
            "pip install 'recurra[onnx]'"
        ) from None
    with _converting("onnx"):
        model, _ = tf2onnx.convert.from_function(
            graph(numbers.function, numbers.signature),
            input_signature=numbers.signature,
            opset=_ONNX_OPSET,
            custom_op_handlers={"SelectV2": (_selected, [])},
        )
        onnx.checker.check_model(model)
    onnx.save(model, path)


def _selected(graph: Any, node: Any, *others: Any) -> Any:
    """What `tf.where` is in ONNX.

    By itself tf2onnx takes the sum of both values, each times 0 or 1, which is not a
    number where the one that is left out is none.
    """
    node.type = "Where"
    return node


def _write_litert(numbers: NumberGraph, path: Path) -> None:
    # Its lists of tensors, which loops write to, must have a known number of rows.
    signature = [
        tf.TensorSpec([1, *spec.shape[1:]], spec.dtype, spec.name)
        for spec in numbers.signature
    ]
    module = tf.Module()
    module.run = graph(numbers.function, signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.run.get_concrete_function()], module
    )
    with _converting("litert"):
        path.write_bytes(converter.convert())


_WRITERS: Mapping[str, Callable[[NumberGraph, Path], None]] = {
    "onnx": _write_onnx,
    "litert": _write_litert,
}


@contextlib.contextmanager
def _converting(format: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(
            f"--format {format}: the model cannot be written so ({said[-1][:200]}); "
            "export it as a SavedModel"
        ) from error
