"""What an exported model of text to text answers: signatures from raw strings."""

import inspect
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ..core.serving_module import ServingModule, graph
from .generator import OUTPUT, Generator
from .subwords import Subwords

_TEXT = tf.TensorSpec([None], tf.string, "text")
_COUNT = tf.TensorSpec([], tf.int32, "k")
_TEMPERATURE = tf.TensorSpec([], tf.float32, "temperature")
_SEED = tf.TensorSpec([], tf.int32, "seed")


class SequenceToSequenceServing(ServingModule):
    """Raw strings in, texts made of them out; any bytes may come.

    Args:
        generator: Of the trained models.
        subwords: That it uses.
        name: Of the module.
        output: What one of the texts is called in the signatures.
    """

    def __init__(
        self, generator: Generator, subwords: Subwords, name: str, output: str
    ):
        super().__init__(name, generator.variables(), generator=generator)
        # Tracked, since the graphs read its vocabularies.
        self._subwords = subwords
        self._output = output

    def signatures(self) -> dict[str, Any]:
        """The graphs to export, by name."""
        generator: Generator = self.untracked.generator
        made = tf.TensorSpec([None], tf.string, self._output)
        return {
            "serving_default": self._graph(generator.generate_in_graph, _TEXT),
            "nbest": self._graph(generator.nbest_in_graph, _TEXT, _COUNT),
            "sample": self._graph(
                generator.sample_in_graph, _TEXT, _TEMPERATURE, _SEED
            ),
            "attend": self._graph(generator.attend_in_graph, _TEXT),
            "score": self._graph(generator.score_in_graph, _TEXT, made),
        }

    def _graph(
        self, function: Callable[..., dict[str, tf.Tensor]], *specs: tf.TensorSpec
    ) -> Any:
        def named(*arguments: tf.Tensor) -> dict[str, tf.Tensor]:
            found = function(*arguments)
            return {
                self._output if name == OUTPUT else name: tensor
                for name, tensor in found.items()
            }

        # By which names the graph is called.
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        named.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(spec.name, kind) for spec in specs]
        )
        return graph(named, list(specs))
