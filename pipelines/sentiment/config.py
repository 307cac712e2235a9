"""The configuration of sentiment classification, with every default."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import pydantic
from pydantic import Field

from ..core.configuration import Config
from ..core.task_config import TaskConfig, TrainingConfig
from ..data.files.table_config import TableConfig
from ..data.texts import usual_names
from ..recurrent import RecurrentConfig

#: Names that the column of the labels is found by.
LABEL_COLUMNS = (
    usual_names.LABEL_COLUMNS[0],
    "sentiment",
    *usual_names.LABEL_COLUMNS[1:],
    "airlinesentiment",
)

Pooling = Literal["last", "max", "mean", "attention"]


class SentimentDataConfig(TableConfig):
    """Texts with their labels."""

    renamed_keys: ClassVar[Mapping[str, str]] = {
        "validation_share": "validation_fraction",
        "test_share": "test_fraction",
        "max_bad_share": "max_bad_fraction",
    }

    text_column: str | None = Field(
        None, description="column of the texts, by name or number; found if null"
    )
    label_column: str | None = Field(
        None, description="column of the labels, by name or number; found if null"
    )
    group_column: str | None = Field(
        None, description="column; rows with the same value stay in one split"
    )
    validation_fraction: float = Field(
        0.1, gt=0, lt=1, description="of the training rows"
    )
    test_fraction: float = Field(
        0.1, ge=0, lt=1, description="of the rows, where the data bring no test"
    )
    test_data: str | None = Field(None, description="spec of separate test data")
    max_bad_fraction: float = Field(
        0.01, ge=0, le=1, description="of unreadable rows, over which a run stops"
    )
    min_class_rows: int = Field(
        1, ge=1, description="classes with fewer rows to train on are left out"
    )
    label_case: Literal["keep", "fold"] = Field(
        "keep", description="fold: labels that differ by case alone are one class"
    )


class TextConfig(Config):
    """How a text becomes tokens."""

    renamed_keys: ClassVar[Mapping[str, str]] = {"head_share": "head_fraction"}

    lowercase: bool = True
    vocabulary_size: int = Field(30_000, ge=2, description="most frequent tokens kept")
    min_count: int = Field(2, ge=1, description="rarer tokens are unknown words")
    max_tokens: int = Field(600, ge=2, description="that the recurrent branch reads")
    head_fraction: float = Field(
        0.25, ge=0, le=1, description="of max_tokens taken from a long text's beginning"
    )


class NgramsConfig(Config):
    """Word n-grams and their naive Bayes log-count ratios, which both branches use."""

    longest: int = Field(3, ge=1, le=5, description="words of the longest n-gram")
    min_count: int = Field(3, ge=1, description="texts that an n-gram must stand in")
    max_ngrams: int = Field(2_000_000, ge=1, description="most frequent ones kept")
    smoothing: float = Field(2.0, gt=0, description="added to each count")
    folds: int = Field(
        5, ge=2, description="parts of the training texts; none sees its own counts"
    )


class WideConfig(Config):
    """The wide branch: a linear model of the n-grams beside the recurrent one."""

    enabled: bool = True
    rate: float = Field(
        8.0, gt=0, description="how much faster than all else its weights learn"
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="of n-grams in training")
    joint_loss: float = Field(
        0.0, ge=0, description="weight of a loss on the sum of the branches' logits"
    )


class ModelConfig(RecurrentConfig):
    """The recurrent branch."""

    renamed_keys: ClassVar[Mapping[str, str]] = {
        **RecurrentConfig.renamed_keys,
        "evidence": "ngram_features",
        "evidence_dropout": "ngram_feature_dropout",
        "evidence_scale": "ngram_feature_scale",
    }

    embedding_size: int = Field(128, ge=1)
    embedding_start: Literal["cooccurrence", "random"] = Field(
        "cooccurrence",
        description="word vectors to begin with: of the training texts, or random",
    )
    ngram_features: bool = Field(
        True, description="each token brings the ratios of the n-grams it begins"
    )
    ngram_feature_dropout: float = Field(
        0.3, ge=0, lt=1, description="of single ratios"
    )
    ngram_feature_scale: float = Field(
        2.0, gt=0, description="that ratios are multiplied by"
    )
    word_dropout: float = Field(0.1, ge=0, lt=1, description="of word types")
    input_dropout: float = Field(
        0.3, ge=0, lt=1, description="variational, of what a token brings"
    )
    convolution_filters: int = Field(
        128, ge=0, description="of a convolution before the recurrence; 0 for none"
    )
    convolution_width: int = Field(3, ge=1, description="tokens under a filter")
    stride: int = Field(
        2, ge=1, description="tokens that max pooling makes one recurrent step of"
    )
    units: int = Field(128, ge=1, description="in each direction")
    depth: int = Field(1, ge=1, le=8, description="recurrent layers")
    bidirectional: bool = True
    output_dropout: float = Field(0.0, ge=0, lt=1, description="variational")
    pooling: list[Pooling] = Field(
        ["max", "mean"], min_length=1, description="over time; several are joined"
    )
    dropout: float = Field(0.5, ge=0, lt=1, description="before the classifier")

    @pydantic.model_validator(mode="after")
    def _stride_needs_a_convolution(self) -> "ModelConfig":
        if self.stride > 1 and not self.convolution_filters:
            raise ValueError("stride: over 1 it needs convolution_filters over 0")
        return self


class SentimentConfig(TaskConfig):
    """Everything that a sentiment run depends on."""

    data: SentimentDataConfig = SentimentDataConfig()
    text: TextConfig = TextConfig()
    model: ModelConfig = ModelConfig()
    ngrams: NgramsConfig = NgramsConfig()
    wide: WideConfig = WideConfig()
    training: TrainingConfig = TrainingConfig(
        epochs=3, learning_rate=2e-3, lr_schedule="cosine", warmup_steps=150
    )

    @property
    def uses_ngrams(self) -> bool:
        """Whether any branch needs the n-grams."""
        return self.wide.enabled or self.model.ngram_features
