"""The configuration of language modelling, with every default."""

from typing import Literal

import pydantic
from pydantic import Field

from ..core.configuration import Config
from ..core.task_config import TaskConfig, TrainingConfig
from ..data.files.table_config import TABLE_KEYS, TableConfig
from ..recurrent import RecurrentConfig

#: Keys of the section `data` that say how files are read.
READING = ("text_column", *TABLE_KEYS)


class LanguageDataConfig(TableConfig):
    """Texts: files, folders of them, or a column of a table."""

    text_column: str | None = Field(
        None, description="column of a table, by name or number; found if null"
    )
    documents: Literal["apart", "together"] = Field(
        "apart",
        description="apart: a file, or a row of a table, ends where the next begins; "
        "together: one text runs through all of them",
    )
    split_by: Literal["documents", "position"] | None = Field(
        None,
        description="what splits are carved of: whole documents, or the end of each; "
        "by documents if null and there are 20 or more",
    )
    validation_fraction: float = Field(
        0.1, gt=0, lt=1, description="of the training texts, where there is no split"
    )
    test_fraction: float = Field(
        0.1, ge=0, lt=1, description="of the same texts, where there is no test set"
    )
    split_seed: int | None = Field(
        None, ge=0, description="that draws such splits; the run's seed if null"
    )
    max_bad_fraction: float = Field(
        0.01, ge=0, le=1, description="of unreadable rows, over which a run stops"
    )

    @property
    def reading(self) -> dict[str, object]:
        """How files are read, where that is given."""
        given = {key: getattr(self, key) for key in READING}
        return {key: value for key, value in given.items() if value is not None}


class UnitsConfig(Config):
    """What the model reads and writes one after the other."""

    kind: Literal["characters", "words", "subwords", "bytes"] = "characters"
    punctuation: Literal["apart", "attached"] = Field(
        "apart",
        description="of words: signs are words of their own, or part of the word that "
        "they touch, as suits texts that are cut into words by spaces already",
    )
    vocabulary_size: int = Field(
        20_000,
        ge=16,
        description="units at most, the most frequent ones; of characters and words "
        "the others are <unk>",
    )
    min_count: int = Field(
        1, ge=1, description="characters and words that are rarer are <unk>"
    )


class ModelConfig(RecurrentConfig):
    """Recurrent layers between an embedding and a softmax over the units."""

    embedding_size: int = Field(200, ge=1)
    units: int = Field(200, ge=1, description="of each layer")
    depth: int = Field(2, ge=1, le=8, description="layers")
    directions: Literal["forward", "both"] = Field(
        "forward",
        description="both: further layers read backward, by the same embeddings, for "
        "what fills blanks",
    )
    tied_embeddings: bool = Field(
        True, description="the output reads the embeddings of the input"
    )
    word_dropout: float = Field(0.0, ge=0, lt=1, description="of the types of units")
    input_dropout: float = Field(
        0.0, ge=0, lt=1, description="variational, of what each layer reads"
    )
    output_dropout: float = Field(
        0.0, ge=0, lt=1, description="variational, of what the softmax reads"
    )
    activation_penalty: float = Field(
        0.0, ge=0, description="on the squared outputs of the last layer (AR)"
    )
    temporal_activation_penalty: float = Field(
        0.0, ge=0, description="on their squared changes from step to step (TAR)"
    )


class CountsConfig(Config):
    """The members that count, beside the recurrent network."""

    order: int = Field(
        5, ge=0, le=16, description="of the longest n-grams; 0 for no Kneser-Ney"
    )
    cache_size: int = Field(
        500, ge=0, description="last units that the cache looks back on; 0 for none"
    )
    counted_units: int = Field(
        5_000_000, ge=1, description="of training, the first ones, that are counted"
    )
    fitting_units: int = Field(
        50_000,
        ge=1,
        description="of validation, that the weights of the members are fitted to",
    )


class LanguageTrainingConfig(TrainingConfig):
    """How a language model is trained."""

    batch_size: int = Field(20, ge=1, description="texts read side by side")
    timesteps: int = Field(
        35, ge=1, description="units between two cuts of backpropagation"
    )
    cut_jitter: int = Field(
        0, ge=0, description="units that a cut is moved by at most, anew each epoch"
    )
    optimizer: Literal["adam", "sgd"] = "adam"
    decay_factor: float = Field(
        1.0, gt=0, le=1, description="of the learning rate, for each epoch of decay"
    )
    decay_after: int = Field(
        1, ge=1, description="epochs without it, before the rate decays in each"
    )
    sampled_units: int = Field(
        0,
        ge=0,
        description="units that the sum of the softmax is estimated by, drawn for each "
        "batch by their rank; 0 for all. Loss and nll of training are estimates then, "
        "those of validation exact",
    )
    ranked_units: int = Field(
        10_000, ge=1, description="of an evaluation, for top-1 and top-5"
    )

    ranked_blanks: int = Field(
        100, ge=0, description="units of an evaluation that are left out and looked for"
    )

    @pydantic.model_validator(mode="after")
    def _cuts_stay_in_order(self) -> "LanguageTrainingConfig":
        if 2 * self.cut_jitter >= self.timesteps:
            raise ValueError("cut_jitter: must be below half of timesteps")
        return self


class LanguageEvaluationConfig(Config):
    """Options of an evaluation."""

    dynamic_rate: float = Field(
        0.0,
        ge=0,
        description="the network goes on learning from what it has read, by steps of "
        "this rate; 0 for none",
    )


class WritingConfig(Config):
    """How texts are written, where nothing else is asked for."""

    length: int = Field(200, ge=1, description="units at most")
    temperature: float = Field(
        0.8, ge=0, description="0 takes the likeliest unit, 1 draws as is"
    )
    top_k: int = Field(0, ge=0, description="likeliest units to draw from; 0 for all")
    top_p: float = Field(
        1.0, gt=0, le=1, description="of the likeliest units that make up so much"
    )


class LanguageConfig(TaskConfig):
    """Everything that a language run depends on."""

    data: LanguageDataConfig = LanguageDataConfig()
    units: UnitsConfig = UnitsConfig()
    model: ModelConfig = ModelConfig()
    counts: CountsConfig = CountsConfig()
    training: LanguageTrainingConfig = LanguageTrainingConfig(
        epochs=20, patience=3, learning_rate=2e-3
    )
    writing: WritingConfig = WritingConfig()
