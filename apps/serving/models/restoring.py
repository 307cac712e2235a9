"""Variables that a loader by names, as TensorFlow Serving's is, leaves empty.

A module that holds a Keras 3 model is saved so: its graph reads the tf.Variable within
each variable of Keras, and the names are those of the latter. `tf.saved_model.load`
goes by objects and finds both.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from .tensorflow_internals import captured_value, captured_variables

logger = logging.getLogger("recurra.serving")


def fill_by_objects(
    session: tf.compat.v1.Session, definitions: Mapping[str, Any], folder: Path
) -> None:
    """Fills what a SavedModel's signatures read and the session has not restored.

    Args:
        session: The session into whose graph the model was loaded.
        definitions: SignatureDef by name.
        folder: The SavedModel's.
    """
    empty = _empty_variables(session, definitions)
    if not empty:
        return
    logger.warning(
        "%s: TensorFlow Serving could not serve this: its variables are found by "
        "objects alone. Export a module that holds the tf.Variables, not the model",
        folder,
    )
    signatures = tf.saved_model.load(str(folder)).signatures
    for variable, (name, number) in empty.items():
        dtype = tf.as_dtype(variable.get_attr("dtype"))
        value = captured_value(signatures[name], number, dtype)
        with session.graph.as_default():
            fed = tf.compat.v1.placeholder(dtype, value.shape)
            filled = tf.raw_ops.AssignVariableOp(
                resource=variable.outputs[0], value=fed
            )
        session.run(filled, {fed: value})


def _empty_variables(
    session: tf.compat.v1.Session, definitions: Mapping[str, Any]
) -> dict[tf.Operation, tuple[str, int]]:
    """Of each empty variable, a signature that captures it and its number there."""
    captured = [
        (variable, (name, number))
        for name, definition in definitions.items()
        for number, variable in captured_variables(session.graph, definition)
    ]
    with session.graph.as_default():
        are_filled = [
            tf.raw_ops.VarIsInitializedOp(resource=variable.outputs[0])
            for variable, _ in captured
        ]
    return {
        variable: found
        for (variable, found), is_filled in zip(
            captured, session.run(are_filled), strict=True
        )
        if not is_filled
    }
