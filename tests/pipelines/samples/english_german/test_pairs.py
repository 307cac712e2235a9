"""The embedded pairs: deterministic, disjoint, new combinations, correct German."""

import random
import re

import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.samples.english_german import words
from recurra.pipelines.samples.english_german.grammar import (
    Clause,
    NounPhrase,
    Who,
    place,
)
from recurra.pipelines.samples.english_german.numbers import in_english, in_german
from recurra.pipelines.samples.english_german.pairs import (
    SamplePairs,
    is_held_out,
    sample_pairs,
)
from recurra.pipelines.samples.english_german.sentences import draw_sentence

VERBS = (
    *words.TRANSITIVE,
    *words.WITH_DATIVE,
    *words.DITRANSITIVE,
    *words.INTRANSITIVE,
    *words.MOTIONS,
    words.BE,
)


@pytest.fixture(scope="module")
def sample() -> SamplePairs:
    return sample_pairs(3_600)


def the(english, determiner="the", adjective=None, **more):
    noun = next(noun for noun in words.NOUNS if noun.english == english)
    if adjective:
        more["adjective"] = an(adjective)
    return NounPhrase(noun, determiner, **more)


def an(english):
    return next(a for a in words.ADJECTIVES if a.english == english)


def verb(base):
    return next(verb for verb in VERBS if verb.base == base)


def pronoun(english):
    return next(p for p in words.PRONOUNS if p.english_subject == english)


def clause(subject, base, *objects, **more):
    """The last object is in the verb's case, one before it in the dative."""
    cases = ["dative", verb(base).case][2 - len(objects) :]
    return Clause(subject, verb(base), tuple(zip(objects, cases, strict=True)), **more)


def test_sixteen_in_eighteen_pairs_are_to_train_on_and_all_differ(sample):
    sizes = {name: len(english) for name, (english, _) in sample.splits.items()}
    assert sizes == {"train": 3_200, "validation": 200, "test": 200}
    english = [text for source, _ in sample.splits.values() for text in source]
    assert len(set(english)) == 3_600


def test_the_same_seed_gives_the_same_pairs_and_another_one_others():
    first, second, other = (sample_pairs(300, seed) for seed in (3, 3, 4))
    assert first == second
    assert first.splits["test"] != other.splits["test"]


def test_a_sentence_has_one_translation():
    generator = random.Random(7)
    translations: dict[str, str] = {}
    for _ in range(6_000):
        sentence = draw_sentence(generator)
        german = translations.setdefault(sentence.english, sentence.german)
        assert german == sentence.german, sentence.english


def test_sentences_are_well_formed(sample):
    for english, german in sample.splits.values():
        for source, target in zip(english, german, strict=True):
            assert re.fullmatch(r"[A-Z][A-Za-z ,-]*[.?]", source), source
            assert re.fullmatch(r"[A-ZÄÖÜ][A-Za-zäöüßÄÖÜ ,]*[.?]", target), target
            assert source[-1] == target[-1]
            for text in (source, target):
                assert not re.search(r"  | [,.?]|,[,.?]|,\w", text), text
            assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", source, re.I), source
            assert 2 <= len(source.split()) <= 25


@pytest.mark.parametrize("kind", ["adjective and noun", "number"])
def test_held_out_combinations_are_in_the_evaluation_alone(sample, kind):
    nouns = [
        (noun.english, form)
        for noun in words.NOUNS
        for form in (noun.english, noun.english_plural)
    ]
    combinations = {
        "adjective and noun": [
            ((adjective.english, noun), f"{adjective.english} {form}")
            for adjective in words.ADJECTIVES
            for noun, form in nouns
        ],
        "number": [
            ((str(number // 10), str(number % 10)), in_english(number))
            for number in range(21, 100)
            if number % 10
        ],
    }[kind]
    held_out = [text for key, text in combinations if is_held_out(kind, *key)]
    assert 5 < len(held_out) < len(combinations) / 3
    pattern = re.compile(rf"\b({'|'.join(held_out)})\b")
    found = {
        split: sum(bool(pattern.search(text)) for text in english)
        for split, (english, _) in sample.splits.items()
    }
    assert found["train"] == 0
    assert found["validation"] > 3
    assert found["test"] > 3


def test_every_word_of_the_evaluation_is_known_from_training(sample):
    def vocabulary(split, side):
        return {
            word
            for text in sample.splits[split][side]
            for word in re.findall(r"\w+", text.lower())
        }

    for split in ("validation", "test"):
        assert vocabulary(split, 0) <= vocabulary("train", 0)
        new = vocabulary(split, 1) - vocabulary("train", 1)
        assert new
        assert new <= {in_german(number) for number in range(21, 100)}


@pytest.mark.parametrize(
    ("number", "english", "german"),
    [
        (2, "two", "zwei"),
        (12, "twelve", "zwölf"),
        (16, "sixteen", "sechzehn"),
        (30, "thirty", "dreißig"),
        (21, "twenty-one", "einundzwanzig"),
        (77, "seventy-seven", "siebenundsiebzig"),
    ],
)
def test_numbers(number, english, german):
    assert in_english(number) == english
    assert in_german(number) == german


@pytest.mark.parametrize(
    ("phrase", "case", "english", "german"),
    [
        (the("brother", plural=True), "dative", "the brothers", "den Brüdern"),
        (
            the("queen", "our", plural=True),
            "dative",
            "our queens",
            "unseren Königinnen",
        ),
        (the("lamp", "a", "old"), "dative", "an old lamp", "einer alten Lampe"),
        (the("table", "a", "red"), "nominative", "a red table", "ein roter Tisch"),
        (
            the("picture", "my", "new"),
            "accusative",
            "my new picture",
            "mein neues Bild",
        ),
        (the("park", "the", "old"), "accusative", "the old park", "den alten Park"),
        (
            the("apple", "", "expensive", plural=True),
            "accusative",
            "expensive apples",
            "teure Äpfel",
        ),
        (
            the("egg", "", "fresh", plural=True, number=21),
            "dative",
            "twenty-one fresh eggs",
            "einundzwanzig frischen Eiern",
        ),
    ],
)
def test_declension(phrase, case, english, german):
    assert phrase.english(case) == english
    assert phrase.german(case) == german


@pytest.mark.parametrize(
    ("said", "order", "english", "german"),
    [
        (
            clause(the("aunt"), "invite", the("king")),
            "second",
            "the aunt invites the king",
            "die Tante lädt den König ein",
        ),
        (
            clause(the("aunt"), "invite", the("king")),
            "last",
            "the aunt invites the king",
            "die Tante den König einlädt",
        ),
        (
            clause(pronoun("they"), "fall", tense="perfect", negated=True),
            "last",
            "they have not fallen asleep",
            "sie nicht eingeschlafen sind",
        ),
        (
            clause(pronoun("I"), "buy", the("horse", "a"), negated=True),
            "second",
            "I do not buy a horse",
            "ich kaufe kein Pferd",
        ),
        (
            clause(pronoun("he"), "pick", pronoun("she"), tense="future"),
            "second",
            "he will pick her up",
            "er wird sie abholen",
        ),
        (
            clause(pronoun("she"), "find", the("bag"), tense="can", negated=True),
            "second",
            "she cannot find the bag",
            "sie kann die Tasche nicht finden",
        ),
        (
            clause(
                pronoun("we"),
                "show",
                the("girl"),
                the("dog", "a"),
                tense="perfect",
                negated=True,
            ),
            "last",
            "we have not shown the girl a dog",
            "wir dem Mädchen keinen Hund gezeigt haben",
        ),
        (
            clause(pronoun("I"), "run", place=place("into", the("house"))),
            "second",
            "I run into the house",
            "ich laufe ins Haus",
        ),
        (
            clause(
                the("cat"), "sleep", place=place("in", the("garden")), tense="perfect"
            ),
            "second",
            "the cat has slept in the garden",
            "die Katze hat im Garten geschlafen",
        ),
        (
            clause(the("child", plural=True), "follow", pronoun("he"), tense="perfect"),
            "second",
            "the children have followed him",
            "die Kinder sind ihm gefolgt",
        ),
    ],
)
def test_word_order(said, order, english, german):
    assert said.english() == english
    assert said.german(order) == german


def test_questions():
    said = clause(the("dog", plural=True), "help", pronoun("I"))
    assert said.english(asks=True) == "do the dogs help me"
    assert said.german("first") == "helfen die Hunde mir"
    said = Clause(the("door"), words.BE, complement=an("red"), tense="past")
    assert said.english(asks=True) == "was the door red"
    assert said.german("first") == "war die Tür rot"
    who = Who()
    said = clause(the("aunt"), "help", who, fronted=who)
    assert said.english(asks=True) == "whom does the aunt help"
    assert said.german("second") == "wem hilft die Tante"
    said = clause(who, "throw", the("egg"))
    assert said.english() == "who throws away the egg"
    assert said.german("second") == "wer wirft das Ei weg"


def test_relative_clauses():
    girl = the("girl").noun
    who = Who(girl)
    helped = clause(the("king"), "help", who, tense="perfect", fronted=who)
    said = clause(NounPhrase(girl, relative=helped), "sleep")
    assert said.english() == "the girl whom the king has helped sleeps"
    assert said.german("second") == ("das Mädchen, dem der König geholfen hat, schläft")
    following = clause(Who(girl, plural=True), "follow", pronoun("I"))
    girls = NounPhrase(girl, plural=True, relative=following)
    assert girls.english("accusative") == "the girls who follow me"
    assert girls.german("dative") == "den Mädchen, die mir folgen,"


def test_what_stands_first_takes_the_place_of_the_subject():
    said = clause(pronoun("she"), "repair", the("clock"))
    assert said.german("second", "heute") == "heute repariert sie die Uhr"


@pytest.mark.parametrize("number", [0, 99, 500_001])
def test_number_out_of_range(number):
    with pytest.raises(UserError, match="between 100 and 500,000"):
        sample_pairs(number)
