"""Translation, fulfilling the contract of a task."""

import logging
from collections.abc import Collection, Sequence
from typing import ClassVar

from ..data.texts.sentence_pairs import (
    SentencePairs,
)
from ..sequence_to_sequence.batches import PairDataModule
from ..sequence_to_sequence.report import Wording
from ..sequence_to_sequence.task import SequenceToSequenceTask
from .baselines import Baseline, fit_baselines
from .cli import TASK
from .config import (
    TranslationConfig,
)
from .metrics import TranslationMeasures, bleu_coverage

logger = logging.getLogger("recurra")

BASELINE_NAMES = {
    "copy": "Copy of the source",
    "lexicon": "Word by word (IBM model 1)",
}


class TranslationTask(SequenceToSequenceTask[TranslationConfig]):
    """Sentences of one language to another."""

    definition = TASK
    measures_class = TranslationMeasures
    action = "Translate"
    output = "translation"
    lowest: ClassVar[Collection[str]] = ("val_loss", "ter", "wer")

    def wording(self, data: SentencePairs) -> Wording:
        return Wording(
            f"Translation {data.source} to {data.target}",
            self.output,
            "translations",
            BASELINE_NAMES,
        )

    def languages(self, data: SentencePairs | None = None) -> tuple[str, str]:
        named = data or self.configuration.data
        return named.source, named.target

    def chosen_monitor(self, data: SentencePairs) -> str:
        """A line of the log says why."""
        targets = data.splits["validation"].target.tolist()
        covered = bleu_coverage(targets, data.target)
        chosen = "bleu" if covered >= 0.5 else "exact_match"
        logger.info(
            "The best epoch is that of the best %s on validation, where %.0f %% of the "
            "targets have the four words that BLEU looks at (training.monitor chooses)",
            chosen,
            100 * covered,
        )
        return chosen

    def fit_baselines(self, data_module: PairDataModule) -> dict[str, Baseline]:
        return fit_baselines(data_module.data.splits["train"], self.configuration.seed)

    def baseline_outputs(self, baseline: Baseline, sources: Sequence[str]) -> list[str]:
        return baseline.translate(sources)
