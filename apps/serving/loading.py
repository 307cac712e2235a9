"""A version of a model in memory: its session, its signatures, its warm-up."""

import contextlib
import gc
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow_serving.apis import prediction_log_pb2

from .batching import QUEUES_OF_SHAPES, join
from .errors import as_serving_error, first_line, invalid
from .examples import classify, regress
from .restoring import fill_by_objects
from .settings import Settings
from .signatures import Run, Signature, TensorInfo
from .tensor_protos import predict

with contextlib.suppress(ImportError):
    # Registers operations that models of texts use, as TensorFlow Serving has them.
    import tensorflow_text  # noqa: F401

WARMUP_REQUESTS = Path("assets.extra") / "tf_serving_warmup_requests"
MODEL_CARD = Path("assets.extra") / "model_card.json"
MOST_WARMUP_REQUESTS = 1000

DEFAULT_SIGNATURE = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY


class LoadError(Exception):
    """A version cannot be served; the message is for its status."""


class LoadedModel:
    """A SavedModel in a session of its own, ready to answer.

    A session, as in TensorFlow Serving: it runs any SavedModel, also those of
    TensorFlow 1, optimises the whole graph, and frees all that it holds when closed.

    Args:
        folder: The version's folder.
        settings: Limits of batches and requests.
        ran: Is told how many rows each run of the model had.

    Raises:
        LoadError: If the folder holds no SavedModel that can be loaded and warmed up.
    """

    def __init__(self, folder: Path, settings: Settings, ran: Callable[[int], None]):
        self.card = _read_card(folder)
        # The first warm-up request of each signature, by how it is asked.
        self.examples: dict[str, Any] = {}
        self.tf_examples: dict[str, Any] = {}
        self._settings = settings
        self._ran = ran
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(
            graph=graph,
            config=tf.compat.v1.ConfigProto(
                allow_soft_placement=True,
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
                    if definition.inputs and definition.outputs
                }
                graph_def = graph.as_graph_def()
                self.signatures = {
                    name: self._signature(name, definition, graph, graph_def)
                    for name, definition in runnable.items()
                }
            fill_by_objects(self._session, runnable, folder)
            self._warm_up(_read_warmup_requests(folder))
        except Exception as error:
            self.close()
            if isinstance(error, LoadError):
                raise
            raise LoadError(first_line(error)) from error

    def close(self) -> None:
        """Frees what the model holds. No request may be running."""
        self._session.close()
        del self._session
        self.signatures = {}
        # The graph refers to itself; what it holds may be large.
        gc.collect()

    def _signature(
        self, name: str, definition: Any, graph: tf.Graph, graph_def: Any
    ) -> Signature:
        inputs = _infos(definition.inputs, graph)
        outputs = _infos(definition.outputs, graph)
        fetched = [info.tensor for info in outputs]
        alone = self._run([info.tensor for info in inputs], fetched)
        number = _queues(inputs, outputs)
        queues = []
        if number:
            queues = [
                self._run(
                    [tensor.name for tensor in ends.inputs],
                    [
                        tensor.name
                        for tensor in (
                            *ends.outputs,
                            ends.row_in_batch,
                            ends.rows_of_batch,
                        )
                    ],
                )
                for ends in join(
                    graph_def,
                    [(info.tensor, _spec(info)) for info in inputs],
                    fetched,
                    number,
                    self._settings.batching,
                )
            ]
        return Signature(
            name,
            definition,
            inputs,
            outputs,
            alone,
            queues,
            rows_joined=self._settings.batching.rows,
            most_rows=self._settings.limits.rows,
            ran=self._ran,
        )

    def _run(self, feeds: list[str], fetches: list[str]) -> Run:
        options = config_pb2.CallableOptions(feed=feeds, fetch=fetches)
        options.run_options.timeout_in_ms = int(self._settings.limits.seconds * 1000)
        # Session.run spends several times as long in Python; Keras has long called this
        # one for the same reason.
        return self._session._make_callable_from_options(options)

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
            raise invalid(f"Failed to get input map for signature: {name}")
        return self.signatures[name]

    def _warm_up(self, requests: Iterable[Any]) -> None:
        """Runs the requests that came with the model, so that no client waits."""
        for number, log in enumerate(requests):
            try:
                self._answer(log)
            except Exception as error:
                reason = as_serving_error(error).message
                raise LoadError(f"Warm-up request {number} failed: {reason}") from error

    def _answer(self, log: Any) -> None:
        kind = log.WhichOneof("log_type")
        if kind == "predict_log":
            request = log.predict_log.request
            predict(self, request)
            self.examples.setdefault(
                request.model_spec.signature_name or DEFAULT_SIGNATURE, request
            )
        elif kind in ("classify_log", "regress_log"):
            request = getattr(log, kind).request
            (classify if kind == "classify_log" else regress)(self, request)
            self.tf_examples.setdefault(
                request.model_spec.signature_name or DEFAULT_SIGNATURE, request
            )


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


def _queues(inputs: list[TensorInfo], outputs: list[TensorInfo]) -> int:
    """How many queues join requests of a signature; 0 if they cannot be joined.

    They can where a request of N rows gives N rows in each output, of a shape that the
    other rows of a batch cannot change.
    """
    if not all(
        info.shape and info.shape[0] is None and None not in info.shape[1:]
        for info in outputs
    ):
        return 0
    shapes = [info.shape or (0,) for info in inputs]
    if any(shape[0] is not None for shape in shapes):
        return 0
    if any(None in shape[1:] for shape in shapes):
        return QUEUES_OF_SHAPES
    return 1 if all(info.strict for info in inputs) else QUEUES_OF_SHAPES


def _spec(info: TensorInfo) -> tf.TensorSpec:
    return tf.TensorSpec(info.shape if info.strict else None, info.dtype)


def _read_card(folder: Path) -> dict[str, Any]:
    """The model card, which models of others do not have."""
    try:
        card = json.loads((folder / MODEL_CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


def _read_warmup_requests(folder: Path) -> Iterator[Any]:
    path = folder / WARMUP_REQUESTS
    if path.is_file():
        records = tf.data.TFRecordDataset(str(path)).take(MOST_WARMUP_REQUESTS)
        for record in records.as_numpy_iterator():
            yield prediction_log_pb2.PredictionLog.FromString(record)
