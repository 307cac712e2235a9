"""What the server uses of TensorFlow beyond its public, documented API.

Tested on TensorFlow 2.21.0. Nothing else in the server depends on such names.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

# Arrays of the fed tensors in, arrays of the fetched tensors out.
GraphCall: TypeAlias = Callable[..., Sequence[np.ndarray]]


def make_call(
    session: tf.compat.v1.Session,
    feeds: Sequence[str],
    fetches: Sequence[str],
    seconds: float,
) -> GraphCall:
    """A function that runs part of a session's graph.

    `Session.run` spends several times as long in Python; Keras has long called this
    private method for the same reason.

    Args:
        session: It runs the graph.
        feeds: Names of the tensors that are fed, in the order of the arguments.
        fetches: Names of the tensors that are fetched, in the order of the results.
        seconds: A call that takes longer fails.
    """
    options = config_pb2.CallableOptions(feed=feeds, fetch=fetches)
    options.run_options.timeout_in_ms = int(seconds * 1000)
    return session._make_callable_from_options(options)


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
