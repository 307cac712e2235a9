"""Counting: interpolated modified Kneser-Ney, fitted by NumPy, asked in the graph."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from .vocabulary import BOUNDARY


@dataclasses.dataclass(frozen=True)
class Level:
    """The n-grams of one order, and what follows on each of them.

    Attributes:
        keys: Sorted int64: the number of the n-gram without its last unit, among those
            of the order below, times the vocabulary's size, plus the last unit. An
            n-gram's number is its place here.
        discounted: float32, what its count less the discount gives to its probability.
        backoff: float32, what it leaves to the lower orders as a context.
        splits: int32, where the n-grams of the order above that begin with it lie: from
            `splits[number]` to `splits[number + 1]`. Empty at the highest order.
    """

    keys: np.ndarray
    discounted: np.ndarray
    backoff: np.ndarray
    splits: np.ndarray


@dataclasses.dataclass(frozen=True)
class KneserNey:
    """An interpolated Kneser-Ney model with three discounts for each order.

        p(w | h) = max(a(h w) - D(a(h w)), 0) / a(h) + g(h) p(w | h')
        g(h) = (D1 N1(h) + D2 N2(h) + D3+ N3+(h)) / a(h)

    with h' the context h without its first unit, a(h) the sum of a(h w) over w, and
    Ni(h) the units w of a(h w) = i. At the highest order a counts occurrences, below it
    the different units before h w (occurrences again where h w begins a document). The
    lowest order is interpolated with 1 / vocabulary. A context without counts leaves
    all to h'. With n_i the n-grams of a = i, Y = n1 / (n1 + 2 n2) and
    D_i = i - (i + 1) Y n_{i+1} / n_i.

    Source: Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language
    Modeling", Computer Speech and Language 13, 1999

    Attributes:
        vocabulary_size: Units, `BOUNDARY` among them.
        levels: Of the orders from 1 on.
    """

    vocabulary_size: int
    levels: list[Level]

    @property
    def order(self) -> int:
        """Of the longest n-grams."""
        return len(self.levels)

    @classmethod
    def fit(
        cls, documents: Iterable[np.ndarray], vocabulary_size: int, order: int
    ) -> KneserNey:
        """Counts the n-grams of documents.

        Args:
            documents: Units of each, as they are predicted one after the other.
            vocabulary_size: Of the units.
            order: Of the longest n-grams, at least 1.
        """
        before = np.full(order - 1, BOUNDARY, np.int64)
        parts = [part for document in documents for part in (before, document)]
        is_predicted = np.repeat(np.arange(len(parts)) % 2, list(map(len, parts)))
        tables = _count(
            np.concatenate(parts).astype(np.int64), is_predicted, vocabulary_size, order
        )
        levels: list[Level] = []
        contexts, number_of_contexts = np.zeros(vocabulary_size, np.int64), 1
        for number, table in enumerate(tables):
            counts = table.counts
            if number + 1 < order:
                counts = _adjusted(table, tables[number + 1])
            discounted, left = _discount(counts)
            totals = np.bincount(contexts, counts, number_of_contexts)
            seen = np.maximum(totals, 1)
            backoff = np.bincount(contexts, left, number_of_contexts) / seen
            backoff = np.where(totals > 0, backoff, 1.0)
            values = discounted / seen[contexts]
            if number == 0:
                values += backoff[0] / vocabulary_size
            else:
                begins = np.arange(number_of_contexts + 1) * vocabulary_size
                levels[-1] = dataclasses.replace(
                    levels[-1],
                    backoff=backoff.astype(np.float32),
                    splits=np.searchsorted(table.keys, begins).astype(np.int32),
                )
            levels.append(_level(table.keys, values))
            if number + 1 < order:
                contexts = tables[number + 1].keys // vocabulary_size
                number_of_contexts = len(table.keys)
        return cls(vocabulary_size, levels)


def _level(keys: np.ndarray, values: np.ndarray) -> Level:
    """A level with nothing above it."""
    nothing = np.zeros(0)
    return Level(
        keys,
        values.astype(np.float32),
        nothing.astype(np.float32),
        nothing.astype(np.int32),
    )


@dataclasses.dataclass(frozen=True)
class _Table:
    """The different n-grams of an order.

    Attributes:
        keys: As of `Level`.
        counts: Occurrences as something that is predicted.
        shortened: The number of the n-gram without its first unit.
        begins: Whether it stands at the beginning of a document.
    """

    keys: np.ndarray
    counts: np.ndarray
    shortened: np.ndarray
    begins: np.ndarray


def _count(
    ids: np.ndarray, is_predicted: np.ndarray, vocabulary_size: int, order: int
) -> list[_Table]:
    # All units are n-grams of order 1, so that their numbers are the units themselves.
    counts = np.bincount(ids, is_predicted, vocabulary_size)
    nothing = np.zeros(0, np.int64)
    units = np.arange(vocabulary_size)
    # As a unit that is predicted, a boundary ends a document.
    tables = [_Table(units, counts, nothing, np.zeros(vocabulary_size, bool))]
    numbers = ids
    for length in range(2, order + 1):
        # N-grams end at each position from here on.
        keys = numbers[:-1] * vocabulary_size + ids[length - 1 :]
        found, first, longer = np.unique(keys, return_index=True, return_inverse=True)
        counts = np.bincount(longer, is_predicted[length - 1 :], len(found))
        tables.append(_Table(found, counts, numbers[1:][first], ids[first] == BOUNDARY))
        numbers = longer
    return tables


def _adjusted(table: _Table, above: _Table) -> np.ndarray:
    """The different units before each n-gram; where a document begins, its count."""
    before = np.bincount(above.shortened, above.counts > 0, len(table.keys))
    return np.where(table.begins, table.counts, before)


def _discount(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The counts less their discounts, and the discounts."""
    n1, n2, n3, n4 = (max(1, int((counts == number).sum())) for number in range(1, 5))
    y = n1 / (n1 + 2 * n2)
    discounts = np.array(
        [0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
    )
    # Few n-grams may have counts of counts that no curve fits.
    discounts = np.clip(discounts, [0, 0.1, 0.1, 0.1], [0, 0.9, 1.8, 2.7])
    left = discounts[np.minimum(counts, 3).astype(int)]
    return counts - left, left


class KneserNeyGraph(tf.Module):
    """A Kneser-Ney model as tensors, asked within a graph.

    The n-grams of all orders stand in one table, each order behind the one below. Here
    the number of a unit is the unit, and that of a longer n-gram the vocabulary's size
    and its place in the table; so one search finds n-grams of all orders.

    Args:
        model: The fitted model.
    """

    def __init__(self, model: KneserNey):
        super().__init__(name="kneser_ney")
        self.order = model.order
        self.vocabulary_size = size = model.vocabulary_size
        longer = model.levels[1:]
        # Of the n-grams of each order from 2 on, where they begin in the table.
        self._begins = np.cumsum([0, *(len(level.keys) for level in longer)])
        numbers = [0, *(size + self._begins)]
        keys = [
            level.keys + size * begin
            for level, begin in zip(longer, numbers, strict=False)
        ]
        splits = [
            level.splits[:-1] + begin
            for level, begin in zip(model.levels[:-1], self._begins, strict=False)
        ]
        nothing = [np.zeros(0, np.float32)]
        self._unigram = _kept(model.levels[0].discounted)
        self._keys = _kept(np.concatenate([np.zeros(0, np.int64), *keys]))
        self._discounted = _kept(
            np.concatenate(nothing + [level.discounted for level in longer])
        )
        self._backoff = _kept(
            np.concatenate(nothing + [level.backoff for level in model.levels[:-1]])
        )
        self._splits = _kept(np.concatenate([*splits, self._begins[-1:]]))

    def arrays(self) -> dict[str, np.ndarray]:
        """The tables by name, numbered from those of the order 2 on, as of `Level`."""
        size, begins = self.vocabulary_size, self._begins
        numbers = [0, *(size + begins)]
        keys, splits = self._keys.numpy(), self._splits.numpy()
        discounted, backoff = self._discounted.numpy(), self._backoff.numpy()
        arrays = {"unigram": self._unigram.numpy()}
        for level in range(self.order - 1):
            own = slice(begins[level], begins[level + 1])
            begin, end = numbers[level : level + 2]
            arrays |= {
                f"keys_{level}": keys[own] - size * begin,
                f"discounted_{level}": discounted[own],
                f"backoff_{level}": backoff[begin:end],
                f"splits_{level}": (splits[begin : end + 1] - begins[level]).astype(
                    np.int32
                ),
            }
        return arrays

    def probabilities(self, context: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        """Of each unit after those before it.

        Args:
            context: int32 `[N, order - 1]`, what stands before the first unit.
            ids: int32 `[N, T]`.

        Returns:
            float32 `[N, T]`.
        """
        steps = tf.shape(ids)[1]
        every = tf.cast(tf.concat([context, ids], 1), tf.int64)
        result = _at(self._unigram, ids)
        # Of each order the numbers of the n-grams that end at each unit.
        numbers = every
        for _ in range(self.order - 1):
            contexts = numbers[:, :-1]
            numbers = self._find(contexts, every[:, -tf.shape(contexts)[1] :])
            left = _or(contexts[:, -steps:], self._backoff, 1.0)
            own = numbers[:, -steps:] - self.vocabulary_size
            result = left * result + _or(own, self._discounted, 0.0)
        return result

    def distribution(self, context: tf.Tensor) -> tf.Tensor:
        """Over all units after each context.

        Args:
            context: int32 `[N, order - 1]`.

        Returns:
            float32 `[N, vocabulary]`.
        """
        return self.distribution_behind(self.endings(context))

    def endings(self, context: tf.Tensor) -> tf.Tensor:
        """The numbers of the n-grams that end a context, by their lengths.

        Args:
            context: int32 `[N, order - 1]`.

        Returns:
            int64 `[N, order - 1]`; -1 where there is none.
        """
        every = tf.cast(context, tf.int64)
        numbers, endings = every, [every[:, -1:]]
        for length in range(1, self.order - 1):
            numbers = self._find(numbers[:, :-1], every[:, length:])
            endings.append(numbers[:, -1:])
        return tf.concat(endings, 1)

    def endings_with(self, endings: tf.Tensor, units: tf.Tensor) -> tf.Tensor:
        """Likewise of the contexts with another unit `[N]` behind them."""
        units = tf.cast(units, tf.int64)[:, None]
        longer = self._find(endings[:, :-1], units)
        return tf.concat([units, longer], 1)[:, : self.order - 1]

    def distribution_behind(self, endings: tf.Tensor) -> tf.Tensor:
        """Over all units, float32 `[N, vocabulary]`, after what `endings` gives."""
        contexts = self.order - 1
        if not contexts:
            return tf.tile(self._unigram[None], [tf.shape(endings)[0], 1])
        left = _or(endings, self._backoff, 1.0)
        # What all longer contexts leave to each.
        shares = tf.reshape(
            tf.math.cumprod(left, 1, exclusive=True, reverse=True), [-1]
        )
        result = tf.reduce_prod(left, 1)[:, None] * self._unigram[None]
        flat = tf.reshape(endings, [-1])
        known = tf.maximum(flat, 0)
        begin = _at(self._splits, known)
        end = tf.where(flat >= 0, _at(self._splits, known + 1), begin)
        ranges = tf.ragged.range(begin, end)
        entries = ranges.values
        # Faster than `value_rowids`.
        of_context = (
            tf.searchsorted(
                ranges.row_splits,
                tf.range(tf.size(entries, tf.int64)),
                side="right",
                out_type=tf.int64,
            )
            - 1
        )
        units = _at(self._keys, entries) % self.vocabulary_size
        return tf.tensor_scatter_nd_add(
            result,
            tf.stack([of_context // contexts, units], 1),
            _at(self._discounted, entries)
            * tf.gather(tf.reshape(shares, [-1]), of_context),
        )

    def _find(self, contexts: tf.Tensor, units: tf.Tensor) -> tf.Tensor:
        """The number of each context with the unit behind it; -1 if there is none."""
        wanted = contexts * self.vocabulary_size + units
        place = tf.reshape(
            tf.searchsorted(self._keys, tf.reshape(wanted, [-1]), out_type=tf.int64),
            tf.shape(wanted),
        )
        place = tf.minimum(place, tf.size(self._keys, tf.int64) - 1)
        is_there = (contexts >= 0) & tf.equal(_at(self._keys, place), wanted)
        return tf.where(is_there, place + self.vocabulary_size, -1)


def _kept(values: np.ndarray) -> tf.Variable:
    return tf.Variable(values, trainable=False)


def _at(values: tf.Variable, places: tf.Tensor) -> tf.Tensor:
    # Gathered from as a variable, it would be copied whenever it is read as a whole.
    return tf.gather(tf.convert_to_tensor(values), places)


def _or(numbers: tf.Tensor, values: tf.Variable, otherwise: float) -> tf.Tensor:
    """The values of these numbers; of -1 the other one."""
    found = _at(values, tf.maximum(numbers, 0))
    return tf.where(numbers >= 0, found, otherwise)
