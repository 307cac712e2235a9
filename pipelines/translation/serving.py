"""What an exported translation model answers: signatures from raw strings."""

from typing import Any

import tensorflow as tf

from ..core.serving_module import ServingModule, graph
from .subwords import Subwords
from .translator import Translator

_TEXT = tf.TensorSpec([None], tf.string, "text")
_TRANSLATION = tf.TensorSpec([None], tf.string, "translation")
_COUNT = tf.TensorSpec([], tf.int32, "k")
_TEMPERATURE = tf.TensorSpec([], tf.float32, "temperature")
_SEED = tf.TensorSpec([], tf.int32, "seed")


class TranslationServing(ServingModule):
    """Raw strings in, translations out; any bytes may come.

    Args:
        translator: Of the trained models.
        subwords: That it uses.
    """

    def __init__(self, translator: Translator, subwords: Subwords):
        super().__init__("translation", translator.variables(), translator=translator)
        # Tracked, since the graphs read its vocabularies.
        self._subwords = subwords

    def signatures(self) -> dict[str, Any]:
        """The graphs to export, by name."""
        translator: Translator = self.untracked.translator
        return {
            "serving_default": graph(translator.translate_in_graph, [_TEXT]),
            "nbest": graph(translator.nbest_in_graph, [_TEXT, _COUNT]),
            "sample": graph(translator.sample_in_graph, [_TEXT, _TEMPERATURE, _SEED]),
            "attend": graph(translator.attend_in_graph, [_TEXT]),
            "score": graph(translator.score_in_graph, [_TEXT, _TRANSLATION]),
        }
