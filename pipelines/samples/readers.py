"""The embedded samples as sources: labelled rows, pairs, a record, and tales."""

from ..core.errors import UserError
from ..data.reading import PlanBuilder
from ..data.series.raw_tables import RawTable
from ..data.sources import Spec
from ..data.splits import refuse_split_column
from ..data.texts.documents import TextSource
from ..data.texts.labelled_rows import (
    NO_COLUMNS,
    LabelledRows,
    LabelledSource,
    TextColumns,
    add_row,
)
from ..data.texts.languages import find_language
from ..data.texts.pair_rows import PairRows, PairSource, Sides, add_pair
from .english_german.pairs import (
    DEFAULT_NUMBER_OF_PAIRS,
    SOURCE,
    TARGET,
    sample_pairs,
)
from .news import DEFAULT_NUMBER_OF_ARTICLES, sample_news
from .reviews import DEFAULT_NUMBER_OF_TEXTS, sample_reviews
from .station import sample_table
from .stories import DEFAULT_NUMBER_OF_STORIES, sample_stories


def read_reviews(spec: Spec, columns: TextColumns) -> LabelledSource:
    """Generated reviews with their splits; `sample:NUMBER` for so many.

    Raises:
        UserError: The number is none, or too small or large, or a column is asked for.
    """
    columns.refuse(str(spec), "text", "label", "group")
    columns.refuse_label_sets(str(spec), "multi_label")
    refuse_split_column(columns.plan, str(spec))
    sample = sample_reviews(_number(spec, DEFAULT_NUMBER_OF_TEXTS))
    source = LabelledSource(classes=sample.classes, columns=NO_COLUMNS)
    for split, (texts, labels) in sample.splits.items():
        rows = source.splits.setdefault(split, LabelledRows())
        for row, (text, label) in enumerate(zip(texts, labels, strict=True), start=1):
            location = (f"sample/{split}", row)
            class_name = sample.classes[label]
            add_row(rows, source.bad_rows, text, class_name, None, location)
    return source


def read_pairs(spec: Spec, sides: Sides) -> PairSource:
    """Generated sentence pairs with their splits; `sample:NUMBER` for so many.

    Raises:
        UserError: The number is none, or too small or large, or other languages are
            asked for.
    """
    number = _number(spec, DEFAULT_NUMBER_OF_PAIRS)
    source = find_language([SOURCE], sides.source)
    target = find_language([TARGET], sides.target)
    if source is None or target is None:
        raise UserError(
            f"{spec}: the sample is from {SOURCE} to {TARGET}, not from {sides.source} "
            f"to {sides.target}; leave --source and --target out"
        )
    refuse_split_column(sides.plan, str(spec))
    pairs = PairSource()
    for split, (english, german) in sample_pairs(number).splits.items():
        rows = pairs.splits.setdefault(split, PairRows())
        for line, texts in enumerate(zip(english, german, strict=True), start=1):
            add_pair(rows, pairs.bad_rows, *texts, (f"sample/{split}", line))
    return pairs


def read_news(spec: Spec, sides: Sides) -> PairSource:
    """Generated articles and summaries; `sample:NUMBER` for so many.

    Raises:
        UserError: The number is none, or too small or large.
    """
    refuse_split_column(sides.plan, str(spec))
    pairs = PairSource()
    for split, both in sample_news(_number(spec, DEFAULT_NUMBER_OF_ARTICLES)).items():
        rows = pairs.splits.setdefault(split, PairRows())
        for line, texts in enumerate(zip(*both, strict=True), start=1):
            add_pair(rows, pairs.bad_rows, *texts, (f"sample/{split}", line))
    return pairs


def read_station(spec: Spec, plan: PlanBuilder) -> list[RawTable]:
    """The generated record of one station; `sample:STEP` for its step.

    Raises:
        UserError: There is no such step, or a station column is asked for.
    """
    station_column = plan.given("station_column")
    if station_column is not None:
        raise UserError(
            f"{spec} has no column to choose for --station-column {station_column}; "
            "leave it out"
        )
    return [sample_table(spec.argument or "1h")]


def read_stories(spec: Spec, plan: PlanBuilder) -> TextSource:
    """Generated tales with their splits; `sample:NUMBER` for so many.

    Raises:
        UserError: The number is none, or too small or large, or a column is asked for.
    """
    if plan.given("text_column") is not None:
        raise UserError(f"{spec} has no column to choose; leave --text-column out")
    source = TextSource()
    for split, texts in sample_stories(
        _number(spec, DEFAULT_NUMBER_OF_STORIES)
    ).items():
        for line, text in enumerate(texts, start=1):
            source.add(split, text, f"sample/{split}", line)
    return source


def _number(spec: Spec, default: int) -> int:
    if spec.argument and not spec.argument.isdecimal():
        raise UserError(f"{spec}: sample:NUMBER was expected, as in sample:{default}")
    return int(spec.argument) if spec.argument else default
