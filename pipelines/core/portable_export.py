"""Graphs of numbers, written as ONNX or for LiteRT."""

import contextlib
import logging
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
from .portable_weights import keep_once, shrink
from .serving_module import graph
from .task import Servable

# Of 2022: runtimes of browsers and phones have it.
_ONNX_OPSET = 17
_TOLERANCE = 1e-4

logger = logging.getLogger("recurra")


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
    functions = {
        name: graph(each.function, each.signature)
        for name, each in portable.graphs.items()
    }
    for name, function in functions.items():
        numbers, path = portable.graphs[name], graph_file(folder, name, format)
        _WRITERS[format](numbers, function, path, portable.weights)
    write_json(folder / SETTINGS_FILE, dict(portable.settings))
    if portable.arrays:
        np.savez(folder / ARRAYS_FILE, **portable.arrays)  # type: ignore[arg-type]
    return {name: each.get_concrete_function() for name, each in functions.items()}


def check_portable(
    servable: Servable, portable: Portable, model: PortableModel
) -> dict[str, Any]:
    """Compares the model's answers with those of the default signature.

    Args:
        servable: That the signature is of, with examples.
        portable: What was written.
        model: The same, opened.

    Returns:
        Of smaller weights, for the card: `type`; `rows`, how many were compared; by
        output the `largest` and the `mean` difference of numbers, and `of_spread`, the
        mean one as a fraction of the standard deviation over the rows; and `changed`,
        the rows with other texts.

    Raises:
        UserError: The answers are others: a converter took an operation for another
            one, or smaller weights make no numbers of them.
    """
    is_exact = portable.weights == "float32"
    usual = servable.examples["serving_default"]
    inputs = usual
    if portable.held_out and not is_exact:
        inputs = {
            name: np.asarray(portable.held_out[name]).astype(np.asarray(value).dtype)
            for name, value in usual.items()
        }
    asked = {name: tf.constant(value) for name, value in inputs.items()}
    expected = servable.signatures["serving_default"](**asked)
    rows = 0
    largest, mean, of_spread, changed = {}, {}, {}, {}
    for name, found in model.run(inputs).items():
        value, rows = expected[name].numpy(), len(found)
        if value.dtype == object:
            changed[name] = int((np.asarray(found, object) != value).sum())
            is_equal = not changed[name]
        else:
            apart = np.abs(np.subtract(found, value, dtype=np.float64))
            apart[np.isnan(found) & np.isnan(value)] = 0
            largest[name], mean[name] = float(apart.max()), float(apart.mean())
            of_spread[name] = _of_spread(apart, value)
            is_equal = bool((apart <= _TOLERANCE * (1 + np.abs(value))).all())
        if not is_equal and (is_exact or not np.isfinite(largest.get(name, 0))):
            raise UserError(
                f"{'--format' if is_exact else '--weights'}: {name} differs from what "
                "the SavedModel answers to the examples; export it as a SavedModel"
            )
    if is_exact:
        return {}
    logger.info(
        "%s weights beside float32, over %d rows: %s",
        portable.weights,
        rows,
        "; ".join(
            [f"{name} differs in {number}" for name, number in changed.items()]
            + [
                f"{name} by {mean[name]:.2g} on average, {100 * of_spread[name]:.2g} % "
                f"of its spread, and {highest:.2g} at most"
                for name, highest in largest.items()
            ]
        ),
    )
    return {
        "type": portable.weights,
        "rows": rows,
        "largest": largest,
        "mean": mean,
        "of_spread": of_spread,
        "changed": changed,
    }


def _of_spread(apart: np.ndarray, values: np.ndarray) -> float:
    """The mean difference as a fraction of the standard deviation over the rows."""
    spread = values.std(axis=0, dtype=np.float64)
    # NaN, where some row has no number, is no spread either.
    spreads = spread > 0
    if not spreads.any():
        return 0.0
    return float((apart.mean(axis=0)[spreads] / spread[spreads]).mean())


def _write_onnx(numbers: NumberGraph, function: Any, path: Path, weights: str) -> None:
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
            function,
            input_signature=numbers.signature,
            opset=_ONNX_OPSET,
            custom_op_handlers={"SelectV2": (_selected, [])},
        )
        keep_once(model)
        shrink(model, weights)
        onnx.checker.check_model(model)
    onnx.save(model, path)


def _selected(graph: Any, node: Any, *others: Any) -> Any:
    """What `tf.where` is in ONNX.

    By itself tf2onnx takes the sum of both values, each times 0 or 1, which is not a
    number where the one that is left out is none.
    """
    node.type = "Where"
    return node


def _write_litert(
    numbers: NumberGraph, function: Any, path: Path, weights: str
) -> None:
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
    if weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    with _converting("litert"):
        path.write_bytes(converter.convert())


_WRITERS: Mapping[str, Callable[[NumberGraph, Any, Path, str], None]] = {
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
