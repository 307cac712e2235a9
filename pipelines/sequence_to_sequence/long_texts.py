"""Texts in lines and parts that a model can read, and back, all in the graph."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas
import tensorflow as tf

from ..data.texts.languages import CHINESE, JAPANESE
from .config import Splitting
from .sentence_ends import (
    BEGINS_WORD,
    LINE_BREAK,
    LONGEST_WHOLE,
    NO_SENTENCE_END,
    SENTENCE_ENDS,
    WITHIN_CHARACTER,
)
from .subwords import Pieces, normalise

# Rank correlation of lengths; of outputs it is above 0.8.
_IN_STEP = 0.5
_MOSTLY = 0.5


class Parts(NamedTuple):
    """Texts in parts that a model can read.

    Attributes:
        ids: Of the parts' pieces, int32 `[M, (pieces)]`.
        line: The number of each part's line among all lines, int64 `[M]`. An empty
            line has no part.
        text: The number of each line's text, int64 `[L]`. Each text has a line.
    """

    ids: tf.RaggedTensor
    line: tf.Tensor
    text: tf.Tensor


def split_texts(
    text: tf.Tensor,
    vocabulary: Pieces,
    longest: int,
    splitting: Splitting = "sentences",
) -> Parts:
    """The lines of texts, in parts of at most about `longest` pieces.

    A line of no more pieces is one part. A longer one is parted at the ends of its
    sentences; and a sentence that is longer still, into even parts, between words where
    there are words, and never within a character.

    Where no sentence of the target is that of one of the source, a part of the answer
    cannot be had for a part of the text: then a line is one part, or all of the text,
    however long, but for what comes after `LONGEST_WHOLE` pieces.

    Args:
        text: string `[N]`, any bytes.
        vocabulary: Makes the pieces.
        longest: Pieces of a part.
        splitting: Into what.
    """
    if splitting == "never":
        lines = tf.RaggedTensor.from_tensor(text[:, tf.newaxis])
    else:
        lines = _lines(text)
    line = normalise(lines.values)
    if splitting != "sentences":
        said = tf.where(tf.not_equal(line, ""))[:, 0]
        whole = vocabulary.encode(tf.gather(line, said))
        most = max(longest, LONGEST_WHOLE)
        return Parts(whole[:, :most], said, lines.value_rowids())
    is_long = vocabulary.encode(line).row_lengths() > longest
    parts = tf.strings.split(tf.where(is_long, _sentences(line), line), "\n")
    said = tf.not_equal(parts.values, "")
    part, line_of_part = parts.values[said], parts.value_rowids()[said]
    ids, of = _even_parts(vocabulary.encode(part), vocabulary, longest)
    return Parts(ids, tf.gather(line_of_part, of), lines.value_rowids())


def usual_splitting(source: Sequence[str], lengths: np.ndarray) -> Splitting:
    """How texts are to be split for a model of such pairs.

    Where the lengths of the targets follow those of the sources, as from language to
    language, into sentences. Else into lines if the sources are sentences, since many
    of them may stand in a text; and never if they are longer texts, as of summaries.

    Args:
        source: Sources of training.
        lengths: Pieces of sources and targets, int `[pairs, 2]`.
    """
    ranks = pandas.DataFrame(lengths).rank()
    # Equal lengths of all targets follow nothing.
    if float(np.nan_to_num(ranks[0].corr(ranks[1]))) >= _IN_STEP:
        return "sentences"
    sentences = tf.strings.split(_sentences(normalise(tf.constant(source))), "\n")
    several = tf.reduce_mean(tf.cast(sentences.row_lengths() > 1, tf.float32))
    return "never" if float(several) >= _MOSTLY else "lines"


def join_texts(said: tf.Tensor, parts: Parts, number: tf.Tensor, space: str) -> Any:
    """Texts of what is said for their parts: a line for a line.

    Args:
        said: string `[M, K]`.
        parts: Of `number` texts.
        number: int, N.
        space: What stands between two sentences.

    Returns:
        string `[N, K]`.
    """
    lines = tf.RaggedTensor.from_value_rowids(
        said, parts.line, tf.size(parts.text, tf.int64)
    )
    line = tf.strings.strip(tf.strings.reduce_join(lines, axis=1, separator=space))
    texts = tf.RaggedTensor.from_value_rowids(
        line, parts.text, tf.cast(number, tf.int64)
    )
    return tf.strings.strip(tf.strings.reduce_join(texts, axis=1, separator="\n"))


def sentences_of(texts: Sequence[str]) -> list[list[str]]:
    """The sentences of each text, as a text that is parted has them."""
    line = normalise(tf.constant(list(texts), tf.string))
    parts = tf.strings.split(_sentences(line), "\n")
    return [[part.decode() for part in row] for row in parts.to_list()]


def separator(language: str) -> str:
    """What stands between two sentences of a language, given its code."""
    code = language.replace("_", "-").split("-")[0].lower()
    return "" if code in CHINESE + JAPANESE else " "


def _lines(text: tf.Tensor) -> tf.RaggedTensor:
    """The lines of each text, without white space around the text."""
    valid = tf.strings.unicode_transcode(
        text, "UTF-8", "UTF-8", errors="replace", replace_control_characters=False
    )
    lines = tf.strings.regex_replace(valid, LINE_BREAK, "\n")
    return tf.strings.split(tf.strings.strip(lines), "\n")


def _sentences(line: tf.Tensor) -> tf.Tensor:
    """Each sentence of normalised lines on a line of its own; no line is empty."""
    for end, replaced in SENTENCE_ENDS:
        line = tf.strings.regex_replace(line, end, replaced)
    line = tf.strings.regex_replace(line, NO_SENTENCE_END, "\\1 ")
    return tf.strings.strip(line)


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
    before_word = _last_before(begins, tf.strings.regex_full_match(names, BEGINS_WORD))
    before_character = _last_before(
        begins, ~tf.strings.regex_full_match(names, WITHIN_CHARACTER)
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
