"""Translation, as the command line and the API know it."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..core.registry import TaskDefinition
from ..data.sources import SENTENCE_PAIRS
from ..data.specs import DataSpec
from ..sequence_to_sequence.config import READING, SEARCH_SPACE, OutputEvaluationConfig
from .config import TranslationConfig, TranslationDataConfig

if TYPE_CHECKING:
    from ..data.description import DataDescription

_SPECS = (
    DataSpec("FOLDER", "your train.en, train.de, val.*, test*.*, each also .gz"),
    DataSpec("FOLDER", "your train, validation and test tables in one folder"),
    DataSpec("FILE", "your .tsv, .txt, .csv, .jsonl, .tmx (each also .gz), .parquet"),
    DataSpec("FILE.zip", "any of these in a .zip, as OPUS and ManyThings give them"),
    DataSpec("FILE,FILE", "several of these; the two sides also as corpus/train"),
    DataSpec("tfds:ted_hrlr_translate/pt_to_en", "55,000 pairs of talks"),
    DataSpec("tfds:ted_multi_translate", "talks in 59 languages, any two of them"),
    DataSpec("tfds:wmt14_translate/de-en", "4.5 million pairs of parliament and news"),
    DataSpec("tfds:wmt16_translate/ro-en", "610,000 pairs of parliament and news"),
    DataSpec("tfds:para_crawl/ende", "16 million pairs of the web"),
    DataSpec("tfds:NAME", "any translation set of tensorflow-datasets"),
)

TASK = TaskDefinition(
    name="translation",
    summary="Sentences of one language to another.",
    config_class=TranslationConfig,
    implementation="recurra.pipelines.translation.task:TranslationTask",
    portable="recurra.pipelines.sequence_to_sequence.portable:PortableServing",
    description="recurra.pipelines.translation.cli:describe",
    intended_use="It translates sentences of the kind that it was trained on.",
    limits=(
        "It translates sentence by sentence and sees no other one.",
        "Names and numbers may come out as others: read what matters again.",
    ),
    recipes=Path(__file__).parent / "recipes",
    content=SENTENCE_PAIRS,
    data_specs=_SPECS,
    reading_options=("source", "target", *READING),
    evaluation_class=OutputEvaluationConfig,
    search_space=SEARCH_SPACE,
    examples=(
        "The old king does not buy the red bag.",
        "They say that the sister has found seventy-two windows.",
        "Because the children wake up, the tired aunt throws away the letter.",
    ),
)


def describe(data: TranslationDataConfig) -> "DataDescription":
    """What the pipeline sees in sentence pairs. Raises UserError for wrong data."""
    from ..sequence_to_sequence.description import describe_pairs

    title = f"pairs from {data.source} to {data.target}"
    return describe_pairs(data, SENTENCE_PAIRS, title)
