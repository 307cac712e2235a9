"""What serving modules of all tasks share: how a model's variables are saved."""

from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import tensorflow as tf


class ServingModule(tf.Module):
    """A module whose graphs run Keras models that it does not track.

    The graphs read the `tf.Variable` within each variable of Keras. If the module
    tracked a model, these would be saved as two, and TensorFlow Serving, which restores
    by names and not by objects, would leave empty what the graphs read.

    Graphs are best made where they are asked for and not kept as attributes, which
    TensorFlow traces once more when it saves the module.

    Attributes:
        untracked: What graphs use and TensorFlow is not to save, such as the model.

    Args:
        name: Of the module.
        variables: Of all models, Keras's or TensorFlow's.
        **untracked: By the names that they have in `untracked`.
    """

    def __init__(self, name: str, variables: Iterable[Any], **untracked: Any):
        super().__init__(name=name)
        self._kept = [
            variable if isinstance(variable, tf.Variable) else variable.value
            for variable in variables
        ]
        self.untracked = SimpleNamespace(**untracked)


def graph(
    function: Callable[..., Any], signature: Sequence[tf.TensorSpec]
) -> tf.types.experimental.PolymorphicFunction:
    """The function as a graph with these inputs.

    Without AutoGraph, which such graphs do not need and which writes files.
    """
    return tf.function(function, input_signature=signature, autograph=False)
