"""What the server uses of TensorFlow beyond its public, documented API.

Tested on TensorFlow 2.21.0. Nothing else in the server depends on such names.
"""

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.client import pywrap_tf_session

_CALLS = ("StatefulPartitionedCall", "PartitionedCall")

_PUTTING_CANCELLED = "Enqueue operation was cancelled"


@dataclasses.dataclass
class Stop:
    """What ends one run.

    Attributes:
        queue: The handle of the queue that the run waits at.
        roomy: That of one at which none waits.
        is_used: Whether the run was ended.
    """

    queue: np.ndarray
    roomy: np.ndarray
    is_used: bool = False


class Stops:
    """What ends single runs of a session, whose own API ends all or none.

    A run fails as a whole when one of its operations does. So beside what is asked for
    a run puts three words into a queue of its own, of which it feeds the handle, and
    which has room for one. The first is taken before all else begins: then putting is
    under way. The others are taken when all else is done. If the queue is closed
    meanwhile, putting fails. That needs no thread of the session, since all of them may
    be at work.

    Args:
        session: Whose runs.
        number: How many there may be at the same time.
    """

    def __init__(self, session: tf.compat.v1.Session, number: int):
        self._session = session
        with session.graph.as_default(), tf.device("CPU:0"):
            queues = [
                # By a name of its own it is the same when it is made anew.
                tf.raw_ops.FIFOQueueV2(
                    component_types=[tf.bool],
                    shapes=[[]],
                    capacity=room,
                    shared_name=f"stop {place} {room}",
                )
                for place in range(number)
                for room in (1, 3)
            ]
            self._handles = [tf.io.serialize_tensor(queue) for queue in queues]
            self._fed = tf.compat.v1.placeholder(tf.string, [])
            self._handle = tf.io.parse_tensor(self._fed, tf.resource)
            self._handle.set_shape([])
            self._put = tf.raw_ops.QueueEnqueueManyV2(
                handle=self._handle, components=[tf.constant([True] * 3)]
            )
            (begun,) = tf.raw_ops.QueueDequeueV2(
                handle=self._handle, component_types=[tf.bool]
            )
            self._begun = begun.op
            self._close = tf.raw_ops.QueueCloseV2(
                handle=self._handle, cancel_pending_enqueues=True
            )
            self._destroy = tf.raw_ops.DestroyResourceOp(resource=self._handle)
        self._free: list[Stop] = []

    def called_anew(self, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """The same tensors, to be fetched by a run that can be ended.

        Args:
            tensors: Outputs of a signature. TensorFlow 2 writes it as one call, which
                is made once the run can be ended.
        """
        graph = self._session.graph
        calls = {tensor.op for tensor in tensors}
        call = next(iter(calls))
        with graph.as_default():
            if len(calls) == 1 and call.type in _CALLS:
                with tf.control_dependencies([self._begun]):
                    anew = graph.create_op(
                        call.type,
                        list(call.inputs),
                        [output.dtype for output in call.outputs],
                        attrs=dict(call.node_def.attr),
                    )
                tensors = [anew.outputs[tensor.value_index] for tensor in tensors]
            # To wait for a call itself is to wait for its side effects alone, where it
            # is inlined.
            return [tf.identity(tensor) for tensor in tensors]

    def prepare(self) -> None:
        """Makes the queues, when all that is to be run is in the graph."""
        self._session._extend_graph()
        handles = [np.array(handle, object) for handle in self._make_queues()]
        self._free = [
            Stop(*pair) for pair in zip(handles[::2], handles[1::2], strict=True)
        ]

    def add_to(self, fetched: Sequence[tf.Tensor]) -> list[tf.Operation]:
        """Adds to the graph what a run that fetches these runs too."""
        with (
            self._session.graph.as_default(),
            tf.device("CPU:0"),
            tf.control_dependencies(fetched),
        ):
            (words,) = tf.raw_ops.QueueDequeueManyV2(
                handle=self._handle, n=2, component_types=[tf.bool]
            )
        return [self._put, self._begun, words.op]

    def fed(self, queue: np.ndarray) -> dict[Any, np.ndarray]:
        """What a run feeds that the queue ends."""
        return {self._fed._as_tf_output(): queue}

    @contextlib.contextmanager
    def taken(self) -> Iterator[Stop]:
        """What ends the run within the context."""
        stop = self._free.pop()
        try:
            yield stop
        except BaseException:
            # It is closed, or may hold words of a run that failed.
            for queue in (stop.queue, stop.roomy):
                self._run([], [self._destroy], queue)
            self._make_queues()
            stop.is_used = False
            raise
        finally:
            self._free.append(stop)

    def end(self, stop: Stop) -> None:
        """Ends the run that has taken it."""
        stop.is_used = True
        self._run([], [self._close], stop.queue)

    def _make_queues(self) -> list[bytes]:
        """Makes those that there are not, and gives the handles of all."""
        return self._run([each._as_tf_output() for each in self._handles], [])

    def _run(
        self,
        fetches: Sequence[Any],
        targets: Sequence[tf.Operation],
        queue: np.ndarray | None = None,
    ) -> list[Any]:
        # In this thread.
        options = config_pb2.RunOptions(inter_op_thread_pool=-1)
        fed = {} if queue is None else self.fed(queue)
        return _run(self._session, options, fed, fetches, targets)


class GraphCall:
    """Runs part of a session's graph, and fails when its time is up.

    `Session.run` spends several times as long in Python before it comes to this. A
    callable made by `_make_callable_from_options` has one limit for all its calls.

    Args:
        session: It runs the graph.
        feeds: Names of the tensors that are fed, in the order of the arrays.
        fetches: Names of the tensors that are fetched, in the order of the results.
        stops: End its runs, which then take a tenth of a millisecond more; None if
            they are not to be ended.
    """

    def __init__(
        self,
        session: tf.compat.v1.Session,
        feeds: Sequence[str],
        fetches: Sequence[str],
        stops: Stops | None,
    ):
        self._session = session
        self._stops = stops
        fed, fetched = (
            [session.graph.get_tensor_by_name(name) for name in names]
            for names in (feeds, fetches)
        )
        self._targets: list[tf.Operation] = []
        if stops:
            fetched = stops.called_anew(fetched)
            self._targets = stops.add_to(fetched)
        self._dtypes = [tensor.dtype for tensor in fed]
        self._feeds = [tensor._as_tf_output() for tensor in fed]
        self._fetches = [tensor._as_tf_output() for tensor in fetched]

    def prepare(self) -> None:
        """Does now what else the first call does: optimising this part of the graph.

        TensorFlow does so before it looks at what is fed. An array that no input takes
        is refused then, and nothing runs.
        """
        if not self._dtypes and not self._stops:
            return
        no_text = np.zeros([], np.float32)
        misfits = [
            no_text if dtype == tf.string else np.array(b"", object)
            for dtype in self._dtypes
        ]
        try:
            self._run(misfits, 1.0, no_text)
        except tf.errors.InvalidArgumentError as error:
            if "Expects arg" not in error.message:
                raise

    def __call__(
        self, arrays: Sequence[np.ndarray], seconds: float, stop: Stop | None = None
    ) -> Sequence[np.ndarray]:
        """The fetched arrays.

        Args:
            arrays: To feed.
            seconds: That the run may take.
            stop: Ends it, if there are stops.

        Raises:
            tf.errors.OpError: If it fails, or is ended.
        """
        if stop is None:
            return self._run(arrays, seconds, None)
        end = time.monotonic() + seconds
        try:
            return self._run(arrays, seconds, stop.queue)
        except tf.errors.CancelledError as error:
            left = end - time.monotonic()
            if _PUTTING_CANCELLED not in error.message or stop.is_used or left <= 0:
                raise
        # What has failed has ended the putting of words, whose error came first.
        return self._run(arrays, left, stop.roomy)

    def _run(
        self, arrays: Sequence[np.ndarray], seconds: float, queue: np.ndarray | None
    ) -> Sequence[np.ndarray]:
        options = config_pb2.RunOptions(timeout_in_ms=max(1, int(seconds * 1000)))
        fed = dict(zip(self._feeds, arrays, strict=True))
        if self._stops and queue is not None:
            fed |= self._stops.fed(queue)
        return _run(self._session, options, fed, self._fetches, self._targets)


def _run(
    session: tf.compat.v1.Session,
    options: config_pb2.RunOptions,
    fed: Mapping[Any, np.ndarray],
    fetches: Sequence[Any],
    targets: Sequence[tf.Operation],
) -> list[np.ndarray]:
    serialized = pywrap_tf_session.TF_NewBufferFromString(options.SerializeToString())
    try:
        return pywrap_tf_session.TF_SessionRun_wrapper(
            session._session,
            serialized,
            fed,
            fetches,
            [target._c_op for target in targets],
            None,
        )
    finally:
        pywrap_tf_session.TF_DeleteBuffer(serialized)


def captured_variables(
    graph: tf.Graph, definition: Any
) -> Iterator[tuple[int, tf.Operation]]:
    """The variables that a signature's function captures, by their numbers.

    A SavedModel writes a signature as one call. Its inputs are those of the signature,
    then what the function captures, in the order of `captured_inputs`.

    Args:
        graph: The model's graph.
        definition: The SignatureDef.
    """
    output = next(iter(definition.outputs.values()))
    call = graph.get_tensor_by_name(output.name).op
    if call.type == "StatefulPartitionedCall":
        for number, captured in enumerate(call.inputs[len(definition.inputs) :]):
            if captured.op.type == "VarHandleOp":
                yield number, captured.op


def captured_value(function: Any, number: int, dtype: tf.DType) -> np.ndarray:
    """The value of a variable that a signature's function captures.

    Args:
        function: A signature of what `tf.saved_model.load` gives.
        number: The variable's, as in `captured_variables`.
        dtype: The variable's.
    """
    resource = function.captured_inputs[number]
    return tf.raw_ops.ReadVariableOp(resource=resource, dtype=dtype).numpy()
