"""How good summaries are: ROUGE."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import DefaultTokenizer, Tokenizer

from ..data.texts.words import TOKEN
from ..reporting.page import Metric, Report
from ..sequence_to_sequence.metrics import Measures, References, by_sentence

_ROUGE = ("rouge1", "rouge2", "rougeL")
# Of a text: the ROUGE of each kind, whether it is a reference, one, and the words of
# the summary and of the nearest reference.
_EXACT, _NUMBER, _SAID, _WANTED = range(len(_ROUGE), len(_ROUGE) + 4)


class SummaryMeasures(Measures):
    """ROUGE and what is printed beside it.

    - `rouge1`, `rouge2`: the F1 of words and of pairs of words that summary and
      reference share (Lin 2004, "ROUGE: A Package for Automatic Evaluation of
      Summaries", https://aclanthology.org/W04-1013).
    - `rougeL`: the F1 of their longest common subsequence.
    - `exact_match`: the fraction that is equal to a reference, white space aside.

    ROUGE is by the package rouge-score, of 100, the mean over the texts. Of several
    references that with the largest F1 counts. English words are lower-cased letters
    and digits, stemmed, as papers report them; those of other languages are lower-cased
    and as `data.texts.words.TOKEN` has them, since rouge-score's own leave out all
    letters but a to z.
    """

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("rouge1", "ROUGE-1", digits=2),
        Metric("rouge2", "ROUGE-2", digits=2),
        Metric("rougeL", "ROUGE-L", digits=2),
        Metric("exact_match", "Exact match"),
    )
    headline = "rougeL"
    of_sentence = "rougeL"
    summarised: ClassVar[Mapping[str, tuple[float, str]]] = {
        "rouge1": (1, "ROUGE-1"),
        "rouge2": (1, "ROUGE-2"),
        "rougeL": (1, "ROUGE-L"),
        "exact_match": (100, "% exact matches"),
    }

    def __init__(self, language: str):
        super().__init__(language)
        self._is_english = language.lower().replace("_", "-").split("-")[0] == "en"
        self._tokenizer: Tokenizer = (
            DefaultTokenizer(use_stemmer=True) if self._is_english else _Words()
        )
        self._scorer = RougeScorer(_ROUGE, tokenizer=self._tokenizer)

    def count(self, outputs: Sequence[str], references: References) -> np.ndarray:
        counts = []
        for text, known in zip(outputs, by_sentence(references), strict=True):
            scores = self._scorer.score_multi(known, text)
            counts.append(
                [
                    *(100 * scores[kind].fmeasure for kind in _ROUGE),
                    any(text.split() == other.split() for other in known),
                    True,
                    len(self.words(text)),
                    len(self.words(self.nearest(text, known))),
                ]
            )
        return np.array(counts, float)

    def scores_from(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        means = counts / counts[..., _NUMBER, np.newaxis]
        names = (*_ROUGE, "exact_match")
        return {name: means[..., column] for column, name in enumerate(names)}

    def of_sentences(self, counts: np.ndarray) -> pandas.DataFrame:
        """ROUGE of each text by itself."""
        return pandas.DataFrame(
            {kind: counts[:, column] for column, kind in enumerate(_ROUGE)}
        )

    def words(self, text: str) -> list[str]:
        return self._tokenizer.tokenize(text)

    def details(
        self, references: References, counts: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        """`signature`, how ROUGE is computed, and `length_ratio` by system."""
        version = importlib.metadata.version("rouge-score")
        words = "stemmed English words" if self._is_english else "words"
        ratios = {}
        for name, each in counts.items():
            said, wanted = each[:, [_SAID, _WANTED]].sum(axis=0)
            ratios[name] = float(said / wanted) if wanted else 0.0
        return {
            "signature": f"rouge-score {version}, F1, {words}, "
            f"{len(references)} references at most",
            "length_ratio": ratios,
        }

    def add_to(
        self, report: Report, details: Mapping[str, Any], names: Mapping[str, str]
    ) -> None:
        report.text(
            "ROUGE is the F1 of the words (ROUGE-1), pairs of words (ROUGE-2) and the "
            "longest common subsequence (ROUGE-L) that a summary shares with its "
            "reference. It says nothing of whether a summary is true. Exact match is "
            "the fraction of summaries that are equal to their reference."
        )
        report.key_values("How ROUGE is computed", {"ROUGE": details["signature"]})
        report.table(
            "How long the summaries are",
            ["System", "Words for each word of the references"],
            [
                [names[name], f"{ratio:.2f}"]
                for name, ratio in details["length_ratio"].items()
            ],
        )


class _Words(Tokenizer):
    """The words of any language, and no punctuation."""

    def tokenize(self, text: str) -> list[str]:
        tokens = (match.group().lower() for match in TOKEN.finditer(text))
        return [token for token in tokens if any(map(str.isalnum, token))]
