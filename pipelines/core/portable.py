"""Models as graphs of numbers, in the formats of other runtimes: ONNX and LiteRT.

What cannot stand in such a graph, as the preprocessing of texts, or a search, is done
in Python by `PortableServing`, which needs no TensorFlow. `PortableModel` joins both,
and answers as the exported SavedModel does.
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

#: What `PortableServing` is made with, beside the graphs.
SETTINGS_FILE, ARRAYS_FILE = "preprocessing.json", "preprocessing.npz"
#: The graph whose inputs and outputs the model card has; others are in its details.
MODEL_GRAPH = "model"

Arrays = Mapping[str, np.ndarray]


#: A graph: from arrays to arrays, by name.
Graph = Callable[[Arrays], Arrays]
#: From inputs of a signature to its outputs, by name.
Signature = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class PortableServing(Protocol):
    """What a task does around graphs of numbers, without TensorFlow.

    Args:
        settings: As `Portable.settings`.
        arrays: As `Portable.arrays`.
        graphs: Those of `Portable.graphs`, opened.
    """

    #: Of a model of texts, the input of the default signature that takes them.
    text_input: str

    def __init__(
        self, settings: Mapping[str, Any], arrays: Arrays, graphs: Mapping[str, Graph]
    ): ...

    def signatures(self) -> Mapping[str, Signature]:
        """What answers as the SavedModel's signatures of these names do."""


@dataclasses.dataclass(frozen=True)
class NumberGraph:
    """A graph of numbers alone.

    Attributes:
        function: From tensors, in the order of `signature`, to tensors by name.
        signature: With a name each. The first size is that of rows.
    """

    function: Callable[..., Mapping[str, Any]]
    signature: Sequence["tf.TensorSpec"]


@dataclasses.dataclass(frozen=True)
class Portable:
    """A model as graphs of numbers, and what Python does around them.

    Attributes:
        graphs: By name; `MODEL_GRAPH` is among them.
        settings: Of the `PortableServing`, ready for JSON.
        arrays: Of the same, by name.
        weights: One of `portable_weights.WEIGHTS`: what weights are kept as.
        held_out: Inputs of the default signature that smaller weights are measured by.
    """

    graphs: Mapping[str, NumberGraph]
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    weights: str = "float32"
    held_out: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class PortableModel(ExportedModel):
    """A version that was exported as ONNX or for LiteRT; needs no TensorFlow.

    It has the signatures of the task's `PortableServing` alone.
    """

    def load(self) -> None:
        """Opens the model. Raises UserError where that cannot be done."""
        serving = find_definition(self.card.task).load_portable()
        settings = json.loads((self.folder / SETTINGS_FILE).read_text("utf-8"))
        arrays: dict[str, np.ndarray] = {}
        if (self.folder / ARRAYS_FILE).is_file():
            arrays = dict(np.load(self.folder / ARRAYS_FILE))
        outputs = {
            MODEL_GRAPH: self.card.outputs,
            **{
                name: graph["outputs"]
                for name, graph in self.card.details.get("graphs", {}).items()
            },
        }
        try:
            graphs = {
                name: _opened(self.folder, name, sorted(outputs[name]))
                for name in outputs
            }
        except (OSError, RuntimeError, ValueError) as error:
            raise UserError(
                f"{self.folder}: the model cannot be opened "
                f"({str(error).splitlines()[0]}); export it again"
            ) from error
        self._loaded = serving(settings, arrays, graphs).signatures()

    def run(
        self, inputs: Mapping[str, Any], signature: str = "serving_default"
    ) -> Mapping[str, Any]:
        """Runs a signature; inputs and outputs are arrays by name."""
        if self._loaded is None:
            self.load()
        if signature not in self._loaded:
            raise UserError(
                f"{self.folder}: has no {signature}, which the SavedModel alone has; "
                "export that"
            )
        return self._loaded[signature](inputs)

    @property
    def _text_input(self) -> str:
        return find_definition(self.card.task).load_portable().text_input


def _opened(folder: Path, graph: str, names: Sequence[str]) -> Graph:
    """What runs a graph of the folder.

    Args:
        folder: Of the version.
        graph: Its name.
        names: Of its outputs, in the order that TensorFlow gives them.
    """
    format = format_of(folder) or ""
    runner = _onnx_runner if format == "onnx" else _litert_runner
    return runner(graph_file(folder, graph, format), names)


def graph_file(folder: Path, graph: str, format: str) -> Path:
    """Where a graph stands in the folder of a version."""
    return (folder / MODEL_FILES[format]).with_stem(graph)


def _onnx_runner(path: Path, names: Sequence[str]) -> Graph:
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


def _litert_runner(path: Path, names: Sequence[str]) -> Graph:
    module = _imported("ai_edge_litert.interpreter", "litert")
    interpreter = module.Interpreter(str(path), num_threads=1)
    inputs = {each["name"]: each["index"] for each in interpreter.get_input_details()}
    outputs = interpreter.get_output_details()

    def row(given: Arrays, number: int) -> list[np.ndarray]:
        # Of what all rows share there is one alone.
        places = {name: min(number, len(given[name]) - 1) for name in inputs}
        part = {name: given[name][at : at + 1] for name, at in places.items()}
        for name, index in inputs.items():
            interpreter.resize_tensor_input(index, part[name].shape)
        interpreter.allocate_tensors()
        for name, index in inputs.items():
            interpreter.set_tensor(index, part[name])
        interpreter.invoke()
        return [interpreter.get_tensor(each["index"]) for each in outputs]

    def run(given: Arrays) -> Arrays:
        number_of_rows = max(len(given[name]) for name in inputs)
        rows = [row(given, number) for number in range(number_of_rows)]
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
