"""Sentences drawn at random and said in English and in German."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from .translation_grammar import (
    Clause,
    NounPhrase,
    Phrase,
    Prepositional,
    Relative,
    Tense,
    Word,
)
from .translation_lexicon import ADJECTIVES, EURO, NOUNS, Case, Noun
from .translation_numbers import in_english, in_german
from .translation_phrases import (
    LIVING,
    PLACES,
    Drawn,
    PhraseDrawing,
    fitting_verbs,
)
from .translation_verbs import (
    ACTIVITIES,
    BE,
    COST,
    DITRANSITIVE,
    HAPPENINGS,
    MOTIONS,
    TRANSITIVE,
    WITH_CLAUSE,
    WITH_DATIVE,
    WITH_INFINITIVE,
    WITH_QUESTION,
)

_Said = tuple[str, str]

_WHERE = {
    "in": "in",
    "behind": "hinter",
    "next to": "neben",
    "in front of": "vor",
}
_WHITHER: tuple[tuple[str, str, Case], ...] = (
    ("into", "in", "accusative"),
    ("to", "zu", "dative"),
    ("through", "durch", "accusative"),
    ("out of", "aus", "dative"),
)
_CONJUNCTIONS = {
    "because": "weil",
    "although": "obwohl",
    "while": "während",
    "when": "wenn",
    "as soon as": "sobald",
}


@dataclass(frozen=True)
class Sentence:
    """A drawn sentence.

    Args:
        english, german: with capital and full stop or question mark.
        drawn: the combinations in it, and the composed words.
    """

    english: str
    german: str
    drawn: Drawn


def draw_sentence(generator: random.Random) -> Sentence:
    """A sentence of any kind."""
    drawing = _SentenceDrawing(generator)
    english, german = drawing.sentence()
    return Sentence(_written(english), _written(german), drawing.drawn)


class _SentenceDrawing(PhraseDrawing):
    """Draws one sentence; methods give it in English and in German, or a clause."""

    def sentence(self) -> _Said:
        of_one_clause: dict[Callable[[], _Said], int] = {
            self._statement: 38,
            self._question: 17,
            self._description: 10,
            self._price: 4,
        }
        of_two_clauses: dict[Callable[[], _Said], int] = {
            self._reported: 6,
            self._adverbial: 8,
            self._contrast: 3,
            self._subject_with_relative: 5,
            self._object_with_relative: 5,
            self._infinitive: 6,
        }
        draw = self.one_of(of_one_clause | of_two_clauses)
        self.is_brief = draw in of_two_clauses
        return draw()

    def _statement(self) -> _Said:
        if self.chance(0.6):
            clause = self._clause(self.tense())
            return clause.english("second"), clause.german("second")
        english, german, tenses = self.time()
        clause = self._clause(self.random.choice(tenses))
        said = clause.english("second")
        return f"{english} {said}", clause.german("second", front=german)

    def _question(self) -> _Said:
        kind = self.one_of({"whether": 5, "who": 3, "whom": 7, "where": 2, "why": 3})
        if kind == "whom":
            return self._question_for_object()
        if kind == "who":
            who = Word("who", "wer")
            clause = self._clause(self.tense(), subject=who, negatable=False)
            clause = replace(clause, moved=who)
            return f"{clause.english('first')}?", f"{clause.german('second')}?"
        if kind == "where":
            clause = self._activity(self.tense(), adjuncts=False)
        else:
            clause = self._clause(self.tense(), negatable=False)
        said = clause.english("first")
        if kind == "whether":
            return f"{said}?", f"{clause.german('first')}?"
        front = {"where": "wo", "why": "warum"}[kind]
        return f"{kind} {said}?", f"{clause.german('second', front=front)}?"

    def _question_for_object(self) -> _Said:
        """After whom, what, or how many of them."""
        verb = self.random.choice(TRANSITIVE + WITH_DATIVE)
        asked: Phrase
        if self.chance(0.3):
            noun = self.noun(verb.objects)
            asked = NounPhrase(noun, "how many", plural=True)
            self.combine_with_object(verb, noun)
        elif "person" in verb.objects:
            asked = Word("whom", "wem" if verb.case == "dative" else "wen")
        else:
            asked = Word("what", "was")
        clause = Clause(
            self.subject(verb),
            verb,
            ((asked, verb.case),),
            tense=self.tense(),
            moved=asked,
        )
        return f"{clause.english('first')}?", f"{clause.german('second')}?"

    def _reported(self) -> _Said:
        asks = self.chance(0.3)
        verb = self.random.choice(WITH_QUESTION if asks else WITH_CLAUSE)
        tense: Tense = self.one_of({"present": 3, "perfect": 1})
        matrix = Clause(self.subject(verb), verb, tense=tense)
        clause = self._clause(self.tense())
        english, german = ("whether", "ob") if asks else ("that", "dass")
        return (
            f"{matrix.english('second')} {english} {clause.english('second')}",
            f"{matrix.german('second')}, {german} {clause.german('last')}",
        )

    def _adverbial(self) -> _Said:
        english, german = self.random.choice(list(_CONJUNCTIONS.items()))
        of_time = english not in ("because", "although")
        main, other = (
            self._clause("present" if of_time else self.tense(), negatable=not of_time)
            for _ in range(2)
        )
        said, behind = other.english("second"), other.german("last")
        if self.chance(0.5):
            return (
                f"{main.english('second')} {english} {said}",
                f"{main.german('second')}, {german} {behind}",
            )
        return (
            f"{english} {said}, {main.english('second')}",
            main.german("second", front=f"{german} {behind},"),
        )

    def _contrast(self) -> _Said:
        first, second = self._clause(self.tense()), self._clause(self.tense())
        return (
            f"{first.english('second')}, but {second.english('second')}",
            f"{first.german('second')}, aber {second.german('second')}",
        )

    def _subject_with_relative(self) -> _Said:
        noun, plural = self.noun(LIVING), self.chance(0.2)
        subject = NounPhrase(noun, plural=plural, relative=self._relative(noun, plural))
        clause = self._clause(self.tense(), subject=subject, negatable=False)
        return clause.english("second"), clause.german("second")

    def _object_with_relative(self) -> _Said:
        # In the present of a verb without a prefix nothing stands behind the object.
        verbs = [v for v in TRANSITIVE + WITH_DATIVE if not v.prefix]
        verb = self.random.choice(verbs)
        subject = self.subject(verb)
        noun, plural = self.noun(verb.objects), self.chance(0.2)
        self.combine_with_object(verb, noun)
        phrase = NounPhrase(noun, plural=plural, relative=self._relative(noun, plural))
        clause = Clause(subject, verb, ((phrase, verb.case),))
        return clause.english("second"), clause.german("second")

    def _relative(self, noun: Noun, plural: bool) -> Clause:
        """A clause about the noun, as its subject or as its object."""
        pronoun = Relative(noun, plural)
        tense: Tense = self.one_of({"present": 2, "perfect": 1})
        if noun.kind in LIVING and self.chance(0.5):
            clause = self._clause(tense, subject=pronoun, negatable=False)
            return replace(clause, moved=pronoun)
        verb = self.random.choice(
            [verb for verb in TRANSITIVE + WITH_DATIVE if noun.kind in verb.objects]
        )
        self.combine_with_object(verb, noun)
        subject = self.subject(verb)
        return Clause(
            subject, verb, ((pronoun, verb.case),), tense=tense, moved=pronoun
        )

    def _infinitive(self) -> _Said:
        verb = self.random.choice(WITH_INFINITIVE)
        subject = self.subject(verb)
        tense: Tense = self.one_of({"present": 3, "perfect": 2})
        matrix = Clause(subject, verb, tense=tense)
        # With an object, since German has a comma before it and none without.
        inner = self._with_object("present", subject)
        return (
            f"{matrix.english('second')} {inner.english('infinitive')}",
            f"{matrix.german('second')}, {inner.german('infinitive')}",
        )

    def _description(self) -> _Said:
        """Somebody or something is old, older than another, or so many years old."""
        kind = self.one_of({"plain": 4, "comparison": 4, "age": 3})
        if kind == "age":
            number = self.number()
            years, jahre = f"{in_english(number)} years", f"{in_german(number)} Jahre"
            complement = f"{years} old", f"{jahre} alt"
            subject = self.noun_phrase(LIVING)
        else:
            noun = self.noun({noun.kind for noun in NOUNS})
            subject = self.noun_phrase({noun.kind}, noun)
            complement = self._quality(noun, compared=kind == "comparison")
        clause = Clause(
            subject,
            BE,
            complement=complement,
            tense=self.one_of({"present": 2, "past": 1}),
            negated=kind == "plain" and self.chance(0.3),
        )
        if self.chance(0.2) and not clause.negated:
            return f"{clause.english('first')}?", f"{clause.german('first')}?"
        return clause.english("second"), clause.german("second")

    def _quality(self, noun: Noun, compared: bool) -> _Said:
        adjective = self.random.choice(
            [
                adjective
                for adjective in ADJECTIVES
                if noun.kind in adjective.kinds
                and (not compared or adjective.german_comparative != "-")
            ]
        )
        self.combine("adjective and noun", adjective.english, noun.english)
        if not compared:
            return adjective.english, adjective.german
        other = self.noun_phrase({noun.kind}, is_plain=True)
        english, german = other.english("nominative"), other.german("nominative")
        if self.chance(0.3):
            return (
                f"as {adjective.english} as {english}",
                f"so {adjective.german} wie {german}",
            )
        more = adjective.english_comparative
        if more == "-":
            more = f"more {adjective.english}"
        return f"{more} than {english}", f"{adjective.german_comparative} als {german}"

    def _price(self) -> _Said:
        goods = ("machine", "device", "furniture", "clothes", "text")
        subject = self.noun_phrase(goods, plural=False)
        price = NounPhrase(EURO, "", plural=True, number=self.number())
        clause = Clause(subject, COST, ((price, "accusative"),))
        return clause.english("second"), clause.german("second")

    def _clause(
        self, tense: Tense, *, subject: Phrase | None = None, negatable: bool = True
    ) -> Clause:
        """Any clause but one of "be"; its subject is drawn where none is given."""
        kinds: dict[Callable[[Tense, Phrase | None], Clause], int] = {
            self._with_object: 11,
            self._with_two_objects: 2 if fitting_verbs(DITRANSITIVE, subject) else 0,
            self._activity: 3,
            self._happening: 1,
            self._motion: 2,
        }
        clause = self.one_of(kinds)(tense, subject)
        negated = negatable and tense != "must" and self.chance(0.2)
        return replace(clause, negated=negated and not _has_number(clause))

    def _with_object(self, tense: Tense, subject: Phrase | None) -> Clause:
        verbs = TRANSITIVE if self.chance(0.8) else WITH_DATIVE
        verb = self.random.choice(fitting_verbs(verbs, subject))
        subject = subject or self.subject(verb)
        phrase = self.object(verb, subject)
        adjunct = None
        if verb.base == "carry" and self.chance(0.7):
            place = self.noun_phrase(PLACES, is_plain=True)
            adjunct = Prepositional("into", "in", "accusative", place)
        elif verb.base in ("buy", "sew", "steal", "peel") and self.chance(0.4):
            adjunct = Prepositional("for", "für", "accusative", self.somebody(subject))
        return Clause(subject, verb, ((phrase, verb.case),), adjunct, tense=tense)

    def _with_two_objects(self, tense: Tense, subject: Phrase | None) -> Clause:
        verb = self.random.choice(fitting_verbs(DITRANSITIVE, subject))
        subject = subject or self.subject(verb)
        receiver = self.somebody(subject)
        # "Her apples" could be the apples that she has.
        is_clear = receiver.english("dative") != "her"
        phrase = self.noun_phrase(verb.objects, is_object=is_clear)
        self.combine_with_object(verb, phrase.noun)
        objects: tuple[tuple[Phrase, Case], ...]
        objects = ((receiver, "dative"), (phrase, "accusative"))
        return Clause(subject, verb, objects, tense=tense)

    def _activity(
        self, tense: Tense, subject: Phrase | None = None, adjuncts: bool = True
    ) -> Clause:
        verb = self.random.choice(fitting_verbs(ACTIVITIES, subject))
        subject = subject or self.subject(verb)
        kind = self.one_of({"": 1, "where": 5, "with": 2, "without": 1, "for": 1})
        adjunct = None
        if adjuncts and kind == "where":
            english, german = self.random.choice(list(_WHERE.items()))
            place = self.noun_phrase(PLACES, is_plain=True)
            adjunct = Prepositional(english, german, "dative", place)
        elif adjuncts and kind == "with":
            adjunct = Prepositional("with", "mit", "dative", self.somebody(subject))
        elif adjuncts and kind == "without":
            somebody = self.somebody(subject)
            adjunct = Prepositional("without", "ohne", "accusative", somebody)
        elif adjuncts and kind == "for" and verb.base in ("work", "cook", "sing"):
            adjunct = Prepositional("for", "für", "accusative", self.somebody(subject))
        return Clause(subject, verb, adjunct=adjunct, tense=tense)

    def _happening(self, tense: Tense, subject: Phrase | None) -> Clause:
        verb = self.random.choice(fitting_verbs(HAPPENINGS, subject))
        return Clause(subject or self.subject(verb), verb, tense=tense)

    def _motion(self, tense: Tense, subject: Phrase | None) -> Clause:
        verb = self.random.choice(fitting_verbs(MOTIONS, subject))
        subject = subject or self.subject(verb)
        english, german, case = self.random.choice(_WHITHER)
        place = self.noun_phrase(PLACES, is_plain=True)
        adjunct = Prepositional(english, german, case, place)
        return Clause(subject, verb, adjunct=adjunct, tense=tense)


def _has_number(clause: Clause) -> bool:
    return any(
        isinstance(phrase, NounPhrase) and phrase.number for phrase, _ in clause.objects
    )


def _written(words: str) -> str:
    """The sentence with its capital, its end, and no comma before another sign."""
    end = "" if words.endswith("?") else "."
    text = re.sub(r",(?=[,.?])", "", f"{words}{end}")
    return text[0].upper() + text[1:]
