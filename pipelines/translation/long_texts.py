"""Texts that are too long for a model, in parts that are not, all in the graph."""

import tensorflow as tf

from ..data.texts.languages import CHINESE, JAPANESE
from .subwords import Pieces, normalise

# Where a sentence ends and another one begins.
_SENTENCE_ENDS = (
    (
        r"([.!?…؟۔।॥።։]['\")\]”’»“]*) (['\"(\[“‘„«¿¡]*[^\p{Ll}\p{P}\p{Z}])",
        "\\1\n\\2",
    ),
    (r"([。！？｡][”’」』）]*)", "\\1\n"),
)
# What ends in a full stop and no sentence: ordinals, titles and initials.
_NO_SENTENCE_END = r"\b((?:(?:\p{Lu}\.)*\p{Lu}\p{Ll}?|Mrs|Prof|\d{1,2})\.)\n"
_BEGINS_WORD = "▁.*"
# A byte of a character that is no piece, but not its first one.
_WITHIN_CHARACTER = "<0x[89AB].>"


def split_long(
    text: tf.Tensor, vocabulary: Pieces, longest: int
) -> tuple[tf.RaggedTensor, tf.Tensor]:
    """Parts of at most about `longest` pieces, and whose parts they are.

    A text of no more pieces is one part. A longer one is parted at the ends of its
    lines and sentences; and a sentence that is longer still, into even parts, between
    words where there are words, and never within a character.

    Args:
        text: string `[N]`, any bytes.
        vocabulary: Makes the pieces.
        longest: Pieces of a part.

    Returns:
        Ids int32 `[M, (pieces)]`, and the number of each part's text, int64 `[M]`.
    """
    is_long = vocabulary.encode(text).row_lengths() > longest
    parts = tf.strings.split(tf.where(is_long, _parted(text), normalise(text)), "\n")
    ids, of = _even_parts(vocabulary.encode(parts.values), vocabulary, longest)
    return ids, tf.gather(parts.value_rowids(), of)


def separator(language: str) -> str:
    """What stands between two sentences of a language, given its code."""
    code = language.replace("_", "-").split("-")[0].lower()
    return "" if code in CHINESE + JAPANESE else " "


def _parted(text: tf.Tensor) -> tf.Tensor:
    """Normalised, each sentence on a line of its own; no line is empty."""
    lines = tf.strings.split(text, "\n")
    parted = normalise(lines.values)
    for end, replaced in _SENTENCE_ENDS:
        parted = tf.strings.regex_replace(parted, end, replaced)
    parted = tf.strings.regex_replace(parted, _NO_SENTENCE_END, "\\1 ")
    joined = tf.strings.reduce_join(lines.with_values(parted), 1, separator="\n")
    return tf.strings.strip(tf.strings.regex_replace(joined, "\n+", "\n"))


def _even_parts(
    ids: tf.RaggedTensor, vocabulary: Pieces, longest: int
) -> tuple[tf.RaggedTensor, tf.Tensor]:
    """Rows that are too long in parts, and the number of each part's row."""
    lengths = ids.row_lengths()
    counts = tf.maximum((lengths + longest - 1) // longest, 1)
    of = tf.repeat(tf.range(ids.nrows()), counts)
    number = tf.range(tf.size(of, tf.int64)) - tf.gather(
        tf.cumsum(counts, exclusive=True), of
    )
    length, count = tf.gather(lengths, of), tf.gather(counts, of)
    begins = tf.gather(ids.row_starts(), of) + number * length // count
    names = vocabulary.pieces(ids.values)
    before_word = _last_before(begins, tf.strings.regex_full_match(names, _BEGINS_WORD))
    before_character = _last_before(
        begins, ~tf.strings.regex_full_match(names, _WITHIN_CHARACTER)
    )
    # Not so far that the part before it would be lost.
    near = begins - before_word < longest // 2
    moved = tf.where(near, before_word, before_character)
    begins = tf.where(number > 0, moved, begins)
    return tf.RaggedTensor.from_row_starts(ids.values, begins), of


def _last_before(positions: tf.Tensor, holds: tf.Tensor) -> tf.Tensor:
    """For each position the last one up to it where something holds, or -1."""
    known = tf.concat([tf.constant([-1], tf.int64), tf.where(holds)[:, 0]], 0)
    return tf.gather(known, tf.searchsorted(known, positions, side="right") - 1)
