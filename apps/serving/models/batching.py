"""Concurrent requests joined into one batch, by TensorFlow's batch function."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from ..settings import Batching

# Requests of one inner shape are joined with each other alone. A signature that takes
# several gets this many queues, which go round among the shapes that are in use.
QUEUES_OF_SHAPES = 8


class JoinedEnds(NamedTuple):
    """The tensors of one queue.

    Attributes:
        inputs: To feed, in the order of the signature's inputs.
        outputs: To fetch, in the order of the signature's outputs.
        row_in_batch: Of each row of the request, its place in the batch that it ran in.
        rows_of_batch: Of each row of the request, how many rows that batch had.
    """

    inputs: list[tf.Tensor]
    outputs: list[tf.Tensor]
    row_in_batch: tf.Tensor
    rows_of_batch: tf.Tensor


def join(
    graph_def: Any,
    inputs: Sequence[tuple[str, tf.TensorSpec]],
    outputs: Sequence[str],
    queues: int,
    settings: Batching,
) -> list[JoinedEnds]:
    """Adds to the default graph what runs the joined requests of one signature.

    The nodes between inputs and outputs are copied into a function. Its variables and
    tables are those of the session, which finds them by name.

    Args:
        graph_def: The model's graph.
        inputs: Name of the tensor and what may be fed for it.
        outputs: Names of the tensors.
        queues: How many.
        settings: Limits of a batch.

    Returns:
        The ends of each queue.
    """
    nodes = tf.compat.v1.graph_util.extract_sub_graph(
        graph_def, [name.partition(":")[0] for name in outputs]
    )
    _name_what_is_shared(nodes)

    def joined(*tensors: tf.Tensor) -> list[tf.Tensor]:
        answers = tf.graph_util.import_graph_def(
            nodes,
            input_map=dict(zip([name for name, _ in inputs], tensors, strict=True)),
            return_elements=list(outputs),
            name="",
        )
        rows = tf.shape(tensors[0])[0]
        return [*answers, tf.range(rows), tf.fill([rows], rows)]

    specs = [spec for _, spec in inputs]
    function = tf.function(joined, input_signature=specs, autograph=False)
    concrete = function.get_concrete_function()
    ends = []
    for queue in range(queues):
        fed = [tf.compat.v1.placeholder(spec.dtype, spec.shape) for spec in specs]
        *answers, row_in_batch, rows_of_batch = tf.raw_ops.BatchFunction(
            in_tensors=fed,
            captured_tensors=concrete.captured_inputs,
            f=concrete,
            num_batch_threads=settings.threads,
            max_batch_size=settings.rows,
            batch_timeout_micros=round(settings.delay_milliseconds * 1000),
            max_enqueued_batches=settings.queued_batches,
            # Queues of one function share the threads that run it.
            shared_name=concrete.name,
            batching_queue=f"queue {queue}",
            Tout=[output.dtype for output in concrete.outputs],
        )
        ends.append(JoinedEnds(fed, answers, row_in_batch, rows_of_batch))
    return ends


def _name_what_is_shared(graph_def: Any) -> None:
    """Spells out by which name a resource without an explicit one is found.

    It is the name of the node, which is another once the node stands in a function.
    """
    for node in graph_def.node:
        if "shared_name" in node.attr and not node.attr["shared_name"].s:
            node.attr["shared_name"].s = node.name.encode()
