"""Summarisation, fulfilling the contract of a task."""

import logging
from collections.abc import Sequence

import numpy as np

from ..data.texts.sentence_pairs import SentencePairs
from ..sequence_to_sequence.batches import PairDataModule
from ..sequence_to_sequence.long_texts import separator
from ..sequence_to_sequence.report import Wording
from ..sequence_to_sequence.task import SequenceToSequenceTask
from .baselines import BASELINES, LeadBaseline
from .cli import TASK
from .config import SummarisationConfig
from .metrics import SummaryMeasures

logger = logging.getLogger("recurra")

BASELINE_NAMES = {
    "lead_1": "The first sentence",
    "lead_3": "The first three sentences",
}


class SummarisationTask(SequenceToSequenceTask[SummarisationConfig]):
    """Articles to short summaries or headlines."""

    definition = TASK
    measures_class = SummaryMeasures
    action = "Summarise"
    output = "summary"

    @classmethod
    def load(cls, configuration: SummarisationConfig) -> SentencePairs:
        data = super().load(configuration)
        train = data.splits["train"]
        lengths = [np.median(side.lengths()) for side in (train.source, train.target)]
        if lengths[1] > lengths[0]:
            logger.warning(
                "%s: what is taken for the summaries (%s) is longer than the articles "
                "(%s); data.source_column and data.target_column choose",
                *(data.spec, data.target, data.source),
            )
        return data

    def wording(self, data: SentencePairs) -> Wording:
        return Wording("Summaries", self.output, "summaries", BASELINE_NAMES)

    def languages(self, data: SentencePairs | None = None) -> tuple[str, str]:
        language = self.configuration.data.language
        return language, language

    def fit_baselines(self, data_module: PairDataModule) -> dict[str, LeadBaseline]:
        between = separator(self.configuration.data.language)
        return {
            name: LeadBaseline(sentences, between)
            for name, sentences in BASELINES.items()
        }

    def baseline_outputs(
        self, baseline: LeadBaseline, sources: Sequence[str]
    ) -> list[str]:
        return baseline.summarise(sources)
