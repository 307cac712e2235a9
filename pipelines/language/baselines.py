"""What counting alone predicts: units by themselves, and Kneser-Ney."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.optional import of_baselines
from .kneser_ney import KneserNey

UNIGRAM = "unigram"
KNESER_NEY = "kneser_ney"


def fit_baselines(
    documents: Sequence[np.ndarray], vocabulary_size: int, order: int
) -> dict[str, Any]:
    """Fits what counts to the training part.

    - `unigram`: the probability of each unit by itself, with one added to each count;
    - `kneser_ney`: see `KneserNey`. It is a member of the model too.

    Args:
        documents: Units of each.
        vocabulary_size: Of the units.
        order: Of Kneser-Ney; 0 to do without.

    Returns:
        `unigram` as float64 `[V]`, `kneser_ney` as a `KneserNey`.
    """
    fits: dict[str, Callable[[], Any]] = {
        UNIGRAM: lambda: _unigram(documents, vocabulary_size)
    }
    if order:
        fits[KNESER_NEY] = lambda: KneserNey.fit(documents, vocabulary_size, order)
    return of_baselines(fits, lambda fit: fit())


def _unigram(documents: Sequence[np.ndarray], vocabulary_size: int) -> np.ndarray:
    every = np.concatenate(documents)
    counts = 1.0 + np.bincount(every, minlength=vocabulary_size)
    return counts / counts.sum()
