"""Phrases drawn at random: who does it, what to, when, and how many of them."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from .translation_grammar import (
    NounPhrase,
    Pair,
    Personal,
    Phrase,
    Relative,
    Tense,
)
from .translation_lexicon import (
    ADJECTIVES,
    COMPOUNDS,
    NOUNS,
    POSSESSIVES,
    PRONOUNS,
    Noun,
)
from .translation_numbers import (
    MINUTES,
    hour,
    in_german,
    ordinal_in_english,
    ordinal_in_german,
)
from .translation_verbs import Verb

PLACES = frozenset({"room", "building", "place"})
LIVING = frozenset({"person", "animal"})
_PERSONS = frozenset({"person"})
_WITH_POSSESSOR = frozenset(
    {"machine", "device", "furniture", "text", "clothes", "animal", "building"}
)
# "They read" can be in the present or in the past; "she reads" cannot.
_SAME_IN_THE_PAST = frozenset({"read", "put", "cost"})

_PAST: tuple[Tense, ...] = ("perfect",)
_COMING: tuple[Tense, ...] = ("future",)
_USUAL: tuple[Tense, ...] = ("present",)

_TIMES: tuple[tuple[str, str, tuple[Tense, ...]], ...] = (
    ("today", "heute", ("present", "perfect", "future", "must", "want")),
    ("now", "jetzt", ("present", "must", "want")),
    ("this morning", "heute Morgen", _PAST),
    ("this week", "diese Woche", _PAST),
    ("this year", "dieses Jahr", _PAST),
    ("tomorrow", "morgen", _COMING),
    ("every day", "jeden Tag", _USUAL),
    ("every morning", "jeden Morgen", _USUAL),
    ("every evening", "jeden Abend", _USUAL),
    ("every week", "jede Woche", _USUAL),
    ("every year", "jedes Jahr", _USUAL),
)
_DAYS = {
    "Monday": "Montag",
    "Tuesday": "Dienstag",
    "Wednesday": "Mittwoch",
    "Thursday": "Donnerstag",
    "Friday": "Freitag",
    "Sunday": "Sonntag",
}
_MONTHS = {
    "January": "Januar",
    "February": "Februar",
    "March": "März",
    "April": "April",
    "May": "Mai",
    "June": "Juni",
    "July": "Juli",
    "August": "August",
    "September": "September",
    "October": "Oktober",
    "November": "November",
    "December": "Dezember",
}
_SEASONS = {
    "spring": "Frühling",
    "summer": "Sommer",
    "autumn": "Herbst",
    "winter": "Winter",
}

ChoiceT = TypeVar("ChoiceT")


@dataclass
class Drawn:
    """What is known of a sentence beside its words.

    Args:
        combinations: kind, first and second word of those that could be held out.
        composed: its German words that are compounds or numbers from 21.
    """

    combinations: set[tuple[str, str, str]] = field(default_factory=set)
    composed: set[str] = field(default_factory=set)


class PhraseDrawing:
    """Draws the phrases of one sentence; no noun stands in it twice.

    With ``is_brief`` nouns have fewer adjectives and no possessors, as is fit for a
    sentence of several clauses.
    """

    def __init__(self, generator: random.Random) -> None:
        self.random = generator
        self.drawn = Drawn()
        self.is_brief = False
        self._used: set[Noun] = set()

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def one_of(self, weights: Mapping[ChoiceT, int]) -> ChoiceT:
        return self.random.choices(list(weights), list(weights.values()))[0]

    def tense(self) -> Tense:
        weights: dict[Tense, int] = {
            "present": 9,
            "perfect": 6,
            "future": 2,
            "can": 1,
            "must": 1,
            "want": 1,
            "may": 1,
        }
        return self.one_of(weights)

    def time(self) -> tuple[str, str, tuple[Tense, ...]]:
        """A time in both languages, and the tenses that go with it."""
        kind = self.one_of(
            {"plain": 6, "day": 2, "month": 1, "season": 1, "date": 4, "clock": 4}
        )
        if kind == "plain":
            return self.random.choice(_TIMES)
        if kind == "day":
            english, german = self.random.choice(list(_DAYS.items()))
            if self.chance(0.4):
                return f"every {english}", f"jeden {german}", _USUAL
            return f"on {english}", f"am {german}", _COMING
        if kind in ("month", "season"):
            known = _MONTHS if kind == "month" else _SEASONS
            english, german = self.random.choice(list(known.items()))
            return f"in {english}", f"im {german}", ("present", "future")
        if kind == "clock":
            past = self.random.choice(("", "half past", *MINUTES))
            return *hour(self.random.randint(1, 12), past), ("present", "future")
        month, german = self.random.choice(list(_MONTHS.items()))
        day = self.random.randint(1, 31 if month != "February" else 28)
        self.combine("date", str(day), month)
        english = f"on the {ordinal_in_english(day)} of {month}"
        return english, f"am {ordinal_in_german(day)} {german}", _COMING

    def number(self) -> int:
        """From 2 to 99."""
        number = self.random.randint(*self.random.choice(((2, 20), (21, 99), (21, 99))))
        tens, unit = divmod(number, 10)
        if number > 20 and unit:
            self.combine("number", str(tens), str(unit))
            self.drawn.composed.add(in_german(number))
        return number

    def noun(self, kinds: Iterable[str]) -> Noun:
        """A noun of one of the kinds that is not in the sentence yet."""
        words = COMPOUNDS if self.chance(0.2) else NOUNS
        known = frozenset(kinds)
        fitting = [n for n in words if n.kind in known and n not in self._used]
        noun = self.random.choice(fitting or [n for n in NOUNS if n.kind in known])
        self._used.add(noun)
        if noun.parts:
            self.combine("compound", *noun.parts)
            self.drawn.composed |= {noun.german, noun.german_plural}
            # The dative of the plural.
            self.drawn.composed.add(f"{noun.german_plural}n")
        return noun

    def noun_phrase(
        self,
        kinds: Iterable[str],
        noun: Noun | None = None,
        *,
        is_object: bool = False,
        is_plain: bool = False,
        plural: bool | None = None,
    ) -> NounPhrase:
        """A phrase of a noun of one of the kinds, or of the noun given.

        Args:
            is_object: it can be indefinite and have a number.
            is_plain: an article, or a possessive, and the noun.
            plural: left to chance if None.
        """
        noun = noun or self.noun(kinds)
        if plural is None:
            plural = not is_plain and self.chance(0.25)
        weights = {"the": 10, "possessive": 4}
        if is_object:
            weights |= {"number": 5} if plural else {"a": 6}
            if plural and noun.kind != "person":
                weights[""] = 5
        if not (is_plain or self.is_brief) and noun.kind in _WITH_POSSESSOR:
            weights["possessor"] = 2
        kind = self.one_of(weights)
        determiner, number, possessor = kind, 0, None
        if kind == "possessive":
            determiner = self.random.choice(list(POSSESSIVES))
        elif kind == "number":
            determiner, number = "", self.number()
        elif kind == "possessor":
            owner = self.noun_phrase(_PERSONS, is_plain=True)
            determiner, possessor = "the", owner
        phrase = NounPhrase(
            noun, determiner, plural, number=number, possessor=possessor
        )
        return phrase if is_plain else self._with_adjective(phrase)

    def subject(self, verb: Verb) -> Phrase:
        """A subject that can do it, and that leaves no doubt of the tense."""
        in_third_person = verb.base in _SAME_IN_THE_PAST
        kind = self.one_of({"pronoun": 5, "noun": 10, "pair": 1})
        if kind == "pronoun":
            fitting = [
                pronoun
                for pronoun in PRONOUNS
                if pronoun.person == "he" or not in_third_person
            ]
            return Personal(self.random.choice(fitting))
        if kind == "pair" and not in_third_person:
            return Pair(
                self.noun_phrase(_PERSONS, is_plain=True),
                self.noun_phrase(_PERSONS, is_plain=True),
            )
        plural = False if in_third_person else None
        return self.noun_phrase(verb.subjects, plural=plural)

    def somebody(self, subject: Phrase) -> Phrase:
        """A person, or a pronoun for one, other than the subject."""
        if self.chance(0.4):
            first = ("I", "we")
            said = subject.english("nominative")
            fitting = [
                pronoun
                for pronoun in PRONOUNS
                if pronoun.english_subject != said
                and not (said in first and pronoun.english_subject in first)
            ]
            return Personal(self.random.choice(fitting))
        return self.noun_phrase(_PERSONS)

    def object(self, verb: Verb, subject: Phrase) -> Phrase:
        """An object that the verb can have."""
        if "person" in verb.objects and self.chance(0.3):
            return self.somebody(subject)
        phrase = self.noun_phrase(verb.objects, is_object=True)
        self.combine_with_object(verb, phrase.noun)
        return phrase

    def combine_with_object(self, verb: Verb, noun: Noun) -> None:
        """Notes that the verb has the noun, of a compound its head, as its object."""
        head = noun.parts[1] if noun.parts else noun.english
        name = " ".join(filter(None, (verb.base, verb.particle, verb.preposition)))
        self.combine("verb and object", name, head)

    def combine(self, kind: str, first: str, second: str) -> None:
        """Notes a combination."""
        self.drawn.combinations.add((kind, first, second))

    def _with_adjective(self, phrase: NounPhrase) -> NounPhrase:
        fitting = [each for each in ADJECTIVES if phrase.noun.kind in each.kinds]
        if not fitting or not self.chance(0.1 if self.is_brief else 0.3):
            return phrase
        adjective = self.random.choice(fitting)
        self.combine("adjective and noun", adjective.english, phrase.noun.english)
        return replace(phrase, adjective=adjective)


def fitting_verbs(verbs: Iterable[Verb], subject: Phrase | None) -> list[Verb]:
    """Of the verbs those that the subject, if there is one, can do; see ``subject``."""
    if subject is None:
        return list(verbs)
    kind = "person"
    if isinstance(subject, NounPhrase | Relative):
        kind = subject.noun.kind
    return [
        verb
        for verb in verbs
        if kind in verb.subjects
        and (subject.person == "he" or verb.base not in _SAME_IN_THE_PAST)
    ]
