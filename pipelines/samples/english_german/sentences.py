"""Sentences drawn at random, in English and in German."""

import random
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from .grammar import Clause, NounPhrase, Phrase, Tense, Who, place
from .numbers import in_german
from .words import (
    ADJECTIVES,
    BE,
    DITRANSITIVE,
    INTRANSITIVE,
    MOTIONS,
    NOUNS,
    PRONOUNS,
    REPORTING,
    TRANSITIVE,
    WITH_DATIVE,
    Adjective,
    Case,
    Noun,
    Verb,
)

ChoiceT = TypeVar("ChoiceT")
_Said = tuple[str, str]

_TIMES: tuple[tuple[str, str, tuple[Tense, ...]], ...] = (
    ("now", "jetzt", ("present", "must")),
    ("today", "heute", ("present", "perfect", "future", "must")),
    ("tomorrow", "morgen", ("future", "can", "must")),
    ("on Monday", "am Montag", ("future", "can")),
)
_CONJUNCTIONS = {"because": "weil", "although": "obwohl"}
_TENSES: dict[Tense, int] = {
    "present": 8,
    "perfect": 5,
    "future": 2,
    "can": 2,
    "must": 1,
}


@dataclass
class Sentence:
    """A drawn sentence.

    Args:
        combinations: Kind, first and second word of those that could be held out.
        numbers: German numbers in it that are of two parts.
    """

    english: str = ""
    german: str = ""
    combinations: set[tuple[str, str, str]] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)


def draw_sentence(generator: random.Random) -> Sentence:
    """A sentence of any kind."""
    drawing = _Drawing(generator)
    kinds = {
        drawing.statement: 8,
        drawing.question: 5,
        drawing.description: 3,
        drawing.report: 2,
        drawing.reason: 2,
        drawing.about_a_person: 2,
    }
    english, german = drawing.one_of(kinds)()
    sentence = drawing.sentence
    sentence.english, sentence.german = _written(english), _written(german)
    return sentence


class _Drawing:
    """Draws one sentence; no noun is in it twice."""

    def __init__(self, generator: random.Random) -> None:
        self.random = generator
        self.sentence = Sentence()
        self._used: set[Noun] = set()

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def one_of(self, weights: Mapping[ChoiceT, int]) -> ChoiceT:
        return self.random.choices(list(weights), list(weights.values()))[0]

    def statement(self) -> _Said:
        """A main clause, perhaps with a time in front."""
        if self.chance(0.5):
            clause = self._clause(self.one_of(_TENSES))
            return clause.english(), clause.german("second")
        english, german, tenses = self.random.choice(_TIMES)
        clause = self._clause(self.random.choice(tenses))
        return f"{english} {clause.english()}", clause.german("second", german)

    def question(self) -> _Said:
        kind = self.one_of({"whether": 5, "who": 2, "whom": 2, "why": 1})
        tense = self.one_of(_TENSES)
        if kind == "whom":
            whom = Who()
            clause = self._clause(tense, whom=whom)
            return f"{clause.english(asks=True)}?", f"{clause.german('second')}?"
        if kind == "who":
            clause = self._clause(tense, Who())
            return f"{clause.english()}?", f"{clause.german('second')}?"
        clause = self._clause(tense, negatable=False)
        said = f"{clause.english(asks=True)}?"
        if kind == "why":
            return f"why {said}", f"{clause.german('second', 'warum')}?"
        return said, f"{clause.german('first')}?"

    def description(self) -> _Said:
        """What something is like, or was."""
        subject = self._noun_phrase({noun.kind for noun in NOUNS})
        clause = Clause(
            replace(subject, adjective=None),
            BE,
            complement=subject.adjective or self._adjective(subject.noun),
            tense=self.one_of({"present": 2, "past": 1}),
            negated=self.chance(0.3),
        )
        if self.chance(0.3) and not clause.negated:
            return f"{clause.english(asks=True)}?", f"{clause.german('first')}?"
        return clause.english(), clause.german("second")

    def report(self) -> _Said:
        """What somebody says."""
        verb = self.random.choice(REPORTING)
        tense: Tense = self.one_of({"present": 2, "perfect": 1})
        report = Clause(self._subject(verb), verb, tense=tense)
        clause = self._clause(self.one_of(_TENSES))
        return (
            f"{report.english()} that {clause.english()}",
            f"{report.german('second')}, dass {clause.german('last')}",
        )

    def reason(self) -> _Said:
        """Two clauses, of which the second in rank stands behind or in front."""
        english, german = self.random.choice(list(_CONJUNCTIONS.items()))
        main, other = (self._clause(self.one_of(_TENSES)) for _ in range(2))
        said, behind = (
            f"{english} {other.english()}",
            f"{german} {other.german('last')}",
        )
        if self.chance(0.5):
            return f"{main.english()} {said}", f"{main.german('second')}, {behind}"
        return f"{said}, {main.english()}", main.german("second", f"{behind},")

    def about_a_person(self) -> _Said:
        """A clause whose subject has a relative clause."""
        noun, plural = self._noun({"person"}), self.chance(0.3)
        who = Who(noun, plural)
        tense: Tense = self.one_of({"present": 2, "perfect": 1})
        if self.chance(0.6):
            relative = self._clause(tense, who, negatable=False)
        else:
            relative = self._clause(tense, whom=who)
        subject = NounPhrase(noun, plural=plural, relative=relative)
        clause = self._clause(self.one_of(_TENSES), subject, negatable=False)
        return clause.english(), clause.german("second")

    def _clause(
        self,
        tense: Tense,
        subject: Phrase | None = None,
        whom: Who | None = None,
        negatable: bool = True,
    ) -> Clause:
        """A clause of any verb but "be".

        Args:
            tense: Of the verb.
            subject: Drawn if none is given.
            whom: The object, which stands in front.
            negatable: Whether it can have a negation.
        """
        verb = self._verb(whom)
        subject = subject or self._subject(verb)
        negated = negatable and not whom and tense != "must" and self.chance(0.2)
        objects: list[tuple[Phrase, Case]] = []
        if verb in DITRANSITIVE:
            objects.append((self._somebody(subject), "dative"))
        if verb.objects:
            phrase = whom or self._object(verb, subject, countable=not negated)
            objects.append((phrase, verb.case))
        where = ("", "")
        if verb in MOTIONS or (verb in INTRANSITIVE and self.chance(0.5)):
            phrase = self._noun_phrase({"place"}, plural=False)
            where = place("into" if verb in MOTIONS else "in", phrase)
        return Clause(
            subject, verb, tuple(objects), where, None, tense, negated, fronted=whom
        )

    def _verb(self, whom: Who | None) -> Verb:
        if whom:
            verbs = [verb for verb in TRANSITIVE if "person" in verb.objects]
            return self.random.choice(verbs + WITH_DATIVE)
        kinds = TRANSITIVE, WITH_DATIVE, DITRANSITIVE, INTRANSITIVE, MOTIONS
        return self.random.choice(self.random.choices(kinds, (9, 4, 3, 3, 2))[0])

    def _subject(self, verb: Verb) -> Phrase:
        if self.chance(0.4):
            return self.random.choice(PRONOUNS)
        return self._noun_phrase(verb.subjects)

    def _somebody(self, subject: Phrase) -> Phrase:
        """A person other than the subject."""
        if self.chance(0.5):
            first = ("I", "we")
            is_first = subject.english("nominative") in first
            return self.random.choice(
                [p for p in PRONOUNS if not (is_first and p.english_subject in first)]
            )
        return self._noun_phrase({"person"})

    def _object(self, verb: Verb, subject: Phrase, countable: bool) -> Phrase:
        """An object that fits the verb, which may be indefinite or have a number."""
        if "person" in verb.objects and self.chance(0.3):
            return self._somebody(subject)
        kind = self.one_of(
            {"definite": 3, "a": 3, "plural": 1, "number": 2 * countable}
        )
        if kind == "definite":
            phrase = self._noun_phrase(verb.objects)
        else:
            number = self._number() if kind == "number" else 0
            phrase = NounPhrase(
                self._noun(verb.objects),
                determiner="a" if kind == "a" else "",
                plural=kind != "a",
                number=number,
            )
            phrase = self._with_adjective(phrase)
        self._combine("verb and object", verb.base, phrase.noun.english)
        return phrase

    def _noun_phrase(
        self, kinds: Collection[str], plural: bool | None = None
    ) -> NounPhrase:
        """A noun of one of the kinds with "the" or a possessive."""
        determiner = self.one_of({"the": 6, "my": 1, "our": 1})
        if plural is None:
            plural = self.chance(0.25)
        return self._with_adjective(NounPhrase(self._noun(kinds), determiner, plural))

    def _with_adjective(self, phrase: NounPhrase) -> NounPhrase:
        if self.chance(0.75):
            return phrase
        return replace(phrase, adjective=self._adjective(phrase.noun))

    def _noun(self, kinds: Collection[str]) -> Noun:
        """A noun of one of the kinds that is not in the sentence yet."""
        noun = self.random.choice(
            [noun for noun in NOUNS if noun.kind in kinds and noun not in self._used]
        )
        self._used.add(noun)
        return noun

    def _adjective(self, noun: Noun) -> Adjective:
        adjective = self.random.choice([a for a in ADJECTIVES if noun.kind in a.kinds])
        self._combine("adjective and noun", adjective.english, noun.english)
        return adjective

    def _number(self) -> int:
        number = self.random.choice(
            [self.random.randint(2, 20), self.random.randint(21, 99)]
        )
        tens, unit = divmod(number, 10)
        if tens > 1 and unit:
            self._combine("number", str(tens), str(unit))
            self.sentence.numbers.add(in_german(number))
        return number

    def _combine(self, kind: str, first: str, second: str) -> None:
        self.sentence.combinations.add((kind, first, second))


def _written(words: str) -> str:
    """With a capital and an end, and no comma before another sign."""
    end = "" if words.endswith("?") else "."
    text = re.sub(r",(?=[,.?])", "", f"{words}{end}")
    return text[0].upper() + text[1:]
