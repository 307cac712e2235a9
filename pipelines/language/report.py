"""The result of an evaluation, and what the report says of it."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas

from ..core.evaluation import EvaluationResult, ReportContent
from ..reporting.page import Metric, Report
from .baselines import KNESER_NEY, UNIGRAM
from .data import StreamDataModule
from .members import CACHE, MODEL, RECURRENT, Members, system_scores
from .metrics import nll_by_part, nll_interval, prediction_metrics
from .scoring import UnitScores
from .vocabulary import UNKNOWN

METRICS = (
    Metric("nll", "NLL", higher_is_better=False),
    Metric("perplexity", "Perplexity", higher_is_better=False),
    Metric("bits_per_character", "Bits per character", higher_is_better=False),
    Metric("top_1", "Top 1"),
    Metric("top_5", "Top 5"),
)
NAMES = {
    UNIGRAM: "Each unit by itself",
    KNESER_NEY: "Kneser-Ney",
    RECURRENT: "Recurrent network",
    CACHE: "Network and cache",
}
_LEARNING_CURVES = {"loss": "Loss", "nll": "Negative log-likelihood of a unit"}
# From these positions in a document, and these counts in training, on.
_POSITIONS = (0, 10, 30, 100, 300, 1_000, 10_000)
_COUNTS = (0, 1, 10, 100, 1_000, 10_000, 100_000)
_COUNTED = 1 << 22
_SURPRISING = 20
_CONTEXT = 60
# Units that are shaded, and the surprise in nats of the darkest.
_SHADED, _DARKEST = 300, 7.0
_TEMPERATURES = (0.5, 0.8, 1.0)


class LanguageResult(EvaluationResult):
    """How a language model and its members did on a split.

    Args:
        data_module: The data.
        split: The name of the split.
        scores: Of its units.
        members: That gave the scores.
        unigram: Probability of each unit by itself; None where that failed.
        blanks: How well blanks are filled.
        write: Gives texts that the model writes at a temperature.
        seed: Of the bootstrap.
    """

    def __init__(
        self,
        data_module: StreamDataModule,
        split: str,
        scores: UnitScores,
        members: Members,
        *,
        unigram: np.ndarray | None,
        blanks: Mapping[str, float],
        write: Callable[[float], Sequence[str]],
        seed: int,
    ):
        self.data, self.split = data_module.data.spec, split
        self._data_module = data_module
        self._documents = data_module.documents(split)
        self._units = np.concatenate(self._documents)
        self._members = members
        self._blanks = blanks
        self._write = write
        self._seed = seed
        characters = sum(map(len, data_module.data.splits[split]))
        weights = members.weights.numpy()
        found = system_scores(scores.log_probabilities, weights)
        self._scores = found[:, 0]
        metrics = {
            name: prediction_metrics(
                found[:, number], characters, scores.ranks[:, number]
            )
            for number, name in enumerate(members.systems)
        }
        if unigram is not None:
            places = np.argsort(np.argsort(-unigram, kind="stable"), kind="stable")
            metrics[UNIGRAM] = prediction_metrics(
                np.log(unigram)[self._units],
                characters,
                places[self._units[scores.ranked]],
            )
        self.model = metrics.pop(MODEL)
        order = [name for name in NAMES if name in metrics]
        self.baselines = {name: metrics[name] for name in order}

    @functools.cached_property
    def intervals(self) -> dict[str, dict[str, tuple[float, float]]]:
        """The 95 % interval of the model's `nll`, unless there is too little text."""
        lengths = list(map(len, self._documents))
        interval = nll_interval(self._scores, lengths, self._seed)
        return {} if interval is None else {MODEL: {"nll": interval}}

    @functools.cached_property
    def by_position(self) -> pandas.DataFrame:
        """Units and `nll` by their place in the document."""
        places = np.concatenate([np.arange(len(each)) for each in self._documents])
        return self._by_part(places, _POSITIONS)

    @functools.cached_property
    def by_count(self) -> pandas.DataFrame:
        """Units and `nll` by how often the unit stands in training."""
        size = self._data_module.units.size
        counts = np.zeros(size, np.int64)
        for document in self._data_module.documents("train"):
            # A long one would be copied as numbers of eight bytes.
            for begin in range(0, len(document), _COUNTED):
                part = document[begin : begin + _COUNTED]
                counts += np.bincount(part, minlength=size)
        return self._by_part(counts[self._units], _COUNTS)

    def _by_part(self, values: np.ndarray, edges: tuple[int, ...]) -> pandas.DataFrame:
        parts = nll_by_part(self._scores, values, np.array(edges))
        rows = [
            {"from": edge, "units": units, "nll": nll}
            for edge, (units, nll) in zip(edges, parts, strict=True)
            if units
        ]
        return pandas.DataFrame(rows)

    def details(self) -> Mapping[str, Any]:
        details = {
            "units": len(self._units),
            "unknown_fraction": float((self._units == UNKNOWN).mean()),
            "weights": dict(
                zip(
                    self._members.names,
                    map(float, self._members.weights.numpy()[0]),
                    strict=True,
                )
            ),
            "intervals": self.intervals,
            "by_position": self.by_position.to_dict("records"),
            "blanks": dict(self._blanks),
        }
        if "train" in self._data_module.data.splits:
            details["by_count"] = self.by_count.to_dict("records")
        return details

    def predictions(self) -> pandas.DataFrame:
        """The log-probability of each text."""
        lengths = list(map(len, self._documents))
        begins = np.cumsum([0, *lengths[:-1]])
        texts = list(map(str, self._data_module.data.splits[self.split]))
        if not self._data_module.apart:
            texts = ["".join(texts)]
        return pandas.DataFrame(
            {
                "text": texts,
                "units": lengths,
                "log_probability": np.add.reduceat(self._scores, begins),
            }
        )

    def report_content(self) -> ReportContent:
        data = self._data_module.data
        return ReportContent(
            title=f"Language: {self.data}",
            summary=self._summary(),
            learning_curves=_LEARNING_CURVES,
            metrics=METRICS,
            names=NAMES,
            intervals=self.intervals,
            sections=[
                self._add_mixture,
                self._add_parts,
                self._add_blanks,
                self._add_surprising,
                self._add_samples,
            ],
            metadata={
                "documents": {name: len(texts) for name, texts in data.splits.items()},
                "units": self._data_module.counts,
                "vocabulary": self._data_module.units.size,
            },
            bad_rows=[str(row) for row in data.bad_rows],
        )

    def _summary(self) -> str:
        summary = (
            f"On {len(self._units):,} units ({self.split} of {self.data}) the model "
            f"has perplexity {self.model['perplexity']:.2f}, "
            f"{self.model['bits_per_character']:.3f} bits per character"
        )
        # What a user would have without the network.
        counts = [name for name in (UNIGRAM, KNESER_NEY) if name in self.baselines]
        if not counts:
            return summary + "."
        best = min(counts, key=lambda name: self.baselines[name]["nll"])
        perplexity = self.baselines[best]["perplexity"]
        return f"{summary}; {NAMES[best]} alone has perplexity {perplexity:.2f}."

    def _add_mixture(self, report: Report) -> None:
        report.section("Mixture")
        report.key_values(
            "Weights, fitted on validation",
            {
                NAMES[name] if name != CACHE else "Cache": f"{weight:.3f}"
                for name, weight in self.details()["weights"].items()
            },
        )

    def _add_blanks(self, report: Report) -> None:
        report.section("Blanks")
        report.key_values(
            f"{self._blanks['blanks']} units of {self.split}, left out one at a time",
            {
                "The best filling is the unit": f"{self._blanks['top_1']:.1%}",
                "One of the best five is": f"{self._blanks['top_5']:.1%}",
            },
        )

    def _add_parts(self, report: Report) -> None:
        report.section("Where it is hard")
        parts = {"By position in the document": self.by_position}
        if "by_count" in self.details():
            parts["By occurrences of the unit in training"] = self.by_count
        for heading, table in parts.items():
            report.table(
                heading,
                ["From", "Units", "NLL"],
                [
                    [int(row["from"]), int(row["units"]), f"{row['nll']:.3f}"]
                    for _, row in table.iterrows()
                ],
            )

    def _add_surprising(self, report: Report) -> None:
        report.section("Most surprising")
        shown = self._units[:_SHADED]
        report.text(
            f"The beginning of {self.split}, the darker the less it was expected: "
            f"from 1 in 1 to 1 in {round(np.exp(_DARKEST)):,} or less."
        )
        report.shaded(
            "Surprise",
            list(
                zip(
                    self._written(shown),
                    -self._scores[:_SHADED] / _DARKEST,
                    strict=True,
                )
            ),
        )
        entries = []
        for place in np.argsort(self._scores, kind="stable")[:_SURPRISING]:
            before = self._units[max(0, place - _CONTEXT) : place + 1]
            text = "".join(self._written(before)).lstrip(" ")
            entries.append((f"{-self._scores[place]:.1f} nats", text))
        report.excerpts("The least expected, with what stands before it", entries)

    def _written(self, ids: np.ndarray) -> list[str]:
        """The text of each unit, with the space before it."""
        units = self._data_module.units
        texts = units.texts_of(ids)[:, None]
        written = units.join(texts, np.full(len(ids), "x")).numpy()
        return [text.decode("utf-8", "replace") for text in written]

    def _add_samples(self, report: Report) -> None:
        report.section("What it writes")
        report.excerpts(
            "",
            [
                (f"At temperature {temperature}", text)
                for temperature in _TEMPERATURES
                for text in self._write(temperature)
            ],
        )
