"""Models of numbers alone, written as ONNX or for LiteRT."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from .errors import UserError
from .files import write_json
from .portable import ARRAYS_FILE, SETTINGS_FILE, Portable, PortableModel
from .serving_module import graph
from .task import Servable
from .versions import MODEL_FILES

# Of 2022: runtimes of browsers and phones have it.
_ONNX_OPSET = 17
_TOLERANCE = 1e-4


def write_portable(portable: Portable, format: str, folder: Path) -> Any:
    """Writes the model, and what its preprocessing needs, into the folder.

    Args:
        portable: What to write.
        format: "onnx" or "litert".
        folder: Of the version.

    Returns:
        The model as a concrete function, whose inputs and outputs the card names.

    Raises:
        UserError: The converter is not installed, or does not know an operation.
    """
    _WRITERS[format](portable, folder / MODEL_FILES[format])
    write_json(folder / SETTINGS_FILE, dict(portable.settings))
    if portable.arrays:
        np.savez(folder / ARRAYS_FILE, **portable.arrays)  # type: ignore[arg-type]
    return graph(portable.function, portable.signature).get_concrete_function()


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


def _write_onnx(portable: Portable, path: Path) -> None:
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
            graph(portable.function, portable.signature),
            input_signature=portable.signature,
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


def _write_litert(portable: Portable, path: Path) -> None:
    # Its lists of tensors, which loops write to, must have a known number of rows.
    signature = [
        tf.TensorSpec([1, *spec.shape[1:]], spec.dtype, spec.name)
        for spec in portable.signature
    ]
    module = tf.Module()
    module.run = graph(portable.function, signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.run.get_concrete_function()], module
    )
    with _converting("litert"):
        path.write_bytes(converter.convert())


_WRITERS: Mapping[str, Callable[[Portable, Path], None]] = {
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
