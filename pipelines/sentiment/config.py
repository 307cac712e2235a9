"""The configuration of sentiment classification, with every default."""

from typing import Literal

import pydantic
from pydantic import Field

from ..configuration import Section
from ..task import DataSection, TaskSection
from ..training import TrainingSection

Pooling = Literal["last", "max", "mean", "attention"]


class SentimentDataSection(DataSection):
    """Texts with their labels."""

    text_column: str | None = Field(None, description="found by usual names if null")
    label_column: str | None = Field(None, description="found by usual names if null")
    group_column: str | None = Field(
        None, description="rows with the same value stay in one split"
    )
    validation_share: float = Field(0.1, gt=0, lt=1, description="of the training rows")
    test_share: float = Field(
        0.1, ge=0, lt=1, description="of the rows, where the data bring no test"
    )
    test_data: str | None = Field(None, description="spec of separate test data")
    max_bad_share: float = Field(
        0.01, ge=0, le=1, description="of unreadable rows, over which a run stops"
    )


class TextSection(Section):
    """How a text becomes tokens."""

    lowercase: bool = True
    vocabulary_size: int = Field(30_000, ge=2, description="most frequent tokens kept")
    min_count: int = Field(2, ge=1, description="rarer tokens are unknown words")
    max_tokens: int = Field(400, ge=2, description="that the recurrent branch reads")
    head_share: float = Field(
        0.25, ge=0, le=1, description="of max_tokens taken from a long text's beginning"
    )


class WideSection(Section):
    """The branch of word n-grams, weighted by naive Bayes, beside the recurrent one."""

    enabled: bool = True
    max_ngram: int = Field(3, ge=1, le=5, description="words of the longest n-gram")
    min_count: int = Field(3, ge=1, description="texts that an n-gram must stand in")
    max_ngrams: int = Field(2_000_000, ge=1, description="most frequent ones kept")
    smoothing: float = Field(1.0, gt=0, description="added to naive Bayes counts")
    dropout: float = Field(0.0, ge=0, lt=1, description="of n-grams in training")


class ModelSection(Section):
    """The recurrent branch."""

    embedding_size: int = Field(128, ge=1)
    embedding_start: Literal["cooccurrence", "random"] = Field(
        "cooccurrence",
        description="word vectors to begin with: of the training texts, or random",
    )
    word_dropout: float = Field(0.2, ge=0, lt=1, description="of word types")
    cell: Literal["vanilla", "lstm"] = "lstm"
    units: int = Field(64, ge=1, description="in each direction")
    depth: int = Field(1, ge=1, le=8, description="recurrent layers")
    bidirectional: bool = True
    input_dropout: float = Field(0.3, ge=0, lt=1, description="variational")
    state_dropout: float = Field(0.0, ge=0, lt=1, description="variational")
    output_dropout: float = Field(0.0, ge=0, lt=1, description="variational")
    zoneout_hidden: float = Field(0.0, ge=0, lt=1)
    zoneout_cell: float = Field(0.0, ge=0, lt=1, description="LSTM alone")
    pooling: list[Pooling] = Field(
        ["max", "mean"], min_length=1, description="over time; several are joined"
    )
    dropout: float = Field(0.5, ge=0, lt=1, description="before the classifier")

    @pydantic.model_validator(mode="after")
    def _zoneout_cell_needs_a_cell_state(self) -> "ModelSection":
        if self.zoneout_cell and self.cell != "lstm":
            raise ValueError(f"zoneout_cell: a {self.cell} cell has no cell state")
        return self


class SentimentConfiguration(TaskSection):
    """Everything that a sentiment run depends on."""

    data: SentimentDataSection = SentimentDataSection()
    text: TextSection = TextSection()
    model: ModelSection = ModelSection()
    wide: WideSection = WideSection()
    training: TrainingSection = TrainingSection(
        epochs=6, learning_rate=2e-3, decay="cosine"
    )
