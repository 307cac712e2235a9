"""Models of numbers alone, in the formats of other runtimes: ONNX and LiteRT.

What cannot stand in such a graph, as the preprocessing of texts, is done in Python by
`Preprocessing`, which needs no TensorFlow. `PortableModel` joins both, and answers as
the exported SavedModel does.
"""

import dataclasses
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .errors import UserError
from .exported_model import ExportedModel
from .registry import find_definition
from .versions import MODEL_FILES, format_of

if TYPE_CHECKING:
    import tensorflow as tf

#: What `Preprocessing` is made with, beside the model.
SETTINGS_FILE, ARRAYS_FILE = "preprocessing.json", "preprocessing.npz"

Arrays = Mapping[str, np.ndarray]


class Preprocessing(Protocol):
    """What a task does around a model of numbers, without TensorFlow.

    Args:
        settings: As `Portable.settings`.
        arrays: As `Portable.arrays`.
    """

    #: Of a model of texts, the input of the default signature that takes them.
    text_input: str

    def __init__(self, settings: Mapping[str, Any], arrays: Arrays): ...

    def inputs(self, raw: Mapping[str, Any]) -> Arrays:
        """What the model is fed for inputs of the SavedModel's default signature."""

    def outputs(self, given: Arrays) -> Arrays:
        """What the default signature answers, from what the model gave."""


@dataclasses.dataclass(frozen=True)
class Portable:
    """A model of numbers alone.

    Attributes:
        function: From tensors, in the order of `signature`, to tensors by name.
        signature: With a name each. The first size is that of rows.
        settings: Of the preprocessing, ready for JSON.
        arrays: Of the preprocessing, by name.
    """

    function: Callable[..., Mapping[str, Any]]
    signature: Sequence["tf.TensorSpec"]
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)


class PortableModel(ExportedModel):
    """A version that was exported as ONNX or for LiteRT; needs no TensorFlow.

    It has the default signature alone.
    """

    def load(self) -> None:
        """Opens the model. Raises UserError where that cannot be done."""
        definition = find_definition(self.card.task)
        settings = json.loads((self.folder / SETTINGS_FILE).read_text("utf-8"))
        arrays: dict[str, np.ndarray] = {}
        if (self.folder / ARRAYS_FILE).is_file():
            arrays = dict(np.load(self.folder / ARRAYS_FILE))
        self._preprocessing = definition.load_portable()(settings, arrays)
        try:
            self._loaded = _opened(self.folder, sorted(self.card.outputs))
        except (OSError, RuntimeError, ValueError) as error:
            raise UserError(
                f"{self.folder}: the model cannot be opened "
                f"({str(error).splitlines()[0]}); export it again"
            ) from error

    def run(
        self, inputs: Mapping[str, Any], signature: str = "serving_default"
    ) -> Arrays:
        """Runs the default signature; inputs and outputs are arrays by name."""
        if signature != "serving_default":
            raise UserError(
                f"{self.folder}: has no {signature}, which the SavedModel alone has; "
                "export that"
            )
        if self._loaded is None:
            self.load()
        given = self._loaded(self._preprocessing.inputs(inputs))
        return self._preprocessing.outputs(given)

    @property
    def _text_input(self) -> str:
        return find_definition(self.card.task).load_portable().text_input


def _opened(folder: Path, names: Sequence[str]) -> Callable[[Arrays], Arrays]:
    """What runs the model of the folder: from arrays to arrays, by name.

    Args:
        folder: Of the version.
        names: Of its outputs, in the order that TensorFlow gives them.
    """
    format = format_of(folder)
    runner = _onnx_runner if format == "onnx" else _litert_runner
    return runner(folder / MODEL_FILES[format or ""], names)


def _onnx_runner(path: Path, names: Sequence[str]) -> Callable[[Arrays], Arrays]:
    onnxruntime = _imported("onnxruntime", "onnx")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Threads that wait for one another cost more than a step of a recurrence.
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )

    def run(inputs: Arrays) -> Arrays:
        known = {each.name for each in session.get_inputs()}
        given = {name: array for name, array in inputs.items() if name in known}
        return dict(zip(names, session.run(names, given), strict=True))

    return run


def _litert_runner(path: Path, names: Sequence[str]) -> Callable[[Arrays], Arrays]:
    module = _imported("ai_edge_litert.interpreter", "litert")
    interpreter = module.Interpreter(str(path), num_threads=1)
    inputs = {each["name"]: each["index"] for each in interpreter.get_input_details()}
    outputs = interpreter.get_output_details()

    def row(given: Arrays, number: int) -> list[np.ndarray]:
        part = {name: given[name][number : number + 1] for name in inputs}
        for name, index in inputs.items():
            interpreter.resize_tensor_input(index, part[name].shape)
        interpreter.allocate_tensors()
        for name, index in inputs.items():
            interpreter.set_tensor(index, part[name])
        interpreter.invoke()
        return [interpreter.get_tensor(each["index"]) for each in outputs]

    def run(given: Arrays) -> Arrays:
        rows = [row(given, number) for number in range(len(next(iter(given.values()))))]
        return dict(
            zip(names, map(np.concatenate, zip(*rows, strict=True)), strict=True)
        )

    return run


def _imported(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"{module.partition('.')[0]} cannot be imported ({error}); this needs the "
            f"extra {extra}: pip install 'recurra[{extra}]'"
        ) from None
