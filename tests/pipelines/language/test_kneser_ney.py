"""Kneser-Ney against the equations, written again as loops over counts."""

import itertools
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf

from recurra.pipelines.language.kneser_ney import KneserNey, KneserNeyGraph

SIZE, ORDER = 7, 3


def _documents():
    generator = np.random.default_rng(0)
    # Some units are frequent, and the last one never occurs.
    chances = np.array([0.4, 0.25, 0.15, 0.12, 0.08])
    return [
        np.append(generator.choice(np.arange(1, 6), length, p=chances), 0)
        for length in (40, 1, 25, 30)
    ]


class Reference:
    """The probability of a unit after a context, by the equations."""

    def __init__(self, documents, size, order):
        self.size = size
        windows = [
            tuple(padded[end - length : end])
            for document in documents
            for padded in [[0] * (order - 1) + document.tolist()]
            for end in range(order, len(padded) + 1)
            for length in range(1, order + 1)
        ]
        occurrences = Counter(windows)
        self.counts = dict(occurrences)
        for window in occurrences:
            # Of one unit, a boundary is the end of a document.
            if len(window) < order and (window[0] != 0 or len(window) == 1):
                before = {w[0] for w in occurrences if w[1:] == window}
                self.counts[window] = len(before)
        self.discounts = {
            length: self._discounts(length) for length in range(1, order + 1)
        }

    def _discounts(self, length):
        counts = [c for window, c in self.counts.items() if len(window) == length]
        n = [max(1, counts.count(number)) for number in range(1, 5)]
        y = n[0] / (n[0] + 2 * n[1])
        free = [i + 1 - (i + 2) * y * n[i + 1] / n[i] for i in range(3)]
        return [
            0.0,
            *(
                min(max(d, 0.1), most)
                for d, most in zip(free, (0.9, 1.8, 2.7), strict=True)
            ),
        ]

    def probability(self, context, unit):
        discounts = self.discounts[len(context) + 1]
        following = {w: self.counts.get((*context, w), 0) for w in range(self.size)}
        total = sum(following.values())
        shorter = self.probability(context[1:], unit) if context else 1 / self.size
        if not total:
            return shorter
        left = sum(discounts[min(count, 3)] for count in following.values())
        count = following[unit]
        own = max(count - discounts[min(count, 3)], 0)
        return own / total + left / total * shorter


@pytest.fixture(scope="module")
def graph():
    return KneserNeyGraph(KneserNey.fit(_documents(), SIZE, ORDER))


def test_probabilities_are_those_of_the_equations(graph):
    reference = Reference(_documents(), SIZE, ORDER)
    contexts = list(itertools.product(range(SIZE), repeat=ORDER - 1))
    expected = [
        [reference.probability(context, unit) for unit in range(SIZE)]
        for context in contexts
    ]
    found = graph.distribution(tf.constant(contexts))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(found.numpy().sum(axis=1), 1.0, atol=1e-6)


def test_many_short_documents_do_not_make_an_end_likely_after_any_unit():
    # Each ends after one of two units, and no other unit stands so often.
    documents = [np.array([1 + number % 5, 4 + number % 2, 0]) for number in range(50)]
    graph = KneserNeyGraph(KneserNey.fit(documents, SIZE, ORDER))
    unseen = graph.distribution(tf.constant([[6, 6]])).numpy()[0]
    assert unseen[0] < unseen[[4, 5]].min()


def test_units_of_a_text_have_the_probability_after_those_before_them(graph):
    ids = np.array([[1, 2, 6, 1, 3, 0], [4, 4, 1, 2, 1, 5]], np.int32)
    context = np.array([[0, 0], [3, 1]], np.int32)
    found = graph.probabilities(tf.constant(context), tf.constant(ids)).numpy()
    every = np.concatenate([context, ids], axis=1)
    for place in range(ids.shape[1]):
        of_place = graph.distribution(tf.constant(every[:, place : place + 2]))
        expected = of_place.numpy()[np.arange(2), ids[:, place]]
        np.testing.assert_allclose(found[:, place], expected, rtol=1e-5)


def test_of_order_1_it_is_a_smoothed_unigram():
    graph = KneserNeyGraph(KneserNey.fit(_documents(), SIZE, 1))
    nothing = tf.zeros([1, 0], tf.int32)
    found = graph.distribution(nothing).numpy()[0]
    assert found.sum() == pytest.approx(1.0)
    ids = tf.constant([[1, 6]])
    np.testing.assert_allclose(graph.probabilities(nothing, ids)[0], found[[1, 6]])


def test_contexts_go_on_unit_by_unit():
    """At an order of which most long n-grams are there once or never."""
    generator = np.random.default_rng(0)
    documents = [generator.integers(0, 4, 60) for _ in range(3)]
    graph = KneserNeyGraph(KneserNey.fit(documents, 4, 6))
    context = np.zeros((5, 5), np.int32)
    endings = graph.endings(tf.constant(context))
    for unit in generator.integers(0, 4, (20, 5)).astype(np.int32):
        context = np.concatenate([context[:, 1:], unit[:, None]], axis=1)
        endings = graph.endings_with(endings, tf.constant(unit))
        np.testing.assert_array_equal(endings, graph.endings(tf.constant(context)))
        every = [
            graph.probabilities(tf.constant(context), tf.fill([5, 1], unit))[:, 0]
            for unit in range(4)
        ]
        found = graph.distribution_behind(endings)
        np.testing.assert_allclose(found, np.stack(every, 1), rtol=1e-5)
