"""What the server uses of TensorFlow beyond its public, documented API.

Tested on TensorFlow 2.21.0. Nothing else in the server depends on such names.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.client import pywrap_tf_session


class GraphCall:
    """Part of a session's graph as a function that fails when its time is up.

    `Session.run` spends several times as long in Python before it comes to this. A
    callable made by `_make_callable_from_options` has one limit for all its calls.

    Args:
        session: It runs the graph.
        feeds: Names of the tensors that are fed, in the order of the arrays.
        fetches: Names of the tensors that are fetched, in the order of the results.
    """

    def __init__(
        self,
        session: tf.compat.v1.Session,
        feeds: Sequence[str],
        fetches: Sequence[str],
    ):
        fed = [session.graph.get_tensor_by_name(name) for name in feeds]
        self._session = session
        self._dtypes = [tensor.dtype for tensor in fed]
        self._fed = [tensor._as_tf_output() for tensor in fed]
        self._fetched = [
            session.graph.get_tensor_by_name(name)._as_tf_output() for name in fetches
        ]
        session._extend_graph()

    def __call__(
        self, arrays: Sequence[np.ndarray], seconds: float
    ) -> Sequence[np.ndarray]:
        """Arrays of the fed tensors in, arrays of the fetched tensors out.

        Infinitely many seconds are no limit.
        """
        milliseconds = 0 if math.isinf(seconds) else max(1, int(seconds * 1000))
        options = config_pb2.RunOptions(timeout_in_ms=milliseconds)
        serialized = pywrap_tf_session.TF_NewBufferFromString(
            options.SerializeToString()
        )
        try:
            return pywrap_tf_session.TF_SessionRun_wrapper(
                self._session._session,
                serialized,
                dict(zip(self._fed, arrays, strict=True)),
                self._fetched,
                [],
                None,
            )
        finally:
            pywrap_tf_session.TF_DeleteBuffer(serialized)

    def prepare(self) -> None:
        """Does what TensorFlow else does at the first call: it optimises the graph.

        It does so before it looks at what is fed. An array that no input takes is
        refused then, and nothing runs.
        """
        if not self._dtypes:
            return
        is_text = self._dtypes[0] == tf.string
        misfit = np.zeros([], np.float32) if is_text else np.array(b"", object)
        try:
            self([misfit] * len(self._dtypes), 1.0)
        except tf.errors.InvalidArgumentError as error:
            if "Expects arg" not in error.message:
                raise


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
