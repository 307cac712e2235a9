"""Tokenizers of sentencepiece in a graph, which outlive the seeds that are set."""

import hashlib
from typing import Any

import tensorflow as tf
import tensorflow_text
from tensorflow_text.python.ops import sentencepiece_tokenizer


def shared_tokenizer(model: bytes) -> tensorflow_text.SentencepieceTokenizer:
    """A tokenizer whose model stays in the graph for as long as the process.

    Replaces the tokenizer's own resource, a private attribute. Tested on
    tensorflow-text 2.21.1.
    """
    tokenizer = tensorflow_text.SentencepieceTokenizer(model=model)
    tokenizer._model_resource = _SharedModel(model)
    return tokenizer


class _SharedModel(tf.saved_model.experimental.TrackableResource):
    """A model of sentencepiece that goes by the fingerprint of its content.

    That of tensorflow-text belongs to the kernel that made it, and is lost as soon as
    a seed is set, since TensorFlow drops its kernels then. With a fingerprint two
    models in a process are never mixed up either.
    """

    def __init__(self, model: bytes):
        super().__init__()
        self._model = model
        self._fingerprint = hashlib.sha256(model).hexdigest()
        # Made now, and not inside of a function that is traced.
        _ = self.resource_handle

    def _create_resource(self) -> Any:
        # Tested on tensorflow-text 2.21.1, which has no public name for the operation.
        return sentencepiece_tokenizer.gen_sentencepiece_tokenizer.sentencepiece_op(
            model=self._model, shared_name=self._fingerprint
        )
