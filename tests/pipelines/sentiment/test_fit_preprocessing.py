"""What is fitted to the training texts before training: vocabulary and n-grams."""

import math

import numpy as np
import pytest
import tensorflow as tf

from recurra.pipelines.data.texts.labelled_texts import Split
from recurra.pipelines.sentiment.config import SentimentConfig
from recurra.pipelines.sentiment.fit_preprocessing import (
    fit_preprocessing,
    naive_bayes_ratios,
)
from recurra.pipelines.sentiment.preprocessing import (
    PADDING,
    UNKNOWN,
    Preprocessing,
)

RESERVED = 2
TEXTS = ["good film", "good plot , good food", "bad film", "bad food", "dull plot"]
LABELS = [1, 1, 0, 0, 0]


def configured(**sections):
    values = {
        "text": {"vocabulary_size": 100, "min_count": 1},
        "ngrams": {"longest": 2, "min_count": 1, "smoothing": 1.0, "folds": 2},
        "model": {"embedding_size": 4, "embedding_start": "cooccurrence"},
    }
    for name, section in sections.items():
        values[name] = {**values.get(name, {}), **section}
    return SentimentConfig.model_validate(values)


def fitted(assets, texts=TEXTS, labels=LABELS, classes=2, **sections):
    assets.mkdir(exist_ok=True)
    split = Split(np.array(texts, object), np.array(labels, np.int64))
    fit_preprocessing(configured(**sections), split, classes, assets)
    return assets


def vocabulary(assets):
    return (assets / "vocabulary.txt").read_text(encoding="utf-8").splitlines()


def ratios_of(assets, *ngrams, **sections):
    """The fitted ratios of each n-gram, found as serving finds them."""
    preprocessing = Preprocessing(configured(**sections), assets)
    ratios = np.load(assets / "ngram_ratios.npy")[0]
    found = []
    for ngram in ngrams:
        words = ngram.split()
        ids = preprocessing.ngram_ids(tf.ragged.constant([words]), len(words))
        found.append(ratios[ids.flat_values.numpy()[0]])
    return np.array(found)


def test_the_vocabulary_is_ordered_by_count_and_then_by_the_word(tmp_path):
    words = vocabulary(fitted(tmp_path))[RESERVED:]
    assert words == ["good", "bad", "film", "food", "plot", ",", "dull"]


def test_the_vocabulary_does_not_depend_on_the_order_of_the_texts(tmp_path):
    one = fitted(tmp_path / "one")
    other = fitted(tmp_path / "other", TEXTS[::-1], LABELS[::-1])
    assert vocabulary(one) == vocabulary(other)


def test_the_vocabulary_keeps_the_most_frequent_and_leaves_out_the_rare(tmp_path):
    small = fitted(tmp_path / "small", text={"vocabulary_size": 3})
    assert vocabulary(small)[RESERVED:] == ["good", "bad", "film"]
    frequent = fitted(tmp_path / "frequent", text={"min_count": 3})
    assert vocabulary(frequent)[RESERVED:] == ["good"]


def test_fitting_the_same_again_writes_the_same_files(tmp_path):
    one, other = fitted(tmp_path / "one"), fitted(tmp_path / "other")
    names = sorted(path.name for path in one.iterdir())
    assert names == [
        "folds.npy",
        "linear_members.npz",
        "ngram_ratios.npy",
        "ngrams.txt",
        "tokens.json",
        "vocabulary.txt",
        "word_vectors.npy",
    ]
    for name in names:
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_where_no_branch_uses_ngrams_none_are_written(tmp_path):
    off = {"enabled": False}
    model = {"ngram_features": False}
    assets = fitted(tmp_path, wide=off, linear=off, model=model)
    names = sorted(path.name for path in assets.iterdir())
    assert names == ["tokens.json", "vocabulary.txt", "word_vectors.npy"]


def test_word_vectors_have_a_row_per_line_of_the_vocabulary(tmp_path):
    for start in ("cooccurrence", "random"):
        section = {"embedding_start": start, "embedding_size": 5}
        assets = fitted(tmp_path / start, model=section)
        vectors = np.load(assets / "word_vectors.npy")
        assert vectors.shape == (len(vocabulary(assets)), 5)
        assert vectors.dtype == np.float32
        assert not vectors[PADDING].any()
        assert vectors[UNKNOWN:].any(axis=1).all()


def test_the_fitted_ratios_are_those_of_the_texts_by_hand(tmp_path):
    assets = fitted(tmp_path)
    # Two texts are positive and three negative; "good" stands in both positive ones
    # (twice in one, which counts once), "bad film" in one negative one.
    good = math.log((1 + 2) / (1 + 2)) - math.log((1 + 0) / (1 + 3))
    bad_film = math.log((1 + 0) / (1 + 2)) - math.log((1 + 1) / (1 + 3))
    found = ratios_of(assets, "good", "bad film", "zebra")
    expected = [[-good, good], [-bad_film, bad_film], [0, 0]]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_ngrams_that_stand_in_too_few_texts_are_left_out(tmp_path):
    ngrams = {"min_count": 2}
    assets = fitted(tmp_path, ngrams=ngrams)
    names = ("good", "bad", "good plot", "dull")
    known = ratios_of(assets, *names, ngrams=ngrams).any(1)
    # "good" twice in one text does not make "good plot" two texts.
    assert known.tolist() == [True, True, False, False]


def test_labels_stay_with_their_texts_over_more_than_one_part(tmp_path):
    # More texts than are tokenized together.
    number = 5000
    texts = ["good" if row % 3 else "bad" for row in range(number)]
    labels = [int(row % 3 > 0) for row in range(number)]
    ratios = ratios_of(fitted(tmp_path, texts, labels), "good", "bad")
    assert ratios[0, 1] > 5
    assert ratios[1, 0] > 5


def naive_bayes(texts, labels, classes=2, fold_of_texts=None, **ngrams):
    """Of texts that are given by the numbers of their n-grams."""
    rows = [row for row, text in enumerate(texts) for _ in text]
    return naive_bayes_ratios(
        np.array([ngram for text in texts for ngram in text], np.int64),
        np.array(rows, np.int64),
        np.array(labels),
        np.ones(len(texts), int) if fold_of_texts is None else fold_of_texts,
        classes,
        configured(ngrams={"min_count": 1, **ngrams}).ngrams,
    )


def test_naive_bayes_ratios_of_two_classes_by_hand():
    # n-gram 7 in three of four texts of class 0 and one of two of class 1; 9 in one
    # text of class 1.
    texts = [[7], [7], [7], [], [7], [9]]
    kept, ratios = naive_bayes(texts, [0, 0, 0, 0, 1, 1], smoothing=0.5)
    assert kept.tolist() == [7, 9]
    seven = math.log(3.5 / 4.5) - math.log(1.5 / 2.5)
    nine = math.log(0.5 / 4.5) - math.log(1.5 / 2.5)
    expected = [[0, 0], [seven, -seven], [nine, -nine]]
    np.testing.assert_allclose(ratios[0], expected, rtol=1e-6)
    assert ratios.dtype == np.float32


def test_naive_bayes_ratios_of_three_classes_by_hand():
    texts = [[5], [], [], [], [], [], [], [5], [5]]
    labels = [0, 0, 0, 1, 1, 1, 1, 2, 2]
    kept, ratios = naive_bayes(texts, labels, classes=3, smoothing=1.0)
    assert kept.tolist() == [5]
    expected = [
        math.log(2 / 4) - math.log(3 / 7),
        math.log(1 / 5) - math.log(4 / 6),
        math.log(3 / 3) - math.log(2 / 8),
    ]
    np.testing.assert_allclose(ratios[0], [[0, 0, 0], expected], rtol=1e-6)


def test_the_ratios_of_a_fold_are_those_of_the_other_folds_texts():
    generator = np.random.default_rng(0)
    texts = [np.unique(generator.integers(0, 9, 4)).tolist() for _ in range(60)]
    labels = generator.integers(0, 3, 60)
    folds = generator.integers(1, 4, 60)
    kept, ratios = naive_bayes(texts, labels, 3, folds, folds=3)
    assert ratios.shape == (4, 1 + len(kept), 3)
    for fold in (1, 2, 3):
        others = np.flatnonzero(folds != fold)
        some_texts = [texts[row] for row in others]
        some_kept, some_ratios = naive_bayes(some_texts, labels[others], 3)
        assert some_kept.tolist() == kept.tolist()
        np.testing.assert_allclose(ratios[fold], some_ratios[0], rtol=1e-5)


def test_an_ngram_of_every_text_has_the_ratio_zero():
    _, ratios = naive_bayes([[3]] * 8, [0, 0, 0, 0, 1, 1, 1, 1])
    np.testing.assert_allclose(ratios[0], 0, atol=1e-7)


def test_the_most_frequent_ngrams_are_kept():
    texts = [[1, 2, 3, 4], [2, 3, 4], [2, 4], [2]]
    kept, ratios = naive_bayes(texts, [0, 0, 1, 1], max_ngrams=2)
    assert kept.tolist() == [2, 4]
    assert ratios.shape[1:] == (3, 2)
    kept, _ = naive_bayes(texts, [0, 0, 1, 1], min_count=2)
    assert kept.tolist() == [2, 3, 4]


def folds_of(assets):
    return np.load(assets / "folds.npy")


def test_the_folds_are_of_equal_size_and_drawn_by_the_seed(tmp_path):
    texts, labels = ["good", "bad"] * 30, [1, 0] * 30
    sections = {"ngrams": {"folds": 4}}
    found = folds_of(fitted(tmp_path / "one", texts, labels, **sections))
    assert np.bincount(found).tolist() == [0, 15, 15, 15, 15]
    again = folds_of(fitted(tmp_path / "again", texts, labels, **sections))
    np.testing.assert_array_equal(again, found)


def test_texts_of_one_group_are_in_one_fold(tmp_path):
    groups = np.array([f"title {row % 12}" for row in range(60)], object)
    split = Split(np.array(["good", "bad"] * 30, object), np.array([1, 0] * 30), groups)
    configuration = configured(ngrams={"folds": 3})
    fit_preprocessing(configuration, split, 2, tmp_path)
    found = folds_of(tmp_path)
    assert set(found) == {1, 2, 3}
    assert all(len(set(found[groups == group])) == 1 for group in set(groups))


@pytest.mark.parametrize("classes", [2, 3])
def test_texts_without_any_frequent_word_or_ngram_are_no_error(tmp_path, classes):
    texts = [f"word{row}" for row in range(6)]
    labels = [row % classes for row in range(6)]
    sections = {"text": {"min_count": 2}, "ngrams": {"min_count": 2}}
    assets = fitted(tmp_path, texts, labels, classes, **sections)
    assert len(vocabulary(assets)) == RESERVED
    assert np.load(assets / "word_vectors.npy").shape == (RESERVED, 4)
    assert np.load(assets / "ngram_ratios.npy").shape == (3, 1, classes)
    preprocessing = Preprocessing(configured(**sections), assets)
    features = preprocessing.features(preprocessing.tokens(tf.constant(["word1 a"])))
    assert features["tokens"].to_list() == [[UNKNOWN, UNKNOWN]]
    assert features["ngrams"].to_list() == [[]]
    assert not np.any(features["ngram_features"].to_list())


def test_ratios_of_labels_are_those_of_two_classes_each():
    ngrams = np.array([7, 8, 7, 9, 8, 9, 7, 8])
    rows = np.array([0, 0, 1, 1, 2, 3, 3, 3])
    labels = np.array([1, 1, 0, 0])
    folds = np.array([1, 2, 1, 2])
    config = configured().ngrams
    kept, of_classes = naive_bayes_ratios(ngrams, rows, labels, folds, 2, config)
    several = np.stack([labels == 1, labels == 0, labels >= 0], axis=1)
    same, of_labels = naive_bayes_ratios(ngrams, rows, several, folds, 3, config)
    np.testing.assert_array_equal(kept, same)
    np.testing.assert_array_equal(of_labels[..., 0], of_classes[..., 1])
    np.testing.assert_array_equal(of_labels[..., 1], of_classes[..., 0])
    # All four texts have the last label: (1 + 3) / (1 + 4) to 1 / 1 of the 7.
    assert of_labels[0, 1, 2] == pytest.approx(math.log(4 / 5))
