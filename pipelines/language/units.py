"""Units: what a text is made of, cut and put together by the graph.

Every vocabulary begins with `BOUNDARY`, which stands before a text and ends it, and
`UNKNOWN`, for what the vocabulary does not have.
"""

import abc
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ..core.autotuning import without_autotuning
from ..core.errors import UserError
from ..core.files import read_json, write_json, written_whole
from ..data.texts.documents import Text
from ..data.texts.long_text import LongText
from .config import UnitsConfig
from .vocabulary import (
    APART,
    JOINER,
    LETTERS,
    LINE_END,
    TORN_UNKNOWN,
    UNKNOWN,
    UNKNOWN_TEXT,
)

_VOCABULARY, _SUBWORDS = "vocabulary.json", "subwords.model"

# Characters of a text that are cut together; longer texts are parted at line ends.
_PART = 1 << 20
# Texts and characters that are cut together.
_TEXTS_TOGETHER, _CHARACTERS_TOGETHER = 256, 1 << 20


class Between(NamedTuple):
    """What stands between two blanks.

    Attributes:
        ids: Of the units that touch no blank, int32 `[T]`.
        end: Letters that end the unit of the blank before, a scalar string.
        begin: Letters that begin the unit of the blank behind.
        mark: What that unit has before its letters, as it touches a sign.
    """

    ids: tf.Tensor
    end: tf.Tensor
    begin: tf.Tensor
    mark: tf.Tensor


class Units(tf.Module, abc.ABC):
    """Texts to the numbers of their units and back, within a graph.

    Args:
        vocabulary: The text of each unit, in the order of their numbers.
    """

    def __init__(self, vocabulary: Sequence[bytes]):
        super().__init__(name="units")
        self.vocabulary = list(vocabulary)
        self._texts = tf.Variable(self.vocabulary, trainable=False, dtype=tf.string)

    @property
    def size(self) -> int:
        """Units of the vocabulary."""
        return len(self.vocabulary)

    @property
    def fillers(self) -> np.ndarray:
        """The units that can fill a blank."""
        return np.arange(UNKNOWN + 1, self.size)

    def portable(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Settings and arrays of the same for `portable_units.read_units`."""
        # Bytes of half a character have no other text.
        texts = [unit.decode("latin-1") for unit in self.vocabulary]
        return {"kind": type(self).__name__.lower(), "vocabulary": texts}, {}

    @abc.abstractmethod
    def encode(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """The numbers of the units, int32 `[N, (T)]`, of texts `[N]`."""

    def join(self, units: tf.Tensor, behind: tf.Tensor) -> tf.Tensor:
        """The text that units `[N, T]` make behind texts `[N]`."""
        return tf.strings.reduce_join(units, axis=-1)

    def between(
        self, text: tf.Tensor, is_first: tf.Tensor, is_last: tf.Tensor
    ) -> Between:
        """The units of a part of a text that blanks part, a scalar string.

        Args:
            text: The part.
            is_first: Whether no blank stands before it.
            is_last: Whether none stands behind it.
        """
        return Between(
            self.encode(text[None]).values, *(tf.constant("") for _ in range(3))
        )

    def fitting(self, mark: tf.Tensor, begin: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
        """Which units can fill a blank, bool `[V]`; see `Between` for the arguments."""
        return tf.constant(np.isin(np.arange(self.size), self.fillers))

    def filling(self, ids: tf.Tensor, begin: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
        """What units `[k]` write into the blank itself."""
        return self.shown(ids)

    def texts_of(self, ids: tf.Tensor) -> tf.Tensor:
        """The texts of units, of any shape."""
        return tf.gather(self._texts, ids)

    def shown(self, ids: tf.Tensor) -> tf.Tensor:
        """The same for people, who see no marks."""
        return self.texts_of(ids)

    def encode_parts(self, texts: Iterable[Text]) -> Iterator[tuple[int, np.ndarray]]:
        """The numbers of texts' units, int32, in parts of bounded size.

        Gives the number of the text with each part, in order; each text has one.
        """
        rows: list[list[int]] = []

        def batches() -> Iterator[list[str]]:
            for batch in _batched(texts):
                rows.append([row for row, _ in batch])
                yield [part for _, part in batch]

        dataset = tf.data.Dataset.from_generator(
            batches, output_signature=tf.TensorSpec([None], tf.string)
        ).map(self.encode)
        for batch in without_autotuning(dataset):
            encoded = np.split(batch.values.numpy(), batch.row_splits.numpy()[1:-1])
            yield from zip(rows.pop(0), encoded, strict=True)

    def encode_all(self, texts: Iterable[Text]) -> list[np.ndarray]:
        """The numbers of each text's units, int32."""
        by_row: dict[int, list[np.ndarray]] = {}
        for row, ids in self.encode_parts(texts):
            by_row.setdefault(row, []).append(ids)
        return [np.concatenate(by_row[row]) for row in sorted(by_row)]

    def without_broken_end(self, texts: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor]:
        """The units of prompts `[N]`, and what is typed of a last unit that may go on.

        That one is left out of the units, and its letters are given; they are "" where
        the prompt ends in whole units.
        """
        ids = self.encode(texts)
        return ids, tf.zeros_like(texts)

    def completing(self, text: tf.Tensor) -> tf.Tensor:
        """Which units begin with each text `[N]`: bool `[N, V]`.

        The special units, of numbers up to `UNKNOWN`, are no texts and never do.
        """
        lengths = tf.strings.length(text)
        longest = tf.strings.length(self._texts)

        def begins(pair: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            typed, length = pair
            first = tf.zeros_like(longest)
            return typed == tf.strings.substr(
                self._texts, first, tf.minimum(length, longest)
            )

        begin = tf.map_fn(begins, (text, lengths), fn_output_signature=tf.bool)
        return begin & (tf.range(self.size) > UNKNOWN)


class ListedUnits(Units):
    """Units that are known by their text; the others are unknown.

    Args:
        vocabulary: As of `Units`.
    """

    def __init__(self, vocabulary: Sequence[bytes]):
        super().__init__(vocabulary)
        self._numbers = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(self.vocabulary[UNKNOWN + 1 :], tf.string),
                tf.range(UNKNOWN + 1, len(self.vocabulary), dtype=tf.int32),
            ),
            UNKNOWN,
        )

    @abc.abstractmethod
    def cut(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """The texts of the units, string `[N, (T)]`, of texts `[N]`."""

    def encode(self, texts: tf.Tensor) -> tf.RaggedTensor:
        cut = self.cut(texts)
        return cut.with_values(self._numbers.lookup(cut.values))


class Characters(ListedUnits):
    """A character, by Unicode's code points, is a unit."""

    def cut(self, texts: tf.Tensor) -> tf.RaggedTensor:
        return tf.strings.unicode_split(texts, "UTF-8")


class Bytes(ListedUnits):
    """A byte is a unit."""

    def cut(self, texts: tf.Tensor) -> tf.RaggedTensor:
        return tf.strings.bytes_split(texts)


class Words(ListedUnits):
    """A word between spaces is a unit, a sign, and the end of a line.

    Signs that touch a word have a `JOINER` before them, and so has a word that touches
    a sign, so that a text can be put together again; of several spaces one is left.

    Args:
        vocabulary: As of `Units`.
        punctuation: As of `UnitsConfig`.
    """

    def __init__(self, vocabulary: Sequence[bytes], punctuation: str):
        super().__init__(vocabulary)
        self._parts_signs = punctuation == "apart"
        # Words that touch the sign before them.
        texts = [unit.decode("utf-8", "replace") for unit in self.vocabulary]
        self._are_marked = np.array(
            [text.startswith(JOINER) and text[1:2].isalnum() for text in texts]
        )

    @property
    def fillers(self) -> np.ndarray:
        """Words alone: no sign that touches its neighbours, no end of a line."""
        marks = JOINER.encode(), b"\n"
        fillers = super().fillers
        words = [
            unit for unit in fillers if not self.vocabulary[unit].startswith(marks)
        ]
        return np.array(words) if words else fillers

    def portable(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        settings, arrays = super().portable()
        return settings | {"parts_signs": self._parts_signs}, arrays

    def cut(self, texts: tf.Tensor) -> tf.RaggedTensor:
        return cut_words(texts, self._parts_signs)

    def between(
        self, text: tf.Tensor, is_first: tf.Tensor, is_last: tf.Tensor
    ) -> Between:
        letter = _LETTER if self._parts_signs else r"\S"
        end = tf.strings.regex_replace(text, rf"(?s)^({letter}*).*$", r"\1")
        end = tf.where(is_first, "", end)
        is_torn = ~is_first & ~is_last & (text != b"") & (end == text)
        rest = tf.strings.substr(text, tf.strings.length(end), _ALL)
        begin = tf.strings.regex_replace(rest, rf"(?s)^.*?({letter}*)$", r"\1")
        begin = tf.where(is_last, "", begin)
        rest = tf.strings.substr(
            rest, 0, tf.strings.length(rest) - tf.strings.length(begin)
        )
        touches_sign = tf.strings.regex_full_match(rest, r"(?s).*\S")
        # A sign that touches the blank is one that touches a word.
        before = tf.where(is_first, "", "x")
        ids = self.encode(tf.strings.join([before, rest])[None]).values
        ids = ids[tf.where(is_first, 0, 1) :]
        # No word is known to have a blank on both sides of its letters.
        begin, end = (tf.where(is_torn, JOINER * 2, each) for each in (begin, end))
        return Between(ids, end, begin, tf.where(touches_sign, JOINER, ""))

    def fitting(self, mark: tf.Tensor, begin: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
        lengths = tf.strings.length(self._texts)
        of_end = tf.minimum(tf.strings.length(end), lengths)
        ends = tf.strings.substr(self._texts, lengths - of_end, of_end) == end

        def fits(mark: tf.Tensor, is_such: np.ndarray) -> tf.Tensor:
            text = tf.strings.join([mark, begin])
            outside = tf.strings.length(text) + tf.strings.length(end)
            begins = self.completing(text[None])[0]
            return is_such & begins & ends & (lengths > outside)

        marked = fits(mark, self._are_marked)
        plain = fits(tf.constant(""), np.isin(np.arange(self.size), self.fillers))
        return tf.where((mark != b"") & tf.reduce_any(marked), marked, plain)

    def filling(self, ids: tf.Tensor, begin: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
        shown = self.shown(ids)
        outside = tf.strings.length(begin) + tf.strings.length(end)
        lengths = tf.strings.length(shown)
        first = tf.minimum(tf.strings.length(begin), lengths)
        return tf.strings.substr(shown, first, tf.maximum(lengths - outside, 0))

    def without_broken_end(self, texts: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor]:
        # A last word that the vocabulary does not have may begin one that it has.
        words = self.cut(texts)
        ids = words.with_values(self._numbers.lookup(words.values))
        last = tf.strings.reduce_join(words[:, -1:], axis=-1)
        is_broken = (
            tf.reduce_any(tf.equal(ids[:, -1:], UNKNOWN), 1)
            & ~tf.strings.regex_full_match(texts, r"(?s).*\s")
            & tf.reduce_any(self.completing(last), 1)
        )
        lengths = ids.row_lengths() - tf.cast(is_broken, tf.int64)
        kept = tf.ragged.boolean_mask(
            ids, tf.ragged.range(ids.row_lengths()) < lengths[:, None]
        )
        return kept, tf.where(is_broken, last, "")

    def shown(self, ids: tf.Tensor) -> tf.Tensor:
        return tf.strings.regex_replace(self.texts_of(ids), f"^{JOINER}", "")

    def join(self, units: tf.Tensor, behind: tf.Tensor) -> tf.Tensor:
        units = tf.where(units == b"", b"", b" " + units)
        text = tf.strings.reduce_join(units, axis=-1)
        text = tf.strings.regex_replace(text, f" {JOINER}", "")
        text = tf.strings.regex_replace(text, " ?\n ?", "\n")
        needs_none = tf.strings.regex_full_match(behind, r"(?s)(.*\s)?")
        return tf.where(needs_none, tf.strings.regex_replace(text, "^ ", ""), text)


_LETTER = rf"[{LETTERS}]"
# Bytes of a text, however long it is.
_ALL = 1 << 30


def cut_words(texts: tf.Tensor, parts_signs: bool) -> tf.RaggedTensor:
    """The words of texts `[N]`, string `[N, (T)]`; see `Words`."""
    texts = tf.strings.regex_replace(texts, "\n", f" {LINE_END} ")
    if parts_signs:
        for pattern in APART:
            for _ in range(2):
                texts = tf.strings.regex_replace(texts, pattern, rf"\1 {JOINER}\2")
        texts = tf.strings.regex_replace(texts, TORN_UNKNOWN, UNKNOWN_TEXT)
    words = tf.strings.split(texts)
    return words.with_values(
        tf.strings.regex_replace(words.values, f"^{LINE_END}$", "\n")
    )


def fit_units(config: UnitsConfig, texts: Sequence[Text], assets: Path) -> None:
    """Fits the vocabulary to texts and writes it to a folder.

    Raises:
        UserError: It is too small for subwords, or their packages are missing.
    """
    if config.kind == "subwords":
        parts = itertools.chain.from_iterable(map(_parted, texts))
        fitted = _subwords().fit_subwords(parts, config.vocabulary_size)
        with written_whole(assets / _SUBWORDS) as partial:
            partial.write_bytes(fitted)
        return
    if config.kind == "bytes":
        kept = [bytes([number]) for number in range(256)]
    else:
        counts: Counter[bytes] = Counter()
        for part in itertools.chain.from_iterable(map(_parted, texts)):
            if config.kind == "characters":
                counts.update(character.encode() for character in part)
            else:
                cut = cut_words(tf.constant([part]), config.punctuation == "apart")
                counts.update(cut.values.numpy().tolist())
        counts.pop(UNKNOWN_TEXT.encode(), None)
        # Of equal counts in the order of their bytes, whatever that of the texts.
        order = sorted(counts, key=lambda unit: (-counts[unit], unit))
        most = config.vocabulary_size - UNKNOWN - 1
        kept = [unit for unit in order[:most] if counts[unit] >= config.min_count]
    vocabulary = [b"", UNKNOWN_TEXT.encode(), *kept]
    # Bytes of half a character have no other text.
    write_json(assets / _VOCABULARY, [unit.decode("latin-1") for unit in vocabulary])


def read_units(config: UnitsConfig, assets: Path) -> Units:
    """The units with the vocabulary that was written to the folder."""
    if config.kind == "subwords":
        return _subwords().Subwords((assets / _SUBWORDS).read_bytes())
    vocabulary = [unit.encode("latin-1") for unit in read_json(assets / _VOCABULARY)]
    if config.kind == "words":
        return Words(vocabulary, config.punctuation)
    return {"characters": Characters, "bytes": Bytes}[config.kind](vocabulary)


def _subwords() -> Any:
    """The module for them, whose packages not everybody has."""
    try:
        from . import subwords
    except ImportError as error:
        raise UserError(
            f"units.kind=subwords: {error.name} is missing; install it by: "
            "pip install 'recurra[translation]'"
        ) from None
    return subwords


def _parted(text: Text) -> Iterator[str]:
    """The text in parts that end where a line does, if lines are not too long."""
    if isinstance(text, LongText):
        for part in text.parts():
            yield from _parted(part)
        return
    begin = 0
    while len(text) - begin > _PART:
        end = text.rfind("\n", begin, begin + _PART) + 1
        end = end if end > begin else begin + _PART
        yield text[begin:end]
        begin = end
    yield text[begin:]


def _batched(texts: Iterable[Text]) -> Iterator[list[tuple[int, str]]]:
    """Parts of texts with their texts' numbers, as many as are cut together."""
    batch: list[tuple[int, str]] = []
    characters = 0
    for row, text in enumerate(texts):
        for part in _parted(text):
            is_full = characters + len(part) > _CHARACTERS_TOGETHER
            if batch and (is_full or len(batch) == _TEXTS_TOGETHER):
                yield batch
                batch, characters = [], 0
            batch.append((row, part))
            characters += len(part)
    if batch:
        yield batch
