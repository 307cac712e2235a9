"""What outputs are measured by: the frame that the measures of each task fill.

All of it comes from counts by sentence, which are taken once: their sums over any
sentences, be it all of them, those of like length, or a resample, give the scores of
these.
"""

import abc
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas
from rapidfuzz.distance import Levenshtein

from ..reporting.page import Metric, Report

_RESAMPLES = 1_000
# Resamples drawn at a time, so that a large test set fits into memory.
_DRAWN_TOGETHER = 50
_PARTS_BY_LENGTH = 6
# A score of fewer pairs than this is mostly chance.
_LEAST_PAIRS_OF_A_PART = 25
_LONGEST_NGRAM = 2

#: Streams of references: of some sentences some may be None, but not all.
References = Sequence[Sequence[Any]]


class Measures(abc.ABC):
    """What the outputs of a task are measured by.

    Attributes:
        metrics: The columns of tables, the perplexity left out.
        headline: The metric by which lengths are compared.
        of_sentence: The metric of one sentence that shows which outputs are bad.
        summarised: What a summary can name: factor and unit by metric.

    Args:
        language: Of the outputs.
    """

    metrics: ClassVar[tuple[Metric, ...]]
    headline: ClassVar[str]
    of_sentence: ClassVar[str]
    summarised: ClassVar[Mapping[str, tuple[float, str]]]

    def __init__(self, language: str):
        self._language = language

    @abc.abstractmethod
    def count(self, outputs: Sequence[str], references: References) -> np.ndarray:
        """By sentence what all scores are made of.

        Args:
            outputs: `N` texts, one at least.
            references: Streams of `N` references each, as sacreBLEU takes them.

        Returns:
            float64 `[N, C]`; sums over sentences are what `scores_from` takes.
        """

    @abc.abstractmethod
    def scores_from(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """The metrics of sums `[..., C]` of counts, an array `[...]` for each."""

    @abc.abstractmethod
    def of_sentences(self, counts: np.ndarray) -> pandas.DataFrame:
        """Metrics of each sentence by itself, columns of `N` rows."""

    @abc.abstractmethod
    def words(self, text: str) -> list[str]:
        """The words of a text, as they are compared."""

    @abc.abstractmethod
    def details(
        self, references: References, counts: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """What metrics.json says of the metrics beside their values.

        Args:
            references: As of `count`.
            counts: By system.
        """

    @abc.abstractmethod
    def add_to(
        self, report: Report, details: Mapping[str, Any], names: Mapping[str, str]
    ) -> None:
        """Says in the report's results what the metrics are.

        Args:
            report: Its results.
            details: As of `details`.
            names: Of the systems.
        """

    def score(self, name: str, outputs: Sequence[str], references: References) -> float:
        """One metric of all sentences."""
        return self.scores(self.count(outputs, references))[name]

    def scores(self, counts: np.ndarray) -> dict[str, float]:
        """The metrics of all sentences `[N, C]` together."""
        scores = self.scores_from(counts.sum(axis=0))
        return {name: float(score) for name, score in scores.items()}

    def intervals(
        self, systems: Mapping[str, np.ndarray], *, seed: int
    ) -> dict[str, dict[str, tuple[float, float]]]:
        """By system the 95 % intervals of its metrics.

        They are quantiles over resampled sentences, the same ones for all systems.

        Args:
            systems: Counts `[N, C]` of each.
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
                for metric, values in self.scores_from(of_system).items()
            }
            for name, of_system in zip(systems, resamples, strict=True)
        }

    def by_length(
        self, lengths: np.ndarray, systems: Mapping[str, np.ndarray]
    ) -> pandas.DataFrame:
        """The headline of the pairs in parts of rising length and about equal size.

        Args:
            lengths: int `[N]`, of the sources.
            systems: Counts `[N, C]` by name.

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
                        name: self.scores(counts[rows])[self.headline]
                        for name, counts in systems.items()
                    },
                }
            )
        return pandas.DataFrame(parts)

    def count_ngrams(
        self, outputs: Sequence[str], references: Sequence[str]
    ) -> list["NgramCount"]:
        """The words and pairs of words, from those said too often to too seldom."""
        said = Counter(self._ngrams(outputs))
        wanted = Counter(self._ngrams(references))
        counts = [
            NgramCount(ngram, said[ngram], wanted[ngram]) for ngram in said | wanted
        ]
        return sorted(counts, key=lambda count: (-count.surplus, count.ngram))

    def nearest(self, output: str, references: Sequence[str]) -> str:
        """Of several references that with the fewest edits of words."""
        words = self.words(output)
        return min(references, key=lambda other: edits(words, self.words(other))[0])

    def _ngrams(self, texts: Sequence[str]) -> Iterator[str]:
        for text in texts:
            words = self.words(text)
            for length in range(1, _LONGEST_NGRAM + 1):
                for start in range(len(words) - length + 1):
                    yield " ".join(words[start : start + length])


@dataclass(frozen=True)
class NgramCount:
    """How often one or two words stand in the outputs and in the references."""

    ngram: str
    outputs: int
    references: int

    @property
    def surplus(self) -> int:
        """How many more there are in the outputs."""
        return self.outputs - self.references


def in_streams(references: Sequence[Sequence[str]]) -> References:
    """The references of each sentence as streams."""
    return list(itertools.zip_longest(*references))


def by_sentence(references: References) -> Iterator[list[str]]:
    """The references of each sentence of streams."""
    for known in zip(*references, strict=True):
        yield [text for text in known if text is not None]


def edits(said: Sequence[str], wanted: Sequence[str]) -> tuple[int, int]:
    """The edits of what is said, and the length of what is wanted."""
    return Levenshtein.distance(said, wanted), len(wanted)
