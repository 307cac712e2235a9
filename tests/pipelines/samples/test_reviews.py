"""The embedded sample: deterministic, balanced, disjoint, and beyond word counting."""

import re
from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.samples.review_lexicon import (
    ADJECTIVES,
    DOMAINS,
    EFFECTS,
    OPINION_VERBS,
    QUALITIES,
    VERDICTS,
    past,
)
from recurra.pipelines.samples.reviews import (
    SampleReviews,
    is_held_out,
    sample_reviews,
)


@pytest.fixture(scope="module")
def sample() -> SampleReviews:
    return sample_reviews()


def words(text: str) -> list[str]:
    return re.findall(r"[a-z'-]+", text.lower())


def test_same_seed_same_texts() -> None:
    first, second, other = (sample_reviews(300, seed) for seed in (3, 3, 4))
    for split, (texts, labels) in first.splits.items():
        assert second.splits[split][0] == texts
        np.testing.assert_array_equal(second.splits[split][1], labels)
        assert other.splits[split][0] != texts


def test_sizes_and_balance(sample: SampleReviews) -> None:
    assert sample.classes == ("negative", "positive")
    sizes = {split: len(texts) for split, (texts, _) in sample.splits.items()}
    assert sizes == {"train": 4_800, "validation": 600, "test": 600}
    for _, labels in sample.splits.values():
        assert labels.dtype == np.int64
        assert labels.mean() == 0.5


def test_no_text_twice(sample: SampleReviews) -> None:
    texts = [text.casefold() for texts, _ in sample.splits.values() for text in texts]
    assert len(set(texts)) == len(texts) == 6_000


def test_texts_are_short_and_well_formed(sample: SampleReviews) -> None:
    for texts, _ in sample.splits.values():
        lengths = [len(text.split()) for text in texts]
        assert 11 <= np.median(lengths) <= 22
        assert max(lengths) <= 60
        for text in texts:
            assert re.fullmatch(r"[A-Z][A-Za-z0-9,;'. -]*\.", text), text
            assert not re.search(r"  | [.,;]|\b[Aa] [aeio]|\b[Aa]n [^aeiouh]", text), (
                text
            )


def test_held_out_splits_have_known_words_in_new_pairs(sample: SampleReviews) -> None:
    counts = Counter(word for text in sample.splits["train"][0] for word in words(text))
    for split in ("validation", "test"):
        seen = {word for text in sample.splits[split][0] for word in words(text)}
        # Rare words may stand in one text alone.
        assert len(seen - counts.keys()) <= 2
    nouns = {aspect.noun for domain in DOMAINS for aspect in domain.aspects}
    plain = re.compile(rf"\bthe ({'|'.join(nouns)}) (?:was|is|were|are) ([a-z-]+)[.,;]")
    held_out = {
        split: sum(
            is_held_out(noun, adjective)
            for text in texts
            for noun, adjective in plain.findall(text.lower())
        )
        for split, (texts, _) in sample.splits.items()
    }
    assert held_out["train"] == 0
    assert held_out["validation"] > 100
    assert held_out["test"] > 100


def test_words_have_one_sign() -> None:
    signs: dict[bool, set[str]] = {True: set(), False: set()}
    for sign, known in signs.items():
        for words_by_sign in (*ADJECTIVES.values(), OPINION_VERBS, EFFECTS):
            known.update(words_by_sign[sign])
        known.update(VERDICTS[sign] + QUALITIES[sign])
    assert not signs[True] & signs[False]
    assert len(signs[True] | signs[False]) > 250


def test_past_of_verbs() -> None:
    verbs = ["annoy", "satisfy", "regret", "appal", "love", "resent"]
    expected = ["annoyed", "satisfied", "regretted", "appalled", "loved", "resented"]
    assert list(map(past, verbs)) == expected


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?:never|hardly|not exactly|anything but|far from) ([a-z-]+)",
        r"(?:not|never|hardly) an? ([a-z-]+) [a-z]+(?: in it)?",
        r"(?:not a single|not one) ([a-z-]+) [a-z]+(?: in it)?",
    ],
)
def test_litotes_turn_a_word_over(sample: SampleReviews, pattern: str) -> None:
    signs = {
        adjective: sign
        for by_sign in ADJECTIVES.values()
        for sign, adjectives in by_sign.items()
        for adjective in adjectives
    }
    remarks = {remark for domain in DOMAINS for remark in domain.remarks}
    labels: dict[bool, list[int]] = {True: [], False: []}
    for text, label in zip(*sample.splits["train"], strict=True):
        said = [part for part in text[:-1].split(". ") if part not in remarks]
        found = len(said) == 1 and re.fullmatch(pattern, said[0], re.IGNORECASE)
        if found and found[1] in signs:
            labels[signs[found[1]]].append(int(label))
    assert len(labels[True]) > 3
    assert len(labels[False]) > 3
    assert set(labels[True]) == {0}
    assert set(labels[False]) == {1}


@pytest.mark.parametrize(
    "phrase", ["not", "never", "hardly", "but", "nothing", "expected"]
)
def test_function_words_do_not_give_the_label_away(
    sample: SampleReviews, phrase: str
) -> None:
    texts, labels = sample.splits["train"]
    has = np.array([phrase in words(text) for text in texts])
    assert has.sum() > 80
    assert abs(labels[has].mean() - 0.5) < 0.15


def test_counting_words_is_not_enough(sample: SampleReviews) -> None:
    texts, labels = sample.splits["train"]
    test_texts, test_labels = sample.splits["test"]
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    model = LogisticRegression(C=10, max_iter=1000)
    model.fit(vectorizer.fit_transform(texts), labels)
    accuracy = model.score(vectorizer.transform(test_texts), test_labels)
    assert 0.65 < accuracy < 0.85


@pytest.mark.parametrize("number", [0, 99, 200_001])
def test_number_out_of_range(number: int) -> None:
    with pytest.raises(UserError, match="between 100 and 200,000"):
        sample_reviews(number)
