"""Batches of arrays: for tasks whose rows need no bucketing by length."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from ..core.autotuning import without_autotuning


class ArrayDataModule:
    """Batches of rows of arrays, shuffled anew in each epoch of training.

    Attributes:
        data: What the rows were made of.

    Args:
        data: What the rows are made of, for who evaluates.
        splits: By split, arrays in step: inputs, which may be `Texts`, and targets.
            "train" and "validation" are among them in training.
        transform: From a batch of inputs to what the model takes.
        batch_size: Rows of a batch.
        seed: The same seed and epoch give the same batches.
    """

    def __init__(
        self,
        data: Any,
        splits: Mapping[str, tuple[Any, np.ndarray]],
        transform: Callable[[tf.Tensor], Any],
        batch_size: int,
        seed: int,
    ):
        self.data = data
        self._splits = splits
        self._transform = transform
        self._batch_size = batch_size
        self._seed = seed

    def training_batches(self, epoch: int) -> tf.data.Dataset:
        """The batches of an epoch."""
        inputs, targets = self._splits["train"]
        order = np.random.default_rng([self._seed, epoch]).permutation(len(targets))
        return self._batches(inputs[order], targets[order])

    def validation_batches(self) -> tf.data.Dataset:
        """The validation part, once through."""
        return self.batches("validation")

    def batches(self, split: str) -> tf.data.Dataset:
        """A split in its order."""
        return self._batches(*self._splits[split])

    def _batches(self, inputs: Any, targets: np.ndarray) -> tf.data.Dataset:
        inputs = np.asarray(inputs)
        if inputs.dtype == object:
            inputs = inputs.astype(str)
        dataset = tf.data.Dataset.from_tensor_slices((inputs, targets))
        dataset = dataset.batch(self._batch_size)
        dataset = dataset.map(
            lambda inputs, targets: (self._transform(inputs), targets)
        )
        return without_autotuning(dataset.prefetch(2))
