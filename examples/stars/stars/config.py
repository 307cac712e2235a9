"""The configuration, with every default."""

from pydantic import Field

from recurra.pipelines.core.configuration import Config
from recurra.pipelines.core.task_config import DataConfig, TaskConfig, TrainingConfig
from recurra.pipelines.recurrent import RecurrentConfig


class StarsDataConfig(DataConfig):
    """Reviews with their stars."""

    spec: str = Field(..., min_length=1, description="a file or folder of reviews")
    text_column: str | None = Field(None, description="column of the reviews")
    stars_column: str = Field("stars", description="column of the numbers")
    validation_fraction: float = Field(0.1, gt=0, lt=1, description="of the rows")
    test_fraction: float = Field(0.1, ge=0, lt=1, description="of the rows")


class TextConfig(Config):
    """How a review becomes words."""

    vocabulary_size: int = Field(20_000, ge=2, description="most frequent words kept")
    max_words: int = Field(400, ge=1, description="words of a review that are read")


class ModelConfig(RecurrentConfig):
    """A recurrent network over the words."""

    embedding_size: int = Field(64, ge=1)
    units: int = Field(64, ge=1, description="in each direction")


class StarsConfig(TaskConfig):
    """Everything that a run depends on."""

    data: StarsDataConfig = StarsDataConfig.model_construct(spec="reviews.csv")
    text: TextConfig = TextConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig(epochs=5)
