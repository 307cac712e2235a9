"""What an exported translation model answers: signatures from raw strings."""

from types import SimpleNamespace
from typing import Any

import tensorflow as tf

from .subwords import Subwords
from .translator import Translator

_TEXT = tf.TensorSpec([None], tf.string, "text")
_TRANSLATION = tf.TensorSpec([None], tf.string, "translation")
_COUNT = tf.TensorSpec([], tf.int32, "k")
_TEMPERATURE = tf.TensorSpec([], tf.float32, "temperature")
_SEED = tf.TensorSpec([], tf.int32, "seed")


class TranslationServing(tf.Module):
    """Raw strings in, translations out; any bytes may come.

    Args:
        translator: Of the trained models.
        subwords: That it uses.
    """

    def __init__(self, translator: Translator, subwords: Subwords):
        super().__init__(name="translation")
        # The graphs read the tf.Variable within each variable of Keras. If the module
        # tracked the model, these would be saved as two, and TensorFlow Serving, which
        # restores by names and not by objects, would leave empty what the graphs read.
        self._variables = translator.variables()
        self._subwords = subwords
        self._untracked = SimpleNamespace(translator=translator)

    @tf.function(input_signature=[_TEXT], autograph=False)
    def translate(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """`translation`, string `[N]`, and `score`, float32 `[N]`.

        The score is what translations are ranked by: the log-probability with the
        penalties of `decoding.Penalties`; the mean over sentences of a text that was
        split.
        """
        translation, score = self._untracked.translator.translate_in_graph(text)
        return {"translation": translation, "score": score}

    @tf.function(input_signature=[_TEXT, _COUNT], autograph=False)
    def nbest(self, text: tf.Tensor, k: tf.Tensor) -> dict[str, tf.Tensor]:
        """The best translations: `translation`, string, `score` and `log_probability`,
        float32, all `[N, K]`, the best first. K is `k`, or less if the search keeps
        fewer."""
        found = self._untracked.translator.nbest_in_graph(text, k)
        return dict(
            zip(("translation", "score", "log_probability"), found, strict=True)
        )

    @tf.function(input_signature=[_TEXT, _TEMPERATURE, _SEED], autograph=False)
    def sample(
        self, text: tf.Tensor, temperature: tf.Tensor, seed: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """As `translate`, with pieces drawn; the same seed draws the same ones."""
        translator = self._untracked.translator
        translation, score = translator.sample_in_graph(text, temperature, seed)
        return {"translation": translation, "score": score}

    @tf.function(input_signature=[_TEXT], autograph=False)
    def attend(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Where each piece of the translation comes from; a long text is cut off.

        Returns:
            `source_pieces` string `[N, S]` and `target_pieces` string `[N, T]`, "" at
            padding; `weights` float32 `[N, T, S]`.
        """
        names = ("source_pieces", "target_pieces", "weights")
        found = self._untracked.translator.attend_in_graph(text)
        return dict(zip(names, found, strict=True))

    @tf.function(input_signature=[_TEXT, _TRANSLATION], autograph=False)
    def score(self, text: tf.Tensor, translation: tf.Tensor) -> dict[str, tf.Tensor]:
        """What the model says of given translations, of 1,000 pieces at most.

        Returns:
            `log_probability` float32 `[N]`, the sum over the translation's pieces and
            its end; `pieces` int32 `[N]`, their number.
        """
        translator = self._untracked.translator
        log_probability, pieces = translator.score_in_graph(text, translation)
        return {"log_probability": log_probability, "pieces": pieces}

    def signatures(self) -> dict[str, Any]:
        """The functions to export, by name."""
        return {
            "serving_default": self.translate,
            "nbest": self.nbest,
            "sample": self.sample,
            "attend": self.attend,
            "score": self.score,
        }
