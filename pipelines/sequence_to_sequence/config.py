"""The configuration that tasks of text to text share, with every default."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import pydantic
from pydantic import Field

from ..core.configuration import Config
from ..core.search_space import Range
from ..core.task_config import TaskConfig, TrainingConfig
from ..data.files.table_config import TABLE_KEYS, TableConfig
from ..data.texts.pair_rules_config import PairRulesConfig
from ..data.texts.usual_names import SIDE_COLUMNS, SideColumns
from ..recurrent import CellName, RecurrentConfig
from .glossary_files import read_glossary

#: Keys of the section `data` that say how files are read.
READING = ("source_column", "target_column", *TABLE_KEYS)

#: What `recurra tune` tries beside what all tasks share.
SEARCH_SPACE = {
    "model.encoder_units": Range(64, 512, log=True),
    "model.decoder_units": Range(64, 512, log=True),
    "model.encoder_dropout": Range(0.0, 0.6),
    "model.word_dropout": Range(0.0, 0.3),
}

#: Pieces of unigram and bpe, at least.
LEAST_SUBWORDS = 300

Algorithm = Literal["unigram", "bpe", "characters", "words"]

#: What a text is parted into before it is read: lines, and those that are too long into
#: sentences; lines; or nothing.
Splitting = Literal["sentences", "lines", "never"]


class PairDataConfig(TableConfig):
    """Pairs of texts, of which one is made of the other.

    Attributes:
        pair_columns: Names of a column whose values hold both sides.
        side_columns: Names of the columns of either side, in order of preference.
    """

    renamed_keys: ClassVar[Mapping[str, str]] = {
        "validation_share": "validation_fraction",
        "test_share": "test_fraction",
        "max_bad_share": "max_bad_fraction",
    }

    source: str = Field(min_length=1, description="ending of files, name of a column")
    target: str = Field(min_length=1, description="ending of files, name of a column")
    source_column: str | None = Field(
        None, description="column of the sources, by name or number; found if null"
    )
    target_column: str | None = Field(
        None, description="column of the targets, by name or number; found if null"
    )
    split_column: str | None = Field(
        None, description="column that says of each row train, validation or test"
    )
    rules: PairRulesConfig = PairRulesConfig()
    validation_fraction: float = Field(
        0.05, gt=0, lt=1, description="of the training pairs, where there is no split"
    )
    test_fraction: float = Field(
        0.05, ge=0, lt=1, description="of the same pairs, where there is no test set"
    )
    max_carved: int = Field(
        3_000, ge=1, description="pairs of a split that is made by a fraction, at most"
    )
    split_seed: int = Field(
        0,
        ge=0,
        description="that draws such splits; apart from seed, so that runs of several "
        "seeds have the same ones and can be one model",
    )
    test_data: str | None = Field(None, description="spec of separate test sets")
    any_target: bool = Field(
        False,
        description="a source that stands several times in validation or test has "
        "several right targets, and is read once",
    )
    max_bad_fraction: float = Field(
        0.01, ge=0, le=1, description="of unreadable rows, over which a run stops"
    )

    pair_columns: ClassVar[Sequence[str]] = ()
    side_columns: ClassVar[SideColumns] = SIDE_COLUMNS

    @property
    def reading(self) -> dict[str, Any]:
        """How files are read, where that is given."""
        given = {key: getattr(self, key) for key in (*READING, "split_column")}
        return {key: value for key, value in given.items() if value is not None}


class SubwordsConfig(Config):
    """How a sentence becomes pieces."""

    joint: bool = Field(
        True, description="one vocabulary for both languages, or one for each"
    )
    algorithm: Algorithm = Field(
        "unigram",
        description="pieces of words, or whole characters or words (what stands "
        "between spaces), of which those that training does not have are unknown",
    )
    target_algorithm: Algorithm | None = Field(
        None, description="of the target, where it is another one than the source's"
    )
    vocabulary_size: int = Field(
        8_000,
        ge=8,
        description="pieces of a vocabulary at most, special tokens included, and of "
        "unigram and bpe 256 for bytes",
    )
    character_coverage: float = Field(
        1.0,
        ge=0.98,
        le=1,
        description="fraction of all characters that are pieces; rarer ones are bytes",
    )
    vocabulary_threshold: int = Field(
        1,
        ge=0,
        description="a language uses the pieces that stand so often in its training "
        "sentences, and its characters; 0 for the pieces of both",
    )
    max_training_sentences: int = Field(
        500_000, ge=1, description="that a vocabulary is fitted to"
    )
    max_source_pieces: int | None = Field(
        None,
        ge=1,
        description="of a source, of which the rest is not read; null for all",
    )
    sampling_alpha: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="training cuts words into other pieces in each epoch: the "
        "exponent of their probabilities (unigram, lower is wilder), or the fraction "
        "of merges left out (bpe, higher is wilder); null for always the best pieces",
    )

    def algorithm_of(self, side: str) -> Algorithm:
        """Of "source" or "target"."""
        return (side == "target" and self.target_algorithm) or self.algorithm

    @pydantic.model_validator(mode="after")
    def _algorithms_take_what_is_set(self) -> "SubwordsConfig":
        used = {self.algorithm_of("source"), self.algorithm_of("target")}
        if self.joint and len(used) > 1:
            raise ValueError(
                "target_algorithm: another one than of the source needs joint: false"
            )
        if self.sampling_alpha is not None and used & {"characters", "words"}:
            raise ValueError(
                "sampling_alpha: characters and words are cut in one way alone; leave "
                "it out, or set algorithm to unigram or bpe"
            )
        if used & {"unigram", "bpe"} and self.vocabulary_size < LEAST_SUBWORDS:
            raise ValueError(
                f"vocabulary_size: at least {LEAST_SUBWORDS} for unigram and bpe, "
                "which have 260 for bytes and special tokens"
            )
        return self


class ModelConfig(RecurrentConfig):
    """A recurrent encoder and a recurrent decoder that attends to it."""

    renamed_keys: ClassVar[Mapping[str, str]] = {
        **RecurrentConfig.renamed_keys,
        "copy": "copy_source",
    }

    embedding_size: int = Field(256, ge=1)
    tied_embeddings: bool = Field(
        True,
        description="the output reads the target's embeddings, and with a joint "
        "vocabulary the source's are the same",
    )
    cell: CellName = Field("gru", description="of the recurrent layers")
    encoder_units: int = Field(256, ge=1, description="in each direction")
    encoder_depth: int = Field(1, ge=1, le=8, description="bidirectional layers")
    decoder_units: int = Field(256, ge=1)
    decoder_depth: int = Field(
        1, ge=1, le=8, description="layers, of which the lowest attends"
    )
    residual: bool = Field(
        True, description="layers above the lowest add what they read"
    )
    attention: Literal["additive", "dot", "general"] = "additive"
    attention_units: int = Field(256, ge=1, description="of additive attention")
    copy_source: bool = Field(
        False,
        description="a piece can be copied from where attention looks, so that names, "
        "numbers and addresses that training lacks are kept; needs subwords.joint",
    )
    word_dropout: float = Field(0.0, ge=0, lt=1, description="of the types of pieces")
    input_dropout: float = Field(
        0.2, ge=0, lt=1, description="variational, of what recurrent layers read"
    )
    encoder_dropout: float = Field(
        0.0, ge=0, lt=1, description="of what the encoder gives attention to read"
    )
    output_dropout: float = Field(
        0.2, ge=0, lt=1, description="variational, before the output's projection"
    )

    @pydantic.model_validator(mode="after")
    def _dot_attention_needs_equal_sizes(self) -> "ModelConfig":
        if self.attention == "dot" and self.decoder_units != 2 * self.encoder_units:
            raise ValueError(
                "attention: dot needs decoder_units of twice encoder_units; "
                "general does not"
            )
        return self


class DecodingConfig(Config):
    """How outputs are searched for; an exported model has it built in."""

    renamed_keys: ClassVar[Mapping[str, str]] = {
        "longest_share": "max_length_ratio",
        "sentences_together": "decode_batch_size",
    }

    beam_size: int = Field(5, ge=1, description="hypotheses kept; 1 is greedy")
    length_penalty: float = Field(
        1.0, ge=0, description="alpha of Wu et al. 2016; 0 does not normalise"
    )
    coverage_penalty: float = Field(
        0.0, ge=0, description="beta of Wu et al. 2016; 0 for none"
    )
    max_length_ratio: float = Field(
        2.0, gt=0, description="pieces of an output at most, per piece of the source"
    )
    longest_extra: int = Field(10, ge=1, description="pieces allowed on top of that")
    split: Splitting | None = Field(
        None,
        description="read a text line by line and long lines by sentences, lines as "
        "they are, or never less than a text; if null, by whether the lengths of "
        "training's targets follow those of their sources",
    )
    no_repeat_ngram: int = Field(
        0, ge=0, description="n-grams of pieces that may stand once; 0 for any"
    )
    decode_batch_size: int = Field(
        128, ge=1, description="that the graph decodes in one batch, fewer if long"
    )
    glossary: dict[str, str] = Field(
        {},
        description="by a term of a source, how its output must say it; or a file of "
        "such lines, apart by a tab",
    )

    @pydantic.field_validator("glossary", mode="before")
    @classmethod
    def _glossary_of_a_file(cls, value: Any) -> Any:
        return read_glossary(Path(value)) if isinstance(value, str) else value or {}


class SequenceToSequenceTrainingConfig(TrainingConfig):
    """How a model of sequences is trained."""

    batch_tokens: int = Field(
        4_096,
        ge=1,
        description="positions of a batch's longer side, padding included; "
        "batch_size limits its pairs",
    )
    label_smoothing: float = Field(
        0.1, ge=0, lt=1, description="of probability spread over all pieces"
    )
    monitor: str | None = Field(
        None,
        description="measure of validation whose best value marks the best epoch",
    )
    measured_outputs: int = Field(
        1_000,
        ge=1,
        description="of validation, made greedily after each epoch to measure what is "
        "monitored",
    )


class SequenceToSequenceConfig(TaskConfig):
    """Everything that a run of text to text depends on, but for its data."""

    seed: int = Field(
        0, ge=0, description="of weights and noise; data.split_seed draws splits"
    )
    data: PairDataConfig
    subwords: SubwordsConfig = SubwordsConfig()
    model: ModelConfig = ModelConfig()
    decoding: DecodingConfig = DecodingConfig()
    training: SequenceToSequenceTrainingConfig = SequenceToSequenceTrainingConfig()

    @pydantic.model_validator(mode="after")
    def _what_is_not_read_is_no_part(self) -> "SequenceToSequenceConfig":
        if self.subwords.max_source_pieces and self.decoding.split != "never":
            raise ValueError(
                "subwords.max_source_pieces needs decoding.split: never, since a text "
                "that is parted is read as a whole"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _copied_pieces_are_of_both(self) -> "SequenceToSequenceConfig":
        if self.model.copy_source and not self.subwords.joint:
            raise ValueError(
                "model.copy_source needs subwords.joint: true, since what is copied "
                "has the same pieces in both languages"
            )
        return self


class OutputEvaluationConfig(Config):
    """What an evaluation can do instead of making outputs."""

    score: bool = Field(
        False,
        description="how likely the model finds the targets in the data",
    )
