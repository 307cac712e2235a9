"""The configuration of translation, with every default."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from ..sequence_to_sequence.config import (
    PairDataConfig,
    SequenceToSequenceConfig,
    SequenceToSequenceTrainingConfig,
)

Monitor = Literal["val_loss", "bleu", "chrf", "exact_match", "ter", "wer"]


class TranslationDataConfig(PairDataConfig):
    """Sentence pairs of two languages."""

    source: str = Field(
        "en",
        min_length=1,
        description="language to translate from: ending of files, name of a column",
    )
    target: str = Field(
        "de",
        min_length=1,
        description="language to translate to: ending of files, name of a column",
    )
    # As Hugging Face's sets have it.
    pair_columns: ClassVar[Sequence[str]] = ("translation", "translations")


class TranslationTrainingConfig(SequenceToSequenceTrainingConfig):
    """How a translation model is trained."""

    renamed_keys: ClassVar[Mapping[str, str]] = {
        **SequenceToSequenceTrainingConfig.renamed_keys,
        "bleu_sentences": "measured_outputs",
    }

    monitor: Monitor | None = Field(
        None,
        description="measure of validation whose best value marks the best epoch; "
        "if null bleu, or exact_match where most targets have less than four words",
    )


class TranslationConfig(SequenceToSequenceConfig):
    """Everything that a translation run depends on."""

    data: TranslationDataConfig = TranslationDataConfig()
    training: TranslationTrainingConfig = TranslationTrainingConfig(
        epochs=30, patience=5, averaged_epochs=3
    )
