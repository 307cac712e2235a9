"""Batches of pairs: of like lengths, each pair once, no larger than allowed."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_text")

from recurra.pipelines.data.ragged_store import RaggedStore  # noqa: E402
from recurra.pipelines.data.texts.sentence_pairs import (  # noqa: E402
    load_sentence_pairs,
)
from recurra.pipelines.sequence_to_sequence.batches import (  # noqa: E402
    BatchSize,
    EncodedPairs,
    PairDataModule,
    TrainingBatches,
)
from recurra.pipelines.sequence_to_sequence.subwords import (  # noqa: E402
    BOS,
    EOS,
    PADDING,
    UNKNOWN,
)


def training_batches(pairs, size, seed=0):
    return TrainingBatches(lambda epoch: pairs, size, seed)


def encoded(lengths):
    """Pairs of these lengths, EOS included, whose pieces tell which pair it is."""
    lengths = np.array(lengths, np.int64)
    rows = [
        [
            [4 + 2 * number + side] * (length - 1)
            for number, length in enumerate(lengths[:, side])
        ]
        for side in (0, 1)
    ]
    return pairs_of(*rows)


def pairs_of(source, target):
    pairs = EncodedPairs(RaggedStore(), RaggedStore())
    pairs.add(*(tf.ragged.constant(ids, dtype=tf.int32) for ids in (source, target)))
    return pairs


def random_lengths(number):
    generator = np.random.default_rng(0)
    target = generator.integers(2, 30, number)
    return np.stack([target + generator.integers(0, 6, number), target], 1)


def numbers_of(batch):
    return ((batch[0]["source"][:, 0].numpy() - 4) // 2).tolist()


def plain(batches):
    return [
        (features["source"].numpy().tolist(), target.numpy().tolist())
        for features, target, _ in batches
    ]


@pytest.mark.parametrize("number", [1, 7, 500])
def test_an_epoch_has_each_pair_once(number):
    training = training_batches(encoded(random_lengths(number)), BatchSize(300, 16))
    batches = training.of_epoch(0)
    assert batches.options().autotune.enabled is False
    seen = [each for batch in batches for each in numbers_of(batch)]
    assert sorted(seen) == list(range(number))


def test_no_batch_is_larger_than_allowed():
    lengths = [*random_lengths(300).tolist(), [400, 3], [3, 400]]
    training = training_batches(encoded(lengths), BatchSize(200, 16))
    sizes = []
    for features, target, _ in training.of_epoch(0):
        longest = max(features["source"].shape[1], target.shape[1])
        # A pair that is longer than a batch has one to itself.
        assert len(target) == 1 or longest * len(target) <= 200
        sizes.append(len(target))
    assert max(sizes) == 16
    assert sizes.count(1) >= 2


def test_what_a_batch_holds():
    lengths = random_lengths(40)
    for features, target, weights in training_batches(
        encoded(lengths), BatchSize(200, 8)
    ).of_epoch(3):
        rows = numbers_of((features, target, weights))
        source, target = features["source"].numpy(), target.numpy()
        assert [source.shape[1], target.shape[1]] == lengths[rows].max(0).tolist()
        for row, number in enumerate(rows):
            of_source, of_target = lengths[number]
            assert source[row].tolist() == (
                [4 + 2 * number] * (of_source - 1)
                + [EOS]
                + [PADDING] * (source.shape[1] - of_source)
            )
            said = [5 + 2 * number] * (of_target - 1)
            padding = [PADDING] * (target.shape[1] - of_target)
            assert target[row].tolist() == [*said, EOS, *padding]
            assert features["target_in"][row].numpy().tolist() == (
                [BOS, *said, *padding]
            )
        np.testing.assert_array_equal(weights, target != PADDING)


def test_unknown_pieces_have_no_weight():
    pairs = pairs_of([[4, 4]], [[UNKNOWN, 5]])
    (batch,) = training_batches(pairs, BatchSize(20, 2)).of_epoch(0)
    assert batch[2].numpy().tolist() == [[0, 1, 1]]


def test_epochs_differ_and_the_same_one_repeats():
    pairs = encoded(random_lengths(300))
    training, again, other = (
        training_batches(pairs, BatchSize(300, 8), seed) for seed in (5, 5, 6)
    )
    first = plain(training.of_epoch(0))
    assert first == plain(again.of_epoch(0))
    assert first != plain(training.of_epoch(1))
    assert first != plain(other.of_epoch(0))
    # Neither are the batches the same ones in another order.
    assert sorted(first) != sorted(plain(training.of_epoch(1)))


def test_sampling_cuts_training_anew_in_each_epoch_and_nothing_else(subwords):
    data = load_sentence_pairs("sample:120", source="en", target="de")

    def data_module(alpha):
        return PairDataModule(
            data, subwords, batch_tokens=2_000, batch_size=64, seed=0,
            sampling_alpha=alpha,
        )  # fmt: skip

    def pieces(batches):
        return sum(int(weights.numpy().sum()) for *_, weights in batches)

    def texts(batches):
        return sorted(
            text
            for _, target, _ in batches
            for text in subwords.target.decode(target).numpy()
        )

    sampled, best = data_module(0.1), data_module(None)
    assert plain(sampled.training_batches(1)) == plain(
        data_module(0.1).training_batches(1)
    )
    assert pieces(sampled.training_batches(0)) > 1.1 * pieces(best.training_batches(0))
    assert texts(sampled.training_batches(0)) == texts(best.training_batches(0))
    assert plain(sampled.validation_batches()) == plain(best.validation_batches())


def test_the_padded_fraction_is_that_of_the_batches_and_small():
    lengths = random_lengths(3_000)
    training = training_batches(encoded(lengths), BatchSize(2_000, 32))
    batches = list(training.of_epoch(0))
    positions = sum(
        int(tf.size(features["source"])) + int(tf.size(target))
        for features, target, _ in batches
    )
    fraction = training.padded_fraction()
    assert fraction == pytest.approx(1 - lengths.sum() / positions)
    assert fraction < 0.05
