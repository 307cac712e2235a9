"""Summarisation, as the command line and the API know it."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..core.registry import TaskDefinition
from ..data.sources import SUMMARIES
from ..data.specs import DataSpec
from ..sequence_to_sequence.config import READING, SEARCH_SPACE, OutputEvaluationConfig
from .config import SummarisationConfig, SummarisationDataConfig

if TYPE_CHECKING:
    from ..data.description import DataDescription

_SPECS = (
    DataSpec("FILE", "your .csv, .tsv, .jsonl, .parquet: an article and its summary"),
    DataSpec("FOLDER", "your train, validation and test tables in one folder"),
    DataSpec("FOLDER", "your train.article, train.summary, val.*, test*.*"),
    DataSpec("tfds:gigaword", "3.8 million first sentences of news and headlines"),
    DataSpec("tfds:xsum", "227,000 articles, each with a sentence"),
    DataSpec("tfds:cnn_dailymail", "312,000 articles with three sentences or so"),
    DataSpec("tfds:NAME", "any set of articles and summaries of tensorflow-datasets"),
)

TASK = TaskDefinition(
    name="summarisation",
    summary="Articles to short summaries or headlines.",
    config_class=SummarisationConfig,
    implementation="recurra.pipelines.summarisation.task:SummarisationTask",
    portable="recurra.pipelines.sequence_to_sequence.portable:PortableServing",
    description="recurra.pipelines.summarisation.cli:describe",
    intended_use="It summarises texts of the kind that it was trained on.",
    limits=(
        "A summary can say what the article does not: read it before it is passed on.",
        "Of a long article the beginning alone is read.",
    ),
    recipes=Path(__file__).parent / "recipes",
    content=SUMMARIES,
    data_specs=_SPECS,
    reading_options=("source", "target", *READING),
    evaluation_class=OutputEvaluationConfig,
    search_space=SEARCH_SPACE,
    examples=(
        "The phones at the town hall of Oakfield rang all Saturday. On Saturday a "
        "python got out of the zoo of Oakfield. Its keeper, Ada Tamsen, looked for it "
        "all night. In the end Henry Lorley found it in the hotel.",
        "Nobody in Marshby had expected it. On Friday the bakery of Marshby caught "
        "fire. Nobody was hurt, said Leo Norden of the fire brigade. It seems that an "
        "old heater was the cause.",
    ),
)


def describe(data: SummarisationDataConfig) -> "DataDescription":
    """What the pipeline sees in articles and summaries.

    Raises:
        UserError: If the data are wrong.
    """
    from ..sequence_to_sequence.description import describe_pairs

    return describe_pairs(data, SUMMARIES, "articles with a summary")
