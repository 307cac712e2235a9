"""Subwords: fitted by sentencepiece, cut in the graph by tensorflow-text.

A character that no piece has becomes its UTF-8 bytes, so nothing is unknown, and every
space and line end is kept.
"""

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
import sentencepiece
import tensorflow as tf

from ..core.errors import UserError
from ..core.shared_tokenizer import shared_tokenizer
from .units import Units
from .vocabulary import BOUNDARY, UNKNOWN

# In bytes; the largest that sentencepiece takes, which would skip longer ones.
_LONGEST_SENTENCE = 2**30
# How sentencepiece writes a space.
_SPACE = "\u2581"


def fit_subwords(texts: Iterable[str], vocabulary_size: int) -> bytes:
    """The model that sentencepiece fits to the lines of texts.

    Raises:
        UserError: The vocabulary is too small for the characters of the texts.
    """
    written = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=(
                line for text in texts for line in text.split("\n") if line.strip()
            ),
            model_writer=written,
            model_type="unigram",
            vocab_size=vocabulary_size,
            # Fewer pieces where there are not so many.
            hard_vocab_limit=False,
            byte_fallback=True,
            split_digits=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,
            allow_whitespace_only_pieces=True,
            user_defined_symbols=["\n"],
            max_sentence_length=_LONGEST_SENTENCE,
            bos_id=BOUNDARY,
            unk_id=UNKNOWN,
            eos_id=-1,
            pad_id=-1,
            # Sums in another order give other pieces.
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        if "required_chars" not in str(error):
            raise
        raise UserError(
            f"units.vocabulary_size: {vocabulary_size:,} is less than the different "
            "characters of the texts, with 259 for bytes and special units; raise it"
        ) from None
    return written.getvalue()


class Subwords(Units):
    """Pieces of words, with the space before them.

    Args:
        model: As `fit_subwords` gives it.
    """

    def __init__(self, model: bytes):
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        super().__init__([_text(processor, number) for number in range(len(processor))])
        self._model = model
        self._tokenizer = shared_tokenizer(model)

    def portable(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        settings, arrays = super().portable()
        return settings, arrays | {"subwords": np.frombuffer(self._model, np.uint8)}

    def encode(self, texts: tf.Tensor) -> tf.RaggedTensor:
        return self._tokenizer.tokenize(texts)

    def without_broken_end(self, texts: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor]:
        # Any last piece may be the beginning of a longer one.
        ids = self.encode(texts)
        return ids[:, :-1], tf.strings.reduce_join(self.texts_of(ids[:, -1:]), axis=-1)


def _text(processor: Any, number: int) -> bytes:
    if processor.is_control(number):
        return b""
    piece = processor.id_to_piece(number)
    if processor.is_byte(number):
        return bytes([int(piece[3:-1], 16)])
    return piece.replace(_SPACE, " ").encode()
