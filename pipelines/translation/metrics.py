"""How good translations are: BLEU, chrF, exact matches, error rates, intervals.

All of it comes from counts of matches by sentence, which are taken once: their sums
over any sentences, be it all of them, those of like length, or a resample, give the
scores of these.
"""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas
from rapidfuzz.distance import Levenshtein
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.metrics.base import Metric

from ..data.texts.languages import CHINESE, JAPANESE

#: By language, the tokenizer where words have no spaces between them, by codes of two
#: and of three letters. That of Chinese parts Han characters alone.
TOKENIZERS = dict.fromkeys(CHINESE, "zh") | (
    dict.fromkeys((*JAPANESE, "th", "tha", "lo", "lao", "km", "khm"), "char")
    | dict.fromkeys(("my", "mya", "bur", "bo", "bod", "tib", "dz", "dzo"), "char")
)

_DEFAULT_TOKENIZER = "13a"
_RESAMPLES = 1_000
# Resamples drawn at a time, so that a large test set fits into memory.
_DRAWN_TOGETHER = 50
_PARTS_BY_LENGTH = 6
# BLEU of fewer pairs than this is mostly chance.
_LEAST_PAIRS_OF_A_PART = 25
_LONGEST_NGRAM = 2

# Of BLEU: the lengths of translation and reference, and of 1- to 4-grams the matches
# and then the numbers. Of chrF, for 1 to 6 characters: the n-grams of the translation,
# of the reference, and the matches. Of exact match: matches and sentences. Of error
# rates: edits, and words or characters of the reference.
_BLEU, _CHRF, _BLEU_LC_TOK, _EXACT, _WER, _CER = (
    slice(0, 10),
    slice(10, 28),
    slice(28, 38),
    slice(38, 40),
    slice(40, 42),
    slice(42, 44),
)
_BETA = 2

#: Streams of references: of some sentences some may be None, but not all.
References = Sequence[Sequence[Any]]


def count_matches(
    hypotheses: Sequence[str], references: References, language: str
) -> np.ndarray:
    """By sentence what all scores are made of.

    Args:
        hypotheses: `N` translations, detokenised; one at least.
        references: Streams of `N` references each, as sacreBLEU takes them.
        language: That is translated to.

    Returns:
        float64 `[N, 44]`; sums over sentences are what `scores_from` takes.
    """
    columns = [
        _sufficient_statistics(metric, hypotheses, references)
        for metric in _metrics(language).values()
    ]
    counts = []
    for text, known in zip(hypotheses, _by_sentence(references), strict=True):
        words = _words(text, language)
        of_words = [_edits(words, _words(other, language)) for other in known]
        of_characters = [_edits(_plain(text), _plain(other)) for other in known]
        is_exact = any(text.split() == other.split() for other in known)
        counts.append([is_exact, True, *_fewest(of_words), *_fewest(of_characters)])
    return np.concatenate([*columns, np.array(counts, float)], axis=1)


def scores_from(counts: np.ndarray) -> dict[str, np.ndarray]:
    """The metrics of sums `[..., 44]` of `count_matches`, an array `[...]` for each.

    - `bleu`: as sacreBLEU has it, mixed case; tokenizer 13a, or that of `TOKENIZERS`.
    - `chrf`: chrF2 by sacreBLEU.
    - `bleu_lc_tok`: BLEU of lower-cased tokens, the form that most papers on small
      sets report. Tokens are by the same tokenizer, which parts German and English
      text almost as that of Moses does.
    - `exact_match`: the fraction that is equal to a reference, white space aside.
    - `wer`: word error rate, the fewest words to insert, delete and replace for each
      word of the reference, case and punctuation counting. Words are what stands
      between spaces; in a language of `TOKENIZERS` its tokens. Where the target's units
      have spaces between them, as phonemes do, it is the error rate of these.
    - `cer`: character error rate, the same of characters.

    The first three are of 100, the others of 1. Of several references errors count
    against that which needs the fewest edits.
    """
    return {
        "bleu": _bleu_from(counts[..., _BLEU]),
        "chrf": _chrf_from(counts[..., _CHRF]),
        "bleu_lc_tok": _bleu_from(counts[..., _BLEU_LC_TOK]),
        "exact_match": _ratio(*np.moveaxis(counts[..., _EXACT], -1, 0)),
        "wer": _ratio(*np.moveaxis(counts[..., _WER], -1, 0)),
        "cer": _ratio(*np.moveaxis(counts[..., _CER], -1, 0)),
    }


def corpus_scores(counts: np.ndarray) -> dict[str, float]:
    """The metrics of all sentences `[N, 44]` together."""
    scores = scores_from(counts.sum(axis=0))
    return {name: float(score) for name, score in scores.items()}


def sentence_scores(counts: np.ndarray) -> pandas.DataFrame:
    """`bleu` and `chrf` of each sentence by itself, columns of `N` rows.

    BLEU goes only as far as a sentence has n-grams.
    """
    return pandas.DataFrame(
        {
            "bleu": _bleu_from(counts[:, _BLEU], effective_order=True),
            "chrf": _chrf_from(counts[:, _CHRF]),
        }
    )


def bleu_details(counts: np.ndarray) -> dict[str, Any]:
    """What `bleu` of all sentences `[N, 44]` is made of.

    Returns:
        `precisions` of 1- to 4-grams in percent, `brevity_penalty`, and
        `length_ratio`: tokens of the translations for each of the references.
    """
    sums = counts[:, _BLEU].sum(axis=0).astype(int).tolist()
    said, wanted, *ngrams = sums
    score = BLEU.compute_bleu(ngrams[:4], ngrams[4:], said, wanted, smooth_method="exp")
    return {
        "precisions": [float(precision) for precision in score.precisions],
        "brevity_penalty": float(score.bp),
        "length_ratio": float(score.ratio),
    }


def bootstrap_intervals(
    systems: Mapping[str, np.ndarray], *, seed: int
) -> dict[str, dict[str, tuple[float, float]]]:
    """By system the 95 % intervals of its metrics.

    They are quantiles over resampled sentences, the same ones for all systems.

    Args:
        systems: Counts `[N, 44]` of each.
        seed: Of the resampling.
    """
    counts = np.concatenate(list(systems.values()), axis=1)
    number = len(counts)
    generator = np.random.default_rng(seed)
    sums = []
    for _ in range(_RESAMPLES // _DRAWN_TOGETHER):
        # How often each sentence is drawn: the sums need no more.
        drawn = generator.multinomial(
            number, np.full(number, 1 / number), size=_DRAWN_TOGETHER
        )
        sums.append(drawn.astype(float) @ counts)
    resamples = np.split(np.concatenate(sums), len(systems), axis=1)
    return {
        name: {
            metric: (
                float(np.quantile(values, 0.025)),
                float(np.quantile(values, 0.975)),
            )
            for metric, values in scores_from(of_system).items()
        }
        for name, of_system in zip(systems, resamples, strict=True)
    }


def bleu_by_length(
    lengths: np.ndarray, systems: Mapping[str, np.ndarray]
) -> pandas.DataFrame:
    """BLEU of the pairs in parts of rising length and about equal size.

    Args:
        lengths: int `[N]`, of the sources.
        systems: Counts `[N, 44]` by name.

    Returns:
        A row for each part: `shortest`, `longest`, `pairs`, and a column for each
        system. Pairs of equal length are in one part.
    """
    number = min(_PARTS_BY_LENGTH, max(1, len(lengths) // _LEAST_PAIRS_OF_A_PART))
    fractions = np.linspace(0, 1, number + 1)[1:-1]
    edges = np.unique(np.quantile(lengths, fractions, method="higher"))
    part_of = np.searchsorted(edges, lengths, side="left")
    parts = []
    for part in np.unique(part_of):
        rows = np.flatnonzero(part_of == part)
        parts.append(
            {
                "shortest": int(lengths[rows].min()),
                "longest": int(lengths[rows].max()),
                "pairs": len(rows),
                **{
                    name: float(_bleu_from(counts[rows, _BLEU].sum(axis=0)))
                    for name, counts in systems.items()
                },
            }
        )
    return pandas.DataFrame(parts)


def metrics_signatures(references: References, language: str) -> dict[str, str]:
    """By metric the signature of sacreBLEU that says how it is computed."""
    # What a signature says of the references is known after a first score.
    likewise: References = [
        [None if text is None else "a" for text in stream] for stream in references
    ]
    signatures = {}
    for name, metric in _metrics(language).items():
        metric.corpus_score(["a"] * len(likewise[0]), likewise)
        signatures[name] = str(metric.get_signature())
    return signatures


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
    counts = [NgramCount(ngram, said[ngram], wanted[ngram]) for ngram in said | wanted]
    return sorted(counts, key=lambda count: (-count.surplus, count.ngram))


def tokenizer_of(language: str) -> str:
    """The name of sacreBLEU's tokenizer for a language, whatever its region."""
    main = language.strip().replace("_", "-").casefold().partition("-")[0]
    return TOKENIZERS.get(main, _DEFAULT_TOKENIZER)


def bleu_coverage(targets: Sequence[str], language: str) -> float:
    """The fraction of targets that BLEU says something of: that have 4 tokens."""
    tokenize = _bleu(language).tokenizer
    return float(np.mean([len(tokenize(text).split()) >= 4 for text in targets]))


def corpus_score(
    name: str, hypotheses: Sequence[str], references: References, language: str
) -> float:
    """One measure of all sentences: of `scores_from`, or `ter`, sacreBLEU's, of 100."""
    metric = (_metrics(language) | {"ter": TER()}).get(name)
    if metric is not None:
        return float(metric.corpus_score(hypotheses, references).score)
    return corpus_scores(count_matches(hypotheses, references, language))[name]


def in_streams(references: Sequence[Sequence[str]]) -> References:
    """The references of each sentence as streams."""
    return list(itertools.zip_longest(*references))


def nearest(hypothesis: str, references: Sequence[str], language: str) -> str:
    """Of several references that with the fewest edits of words."""
    words = _words(hypothesis, language)
    return min(references, key=lambda other: _edits(words, _words(other, language))[0])


def _metrics(language: str) -> dict[str, Metric]:
    return {
        "bleu": _bleu(language),
        "chrf": CHRF(beta=_BETA),
        "bleu_lc_tok": _bleu(language, lowercase=True),
    }


def _bleu(language: str, *, lowercase: bool = False) -> BLEU:
    # By force, since that translations look tokenised is no reason for a warning.
    return BLEU(tokenize=tokenizer_of(language), lowercase=lowercase, force=True)


def _by_sentence(references: References) -> Iterator[list[str]]:
    for known in zip(*references, strict=True):
        yield [text for text in known if text is not None]


def _words(text: str, language: str) -> list[str]:
    if tokenizer_of(language) != _DEFAULT_TOKENIZER:
        text = _bleu(language).tokenizer(text)
    return text.split()


def _plain(text: str) -> str:
    return " ".join(text.split())


def _edits(said: Sequence[str], wanted: Sequence[str]) -> tuple[int, int]:
    """The edits of what is said, and the length of what is wanted."""
    return Levenshtein.distance(said, wanted), len(wanted)


def _fewest(edits: list[tuple[int, int]]) -> tuple[int, int]:
    """That of the nearest reference; of equally near ones the longest."""
    return min(edits, key=lambda each: (each[0], -each[1]))


def _sufficient_statistics(
    metric: Metric, hypotheses: Sequence[str], references: References
) -> np.ndarray:
    """What sacreBLEU counts in each sentence, float64 `[N, K]`."""
    # sacreBLEU has no public name for it; this one is that of 2.6.0.
    return np.array(metric._extract_corpus_statistics(hypotheses, references), float)


def _bleu_from(counts: np.ndarray, effective_order: bool = False) -> np.ndarray:
    """BLEU of sums `[..., 10]`, smoothed as sacreBLEU does by default ("exp").

    With `effective_order` only over the n-grams that are short enough to be there.
    """
    lengths, matches, ngrams = np.split(counts, [2, 6], axis=-1)
    missed = matches == 0
    smoothed = np.where(missed, 0.5 ** np.cumsum(missed, axis=-1), matches)
    precisions = _ratio(smoothed, ngrams)
    # Without any n-grams of a length the product is 0, or goes as far as there are.
    logs = np.log(precisions, out=np.full(precisions.shape, -np.inf), where=ngrams > 0)
    orders: Any = 4
    if effective_order:
        logs = np.where(ngrams > 0, logs, 0.0)
        orders = np.maximum((ngrams > 0).sum(axis=-1), 1)
    said, wanted = lengths[..., 0], lengths[..., 1]
    brevity = np.exp(np.minimum(0.0, 1.0 - _ratio(wanted, said, np.inf)))
    scores = 100.0 * brevity * np.exp(logs.sum(axis=-1) / orders)
    return np.where(matches.any(axis=-1), scores, 0.0)


def _chrf_from(counts: np.ndarray) -> np.ndarray:
    """chrF of sums `[..., 18]`: the F-score of mean precision and mean recall."""
    said, wanted, matches = np.moveaxis(
        counts.reshape(*counts.shape[:-1], -1, 3), -1, 0
    )
    # Of n-grams that are longer than either side nothing can be said.
    there = (said > 0) & (wanted > 0)
    orders = there.sum(axis=-1)
    precision, recall = (
        _ratio(np.where(there, _ratio(matches, number), 0.0).sum(axis=-1), orders)
        for number in (said, wanted)
    )
    factor = _BETA**2
    return 100.0 * _ratio(
        (1 + factor) * precision * recall, factor * precision + recall
    )


def _ratio(above: Any, below: Any, otherwise: float = 0.0) -> np.ndarray:
    """The quotients, or another number where they are by 0."""
    above, below = np.broadcast_arrays(np.asarray(above, float), below)
    quotients = np.full(above.shape, otherwise)
    return np.divide(above, below, out=quotients, where=below != 0)


def _ngrams(texts: Sequence[str], language: str) -> Iterator[str]:
    tokenize = _bleu(language).tokenizer
    for text in texts:
        words = tokenize(text).split()
        for length in range(1, _LONGEST_NGRAM + 1):
            for start in range(len(words) - length + 1):
                yield " ".join(words[start : start + length])
