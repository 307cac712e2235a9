"""Batches of texts: each row once, by length, in an order by the epoch."""

import math
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf

from recurra.pipelines.data.texts.labelled_texts import LabelledTexts, Split
from recurra.pipelines.sentiment.cli import describe
from recurra.pipelines.sentiment.config import SentimentConfig, SentimentDataConfig
from recurra.pipelines.sentiment.data import (
    EvaluationBatches,
    TextDataModule,
    TrainingBatches,
)
from recurra.pipelines.sentiment.preprocessing import (
    PADDING,
    Preprocessing,
    ngram_fingerprints,
    tokenize,
)

WORDS = [f"w{number}" for number in range(1000)]
MAX_TOKENS = 60
BATCH = 16


@pytest.fixture(scope="module")
def preprocessing(tmp_path_factory):
    assets = tmp_path_factory.mktemp("assets")
    lines = ["[PADDING]", "[UNKNOWN]", *WORDS]
    (assets / "vocabulary.txt").write_text("".join(f"{line}\n" for line in lines))
    configuration = SentimentConfig.model_validate(
        {
            "text": {"max_tokens": MAX_TOKENS},
            "wide": {"enabled": False},
            "model": {"ngram_features": False},
        }
    )
    return Preprocessing(configuration, assets)


def split_of(lengths, labels=None):
    """A text of each length; its first word is its row's number."""
    texts = [
        " ".join([WORDS[row], *["w0"] * (length - 1)])
        for row, length in enumerate(lengths)
    ]
    labels = [row % 2 for row in range(len(lengths))] if labels is None else labels
    return Split(np.array(texts, object), np.array(labels, np.int64))


def uneven_lengths(rows):
    return np.random.default_rng(1).geometric(0.08, rows).tolist()


def training_of(split, preprocessing, seed=0):
    """Batches without n-grams."""
    return TrainingBatches(split, preprocessing, None, None, BATCH, seed)


def rows_of(batches):
    """The number of each row in each batch, by its first word."""
    return [(features["tokens"].numpy()[:, 0] - 2).tolist() for features, _ in batches]


LENGTHS = {
    "uneven": uneven_lengths(317),
    "all of one length": [7] * 100,
    "all of one token": [1] * 40,
    "two lengths": [3] * 50 + [4] * 51,
    "boundaries at lengths": [length for length in range(1, 26) for _ in range(4)],
    "longer than is read": [5, 500, 1000, 60, 61, 59] * 10,
    "fewer rows than a batch": [4, 2, 9],
    "one row": [5],
}


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_an_epoch_has_every_row_once_and_as_many_batches_as_it_says(
    preprocessing, lengths
):
    split = split_of(lengths)
    epoch = training_of(split, preprocessing).of_epoch(0)
    batches = list(epoch)
    assert len(batches) == int(epoch.cardinality())
    assert epoch.options().autotune.enabled is False
    assert sorted(sum(rows_of(batches), [])) == list(range(len(lengths)))
    for features, labels in batches:
        tokens = features["tokens"].numpy()
        assert len(tokens) == len(labels) <= BATCH
        rows = tokens[:, 0] - 2
        np.testing.assert_array_equal(labels.numpy(), split.labels[rows])
        read = np.minimum(np.array(lengths)[rows], MAX_TOKENS)
        np.testing.assert_array_equal((tokens != PADDING).sum(axis=1), read)
        assert tokens.shape[1] == read.max()


def test_the_same_epoch_has_the_same_batches_and_another_has_others(preprocessing):
    split = split_of(uneven_lengths(200))
    one = training_of(split, preprocessing, seed=3)
    first = rows_of(one.of_epoch(0))
    other = rows_of(one.of_epoch(1))
    assert first != other
    assert sorted(sum(first, [])) == sorted(sum(other, []))
    # Also out of turn, as after a resume.
    again = training_of(split, preprocessing, seed=3)
    assert rows_of(again.of_epoch(1)) == other
    assert rows_of(again.of_epoch(0)) == first


def test_another_seed_gives_another_order(preprocessing):
    split = split_of(uneven_lengths(200))
    orders = [
        rows_of(training_of(split, preprocessing, seed).of_epoch(0)) for seed in (0, 1)
    ]
    assert orders[0] != orders[1]


def test_skipping_batches_gives_the_rest_of_the_epoch(preprocessing):
    training = training_of(split_of(uneven_lengths(200)), preprocessing)
    assert rows_of(training.of_epoch(2).skip(5)) == rows_of(training.of_epoch(2))[5:]


def test_the_rows_of_a_batch_change_from_epoch_to_epoch(preprocessing):
    training = training_of(split_of([5] * 200), preprocessing)
    one, other = (
        {frozenset(rows) for rows in rows_of(training.of_epoch(epoch))}
        for epoch in (0, 1)
    )
    assert not one & other


def test_the_padded_fraction_is_what_the_batches_hold(preprocessing):
    lengths = uneven_lengths(400)
    training = training_of(split_of(lengths), preprocessing)
    tokens = [features["tokens"].numpy() for features, _ in training.of_epoch(0)]
    padding = sum(int((batch == PADDING).sum()) for batch in tokens)
    expected = padding / sum(batch.size for batch in tokens)
    assert training.padded_fraction() == pytest.approx(expected)


def test_buckets_leave_little_padding_where_padding_to_the_longest_leaves_much(
    preprocessing,
):
    lengths = uneven_lengths(800)
    training = training_of(split_of(lengths), preprocessing)
    read = np.minimum(lengths, MAX_TOKENS)
    to_the_longest = 1 - read.sum() / (len(read) * read.max())
    assert to_the_longest > 0.7
    assert training.padded_fraction() < 0.1


def test_texts_of_one_length_have_no_padding(preprocessing):
    training = training_of(split_of([6] * 50), preprocessing)
    assert training.padded_fraction() == 0


def test_a_file_sorted_by_class_gives_mixed_batches(preprocessing):
    labels = [0] * 300 + [1] * 300
    training = training_of(split_of([8] * 600, labels), preprocessing)
    counts = [Counter(labels.numpy().tolist()) for _, labels in training.of_epoch(0)]
    assert sum(len(count) == 2 for count in counts) > 0.9 * len(counts)


@pytest.mark.parametrize("rows", [1, BATCH, 75])
def test_evaluation_gives_each_row_once_and_restores_the_order(preprocessing, rows):
    lengths = uneven_lengths(rows)
    evaluation = EvaluationBatches(split_of(lengths), preprocessing, None, BATCH)
    batches = list(evaluation.batches)
    assert len(batches) == int(evaluation.batches.cardinality())
    assert len(batches) == math.ceil(rows / BATCH)
    assert evaluation.batches.options().autotune.enabled is False
    seen = np.array(sum(rows_of(batches), []))
    np.testing.assert_array_equal(evaluation.in_split_order(seen), np.arange(rows))
    labels = np.concatenate([labels.numpy() for _, labels in batches])
    in_order = evaluation.in_split_order(labels)
    np.testing.assert_array_equal(in_order, np.arange(rows) % 2)


def test_evaluation_restores_the_order_of_vectors_too(preprocessing):
    evaluation = EvaluationBatches(split_of(uneven_lengths(20)), preprocessing, None, 4)
    rows = np.array(sum(rows_of(evaluation.batches), []))
    vectors = np.stack([rows, -rows], axis=1).astype(np.float32)
    restored = evaluation.in_split_order(vectors)
    np.testing.assert_array_equal(restored[:, 0], np.arange(20))
    np.testing.assert_array_equal(restored[:, 1], -np.arange(20))


def test_evaluation_knows_the_lengths_in_the_order_of_the_split(preprocessing):
    lengths = [3, 500, 1, 60, 2]
    evaluation = EvaluationBatches(split_of(lengths), preprocessing, None, 2)
    np.testing.assert_array_equal(evaluation.lengths(), [3, 60, 1, 60, 2])


def test_splits_of_unequal_size_are_kept_apart(preprocessing, tmp_path):
    data = LabelledTexts(
        spec="test",
        classes=("bad", "good"),
        splits={
            "train": split_of(uneven_lengths(90)),
            "validation": split_of([2, 30, 4]),
            "test": split_of([5]),
        },
        columns={},
        bad_rows=(),
        duplicates={},
    )
    data_module = TextDataModule(
        data, preprocessing, tmp_path, batch_size=BATCH, seed=0
    )
    assert sorted(sum(rows_of(data_module.training_batches(0)), [])) == list(range(90))
    assert sorted(sum(rows_of(data_module.validation_batches()), [])) == [0, 1, 2]
    assert data_module.evaluation("validation").lengths().tolist() == [2, 30, 4]
    assert data_module.evaluation("test").lengths().tolist() == [5]
    assert data_module.evaluation("train").lengths().shape == (90,)


@pytest.fixture(scope="module")
def with_ngrams(tmp_path_factory):
    """Preprocessing that knows the words "w0" to "w9" as n-grams 1 to 10."""
    assets = tmp_path_factory.mktemp("assets")
    (assets / "vocabulary.txt").write_text("[PADDING]\n[UNKNOWN]\n")
    fingerprints = ngram_fingerprints(tf.ragged.constant([WORDS[:10]]), 1)
    (assets / "ngrams.txt").write_text(
        "".join(f"{value}\n" for value in fingerprints.flat_values.numpy())
    )
    configuration = SentimentConfig.model_validate(
        {
            "ngrams": {"longest": 1},
            "wide": {"enabled": True},
            "model": {"ngram_features": True},
        }
    )
    return Preprocessing(configuration, assets)


# Of fold f, n-gram g and class c: the ratio 100 f + g + c / 10, and 0 of padding.
RATIOS = (
    100.0 * np.arange(4)[:, None, None] + np.arange(11)[:, None] + np.array([0.0, 0.1])
).astype(np.float32)
RATIOS[:, 0] = 0


def ngram_numbers(text):
    return [int(word[1:]) + 1 if len(word) == 2 else 0 for word in text.split()]


def texts_of_ngrams():
    generator = np.random.default_rng(0)
    words = [*WORDS[:10], "unknown"]
    texts = [" ".join(generator.choice(words, length)) for length in range(1, 41)]
    return Split(np.array(texts, object), np.arange(40) % 2)


def test_a_text_trains_on_the_ratios_counted_without_its_fold(with_ngrams):
    split = texts_of_ngrams()
    # The length identifies the text, and the text the fold; 0 where it was not counted.
    folds = np.arange(40) % 4
    training = TrainingBatches(split, with_ngrams, folds, RATIOS, 7, seed=0)
    seen = 0
    for features, _ in training.of_epoch(0):
        tokens, found = features["tokens"].numpy(), features["ngram_features"].numpy()
        assert found.shape == (*tokens.shape, 2)
        for row, length in enumerate((tokens != PADDING).sum(axis=1)):
            ids = ngram_numbers(split.texts[length - 1])
            expected = RATIOS[folds[length - 1], ids]
            np.testing.assert_allclose(found[row, :length], expected)
            assert not found[row, length:].any()
            known = features["ngrams"].numpy()[row]
            assert set(known[known > 0]) == set(ids) - {0}
            seen += 1
    assert seen == len(split)


def test_texts_are_evaluated_on_the_ratios_of_all_texts(with_ngrams):
    split = texts_of_ngrams()
    evaluation = EvaluationBatches(split, with_ngrams, RATIOS, 7)
    for features, _ in evaluation.batches:
        tokens, found = features["tokens"].numpy(), features["ngram_features"].numpy()
        for row, length in enumerate((tokens != PADDING).sum(axis=1)):
            ids = ngram_numbers(split.texts[length - 1])
            np.testing.assert_allclose(found[row, :length], RATIOS[0, ids])
            assert not found[row, length:].any()


@pytest.mark.parametrize(
    "text",
    [
        "The soup (no. 0) wasn't bad, not at all!",
        "ซุปไม่อร่อยเลยครับ 0",
        "味道很差。而且服务很慢",
        "co\u00adoperate &amp; <b>win</b> 3.5 e-mails",
    ],
)
def test_data_show_counts_the_tokens_that_the_model_is_given(tmp_path, text):
    rows = "".join(f'"{text}",{label}\n' for label in ("bad", "good") * 3)
    path = tmp_path / "a.csv"
    path.write_text(f"text,label\n{rows}", encoding="utf-8")
    described = describe(SentimentDataConfig(spec=str(path)))
    shown = described.values["splits"]["train"]["tokens"]["100"]
    assert shown == tokenize(tf.constant([text]), True).row_lengths()[0]
