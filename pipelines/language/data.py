"""Texts as streams of units, cut into the windows of truncated backpropagation."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from ..core.autotuning import without_autotuning
from ..core.files import written_whole
from ..data.texts.documents import Documents
from .config import LanguageTrainingConfig
from .units import Units
from .vocabulary import BOUNDARY

Batch = tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]

# Characters of a split that are kept in memory as units.
_IN_MEMORY = 1 << 25
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
        cache: A folder. Splits of many characters are written there as units, once, and
            read from there.
        apart: Whether a boundary ends each text, and training reads texts in another
            order in each epoch.
        seed: Of that order and of the cuts.
    """

    def __init__(
        self,
        data: Documents,
        units: Units,
        training: LanguageTrainingConfig,
        cache: Path,
        *,
        apart: bool,
        seed: int,
    ):
        self.data = data
        self.units = units
        self.apart = apart
        self._training = training
        self._cache = cache
        self._seed = seed
        self._encoded: dict[str, list[np.ndarray]] = {}

    def documents(self, split: str) -> list[np.ndarray]:
        """The units of each text as they are predicted; together they are one text."""
        if split not in self._encoded:
            texts = self.data.splits[split]
            if sum(map(len, texts)) > _IN_MEMORY:
                self._encoded[split] = self._on_disk(split)
            else:
                encoded = self.units.encode_all(texts)
                end = [np.array([BOUNDARY], np.int32)] if self.apart else []
                encoded = [np.concatenate([ids, *end]) for ids in encoded]
                self._encoded[split] = (
                    encoded if self.apart else [np.concatenate(encoded)]
                )
        return self._encoded[split]

    def _on_disk(self, split: str) -> list[np.ndarray]:
        """The same, of a file that is mapped to memory."""
        small = next(
            kind
            for kind in (np.uint8, np.uint16, np.int32)
            if self.units.size <= np.iinfo(kind).max + 1
        )
        name = f"{self.data.digests[split][:16]}-{'apart' if self.apart else 'joined'}"
        file, lengths_file = self._cache / f"{name}.units", self._cache / f"{name}.npy"
        if not (file.is_file() and lengths_file.is_file()):
            texts = self.data.splits[split]
            lengths = np.zeros(len(texts), np.int64)
            self._cache.mkdir(exist_ok=True)
            with written_whole(file) as partial, partial.open("wb") as written:
                before = 0
                for row, ids in self.units.encode_parts(texts):
                    if self.apart and row > before:
                        written.write(small(BOUNDARY).tobytes())
                        lengths[before] += 1
                    before = row
                    written.write(ids.astype(small).tobytes())
                    lengths[row] += len(ids)
                if self.apart:
                    written.write(small(BOUNDARY).tobytes())
                    lengths[before] += 1
            with written_whole(lengths_file) as partial, partial.open("wb") as written:
                np.save(written, lengths if self.apart else lengths.sum(keepdims=True))
        stream = np.memmap(file, small, "r")
        return np.split(stream, np.cumsum(np.load(lengths_file))[:-1])

    def training_batches(self, epoch: int) -> tf.data.Dataset:
        documents = self.documents("train")
        order = np.random.default_rng([self._seed, epoch, _ORDER]).permutation(
            len(documents)
        )
        stream = _Stream([documents[number] for number in order])
        return self._batches(stream, self._cuts(len(stream), epoch))

    def validation_batches(self) -> tf.data.Dataset:
        stream = _Stream(self.documents("validation"))
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

    def _batches(self, stream: "_Stream", cuts: np.ndarray) -> tf.data.Dataset:
        rows, longest = self._training.batch_size, int(cuts[-1])
        begins = np.arange(rows) * longest

        def windows() -> Iterator[Batch]:
            for begin, end in zip(cuts[:-1], cuts[1:], strict=True):
                # With the unit before each window.
                units = np.stack(
                    [stream.read(row + begin - 1, row + end) for row in begins]
                )
                is_real = begins[:, None] + np.arange(begin, end) < len(stream)
                yield (
                    {
                        "ids": units[:, :-1],
                        "carry": np.full(rows, begin > 0, np.float32),
                    },
                    units[:, 1:],
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


class _Stream:
    """Documents one after the other, read where they are."""

    def __init__(self, documents: Sequence[np.ndarray]):
        self._documents = documents
        self._ends = np.cumsum([len(document) for document in documents])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def read(self, begin: int, end: int) -> np.ndarray:
        """The units from one place to another, int32; boundaries outside of it."""
        found = np.full(end - begin, BOUNDARY, np.int32)
        place = max(begin, 0)
        number = int(np.searchsorted(self._ends, place, side="right"))
        while place < end and number < len(self._documents):
            document = self._documents[number]
            first = int(self._ends[number]) - len(document)
            part = document[place - first : end - first]
            found[place - begin : place - begin + len(part)] = part
            place, number = first + len(document), number + 1
        return found
