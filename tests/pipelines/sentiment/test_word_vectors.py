"""Word vectors from co-occurrences."""

import numpy as np
import pytest

from recurra.pipelines.sentiment.preprocessing import PADDING, UNKNOWN
from recurra.pipelines.sentiment.word_vectors import cooccurrence_vectors

FIRST = UNKNOWN + 1
CATS, CARS = [FIRST, FIRST + 1], [FIRST + 2, FIRST + 3]
NEAR_CATS = list(range(FIRST + 4, FIRST + 9))
NEAR_CARS = list(range(FIRST + 9, FIRST + 14))
VOCABULARY = FIRST + 14


def texts_of_two_subjects(number=600):
    """Texts that hold one animal or one vehicle among words of its subject."""
    generator = np.random.default_rng(0)
    texts = []
    for row in range(number):
        names, context = (CATS, NEAR_CATS) if row % 2 else (CARS, NEAR_CARS)
        text = generator.choice(context, 4).tolist()
        text.insert(generator.integers(5), int(generator.choice(names)))
        texts.append(text)
    return texts


def parts(texts, texts_in_part=None):
    """As `cooccurrence_vectors` takes them."""
    size = texts_in_part or max(1, len(texts))
    for begin in range(0, len(texts), size):
        some = texts[begin : begin + size]
        ids = np.array([word for text in some for word in text], np.int32)
        rows = np.repeat(np.arange(len(some)), [len(text) for text in some])
        yield ids, rows


def cosine(vectors, one, other):
    a, b = vectors[one], vectors[other]
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.fixture(scope="module")
def vectors():
    return cooccurrence_vectors(parts(texts_of_two_subjects()), VOCABULARY, 4, seed=0)


def test_words_of_the_same_contexts_are_near_each_other(vectors):
    same = [cosine(vectors, *CATS), cosine(vectors, *CARS)]
    across = [cosine(vectors, cat, car) for cat in CATS for car in CARS]
    assert min(same) > 0.8
    assert max(across) < 0.3


def test_the_same_texts_and_seed_give_the_same_vectors(vectors):
    again = cooccurrence_vectors(parts(texts_of_two_subjects()), VOCABULARY, 4, seed=0)
    np.testing.assert_array_equal(again, vectors)


def test_how_the_texts_come_in_parts_does_not_matter(vectors):
    rows = parts(texts_of_two_subjects(), texts_in_part=7)
    in_parts = cooccurrence_vectors(rows, VOCABULARY, 4, seed=0)
    np.testing.assert_allclose(in_parts, vectors, atol=1e-5)


def test_shape_type_and_padding(vectors):
    assert vectors.shape == (VOCABULARY, 4)
    assert vectors.dtype == np.float32
    assert not vectors[PADDING].any()


def test_words_of_different_texts_do_not_co_occur():
    # Words 0 and 1 always stand at the end of one text and the beginning of the next.
    near = [[FIRST, FIRST + 1]] * 50
    apart = [[FIRST], [FIRST + 1]] * 50
    together = cooccurrence_vectors(parts(near), FIRST + 2, 2, seed=0)
    never = cooccurrence_vectors(parts(apart), FIRST + 2, 2, seed=0)
    noise = cooccurrence_vectors(iter(()), FIRST + 2, 2, seed=0)
    np.testing.assert_array_equal(never, noise)
    assert not np.array_equal(together, noise)


def test_unknown_words_are_no_context():
    texts = [[FIRST, UNKNOWN, FIRST + 1, UNKNOWN]] * 20
    tight = [[FIRST, FIRST + 1]] * 20
    with_unknown = cooccurrence_vectors(parts(texts), FIRST + 2, 2, seed=0)
    without = cooccurrence_vectors(parts(tight), FIRST + 2, 2, seed=0)
    np.testing.assert_allclose(with_unknown, without, atol=1e-6)


@pytest.mark.parametrize("words", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 16])
def test_tiny_vocabularies(words, size):
    text = [FIRST + number for number in range(words)] * 2
    found = cooccurrence_vectors(parts([text] * 10), FIRST + words, size, seed=0)
    assert found.shape == (FIRST + words, size)
    assert np.isfinite(found).all()
    assert not found[PADDING].any()


@pytest.mark.parametrize(
    "texts",
    [[], [[]], [[FIRST]], [[FIRST], [FIRST + 1]], [[UNKNOWN, UNKNOWN]]],
    ids=["no texts", "an empty text", "one word", "texts of one word", "unknown"],
)
def test_without_any_co_occurrence_the_vectors_are_small_noise(texts):
    found = cooccurrence_vectors(parts(texts), FIRST + 3, 4, seed=0)
    assert np.isfinite(found).all()
    assert found[FIRST:].any(axis=1).all()
    assert np.abs(found).max() < 0.2
