"""Texts in parts that a model can read, without TensorFlow; see `long_texts`."""

import bisect
from collections.abc import Iterator, Sequence

import regex
import sentencepiece

from ..data.texts.normalised_text import normalise_text
from .config import Splitting
from .sentence_ends import (
    BEGINS_WORD,
    LINE_BREAK,
    LONGEST_WHOLE,
    NO_SENTENCE_END,
    SENTENCE_ENDS,
    WITHIN_CHARACTER,
)

_LINE_BREAK, _NO_SENTENCE_END, _BEGINS_WORD, _WITHIN_CHARACTER = (
    regex.compile(pattern, regex.ASCII)
    for pattern in (LINE_BREAK, NO_SENTENCE_END, BEGINS_WORD, WITHIN_CHARACTER)
)
_SENTENCE_ENDS = [
    (regex.compile(end, regex.ASCII), replaced) for end, replaced in SENTENCE_ENDS
]
# What TensorFlow strips.
SPACE = " \t\n\r\v\f"


class Pieces:
    """The pieces of one language.

    Args:
        model: Of sentencepiece.
        longest: Pieces of a text, of which the rest is left out; all if None.
    """

    def __init__(self, model: bytes, longest: int | None = None):
        self._longest = longest
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)

    def encode(self, text: str) -> list[int]:
        """Ids of a text's pieces."""
        return list(self._processor.encode(normalise_text(text)))[: self._longest]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids."""
        return normalise_text(self._processor.decode(list(ids)))

    def piece(self, number: int) -> str:
        """The piece that an id stands for."""
        return str(self._processor.id_to_piece(int(number)))


def split_text(
    text: str, pieces: Pieces, longest: int, splitting: Splitting
) -> list[list[list[int]]]:
    """By line of a text the ids of its parts, of at most about `longest` pieces."""
    lines = [text]
    if splitting != "never":
        lines = _LINE_BREAK.sub("\n", text).strip(SPACE).split("\n")
    return [
        list(_parts(normalise_text(line), pieces, longest, splitting)) for line in lines
    ]


def _parts(
    line: str, pieces: Pieces, longest: int, splitting: Splitting
) -> Iterator[list[int]]:
    if not line:
        return
    ids = pieces.encode(line)
    if splitting != "sentences":
        yield ids[: max(longest, LONGEST_WHOLE)]
    elif len(ids) <= longest:
        yield ids
    else:
        for sentence in filter(None, _sentences(line).split("\n")):
            yield from _even_parts(pieces.encode(sentence), pieces, longest)


def _sentences(line: str) -> str:
    for end, replaced in _SENTENCE_ENDS:
        line = end.sub(replaced, line)
    return _NO_SENTENCE_END.sub(r"\1 ", line).strip(SPACE)


def _even_parts(ids: list[int], pieces: Pieces, longest: int) -> list[list[int]]:
    """A row of ids in parts, between words where there are words near."""
    count = max(-(-len(ids) // longest), 1)
    names = [pieces.piece(number) for number in ids]
    words = [at for at, name in enumerate(names) if _BEGINS_WORD.fullmatch(name)]
    characters = [
        at for at, name in enumerate(names) if not _WITHIN_CHARACTER.fullmatch(name)
    ]
    begins = [0]
    for number in range(1, count):
        begin = number * len(ids) // count
        word = _last_before(begin, words)
        is_near = begin - word < longest // 2
        begins.append(word if is_near else _last_before(begin, characters))
    ends = [*begins[1:], len(ids)]
    return [ids[begin:end] for begin, end in zip(begins, ends, strict=True)]


def _last_before(position: int, known: Sequence[int]) -> int:
    """The last of rising positions up to one, or -1."""
    place = bisect.bisect_right(known, position)
    return known[place - 1] if place else -1
