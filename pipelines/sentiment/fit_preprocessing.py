"""Fits the preprocessing: what is counted in the training texts before training."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from scipy import sparse

from ..core.autotuning import without_autotuning
from ..core.files import write_json, write_text, written_whole
from ..data.texts.label_sets import rows_by_class
from ..data.texts.labelled_texts import Split
from ..data.texts.stored_texts import Texts
from .config import NgramsConfig, SentimentConfig, TextConfig
from .linear_members import fit_linear_members, write_linear_members
from .preprocessing import (
    RULES_FILE,
    Preprocessing,
    ngram_fingerprints,
    tokenize,
    unique_in_rows,
)
from .tokenization import VERSION
from .word_vectors import cooccurrence_vectors

FITTING_ROWS = 200_000
TOKENIZATION_BATCH = 2048
# The lines of the ids PADDING and UNKNOWN. No token looks like these: brackets are
# split off.
_RESERVED = ("[PADDING]", "[UNKNOWN]")


def fit_preprocessing(
    configuration: SentimentConfig,
    split: Split,
    number_of_classes: int,
    assets: Path,
    class_weights: Sequence[float] | None = None,
) -> None:
    """Writes the rules, the vocabulary, the word vectors, n-grams and simple members.

    They come of at most `FITTING_ROWS` of the texts, drawn by the seed. Of the simple
    members alone `class_weights` say what a row of each class counts.

    Files written: `tokens.json` (the version of the rules that make tokens),
    `vocabulary.txt` (a token a line, the most frequent first),
    `word_vectors.npy` (float32 `[vocabulary, embedding_size]`), `ngrams.txt` (a
    fingerprint a line), `ngram_ratios.npy` (float32 `[1 + folds, 1 + n-grams,
    classes]`, see `naive_bayes_ratios`; n-gram 0 is padding), `folds.npy` (the fold
    of each text of the split, from 1; 0 where the counts are not of this text) and
    `linear_members.npz` (see `linear_members`).
    """
    write_json(assets / RULES_FILE, {"version": VERSION})
    rows = np.random.default_rng(configuration.seed).permutation(len(split))
    rows = np.sort(rows[:FITTING_ROWS])
    texts, labels = split.texts[rows], split.labels[rows]
    vocabulary = _vocabulary(configuration.text, texts)
    write_text(
        assets / "vocabulary.txt",
        "".join(f"{word}\n" for word in (*_RESERVED, *vocabulary)),
    )
    if configuration.uses_ngrams:
        folds = np.zeros(len(split), np.int32)
        folds[rows] = _folds(split, rows, configuration)
        found = _find_ngrams(configuration, texts)
        ngrams, ratios = naive_bayes_ratios(
            found.ngrams,
            found.rows,
            labels,
            folds[rows],
            number_of_classes,
            configuration.ngrams,
        )
        # No table can be read from an empty file, and no n-gram has this fingerprint.
        lines = ngrams if len(ngrams) else [-1]
        write_text(assets / "ngrams.txt", "".join(f"{ngram}\n" for ngram in lines))
        _write_array(assets / "ngram_ratios.npy", ratios)
        _write_array(assets / "folds.npy", folds)
        if configuration.linear.enabled:
            members = fit_linear_members(
                *found.presence(ngrams, len(rows)),
                labels,
                folds[rows],
                number_of_classes,
                configuration.seed,
                folded_rows=configuration.linear.folded_rows,
                class_weights=class_weights,
            )
            write_linear_members(members, assets)
    vectors = _word_vectors(configuration, texts, assets, len(vocabulary))
    _write_array(assets / "word_vectors.npy", vectors)


def _vocabulary(text: TextConfig, texts: Texts) -> list[str]:
    counter: Counter[bytes] = Counter()
    for tokens in _tokenized(texts, text):
        counter.update(tokens.flat_values.numpy().tolist())
    frequent = [
        (count, word) for word, count in counter.items() if count >= text.min_count
    ]
    # By count, then by the word itself: the order of equals must not be chance.
    frequent.sort(key=lambda entry: (-entry[0], entry[1]))
    return [word.decode("utf-8") for _, word in frequent[: text.vocabulary_size]]


def _folds(
    split: Split, rows: np.ndarray, configuration: SentimentConfig
) -> np.ndarray:
    """The folds of the rows, from 1; a group is in one fold."""
    groups = split.groups[rows] if split.groups is not None else rows
    names, group = np.unique(groups.astype(str), return_inverse=True)
    generator = np.random.default_rng(configuration.seed)
    return generator.permutation(len(names))[group] % configuration.ngrams.folds + 1


@dataclasses.dataclass(frozen=True)
class _Found:
    """The n-grams of texts, once per text.

    Attributes:
        ngrams: int64 `[M]`, fingerprints.
        rows: int `[M]`, the texts that they stand in.
        lengths: int8 `[M]`, their words.
    """

    ngrams: np.ndarray
    rows: np.ndarray
    lengths: np.ndarray

    def presence(
        self, kept: np.ndarray, number_of_texts: int
    ) -> tuple[sparse.csr_matrix, np.ndarray]:
        """1 where a text has one of the kept n-grams, in order; and their lengths."""
        column = np.searchsorted(kept, self.ngrams)
        known = column < len(kept)
        known[known] = kept[column[known]] == self.ngrams[known]
        rows, column = self.rows[known], column[known]
        lengths = np.zeros(len(kept), np.int8)
        lengths[column] = self.lengths[known]
        ones = np.ones(len(rows), np.float32)
        shape = (number_of_texts, len(kept))
        return sparse.csr_matrix((ones, (rows, column)), shape), lengths


def _find_ngrams(configuration: SentimentConfig, texts: Texts) -> _Found:
    widths = range(1, configuration.ngrams.longest + 1)
    parts: list[tuple[np.ndarray, ...]] = []
    row = 0
    for tokens in _tokenized(texts, configuration.text):
        for width in widths:
            unique = unique_in_rows(ngram_fingerprints(tokens, width))
            ngrams = unique.flat_values.numpy()
            rows = row + unique.value_rowids().numpy()
            parts.append((ngrams, rows, np.full(len(ngrams), width, np.int8)))
        row += int(tokens.nrows())
    return _Found(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _word_vectors(
    configuration: SentimentConfig,
    texts: Texts,
    assets: Path,
    words: int,
) -> np.ndarray:
    rows: Iterator[tuple[np.ndarray, np.ndarray]] = iter(())
    if configuration.model.embedding_start == "cooccurrence":
        preprocessing = Preprocessing(configuration, assets)
        ids = map(preprocessing.word_ids, _tokenized(texts, configuration.text))
        rows = ((ids.flat_values.numpy(), ids.value_rowids().numpy()) for ids in ids)
    return cooccurrence_vectors(
        rows,
        len(_RESERVED) + words,
        configuration.model.embedding_size,
        configuration.seed,
    )


def naive_bayes_ratios(
    ngrams: np.ndarray,
    rows: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray,
    number_of_classes: int,
    config: NgramsConfig,
) -> tuple[np.ndarray, np.ndarray]:
    """The log-count ratios of the frequent n-grams in the classes.

    `r[g, c] = log((a + n[g, c]) / (a + N[c])) - log((a + n[g, ~c]) / (a + N[~c]))`
    with `n` the number of texts of a class that hold the n-gram, `N` the number of
    texts of the class, `~c` all texts without it and `a` the smoothing (Wang & Manning
    2012, "Baselines and Bigrams", on presence and with texts for totals).

    A text that trains on ratios counted with its own label would learn to trust them
    more than it can trust those of a new text. So every fold has a second set
    of ratios, counted without its texts, for these to train on.

    Args:
        ngrams: The n-grams of all texts, once per text, int64 `[M]`.
        rows: The texts that they stand in, `[M]`.
        labels: The classes of the texts, `[N]`, or which they have, bool `[N, C]`.
        folds: The folds of the texts, from 1, `[N]`.
        number_of_classes: C.
        config: `folds` (F), `min_count`, `max_ngrams`, `smoothing`.

    Returns:
        The n-grams that are kept `[K]`, and float32 `[1 + F, 1 + K, C]`: at 0 the
        ratios of all texts, at f those without fold f; n-gram 0, padding, is zero.
    """
    kept, inverse, total = np.unique(ngrams, return_inverse=True, return_counts=True)
    frequent = np.flatnonzero(total >= config.min_count)
    if len(frequent) > config.max_ngrams:
        order = np.argsort(-total[frequent], kind="stable")
        frequent = np.sort(frequent[order[: config.max_ngrams]])
    number = np.full(len(kept), -1)
    number[frequent] = np.arange(len(frequent))
    ngram = number[inverse]
    rows, ngram = rows[ngram >= 0], ngram[ngram >= 0]

    ratios = np.zeros((1 + config.folds, 1 + len(frequent), number_of_classes))
    for fold in range(1 + config.folds):
        counted = folds != fold
        sizes = rows_by_class(labels[counted], number_of_classes)
        here = counted[rows]
        counts = _counts(
            ngram[here], rows[here], labels, len(frequent), number_of_classes
        )
        total = np.bincount(ngram[here], minlength=len(frequent))
        ratios[fold, 1:] = _log_count_ratios(
            counts, total, sizes, int(counted.sum()), config.smoothing
        )
    return kept[frequent], ratios.astype(np.float32)


def _counts(
    ngram: np.ndarray, rows: np.ndarray, labels: np.ndarray, number: int, classes: int
) -> np.ndarray:
    """The texts of each class that hold an n-gram, `[K, C]`."""
    if labels.ndim == 2:
        # A text counts in each of its classes.
        of_class = [np.bincount(ngram[has[rows]], minlength=number) for has in labels.T]
        return np.stack(of_class, axis=1)
    counts = np.bincount(
        ngram * classes + labels[rows],
        minlength=number * classes,
    )
    return counts.reshape(number, classes)


def _log_count_ratios(
    counts: np.ndarray,
    total: np.ndarray,
    sizes: np.ndarray,
    rows: int,
    smoothing: float,
) -> np.ndarray:
    rest = total[:, None] - counts
    return np.log((smoothing + counts) / (smoothing + sizes)) - np.log(
        (smoothing + rest) / (smoothing + rows - sizes)
    )


def _tokenized(texts: Texts, text: TextConfig) -> Iterator[tf.RaggedTensor]:
    dataset = (
        tf.data.Dataset.from_generator(
            lambda: texts.parts(TOKENIZATION_BATCH),
            output_signature=tf.TensorSpec([None], tf.string),
        )
        .map(
            # Plain graph code, which AutoGraph would take seconds to read.
            tf.autograph.experimental.do_not_convert(
                lambda batch: tokenize(batch, text.lowercase)
            ),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        .prefetch(tf.data.AUTOTUNE)
    )
    yield from without_autotuning(dataset)


def _write_array(path: Path, array: np.ndarray) -> None:
    with written_whole(path) as partial:
        np.save(partial, array)
