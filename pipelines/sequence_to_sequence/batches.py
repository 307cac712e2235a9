"""Batches of sentence pairs by tf.data: encoded once, of like lengths together."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from ..core.autotuning import without_autotuning
from ..data.ragged_store import RaggedStore
from ..data.texts.sentence_pairs import PairSplit, SentencePairs
from .subwords import BOS, EOS, PADDING, UNKNOWN, Subwords

_ENCODED_TOGETHER = 1024
# Of draws from a seed and an epoch: beside the order's 0 and 1.
_PIECES = 2

Batch = tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor]


class PairDataModule:
    """The splits of sentence pairs as batches, each encoded when first asked for.

    With `sampling_alpha` the training part is cut into other pieces in each epoch.

    A batch is `({"source": int32 [N, S], "target_in": int32 [N, T]}, target_out,
    weights)`: `source` ends in `EOS`; `target_in` is `BOS` and the target,
    `target_out` int32 `[N, T]` the target and `EOS`; `weights` float32 `[N, T]` is 0
    on padding, and where a piece is unknown.

    Args:
        data: The pairs.
        subwords: Makes the ids.
        batch_tokens: Positions of the longer side of a batch, padding included.
        batch_size: Pairs of a batch at most.
        seed: Of the order of training, and of the pieces that are drawn.
        sampling_alpha: As in `SubwordsConfig`.
    """

    def __init__(
        self,
        data: SentencePairs,
        subwords: Subwords,
        *,
        batch_tokens: int,
        batch_size: int,
        seed: int,
        sampling_alpha: float | None = None,
    ):
        self.data = data
        self._subwords = subwords
        self._size = BatchSize(batch_tokens, batch_size)
        self._seed = seed
        self._sampling_alpha = sampling_alpha

    @functools.cached_property
    def training(self) -> "TrainingBatches":
        """The training part, in shuffled batches."""
        split, alpha = self.data.splits["train"], self._sampling_alpha
        if alpha is None:
            pairs = encode_pairs(split, self._subwords)
            return TrainingBatches(lambda epoch: pairs, self._size, self._seed)

        # What needs an epoch's pairs needs them several times, and then the next ones.
        @functools.lru_cache(maxsize=1)
        def of_epoch(epoch: int) -> EncodedPairs:
            generator = np.random.default_rng([self._seed, epoch, _PIECES])
            return sample_pairs(
                split, self._subwords, alpha, generator.integers(2**31, size=2).tolist()
            )

        return TrainingBatches(of_epoch, self._size, self._seed)

    def training_batches(self, epoch: int) -> tf.data.Dataset:
        return self.training.of_epoch(epoch)

    def validation_batches(self) -> tf.data.Dataset:
        """Each pair of validation once."""
        pairs = encode_pairs(self.data.splits["validation"], self._subwords)
        order = np.lexsort(pairs.lengths.T)
        return _batches(pairs, _cut(order, pairs.lengths, self._size))


@dataclass(frozen=True)
class BatchSize:
    """How large a batch may be: positions of its longer side, and pairs."""

    tokens: int
    pairs: int


@dataclass(frozen=True)
class EncodedPairs:
    """Pairs as ids, each side with `EOS` behind it.

    Args:
        source: int32 `[pairs, (S)]`.
        target: int32 `[pairs, (T)]`.
    """

    source: RaggedStore
    target: RaggedStore

    @functools.cached_property
    def lengths(self) -> np.ndarray:
        """S and T of each, int64 `[pairs, 2]`."""
        return np.stack([self.source.lengths(), self.target.lengths()], 1)

    def add(self, source: tf.RaggedTensor, target: tf.RaggedTensor) -> None:
        """Adds pairs behind the others."""
        for store, ids in ((self.source, source), (self.target, target)):
            ids = with_end(ids)
            store.append(ids.flat_values.numpy(), ids.row_lengths().numpy())


def encode_pairs(split: PairSplit, subwords: Subwords) -> EncodedPairs:
    """The ids of a split, as the graph that is served encodes them."""
    texts = tf.TensorSpec([None], tf.string)
    batches = tf.data.Dataset.from_generator(
        lambda: zip(*_in_parts(split), strict=True), output_signature=(texts, texts)
    ).map(
        lambda source, target: (
            subwords.source.encode(source),
            subwords.target.encode(target),
        ),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    pairs = EncodedPairs(RaggedStore(), RaggedStore())
    for source, target in without_autotuning(batches):
        pairs.add(source, target)
    return pairs


def sample_pairs(
    split: PairSplit, subwords: Subwords, alpha: float, seeds: list[int]
) -> EncodedPairs:
    """The ids of drawn pieces of a split; one seed for each side."""
    drawn = (
        pieces.sample(texts, alpha, seed)
        for pieces, texts, seed in zip(
            (subwords.source, subwords.target), _in_parts(split), seeds, strict=True
        )
    )
    pairs = EncodedPairs(RaggedStore(), RaggedStore())
    for source, target in zip(*drawn, strict=True):
        pairs.add(source, target)
    return pairs


def _in_parts(split: PairSplit) -> Iterator[Iterator[list[str]]]:
    return (side.parts(_ENCODED_TOGETHER) for side in (split.source, split.target))


def with_end(ids: tf.RaggedTensor) -> tf.RaggedTensor:
    """The ids with `EOS` behind each row."""
    return tf.concat([ids, tf.fill([ids.nrows(), 1], EOS)], axis=1)


def is_scored(target: tf.Tensor) -> tf.Tensor:
    """Which pieces of targets have a probability: neither padding nor unknown ones."""
    return (target != PADDING) & (target != UNKNOWN)


def shifted(target: tf.Tensor) -> tf.Tensor:
    """What the decoder reads to say targets `[N, T]`: the beginning comes first."""
    before = tf.pad(target[:, :-1], [[0, 0], [1, 0]], constant_values=BOS)
    return tf.where(tf.equal(target, PADDING), PADDING, before)


class TrainingBatches:
    """The shuffled batches of each epoch over the training part.

    Pairs of like target length, and among these of like source length, share a batch;
    which of the pairs of equal lengths do is drawn anew in each epoch.

    Args:
        pairs: The training part in an epoch, given its number.
        size: Of a batch.
        seed: Of the order, together with the epoch's number.
    """

    def __init__(
        self, pairs: Callable[[int], EncodedPairs], size: BatchSize, seed: int
    ):
        self._pairs = pairs
        self._size = size
        self._seed = seed

    def of_epoch(self, epoch: int) -> tf.data.Dataset:
        """The batches of that epoch: the same ones for the same number."""
        plan = self._plan(epoch)
        order = np.random.default_rng([self._seed, epoch, 1]).permutation(len(plan))
        return _batches(self._pairs(epoch), [plan[number] for number in order])

    def padded_fraction(self) -> float:
        """The part of all positions of an epoch, of both sides, that is padding."""
        positions = sum(
            len(rows) * (shape[0] + shape[1]) for rows, shape in self._plan(0)
        )
        return 1.0 - float(self._pairs(0).lengths.sum()) / positions

    def _plan(self, epoch: int) -> list["_PlannedBatch"]:
        lengths = self._pairs(epoch).lengths
        source, target = lengths.T
        chance = np.random.default_rng([self._seed, epoch]).random(len(source))
        # The decoder's steps cost most, so target lengths come first. Where one ends
        # and the next begins, source lengths turn back, so that they stay alike.
        order = np.lexsort((chance, np.where(target % 2, source, -source), target))
        return _cut(order, lengths, self._size)


# The numbers of the pairs, and the lengths that source and target are padded to.
_PlannedBatch = tuple[np.ndarray, np.ndarray]


def _cut(
    order: np.ndarray, lengths: np.ndarray, size: BatchSize
) -> list[_PlannedBatch]:
    """Batches of neighbours in the order, each padded to its own longest sides."""
    plan = []
    begin = 0
    while begin < len(order):
        rows = order[begin : begin + size.pairs]
        longest = np.maximum.accumulate(lengths[rows].max(axis=1))
        fits = longest * np.arange(1, len(rows) + 1) <= size.tokens
        rows = rows[: max(1, int(fits.sum()))]
        plan.append((rows, lengths[rows].max(axis=0)))
        begin += len(rows)
    return plan


def _batches(pairs: EncodedPairs, plan: list[_PlannedBatch]) -> tf.data.Dataset:
    rows = tf.RaggedTensor.from_row_lengths(
        np.concatenate([rows for rows, _ in plan]), [len(rows) for rows, _ in plan]
    )
    shapes = np.stack([shape for _, shape in plan])

    def gathered(rows: np.ndarray, shape: np.ndarray) -> list[np.ndarray]:
        sides = zip((pairs.source, pairs.target), shape.tolist(), strict=True)
        return [store.padded(rows, PADDING, length) for store, length in sides]

    def batch(rows: tf.Tensor, shape: tf.Tensor) -> Batch:
        source, target = tf.numpy_function(gathered, [rows, shape], [tf.int32] * 2)
        for side in (source, target):
            side.set_shape([None, None])
        weights = tf.cast(is_scored(target), tf.float32)
        return {"source": source, "target_in": shifted(target)}, target, weights

    return without_autotuning(
        tf.data.Dataset.from_tensor_slices((rows, shapes))
        .map(batch, num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )
