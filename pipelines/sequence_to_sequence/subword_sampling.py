"""Drawn cuts of words into pieces, the same ones for the same seed in any process.

sentencepiece can draw, but mixes the seed with a salt of the process (as of 0.2.3), so
that a run that is resumed would be trained on other pieces than one that is not.
"""

import bisect
import functools
import itertools
import math
import random
from typing import Any

# What sentencepiece has for the space before a word.
SPACE = "▁"
# How much less likely a character without a piece is than any piece, as there.
_UNKNOWN_PENALTY = 10.0
_KEPT_WORDS = 50_000


class PieceSampler:
    """Draws the pieces of words.

    From a unigram model a cut is drawn in proportion to its probability to the power
    of `alpha` (Kudo, "Subword Regularization", 2018); with byte-pair encoding, each
    merge is left out with probability `alpha` (Provilkov et al., "BPE-Dropout", 2020).

    Args:
        model: sentencepiece's message `ModelProto`.
        alpha: Of the draw.
    """

    def __init__(self, model: Any, alpha: float):
        self._alpha = alpha
        self._ids: dict[str, tuple[int, ...]] = {}
        self._scores: dict[str, float] = {}
        self._bytes: dict[int, int] = {}
        for row, piece in enumerate(model.pieces):
            if piece.type in (piece.NORMAL, piece.UNUSED):
                self._scores[piece.piece] = piece.score
            if piece.type == piece.NORMAL:
                self._ids[piece.piece] = (row,)
            elif piece.type == piece.BYTE:
                self._bytes[int(piece.piece[1:-1], 16)] = row
        self._longest = max(map(len, self._scores), default=1)
        self._least = min(self._scores.values(), default=0.0) - _UNKNOWN_PENALTY
        is_unigram = model.trainer_spec.model_type == model.trainer_spec.UNIGRAM
        self._draw = self._draw_cut if is_unigram else self._draw_merges
        self._cuts = functools.lru_cache(_KEPT_WORDS)(self._cuts_of)

    def sample(self, texts: list[str], generator: random.Random) -> list[list[int]]:
        """Ids of the pieces drawn for each text; texts are normalised."""
        drawn = []
        for text in texts:
            words = text.replace(" ", SPACE).split(SPACE) if text else []
            pieces = (self._draw(SPACE + word, generator) for word in words)
            ids = map(self._ids_of, itertools.chain.from_iterable(pieces))
            drawn.append(list(itertools.chain.from_iterable(ids)))
        return drawn

    def _draw_cut(self, word: str, generator: random.Random) -> list[str]:
        """Forward filtering, which is kept by word, and backward sampling."""
        cuts = self._cuts(word)
        end, pieces = len(word), list[str]()
        while end:
            begins, cumulative = cuts[end]
            chosen = bisect.bisect(cumulative, generator.random(), hi=len(begins) - 1)
            begin = begins[chosen]
            pieces.append(word[begin:end])
            end = begin
        return pieces[::-1]

    def _cuts_of(self, word: str) -> list[tuple[list[int], list[float]]]:
        """By end of a piece where it may begin, with the cumulative probabilities."""
        sums, cuts = [0.0], [([0], [1.0])]
        for end in range(1, len(word) + 1):
            begins = [
                begin
                for begin in range(max(0, end - self._longest), end)
                if begin == end - 1 or word[begin:end] in self._ids
            ]
            logs = [sums[begin] + self._score(word[begin:end]) for begin in begins]
            most = max(logs)
            total = sum(math.exp(log - most) for log in logs)
            sums.append(most + math.log(total))
            probabilities = (math.exp(log - most) / total for log in logs)
            cuts.append((begins, list(itertools.accumulate(probabilities))))
        return cuts

    def _score(self, piece: str) -> float:
        score = self._scores[piece] if piece in self._ids else self._least
        return self._alpha * score

    def _draw_merges(self, word: str, generator: random.Random) -> list[str]:
        """Merges the best pair of those that were not left out, until there is none."""
        pieces = list(word)
        parts: dict[str, tuple[str, str]] = {}
        while True:
            found = [
                (-self._scores[pair[0] + pair[1]], position)
                for position, pair in enumerate(itertools.pairwise(pieces))
                if pair[0] + pair[1] in self._scores
                and generator.random() >= self._alpha
            ]
            if not found:
                return [part for piece in pieces for part in self._used(piece, parts)]
            _, position = min(found)
            left, right = pieces[position : position + 2]
            parts[left + right] = left, right
            pieces[position : position + 2] = [left + right]

    def _used(self, piece: str, parts: dict[str, tuple[str, str]]) -> list[str]:
        """The piece, or its parts where the language does not use it."""
        if piece in self._ids or piece not in parts:
            return [piece]
        return [used for part in parts[piece] for used in self._used(part, parts)]

    def _ids_of(self, piece: str) -> tuple[int, ...]:
        """The id of a piece; of a character that has none, those of its bytes."""
        if piece not in self._ids:
            return tuple(self._bytes[byte] for byte in piece.encode("utf-8"))
        return self._ids[piece]
