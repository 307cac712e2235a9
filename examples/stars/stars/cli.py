"""The task, as the command line and the API know it."""

from pathlib import Path

from recurra.pipelines.core.registry import TaskDefinition
from recurra.pipelines.data.description import DataDescription

from .config import StarsConfig, StarsDataConfig

TASK = TaskDefinition(
    name="stars",
    summary="Reviews to their number of stars, by regression.",
    config_class=StarsConfig,
    implementation="stars.task:StarsTask",
    description="stars.cli:describe",
    recipes=Path(__file__).parent / "recipes",
    reading_options=("text_column", "stars_column"),
)


def describe(data: StarsDataConfig) -> DataDescription:
    """What the pipeline sees in the reviews."""
    from recurra.pipelines.data.texts.labelled_texts import describe_labelled_texts

    return describe_labelled_texts(
        data.spec,
        text_column=data.text_column,
        label_column=data.stars_column,
        count_tokens=lambda text: len(text.split()),
    ).shown()
