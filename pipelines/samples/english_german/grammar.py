"""Phrases and clauses that are said in English and in German.

What the two languages do differently:

- German declines articles, adjectives and pronouns by case, gender and number, an
  adjective also by the article before it.
- The German finite verb is second in a main clause, first in a question, and last
  behind a conjunction or a relative pronoun. The rest of the verb (prefix, participle,
  infinitive) ends the clause.
- "Not" and an indefinite object are `kein`; any other `nicht` follows the objects.
- English needs "do" in questions and negations.
"""

import re
from dataclasses import dataclass
from typing import Literal, Protocol

from .numbers import in_english, in_german
from .words import BE, Adjective, Case, Noun, Person, Pronoun, Verb

Tense = Literal["present", "past", "perfect", "future", "can", "must"]
#: Where the German finite verb stands.
Order = Literal["first", "second", "last"]


def _by_case(
    nominative: str, accusative: str, dative: str
) -> dict[Case, dict[str, str]]:
    """Forms or endings of the three genders and of the plural, "-" for no ending."""
    rows: dict[Case, str]
    rows = {"nominative": nominative, "accusative": accusative, "dative": dative}
    return {
        case: dict(zip("mfnp", row.replace("-", "").split(" "), strict=True))
        for case, row in rows.items()
    }


def _by_person(forms: str) -> dict[Person, str]:
    i, he, they = forms.split()
    return {"I": i, "he": he, "they": they}


_THE = _by_case("der die das die", "den die das die", "dem der dem den")
_EIN = _by_case("- e - e", "en e - e", "em er em en")
_AFTER_THE = _by_case("e e e en", "en e e en", "en en en en")
_AFTER_EIN = _by_case("er e es en", "en e es en", "en en en en")
_ALONE = _by_case("er e es e", "en e es e", "em er em en")
_WHO: dict[Case, str] = {"nominative": "wer", "accusative": "wen", "dative": "wem"}
#: Determiners that are declined like "ein".
EIN_WORDS = {"a": "ein", "my": "mein", "our": "unser"}
_CONTRACTIONS = {"in dem": "im", "in das": "ins"}

_BE = {
    "present": (_by_person("am is are"), _by_person("bin ist sind")),
    "past": (_by_person("was was were"), _by_person("war war waren")),
}
_DO = _by_person("do does do")
_HAVE = _by_person("have has have")
_PERFECT = {
    "haben": _by_person("habe hat haben"),
    "sein": _by_person("bin ist sind"),
}
_MODALS = {
    "future": ("will", _by_person("werde wird werden")),
    "can": ("can", _by_person("kann kann können")),
    "must": ("must", _by_person("muss muss müssen")),
}


class Phrase(Protocol):
    """A subject or an object."""

    @property
    def person(self) -> Person: ...

    @property
    def is_indefinite(self) -> bool:
        """Whether a negation makes it `kein`."""
        ...

    def english(self, case: Case) -> str: ...

    def german(self, case: Case, negated: bool = False) -> str: ...


@dataclass(frozen=True)
class Who:
    """The question word for a person or, with `noun`, the relative pronoun."""

    noun: Noun | None = None
    plural: bool = False
    is_indefinite = False

    @property
    def person(self) -> Person:
        return "they" if self.plural else "he"

    def english(self, case: Case) -> str:
        return "who" if case == "nominative" else "whom"

    def german(self, case: Case, negated: bool = False) -> str:
        if not self.noun:
            return _WHO[case]
        if self.plural and case == "dative":
            return "denen"
        return _THE[case]["p" if self.plural else self.noun.gender]


@dataclass(frozen=True)
class NounPhrase:
    """A noun with its determiner, number, adjective and relative clause.

    Args:
        determiner: "the", one of `EIN_WORDS`, or "" before a plural.
        number: How many there are, from 2; 0 if that is not said.
        relative: A clause whose subject or fronted object is a `Who` of this noun.
    """

    noun: Noun
    determiner: str = "the"
    plural: bool = False
    adjective: Adjective | None = None
    number: int = 0
    relative: "Clause | None" = None

    @property
    def person(self) -> Person:
        return "they" if self.plural else "he"

    @property
    def is_indefinite(self) -> bool:
        return self.determiner in ("a", "") and not self.number

    def english(self, case: Case) -> str:
        phrase = joined(
            in_english(self.number) if self.number else "",
            self.adjective.english if self.adjective else "",
            self.noun.english_plural if self.plural else self.noun.english,
        )
        an = self.determiner == "a" and phrase[0] in "aeiou"
        relative = self.relative.english() if self.relative else ""
        return joined("an" if an else self.determiner, phrase, relative)

    def german(self, case: Case, negated: bool = False) -> str:
        form = "p" if self.plural else self.noun.gender
        determiner, ending = "", _ALONE[case][form]
        if self.determiner == "the":
            determiner, ending = _THE[case][form], _AFTER_THE[case][form]
        elif negated or self.determiner:
            word = "kein" if negated else EIN_WORDS[self.determiner]
            determiner, ending = word + _EIN[case][form], _AFTER_EIN[case][form]
        return joined(
            determiner,
            in_german(self.number) if self.number else "",
            self.adjective.stem + ending if self.adjective else "",
            self._german_noun(case) + ("," if self.relative else ""),
            f"{self.relative.german('last')}," if self.relative else "",
        )

    def _german_noun(self, case: Case) -> str:
        if not self.plural:
            return self.noun.german
        takes_n = case == "dative" and not self.noun.german_plural.endswith(("n", "s"))
        return self.noun.german_plural + ("n" if takes_n else "")


def place(preposition: Literal["in", "into"], phrase: NounPhrase) -> tuple[str, str]:
    """Where, in the dative, or where to, in the accusative; in both languages."""
    case: Case = "dative" if preposition == "in" else "accusative"
    german = f"in {phrase.german(case)}"
    for long, short in _CONTRACTIONS.items():
        german = re.sub(rf"^{long}\b", short, german)
    return f"{preposition} {phrase.english(case)}", german


@dataclass(frozen=True)
class Clause:
    """A verb with its subject and all that belongs to it.

    Args:
        objects: Each with its German case.
        place: English and German.
        complement: Of "be".
        fronted: The object that stands in front: a question word or relative pronoun.
    """

    subject: Phrase
    verb: Verb
    objects: tuple[tuple[Phrase, Case], ...] = ()
    place: tuple[str, str] = ("", "")
    complement: Adjective | None = None
    tense: Tense = "present"
    negated: bool = False
    fronted: Phrase | None = None

    def english(self, asks: bool = False) -> str:
        """The clause, as a question if it `asks`; "who helps?" is no such question."""
        finite, verb = self._english_verb(asks)
        subject = self.subject.english("nominative")
        negation = "not" if self.negated else ""
        if finite == "can" and self.negated:
            finite, negation = "cannot", ""
        return joined(
            *(p.english(case) for p, case in self.objects if p is self.fronted),
            *((finite, subject) if asks else (subject, finite)),
            negation,
            verb,
            *self._english_objects(),
            self.complement.english if self.complement else "",
            self.place[0],
        )

    def german(self, order: Order, front: str = "") -> str:
        """The clause; what stands in `front` takes the place of the subject."""
        finite, rest = self._german_verb()
        for phrase, case in self.objects:
            if phrase is self.fronted:
                front = phrase.german(case)
        subject = self.subject.german("nominative")
        middle = [*([subject] if front else []), *self._german_middle()]
        if order == "first":
            return joined(finite, subject, *middle, rest)
        front = front or subject
        if order == "second":
            return joined(front, finite, *middle, rest)
        is_prefix = rest and rest == self.verb.prefix
        return joined(
            front, *middle, rest + finite if is_prefix else joined(rest, finite)
        )

    def _english_verb(self, asks: bool) -> tuple[str, str]:
        """The auxiliary, or "be", and what follows it."""
        verb, person = self.verb, self.subject.person
        if verb is BE:
            return _BE[self.tense][0][person], ""
        if self.tense == "perfect":
            return _HAVE[person], verb.participle
        if self.tense in _MODALS:
            return _MODALS[self.tense][0], verb.base
        if self.negated or asks:
            return _DO[person], verb.base
        return "", verb.third_person if person == "he" else verb.base

    def _english_objects(self) -> list[str]:
        objects = [(p, case) for p, case in self.objects if p is not self.fronted]
        said = [phrase.english(case) for phrase, case in objects]
        pronoun_first = bool(objects) and isinstance(objects[0][0], Pronoun)
        return (
            [*said, self.verb.particle]
            if pronoun_first
            else [self.verb.particle, *said]
        )

    def _german_verb(self) -> tuple[str, str]:
        """The finite verb, and what ends the clause."""
        verb, person = self.verb, self.subject.person
        if verb is BE:
            return _BE[self.tense][1][person], ""
        if self.tense == "perfect":
            return _PERFECT[verb.auxiliary][person], verb.german_participle
        if self.tense in _MODALS:
            return _MODALS[self.tense][1][person], verb.prefix + verb.infinitive
        forms = {
            "I": verb.infinitive.removesuffix("n"),
            "he": verb.german_third_person,
            "they": verb.infinitive,
        }
        return forms[person], verb.prefix

    def _german_middle(self) -> list[str]:
        objects = [(p, case) for p, case in self.objects if p is not self.fronted]
        kein = self.negated and any(phrase.is_indefinite for phrase, _ in objects)
        return [
            *(p.german(case, kein and p.is_indefinite) for p, case in objects),
            "nicht" if self.negated and not kein else "",
            self.complement.german if self.complement else "",
            self.place[1],
        ]


def joined(*words: str) -> str:
    """The words that are not empty, with spaces."""
    return " ".join(filter(None, words))
