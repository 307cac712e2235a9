"""Word vectors from the co-occurrences of words in the training texts."""

from collections.abc import Iterable

import numpy as np
import scipy.sparse
from sklearn.utils.extmath import randomized_svd

from .preprocessing import UNKNOWN

WINDOW = 5
CONTEXT_SMOOTHING = 0.75
STANDARD_DEVIATION = 0.3


def cooccurrence_vectors(
    rows: Iterable[tuple[np.ndarray, np.ndarray]],
    vocabulary_size: int,
    size: int,
    seed: int,
) -> np.ndarray:
    """Vectors of words that stand near the same words are near each other.

    With n(w, c) how often c stands within `WINDOW` tokens of w, n(w) and n(c) its
    sums, and p(c) the fraction of n(c)**0.75,

        PPMI(w, c) = max(0, log(n(w, c) / (n(w) p(c)))),    PPMI = U S V',

    and the vectors are the first `size` columns of U S**0.5 (Levy, Goldberg and Dagan
    2015, "Improving Distributional Similarity with Lessons Learned from Word
    Embeddings"), scaled to one standard deviation over all words.

    Args:
        rows: Parts of the texts: token ids, and the numbers of their texts.
        vocabulary_size: V; ids up to `UNKNOWN` are no words and count as no context.
        size: D.
        seed: Of the randomised decomposition and of the words without any context.

    Returns:
        float32 `[V, D]`. Row 0, padding, is zero; a row without any co-occurrence is
        small noise.
    """
    counts = scipy.sparse.csr_matrix((vocabulary_size, vocabulary_size), dtype=float)
    for ids, texts in rows:
        counts += _pairs(ids, texts, vocabulary_size)
    vectors = np.random.default_rng(seed).normal(
        scale=0.1 * STANDARD_DEVIATION, size=(vocabulary_size, size)
    )
    ppmi = _positive_pointwise_mutual_information(counts.tocoo())
    rank = min(size, vocabulary_size - 1)
    if ppmi.nnz:
        left, values, _ = randomized_svd(ppmi, rank, n_iter=2, random_state=seed)
        found = left * np.sqrt(values)
        deviation = found[UNKNOWN + 1 :].std()
        if deviation > 0:
            vectors[:, :rank] += found * (STANDARD_DEVIATION / deviation)
    vectors[0] = 0.0
    return vectors.astype(np.float32)


def _pairs(
    ids: np.ndarray, texts: np.ndarray, vocabulary_size: int
) -> scipy.sparse.csr_matrix:
    shape = (vocabulary_size, vocabulary_size)
    counts = scipy.sparse.csr_matrix(shape, dtype=float)
    for distance in range(1, WINDOW + 1):
        left, right = ids[:-distance], ids[distance:]
        near = (
            (texts[:-distance] == texts[distance:])
            & (left > UNKNOWN)
            & (right > UNKNOWN)
        )
        ones = np.ones(int(near.sum()))
        counts += scipy.sparse.csr_matrix((ones, (left[near], right[near])), shape)
    return counts + counts.T


def _positive_pointwise_mutual_information(
    counts: scipy.sparse.coo_matrix,
) -> scipy.sparse.csr_matrix:
    word, context, number = counts.row, counts.col, counts.data
    size = counts.shape[0]
    of_word = np.bincount(word, number, size)
    of_context = of_word**CONTEXT_SMOOTHING
    probability = of_context / max(of_context.sum(), 1e-12)
    information = np.log(number / (of_word[word] * probability[context]))
    positive = information > 0
    return scipy.sparse.csr_matrix(
        (information[positive], (word[positive], context[positive])), counts.shape
    )
