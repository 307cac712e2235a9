"""Batches of a split by tf.data: preprocessed once, stored, bucketed by length."""

import functools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from ..core.autotuning import without_autotuning
from ..data.ragged_store import RaggedStore, laid_side_by_side
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
    boundaries are quantiles of the lengths. Preprocessing runs once; see
    `StoredFeatures`.

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
        self._order = np.random.default_rng(seed).permutation(len(split))
        self._ratios: tf.Tensor | None = None
        begins = None
        if folds is not None and ratios is not None:
            # N-gram g of fold f is row f * (1 + n-grams) + g of the ratios laid flat.
            self._ratios = tf.constant(ratios.reshape(-1, ratios.shape[-1]))
            begins = (folds * ratios.shape[1]).astype(np.int32)
        self._features = StoredFeatures(split, preprocessing, begins)
        self._lengths = self._features.lengths.astype(np.int32)

    def of_epoch(self, epoch: int) -> tf.data.Dataset:
        """The batches of that epoch: the same ones for the same number."""
        bucket = np.searchsorted(self._boundaries, self._lengths, side="right")
        steps = sum(
            math.ceil(rows / self._batch_size) for rows in np.bincount(bucket).tolist()
        )
        batches = self._features.of_rows(self._rows_of_epoch(epoch))
        return without_autotuning(
            _with_ratios(batches, self._ratios)
            .apply(tf.data.experimental.assert_cardinality(steps))
            .prefetch(tf.data.AUTOTUNE)
        )

    def padded_fraction(self) -> float:
        """The part of all token positions of an epoch that is padding."""
        positions = sum(
            len(rows) * int(self._lengths[rows].max())
            for rows in without_autotuning(self._rows_of_epoch(0)).as_numpy_iterator()
        )
        return 1.0 - float(self._lengths.sum()) / positions

    def _rows_of_epoch(self, epoch: int) -> tf.data.Dataset:
        """The numbers of the rows of each batch."""
        return (
            tf.data.Dataset.from_tensor_slices(
                (self._order, self._lengths[self._order])
            )
            .shuffle(
                min(len(self._order), SHUFFLE_BUFFER),
                seed=self._seed * 10_007 + epoch,
                reshuffle_each_iteration=False,
            )
            .bucket_by_sequence_length(
                lambda row, length: length,
                bucket_boundaries=self._boundaries,
                bucket_batch_sizes=[self._batch_size] * (len(self._boundaries) + 1),
            )
            .map(lambda rows, lengths: rows)
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
        self._order = np.argsort(split.texts.lengths(), kind="stable")
        self._features = StoredFeatures(split, preprocessing)
        rows = tf.data.Dataset.from_tensor_slices(self._order).batch(batch_size)
        self.batches = without_autotuning(
            _with_ratios(
                self._features.of_rows(rows),
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
        return self._features.lengths


class StoredFeatures:
    """The features of a split's texts, made once and stored in its order.

    Args:
        split: Texts and labels.
        preprocessing: Makes the features.
        ngram_begins: What is added to the ids under `ngram_features` of each row.
    """

    def __init__(
        self,
        split: Split,
        preprocessing: Preprocessing,
        ngram_begins: np.ndarray | None = None,
    ):
        self._labels = split.labels
        self._begins = ngram_begins
        self._stores: dict[str, RaggedStore] = {}
        for features in _preprocessed(split, preprocessing):
            for name, rows in features.items():
                values = rows.flat_values.numpy()
                width = values.shape[1] if values.ndim > 1 else 0
                store = self._stores.setdefault(name, RaggedStore(width))
                store.append(values, rows.row_lengths().numpy())

    @functools.cached_property
    def lengths(self) -> np.ndarray:
        """The tokens of each text, int64 `[N]`."""
        return self._stores["tokens"].lengths()

    def of_rows(self, rows: tf.data.Dataset) -> tf.data.Dataset:
        """Batches of padded features and labels, given numbers of rows, `[(N)]`."""
        names = list(self._stores)
        types = [tf.int32] * len(names) + [self._labels.dtype]

        def gathered(rows: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
            *arrays, labels = tf.numpy_function(self._gather, [rows], types)
            for name, values in zip(names, arrays, strict=True):
                width = self._stores[name].width
                values.set_shape([None, None, width] if width else [None, None])
            labels.set_shape([None, *self._labels.shape[1:]])
            return dict(zip(names, arrays, strict=True)), labels

        return rows.map(gathered, num_parallel_calls=tf.data.AUTOTUNE)

    def _gather(self, rows: np.ndarray) -> list[np.ndarray]:
        arrays = []
        for name, store in self._stores.items():
            values, lengths = store.gather(rows)
            if name == "ngram_features" and self._begins is not None:
                values = values + np.repeat(self._begins[rows], lengths)[:, None]
            arrays.append(laid_side_by_side(values, lengths, PADDING))
        return [*arrays, self._labels[rows]]


def _preprocessed(
    split: Split, preprocessing: Preprocessing
) -> Iterator[dict[str, tf.RaggedTensor]]:
    """The features of the texts, some together, in their order."""
    texts = tf.data.Dataset.from_generator(
        lambda: split.texts.parts(PREPROCESSING_BATCH),
        output_signature=tf.TensorSpec([None], tf.string),
    )
    features = texts.map(_graph(preprocessing), num_parallel_calls=tf.data.AUTOTUNE)
    yield from without_autotuning(features)


@functools.lru_cache(maxsize=2)
def _graph(preprocessing: Preprocessing) -> Callable[[tf.Tensor], dict]:
    """From texts to features. Tracing takes seconds: once for all splits."""
    return tf.function(
        lambda text: preprocessing.features(preprocessing.tokens(text)),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )


def _with_ratios(batches: tf.data.Dataset, ratios: tf.Tensor | None) -> tf.data.Dataset:
    if ratios is None:
        return batches
    return batches.map(
        lambda features, label: (with_ratios(features, ratios), label),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
