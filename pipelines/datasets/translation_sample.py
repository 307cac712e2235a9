"""The embedded sample: English sentences with their German translation.

Sentences are drawn from a grammar and said in both languages (``translation_grammar``
says what differs between them), so each English sentence has exactly one translation
and exact match is a fair measure. What the sentences have in them:

- agreement of person and number, pronouns, four cases, three genders, the three
  declensions of adjectives, weak nouns;
- objects in the accusative and in the dative, and both; prepositions that take either;
- the verb second, first in questions, last in subordinate and relative clauses; the
  perfect with haben and sein, the future, modal verbs; separable verbs; infinitives
  with "zu";
- negation by "nicht" and "kein";
- compounds, numbers ("einundzwanzig"), dates and times of the clock ("halb vier").

The dictionary has one German word for an English one. Where German has a choice left,
a rule makes it: the simple past is that of "be" alone, since either past of German
could stand for that of another verb; "because" is "weil"; parts of a sentence keep
their English order where German allows it.

Combinations of words are kept out of training (``is_held_out``): one in eight of a verb
with its object and of an adjective with its noun, one in five of a compound, of a
number from 21 and of a day with its month. Every sentence of the validation and test
splits has at least one of them, and no word that training does not have, except for
German compounds and numbers, whose parts it has.
"""

import random
import re
import zlib
from dataclasses import dataclass

from ..errors import UserError
from .translation_sentences import Sentence, draw_sentence

DEFAULT_NUMBER_OF_PAIRS = 18_000
SMALLEST_NUMBER_OF_PAIRS = 100
# Above this the search for sentences that do not stand there yet gets slow.
LARGEST_NUMBER_OF_PAIRS = 500_000

SOURCE, TARGET = "en", "de"
#: Shares of the pairs by split.
SPLIT_SHARES = {"train": 16 / 18, "validation": 1 / 18, "test": 1 / 18}

#: One in so many combinations of a kind is held out.
HELD_OUT_OF = {
    "verb and object": 8,
    "adjective and noun": 8,
    "compound": 5,
    "number": 5,
    "date": 5,
}


@dataclass(frozen=True)
class TranslationSample:
    """The generated pairs: for "train", "validation" and "test" English and German."""

    splits: dict[str, tuple[list[str], list[str]]]


def sample_pairs(
    number: int = DEFAULT_NUMBER_OF_PAIRS, seed: int = 0
) -> TranslationSample:
    """Generates ``number`` pairs; sixteen in eighteen are the training split.

    No English sentence stands there twice, in one split or in two. The same number and
    seed give the same pairs.

    Raises:
        UserError: ``number`` is below 100 or above 500,000.
    """
    if not SMALLEST_NUMBER_OF_PAIRS <= number <= LARGEST_NUMBER_OF_PAIRS:
        raise UserError(
            f"sample:{number}: between {SMALLEST_NUMBER_OF_PAIRS:,} and "
            f"{LARGEST_NUMBER_OF_PAIRS:,} pairs were expected"
        )
    generator = random.Random(seed)
    seen: set[str] = set()
    known: set[str] = set()
    splits: dict[str, tuple[list[str], list[str]]] = {}
    for split, share in SPLIT_SHARES.items():
        english: list[str] = []
        german: list[str] = []
        while len(english) < round(number * share):
            sentence = draw_sentence(generator)
            if sentence.english in seen or _has_held_out(sentence) == (
                split == "train"
            ):
                continue
            words = _words(sentence)
            if split == "train":
                known |= words
            elif not words <= known:
                continue
            seen.add(sentence.english)
            english.append(sentence.english)
            german.append(sentence.german)
        splits[split] = (english, german)
    return TranslationSample(splits)


def is_held_out(kind: str, first: str, second: str) -> bool:
    """Whether no training sentence has this combination; kinds as in HELD_OUT_OF."""
    return zlib.crc32(f"{kind}: {first} {second}".encode()) % HELD_OUT_OF[kind] == 0


def _has_held_out(sentence: Sentence) -> bool:
    return any(is_held_out(*combination) for combination in sentence.drawn.combinations)


def _words(sentence: Sentence) -> set[str]:
    """Its words in both languages, of English "twenty-one" each half; not the composed.

    The first one of a sentence is taken in lower case, since its capital says nothing.
    """
    english = re.findall(r"[\w']+", sentence.english[0].lower() + sentence.english[1:])
    german = re.findall(r"\w+", sentence.german)
    german[0] = german[0].lower()
    composed = {word.lower() for word in sentence.drawn.composed}
    return {f"en {word}" for word in english} | {
        f"de {word.lower()}" for word in german if word.lower() not in composed
    }
