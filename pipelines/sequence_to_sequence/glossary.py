"""Terms of a source that its output must say in a given way, found in the graph."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import regex
import tensorflow as tf

from ..core.errors import UserError
from ..data.texts.words import WITHOUT_SPACES
from .decoding import Terms
from .special_tokens import PADDING, UNKNOWN
from .subword_sampling import SPACE
from .subwords import Pieces, Subwords, normalise

# Around words, and around terms that are found: no text has control characters, since
# `normalise` takes them for spaces.
_WORD, _BEGIN, _END = "\x01", "\x02", "\x03"
# A character that needs no space is a word; [^\P{L}X] are the letters without X.
_WORDS = (
    rf"[{WITHOUT_SPACES}]|"
    rf"(?:[^\P{{L}}{WITHOUT_SPACES}]|[^\P{{M}}{WITHOUT_SPACES}]|\p{{N}})+"
)
_ALONE = regex.compile(f"[{WITHOUT_SPACES}]")
_LETTER = regex.compile(rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{WITHOUT_SPACES}]]", regex.V1)
_BYTE = regex.compile("<0x..>")
# Terms of one pattern, more of which RE2 may not take.
_TOGETHER = 500


class Glossary:
    """Finds the terms of sources and gives the pieces that their outputs must have.

    A term stands in a source where its words do, whole and one after the other, in
    capital letters or small ones. Of terms within each other the longest counts, and a
    term that stands twice counts once.

    Args:
        terms: By a term of the sources, how outputs say it.
        subwords: Of both.

    Raises:
        UserError: If a term is empty, stands twice, or has what the vocabulary lacks.
    """

    def __init__(self, terms: Mapping[str, str], subwords: Subwords):
        self._source = subwords.source
        order = sorted(terms, key=len, reverse=True)
        _refuse_unknown(order, subwords.source)
        _refuse_unknown([terms[term] for term in order], subwords.target)
        marked = _in_words(tf.constant(order))
        self._terms = [term.decode() for term in marked.numpy()]
        times = Counter(self._terms)
        for term, name in zip(self._terms, order, strict=True):
            if times[term] > 1:
                raise UserError(
                    f"decoding.glossary: {name!r} stands there twice, which may be in "
                    "capital letters and small ones"
                )
        pieces = _within_a_text([terms[term] for term in order], subwords.target)
        self._values = np.concatenate(pieces)
        self._lengths = [len(each) for each in pieces]
        names = _names(subwords.target)
        self._never_next = np.array([_goes_on(name) for name in names])

    def required(self, source: tf.Tensor | tf.RaggedTensor) -> Terms:
        """The terms that outputs of sources must have.

        Args:
            source: int32 `[N, S]`, or ragged.
        """
        text = _in_words(self._source.decode(source))
        rows = tf.shape(text, tf.int64)[0]
        found = tf.zeros([rows, len(self._terms)], tf.bool)
        for begin in range(0, len(self._terms), _TOGETHER):
            terms = self._terms[begin : begin + _TOGETHER]
            pattern = "|".join(map(regex.escape, terms))
            parts = tf.strings.split(
                tf.strings.regex_replace(text, f"({pattern})", rf"{_BEGIN}\1{_END}"),
                _BEGIN,
            )[:, 1:]
            said = tf.strings.regex_replace(parts.values, f"(?s){_END}.*", "")
            which = tf.where(said[:, tf.newaxis] == tf.constant(terms))
            row = tf.gather(parts.value_rowids(), which[:, 0])
            found = tf.tensor_scatter_nd_update(
                found,
                tf.stack([row, which[:, 1] + begin], 1),
                tf.ones_like(row, tf.bool),
            )
            # What is found is no part of a shorter term.
            text = tf.strings.regex_replace(text, pattern, _END)
        positions = tf.where(found)
        pieces = tf.RaggedTensor.from_row_lengths(self._values, self._lengths)
        of_rows = tf.RaggedTensor.from_value_rowids(
            tf.gather(pieces, positions[:, 1]), positions[:, 0], rows
        )
        return Terms(of_rows.to_tensor(PADDING), tf.constant(self._never_next))


def _in_words(text: tf.Tensor) -> tf.Tensor:
    """Texts in small letters, with a mark on both sides of each word."""
    lower = tf.strings.lower(normalise(text), encoding="utf-8")
    return tf.strings.regex_replace(lower, _WORDS, rf"{_WORD}\0{_WORD}")


def _names(pieces: Pieces) -> list[str]:
    every = tf.range(pieces.vocabulary_size)
    return [name.decode() for name in pieces.pieces(every).numpy()]


def _goes_on(piece: str) -> bool:
    """Whether a piece goes on with a word; of bytes nobody knows."""
    return _BYTE.fullmatch(piece) is not None or _LETTER.match(piece) is not None


def _within_a_text(terms: Sequence[str], pieces: Pieces) -> list[np.ndarray]:
    """Ids of pieces of terms as they stand within a text.

    Without the space before them, where their script has none.
    """
    names = _names(pieces)
    ids_of_names = {name: number for number, name in enumerate(names)}
    found = []
    for term, ids in zip(terms, _rows(pieces.encode(terms)), strict=True):
        first = names[ids[0]].removeprefix(SPACE)
        if _ALONE.match(term):
            before = [ids_of_names[first]] if first in ids_of_names else []
            if before or not first:
                ids = np.array([*before, *ids[1:]], np.int32)
        found.append(ids)
    return found


def _rows(ragged: tf.RaggedTensor) -> list[np.ndarray]:
    return np.split(ragged.values.numpy(), ragged.row_splits.numpy()[1:-1])


def _refuse_unknown(terms: list[str], pieces: Pieces) -> None:
    for term, ids in zip(terms, _rows(pieces.encode(terms)), strict=True):
        if UNKNOWN in ids or not len(ids):
            raise UserError(
                f"decoding.glossary: {term!r} has what the model's vocabulary lacks, "
                "so it is neither read nor said"
            )
