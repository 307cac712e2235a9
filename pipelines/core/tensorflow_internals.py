"""What the pipelines use of TensorFlow beyond its public, documented API.

Tested on TensorFlow 2.21.0.
"""

import contextlib
from collections.abc import Iterator

from tensorflow.python.framework import ops


@contextlib.contextmanager
def gradients_forgotten() -> Iterator[None]:
    """Forgets at its end the gradients of functions that were traced within.

    TensorFlow registers each `tf.custom_gradient` of a graph under a new name and keeps
    it, and by it the graph, until the process ends: 150 MB of each training of a small
    translator. Graphs that exist have their gradients in them, and what is traced later
    registers others.
    """
    registered = ops.gradient_registry._registry
    before = set(registered)
    try:
        yield
    finally:
        for name in registered.keys() - before:
            if name.startswith("CustomGradient-"):
                del registered[name]
