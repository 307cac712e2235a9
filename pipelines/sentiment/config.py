"""The configuration of sentiment classification, with every default."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import pydantic
from pydantic import Field, PositiveFloat

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
    label_columns: list[str] | None = Field(
        None,
        description="columns of 0 and 1, one for each label; a text may have several",
    )
    label_separator: str | None = Field(
        None,
        min_length=1,
        description="sign between the labels of a cell, of which a text may have "
        "several; no sign is one if null",
    )
    multi_label: bool | None = Field(
        None,
        description="texts may have several labels, or none; if null, where cells are "
        "lists, lines have several, or the two keys above are given",
    )
    group_column: str | None = Field(
        None, description="column; rows with the same value stay in one split"
    )
    split_column: str | None = Field(
        None, description="column that says of each row train, validation or test"
    )
    validation_fraction: float = Field(
        0.1, gt=0, lt=1, description="of the training rows"
    )
    test_fraction: float = Field(
        0.1, ge=0, lt=1, description="of the rows, where the data bring no test"
    )
    split_seed: int | None = Field(
        None, ge=0, description="that draws such splits; the run's seed if null"
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
    ordered: bool | None = Field(
        None,
        description="labels are in order, as stars are; three or more numbers if null",
    )

    @pydantic.field_validator("label_columns", mode="before")
    @classmethod
    def _columns_in_a_line(cls, value: Any) -> Any:
        if isinstance(value, list) and len(value) == 1:
            (value,) = value
        if isinstance(value, str):
            return [name.strip() for name in value.split(",") if name.strip()]
        return value

    @pydantic.model_validator(mode="after")
    def _several_labels_have_no_order(self) -> Self:
        if self.ordered and (self.label_columns or self.label_separator):
            raise ValueError("ordered: several labels of a text have no order")
        return self


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


class LinearConfig(Config):
    """The simple members: logistic regressions on the n-grams, fitted by themselves."""

    enabled: bool = True
    folded_rows: int = Field(
        10_000,
        ge=0,
        description="training rows up to which they are cross-validated by the folds",
    )
    prior: float = Field(
        1.0,
        ge=0,
        description="held-out likelihood, in nats, that weights far from equal parts "
        "of recurrent and simple members, of few texts more of the simple ones, have "
        "to gain",
    )


class WideConfig(Config):
    """The wide branch: a linear model of the n-grams trained with the recurrent one."""

    enabled: bool = False
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


class SentimentTrainingConfig(TrainingConfig):
    """How the model and the simple members are trained."""

    class_weight: Literal["none", "balanced"] | dict[str, PositiveFloat] = Field(
        "none",
        description="what a row counts: balanced, classes by the inverse of their "
        "rows; or a number by class, one where it names none. Of several labels, what "
        "a row that has one counts beside a row that has it not",
    )

    @pydantic.field_validator("class_weight", mode="before")
    @classmethod
    def _names_are_texts(cls, value: Any) -> Any:
        return _by_name(value)


class DecisionConfig(Config):
    """Which class a text gets by its probabilities.

    It is the one whose probability is largest beside the class's threshold; of two
    classes whose thresholds add up to one, the one that is above its threshold. Where a
    text may have several labels, it gets those whose probability reaches the label's
    threshold, 0.5 if no other is said.
    """

    thresholds: Literal["none", "tuned"] | dict[str, PositiveFloat] = Field(
        "none",
        description="none, the most probable class; tuned, on validation; or a number "
        "by class",
    )
    tuned_for: Literal["macro_f1", "balanced_accuracy", "accuracy"] = Field(
        "macro_f1", description="what tuned thresholds make as high as can be"
    )

    @pydantic.field_validator("thresholds", mode="before")
    @classmethod
    def _names_are_texts(cls, value: Any) -> Any:
        return _by_name(value)


def _by_name(value: Any) -> Any:
    """A mapping with the names of classes as texts, which YAML takes for numbers."""
    if isinstance(value, Mapping):
        return {str(name): number for name, number in value.items()}
    return value


class SentimentConfig(TaskConfig):
    """Everything that a sentiment run depends on."""

    data: SentimentDataConfig = SentimentDataConfig()
    text: TextConfig = TextConfig()
    model: ModelConfig = ModelConfig()
    ngrams: NgramsConfig = NgramsConfig()
    linear: LinearConfig = LinearConfig()
    wide: WideConfig = WideConfig()
    decision: DecisionConfig = DecisionConfig()
    training: SentimentTrainingConfig = SentimentTrainingConfig(
        learning_rate=2e-3, lr_schedule="cosine", warmup_fraction=0.1
    )

    def sized(self, rows: int) -> Self:
        """The same with what so many training rows ask for, where keys are not set.

        - Below 10,000, n-grams of two texts count, as in the baselines.
        - Below 3,000, the recurrent member is half as wide, and batches half as large.
        """
        chosen: dict[str, dict[str, int]] = {}
        if rows < 10_000:
            chosen["ngrams"] = {"min_count": 2}
        if rows < 3_000:
            narrow = ("embedding_size", "convolution_filters", "units")
            chosen["model"] = {key: getattr(self.model, key) // 2 for key in narrow}
            chosen["training"] = {"batch_size": self.training.batch_size // 2}
        sections = {}
        for name, values in chosen.items():
            section = getattr(self, name)
            free = values.keys() - section.model_fields_set
            update = {key: values[key] for key in free}
            sections[name] = section.model_copy(update=update)
        return self.model_copy(update=sections)

    @property
    def uses_ngrams(self) -> bool:
        """Whether any member needs the n-grams."""
        return self.linear.enabled or self.wide.enabled or self.model.ngram_features
