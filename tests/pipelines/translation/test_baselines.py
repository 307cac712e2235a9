"""The baselines: a copy, and a lexicon that finds out which word is which."""

import io

import joblib
import numpy as np
import pytest

from recurra.pipelines.data.texts.sentence_pairs import PairSplit
from recurra.pipelines.samples.english_german.pairs import sample_pairs
from recurra.pipelines.translation import baselines
from recurra.pipelines.translation.baselines import LexiconBaseline, fit_baselines
from recurra.pipelines.translation.metrics import TranslationMeasures


def split(pairs):
    source, target = zip(*pairs, strict=True)
    return PairSplit(np.array(source, object), np.array(target, object))


GERMAN = split(
    [
        ("The dog sleeps.", "Der Hund schläft."),
        ("The cat sleeps.", "Die Katze schläft."),
        ("The dog eats.", "Der Hund frisst."),
        ("Today the cat eats.", "Heute frisst die Katze."),
        ("Today the cat, the dog sleeps.", "Heute schläft die Katze, der Hund."),
    ]
)


@pytest.fixture(scope="module")
def lexicon():
    return fit_baselines(GERMAN, 0)["lexicon"]


def test_copy_answers_the_source():
    texts = ["A  text.", ""]
    assert fit_baselines(GERMAN, 0)["copy"].translate(texts) == texts


def test_baselines_stand_from_the_weakest():
    assert list(fit_baselines(GERMAN, 0)) == ["copy", "lexicon"]


def test_words_that_occur_together_are_translations(lexicon):
    words = {"dog": "Hund", "cat": "Katze", "sleeps": "schläft", "eats": "frisst"}
    assert {word: lexicon.words[word] for word in words} == words
    assert lexicon.words["."] == "."


def test_sentences_begin_large_and_stand_close_to_their_signs(lexicon):
    assert lexicon.translate(["Dog eats, cat sleeps."]) == [
        "Hund frisst, Katze schläft."
    ]
    assert lexicon.translate(["today cat sleeps"]) == ["Heute Katze schläft"]


def test_a_capital_that_only_begins_sentences_is_not_a_words_own():
    pairs = split(
        [
            ("He sleeps", "Er schläft"),
            ("She sleeps", "Sie schläft"),
            ("Today he eats", "Heute isst er"),
            ("He eats", "Er isst"),
        ]
    )
    lexicon = LexiconBaseline.fit(pairs, 0)
    assert lexicon.translate(["Sleeps he", "He sleeps"]) == ["Schläft er", "Er schläft"]


def test_unknown_words_are_copied(lexicon):
    assert lexicon.translate(["Dog Xylo2 7.5 sleeps"]) == ["Hund Xylo2 7.5 schläft"]


@pytest.mark.parametrize("text", ["", " ", "...", "🙂", "\u0000"])
def test_any_text_has_an_answer(lexicon, text):
    (answer,) = lexicon.translate([text])
    assert isinstance(answer, str)


def test_likelihoods_are_those_of_model_one():
    """Against the equations written out, over several steps."""
    source = [["a", "b"], ["a", "c"], ["a", "a", "b"], ["c"]]
    target = [["x", "y"], ["x", "z"], ["x", "y"], ["z", "x"]]
    likelihood = {}
    for words, others in zip(source, target, strict=True):
        for pair in ((e, f) for e in [None, *words] for f in others):
            likelihood[pair] = 1.0
    for _ in range(5):
        counts = dict.fromkeys(likelihood, 0.0)
        for words, others in zip(source, target, strict=True):
            for f in others:
                total = sum(likelihood[e, f] for e in [None, *words])
                for e in [None, *words]:
                    counts[e, f] += likelihood[e, f] / total
        totals = {}
        for (e, _), count in counts.items():
            totals[e] = totals.get(e, 0.0) + count
        likelihood = {pair: counts[pair] / totals[pair[0]] for pair in counts}
    expected = {
        word: max("xyz", key=lambda f, word=word: likelihood.get((word, f), 0.0))
        for word in "abc"
    }
    assert baselines._align(source, target) == expected


def test_scripts_without_spaces_are_written_without():
    chinese = split(
        [
            ("One dog.", "一只狗。"),
            ("One cat.", "一只猫。"),
            ("Dog.", "狗。"),
            ("Cat.", "猫。"),
        ]
    )
    (answer,) = LexiconBaseline.fit(chinese, 0).translate(["Cat dog."])
    assert answer == "猫狗。"
    back = PairSplit(chinese.target, chinese.source)
    (answer,) = LexiconBaseline.fit(back, 0).translate(["狗。"])
    assert answer == "Dog."


def test_empty_sides_are_passed_over():
    pairs = split([("", "Katze"), ("Cat", ""), ("Dog", "Hund")])
    assert LexiconBaseline.fit(pairs, 0).words == {"dog": "Hund"}


def test_of_too_many_pairs_some_are_drawn_by_the_seed(monkeypatch):
    english, german = sample_pairs(900).splits["train"]
    pairs = split(list(zip(english, german, strict=True)))
    monkeypatch.setattr(baselines, "_MOST_LINKS", 3_000)
    sizes = {seed: set(LexiconBaseline.fit(pairs, seed).words) for seed in (0, 1)}
    assert 20 < len(sizes[0]) < 300
    assert sizes[0] != sizes[1]
    assert LexiconBaseline.fit(pairs, 1).words == LexiconBaseline.fit(pairs, 1).words


def test_a_pair_that_is_too_long_to_align_is_passed_over(monkeypatch):
    monkeypatch.setattr(baselines, "_MOST_LINKS", 50)
    long = " ".join(["word"] * 30), " ".join(["Wort"] * 30)
    assert LexiconBaseline.fit(split([long, ("Dog", "Hund")]), 0).words == {
        "dog": "Hund"
    }
    assert LexiconBaseline.fit(split([long]), 0).words == {}


def test_saved_and_loaded_again_it_says_the_same(lexicon):
    file = io.BytesIO()
    joblib.dump({"lexicon": lexicon}, file)
    file.seek(0)
    again = joblib.load(file)["lexicon"]
    assert again.translate(["The cat eats."]) == lexicon.translate(["The cat eats."])


def test_on_the_sample_word_by_word_is_better_than_a_copy_and_far_from_right():
    splits = sample_pairs(3_600).splits
    train = split(list(zip(*splits["train"], strict=True)))
    english, german = splits["test"]
    measures = TranslationMeasures("de")
    scores = {
        name: measures.scores(measures.count(baseline.translate(english), [german]))
        for name, baseline in fit_baselines(train, 0).items()
    }
    assert scores["copy"]["bleu"] < 2
    assert 10 < scores["lexicon"]["bleu"] < 35
    assert scores["lexicon"]["exact_match"] < 0.1
