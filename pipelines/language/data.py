"""Texts as streams of units, cut into the windows of truncated backpropagation."""

import functools
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from ..core.autotuning import without_autotuning
from ..data.texts.documents import Documents
from .config import LanguageTrainingConfig
from .units import BOUNDARY, Units

Batch = tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]

# Of draws from a seed and an epoch.
_ORDER, _CUTS = range(2)


class StreamDataModule:
    """The splits of texts as units, each encoded when first asked for.

    A split is one stream, `batch_size` parts of which are read side by side, so that a
    row of each batch goes on where the row of the batch before it stopped. A batch is
    `({"ids": int32 [B, T], "carry": float32 [B]}, targets, weights)`: `targets` int32
    `[B, T]` are the units, and `ids` those before them; `carry` is 0 where the state of
    the batch before is to be forgotten; `weights` float32 `[B, T]` is 0 on padding.

    Args:
        data: The texts.
        units: Makes the numbers.
        training: Batches and cuts.
        apart: Whether a boundary ends each text, and training reads texts in another
            order in each epoch.
        seed: Of that order and of the cuts.
    """

    def __init__(
        self,
        data: Documents,
        units: Units,
        training: LanguageTrainingConfig,
        *,
        apart: bool,
        seed: int,
    ):
        self.data = data
        self.units = units
        self.apart = apart
        self._training = training
        self._seed = seed
        self._encoded: dict[str, list[np.ndarray]] = {}

    def documents(self, split: str) -> list[np.ndarray]:
        """The units of each text as they are predicted; together they are one text."""
        if split not in self._encoded:
            encoded = self.units.encode_all(self.data.splits[split])
            if self.apart:
                end = np.array([BOUNDARY], np.int32)
                encoded = [np.concatenate([ids, end]) for ids in encoded]
            else:
                encoded = [np.concatenate(encoded)]
            self._encoded[split] = encoded
        return self._encoded[split]

    def training_batches(self, epoch: int) -> tf.data.Dataset:
        documents = self.documents("train")
        order = np.random.default_rng([self._seed, epoch, _ORDER]).permutation(
            len(documents)
        )
        stream = np.concatenate([documents[number] for number in order])
        return self._batches(stream, self._cuts(len(stream), epoch))

    def validation_batches(self) -> tf.data.Dataset:
        stream = np.concatenate(self.documents("validation"))
        return self._batches(stream, self._cuts(len(stream), None))

    def _cuts(self, length: int, epoch: int | None) -> np.ndarray:
        """Where the windows of a stream's parts begin, and the last one ends."""
        steps = self._training.timesteps
        longest = -(-length // self._training.batch_size)
        cuts = np.append(np.arange(0, longest, steps), longest)
        if epoch is not None and self._training.cut_jitter:
            generator = np.random.default_rng([self._seed, epoch, _CUTS])
            most = self._training.cut_jitter
            cuts[1:-1] += generator.integers(-most, most + 1, len(cuts) - 2)
        return np.unique(np.minimum(cuts, longest))

    def _batches(self, stream: np.ndarray, cuts: np.ndarray) -> tf.data.Dataset:
        rows, longest = self._training.batch_size, int(cuts[-1])
        padded = np.full(rows * longest, BOUNDARY, np.int32)
        padded[: len(stream)] = stream
        targets = padded.reshape(rows, longest)
        before = np.append([np.int32(BOUNDARY)], padded[:-1]).reshape(rows, longest)
        begins = np.arange(rows)[:, None] * longest

        def windows() -> Iterator[Batch]:
            for begin, end in zip(cuts[:-1], cuts[1:], strict=True):
                window = slice(begin, end)
                is_real = begins + np.arange(begin, end) < len(stream)
                yield (
                    {
                        "ids": before[:, window],
                        "carry": np.full(rows, begin > 0, np.float32),
                    },
                    targets[:, window],
                    is_real.astype(np.float32),
                )

        signature = (
            {
                "ids": tf.TensorSpec([rows, None], tf.int32),
                "carry": tf.TensorSpec([rows], tf.float32),
            },
            tf.TensorSpec([rows, None], tf.int32),
            tf.TensorSpec([rows, None], tf.float32),
        )
        dataset = tf.data.Dataset.from_generator(windows, output_signature=signature)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(cuts) - 1))
        return without_autotuning(dataset.prefetch(2))

    @functools.cached_property
    def counts(self) -> Mapping[str, int]:
        """Units by split."""
        return {name: sum(map(len, self.documents(name))) for name in self.data.splits}
