"""The result of a translation model and its report: how good, where worst."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas

from ..core.evaluation import EvaluationResult, ReportContent
from ..data.texts.sentence_pairs import SentencePairs
from ..data.texts.words import count_words
from ..reporting.page import Metric, Report, shortened
from .figures import (
    describe_alignment,
    draw_alignment,
    draw_bleu_by_length,
    pieces_are_drawable,
)
from .metrics import (
    NgramCount,
    bleu_by_length,
    bleu_details,
    bootstrap_intervals,
    corpus_scores,
    count_matches,
    count_ngrams,
    in_streams,
    metrics_signatures,
    nearest,
    sentence_scores,
)
from .report_data import add_data
from .translator import Alignment

METRICS = (
    Metric("bleu", "BLEU", digits=2),
    Metric("chrf", "chrF", digits=2),
    Metric("bleu_lc_tok", "BLEU, lower case", digits=2),
    Metric("exact_match", "Exact match"),
    Metric("wer", "Word error rate", higher_is_better=False),
    Metric("cer", "Character error rate", higher_is_better=False),
    Metric("perplexity", "Perplexity", higher_is_better=False, digits=2),
)
BASELINE_NAMES = {
    "copy": "Copy of the source",
    "lexicon": "Word by word (IBM model 1)",
}

# What the summary can name: factor and unit.
_SUMMARISED = {
    "bleu": (1, "BLEU"),
    "chrf": (1, "chrF"),
    "exact_match": (100, "% exact matches"),
    "wer": (100, "% word errors"),
}
_MODEL = "model"
_SAMPLES = 8
_WORST = 12
_PICTURES = 8
# Pictures of more pieces than this are shown only where there are no others.
_READABLE_PIECES = 24
_NGRAMS = 12
_EXCERPT_LENGTH = 500
_LEARNING_CURVES = {
    "loss": "Loss",
    "nll": "Negative log-likelihood of a piece",
    "bleu": "BLEU",
    "exact_match": "Exact match",
    "wer": "Word error rate",
}


class TranslationResult(EvaluationResult):
    """How a translation model and its baselines did on a split.

    Args:
        data: All splits.
        split: The name of the split.
        sources: What was translated of it.
        targets: The right translations of each, one at least.
        translations: Of the sources, by the model.
        baselines: Those of each baseline, by its name.
        scores: What the model says of each of its translations.
        perplexity: The model's for a piece of the references.
        align: Gives the alignments of the first sentences, as many as are pictured.
        describe_subwords: Gives what `subwords.describe_subwords` says of the split.
        padded_fraction: Of the training batches.
        seed: Of the bootstrap.
        measure: What the summary names, if that is a metric.
    """

    def __init__(
        self,
        data: SentencePairs,
        split: str,
        sources: Sequence[str],
        targets: Sequence[Sequence[str]],
        translations: Sequence[str],
        baselines: Mapping[str, Sequence[str]],
        *,
        scores: Sequence[float],
        perplexity: float,
        align: Callable[[], Sequence[Alignment]],
        describe_subwords: Callable[[], Mapping[str, Any]],
        padded_fraction: float,
        seed: int,
        measure: str = "bleu",
    ):
        self.data, self.split = data.spec, split
        self.pairs = data
        self.align = align
        self.measure = measure
        self.sources = list(sources)
        self.references = in_streams(targets)
        self._targets = targets
        self._translations = list(translations)
        self._scores = scores
        self._describe_subwords = describe_subwords
        self._padded_fraction = padded_fraction
        self._seed = seed
        self._counts = {
            name: count_matches(texts, self.references, data.target)
            for name, texts in {_MODEL: self._translations, **baselines}.items()
        }
        metrics = {name: corpus_scores(counts) for name, counts in self._counts.items()}
        self.model = metrics.pop(_MODEL) | {"perplexity": perplexity}
        self.baselines = metrics

    @functools.cached_property
    def intervals(self) -> Mapping[str, Mapping[str, tuple[float, float]]]:
        """By system the 95 % intervals of its metrics."""
        return bootstrap_intervals(self._counts, seed=self._seed)

    @functools.cached_property
    def signatures(self) -> Mapping[str, str]:
        """By metric sacreBLEU's signature."""
        return metrics_signatures(self.references, self.pairs.target)

    @functools.cached_property
    def bleu_details(self) -> Mapping[str, Mapping[str, Any]]:
        """By system what its BLEU is made of."""
        return {name: bleu_details(counts) for name, counts in self._counts.items()}

    @functools.cached_property
    def bleu_by_length(self) -> pandas.DataFrame:
        """As of `metrics.bleu_by_length`."""
        lengths = np.array([count_words(text) for text in self.sources])
        return bleu_by_length(lengths, self._counts)

    @functools.cached_property
    def subwords(self) -> Mapping[str, Any]:
        """Into what pieces the sentences fall."""
        return self._describe_subwords()

    def details(self) -> dict[str, Any]:
        return {
            "source": self.pairs.source,
            "target": self.pairs.target,
            "pairs": len(self.sources),
            "signatures": self.signatures,
            "intervals": self.intervals,
            "bleu_details": self.bleu_details,
            "bleu_by_length": self.bleu_by_length.to_dict("records"),
            "checks": asdict(self.pairs.checks),
            "bad_rows": [str(row) for row in self.pairs.bad_rows],
            "subwords": self.subwords,
            "padded_fraction": self._padded_fraction,
        }

    def predictions(self) -> pandas.DataFrame:
        """`reference` is, of several, the one nearest to the translation."""
        return pandas.DataFrame(
            {
                "source": self.sources,
                "reference": [
                    nearest(translation, targets, self.pairs.target)
                    for translation, targets in zip(
                        self._translations, self._targets, strict=True
                    )
                ],
                "translation": self._translations,
                "score": self._scores,
                **sentence_scores(self._counts[_MODEL]),
            }
        )

    def report_content(self) -> ReportContent:
        predictions = self.predictions()
        return ReportContent(
            title=f"Translation {self.pairs.source} to {self.pairs.target}: "
            f"{self.data}",
            summary=_summary(self),
            learning_curves=_LEARNING_CURVES,
            metrics=METRICS,
            names=BASELINE_NAMES,
            intervals=self.intervals,
            sections=[
                lambda report: _add_results(report, self),
                lambda report: _add_lengths(report, self.bleu_by_length),
                lambda report: _add_samples(report, predictions),
                lambda report: _add_attention(report, self.align(), self.sources),
                lambda report: _add_worst(report, predictions),
                lambda report: _add_ngrams(report, predictions, self.pairs.target),
            ],
            add_data=lambda report: add_data(report, self.pairs),
            metadata={
                "subwords": self.subwords,
                "padded fraction": self._padded_fraction,
            },
            bad_rows=[str(row) for row in self.pairs.bad_rows],
        )


def _summary(result: TranslationResult) -> str:
    name = result.measure if result.measure in _SUMMARISED else "bleu"
    factor, unit = _SUMMARISED[name]
    value = factor * result.model[name]
    lower, upper = (factor * bound for bound in result.intervals[_MODEL][name])
    summary = (
        f"On {len(result.sources):,} pairs ({result.split} of {result.data}) the model "
        f"has {value:.1f} {unit} (95 % interval {lower:.1f} to {upper:.1f})"
    )
    if not result.baselines:
        return summary + "."
    metric = next(metric for metric in METRICS if metric.key == name)
    choose = max if metric.higher_is_better else min
    best = choose(result.baselines, key=lambda each: result.baselines[each][name])
    of_best = factor * result.baselines[best][name]
    difference = value - of_best
    return (
        f"{summary}; the best baseline, {_system_name(best)}, has {of_best:.1f}: "
        f"{abs(difference):.1f} points {'above' if difference >= 0 else 'below'} it."
    )


def _add_results(report: Report, result: TranslationResult) -> None:
    report.text(
        "BLEU and chrF are by sacreBLEU, of detokenised text. BLEU in lower case is "
        "the form that most papers on small sets report. Exact match is the fraction "
        "of translations that are equal to their reference. Error rates are edits for "
        "each word, or character, of the reference. Perplexity is that of a "
        "piece of the reference, its end included; it compares only models with the "
        "same pieces. The intervals are by bootstrap over sentences."
    )
    headings = {metric.key: metric.heading for metric in METRICS}
    report.key_values(
        "Signatures",
        {headings[name]: signature for name, signature in result.signatures.items()},
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
                _system_name(name),
                *(f"{precision:.1f}" for precision in details["precisions"]),
                f"{details['brevity_penalty']:.3f}",
                f"{details['length_ratio']:.3f}",
            ]
            for name, details in result.bleu_details.items()
        ],
        note="The part of the n-grams that stand in the reference, and the tokens of "
        "the translations for each of the references.",
    )


def _add_lengths(report: Report, by_length: pandas.DataFrame) -> None:
    report.section("By length of the source")
    systems = {
        _system_name(str(name)): by_length[name].tolist()
        for name in by_length
        if name not in ("shortest", "longest", "pairs")
    }
    lengths = [
        f"{shortest:,}"
        if shortest == longest
        else f"{shortest:,}\N{EN DASH}{longest:,}"
        for shortest, longest in zip(
            by_length["shortest"], by_length["longest"], strict=True
        )
    ]
    report.figure(
        "BLEU by length",
        functools.partial(draw_bleu_by_length, lengths, systems),
        "Pairs sorted by the words of their source, in parts of about equal size.",
        name="bleu_by_length",
        description="BLEU by words of the source; the table has the numbers.",
    )
    report.table(
        "BLEU by words of the source",
        ["Words", "Pairs", *systems],
        [
            [length, int(pairs), *(f"{value:.2f}" for value in values)]
            for length, pairs, *values in zip(
                lengths, by_length["pairs"], *systems.values(), strict=True
            )
        ],
    )


def _add_samples(report: Report, predictions: pandas.DataFrame) -> None:
    report.section("Samples")
    report.text("Pairs spread evenly over the split, not chosen.")
    rows = np.linspace(0, len(predictions) - 1, _SAMPLES).round().astype(int)
    report.excerpts("", [_excerpt(predictions, int(row)) for row in np.unique(rows)])


def _add_attention(
    report: Report, alignments: Sequence[Alignment], sources: Sequence[str]
) -> None:
    # An empty sentence has nothing to be looked at.
    drawn = [row for row, found in enumerate(alignments) if found.weights.size]
    readable = [
        row for row in drawn if max(alignments[row].weights.shape) <= _READABLE_PIECES
    ]
    shown = (readable or drawn[:1])[:_PICTURES]
    if not shown:
        return
    report.section("Attention")
    report.text(
        "Where the model looked in the source (columns) while it said each piece of "
        "its translation (rows): the darker, the more. ▁ is the space before a word."
    )
    for row in shown:
        alignment = alignments[row]
        caption = shortened(sources[row], _EXCERPT_LENGTH)
        if not pieces_are_drawable(alignment):
            caption += (
                f" Columns: {_listed(alignment.source_pieces)}. "
                f"Rows: {_listed(alignment.target_pieces)}."
            )
        report.figure(
            f"Row {row + 1:,}",
            functools.partial(draw_alignment, alignment),
            caption,
            name=f"attention_{row + 1}",
            description=describe_alignment(alignment),
        )


def _add_worst(report: Report, predictions: pandas.DataFrame) -> None:
    report.section("Worst sentences")
    report.text(
        "The translations with the lowest chrF against their reference. Some may be as "
        "good as the reference, in other words, or the reference may be wrong."
    )
    worst = predictions["chrf"].to_numpy().argsort(kind="stable")[:_WORST]
    report.excerpts("", [_excerpt(predictions, int(row)) for row in worst])


def _add_ngrams(report: Report, predictions: pandas.DataFrame, language: str) -> None:
    counts = count_ngrams(
        predictions["translation"].tolist(),
        predictions["reference"].tolist(),
        language,
    )
    parts = {
        "Said too often": [count for count in counts if count.surplus > 0],
        "Said too seldom": [count for count in counts[::-1] if count.surplus < 0],
    }
    if not any(parts.values()):
        return
    report.section("Words said too often and too seldom")
    for heading, part in parts.items():
        if part:
            report.table(
                heading,
                ["Words", "Translations", "References", "Difference"],
                [_ngram_row(count) for count in part[:_NGRAMS]],
            )


def _ngram_row(count: NgramCount) -> list[object]:
    return [count.ngram, count.translations, count.references, f"{count.surplus:+,}"]


def _excerpt(predictions: pandas.DataFrame, row: int) -> tuple[str, str]:
    """A row's line of scores, and its three texts, a line each."""
    of_row = predictions.iloc[row]
    line = (
        f"Row {row + 1:,}: chrF {of_row['chrf']:.1f}, BLEU {of_row['bleu']:.1f}, "
        f"score {of_row['score']:.3f}"
    )
    texts = (
        f"{name.capitalize()}: {shortened(of_row[name], _EXCERPT_LENGTH)}"
        for name in ("source", "reference", "translation")
    )
    return line, "\n".join(texts)


def _listed(pieces: Sequence[str]) -> str:
    return ", ".join(f"{number} {piece}" for number, piece in enumerate(pieces, 1))


def _system_name(name: str) -> str:
    if name == _MODEL:
        return "This model"
    return BASELINE_NAMES.get(name, name.replace("_", " "))
