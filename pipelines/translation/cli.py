"""Translation, as the command line and the API know it."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..core.registry import TaskDefinition
from ..core.search_space import Range
from ..data.description import DataDescription, DescriptionTable
from ..data.sources import SENTENCE_PAIRS
from ..data.specs import DataSpec
from .config import (
    PAIR_COLUMNS,
    READING,
    TranslationConfig,
    TranslationDataConfig,
    TranslationEvaluationConfig,
)

if TYPE_CHECKING:
    from ..data.texts.pair_rules import PairChecks
    from ..data.texts.sentence_pairs import SentencePairs

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
_PAIRS_SHOWN = 5

TASK = TaskDefinition(
    name="translation",
    summary="Sentences of one language to another.",
    config_class=TranslationConfig,
    implementation="recurra.pipelines.translation.task:TranslationTask",
    portable="recurra.pipelines.translation.portable:PortableServing",
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
    evaluation_class=TranslationEvaluationConfig,
    search_space={
        "model.encoder_units": Range(64, 512, log=True),
        "model.decoder_units": Range(64, 512, log=True),
        "model.encoder_dropout": Range(0.0, 0.6),
        "model.word_dropout": Range(0.0, 0.3),
    },
    examples=(
        "The old king does not buy the red bag.",
        "They say that the sister has found seventy-two windows.",
        "Because the children wake up, the tired aunt throws away the letter.",
    ),
)


def describe(data: TranslationDataConfig) -> DataDescription:
    """What the pipeline sees in sentence pairs. Raises UserError for wrong data."""
    from ..data.texts.sentence_pairs import load_sentence_pairs

    # As they stand in the data: no split is carved, and bad rows stop nothing.
    pairs = load_sentence_pairs(
        data.spec,
        source=data.source,
        target=data.target,
        pair_columns=PAIR_COLUMNS,
        validation_fraction=0.0,
        test_fraction=0.0,
        max_bad_fraction=1.0,
        reading=data.reading,
    )
    values = pairs.as_dict() | {"bad_rows": [vars(row) for row in pairs.bad_rows]}
    del values["first_bad_rows"]
    number = sum(map(len, pairs.splits.values()))
    first = next(iter(pairs.splits.values()))
    examples = zip(
        first.source[:_PAIRS_SHOWN], first.target[:_PAIRS_SHOWN], strict=True
    )
    return DataDescription(
        values=values,
        blocks=[
            f"{data.spec}: {number:,} pairs from {data.source} to {data.target}",
            _lengths(pairs),
            *_checks(pairs.checks),
        ],
        plan=pairs.reading_plan,
        frame=pairs.frame,
        bad_rows=[
            f"{row.file}, line {row.line}: {row.reason}" for row in pairs.bad_rows
        ],
        examples=DescriptionTable(
            [data.source, data.target], list(map(list, examples)), has_numbers=False
        ),
    )


def _lengths(pairs: "SentencePairs") -> DescriptionTable:
    splits = pairs.as_dict()["splits"]
    quantiles = next(iter(splits.values()))["source_characters"]
    sides = {"source": pairs.source, "target": pairs.target}
    return DescriptionTable(
        ["split, characters", "pairs", *(f"{quantile} %" for quantile in quantiles)],
        [
            [
                f"{name}, {language}",
                f"{split['pairs']:,}",
                *(f"{length:,}" for length in split[f"{side}_characters"].values()),
            ]
            for name, split in splits.items()
            for side, language in sides.items()
        ],
    )


def _checks(checks: "PairChecks") -> list[str | DescriptionTable]:
    names = next(iter(checks.found.values()))
    found = DescriptionTable(
        ["found", *checks.found],
        [
            [name, *(f"{counts[name]:,}" for counts in checks.found.values())]
            for name in names
        ],
    )
    locations = [
        f"{split}, {check}: {'; '.join(examples)}"
        for split, by_check in checks.examples.items()
        for check, examples in by_check.items()
    ]
    shared = [
        f"{splits}: {counts['pairs']:,} pairs of the second are in the first too, "
        f"{counts['sources']:,} sources"
        for splits, counts in checks.shared.items()
        if counts["sources"]
    ]
    dropped = [
        f"left out of training, {rule}: {count:,}"
        for rule, count in checks.dropped.items()
        if count
    ]
    return [found, *locations, *shared, *dropped]
