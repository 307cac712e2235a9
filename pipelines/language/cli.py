"""Language modelling, as the command line and the API know it."""

from pathlib import Path

from ..core.registry import TaskDefinition
from ..core.search_space import Range
from ..data.description import DataDescription
from ..data.sources import PLAIN_TEXTS
from ..data.specs import DataSpec
from .config import (
    READING,
    LanguageConfig,
    LanguageDataConfig,
    LanguageEvaluationConfig,
)

_SPECS = (
    DataSpec("FILE", "your text: prose, code, Markdown, in any script (also .gz, ...)"),
    DataSpec("FOLDER", "all files in it; train, valid and test in their names split"),
    DataSpec("'notes/**/*.md'", "files by a pattern"),
    DataSpec("TABLE", "a column of your .csv, .tsv, .jsonl, .parquet, .xlsx"),
    DataSpec("tfds:tiny_shakespeare", "plays, 1.1 million characters"),
    DataSpec("tfds:lm1b", "one billion words of news"),
    DataSpec("tfds:NAME", "any set of tensorflow-datasets with a text"),
)

TASK = TaskDefinition(
    name="language",
    summary="The next unit of a text: writes, fills in, scores.",
    config_class=LanguageConfig,
    implementation="recurra.pipelines.language.task:LanguageTask",
    portable="recurra.pipelines.language.portable:PortableServing",
    description="recurra.pipelines.language.cli:describe",
    intended_use=(
        "It writes on, fills in and scores texts of the kind that it was trained on."
    ),
    limits=(
        "What it writes is likely and need not be true.",
        "It may repeat passages of the texts that it was trained on.",
    ),
    recipes=Path(__file__).parent / "recipes",
    content=PLAIN_TEXTS,
    data_specs=_SPECS,
    reading_options=READING,
    evaluation_class=LanguageEvaluationConfig,
    search_space={
        "model.embedding_size": Range(50, 400, log=True),
        "model.word_dropout": Range(0.0, 0.3),
    },
    examples=("Once upon a time", "The old"),
)


def describe(data: LanguageDataConfig) -> DataDescription:
    """What the pipeline sees in texts. Raises UserError for wrong data."""
    from ..data.texts.documents import describe_documents

    return describe_documents(data.spec, data.reading)
