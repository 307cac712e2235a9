"""What a user would pick instead of a recurrent network, fitted by scikit-learn.

N-grams are hashed to 31 bits rather than kept in a vocabulary: fitting reads the texts
once in bounded memory, and a saved baseline holds numbers alone.
"""

import dataclasses
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import regex
from scipy import sparse
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import (
    HashingVectorizer,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import normalize

from ..core.optional import of_baselines
from ..data.texts.words import HANGUL, WITHOUT_SPACES, spaced_word

# Scripts written without spaces, and Hangul, whose words carry long endings: every
# character is a token, so that the n-grams are of characters.
_WORD = spaced_word(WITHOUT_SPACES + HANGUL, joiners="'\u2019")
# A word with its apostrophes and marks; else one character that is no space, since
# exclamation marks, brackets and emoji carry sentiment too.
_TOKEN = regex.compile(rf"{_WORD}|\S", regex.V1)
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)

# An n-gram of one training text alone says nothing about others.
_LEAST_TEXTS = 2
# Inverse regularisation strengths, tried upwards while the held-out likelihood rises.
_STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_HELD_OUT_FRACTION = 0.15
# Fewer rows than this cannot choose a strength.
_LEAST_ROWS = 40
_DEFAULT_STRENGTH = 10.0


class Baseline(Protocol):
    """A fitted baseline; joblib saves it and loads it again."""

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """The probability of each class for each text: float64 `[N, C]`."""
        ...


def fit_baselines(
    texts: Sequence[str],
    labels: np.ndarray,
    number_of_classes: int,
    seed: int,
    progress: Callable[[str], None] | None = None,
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
    the texts, then all of them are fitted. More than two classes are one against the
    rest. Texts in any language serve; see `_TOKEN`.

    Args:
        texts: `N` training texts, HTML line breaks and all.
        labels: int `[N]`, classes from 0.
        number_of_classes: At least 2; a class may be without rows.
        seed: Of the held-out part and of the optimizer.
        progress: Called with the name of each baseline before it is fitted.

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
        return fitters[name](texts, np.asarray(labels), number_of_classes, seed)

    return of_baselines({name: name for name in fitters}, fit)


@dataclasses.dataclass(frozen=True)
class MajorityBaseline:
    """Answers the frequencies of the classes in the training texts.

    Attributes:
        shares: float64 `[C]`, with one row added to each class (add-one smoothing), so
            that none is impossible.
    """

    shares: np.ndarray

    @classmethod
    def fit(
        cls, texts: Sequence[str], labels: np.ndarray, number_of_classes: int, seed: int
    ) -> "MajorityBaseline":
        """Counts the labels; neither texts nor seed matter."""
        counts = np.bincount(labels, minlength=number_of_classes) + 1.0
        return cls(counts / counts.sum())

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """The same for every text: float64 `[N, C]`."""
        return np.tile(self.shares, (len(texts), 1))


@dataclasses.dataclass(frozen=True)
class _Linear:
    """Logistic regression: one column for two classes, else one for each class."""

    weights: np.ndarray  # float32 [features, 1 or C]
    bias: np.ndarray  # float32 [1 or C]

    def probabilities(self, features: sparse.csr_matrix) -> np.ndarray:
        positive = expit((features @ self.weights).astype(np.float64) + self.bias)
        if len(self.bias) == 1:
            return np.hstack([1.0 - positive, positive])
        positive = np.maximum(positive, 1e-12)
        return positive / positive.sum(axis=1, keepdims=True)


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
    classifier: _Linear

    @classmethod
    def fit(
        cls, texts: Sequence[str], labels: np.ndarray, number_of_classes: int, seed: int
    ) -> "TfidfLogisticRegression":
        """Fits weights of n-grams and classifier; see `fit_baselines`."""
        counts, ngrams = _frequent_ngrams(_count_ngrams(texts, cls.LONGEST))
        appearances = np.bincount(counts.indices, minlength=len(ngrams))
        inverse = np.log((1 + len(texts)) / (1 + appearances)) + 1
        inverse = inverse.astype(np.float32)
        features = cls._weighted(counts, inverse)
        classifier = _fit_classifier(
            features, labels, number_of_classes, seed, scale=_unscaled
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
    classifier: _Linear

    @classmethod
    def fit(
        cls, texts: Sequence[str], labels: np.ndarray, number_of_classes: int, seed: int
    ) -> "NaiveBayesLogisticRegression":
        """Fits the ratios and the classifier; see `fit_baselines`."""
        counts, ngrams = _frequent_ngrams(_count_ngrams(texts, cls.LONGEST))
        features = cls._presence(counts)
        classifier = _fit_classifier(
            features, labels, number_of_classes, seed, scale=_log_count_ratio
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


_Scale = Callable[[sparse.csr_matrix, np.ndarray], np.ndarray]


def _unscaled(features: sparse.csr_matrix, positive: np.ndarray) -> np.ndarray:
    return np.ones(features.shape[1], np.float32)


def _log_count_ratio(features: sparse.csr_matrix, positive: np.ndarray) -> np.ndarray:
    """The log ratios of the n-grams' fractions in the class to those in the rest."""
    presence = features.copy()
    presence.data = np.ones_like(presence.data)
    inside = 1.0 + positive.astype(np.float64) @ presence
    outside = 1.0 + (~positive).astype(np.float64) @ presence
    ratio = np.log(inside / inside.sum()) - np.log(outside / outside.sum())
    return ratio.astype(np.float32)


def _fit_classifier(
    features: sparse.csr_matrix,
    labels: np.ndarray,
    number_of_classes: int,
    seed: int,
    *,
    scale: _Scale,
) -> _Linear:
    """The classifier with the strength that a held-out part of the rows likes best."""
    if len(labels) < _LEAST_ROWS:
        strength = _DEFAULT_STRENGTH
    else:
        strength = _choose_strength(features, labels, number_of_classes, seed, scale)
    return _fit_linear(features, labels, number_of_classes, strength, seed, scale)


def _choose_strength(
    features: sparse.csr_matrix,
    labels: np.ndarray,
    number_of_classes: int,
    seed: int,
    scale: _Scale,
) -> float:
    # A class of one row cannot be on both sides of a stratified split.
    counts = np.bincount(labels)
    stratify = labels if not (counts == 1).any() else None
    # A stratified part needs a row of every class there is.
    present = int(np.count_nonzero(counts))
    held_out_rows = max(round(_HELD_OUT_FRACTION * len(labels)), present)
    if held_out_rows > len(labels) // 2:
        return _DEFAULT_STRENGTH
    fitted, held_out = train_test_split(
        np.arange(len(labels)),
        test_size=held_out_rows,
        random_state=seed,
        stratify=stratify,
    )
    best, best_likelihood = _DEFAULT_STRENGTH, -np.inf
    for strength in _STRENGTHS:
        classifier = _fit_linear(
            features[fitted], labels[fitted], number_of_classes, strength, seed, scale
        )
        answers = classifier.probabilities(features[held_out])
        likelihoods = answers[np.arange(len(held_out)), labels[held_out]]
        likelihood = np.log(np.maximum(likelihoods, 1e-12)).mean()
        if likelihood <= best_likelihood:
            break
        best, best_likelihood = strength, likelihood
    return best


def _fit_linear(
    features: sparse.csr_matrix,
    labels: np.ndarray,
    number_of_classes: int,
    strength: float,
    seed: int,
    scale: _Scale,
) -> _Linear:
    classes = [1] if number_of_classes == 2 else range(number_of_classes)
    columns = [
        _fit_one_class(features, labels == label, strength, seed, scale)
        for label in classes
    ]
    weights, biases = zip(*columns, strict=True)
    return _Linear(np.stack(weights, axis=1), np.array(biases, np.float32))


def _fit_one_class(
    features: sparse.csr_matrix,
    positive: np.ndarray,
    strength: float,
    seed: int,
    scale: _Scale,
) -> tuple[np.ndarray, float]:
    """Weights and bias of one class against the rest."""
    if positive.all() or not positive.any() or features.shape[1] == 0:
        fraction = (positive.sum() + 1) / (len(positive) + 2)
        bias = np.log(fraction / (1 - fraction))
        return np.zeros(features.shape[1], np.float32), bias
    factors = scale(features, positive)
    scaled = features.copy()
    scaled.data = scaled.data * factors[scaled.indices]
    # In the dual, many times faster where features outnumber rows.
    model = LogisticRegression(
        C=strength, solver="liblinear", dual=True, random_state=seed
    )
    with warnings.catch_warnings():
        # What 100 passes leave of the optimum moves no prediction.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(scaled, positive)
    return factors * model.coef_[0].astype(np.float32), float(model.intercept_[0])
