"""How good translations are: BLEU, chrF, exact matches, error rates."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.metrics.base import Metric as SacrebleuMetric

from ..data.texts.languages import CHINESE, JAPANESE
from ..reporting.page import Metric, Report
from ..sequence_to_sequence.metrics import Measures, References, by_sentence, edits

#: By language, the tokenizer where words have no spaces between them, by codes of two
#: and of three letters. That of Chinese parts Han characters alone.
TOKENIZERS = dict.fromkeys(CHINESE, "zh") | (
    dict.fromkeys((*JAPANESE, "th", "tha", "lo", "lao", "km", "khm"), "char")
    | dict.fromkeys(("my", "mya", "bur", "bo", "bod", "tib", "dz", "dzo"), "char")
)

_DEFAULT_TOKENIZER = "13a"

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


class TranslationMeasures(Measures):
    """BLEU and what is printed beside it.

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

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("bleu", "BLEU", digits=2),
        Metric("chrf", "chrF", digits=2),
        Metric("bleu_lc_tok", "BLEU, lower case", digits=2),
        Metric("exact_match", "Exact match"),
        Metric("wer", "Word error rate", higher_is_better=False),
        Metric("cer", "Character error rate", higher_is_better=False),
    )
    headline = "bleu"
    of_sentence = "chrf"
    summarised: ClassVar[Mapping[str, tuple[float, str]]] = {
        "bleu": (1, "BLEU"),
        "chrf": (1, "chrF"),
        "exact_match": (100, "% exact matches"),
        "wer": (100, "% word errors"),
    }

    def count(self, outputs: Sequence[str], references: References) -> np.ndarray:
        columns = [
            _sufficient_statistics(metric, outputs, references)
            for metric in _metrics(self._language).values()
        ]
        counts = []
        for text, known in zip(outputs, by_sentence(references), strict=True):
            words = self._parted(text)
            of_words = [edits(words, self._parted(other)) for other in known]
            of_characters = [edits(_plain(text), _plain(other)) for other in known]
            is_exact = any(text.split() == other.split() for other in known)
            counts.append([is_exact, True, *_fewest(of_words), *_fewest(of_characters)])
        return np.concatenate([*columns, np.array(counts, float)], axis=1)

    def scores_from(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "bleu": _bleu_from(counts[..., _BLEU]),
            "chrf": _chrf_from(counts[..., _CHRF]),
            "bleu_lc_tok": _bleu_from(counts[..., _BLEU_LC_TOK]),
            "exact_match": _ratio(*np.moveaxis(counts[..., _EXACT], -1, 0)),
            "wer": _ratio(*np.moveaxis(counts[..., _WER], -1, 0)),
            "cer": _ratio(*np.moveaxis(counts[..., _CER], -1, 0)),
        }

    def of_sentences(self, counts: np.ndarray) -> pandas.DataFrame:
        """`bleu` and `chrf`; BLEU goes only as far as a sentence has n-grams."""
        return pandas.DataFrame(
            {
                "bleu": _bleu_from(counts[:, _BLEU], effective_order=True),
                "chrf": _chrf_from(counts[:, _CHRF]),
            }
        )

    def score(self, name: str, outputs: Sequence[str], references: References) -> float:
        """One metric of all sentences, or `ter`, sacreBLEU's, of 100."""
        metric = (_metrics(self._language) | {"ter": TER()}).get(name)
        if metric is not None:
            return float(metric.corpus_score(outputs, references).score)
        return super().score(name, outputs, references)

    def words(self, text: str) -> list[str]:
        return _bleu(self._language).tokenizer(text).split()

    def details(
        self, references: References, counts: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """`signatures` of sacreBLEU by metric, and `bleu_details` by system."""
        return {
            "signatures": metrics_signatures(references, self._language),
            "bleu_details": {name: bleu_details(each) for name, each in counts.items()},
        }

    def add_to(
        self, report: Report, details: Mapping[str, Any], names: Mapping[str, str]
    ) -> None:
        report.text(
            "BLEU and chrF are by sacreBLEU, of detokenised text. BLEU in lower case "
            "is the form that most papers on small sets report. Exact match is the "
            "fraction of translations that are equal to their reference. Error rates "
            "are edits for each word, or character, of the reference."
        )
        headings = {metric.key: metric.heading for metric in self.metrics}
        report.key_values(
            "Signatures",
            {
                headings[name]: signature
                for name, signature in details["signatures"].items()
            },
        )
        report.table(
            "What BLEU is made of",
            [
                "System",
                *(f"{length}-grams, %" for length in (1, 2, 3, 4)),
                "Brevity penalty",
                "Length ratio",
            ],
            [
                [
                    names[name],
                    *(f"{precision:.1f}" for precision in of_system["precisions"]),
                    f"{of_system['brevity_penalty']:.3f}",
                    f"{of_system['length_ratio']:.3f}",
                ]
                for name, of_system in details["bleu_details"].items()
            ],
            note="The part of the n-grams that stand in the reference, and the tokens "
            "of the translations for each of the references.",
        )

    def _parted(self, text: str) -> list[str]:
        """The words of error rates: tokens where no spaces part words."""
        if tokenizer_of(self._language) != _DEFAULT_TOKENIZER:
            text = _bleu(self._language).tokenizer(text)
        return text.split()


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


def tokenizer_of(language: str) -> str:
    """The name of sacreBLEU's tokenizer for a language, whatever its region."""
    main = language.strip().replace("_", "-").casefold().partition("-")[0]
    return TOKENIZERS.get(main, _DEFAULT_TOKENIZER)


def bleu_coverage(targets: Sequence[str], language: str) -> float:
    """The fraction of targets that BLEU says something of: that have 4 tokens."""
    tokenize = _bleu(language).tokenizer
    return float(np.mean([len(tokenize(text).split()) >= 4 for text in targets]))


def _metrics(language: str) -> dict[str, SacrebleuMetric]:
    return {
        "bleu": _bleu(language),
        "chrf": CHRF(beta=_BETA),
        "bleu_lc_tok": _bleu(language, lowercase=True),
    }


def _bleu(language: str, *, lowercase: bool = False) -> BLEU:
    # By force, since that translations look tokenised is no reason for a warning.
    return BLEU(tokenize=tokenizer_of(language), lowercase=lowercase, force=True)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _fewest(edits: list[tuple[int, int]]) -> tuple[int, int]:
    """That of the nearest reference; of equally near ones the longest."""
    return min(edits, key=lambda each: (each[0], -each[1]))


def _sufficient_statistics(
    metric: SacrebleuMetric, hypotheses: Sequence[str], references: References
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
