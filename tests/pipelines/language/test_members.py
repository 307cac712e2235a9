"""Members together: probabilities, states, and weights."""

import numpy as np
import pytest
import tensorflow as tf

from recurra.pipelines.language.members import fit_weights, system_scores
from recurra.pipelines.language.scoring import Scorer

from .conftest import TEXT


@pytest.fixture(scope="module")
def document(units):
    (ids,) = units.encode_all([TEXT])
    return ids


def _advanced(members, state, ids):
    ids = tf.constant(ids, tf.int32)
    return members.advance(state, ids, tf.fill(tf.shape(ids), True))


def _begun(members, rows):
    return _advanced(members, members.begin(rows), np.zeros((rows, 1), int))[0]


def test_distributions_sum_to_one_and_hold_the_probabilities_of_units(
    members, document
):
    ids = document[None, :12]
    state = _begun(members, 1)
    _, before = _advanced(members, state, ids)
    each = members.distributions(state, before, tf.constant(ids)).numpy()
    np.testing.assert_allclose(each.sum(axis=-1), 1.0, atol=1e-5)
    found = members.log_probabilities(state, before, tf.constant(ids)).numpy()
    places = np.arange(ids.shape[1])
    expected = each[0, places, :, ids[0]]
    np.testing.assert_allclose(np.exp(found[0]), expected, rtol=1e-4, atol=1e-7)


def test_a_text_read_in_parts_is_one_read_at_once(members, document):
    at_once, before = _advanced(members, _begun(members, 1), document[None, :15])
    state, parts = _begun(members, 1), []
    for part in np.split(document[:15], [4, 5, 12]):
        expected = members.log_probabilities(
            state, *[_advanced(members, state, part[None])[1], tf.constant(part[None])]
        )
        state, _ = _advanced(members, state, part[None])
        parts.append(expected)
    for found, expected in zip(
        tf.nest.flatten(state), tf.nest.flatten(at_once), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    whole = members.log_probabilities(
        _begun(members, 1), before, tf.constant(document[None, :15])
    )
    np.testing.assert_allclose(tf.concat(parts, 1), whole, atol=1e-4)


def test_written_unit_by_unit_they_know_what_they_know_of_a_text(members, document):
    """Also once the ring of the cache has gone round."""
    ids = np.stack([document[:9], document[3:12]]).astype(np.int32)
    written = members.begin_writing(_advanced(members, _begun(members, 2), ids)[0])
    places = np.arange(2 * members.cache_size + 1) % len(document)
    for unit in np.stack([document[places], document[places[::-1]]], 1):
        ids = np.concatenate([ids, unit[:, None]], axis=1)
        written = members.write(written, tf.constant(unit, tf.int32))
        state, _ = _advanced(members, _begun(members, 2), ids)
        ended = members.end_writing(written)
        for found, expected in zip(
            tf.nest.flatten(ended), tf.nest.flatten(state), strict=True
        ):
            np.testing.assert_allclose(found, expected, atol=1e-5)
        placeholder = tf.zeros([2, 1], tf.int32)
        each = members.distributions(state, state.output[:, None], placeholder)
        mixed = np.einsum("nmv,m->nv", each[:, 0], members.weights[0])
        np.testing.assert_allclose(members.following(written), mixed, atol=1e-6)
        np.testing.assert_allclose(members.next(state), mixed, atol=1e-6)


def test_padding_changes_no_state(members, document):
    ids = np.stack([document[:9], document[3:12]])
    is_real = np.arange(9)[None] < np.array([[9], [4]])
    found, _ = members.advance(
        _begun(members, 2), tf.constant(ids), tf.constant(is_real)
    )
    alone, _ = _advanced(members, _begun(members, 1), document[None, 3:7])
    for both, one in zip(tf.nest.flatten(found), tf.nest.flatten(alone), strict=True):
        np.testing.assert_allclose(both[1:], one, atol=1e-5)


def test_scores_are_in_order_whatever_is_read_side_by_side(
    members, document, monkeypatch
):
    from recurra.pipelines.language import scoring

    documents = [document, document[5:11], document[2:4], document[:1]]
    scores = Scorer(members).score(documents, ranked=1000)
    begin = 0
    for each in documents:
        state = _begun(members, 1)
        _, before = _advanced(members, state, each[None])
        expected = members.log_probabilities(state, before, tf.constant(each[None]))
        found = scores.log_probabilities[begin : begin + len(each)]
        np.testing.assert_allclose(found, expected[0], atol=1e-4)
        begin += len(each)
    assert len(scores.ranked) == begin
    # A part that begins with all units of late is as if it was read from the beginning.
    monkeypatch.setattr(scoring, "_PART", 7)
    monkeypatch.setattr(scoring, "_BLOCK", 4)
    parted = Scorer(members).score(documents)
    np.testing.assert_allclose(
        parted.log_probabilities, scores.log_probabilities, atol=1e-4
    )


def test_ranks_count_the_likelier_units(members, document):
    scores = Scorer(members).score([document], ranked=1000)
    state = _begun(members, 1)
    _, before = _advanced(members, state, document[None])
    each = members.distributions(state, before, tf.constant(document[None])).numpy()
    mixed = np.einsum("tmv,m->tv", each[0], members.weights.numpy()[0])
    own = mixed[np.arange(len(document)), document]
    expected = (mixed > own[:, None]).sum(axis=1)
    # Of probabilities that are equal but for rounding either may come first.
    assert np.mean(scores.ranks[:, 0] == expected) > 0.9


def test_weights_are_those_of_the_source():
    generator = np.random.default_rng(0)
    members = generator.dirichlet(np.ones(4), 2)
    drawn = generator.random(20_000) < 0.7
    units = np.where(
        drawn,
        generator.choice(4, 20_000, p=members[0]),
        generator.choice(4, 20_000, p=members[1]),
    )
    weights = fit_weights(np.log(members[:, units].T))
    assert weights.sum() == pytest.approx(1)
    assert weights[0] == pytest.approx(0.7, abs=0.05)


def test_of_members_that_are_alike_the_better_one_has_the_weight():
    generator = np.random.default_rng(0)
    best = np.log(generator.uniform(0.1, 1, 500))
    worse = best - generator.uniform(0, 0.02, 500)
    far = best - generator.uniform(5, 80, 500)
    weights = fit_weights(np.stack([worse, best, far], 1))
    np.testing.assert_allclose(weights, [0, 1, 0], atol=0.01)


def test_systems_are_means_of_members():
    likelihoods = np.array([[0.2, 0.4], [0.5, 1e-30]])
    weights = np.array([[0.5, 0.5], [0, 1]])
    found = system_scores(np.log(likelihoods), weights)
    np.testing.assert_allclose(np.exp(found), [[0.3, 0.4], [0.25, 1e-30]], rtol=1e-6)
