"""The trained models of one run, or of several as one."""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np

from .targets import OneClass, Target


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """Models whose weighted logits are averaged; of one run it is that model.

    The mean of calibrated logits is the normalised geometric mean of probabilities.

    Attributes:
        runs: The names of the K runs.
        models: As `build_model` makes them, with the same preprocessing.
        branches: The names of the branches of each, B; the recurrent one first.
        weights: The factors of a branch's logits in their sum, fitted for each run,
            `[K, B]`.
        thresholds: Of the classes, `[C]`; None where the most probable is taken.
        target: What a text gets.
        biases: Of texts with several labels, what is added to each label's sum, fitted
            for each run, `[K, C]`; None of one class.
    """

    runs: tuple[str, ...]
    models: tuple[keras.Model, ...]
    branches: tuple[str, ...]
    weights: np.ndarray
    thresholds: Sequence[float] | None = None
    target: Target = OneClass()
    biases: np.ndarray | None = None

    @property
    def bias(self) -> np.ndarray | None:
        """What is added to the mean of the runs' logits, `[C]`."""
        return None if self.biases is None else self.biases.mean(axis=0)

    @property
    def all_branches(self) -> list[str]:
        """Those of all runs, `[K * B]`."""
        if len(self.runs) == 1:
            return list(self.branches)
        return [f"{branch} of {run}" for run in self.runs for branch in self.branches]

    @property
    def all_weights(self) -> list[float]:
        """Their factors in the mean of the runs' logits, `[K * B]`."""
        return [float(each) for each in self.weights.ravel() / len(self.runs)]
