"""The result of a model of text to text and its report: how good, where worst."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
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
    draw_by_length,
    pieces_are_drawable,
)
from .generator import Alignment
from .metrics import Measures, NgramCount, in_streams
from .report_data import add_data

#: Of a piece of the references, by the model alone.
PERPLEXITY = Metric("perplexity", "Perplexity", higher_is_better=False, digits=2)

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
}


@dataclass(frozen=True)
class Wording:
    """What a task calls its things.

    Attributes:
        title: Of a report, in front of the data's name.
        output: One output, such as "translation".
        outputs: Several.
        baselines: Names of the baselines, by their keys.
    """

    title: str
    output: str
    outputs: str
    baselines: Mapping[str, str]


class SequenceToSequenceResult(EvaluationResult):
    """How a model and its baselines did on a split.

    Args:
        data: All splits.
        split: The name of the split.
        wording: Of the task.
        measures: By which outputs are judged.
        sources: What was read of the split.
        targets: The right outputs of each, one at least.
        outputs: Of the sources, by the model.
        baselines: Those of each baseline, by its name.
        scores: What the model says of each of its outputs.
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
        wording: Wording,
        measures: Measures,
        sources: Sequence[str],
        targets: Sequence[Sequence[str]],
        outputs: Sequence[str],
        baselines: Mapping[str, Sequence[str]],
        *,
        scores: Sequence[float],
        perplexity: float,
        align: Callable[[], Sequence[Alignment]],
        describe_subwords: Callable[[], Mapping[str, Any]],
        padded_fraction: float,
        seed: int,
        measure: str,
    ):
        self.data, self.split = data.spec, split
        self.pairs = data
        self.wording = wording
        self.measures = measures
        self.align = align
        self.measure = measure if measure in measures.summarised else measures.headline
        self.sources = list(sources)
        self.references = in_streams(targets)
        self._targets = targets
        self._outputs = list(outputs)
        self._scores = scores
        self._describe_subwords = describe_subwords
        self._padded_fraction = padded_fraction
        self._seed = seed
        self._counts = {
            name: measures.count(texts, self.references)
            for name, texts in {_MODEL: self._outputs, **baselines}.items()
        }
        metrics = {name: measures.scores(each) for name, each in self._counts.items()}
        self.model = metrics.pop(_MODEL) | {PERPLEXITY.key: perplexity}
        self.baselines = metrics

    @functools.cached_property
    def intervals(self) -> Mapping[str, Mapping[str, tuple[float, float]]]:
        """By system the 95 % intervals of its metrics."""
        return self.measures.intervals(self._counts, seed=self._seed)

    @functools.cached_property
    def of_measures(self) -> Mapping[str, Any]:
        """What there is to say of the metrics beside their values."""
        return self.measures.details(self.references, self._counts)

    @functools.cached_property
    def by_length(self) -> pandas.DataFrame:
        """The headline by words of the source."""
        lengths = np.array([count_words(text) for text in self.sources])
        return self.measures.by_length(lengths, self._counts)

    @functools.cached_property
    def subwords(self) -> Mapping[str, Any]:
        """Into what pieces the sentences fall."""
        return self._describe_subwords()

    @property
    def headline(self) -> Metric:
        """The metric by which lengths are compared."""
        return self.metric(self.measures.headline)

    def metric(self, key: str) -> Metric:
        """The metric of that key."""
        return next(each for each in self.measures.metrics if each.key == key)

    def system_name(self, key: str) -> str:
        """Of the model or a baseline."""
        if key == _MODEL:
            return "This model"
        return self.wording.baselines.get(key, key.replace("_", " "))

    def details(self) -> dict[str, Any]:
        return {
            "source": self.pairs.source,
            "target": self.pairs.target,
            "pairs": len(self.sources),
            "intervals": self.intervals,
            **self.of_measures,
            f"{self.headline.key}_by_length": self.by_length.to_dict("records"),
            "checks": asdict(self.pairs.checks),
            "bad_rows": [str(row) for row in self.pairs.bad_rows],
            "subwords": self.subwords,
            "padded_fraction": self._padded_fraction,
        }

    def predictions(self) -> pandas.DataFrame:
        """`reference` is, of several, the one nearest to the output."""
        return pandas.DataFrame(
            {
                "source": self.sources,
                "reference": [
                    self.measures.nearest(output, targets)
                    for output, targets in zip(
                        self._outputs, self._targets, strict=True
                    )
                ],
                self.wording.output: self._outputs,
                "score": self._scores,
                **self.measures.of_sentences(self._counts[_MODEL]),
            }
        )

    def report_content(self) -> ReportContent:
        predictions = self.predictions()
        curves = {
            metric.key: metric.heading
            for metric in self.measures.metrics
            if metric.key in self.measures.summarised
        }
        return ReportContent(
            title=f"{self.wording.title}: {self.data}",
            summary=_summary(self),
            learning_curves=_LEARNING_CURVES | curves,
            metrics=(*self.measures.metrics, PERPLEXITY),
            names=self.wording.baselines,
            intervals=self.intervals,
            sections=[
                lambda report: _add_results(report, self),
                lambda report: _add_lengths(report, self),
                lambda report: _add_samples(report, self, predictions),
                lambda report: _add_attention(report, self),
                lambda report: _add_worst(report, self, predictions),
                lambda report: _add_ngrams(report, self, predictions),
            ],
            add_data=lambda report: add_data(report, self.pairs),
            metadata={
                "subwords": self.subwords,
                "padded fraction": self._padded_fraction,
            },
            bad_rows=[str(row) for row in self.pairs.bad_rows],
        )


def _summary(result: SequenceToSequenceResult) -> str:
    name = result.measure
    factor, unit = result.measures.summarised[name]
    value = factor * result.model[name]
    lower, upper = (factor * bound for bound in result.intervals[_MODEL][name])
    summary = (
        f"On {len(result.sources):,} pairs ({result.split} of {result.data}) the model "
        f"has {value:.1f} {unit} (95 % interval {lower:.1f} to {upper:.1f})"
    )
    if not result.baselines:
        return summary + "."
    choose = max if result.metric(name).higher_is_better else min
    best = choose(result.baselines, key=lambda each: result.baselines[each][name])
    of_best = factor * result.baselines[best][name]
    difference = value - of_best
    return (
        f"{summary}; the best baseline, {result.system_name(best)}, has {of_best:.1f}: "
        f"{abs(difference):.1f} points {'above' if difference >= 0 else 'below'} it."
    )


def _add_results(report: Report, result: SequenceToSequenceResult) -> None:
    names = {key: result.system_name(key) for key in (_MODEL, *result.baselines)}
    result.measures.add_to(report, result.of_measures, names)
    report.text(
        "Perplexity is that of a piece of the reference, its end included; it compares "
        "only models with the same pieces. The intervals are by bootstrap over the "
        "pairs."
    )


def _add_lengths(report: Report, result: SequenceToSequenceResult) -> None:
    report.section("By length of the source")
    by_length, metric = result.by_length, result.headline
    systems = {
        result.system_name(str(name)): by_length[name].tolist()
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
        f"{metric.heading} by length",
        functools.partial(draw_by_length, metric.heading, lengths, systems),
        "Pairs sorted by the words of their source, in parts of about equal size.",
        name=f"{metric.key}_by_length",
        description=f"{metric.heading} by words of the source; the table has the "
        "numbers.",
    )
    report.table(
        f"{metric.heading} by words of the source",
        ["Words", "Pairs", *systems],
        [
            [length, int(pairs), *(f"{value:.2f}" for value in values)]
            for length, pairs, *values in zip(
                lengths, by_length["pairs"], *systems.values(), strict=True
            )
        ],
    )


def _add_samples(
    report: Report, result: SequenceToSequenceResult, predictions: pandas.DataFrame
) -> None:
    report.section("Samples")
    report.text("Pairs spread evenly over the split, not chosen.")
    rows = np.linspace(0, len(predictions) - 1, _SAMPLES).round().astype(int)
    report.excerpts(
        "", [_excerpt(result, predictions, int(row)) for row in np.unique(rows)]
    )


def _add_attention(report: Report, result: SequenceToSequenceResult) -> None:
    alignments = result.align()
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
        f"its {result.wording.output} (rows): the darker, the more. ▁ is the space "
        "before a word."
    )
    for row in shown:
        alignment = alignments[row]
        caption = shortened(result.sources[row], _EXCERPT_LENGTH)
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


def _add_worst(
    report: Report, result: SequenceToSequenceResult, predictions: pandas.DataFrame
) -> None:
    key = result.measures.of_sentence
    report.section(f"Worst {result.wording.outputs}")
    report.text(
        f"Those with the lowest {result.metric(key).heading} against their reference. "
        "Some may be as good as the reference, in other words, or the reference may be "
        "wrong."
    )
    worst = predictions[key].to_numpy().argsort(kind="stable")[:_WORST]
    report.excerpts("", [_excerpt(result, predictions, int(row)) for row in worst])


def _add_ngrams(
    report: Report, result: SequenceToSequenceResult, predictions: pandas.DataFrame
) -> None:
    counts = result.measures.count_ngrams(
        predictions[result.wording.output].tolist(), predictions["reference"].tolist()
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
                [
                    "Words",
                    result.wording.outputs.capitalize(),
                    "References",
                    "Difference",
                ],
                [_ngram_row(count) for count in part[:_NGRAMS]],
            )


def _ngram_row(count: NgramCount) -> list[object]:
    return [count.ngram, count.outputs, count.references, f"{count.surplus:+,}"]


def _excerpt(
    result: SequenceToSequenceResult, predictions: pandas.DataFrame, row: int
) -> tuple[str, str]:
    """A row's line of scores, and its three texts, a line each."""
    of_row = predictions.iloc[row]
    scores = [
        f"{metric.heading} {of_row[metric.key]:.{metric.digits - 1}f}"
        for metric in result.measures.metrics
        if metric.key in of_row
    ]
    line = f"Row {row + 1:,}: {', '.join(scores)}, score {of_row['score']:.3f}"
    texts = (
        f"{name.capitalize()}: {shortened(of_row[name], _EXCERPT_LENGTH)}"
        for name in ("source", "reference", result.wording.output)
    )
    return line, "\n".join(texts)


def _listed(pieces: Sequence[str]) -> str:
    return ", ".join(f"{number} {piece}" for number, piece in enumerate(pieces, 1))
