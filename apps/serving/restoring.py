"""Variables that a loader by names, as TensorFlow Serving's is, leaves empty.

A module that holds a Keras 3 model is saved so: its graph reads the tf.Variable within
each variable of Keras, and the names are those of the latter. `tf.saved_model.load`
goes by objects and finds both.
"""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

logger = logging.getLogger("recurra.serving")


def fill_by_objects(
    session: tf.compat.v1.Session, definitions: Mapping[str, Any], folder: Path
) -> None:
    """Fills what a SavedModel's signatures read and the session has not restored.

    Args:
        session: Into whose graph the model was loaded.
        definitions: SignatureDef by name.
        folder: Of the SavedModel.
    """
    read = [
        (name, place, variable)
        for name, definition in definitions.items()
        for place, variable in _variables_read(session.graph, definition)
    ]
    with session.graph.as_default():
        asked = [
            tf.raw_ops.VarIsInitializedOp(resource=variable.outputs[0])
            for _, _, variable in read
        ]
    empty = {
        variable: (name, place)
        for (name, place, variable), filled in zip(
            read, session.run(asked), strict=True
        )
        if not filled
    }
    if not empty:
        return
    logger.warning(
        "%s: TensorFlow Serving could not serve this: its variables are found by "
        "objects alone. Export a module that holds the tf.Variables, not the model",
        folder,
    )
    signatures = tf.saved_model.load(str(folder)).signatures
    for variable, (name, place) in empty.items():
        dtype = tf.as_dtype(variable.get_attr("dtype"))
        value = tf.raw_ops.ReadVariableOp(
            resource=signatures[name].captured_inputs[place], dtype=dtype
        ).numpy()
        with session.graph.as_default():
            fed = tf.compat.v1.placeholder(dtype, value.shape)
            filled = tf.raw_ops.AssignVariableOp(
                resource=variable.outputs[0], value=fed
            )
        session.run(filled, {fed: value})


def _variables_read(
    graph: tf.Graph, definition: Any
) -> Iterator[tuple[int, tf.Operation]]:
    """Each variable with its place among what the signature's function captures."""
    output = next(iter(definition.outputs.values()))
    call = graph.get_tensor_by_name(output.name).op
    if call.type == "StatefulPartitionedCall":
        for place, given in enumerate(call.inputs[len(definition.inputs) :]):
            if given.op.type == "VarHandleOp":
                yield place, given.op
