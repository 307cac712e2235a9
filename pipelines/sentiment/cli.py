"""Classification of texts, as the command line and the API know it."""

from pathlib import Path

from ..core.registry import TaskDefinition
from ..core.search_space import Range
from ..data.description import DataDescription
from ..data.files.table_config import TABLE_KEYS
from ..data.sources import LABELLED_TEXTS
from ..data.specs import DataSpec
from .config import LABEL_COLUMNS, SentimentConfig, SentimentDataConfig

_SPECS = (
    DataSpec("FILE", "your .csv, .tsv, .json, .jsonl (each also .gz, .zip, .xz)"),
    DataSpec("FILE", "your .parquet or .xlsx, or lines that begin with __label__"),
    DataSpec("FOLDER", "your train, validation and test files in one folder"),
    DataSpec("FOLDER", "your .txt files in class-named folders, or those per split"),
    DataSpec("tfds:imdb_reviews", "50,000 film reviews, two classes"),
    DataSpec(
        "tfds:yelp_polarity_reviews", "598,000 reviews of businesses, two classes"
    ),
    DataSpec("tfds:glue/sst2", "68,000 phrases of film reviews, two classes"),
    DataSpec("tfds:glue/cola", "10,000 sentences, grammatical or not"),
    DataSpec("tfds:movie_rationales", "2,000 long film reviews, two classes"),
    DataSpec("tfds:ag_news_subset", "128,000 news items, four subjects"),
    DataSpec(
        "tfds:trec",
        "6,000 questions by what they ask for (--label-column label-coarse)",
    ),
    DataSpec("tfds:NAME", "any text classification set of tensorflow-datasets"),
)

TASK = TaskDefinition(
    name="sentiment",
    summary="Texts in two or more classes, one or several each, in any language.",
    config_class=SentimentConfig,
    implementation="recurra.pipelines.sentiment.task:SentimentTask",
    description="recurra.pipelines.sentiment.cli:describe",
    portable="recurra.pipelines.sentiment.portable:PortableServing",
    intended_use=(
        "It sorts texts of the kind that it was trained on into the classes of "
        "their labels."
    ),
    limits=(
        "It answers with the classes of its labels alone, also to a text in another "
        "language or about nothing that they mean; look at the probability.",
        "It sees words and their order, and knows nothing of who wrote or of what "
        "they allude to.",
    ),
    recipes=Path(__file__).parent / "recipes",
    content=LABELLED_TEXTS,
    data_specs=_SPECS,
    reading_options=(
        *("text_column", "label_column", "label_columns", "label_separator"),
        *("multi_label", *TABLE_KEYS),
    ),
    shown_options=(
        *("text_column", "label_column", "label_columns", "label_separator"),
        *("multi_label", "group_column", "split_column"),
        *("min_class_rows", "label_case", *TABLE_KEYS),
    ),
    is_shown_first=True,
    search_space={
        "model.embedding_size": Range(32, 256, log=True),
        "model.word_dropout": Range(0.0, 0.3),
    },
    examples=(
        "The food was not bad at all.",
        "I expected a great film and got a dull one.",
        "The room was small, but the staff made it a wonderful stay.",
    ),
)


def describe(data: SentimentDataConfig) -> DataDescription:
    """What the pipeline sees in labelled texts. Raises UserError for wrong data."""
    from ..data.reading import PlanBuilder
    from ..data.texts.labelled_texts import describe_labelled_texts
    from .tokenization import count_tokens

    return describe_labelled_texts(
        data.spec,
        usual_labels=LABEL_COLUMNS,
        min_class_rows=data.min_class_rows,
        label_case=data.label_case,
        takes_several=True,
        count_tokens=count_tokens,
        plan=PlanBuilder(data.model_dump()),
    ).shown()
