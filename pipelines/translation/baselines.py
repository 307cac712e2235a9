"""What a translation is compared with: the source itself, and it word by word."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..core.optional import of_baselines
from ..data.texts.sentence_pairs import PairSplit
from ..data.texts.words import TOKEN, is_spaced_word

_ITERATIONS = 5
# Of source and target tokens that may belong together: what fits into half a gigabyte
# and some seconds.
_MOST_LINKS = 10_000_000


class Baseline(Protocol):
    """A fitted baseline; joblib saves it and loads it again."""

    def translate(self, texts: Sequence[str]) -> list[str]:
        """A translation of each text."""
        ...


def fit_baselines(pairs: PairSplit, seed: int) -> dict[str, Baseline]:
    """Fits every baseline to the training pairs.

    - `copy`: the source as it is.
    - `lexicon`: each word's most likely translation by itself, in the source's order;
      see `LexiconBaseline`.

    Args:
        pairs: The training part.
        seed: Of the draw of pairs, where there are too many to count them all.

    Returns:
        Fitted baseline by name, weakest first.
    """
    fits: dict[str, Callable[[], Baseline]] = {
        "copy": CopyBaseline,
        "lexicon": lambda: LexiconBaseline.fit(pairs, seed),
    }
    return of_baselines(fits, lambda fit: fit())


@dataclass(frozen=True)
class CopyBaseline:
    """Answers the source: what names, numbers and cognates alone bring."""

    def translate(self, texts: Sequence[str]) -> list[str]:
        """The texts."""
        return list(texts)


@dataclass(frozen=True)
class LexiconBaseline:
    """Translates word by word, by a lexicon of words that occur together.

    The lexicon holds, for each source word `e`, the target word `f` with the largest
    `t(f | e)` of IBM model 1 (Brown et al. 1993, "The Mathematics of Statistical
    Machine Translation"), after a few steps of expectation maximisation with an empty
    source word. A word that it does not hold is copied.

    Attributes:
        words: The target word by the source word in lower case.
        spaced: Punctuation and characters of scripts without spaces, each with whether
            there mostly is a space before it and behind it.
        begins_large: Whether target sentences mostly begin with a capital letter.
    """

    words: dict[str, str]
    spaced: dict[str, tuple[bool, bool]]
    begins_large: bool

    @classmethod
    def fit(cls, pairs: PairSplit, seed: int) -> "LexiconBaseline":
        """Fits the lexicon, and finds where target sentences have their spaces."""
        source, target = _drawn(pairs, seed)
        usual = _usual_case(target)
        words: dict[str, str] = {}
        if source:
            words = _align(
                [[token.lower() for token in TOKEN.findall(text)] for text in source],
                [_tokens_in_usual_case(text, usual) for text in target],
            )
        begin = [text[0] for text in target if text]
        large = sum(map(str.isupper, begin)) > sum(map(str.islower, begin))
        return cls(words, _spaces(target), large)

    def translate(self, texts: Sequence[str]) -> list[str]:
        """Each text word by word."""
        return [self._translate(text) for text in texts]

    def _translate(self, text: str) -> str:
        said = ""
        space_wanted = False
        for token in TOKEN.findall(text):
            word = self.words.get(token.lower(), token)
            before, behind = self.spaced.get(word, (True, True))
            said += f" {word}" if said and space_wanted and before else word
            space_wanted = behind
        return said[:1].upper() + said[1:] if self.begins_large else said


def _drawn(pairs: PairSplit, seed: int) -> tuple[list[str], list[str]]:
    """Of pairs with two sides as many as can be aligned, drawn at random."""
    lengths = np.stack(
        [
            np.fromiter((len(TOKEN.findall(text)) for text in side), np.int64)
            for side in (pairs.source, pairs.target)
        ],
        axis=1,
    )
    links = (lengths[:, 0] + 1) * lengths[:, 1]
    order = np.random.default_rng(seed).permutation(len(pairs))
    order = order[links[order] <= _MOST_LINKS]
    order = order[: int((links[order].cumsum() <= _MOST_LINKS).sum())]
    rows = np.sort(order[lengths[order].min(axis=1) > 0])
    return pairs.source[rows].tolist(), pairs.target[rows].tolist()


def _usual_case(texts: Sequence[str]) -> dict[str, str]:
    """By word in lower case, how it is mostly written where it begins no sentence."""
    counts = Counter(word for text in texts for word in TOKEN.findall(text)[1:])
    usual: dict[str, str] = {}
    for word, _ in counts.most_common():
        usual.setdefault(word.lower(), word)
    return usual


def _tokens_in_usual_case(text: str, usual: dict[str, str]) -> list[str]:
    tokens = TOKEN.findall(text)
    return [usual.get(tokens[0].lower(), tokens[0]), *tokens[1:]]


def _spaces(texts: Sequence[str]) -> dict[str, tuple[bool, bool]]:
    """By token that is no word, whether there mostly is a space on either side of it.

    Words are left out: one that mostly stands before a full stop has no space behind
    it, and still wants one before another word.
    """
    seen: Counter[tuple[str, int]] = Counter()
    spaced: Counter[tuple[str, int]] = Counter()
    for text in texts:
        tokens = list(TOKEN.finditer(text))
        for left, right in zip(tokens, tokens[1:], strict=False):
            for token, side in ((left.group(), 1), (right.group(), 0)):
                if not is_spaced_word(token):
                    seen[token, side] += 1
                    spaced[token, side] += left.end() < right.start()

    def mostly(token: str, side: int) -> bool:
        return 2 * spaced[token, side] >= seen[token, side]

    return {token: (mostly(token, 0), mostly(token, 1)) for token, _ in seen}


def _align(source: list[list[str]], target: list[list[str]]) -> dict[str, str]:
    """The likeliest target word of each source word by IBM model 1."""
    source_words, source_ids = _numbered(source)
    target_words, target_ids = _numbered(target)
    # The empty word stands before each source sentence.
    empty = len(source_words)
    with_empty = [[empty, *ids] for ids in source_ids]
    lengths = np.array([len(ids) for ids in with_empty])
    begins = np.concatenate([[0], lengths.cumsum()[:-1]])
    flat_source = np.concatenate(with_empty)
    flat_target = np.concatenate(target_ids)
    sentence = np.repeat(np.arange(len(target)), [len(ids) for ids in target_ids])
    # A link for each target token and each source token of its sentence.
    token = np.repeat(np.arange(len(flat_target)), lengths[sentence])
    ends = lengths[sentence].cumsum()
    within = np.arange(len(token)) - np.repeat(
        ends - lengths[sentence], lengths[sentence]
    )
    linked = flat_source[begins[sentence[token]] + within]
    # One parameter for each pair of words that occurs.
    pairs, parameter = np.unique(
        linked * len(target_words) + flat_target[token], return_inverse=True
    )
    of_source, of_target = np.divmod(pairs, len(target_words))
    likelihood = np.ones(len(pairs))
    for _ in range(_ITERATIONS):
        posterior = likelihood[parameter]
        posterior /= np.bincount(token, posterior)[token]
        counts = np.bincount(parameter, posterior)
        likelihood = counts / np.bincount(of_source, counts)[of_source]
    # The last of each source word's parameters in this order is its largest.
    order = np.lexsort((likelihood, of_source))
    last = np.append(of_source[order][1:] != of_source[order][:-1], True)
    best = order[last & (of_source[order] != empty)]
    return {
        source_words[one]: target_words[other]
        for one, other in zip(of_source[best], of_target[best], strict=True)
    }


def _numbered(sentences: list[list[str]]) -> tuple[list[str], list[list[int]]]:
    """The words by number, and the numbers in each sentence."""
    numbers: dict[str, int] = {}
    ids = [
        [numbers.setdefault(word, len(numbers)) for word in sentence]
        for sentence in sentences
    ]
    return list(numbers), ids
