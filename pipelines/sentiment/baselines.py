"""What a user would pick instead of a recurrent network, fitted by scikit-learn.

N-grams are hashed to 31 bits rather than kept in a vocabulary: fitting reads the texts
once in bounded memory, and a saved baseline holds numbers alone.
"""

import dataclasses
import logging
import re
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import regex
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.preprocessing import normalize

from ..core.optional import of_baselines
from ..data.texts.label_sets import rows_by_class
from ..data.texts.words import HANGUL, WITHOUT_SPACES, spaced_word
from .logistic_regression import (
    ClassWeights,
    LinearClassifier,
    fit_classifier,
    log_count_ratio,
    unscaled,
)

# Scripts written without spaces, and Hangul, whose words carry long endings: every
# character is a token, so that the n-grams are of characters.
_WORD = spaced_word(WITHOUT_SPACES + HANGUL, joiners="'\u2019")
# A word with its apostrophes and marks; else one character that is no space, since
# exclamation marks, brackets and emoji carry sentiment too.
_TOKEN = regex.compile(rf"{_WORD}|\S", regex.V1)
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)

# Of texts, so many bytes in UTF-8 tell as much as all. Their n-grams take some hundred
# bytes for each, and a gigabyte for all.
_MOST_BYTES = 50_000_000

logger = logging.getLogger("recurra")

# An n-gram of one training text alone says nothing about others.
_LEAST_TEXTS = 2


class Baseline(Protocol):
    """A fitted baseline; joblib saves it and loads it again."""

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """The probability of each class for each text: float64 `[N, C]`."""
        ...


def rows_for_baselines(sizes: np.ndarray, seed: int) -> np.ndarray:
    """The texts that baselines are fitted to: of very many some, drawn by the seed.

    A line of the log says so.

    Args:
        sizes: Bytes of each text, `[N]`.
        seed: Of the draw.

    Returns:
        Their numbers in rising order; all where they have at most 50 million bytes.
    """
    total = int(sizes.sum())
    if total <= _MOST_BYTES:
        return np.arange(len(sizes))
    drawn = np.random.default_rng(seed).permutation(len(sizes))
    drawn = drawn[: len(sizes) * _MOST_BYTES // total]
    logger.info(
        "The baselines are fitted to %s of the %s texts, drawn by the seed",
        f"{len(drawn):,}",
        f"{len(sizes):,}",
    )
    return np.sort(drawn)


def fit_baselines(
    texts: Sequence[str],
    labels: np.ndarray,
    number_of_classes: int,
    seed: int,
    progress: Callable[[str], None] | None = None,
    class_weights: ClassWeights = None,
) -> dict[str, Baseline]:
    """Fits every baseline to the same training texts as the model.

    - `majority`: the frequencies of the classes, whatever the text.
    - `tfidf_logistic_regression`: logistic regression on tf-idf of words and word
      bigrams, with sublinear term frequency and rows of unit length.
    - `nb_logistic_regression`: logistic regression on the presence of word 1- to
      3-grams, in rows of unit length, each n-gram scaled by its naive Bayes log-count
      ratio (Wang and Manning 2012, "Baselines and Bigrams: Simple, Good Sentiment and
      Topic Classification", there with a linear support vector machine).

    The strength of the regularisation is chosen by likelihood on a held-out part of
    the texts, then all of them are fitted. More than two classes, and several labels
    of a text, are one against the rest. Texts in any language serve; see `_TOKEN`.

    Args:
        texts: `N` training texts, HTML line breaks and all.
        labels: int `[N]`, classes from 0; or bool `[N, C]`.
        number_of_classes: At least 2; a class may be without rows.
        seed: Of the held-out part and of the optimizer.
        progress: Called with the name of each baseline before it is fitted.
        class_weights: What a row of each class counts, `[C]`; one each if None.

    Returns:
        Fitted baseline by name, weakest first.

    Raises:
        ValueError: If there are no texts, or not as many labels as texts.
    """
    if len(texts) == 0 or len(texts) != len(labels):
        raise ValueError(
            "Expected as many labels as texts, and at least one. "
            f"Received: {len(texts)} texts, {len(labels)} labels"
        )
    fitters: dict[str, Callable[..., Baseline]] = {
        "majority": MajorityBaseline.fit,
        "tfidf_logistic_regression": TfidfLogisticRegression.fit,
        "nb_logistic_regression": NaiveBayesLogisticRegression.fit,
    }

    def fit(name: str) -> Baseline:
        if progress is not None:
            progress(name)
        return fitters[name](
            texts, np.asarray(labels), number_of_classes, seed, class_weights
        )

    return of_baselines({name: name for name in fitters}, fit)


@dataclasses.dataclass(frozen=True)
class MajorityBaseline:
    """Answers the frequencies of the classes in the training texts.

    Attributes:
        shares: float64 `[C]`, with one row added to each class (add-one smoothing), so
            that none is impossible; where rows may have several labels, one with and
            one without each.
    """

    shares: np.ndarray

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        labels: np.ndarray,
        number_of_classes: int,
        seed: int,
        class_weights: ClassWeights = None,
    ) -> "MajorityBaseline":
        """Counts the labels; neither texts nor seed matter."""
        counts = rows_by_class(labels, number_of_classes) + 1.0
        if class_weights is not None:
            counts *= class_weights
        others = len(labels) + 1.0 - rows_by_class(labels, number_of_classes)
        return cls(counts / (counts.sum() if labels.ndim == 1 else counts + others))

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """The same for every text: float64 `[N, C]`."""
        return np.tile(self.shares, (len(texts), 1))


@dataclasses.dataclass(frozen=True)
class TfidfLogisticRegression:
    """Logistic regression on tf-idf of words and word bigrams.

    Attributes:
        ngrams: int32 `[F]`, hashes of the n-grams that count, ascending.
        inverse_document_frequency: float32 `[F]`.
        classifier: Of the weighted n-grams.
    """

    LONGEST = 2
    ngrams: np.ndarray
    inverse_document_frequency: np.ndarray
    classifier: LinearClassifier

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        labels: np.ndarray,
        number_of_classes: int,
        seed: int,
        class_weights: ClassWeights = None,
    ) -> "TfidfLogisticRegression":
        """Fits weights of n-grams and classifier; see `fit_baselines`."""
        counts, ngrams = _frequent_ngrams(_count_ngrams(texts, cls.LONGEST))
        appearances = np.bincount(counts.indices, minlength=len(ngrams))
        inverse = np.log((1 + len(texts)) / (1 + appearances)) + 1
        inverse = inverse.astype(np.float32)
        features = cls._weighted(counts, inverse)
        classifier = fit_classifier(
            features,
            labels,
            number_of_classes,
            seed,
            scale=unscaled,
            class_weights=class_weights,
        )
        return cls(ngrams, inverse, classifier)

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """The probability of each class for each text: float64 `[N, C]`."""
        counts = _select(_count_ngrams(texts, self.LONGEST), self.ngrams)
        features = self._weighted(counts, self.inverse_document_frequency)
        return self.classifier.probabilities(features)

    @staticmethod
    def _weighted(counts: sparse.csr_matrix, inverse: np.ndarray) -> sparse.csr_matrix:
        data = (1 + np.log(counts.data)) * inverse[counts.indices]
        return _unit_rows(counts, data)


@dataclasses.dataclass(frozen=True)
class NaiveBayesLogisticRegression:
    """Logistic regression on word 1- to 3-grams scaled by naive Bayes ratios.

    Attributes:
        ngrams: int32 `[F]`, hashes of the n-grams that count, ascending.
        classifier: Of their presence; the ratios are in its weights.
    """

    LONGEST = 3
    ngrams: np.ndarray
    classifier: LinearClassifier

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        labels: np.ndarray,
        number_of_classes: int,
        seed: int,
        class_weights: ClassWeights = None,
    ) -> "NaiveBayesLogisticRegression":
        """Fits the ratios and the classifier; see `fit_baselines`."""
        counts, ngrams = _frequent_ngrams(_count_ngrams(texts, cls.LONGEST))
        features = cls._presence(counts)
        classifier = fit_classifier(
            features,
            labels,
            number_of_classes,
            seed,
            scale=log_count_ratio,
            class_weights=class_weights,
        )
        return cls(ngrams, classifier)

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """The probability of each class for each text: float64 `[N, C]`."""
        counts = _select(_count_ngrams(texts, self.LONGEST), self.ngrams)
        return self.classifier.probabilities(self._presence(counts))

    @staticmethod
    def _presence(counts: sparse.csr_matrix) -> sparse.csr_matrix:
        return _unit_rows(counts, np.ones_like(counts.data))


def _count_ngrams(texts: Sequence[str], longest: int) -> sparse.csr_matrix:
    """How often the hashed n-grams stand in the texts: float32 `[N, 2**31 - 1]`."""
    vectorizer = HashingVectorizer(
        preprocessor=_normalised,
        tokenizer=_TOKEN.findall,
        token_pattern=None,
        ngram_range=(1, longest),
        n_features=2**31 - 1,
        alternate_sign=False,
        norm=None,
        dtype=np.float32,
    )
    return vectorizer.transform(texts)


def _normalised(text: str) -> str:
    # A lone surrogate, which JSON can hold, has no UTF-8 to be hashed.
    text = text.encode("utf-8", "replace").decode("utf-8")
    return _LINE_BREAK.sub(" ", text).lower()


def _frequent_ngrams(
    counts: sparse.csr_matrix,
) -> tuple[sparse.csr_matrix, np.ndarray]:
    """The counts of the n-grams worth keeping, and these: `[N, F]` and `[F]`."""
    hashes, appearances = np.unique(counts.indices, return_counts=True)
    frequent = hashes[appearances >= _LEAST_TEXTS]
    # A handful of texts may share no n-gram at all.
    ngrams = frequent if len(frequent) else hashes
    return _select(counts, ngrams), ngrams


def _select(counts: sparse.csr_matrix, ngrams: np.ndarray) -> sparse.csr_matrix:
    """The columns of these n-grams, in their order: float32 `[N, F]`."""
    # Indexing by scipy would make an array as long as all possible hashes.
    columns = np.searchsorted(ngrams, counts.indices)
    kept = columns < len(ngrams)
    kept[kept] = ngrams[columns[kept]] == counts.indices[kept]
    before = np.concatenate([[0], np.cumsum(kept)])
    return sparse.csr_matrix(
        (counts.data[kept], columns[kept].astype(np.int32), before[counts.indptr]),
        shape=(counts.shape[0], len(ngrams)),
    )


def _unit_rows(counts: sparse.csr_matrix, data: np.ndarray) -> sparse.csr_matrix:
    """The data where the counts stand, in rows of Euclidean length 1."""
    values = data.astype(np.float32)
    weighted = sparse.csr_matrix(
        (values, counts.indices, counts.indptr), shape=counts.shape
    )
    return normalize(weighted, copy=False) if weighted.shape[1] else weighted
