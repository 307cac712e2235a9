"""Phrases and clauses that can be said in English and in German.

A phrase or a clause is drawn once, without a language, and says itself in both. What
the two languages do differently:

- German declines: articles, adjectives, pronouns and some nouns by case, gender and
  number, an adjective also by the article before it.
- The finite verb is second in a main clause, first in a question and last behind a
  conjunction or a relative pronoun. What else there is of the verb - the prefix, the
  participle, the infinitive - ends the clause, before a finite verb that is last.
- "not" and an indefinite object are ``kein``; any other ``nicht`` stands behind the
  objects.
- English needs "do" for questions and negations.

Where German leaves the order of the other parts free, they keep that of the English.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from .translation_lexicon import POSSESSIVES, Adjective, Case, Noun, Pronoun
from .translation_numbers import in_english, in_german
from .translation_verbs import Verb

Person = Literal["I", "he", "they"]
Tense = Literal["present", "past", "perfect", "future", "can", "must", "may", "want"]
#: Where the finite verb stands, or that there is none.
Order = Literal["second", "first", "last", "infinitive"]

# By case the endings of gender m, f, n and of the plural "p".
_THE: dict[Case, dict[str, str]] = {
    "nominative": {"m": "der", "f": "die", "n": "das", "p": "die"},
    "accusative": {"m": "den", "f": "die", "n": "das", "p": "die"},
    "dative": {"m": "dem", "f": "der", "n": "dem", "p": "den"},
    "genitive": {"m": "des", "f": "der", "n": "des", "p": "der"},
}
_EIN: dict[Case, dict[str, str]] = {
    "nominative": {"m": "", "f": "e", "n": "", "p": "e"},
    "accusative": {"m": "en", "f": "e", "n": "", "p": "e"},
    "dative": {"m": "em", "f": "er", "n": "em", "p": "en"},
    "genitive": {"m": "es", "f": "er", "n": "es", "p": "er"},
}
_WEAK: dict[Case, dict[str, str]] = {
    "nominative": {"m": "e", "f": "e", "n": "e", "p": "en"},
    "accusative": {"m": "en", "f": "e", "n": "e", "p": "en"},
    "dative": {"m": "en", "f": "en", "n": "en", "p": "en"},
    "genitive": {"m": "en", "f": "en", "n": "en", "p": "en"},
}
_MIXED = {
    case: endings | ({"m": "er", "n": "es"} if case == "nominative" else {})
    for case, endings in _WEAK.items()
}
_MIXED["accusative"] = _MIXED["accusative"] | {"n": "es"}
_STRONG_PLURAL: dict[Case, str] = {
    "nominative": "e",
    "accusative": "e",
    "dative": "en",
    "genitive": "er",
}
_RELATIVE = _THE | {"dative": _THE["dative"] | {"p": "denen"}}
_CONTRACTIONS = {
    "in dem": "im",
    "in das": "ins",
    "von dem": "vom",
    "zu dem": "zum",
    "zu der": "zur",
}

# Of the persons I, he and they.
_ENGLISH_FORMS = {
    "be": {"I": "am", "he": "is", "they": "are"},
    "past": {"I": "was", "he": "was", "they": "were"},
    "have": {"I": "have", "he": "has", "they": "have"},
    "do": {"I": "do", "he": "does", "they": "do"},
}
_GERMAN_FORMS = {
    "sein": {"I": "bin", "he": "ist", "they": "sind"},
    "past": {"I": "war", "he": "war", "they": "waren"},
    "haben": {"I": "habe", "he": "hat", "they": "haben"},
    "future": {"I": "werde", "he": "wird", "they": "werden"},
    "can": {"I": "kann", "he": "kann", "they": "können"},
    "must": {"I": "muss", "he": "muss", "they": "müssen"},
    "may": {"I": "darf", "he": "darf", "they": "dürfen"},
    "want": {"I": "will", "he": "will", "they": "wollen"},
}
_ENGLISH_AUXILIARIES = {"future": "will", "can": "can", "must": "must"}


class Phrase(Protocol):
    """What can be a subject or an object."""

    @property
    def person(self) -> Person: ...

    @property
    def is_indefinite(self) -> bool:
        """Whether a negation makes it ``kein``."""
        ...

    def english(self, case: Case) -> str: ...

    def german(self, case: Case, negated: bool = False) -> str: ...


@dataclass(frozen=True)
class Personal:
    """A personal pronoun."""

    pronoun: Pronoun
    is_indefinite = False

    @property
    def person(self) -> Person:
        return self.pronoun.person

    def english(self, case: Case) -> str:
        if case == "nominative":
            return self.pronoun.english_subject
        return self.pronoun.english_object

    def german(self, case: Case, negated: bool = False) -> str:
        return self.pronoun.german[case]


@dataclass(frozen=True)
class Word:
    """A question word in the third person singular: "whom", "wen"."""

    in_english: str
    in_german: str
    person: Person = "he"
    is_indefinite = False

    def english(self, case: Case) -> str:
        return self.in_english

    def german(self, case: Case, negated: bool = False) -> str:
        return self.in_german


@dataclass(frozen=True)
class Relative:
    """The relative pronoun of a noun: "who", "whom" or "that"."""

    noun: Noun
    plural: bool
    is_indefinite = False

    @property
    def person(self) -> Person:
        return "they" if self.plural else "he"

    def english(self, case: Case) -> str:
        if self.noun.kind != "person":
            return "that"
        return "who" if case == "nominative" else "whom"

    def german(self, case: Case, negated: bool = False) -> str:
        return _RELATIVE[case]["p" if self.plural else self.noun.gender]


@dataclass(frozen=True)
class NounPhrase:
    """A noun with all that belongs to it.

    Args:
        determiner: "the", "a", a possessive, "how many", or "" before a bare plural.
        number: how many there are, from 2; 0 where it does not say.
        possessor: "the aunt's lamp"; with it the determiner is "the".
        relative: a clause with a ``Relative`` in it that is put to the front.
    """

    noun: Noun
    determiner: str = "the"
    plural: bool = False
    adjective: Adjective | None = None
    number: int = 0
    possessor: "NounPhrase | None" = None
    relative: "Clause | None" = None

    @property
    def person(self) -> Person:
        return "they" if self.plural else "he"

    @property
    def is_indefinite(self) -> bool:
        return not self.number and self.determiner in ("a", "")

    def english(self, case: Case) -> str:
        noun = self.noun.english_plural if self.plural else self.noun.english
        words = [self.adjective.english if self.adjective else "", noun]
        if self.number:
            words.insert(0, in_english(self.number))
        phrase = _joined(words)
        if self.possessor:
            words = [f"{self.possessor.english(case)}'s", phrase]
        elif self.determiner == "a":
            words = ["an" if phrase[0] in "aeiou" else "a", phrase]
        else:
            words = [self.determiner, phrase]
        if self.relative:
            words.append(self.relative.english("second"))
        return _joined(words)

    def german(self, case: Case, negated: bool = False) -> str:
        words = [self._german_determiner(case, negated)]
        if self.number:
            words.append(in_german(self.number))
        if self.adjective:
            words.append(self.adjective.stem + self._adjective_ending(case, negated))
        words.append(self._german_noun(case))
        if self.possessor:
            words.append(self.possessor.german("genitive"))
        phrase = _joined(words)
        return f"{phrase}, {self.relative.german('last')}," if self.relative else phrase

    def _german_determiner(self, case: Case, negated: bool) -> str:
        form = "p" if self.plural else self.noun.gender
        if negated:
            return f"kein{_EIN[case][form]}"
        if self.determiner == "a":
            return f"ein{_EIN[case][form]}"
        if self.determiner == "how many":
            return "wie viele"
        if self.determiner in POSSESSIVES:
            return POSSESSIVES[self.determiner] + _EIN[case][form]
        return _THE[case][form] if self.determiner == "the" else ""

    def _adjective_ending(self, case: Case, negated: bool) -> str:
        form = "p" if self.plural else self.noun.gender
        if self.determiner == "the":
            return _WEAK[case][form]
        if self.plural and not negated and self.determiner not in POSSESSIVES:
            return _STRONG_PLURAL[case]
        return _MIXED[case][form]

    def _german_noun(self, case: Case) -> str:
        noun = self.noun
        if self.plural:
            takes_n = case == "dative" and not noun.german_plural.endswith(("n", "s"))
            return noun.german_plural + ("n" if takes_n else "")
        is_weak = noun.gender == "m" and noun.genitive.endswith("n")
        if case == "genitive" or (is_weak and case != "nominative"):
            return noun.genitive
        return noun.german


@dataclass(frozen=True)
class Pair:
    """Two phrases joined by "and"."""

    first: Phrase
    second: Phrase
    person: Person = "they"
    is_indefinite = False

    def english(self, case: Case) -> str:
        return f"{self.first.english(case)} and {self.second.english(case)}"

    def german(self, case: Case, negated: bool = False) -> str:
        return f"{self.first.german(case)} und {self.second.german(case)}"


@dataclass(frozen=True)
class Prepositional:
    """A phrase behind a preposition."""

    in_english: str
    in_german: str
    case: Case
    phrase: Phrase

    def english(self) -> str:
        return f"{self.in_english} {self.phrase.english(self.case)}"

    def german(self) -> str:
        words = f"{self.in_german} {self.phrase.german(self.case)}"
        for long, short in _CONTRACTIONS.items():
            if words.startswith(f"{long} "):
                return short + words.removeprefix(long)
        return words


@dataclass(frozen=True)
class Clause:
    """A verb with its subject and objects.

    Args:
        subject: in an infinitive, whose verb has none, what it would be.
        verb: which one.
        objects: each with its case in German.
        adjunct: stands behind the objects.
        complement: of "be", in both languages: an adjective or a comparison.
        tense: "past" of "be" alone; the modal verbs are tenses here.
        negated: with "not".
        moved: what is put to the front: a subject or object, a question word that
            stands for one, or a relative pronoun.
    """

    subject: Phrase
    verb: Verb
    objects: tuple[tuple[Phrase, Case], ...] = ()
    adjunct: Prepositional | None = None
    complement: tuple[str, str] | None = None
    tense: Tense = "present"
    negated: bool = False
    moved: Phrase | None = None

    def english(self, order: Order) -> str:
        """The clause; "last" is said like "second", an infinitive with "to"."""
        if order == "infinitive":
            return f"to {self._english_predicate(self.verb.base)}"
        subject = self.subject.english("nominative")
        finite, rest = self._english_verb(inverted=order == "first")
        if self.subject is self.moved:
            return _joined([subject, finite, rest])
        moved = [
            phrase.english(case)
            for phrase, case in self.objects
            if phrase is self.moved
        ]
        words = [finite, subject] if order == "first" else [subject, finite]
        return _joined([*moved, *words, rest])

    def german(self, order: Order, front: str = "") -> str:
        """The clause; in "second", ``front`` or what was moved takes the first place.

        Without either it is the subject.
        """
        finite, tail = self._german_verb()
        subject = self.subject.german("nominative")
        if self.subject is self.moved:
            front = subject
        for phrase, case in self.objects:
            if phrase is self.moved:
                front = phrase.german(case)
        middle = self._german_middle()
        if order == "infinitive":
            prefix = self.verb.prefix
            verb = f"{prefix}zu{self.verb.infinitive}"
            return _joined([*middle, verb if prefix else f"zu {self.verb.infinitive}"])
        if order == "second" and not front:
            return _joined([subject, finite, *middle, tail])
        if self.subject is not self.moved:
            middle = [subject, *middle]
        if order == "last":
            separated = tail and tail == self.verb.prefix
            end = [tail + finite] if separated else [tail, finite]
            return _joined([front, *middle, *end])
        return _joined([front, finite, *middle, tail])

    def _english_predicate(self, verb: str) -> str:
        """A form of the verb and what stands behind it."""
        behind = [verb]
        phrases = [phrase for phrase in self.objects if phrase[0] is not self.moved]
        pronoun_first = bool(phrases) and isinstance(phrases[0][0], Personal)
        if not pronoun_first:
            behind.append(self.verb.particle)
        behind.append(self.verb.preposition)
        behind += [phrase.english(case) for phrase, case in phrases]
        if pronoun_first:
            behind.append(self.verb.particle)
        if self.complement:
            behind.append(self.complement[0])
        if self.adjunct:
            behind.append(self.adjunct.english())
        return _joined(behind)

    def _english_verb(self, inverted: bool) -> tuple[str, str]:
        """The finite verb, and the rest of the predicate."""
        person = self.subject.person
        no = "not" if self.negated else ""
        if self.verb.base == "be" and self.tense in ("present", "past"):
            forms = _ENGLISH_FORMS["be" if self.tense == "present" else "past"]
            return forms[person], _joined([no, self._english_predicate("")])
        if self.tense == "perfect":
            predicate = self._english_predicate(self.verb.participle)
            return _ENGLISH_FORMS["have"][person], _joined([no, predicate])
        if self.tense == "may":
            predicate = f"allowed to {self._english_predicate(self.verb.base)}"
            return _ENGLISH_FORMS["be"][person], _joined([no, predicate])
        if self.tense in _ENGLISH_AUXILIARIES:
            auxiliary = _ENGLISH_AUXILIARIES[self.tense]
            predicate = self._english_predicate(self.verb.base)
            if self.negated and auxiliary == "can":
                return "cannot", predicate
            return auxiliary, _joined([no, predicate])
        base, third, rest = self.verb.base, self.verb.third, ""
        if self.tense == "want":
            base, third = "want", "wants"
            rest = f"to {self._english_predicate(self.verb.base)}"
        if self.negated or (inverted and self.subject is not self.moved):
            return _ENGLISH_FORMS["do"][person], _joined(
                [no, f"{base} {rest}" if rest else self._english_predicate(base)]
            )
        form = third if person == "he" else base
        return ("", self._english_predicate(form)) if not rest else (form, rest)

    def _german_middle(self) -> list[str]:
        """Objects, negation and adjunct, but not what was moved."""
        negates_object = self.negated and any(
            phrase.is_indefinite for phrase, _ in self.objects
        )
        middle = [
            phrase.german(case, negates_object and phrase.is_indefinite)
            for phrase, case in self.objects
            if phrase is not self.moved
        ]
        if self.negated and not negates_object:
            middle.append("nicht")
        if self.adjunct:
            middle.append(self.adjunct.german())
        if self.complement:
            middle.append(self.complement[1])
        return middle

    def _german_verb(self) -> tuple[str, str]:
        """The finite verb, and what ends the clause."""
        verb, person = self.verb, self.subject.person
        if self.tense == "perfect":
            return _GERMAN_FORMS[verb.auxiliary][person], verb.participle_german
        if self.tense == "past":
            return _GERMAN_FORMS["past"][person], ""
        if self.tense != "present":
            return _GERMAN_FORMS[self.tense][person], verb.prefix + verb.infinitive
        if verb.infinitive == "sein":
            return _GERMAN_FORMS["sein"][person], ""
        if person == "he":
            return verb.third_german, verb.prefix
        if person == "they":
            return verb.infinitive, verb.prefix
        return verb.infinitive.removesuffix("n").removesuffix("e") + "e", verb.prefix


def _joined(words: list[str]) -> str:
    return " ".join(word for word in words if word)
