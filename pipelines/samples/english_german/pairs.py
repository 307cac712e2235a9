"""The embedded sample: English sentences and the same in German.

A small grammar says every sentence in both languages, so an English sentence has
exactly one German one and exact match is a fair measure. A model has to learn:

- agreement, pronouns, three genders, three cases, the declension of adjectives;
- objects in the accusative, in the dative, and both;
- where the verb stands: second, first in questions, last in subordinate and relative
  clauses; the perfect with haben and sein, the future, modal verbs, separable verbs;
- negation by "nicht" and "kein";
- numbers ("einundzwanzig").

Every English word has one German word. The simple past is that of "be" alone, because
either past of German could stand for that of another verb.

Some combinations of words are kept out of training (`is_held_out`). Every sentence of
the validation and test splits has at least one of them, and no word that training does
not have, except for German numbers, whose parts it has.
"""

import random
import re
import zlib
from dataclasses import dataclass

from ...core.errors import UserError
from .sentences import Sentence, draw_sentence

DEFAULT_NUMBER_OF_PAIRS = 18_000
SMALLEST_NUMBER_OF_PAIRS = 100
# Above this the search for new sentences gets slow.
LARGEST_NUMBER_OF_PAIRS = 500_000

SOURCE, TARGET = "en", "de"
#: Shares of the pairs by split.
SPLIT_SHARES = {"train": 16 / 18, "validation": 1 / 18, "test": 1 / 18}

#: One in so many combinations of a kind is held out.
HELD_OUT_OF = {
    "verb and object": 8,
    "adjective and noun": 8,
    "number": 5,
}


@dataclass(frozen=True)
class SamplePairs:
    """The generated pairs: English and German sentences by split."""

    splits: dict[str, tuple[list[str], list[str]]]


def sample_pairs(number: int = DEFAULT_NUMBER_OF_PAIRS, seed: int = 0) -> SamplePairs:
    """Generates `number` pairs; sixteen in eighteen are the training split.

    All English sentences differ, within a split and between splits. The same number
    and seed give the same pairs.

    Raises:
        UserError: `number` is below 100 or above 500,000.
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
            is_new = sentence.english not in seen
            if not is_new or _has_held_out(sentence) == (split == "train"):
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
    return SamplePairs(splits)


def is_held_out(kind: str, first: str, second: str) -> bool:
    """Whether no training sentence has this combination; kinds as in `HELD_OUT_OF`."""
    return zlib.crc32(f"{kind}: {first} {second}".encode()) % HELD_OUT_OF[kind] == 0


def _has_held_out(sentence: Sentence) -> bool:
    return any(is_held_out(*combination) for combination in sentence.combinations)


def _words(sentence: Sentence) -> set[str]:
    """The words of both languages, "twenty" and "one" of "twenty-one".

    German numbers of two parts are left out, and case, of which a first word tells
    nothing.
    """
    english = re.findall(r"\w+", sentence.english.lower())
    german = set(re.findall(r"\w+", sentence.german.lower())) - sentence.numbers
    return {f"en {word}" for word in english} | {f"de {word}" for word in german}
