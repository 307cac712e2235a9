"""What preprocessing and the model learn from the training texts before training."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from ..datasets.labelled_texts import Split
from ..files import write_text, written_whole
from .config import SentimentConfiguration, TextSection, WideSection
from .preprocessing import (
    Preprocessing,
    ngram_fingerprints,
    tokenize,
    unique_in_rows,
)
from .word_vectors import cooccurrence_vectors

LEARNING_ROWS = 200_000
ROWS_TOGETHER = 2048
# The lines of the ids PADDING and UNKNOWN. No token looks like these: brackets are
# split off.
_RESERVED = ("[PADDING]", "[UNKNOWN]")


def learn_preprocessing(
    configuration: SentimentConfiguration,
    split: Split,
    number_of_classes: int,
    assets: Path,
) -> None:
    """Writes the vocabulary, the word vectors, and the n-grams with their weights.

    They are learned from at most `LEARNING_ROWS` of the texts, drawn by the seed.

    Files written: `vocabulary.txt` (a token a line, the most frequent first),
    `word_vectors.npy` (float32 `[vocabulary, embedding_size]`), `ngrams.txt` (a
    fingerprint a line) and `ngram_weights.npy` (float32 `[1 + n-grams, classes]`; row
    0 is padding).
    """
    rows = np.random.default_rng(configuration.seed).permutation(len(split))
    rows = np.sort(rows[:LEARNING_ROWS])
    texts, labels = split.texts[rows], split.labels[rows]
    vocabulary = _learn_vocabulary(configuration.text, texts)
    write_text(
        assets / "vocabulary.txt",
        "".join(f"{word}\n" for word in (*_RESERVED, *vocabulary)),
    )
    if configuration.wide.enabled:
        ngrams, weights = _learn_ngrams(configuration, texts, labels, number_of_classes)
        # No table can be read from an empty file, and no n-gram has this fingerprint.
        lines = ngrams if len(ngrams) else [-1]
        write_text(assets / "ngrams.txt", "".join(f"{ngram}\n" for ngram in lines))
        _write_array(assets / "ngram_weights.npy", weights)
    vectors = _learn_word_vectors(configuration, texts, assets, len(vocabulary))
    _write_array(assets / "word_vectors.npy", vectors)


def _learn_vocabulary(text: TextSection, texts: np.ndarray) -> list[str]:
    counter: Counter[bytes] = Counter()
    for tokens in _tokenized(texts, text):
        counter.update(tokens.flat_values.numpy().tolist())
    frequent = [
        (count, word) for word, count in counter.items() if count >= text.min_count
    ]
    # By count, then by the word itself: the order of equals must not be chance.
    frequent.sort(key=lambda entry: (-entry[0], entry[1]))
    return [word.decode("utf-8") for _, word in frequent[: text.vocabulary_size]]


def _learn_ngrams(
    configuration: SentimentConfiguration,
    texts: np.ndarray,
    labels: np.ndarray,
    number_of_classes: int,
) -> tuple[np.ndarray, np.ndarray]:
    widths = range(1, configuration.wide.max_ngram + 1)
    ngrams, ngram_labels = [], []
    row = 0
    for tokens in _tokenized(texts, configuration.text):
        unique = unique_in_rows(
            tf.concat([ngram_fingerprints(tokens, width) for width in widths], 1)
        )
        ngrams.append(unique.flat_values.numpy())
        ngram_labels.append(labels[row + unique.value_rowids().numpy()])
        row += int(tokens.nrows())
    return naive_bayes_weights(
        np.concatenate(ngrams),
        np.concatenate(ngram_labels),
        np.bincount(labels, minlength=number_of_classes),
        configuration.wide,
    )


def _learn_word_vectors(
    configuration: SentimentConfiguration,
    texts: np.ndarray,
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


def naive_bayes_weights(
    ngrams: np.ndarray, labels: np.ndarray, class_sizes: np.ndarray, wide: WideSection
) -> tuple[np.ndarray, np.ndarray]:
    """The log-count ratio of each frequent n-gram in each class.

    `r[g, c] = log((a + n[g, c]) / (a + N[c])) - log((a + n[g, ~c]) / (a + N[~c]))`
    with `n` the number of texts of a class that hold the n-gram, `N` the number of
    texts of the class, `~c` all other classes and `a` the smoothing (Wang & Manning
    2012, "Baselines and Bigrams", on presence and with texts for totals).

    Args:
        ngrams: The n-grams of all texts, each once per text, int64 `[M]`.
        labels: The class of the text that each stands in, `[M]`.
        class_sizes: Texts of each class, `[C]`.
        wide: `min_count`, `max_ngrams`, `smoothing`.

    Returns:
        The n-grams that are kept `[K]`, and float32 `[1 + K, C]`, row 0 zero.
    """
    kept, inverse = np.unique(ngrams, return_inverse=True)
    classes = len(class_sizes)
    counts = np.bincount(inverse * classes + labels, minlength=len(kept) * classes)
    counts = counts.reshape(len(kept), classes).astype(np.float64)
    total = counts.sum(axis=1)
    frequent = np.flatnonzero(total >= wide.min_count)
    if len(frequent) > wide.max_ngrams:
        order = np.argsort(-total[frequent], kind="stable")
        frequent = np.sort(frequent[order[: wide.max_ngrams]])
    kept, counts = kept[frequent], counts[frequent]
    a = wide.smoothing
    rest = counts.sum(axis=1, keepdims=True) - counts
    ratio = np.log((a + counts) / (a + class_sizes)) - np.log(
        (a + rest) / (a + class_sizes.sum() - class_sizes)
    )
    padded = np.concatenate([np.zeros((1, len(class_sizes))), ratio])
    return kept, padded.astype(np.float32)


def _tokenized(texts: np.ndarray, text: TextSection) -> Iterator[tf.RaggedTensor]:
    dataset = (
        tf.data.Dataset.from_tensor_slices(tf.constant(texts, tf.string))
        .batch(ROWS_TOGETHER)
        .map(
            lambda batch: tokenize(batch, text.lowercase),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        .prefetch(tf.data.AUTOTUNE)
    )
    yield from dataset


def _write_array(path: Path, array: np.ndarray) -> None:
    with written_whole(path) as partial:
        np.save(partial, array)
