"""A version of a model in memory: its card, its session, its signatures."""

import contextlib
import gc
import logging
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from recurra.pipelines.cards import CARD_FILE, CardError, ModelCard, read_card

from ..errors import first_line, invalid, timed_out
from ..settings import ALL_MODELS, Settings
from . import deadlines
from .batching import Joiner, Run, Shares
from .restoring import fill_by_objects
from .signatures import DEFAULT_SIGNATURE, Signature, TensorInfo
from .tensorflow_internals import GraphCall

with contextlib.suppress(ImportError):
    # Registers operations that models of texts use, as TensorFlow Serving has them.
    import tensorflow_text  # noqa: F401

logger = logging.getLogger("recurra.serving")

# What a run may be short of its deadline when TensorFlow, which counts whole
# milliseconds, ends it.
SECONDS_TOO_EARLY = 0.01

# Of a model. With many more each waits for Python's lock, in no order, and some for
# seconds.
MOST_THREADS = 96

_MISSING_OPERATION = re.compile(r"Op type not registered '(\w+)'")


class LoadError(Exception):
    """A version cannot be served; the message is for its status."""


class LoadedModel:
    """A SavedModel in a session, ready to answer.

    A session, as in TensorFlow Serving: it runs any SavedModel, also those of
    TensorFlow 1, optimises the whole graph, and frees all that it holds when closed.

    Its operations run in threads of their own, so that no model waits for another's.

    Args:
        folder: The version's folder.
        settings: Limits of batches and requests, and which models are joined.
        ran: Called with the number of rows of every batch that the model has run.
        name: By which the settings call the model.
        shares: What each model has of the threads that run batches.

    Attributes:
        card: The model card, or None where the model has none.
        definitions: SignatureDef by name.
        signatures: Those that can be run, by name.
        examples: A PredictRequest by signature, where the warm-up had one.
        tf_examples: A request to classify or regress by signature, likewise.
        threads: In which its requests wait for it.

    Raises:
        LoadError: If the folder holds no SavedModel that can be loaded.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        ran: Callable[[int], None],
        name: str = "",
        shares: Shares | None = None,
    ):
        self.card = _read_card(folder)
        self.threads = ThreadPoolExecutor(
            min(settings.limits.requests, MOST_THREADS), thread_name_prefix="request"
        )
        self._name = name
        self._shares = shares or Shares()
        self.examples: dict[str, Any] = {}
        self.tf_examples: dict[str, Any] = {}
        self.signatures: dict[str, Signature] = {}
        self._settings = settings
        self._ran = ran
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(
            graph=graph,
            config=tf.compat.v1.ConfigProto(
                allow_soft_placement=True,
                use_per_session_threads=True,
                gpu_options=tf.compat.v1.GPUOptions(allow_growth=True),
            ),
        )
        try:
            with graph.as_default():
                meta_graph = tf.compat.v1.saved_model.load(
                    self._session, [tf.saved_model.SERVING], str(folder)
                )
                self.definitions = dict(meta_graph.signature_def)
                runnable = {
                    name: definition
                    for name, definition in sorted(self.definitions.items())
                    if definition.outputs and _are_tensors(definition.outputs)
                }
                self.signatures = {
                    name: self._signature(name, definition, graph)
                    for name, definition in runnable.items()
                }
            fill_by_objects(self._session, runnable, folder)
        except Exception as error:
            self.close()
            raise LoadError(_reason(error)) from error

    def close(self) -> None:
        """Frees what the model holds. No request may be running."""
        self.threads.shutdown(wait=False)
        for signature in self.signatures.values():
            signature.close()
        self._session.close()
        del self._session
        self.signatures = {}
        # The graph refers to itself; what it holds may be large.
        gc.unfreeze()
        set_aside()

    def _signature(self, name: str, definition: Any, graph: tf.Graph) -> Signature:
        inputs = _infos(definition.inputs, graph)
        outputs = _infos(definition.outputs, graph)
        call = GraphCall(
            self._session,
            [info.tensor for info in inputs],
            [info.tensor for info in outputs],
        )
        call.prepare()
        run = _in_time(call)
        batching = self._settings.batching
        joiner = None
        if _can_be_joined(inputs, outputs) and self._is_joined(name):
            joiner = Joiner(run, batching, self._ran, self._name, self._shares)
        return Signature(
            name,
            definition,
            inputs,
            outputs,
            run,
            self.threads,
            joiner,
            rows_joined=batching.rows,
            limits=self._settings.limits,
            ran=self._ran,
        )

    def _is_joined(self, signature: str) -> bool:
        """Whether somebody who knows the model says that its rows are independent."""
        named = self._settings.batching.models
        return (
            (self.card is not None and signature in self.card.independent_rows)
            or ALL_MODELS in named
            or self._name in named
            or f"{self._name}:{signature}" in named
        )

    def signature(self, name: str) -> Signature:
        """The signature of that name, or for "" the default one.

        Raises:
            ServingError: If there is none.
        """
        name = name or DEFAULT_SIGNATURE
        if name not in self.definitions:
            raise invalid(
                f'Serving signature name: "{name}" not found in signature def'
            )
        if name not in self.signatures:
            raise invalid(f"Failed to get output map for signature: {name}")
        return self.signatures[name]


def _in_time(call: GraphCall) -> Run:
    """Runs part of the graph until the request's deadline.

    A warm-up has none: it may take longer than a request ever may.
    """

    def in_time(arrays: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        deadline = deadlines.current.get()
        seconds = deadline.left()
        if seconds <= 0:
            raise timed_out(deadline.seconds)
        begun = time.monotonic()
        try:
            return call(arrays, seconds)
        # The second of the two comes out of a loop.
        except (tf.errors.DeadlineExceededError, tf.errors.CancelledError):
            if time.monotonic() - begun < seconds - SECONDS_TOO_EARLY:
                raise
            raise timed_out(deadline.seconds) from None

    return in_time


def set_aside() -> None:
    """Keeps what is in memory now out of further collections of garbage.

    With TensorFlow and a model there, each of them stops all requests for a third of a
    second.
    """
    gc.collect()
    gc.freeze()


def _are_tensors(outputs: Any) -> bool:
    """Whether they are; an operation that runs at the start is listed too."""
    return all(info.dtype for info in outputs.values())


def _infos(infos: Any, graph: tf.Graph) -> list[TensorInfo]:
    return [
        TensorInfo(
            name=name,
            tensor=info.name,
            dtype=tf.as_dtype(info.dtype),
            shape=None
            if info.tensor_shape.unknown_rank
            else tuple(
                None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim
            ),
            strict=graph.get_tensor_by_name(info.name).op.type == "Placeholder",
        )
        for name, info in sorted(infos.items())
    ]


def _reason(error: Exception) -> str:
    reason = first_line(error)
    if missing := _MISSING_OPERATION.search(reason):
        return (
            f"The operation {missing[1]} is not there. The package that has it must be "
            "installed beside the server, and be one that the server imports: that is "
            "tensorflow-text, for operations on texts"
        )
    return reason


def _can_be_joined(inputs: list[TensorInfo], outputs: list[TensorInfo]) -> bool:
    """Whether a request of N rows gives N rows in each output.

    Of a shape, too, that the other rows of a batch cannot change. That their values
    cannot either is known by who made the model.
    """
    return all(
        info.shape and info.shape[0] is None and None not in info.shape[1:]
        for info in outputs
    ) and all(info.shape and info.shape[0] is None for info in inputs)


def _read_card(folder: Path) -> ModelCard | None:
    if not (folder / CARD_FILE).is_file():
        return None
    try:
        return read_card(folder)
    except (CardError, AttributeError, TypeError) as error:
        # A file of this name that somebody else wrote may hold anything.
        logger.warning("%s is served without its card: %s", folder, error)
        return None
