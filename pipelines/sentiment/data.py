"""Batches of a split by tf.data: preprocessed once, cached, bucketed by length."""

import functools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from ..core.autotuning import without_autotuning
from ..data.texts.labelled_texts import LabelledTexts, Split
from .preprocessing import PADDING, Preprocessing, load_ratios, with_ratios

# At most; each is to have a whole batch.
BUCKETS = 24
SHUFFLE_BUFFER = 100_000
PREPROCESSING_BATCH = 256


class TextDataModule:
    """The splits of labelled texts as batches, preprocessed when first asked for.

    Args:
        data: The texts.
        preprocessing: Makes the features.
        assets: Where the n-grams' folds and ratios are.
        batch_size: Rows of a batch.
        seed: Of the order of training.
    """

    def __init__(
        self,
        data: LabelledTexts,
        preprocessing: Preprocessing,
        assets: Path,
        batch_size: int,
        seed: int,
    ):
        self.data = data
        self._preprocessing = preprocessing
        self._assets = assets
        self._batch_size = batch_size
        self._seed = seed
        self._evaluation: dict[str, EvaluationBatches] = {}

    @functools.cached_property
    def training(self) -> "TrainingBatches":
        """The training part, in shuffled batches."""
        return TrainingBatches(
            self.data.splits["train"],
            self._preprocessing,
            self._folds(),
            load_ratios(self._assets),
            self._batch_size,
            self._seed,
        )

    def evaluation(self, split: str) -> "EvaluationBatches":
        """A split once through."""
        if split not in self._evaluation:
            self._evaluation[split] = EvaluationBatches(
                self.data.splits[split],
                self._preprocessing,
                load_ratios(self._assets),
                self._batch_size,
            )
        return self._evaluation[split]

    def _folds(self) -> np.ndarray | None:
        """The fold of each training text; None without n-grams."""
        path = self._assets / "folds.npy"
        return np.load(path) if path.is_file() else None

    def training_batches(self, epoch: int) -> tf.data.Dataset:
        return self.training.of_epoch(epoch)

    def validation_batches(self) -> tf.data.Dataset:
        return self.evaluation("validation").batches


class TrainingBatches:
    """The shuffled batches of the epochs over the training part.

    Texts of like length share a batch, so that little of it is padding: the buckets'
    boundaries are quantiles of the lengths. Preprocessing runs once; its result stays
    in memory.

    Args:
        split: Texts and labels.
        preprocessing: Makes the features.
        folds: The fold of each text, `[N]`; None without n-grams.
        ratios: By fold those of the n-grams, `[1 + F, 1 + n-grams, E]`: a text gets
            the ratios that were counted without its fold.
        batch_size: Rows of a batch; the last of each bucket is smaller.
        seed: Of the order, together with the epoch's number.
    """

    def __init__(
        self,
        split: Split,
        preprocessing: Preprocessing,
        folds: np.ndarray | None,
        ratios: np.ndarray | None,
        batch_size: int,
        seed: int,
    ):
        self._batch_size = batch_size
        self._seed = seed
        # A file often holds one class after the other, and the shuffle buffer of a
        # large split does not reach over it.
        order = np.random.default_rng(seed).permutation(len(split))
        self._ratios: tf.Tensor | None = None
        rows = _preprocessed(split, order, preprocessing)
        if folds is not None and ratios is not None:
            # N-gram g of fold f is row f * (1 + n-grams) + g of the ratios laid flat.
            self._ratios = tf.constant(ratios.reshape(-1, ratios.shape[-1]))
            begins = tf.data.Dataset.from_tensor_slices(
                (folds[order] * ratios.shape[1]).astype(np.int32)
            )
            rows = tf.data.Dataset.zip(rows, begins).map(_of_fold)
        self._rows = rows.cache()
        self._buffer = min(len(split), SHUFFLE_BUFFER)

    def of_epoch(self, epoch: int) -> tf.data.Dataset:
        """The batches of that epoch: the same ones for the same number."""
        boundaries = self._boundaries
        batches = self._rows.shuffle(
            self._buffer,
            seed=self._seed * 10_007 + epoch,
            reshuffle_each_iteration=False,
        ).bucket_by_sequence_length(
            _length,
            bucket_boundaries=boundaries,
            bucket_batch_sizes=[self._batch_size] * (len(boundaries) + 1),
        )
        bucket = np.searchsorted(boundaries, self._lengths, side="right")
        steps = sum(
            math.ceil(rows / self._batch_size) for rows in np.bincount(bucket).tolist()
        )
        return without_autotuning(
            _with_ratios(batches, self._ratios)
            .apply(tf.data.experimental.assert_cardinality(steps))
            .prefetch(tf.data.AUTOTUNE)
        )

    def padded_fraction(self) -> float:
        """The part of all token positions of an epoch that is padding."""
        positions = sum(
            int(tf.size(features["tokens"])) for features, _ in self.of_epoch(0)
        )
        return 1.0 - float(self._lengths.sum()) / positions

    @functools.cached_property
    def _lengths(self) -> np.ndarray:
        batches = self._rows.map(_length).batch(4096)
        return np.concatenate(
            [lengths.numpy() for lengths in without_autotuning(batches)]
        )

    @functools.cached_property
    def _boundaries(self) -> list[int]:
        # A row whose length equals a boundary falls into the bucket above it.
        whole = len(self._lengths) // self._batch_size
        levels = np.linspace(0, 1, max(1, min(BUCKETS, whole)) + 1)[1:-1]
        quantiles = np.quantile(self._lengths, levels, method="higher")
        return [int(length) + 1 for length in np.unique(quantiles)]


class EvaluationBatches:
    """The rows of a split once through, in batches of like lengths."""

    def __init__(
        self,
        split: Split,
        preprocessing: Preprocessing,
        ratios: np.ndarray | None,
        batch_size: int,
    ):
        self._order = np.argsort([len(text) for text in split.texts], kind="stable")
        steps = math.ceil(len(split) / batch_size)
        batches = _preprocessed(split, self._order, preprocessing).padded_batch(
            batch_size
        )
        self.batches = without_autotuning(
            _with_ratios(
                batches.apply(tf.data.experimental.assert_cardinality(steps)).cache(),
                None if ratios is None else tf.constant(ratios[0]),
            ).prefetch(tf.data.AUTOTUNE)
        )

    def in_split_order(self, rows: np.ndarray) -> np.ndarray:
        """A model's answers to `batches`, row by row in the order of the split."""
        ordered = np.empty_like(rows)
        ordered[self._order] = rows
        return ordered

    def lengths(self) -> np.ndarray:
        """Tokens that the recurrent branch reads of each text, in the split's order."""
        return self.in_split_order(
            np.concatenate(
                [
                    np.count_nonzero(features["tokens"].numpy() != PADDING, axis=1)
                    for features, _ in self.batches
                ]
            )
        )


def _preprocessed(
    split: Split, order: np.ndarray, preprocessing: Preprocessing
) -> tf.data.Dataset:
    """Single rows of features and label, in the given order."""
    texts = tf.constant(split.texts[order], tf.string)
    features = _graph(preprocessing)
    return (
        tf.data.Dataset.from_tensor_slices((texts, split.labels[order]))
        .batch(PREPROCESSING_BATCH)
        .map(
            lambda text, label: (features(text), label),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        .unbatch()
        # A single row of a ragged batch is a plain tensor; this makes tf.data see it.
        .map(lambda features, label: (features, label))
    )


@functools.lru_cache(maxsize=2)
def _graph(preprocessing: Preprocessing) -> Callable[[tf.Tensor], dict]:
    """From texts to features. Tracing takes seconds: once for all splits."""
    return tf.function(
        lambda text: preprocessing.features(preprocessing.tokens(text)),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )


def _of_fold(row: tuple, begin: tf.Tensor) -> tuple:
    """The row with the ids under `ngram_features` moved to its fold's ratios."""
    features, label = row
    if "ngram_features" in features:
        features = features | {"ngram_features": features["ngram_features"] + begin}
    return features, label


def _with_ratios(batches: tf.data.Dataset, ratios: tf.Tensor | None) -> tf.data.Dataset:
    if ratios is None:
        return batches
    return batches.map(
        lambda features, label: (with_ratios(features, ratios), label),
        num_parallel_calls=tf.data.AUTOTUNE,
    )


def _length(features: dict[str, tf.Tensor], label: tf.Tensor) -> tf.Tensor:
    return tf.size(features["tokens"])
