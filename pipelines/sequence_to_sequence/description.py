"""What stands in pairs of texts, for `recurra data show`."""

from ..data.description import DataDescription, DescriptionTable
from ..data.texts.pair_rules import PairChecks
from ..data.texts.sentence_pairs import SentencePairs, load_sentence_pairs
from .config import PairDataConfig

_PAIRS_SHOWN = 5


def describe_pairs(data: PairDataConfig, content: str, title: str) -> DataDescription:
    """What the pipeline sees in pairs of texts.

    Args:
        data: Where they are.
        content: As of `data.sources`.
        title: What they are, behind their number.

    Raises:
        UserError: If the data are wrong.
    """
    # As they stand in the data: no split is carved, and bad rows stop nothing.
    pairs = load_sentence_pairs(
        data.spec,
        source=data.source,
        target=data.target,
        pair_columns=data.pair_columns,
        side_columns=data.side_columns,
        content=content,
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
            f"{data.spec}: {number:,} {title}",
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


def _lengths(pairs: SentencePairs) -> DescriptionTable:
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


def _checks(checks: PairChecks) -> list[str | DescriptionTable]:
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
