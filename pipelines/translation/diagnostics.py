"""What a report shows of translations beside their scores."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sacrebleu.metrics import BLEU

from ..datasets.sentence_pairs import PairSplit
from ..datasets.text_description import quantiles
from .metrics import tokenizer_of
from .subwords import Pieces, Subwords
from .words import count_words

_LONGEST_NGRAM = 2
# Sentences that tell as much of the pieces as millions would.
_MEASURED_SENTENCES = 20_000


@dataclass(frozen=True)
class Attention:
    """Where a model looked while it said each piece of a translation.

    Attributes:
        source_pieces: `S` of them.
        target_pieces: `T` of them.
        weights: float32 `[T, S]`; each row adds up to 1.
    """

    source_pieces: Sequence[str]
    target_pieces: Sequence[str]
    weights: np.ndarray


@dataclass(frozen=True)
class NgramCount:
    """How often one or two words stand in the translations and in the references."""

    ngram: str
    translations: int
    references: int

    @property
    def surplus(self) -> int:
        """How many more there are in the translations."""
        return self.translations - self.references


def count_ngrams(
    translations: Sequence[str], references: Sequence[str], language: str
) -> list[NgramCount]:
    """The words and pairs of words, from those said too often to those too seldom."""
    said = Counter(_ngrams(translations, language))
    wanted = Counter(_ngrams(references, language))
    counts = [NgramCount(each, said[each], wanted[each]) for each in said | wanted]
    return sorted(counts, key=lambda count: (-count.surplus, count.ngram))


def describe_subwords(
    subwords: Subwords, split: PairSplit
) -> dict[str, dict[str, object]]:
    """For each side, into what pieces the sentences of a split fall.

    Of a large split these are the first sentences.

    Returns:
        Under "source" and "target": `vocabulary`, its size; `pieces`, quantiles over
        the sentences; `pieces_per_word`; and `spelt_share`, of the pieces those that
        are one byte of a character which the vocabulary does not have.
    """
    return {
        "source": _describe_pieces(subwords.source, split.source),
        "target": _describe_pieces(subwords.target, split.target),
    }


def _describe_pieces(pieces: Pieces, texts: np.ndarray) -> dict[str, object]:
    texts = texts[:_MEASURED_SENTENCES]
    ids = pieces.encode(texts.tolist())
    names = pieces.pieces(np.arange(pieces.vocabulary_size, dtype=np.int32)).numpy()
    is_byte = np.array([name.startswith(b"<0x") for name in names])
    flat = ids.flat_values.numpy()
    words = sum(map(count_words, texts))
    return {
        "vocabulary": pieces.vocabulary_size,
        "pieces": quantiles(ids.row_lengths().numpy().tolist()),
        "pieces_per_word": len(flat) / max(words, 1),
        "spelt_share": float(is_byte[flat].mean()) if len(flat) else 0.0,
    }


def _ngrams(texts: Sequence[str], language: str) -> Iterator[str]:
    tokenize = BLEU(tokenize=tokenizer_of(language)).tokenizer
    for text in texts:
        words = tokenize(text).split()
        for length in range(1, _LONGEST_NGRAM + 1):
            for start in range(len(words) - length + 1):
                yield " ".join(words[start : start + length])
