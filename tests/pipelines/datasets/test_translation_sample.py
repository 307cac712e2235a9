"""The embedded pairs: deterministic, disjoint, new combinations, correct German."""

import random
import re
import zlib

import pytest

from recurra.pipelines.datasets.translation_grammar import (
    Clause,
    NounPhrase,
    Personal,
    Prepositional,
    Relative,
    Word,
)
from recurra.pipelines.datasets.translation_lexicon import (
    ADJECTIVES,
    COMPOUNDS,
    NOUNS,
    PRONOUNS,
)
from recurra.pipelines.datasets.translation_numbers import (
    hour,
    in_english,
    in_german,
    ordinal_in_english,
    ordinal_in_german,
)
from recurra.pipelines.datasets.translation_sample import (
    TranslationSample,
    is_held_out,
    sample_pairs,
)
from recurra.pipelines.datasets.translation_sentences import draw_sentence
from recurra.pipelines.datasets.translation_verbs import (
    ACTIVITIES,
    BE,
    DITRANSITIVE,
    HAPPENINGS,
    MOTIONS,
    TRANSITIVE,
    WITH_DATIVE,
)
from recurra.pipelines.errors import UserError

VERBS = (
    *TRANSITIVE,
    *WITH_DATIVE,
    *DITRANSITIVE,
    *ACTIVITIES,
    *HAPPENINGS,
    *MOTIONS,
)


@pytest.fixture(scope="module")
def sample() -> TranslationSample:
    return sample_pairs()


def noun(english):
    return next(each for each in (*NOUNS, *COMPOUNDS) if each.english == english)


def adjective(english):
    return next(each for each in ADJECTIVES if each.english == english)


def verb(english):
    base, _, behind = english.partition(" ")
    return next(
        each
        for each in VERBS
        if each.base == base and behind in (each.particle, each.preposition)
        if behind or not (each.particle or each.preposition)
    )


def pronoun(english):
    return Personal(next(p for p in PRONOUNS if p.english_subject == english))


def the(english, determiner="the", **more):
    return NounPhrase(noun(english), determiner, **more)


def words(text):
    return re.findall(r"[\w']+", text.lower())


def test_there_are_sixteen_thousand_different_pairs_to_train_on(sample):
    sizes = {name: len(english) for name, (english, _) in sample.splits.items()}
    assert sizes == {"train": 16_000, "validation": 1_000, "test": 1_000}
    english = [text for sides in sample.splits.values() for text in sides[0]]
    assert len(set(english)) == len(english) == 18_000


def test_the_same_seed_gives_the_same_pairs_and_another_one_others():
    first, second, other = (sample_pairs(300, seed) for seed in (3, 3, 4))
    assert first == second
    assert first.splits["test"] != other.splits["test"]


def test_a_larger_sample_has_one_translation_for_each_sentence():
    generator = random.Random(7)
    translations: dict[str, str] = {}
    for _ in range(6_000):
        sentence = draw_sentence(generator)
        german = translations.setdefault(sentence.english, sentence.german)
        assert german == sentence.german, sentence.english


def test_sentences_are_well_formed(sample):
    for english, german in sample.splits.values():
        for source, target in zip(english, german, strict=True):
            assert re.fullmatch(r"[A-Z][A-Za-z' ,-]*[.?]", source), source
            assert re.fullmatch(r"[A-ZÄÖÜ][A-Za-zäöüßÄÖÜ ,]*[.?]", target), target
            assert source[-1] == target[-1]
            for text in (source, target):
                assert not re.search(r"  | [,.?]|,[,.?]|,\w", text), text
            assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", source, re.I), source
            assert 2 <= len(source.split()) <= 35


def test_held_out_combinations_are_in_every_evaluation_sentence_and_none_of_training(
    sample,
):
    english, _ = sample.splits["train"]
    numbers = {
        (str(n // 10), str(n % 10)): in_english(n) for n in range(21, 100) if n % 10
    }
    held = {name for key, name in numbers.items() if is_held_out("number", *key)}
    assert 8 <= len(held) <= 24
    counted = {number for text in english for number in words(text.replace("-", "_"))}
    assert not counted & {name.replace("-", "_") for name in held}
    assert len(counted & {name.replace("-", "_") for name in numbers.values()}) > 45
    new = [
        compound for compound in COMPOUNDS if is_held_out("compound", *compound.parts)
    ]
    assert 12 <= len(new) <= 36
    for compound in new:
        pattern = re.compile(rf"\b{compound.english}s?\b|{compound.english}es\b")
        assert not any(pattern.search(text) for text in english), compound.english


def test_evaluation_has_such_numbers_and_compounds(sample):
    for split in ("validation", "test"):
        text = " ".join(sample.splits[split][0])
        known = " ".join(sample.splits["train"][0])
        numbers = set(re.findall(r"\w+ty-\w+", text)) - set(
            re.findall(r"\w+ty-\w+", known)
        )
        assert numbers
        assert any(
            compound.english in text and compound.english not in known
            for compound in COMPOUNDS
        )


def test_every_word_of_the_evaluation_is_known_from_training(sample):
    known = {word for text in sample.splits["train"][0] for word in words(text)}
    german = {word for text in sample.splits["train"][1] for word in words(text)}
    parts = sorted((word for word in german if len(word) > 2), key=len, reverse=True)
    for split in ("validation", "test"):
        assert {w for text in sample.splits[split][0] for w in words(text)} <= known
        new = {w for text in sample.splits[split][1] for w in words(text)} - german
        assert new
        # Compounds and numbers, whose last part training has.
        for word in new:
            assert any(word.endswith(part) for part in parts), word


def test_is_held_out_is_a_hash_that_no_version_changes():
    expected = zlib.crc32(b"number: 4 7") % 5 == 0
    assert is_held_out("number", "4", "7") == expected


@pytest.mark.parametrize(
    ("number", "english", "german", "ordinal", "german_ordinal"),
    [
        (1, "one", "eins", "first", "ersten"),
        (2, "two", "zwei", "second", "zweiten"),
        (3, "three", "drei", "third", "dritten"),
        (7, "seven", "sieben", "seventh", "siebten"),
        (8, "eight", "acht", "eighth", "achten"),
        (12, "twelve", "zwölf", "twelfth", "zwölften"),
        (16, "sixteen", "sechzehn", "sixteenth", "sechzehnten"),
        (17, "seventeen", "siebzehn", "seventeenth", "siebzehnten"),
        (20, "twenty", "zwanzig", "twentieth", "zwanzigsten"),
        (21, "twenty-one", "einundzwanzig", "twenty-first", "einundzwanzigsten"),
        (30, "thirty", "dreißig", "thirtieth", "dreißigsten"),
        (36, "thirty-six", "sechsunddreißig", "thirty-sixth", "sechsunddreißigsten"),
        (77, "seventy-seven", "siebenundsiebzig", "seventy-seventh", None),
        (99, "ninety-nine", "neunundneunzig", "ninety-ninth", None),
    ],
)
def test_numbers(number, english, german, ordinal, german_ordinal):
    assert in_english(number) == english
    assert in_german(number) == german
    assert ordinal_in_english(number) == ordinal
    if german_ordinal:
        assert ordinal_in_german(number) == german_ordinal


@pytest.mark.parametrize(
    ("number", "past", "english", "german"),
    [
        (1, "", "at one o'clock", "um ein Uhr"),
        (3, "half past", "at half past three", "um halb vier"),
        (12, "half past", "at half past twelve", "um halb eins"),
        (1, "a quarter to", "at a quarter to one", "um Viertel vor eins"),
        (6, "twenty past", "at twenty past six", "um zwanzig nach sechs"),
    ],
)
def test_times_of_the_clock(number, past, english, german):
    assert hour(number, past) == (english, german)


@pytest.mark.parametrize(
    ("phrase", "case", "english", "german"),
    [
        (the("boy"), "accusative", "the boy", "den Jungen"),
        (the("nephew", "our"), "dative", "our nephew", "unserem Neffen"),
        (the("bear", "a"), "nominative", "a bear", "ein Bär"),
        (
            the("uncle", plural=True, number=3, determiner=""),
            "dative",
            "three uncles",
            "drei Onkeln",
        ),
        (the("girl", "her", plural=True), "dative", "her girls", "ihren Mädchen"),
        (
            the("lamp", "a", adjective=adjective("old")),
            "dative",
            "an old lamp",
            "einer alten Lampe",
        ),
        (
            the("book", "my", adjective=adjective("new")),
            "accusative",
            "my new book",
            "mein neues Buch",
        ),
        (
            the("cellar", adjective=adjective("dark")),
            "dative",
            "the dark cellar",
            "dem dunklen Keller",
        ),
        (
            the("apple", "", plural=True, adjective=adjective("expensive")),
            "accusative",
            "expensive apples",
            "teure Äpfel",
        ),
        (
            the("egg", "", plural=True, number=21, adjective=adjective("fresh")),
            "accusative",
            "twenty-one fresh eggs",
            "einundzwanzig frische Eier",
        ),
        (
            the("key", possessor=the("nephew", "my"), adjective=adjective("small")),
            "dative",
            "my nephew's small key",
            "dem kleinen Schlüssel meines Neffen",
        ),
        (
            the("cherry cake", "a", adjective=adjective("sweet")),
            "nominative",
            "a sweet cherry cake",
            "ein süßer Kirschkuchen",
        ),
        (
            the("church door", plural=True),
            "dative",
            "the church doors",
            "den Kirchentüren",
        ),
        (
            the("wool dress", "how many", plural=True, adjective=adjective("red")),
            "accusative",
            "how many red wool dresses",
            "wie viele rote Wollkleider",
        ),
    ],
)
def test_declension(phrase, case, english, german):
    assert phrase.english(case) == english
    assert phrase.german(case) == german


@pytest.mark.parametrize(
    ("clause", "order", "english", "german"),
    [
        (
            Clause(the("aunt"), verb("invite"), ((the("king"), "accusative"),)),
            "second",
            "the aunt invites the king",
            "die Tante lädt den König ein",
        ),
        (
            Clause(the("aunt"), verb("invite"), ((the("king"), "accusative"),)),
            "last",
            "the aunt invites the king",
            "die Tante den König einlädt",
        ),
        (
            Clause(the("aunt"), verb("invite"), ((the("king"), "accusative"),)),
            "infinitive",
            "to invite the king",
            "den König einzuladen",
        ),
        (
            Clause(pronoun("they"), verb("fall asleep"), tense="perfect", negated=True),
            "last",
            "they have not fallen asleep",
            "sie nicht eingeschlafen sind",
        ),
        (
            Clause(
                pronoun("I"),
                verb("buy"),
                ((the("boat", "a"), "accusative"),),
                negated=True,
            ),
            "second",
            "I do not buy a boat",
            "ich kaufe kein Boot",
        ),
        (
            Clause(
                pronoun("she"),
                verb("switch off"),
                ((the("oven"), "accusative"),),
                tense="want",
                negated=True,
            ),
            "second",
            "she does not want to switch off the oven",
            "sie will den Ofen nicht ausschalten",
        ),
        (
            Clause(
                the("waiter", plural=True),
                verb("help"),
                ((pronoun("he"), "dative"),),
                tense="may",
            ),
            "first",
            "are the waiters allowed to help him",
            "dürfen die Kellner ihm helfen",
        ),
        (
            Clause(
                pronoun("he"),
                verb("pick up"),
                ((pronoun("she"), "accusative"),),
                tense="future",
            ),
            "second",
            "he will pick her up",
            "er wird sie abholen",
        ),
        (
            Clause(
                pronoun("we"),
                verb("offer"),
                ((the("girl"), "dative"), (the("apple", "a"), "accusative")),
                tense="perfect",
                negated=True,
            ),
            "last",
            "we have not offered the girl an apple",
            "wir dem Mädchen keinen Apfel angeboten haben",
        ),
        (
            Clause(
                the("cat"),
                verb("sleep"),
                adjunct=Prepositional("in", "in", "dative", the("garden")),
            ),
            "first",
            "does the cat sleep in the garden",
            "schläft die Katze im Garten",
        ),
        (
            Clause(
                pronoun("I"),
                verb("run"),
                adjunct=Prepositional("into", "in", "accusative", the("house")),
            ),
            "second",
            "I run into the house",
            "ich laufe ins Haus",
        ),
        (
            Clause(
                pronoun("they"),
                verb("go"),
                adjunct=Prepositional("to", "zu", "dative", the("mill")),
                tense="perfect",
            ),
            "second",
            "they have gone to the mill",
            "sie sind zur Mühle gegangen",
        ),
        (
            Clause(
                the("tower", plural=True), BE, complement=("old", "alt"), tense="past"
            ),
            "first",
            "were the towers old",
            "waren die Türme alt",
        ),
    ],
)
def test_word_order(clause, order, english, german):
    assert clause.english(order) == english
    assert clause.german(order) == german


def test_relative_clauses():
    about = Relative(noun("girl"), plural=False)
    helped = Clause(
        the("king"), verb("help"), ((about, "dative"),), tense="perfect", moved=about
    )
    girl = the("girl", relative=helped)
    clause = Clause(girl, verb("fall asleep"))
    assert clause.english("second") == (
        "the girl whom the king has helped falls asleep"
    )
    assert clause.german("second") == (
        "das Mädchen, dem der König geholfen hat, schläft ein"
    )
    dogs = Relative(noun("dog"), plural=True)
    following = Clause(dogs, verb("follow"), ((pronoun("I"), "dative"),), moved=dogs)
    phrase = the("dog", plural=True, relative=following)
    assert phrase.english("accusative") == "the dogs that follow me"
    assert phrase.german("dative") == "den Hunden, die mir folgen,"


def test_questions():
    whom = Word("whom", "wem")
    clause = Clause(
        the("aunt"), verb("listen to"), ((whom, "dative"),), tense="want", moved=whom
    )
    assert clause.english("first") == "whom does the aunt want to listen to"
    assert clause.german("second") == "wem will die Tante zuhören"
    who = Word("who", "wer")
    clause = Clause(who, verb("throw away"), ((the("egg"), "accusative"),), moved=who)
    assert clause.english("first") == "who throws away the egg"
    assert clause.german("second") == "wer wirft das Ei weg"
    asked = the("pear", "how many", plural=True)
    clause = Clause(
        pronoun("he"), verb("eat"), ((asked, "accusative"),), tense="can", moved=asked
    )
    assert clause.english("first") == "how many pears can he eat"
    assert clause.german("second") == "wie viele Birnen kann er essen"


def test_what_stands_first_takes_the_place_of_the_subject():
    clause = Clause(pronoun("she"), verb("read"), ((the("novel"), "accusative"),))
    assert clause.german("second", front="heute") == "heute liest sie den Roman"


@pytest.mark.parametrize("number", [0, 99, 500_001])
def test_number_out_of_range(number):
    with pytest.raises(UserError, match="between 100 and 500,000"):
        sample_pairs(number)
