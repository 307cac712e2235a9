"""What `data.texts.visible_text` does, in the graph and without further libraries."""

import functools
import unicodedata
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ..core.serving_module import graph
from ..data.texts.visible_text import (
    END,
    ENTITY,
    JOINED,
    TAGS_BETWEEN_WORDS,
    TAGS_WITHIN_WORDS,
    entities,
    widths,
)

# Hangul is composed by rule: a leading consonant, a vowel, and a trailing consonant.
_LEADING, _VOWELS, _TRAILING, _SYLLABLES = 0x1100, 0x1161, 0x11A7, 0xAC00
_LEADINGS, _VOWEL_COUNT, _TRAILINGS = 19, 21, 28
_HANGUL = range(_SYLLABLES, _SYLLABLES + _LEADINGS * _VOWEL_COUNT * _TRAILINGS)
_CODE_BITS = 21


# Traced once for all the graphs that it stands in, since that takes a while.
@functools.partial(graph, signature=[tf.TensorSpec([None], tf.string)])
def visible_text(text: tf.Tensor) -> tf.Tensor:
    """Texts as they are seen.

    Args:
        text: string `[N]`, UTF-8.

    Returns:
        string `[N]`.
    """
    text = _where(text, ENTITY, _without_entities)
    text = tf.strings.regex_replace(text, TAGS_WITHIN_WORDS, "")
    text = tf.strings.regex_replace(text, TAGS_BETWEEN_WORDS, " ")
    text = tf.strings.regex_replace(text, f"[{JOINED}]", "")
    return _where(text, f"[{_tables().not_composed}]", _composed)


def _where(
    text: tf.Tensor, holds: str, function: Callable[[tf.Tensor], tf.Tensor]
) -> tf.Tensor:
    """The texts, and a function of those that hold a pattern: mostly few of them."""
    rows = tf.where(tf.strings.regex_full_match(text, f"(?s).*{holds}.*"))
    found = tf.gather_nd(text, rows)
    changed = tf.cond(tf.size(found) > 0, lambda: function(found), lambda: found)
    return tf.tensor_scatter_nd_update(text, rows, changed)


def _without_entities(text: tf.Tensor) -> tf.Tensor:
    patterns, characters = map(list, zip(*entities().items(), strict=True))
    number = len(patterns)
    patterns, characters = tf.constant(patterns), tf.constant(characters)

    def replaced(index: tf.Tensor, text: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        changed = tf.strings.regex_replace(text, patterns[index], characters[index])
        return index + 1, tf.ensure_shape(changed, text.shape)

    return tf.while_loop(lambda index, _: index < number, replaced, (0, text))[1]


def _composed(text: tf.Tensor) -> tf.Tensor:
    """Texts in NFC, with usual widths (Unicode Standard Annex 15)."""
    decoded = tf.strings.unicode_decode(text, "UTF-8")
    codes, rows = _decomposed(decoded.values, decoded.value_rowids())
    codes = _in_canonical_order(codes, rows)
    codes, stays = _with_pairs_composed(codes, rows)
    composed = tf.RaggedTensor.from_value_rowids(
        codes[stays], rows[stays], tf.size(text, tf.int64)
    )
    return tf.strings.unicode_encode(composed, "UTF-8")


def _decomposed(codes: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The code points of the canonical decomposition, and their rows."""
    tables = _tables()
    position, is_known = _find(codes, tables.decomposed)
    itself = tf.pad(
        codes[:, tf.newaxis],
        [[0, 0], [0, tables.parts.shape[1] - 1]],
        constant_values=-1,
    )
    parts = tf.where(is_known[:, tf.newaxis], tf.gather(tables.parts, position), itself)
    is_part = parts >= 0
    return parts[is_part], tf.repeat(
        rows, tf.math.count_nonzero(is_part, axis=1, dtype=tf.int32)
    )


def _in_canonical_order(codes: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Marks behind each starter in the order of their combining classes."""
    classes = _combining_class(codes)
    starts = (classes == 0) | _begins(rows)
    segment = tf.cumsum(tf.cast(starts, tf.int64))
    order = tf.argsort(segment * 256 + tf.cast(classes, tf.int64), stable=True)
    return tf.gather(codes, order)


def _with_pairs_composed(
    codes: tf.Tensor, rows: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Starters composed with what is behind them, and which code points stay.

    Each starter with what may be composed with one is a segment; the segments are gone
    through in step, one code point at a time.
    """
    classes = _combining_class(codes)
    _, is_second = _find(codes, _tables().seconds)
    begins = tf.where(((classes == 0) & ~is_second) | _begins(rows))[:, 0]
    ends = tf.concat([begins[1:], [tf.size(codes, tf.int64)]], 0)
    lengths = ends - begins
    begins, lengths = begins[lengths > 1], lengths[lengths > 1]
    longest = tf.reduce_max(tf.concat([lengths, [0]], 0))

    def step(
        offset: tf.Tensor,
        codes: tf.Tensor,
        stays: tf.Tensor,
        starters: tf.Tensor,
        before: tf.Tensor,
    ) -> tuple[tf.Tensor, ...]:
        segments = tf.where(lengths > offset)
        here = tf.gather_nd(begins, segments) + offset
        starter = tf.gather_nd(starters, segments)
        combining = tf.gather(classes, here)
        composite = _composite(tf.gather(codes, starter), tf.gather(codes, here))
        # What stands between a starter and a mark must be of a lower class.
        composes = (composite >= 0) & (tf.gather_nd(before, segments) < combining)
        codes = tf.tensor_scatter_nd_update(
            codes, starter[composes][:, tf.newaxis], composite[composes]
        )
        stays = tf.tensor_scatter_nd_update(stays, here[:, tf.newaxis], ~composes)
        starts = ~composes & (combining == 0)
        starters = tf.tensor_scatter_nd_update(
            starters, segments, tf.where(starts, here, starter)
        )
        behind = tf.where(composes, tf.gather_nd(before, segments), combining)
        before = tf.tensor_scatter_nd_update(
            before, segments, tf.where(starts, _NOTHING, behind)
        )
        return offset + 1, codes, stays, starters, before

    _, codes, stays, _, _ = tf.while_loop(
        lambda offset, *_: offset < longest,
        step,
        (
            tf.constant(1, tf.int64),
            codes,
            tf.ones_like(codes, tf.bool),
            begins,
            tf.fill(tf.shape(begins), _NOTHING),
        ),
    )
    return codes, stays


# The combining class of what stands between, where nothing does.
_NOTHING = -1


def _composite(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """The code points that pairs are composed to, or -1."""
    tables = _tables()
    key = tf.bitwise.left_shift(
        tf.cast(one, tf.int64), tf.constant(_CODE_BITS, tf.int64)
    ) + tf.cast(other, tf.int64)
    position, is_known = _find(key, tables.pairs)
    composite = tf.where(is_known, tf.gather(tables.composites, position), -1)
    leading, vowel = one - _LEADING, other - _VOWELS
    syllable = _SYLLABLES + (leading * _VOWEL_COUNT + vowel) * _TRAILINGS
    composite = tf.where(
        _within(leading, _LEADINGS) & _within(vowel, _VOWEL_COUNT), syllable, composite
    )
    open_syllable, trailing = one - _SYLLABLES, other - _TRAILING
    return tf.where(
        _within(open_syllable, len(_HANGUL))
        & (open_syllable % _TRAILINGS == 0)
        & _within(trailing - 1, _TRAILINGS - 1),
        one + trailing,
        composite,
    )


def _within(number: tf.Tensor, size: int) -> tf.Tensor:
    return (number >= 0) & (number < size)


def _begins(rows: tf.Tensor) -> tf.Tensor:
    """Where a row begins."""
    return rows != tf.concat([[-1], rows[:-1]], 0)


def _combining_class(codes: tf.Tensor) -> tf.Tensor:
    tables = _tables()
    position, is_mark = _find(codes, tables.marks)
    return tf.where(is_mark, tf.gather(tables.classes, position), 0)


def _find(values: tf.Tensor, known: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
    """The positions of values among sorted ones, and whether they are there."""
    position = tf.minimum(tf.searchsorted(known, values), len(known) - 1)
    return position, tf.gather(known, position) == values


class _Tables:
    """What Python's Unicode says of code points, as sorted arrays.

    Attributes:
        decomposed: Code points with a decomposition, int32 `[D]`, Hangul aside.
        parts: Their decompositions, int32 `[D, 4]`, -1 behind the last part.
        marks: Code points with a combining class over 0, int32 `[M]`.
        classes: These classes, int32 `[M]`.
        pairs: Code points of which one is composed, as one number, int64 `[P]`.
        composites: What they are composed to, int32 `[P]`.
        seconds: Of class 0 those that may be the second of a pair, int32 `[S]`.
        not_composed: A class of regular expressions: all that NFC may change.
    """

    def __init__(self) -> None:
        usual = widths()
        parts: dict[int, list[int]] = {}
        pairs: dict[int, int] = {}
        seconds = {
            *range(_VOWELS, _VOWELS + _VOWEL_COUNT),
            *range(_TRAILING + 1, _TRAILING + _TRAILINGS),
        }
        for code in range(END):
            if code in _HANGUL:
                continue
            character = chr(usual.get(code, code))
            whole = unicodedata.normalize("NFD", character)
            if whole != chr(code):
                parts[code] = list(map(ord, whole))
            pair = unicodedata.decomposition(chr(code)).split()
            if len(pair) == 2 and not pair[0].startswith("<"):
                one, other = (int(each, 16) for each in pair)
                if unicodedata.normalize("NFC", chr(one) + chr(other)) == chr(code):
                    pairs[(one << _CODE_BITS) + other] = code
                    seconds.add(other)
        classes = {
            code: unicodedata.combining(chr(code))
            for code in range(END)
            if unicodedata.combining(chr(code))
        }
        longest = max(map(len, parts.values()))
        self.decomposed = np.array(list(parts), np.int32)
        self.parts = np.array(
            [[*each, *[-1] * (longest - len(each))] for each in parts.values()],
            np.int32,
        )
        self.marks = np.array(list(classes), np.int32)
        self.classes = np.array(list(classes.values()), np.int32)
        self.pairs = np.array(sorted(pairs), np.int64)
        self.composites = np.array([pairs[key] for key in sorted(pairs)], np.int32)
        self.seconds = np.array(sorted(seconds - classes.keys()), np.int32)
        changed = [
            code
            for code in parts
            if unicodedata.normalize("NFC", chr(usual.get(code, code))) != chr(code)
        ]
        self.not_composed = _class_of(sorted({*changed, *seconds, *classes}))


@functools.cache
def _tables() -> _Tables:
    return _Tables()


def _class_of(codes: list[int]) -> str:
    """What stands within square brackets for these code points."""
    array = np.array(codes)
    ends = np.flatnonzero(np.diff(array) > 1)
    begins = array[np.concatenate([[0], ends + 1])]
    lasts = array[np.concatenate([ends, [len(array) - 1]])]
    return "".join(
        rf"\x{{{begin:x}}}-\x{{{last:x}}}"
        for begin, last in zip(begins.tolist(), lasts.tolist(), strict=True)
    )
