"""Batches of texts: each row once, by length, in an order that the epoch says."""

import math
from collections import Counter

import numpy as np
import pytest

from recurra.pipelines.datasets.labelled_texts import LabelledTexts, Split
from recurra.pipelines.sentiment.batches import (
    EvaluationBatches,
    PreparedTexts,
    TrainingBatches,
)
from recurra.pipelines.sentiment.config import SentimentConfiguration
from recurra.pipelines.sentiment.preprocessing import PADDING, Preprocessing

WORDS = [f"w{number}" for number in range(1000)]
MAX_TOKENS = 60
BATCH = 16


@pytest.fixture(scope="module")
def preprocessing(tmp_path_factory):
    assets = tmp_path_factory.mktemp("assets")
    lines = ["[PADDING]", "[UNKNOWN]", *WORDS]
    (assets / "vocabulary.txt").write_text("".join(f"{line}\n" for line in lines))
    configuration = SentimentConfiguration.model_validate(
        {"text": {"max_tokens": MAX_TOKENS}, "wide": {"enabled": False}}
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


def rows_of(batches):
    """The number of each row in each batch, by its first word."""
    return [
        (features["tokens"].numpy()[:, 0] - 2).tolist() for features, _ in batches
    ]


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
    epoch = TrainingBatches(split, preprocessing, BATCH, seed=0).of_epoch(0)
    batches = list(epoch)
    assert len(batches) == int(epoch.cardinality())
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
    one = TrainingBatches(split, preprocessing, BATCH, seed=3)
    first = rows_of(one.of_epoch(0))
    other = rows_of(one.of_epoch(1))
    assert first != other
    assert sorted(sum(first, [])) == sorted(sum(other, []))
    # Also out of turn, as after a resume.
    again = TrainingBatches(split, preprocessing, BATCH, seed=3)
    assert rows_of(again.of_epoch(1)) == other
    assert rows_of(again.of_epoch(0)) == first


def test_another_seed_gives_another_order(preprocessing):
    split = split_of(uneven_lengths(200))
    orders = [
        rows_of(TrainingBatches(split, preprocessing, BATCH, seed).of_epoch(0))
        for seed in (0, 1)
    ]
    assert orders[0] != orders[1]


def test_skipping_batches_gives_the_rest_of_the_epoch(preprocessing):
    training = TrainingBatches(
        split_of(uneven_lengths(200)), preprocessing, BATCH, seed=0
    )
    assert rows_of(training.of_epoch(2).skip(5)) == rows_of(training.of_epoch(2))[5:]


def test_the_rows_of_a_batch_change_from_epoch_to_epoch(preprocessing):
    training = TrainingBatches(split_of([5] * 200), preprocessing, BATCH, seed=0)
    one, other = (
        {frozenset(rows) for rows in rows_of(training.of_epoch(epoch))}
        for epoch in (0, 1)
    )
    assert not one & other


def test_the_padded_share_is_what_the_batches_hold(preprocessing):
    lengths = uneven_lengths(400)
    training = TrainingBatches(split_of(lengths), preprocessing, BATCH, seed=0)
    tokens = [features["tokens"].numpy() for features, _ in training.of_epoch(0)]
    padding = sum(int((batch == PADDING).sum()) for batch in tokens)
    share = padding / sum(batch.size for batch in tokens)
    assert training.padded_share() == pytest.approx(share)


def test_buckets_leave_little_padding_where_padding_to_the_longest_leaves_much(
    preprocessing,
):
    lengths = uneven_lengths(800)
    training = TrainingBatches(split_of(lengths), preprocessing, BATCH, seed=0)
    read = np.minimum(lengths, MAX_TOKENS)
    to_the_longest = 1 - read.sum() / (len(read) * read.max())
    assert to_the_longest > 0.7
    assert training.padded_share() < 0.1


def test_texts_of_one_length_have_no_padding(preprocessing):
    training = TrainingBatches(split_of([6] * 50), preprocessing, BATCH, seed=0)
    assert training.padded_share() == 0


def test_a_file_sorted_by_class_gives_mixed_batches(preprocessing):
    labels = [0] * 300 + [1] * 300
    training = TrainingBatches(split_of([8] * 600, labels), preprocessing, BATCH, 0)
    counts = [Counter(labels.numpy().tolist()) for _, labels in training.of_epoch(0)]
    assert sum(len(count) == 2 for count in counts) > 0.9 * len(counts)


@pytest.mark.parametrize("rows", [1, BATCH, 75])
def test_evaluation_gives_each_row_once_and_restores_the_order(preprocessing, rows):
    lengths = uneven_lengths(rows)
    evaluation = EvaluationBatches(split_of(lengths), preprocessing, BATCH)
    batches = list(evaluation.batches)
    assert len(batches) == int(evaluation.batches.cardinality())
    assert len(batches) == math.ceil(rows / BATCH)
    seen = np.array(sum(rows_of(batches), []))
    np.testing.assert_array_equal(evaluation.in_split_order(seen), np.arange(rows))
    labels = np.concatenate([labels.numpy() for _, labels in batches])
    in_order = evaluation.in_split_order(labels)
    np.testing.assert_array_equal(in_order, np.arange(rows) % 2)


def test_evaluation_restores_the_order_of_vectors_too(preprocessing):
    evaluation = EvaluationBatches(split_of(uneven_lengths(20)), preprocessing, 4)
    rows = np.array(sum(rows_of(evaluation.batches), []))
    vectors = np.stack([rows, -rows], axis=1).astype(np.float32)
    restored = evaluation.in_split_order(vectors)
    np.testing.assert_array_equal(restored[:, 0], np.arange(20))
    np.testing.assert_array_equal(restored[:, 1], -np.arange(20))


def test_evaluation_knows_the_lengths_in_the_order_of_the_split(preprocessing):
    lengths = [3, 500, 1, 60, 2]
    evaluation = EvaluationBatches(split_of(lengths), preprocessing, 2)
    np.testing.assert_array_equal(evaluation.lengths(), [3, 60, 1, 60, 2])


def test_splits_of_unequal_size_are_kept_apart(preprocessing):
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
    prepared = PreparedTexts(data, preprocessing, batch_size=BATCH, seed=0)
    assert sorted(sum(rows_of(prepared.training_batches(0)), [])) == list(range(90))
    assert sorted(sum(rows_of(prepared.validation_batches()), [])) == [0, 1, 2]
    assert prepared.evaluation("validation").lengths().tolist() == [2, 30, 4]
    assert prepared.evaluation("test").lengths().tolist() == [5]
    assert prepared.evaluation("train").lengths().shape == (90,)
