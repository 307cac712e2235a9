"""The configuration of summarisation, with every default."""

from typing import ClassVar, Literal

from pydantic import Field

from ..data.texts.pair_rules_config import PairRulesConfig
from ..data.texts.usual_names import SIDE_COLUMNS, SideColumns
from ..sequence_to_sequence.config import (
    DecodingConfig,
    ModelConfig,
    PairDataConfig,
    SequenceToSequenceConfig,
    SequenceToSequenceTrainingConfig,
    SubwordsConfig,
)

Monitor = Literal["val_loss", "rouge1", "rouge2", "rougeL", "exact_match"]


class SummarisationDataConfig(PairDataConfig):
    """Articles and what is the gist of each."""

    source: str = Field(
        "article",
        min_length=1,
        description="what articles are called: ending of files, name of a column",
    )
    target: str = Field(
        "summary",
        min_length=1,
        description="what summaries are called: ending of files, name of a column",
    )
    language: str = Field("en", min_length=2, description="of the texts, as a code")
    rules: PairRulesConfig = PairRulesConfig(
        max_characters=100_000, max_length_ratio=100.0
    )
    side_columns: ClassVar[SideColumns] = (
        (
            *("article", "document", "text", "dialogue", "story", "body", "content"),
            *SIDE_COLUMNS[0],
        ),
        (
            *("summary", "highlights", "headline", "title", "abstract", "description"),
            *SIDE_COLUMNS[1],
        ),
    )


class SummarisationTrainingConfig(SequenceToSequenceTrainingConfig):
    """How a summarising model is trained."""

    monitor: Monitor | None = Field(
        None,
        description="measure of validation whose best value marks the best epoch; "
        "rougeL if null",
    )


class SummarisationConfig(SequenceToSequenceConfig):
    """Everything that a summarisation run depends on."""

    data: SummarisationDataConfig = SummarisationDataConfig()
    subwords: SubwordsConfig = SubwordsConfig(max_source_pieces=400)
    model: ModelConfig = ModelConfig(copy_source=True)
    decoding: DecodingConfig = DecodingConfig(
        split="never",
        max_length_ratio=0.5,
        longest_extra=30,
        no_repeat_ngram=3,
    )
    training: SummarisationTrainingConfig = SummarisationTrainingConfig(
        epochs=30, patience=5, averaged_epochs=3
    )
