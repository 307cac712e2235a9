"""The search: against enumeration of all translations of a toy model."""

import itertools
from collections import Counter

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_text")

from recurra.pipelines.sequence_to_sequence import decoding  # noqa: E402
from recurra.pipelines.sequence_to_sequence.decoding import (  # noqa: E402
    Draws,
    Penalties,
    Search,
    beam_search,
    sample,
)
from recurra.pipelines.sequence_to_sequence.subwords import BOS, EOS, PADDING  # noqa: E402

VOCABULARY, POSITIONS = 7, 4
PIECES = range(EOS + 1, VOCABULARY)
NEVER = -1e9


class Toy:
    """The next piece depends on the sentence, the piece before and how many there are.

    Its state counts the pieces; it looks at the source by a table too.
    """

    def __init__(self, seed=0, sharpness=1.5, vocabulary=VOCABULARY):
        generator = np.random.default_rng(seed)
        logits = generator.normal(size=(9, 12, vocabulary, vocabulary)) * sharpness
        logits[..., :EOS] = NEVER
        self.logits = logits.astype("float32")
        self.weights = generator.dirichlet(
            np.ones(POSITIONS), size=(12, vocabulary)
        ).astype("float32")

    def begin(self, source):
        return source[:, 0], tf.zeros([tf.shape(source)[0], 2], tf.int32)

    def step(self, memory, states, ids):
        hypotheses = tf.shape(ids)[0] // tf.shape(memory)[0]
        sentences = tf.repeat(memory, hypotheses)
        time = states[:, 0]
        scores = tf.gather_nd(self.logits, tf.stack([sentences, time, ids], 1))
        # Any number may be added to a row.
        return scores + 3.0, tf.stack([time + 1, ids], 1)

    def attention(self, memory, states):
        return tf.gather_nd(self.weights, tf.stack([states[:, 0] - 1, states[:, 1]], 1))

    def log_probability(self, sentence, ids):
        total, before = 0.0, BOS
        for time, piece in enumerate(ids):
            row = self.logits[sentence, time, before].astype("float64")
            total += row[piece] - np.log(np.exp(row).sum())
            before = piece
        return total

    def attended(self, ids):
        """By [number of pieces before, piece before]: what the positions got."""
        before = [BOS, *ids[:-1]]
        return sum(self.weights[time, piece] for time, piece in enumerate(before))


def sources(sentences):
    rows = np.full((len(sentences), POSITIONS), EOS, np.int32)
    rows[:, 0] = sentences
    return tf.constant(rows)


def enumerated(toy, sentence, limit, length=0.0, coverage=0.0):
    """All translations with their scores and log-probabilities, the best first."""
    found = []
    for pieces in range(limit + 1):
        for ids in itertools.product(PIECES, repeat=pieces):
            ids = (*ids, EOS)
            log_probability = toy.log_probability(sentence, ids)
            score = log_probability / ((5 + len(ids)) / 6) ** length
            if coverage:
                attended = np.minimum(toy.attended(ids), 1.0)
                score += coverage * np.log(attended).sum()
            found.append((score, log_probability, ids))
    return sorted(found, reverse=True)


def hypothesis(ids):
    """Without the beginning and what is behind the end."""
    assert ids[0] == BOS
    ids = ids[1:].tolist()
    end = ids.index(EOS) + 1
    assert all(each == PADDING for each in ids[end:])
    return tuple(ids[:end])


@pytest.mark.parametrize(
    "length, coverage", [(0.0, 0.0), (1.0, 0.0), (0.6, 0.4), (2.0, 0.0)]
)
def test_a_beam_wide_enough_finds_what_enumeration_finds(length, coverage):
    toy, limits = Toy(), [3, 2, 0, 3]
    search = Search(70, 70, Penalties(length, coverage))
    found = beam_search(toy, sources([4, 5, 6, 7]), tf.constant(limits), search)
    for row, (sentence, limit) in enumerate(zip([4, 5, 6, 7], limits, strict=True)):
        expected = enumerated(toy, sentence, limit, length, coverage)[:70]
        got = [hypothesis(ids) for ids in found.ids[row, : len(expected)].numpy()]
        assert got == [ids for _, _, ids in expected]
        np.testing.assert_allclose(
            found.scores[row, : len(expected)], [each[0] for each in expected], 1e-4
        )
        np.testing.assert_allclose(
            found.log_probabilities[row, : len(expected)],
            [each[1] for each in expected],
            1e-4,
        )
        assert (found.scores[row, len(expected) :].numpy() < NEVER / 2).all()


@pytest.mark.parametrize("length, coverage", [(0.0, 0.0), (1.0, 0.3)])
def test_stopping_early_finds_the_same_best(length, coverage):
    toy, penalties = Toy(3), Penalties(length, coverage)
    source, limits = sources([4, 5, 6, 7, 8]), tf.constant([3, 3, 3, 3, 3])
    every = beam_search(toy, source, limits, Search(70, 70, penalties))
    one = beam_search(toy, source, limits, Search(70, 1, penalties))
    np.testing.assert_allclose(one.scores[:, 0], every.scores[:, 0], 1e-5)


@pytest.mark.parametrize("vocabulary", [160, 167])
def test_pieces_of_a_large_vocabulary(vocabulary, monkeypatch):
    toy, search = Toy(4, vocabulary=vocabulary), Search(4, 4, Penalties(1.0))
    source, limits = sources([4, 5, 6, 7, 8]), tf.constant([8, 9, 2, 0, 9])
    found = beam_search(toy, source, limits, search)
    # Looks through all pieces at once.
    monkeypatch.setattr(decoding, "_BLOCK", vocabulary)
    plainly = beam_search(toy, source, limits, search)
    np.testing.assert_array_equal(found.ids, plainly.ids)
    np.testing.assert_array_equal(found.scores, plainly.scores)


@pytest.mark.parametrize("penalties", [Penalties(), Penalties(1.0, 0.5)])
def test_greedy_is_a_beam_of_one(penalties):
    toy, search = Toy(1), Search(1, 1, penalties)
    source, limits = sources([4, 5, 6, 7, 8]), tf.constant([8, 8, 2, 0, 8])
    greedy = sample(toy, source, limits, search)
    beam = beam_search(toy, source, limits, search)
    for row in range(5):
        assert hypothesis(greedy.ids[row, 0].numpy()) == hypothesis(
            beam.ids[row, 0].numpy()
        )
    np.testing.assert_allclose(greedy.scores, beam.scores, 1e-5)
    np.testing.assert_allclose(greedy.log_probabilities, beam.log_probabilities, 1e-5)


@pytest.mark.parametrize("beams", [1, 3])
def test_no_sentence_depends_on_the_others(beams):
    toy, search = Toy(2), Search(beams, 1, Penalties(1.0, 0.2))
    sentences, limits = [4, 5, 6, 7, 8], [6, 3, 9, 0, 7]
    find = beam_search if beams > 1 else sample
    together = find(toy, sources(sentences), tf.constant(limits), search)
    for row, (sentence, limit) in enumerate(zip(sentences, limits, strict=True)):
        alone = find(toy, sources([sentence]), tf.constant([limit]), search)
        assert hypothesis(alone.ids[0, 0].numpy()) == hypothesis(
            together.ids[row, 0].numpy()
        )
        np.testing.assert_allclose(alone.scores[0], together.scores[row], 1e-5)


@pytest.mark.parametrize("beams", [1, 4])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_ngram_stands_twice(beams, size):
    class Repetitive(Toy):
        """Says the same piece again and again, and hardly ever ends."""

        def step(self, memory, states, ids):
            scores, states = super().step(memory, states, ids)
            scores += tf.one_hot(ids, VOCABULARY) * 8.0
            return scores - tf.one_hot(EOS, VOCABULARY) * 30.0, states

    find = beam_search if beams > 1 else sample
    arguments = sources([4, 5, 6]), tf.constant([7, 7, 7])
    free = find(Repetitive(), *arguments, Search(beams, penalties=Penalties(2.0)))
    blocked = find(
        Repetitive(), *arguments, Search(beams, 1, Penalties(2.0), no_repeat_ngram=size)
    )

    def most(ids):
        ids = hypothesis(ids.numpy())[:-1]
        windows = zip(*(ids[shift:] for shift in range(size)), strict=False)
        return max(Counter(windows).values(), default=0)

    assert max(most(ids) for ids in free.ids[:, 0]) > 1
    assert all(most(ids) <= 1 for row in blocked.ids for ids in row[:1])


def test_pieces_are_drawn_as_likely_as_they_are():
    toy, number = Toy(5, sharpness=1.0), 20_000
    source, limits = sources([4] * number), tf.constant([0] * number)
    free = tf.fill([number], 1)
    found = sample(
        toy, source, free, Search(), Draws(tf.constant(1.0), tf.constant([1, 2]))
    )
    first = found.ids[:, 0, 1].numpy()
    row = toy.logits[4, 0, BOS].astype("float64")
    expected = np.exp(row) / np.exp(row).sum()
    shares = np.bincount(first, minlength=VOCABULARY) / number
    np.testing.assert_allclose(shares, expected, atol=4 * np.sqrt(0.25 / number))
    cold = sample(
        toy,
        source[:50],
        free[:50],
        Search(),
        Draws(tf.constant(1e-3), tf.constant([1, 2])),
    )
    greedy = sample(toy, source[:50], free[:50], Search())
    np.testing.assert_array_equal(cold.ids, greedy.ids)
    at_limit = sample(
        toy,
        source[:5],
        limits[:5],
        Search(),
        Draws(tf.constant(1.0), tf.constant([1, 2])),
    )
    assert (at_limit.ids[:, 0, 1].numpy() == EOS).all()


def padded(terms, width=2, never_next=()):
    """Of each sentence its terms."""
    most = max(map(len, terms))
    rows = [[*row, *[()] * (most - len(row))] for row in terms]
    pieces = [
        [[*term, *[PADDING] * (width - len(term))] for term in row] for row in rows
    ]
    refused = np.isin(np.arange(VOCABULARY), never_next)
    return decoding.Terms(tf.constant(pieces, tf.int32), tf.constant(refused))


def has(ids, terms):
    return all(
        any(ids[at : at + len(term)] == term for at in range(len(ids)))
        for term in terms
    )


@pytest.mark.parametrize("length, coverage", [(0.0, 0.0), (1.0, 0.0), (0.6, 0.4)])
def test_a_wide_beam_with_terms_finds_what_enumeration_finds(length, coverage):
    toy, limits = Toy(), [3, 3, 2, 3]
    terms = [[(4,), (6,)], [(5, 6)], [(6, 4)], []]
    search = Search(300, 300, Penalties(length, coverage))
    found = beam_search(
        toy, sources([4, 5, 6, 7]), tf.constant(limits), search, padded(terms)
    )
    for row, (sentence, limit) in enumerate(zip([4, 5, 6, 7], limits, strict=True)):
        every = enumerated(toy, sentence, limit, length, coverage)
        expected = [each for each in every if has(each[2], terms[row])]
        number = len(expected)
        assert number < len(every) or not terms[row]
        got = {hypothesis(ids) for ids in found.ids[row, :number].numpy()}
        assert hypothesis(found.ids[row, 0].numpy()) == expected[0][2]
        assert len(got & {each[2] for each in expected}) == number
        np.testing.assert_allclose(
            found.scores[row, :number], [each[0] for each in expected], 1e-4
        )


@pytest.mark.parametrize("beams", [1, 2, 5, 10])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("no_repeat_ngram", [0, 1])
def test_terms_stand_in_every_output_of_a_narrow_beam(beams, seed, no_repeat_ngram):
    generator = np.random.default_rng(seed)
    toy, number = Toy(seed), 5
    terms = [
        [
            tuple(generator.choice(PIECES, size=generator.integers(1, 4)))
            for _ in range(generator.integers(0, 4))
        ]
        for _ in range(number)
    ]
    needed = [sum(map(len, of_row)) for of_row in terms]
    # The second row has room for its terms alone.
    limits = [
        min(need + free, 10) for need, free in zip(needed, [2, 0, 1, 2, 2], strict=True)
    ]
    search = Search(beams, 1, Penalties(1.0), no_repeat_ngram)
    found = beam_search(
        toy, sources(range(4, 9)), tf.constant(limits), search, padded(terms, 3)
    )
    for row in range(number):
        ids = hypothesis(found.ids[row, 0].numpy())
        assert has(ids, terms[row])
        assert len(ids) - 1 <= limits[row]
        np.testing.assert_allclose(
            found.log_probabilities[row, 0], toy.log_probability(4 + row, ids), 1e-4
        )


def test_some_pieces_cannot_follow_a_term():
    toy, terms = Toy(5), [[(4, 5)], [(5,), (4, 4)]]
    given = padded(terms, never_next=[6])
    search = Search(300, 300)
    found = beam_search(toy, sources([4, 5]), tf.constant([4, 4]), search, given)
    for row, of_row in enumerate(terms):
        expected = [
            ids
            for _, _, ids in enumerated(toy, 4 + row, 4)
            if has(ids, of_row) and not follows(6, ids, of_row)
        ]
        assert hypothesis(found.ids[row, 0].numpy()) == expected[0]
        got = {hypothesis(ids) for ids in found.ids[row, : len(expected)].numpy()}
        assert got == set(expected)


def test_a_term_goes_on_behind_one_that_is_its_beginning():
    terms = [(4, 5, 6), (4, 5)]
    given = padded([terms], 3, never_next=[4, 5, 6])
    found = beam_search(Toy(), sources([4]), tf.constant([5]), Search(4), given)
    assert has(hypothesis(found.ids[0, 0].numpy()), terms)


def follows(piece, ids, terms):
    """Whether the piece stands behind the first place of a term."""
    ends = [
        next(at for at in range(len(ids)) if ids[at : at + len(term)] == term)
        + len(term)
        for term in terms
    ]
    return any(ids[end] == piece for end in ends)


def test_without_terms_a_search_is_as_it_is():
    toy, search = Toy(2), Search(4, 4, Penalties(0.6, 0.4))
    source, limits = sources([4, 5, 6]), tf.constant([3, 5, 0])
    plain = beam_search(toy, source, limits, search)
    found = beam_search(toy, source, limits, search, padded([[(4,)], [], []]))
    for one, other in zip(plain, found, strict=True):
        one, other = one[1:].numpy(), other[1:].numpy()
        if one.ndim == 3:
            size = min(one.shape[-1], other.shape[-1])
            one, other = one[..., :size], other[..., :size]
        np.testing.assert_allclose(one, other, 1e-5)
