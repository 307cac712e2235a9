"""How good translations are: BLEU and chrF by sacreBLEU, exact matches, intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.metrics.base import Metric

from .words import CHINESE, JAPANESE

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


def translation_metrics(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], language: str
) -> dict[str, float]:
    """What translations score as a whole.

    - `bleu`: as sacreBLEU has it, mixed case; tokenizer 13a, or that of `TOKENIZERS`.
    - `chrf`: chrF2 by sacreBLEU.
    - `bleu_lc_tok`: BLEU of lower-cased tokens, the form that most papers on small
      sets report. Tokens are by the same tokenizer, which parts German and English
      text almost as that of Moses does.
    - `exact_match`: the share that is equal to a reference, white space aside.

    Args:
        hypotheses: `N` translations, detokenised; one at least.
        references: Streams of `N` references each, as sacreBLEU takes them.
        language: That is translated to.

    Returns:
        Metric by name: the first three of 100, the last of 1.
    """
    scores = {
        name: float(metric.corpus_score(hypotheses, references).score)
        for name, metric in _metrics(language).items()
    }
    return scores | {"exact_match": float(_matches(hypotheses, references).mean())}


def metrics_signatures(number_of_references: int, language: str) -> dict[str, str]:
    """By metric the signature of sacreBLEU that says how it is computed."""
    references = [["a"]] * number_of_references
    signatures = {}
    for name, metric in _metrics(language).items():
        # What a signature says of the references is known after a first score.
        metric.corpus_score(["a"], references)
        signatures[name] = str(metric.get_signature())
    return signatures


def bleu_details(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], language: str
) -> dict[str, Any]:
    """What `bleu` is made of.

    Returns:
        `precisions` of 1- to 4-grams in percent, `brevity_penalty`, and
        `length_ratio`: tokens of the translations for each of the references.
    """
    score = _bleu(language).corpus_score(hypotheses, references)
    return {
        "precisions": [float(share) for share in score.precisions],
        "brevity_penalty": float(score.bp),
        "length_ratio": float(score.ratio),
    }


def bootstrap_intervals(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    language: str,
    *,
    seed: int,
) -> dict[str, tuple[float, float]]:
    """95 % intervals of `translation_metrics`: quantiles over resampled sentences.

    Systems with the same number of sentences and the same seed are judged on the same
    resamples.

    Args:
        hypotheses: As in `translation_metrics`.
        references: As there.
        language: As there.
        seed: Of the resampling.
    """
    metrics = _metrics(language)
    statistics = {
        name: np.array(metric._extract_corpus_statistics(hypotheses, references), float)
        for name, metric in metrics.items()
    }
    matches = _matches(hypotheses, references)
    number = len(hypotheses)
    generator = np.random.default_rng(seed)
    values: dict[str, list[float]] = {name: [] for name in (*metrics, "exact_match")}
    for _ in range(_RESAMPLES // _DRAWN_TOGETHER):
        # How often each sentence is drawn: the sums need no more.
        drawn = generator.multinomial(
            number, np.full(number, 1 / number), size=_DRAWN_TOGETHER
        )
        for name, metric in metrics.items():
            values[name] += [
                metric._compute_score_from_stats(sums.tolist()).score
                for sums in drawn @ statistics[name]
            ]
        values["exact_match"] += (drawn @ matches / number).tolist()
    return {
        name: (float(np.quantile(each, 0.025)), float(np.quantile(each, 0.975)))
        for name, each in values.items()
    }


def sentence_scores(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], language: str
) -> pandas.DataFrame:
    """`bleu` and `chrf` of each sentence by itself, columns of `N` rows.

    BLEU goes only as far as a sentence has n-grams.
    """
    metrics = {"bleu": _bleu(language, effective_order=True), "chrf": CHRF()}
    each = list(zip(hypotheses, zip(*references, strict=True), strict=True))
    return pandas.DataFrame(
        {
            name: [metric.sentence_score(text, known).score for text, known in each]
            for name, metric in metrics.items()
        }
    )


def bleu_by_length(
    lengths: np.ndarray,
    systems: Mapping[str, Sequence[str]],
    references: Sequence[Sequence[str]],
    language: str,
) -> pandas.DataFrame:
    """BLEU of the pairs in parts of rising length and about equal size.

    Args:
        lengths: int `[N]`, of the sources.
        systems: `N` translations by name.
        references: As in `translation_metrics`.
        language: As there.

    Returns:
        A row for each part: `shortest`, `longest`, `pairs`, and a column for each
        system. Pairs of equal length are in one part.
    """
    number = min(_PARTS_BY_LENGTH, max(1, len(lengths) // _LEAST_PAIRS_OF_A_PART))
    shares = np.linspace(0, 1, number + 1)[1:-1]
    edges = np.unique(np.quantile(lengths, shares, method="higher"))
    part_of = np.searchsorted(edges, lengths, side="left")
    metric = _bleu(language)
    parts = []
    for part in np.unique(part_of):
        rows = np.flatnonzero(part_of == part).tolist()
        known = [[stream[row] for row in rows] for stream in references]
        parts.append(
            {
                "shortest": int(lengths[rows].min()),
                "longest": int(lengths[rows].max()),
                "pairs": len(rows),
                **{
                    name: float(
                        metric.corpus_score([texts[row] for row in rows], known).score
                    )
                    for name, texts in systems.items()
                },
            }
        )
    return pandas.DataFrame(parts)


def tokenizer_of(language: str) -> str:
    """The name of sacreBLEU's tokenizer for a language, whatever its region."""
    main = language.strip().replace("_", "-").casefold().partition("-")[0]
    return TOKENIZERS.get(main, _DEFAULT_TOKENIZER)


def _metrics(language: str) -> dict[str, Metric]:
    return {
        "bleu": _bleu(language),
        "chrf": CHRF(),
        "bleu_lc_tok": _bleu(language, lowercase=True),
    }


def _bleu(
    language: str, *, lowercase: bool = False, effective_order: bool = False
) -> BLEU:
    return BLEU(
        tokenize=tokenizer_of(language),
        lowercase=lowercase,
        effective_order=effective_order,
        # That translations look tokenised is no reason for a warning.
        force=True,
    )


def _matches(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> np.ndarray:
    """Whether each is equal to one of its references: float64 `[N]`."""
    return np.array(
        [
            float(any(text.split() == each.split() for each in known))
            for text, known in zip(
                hypotheses, zip(*references, strict=True), strict=True
            )
        ]
    )
