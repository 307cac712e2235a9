"""The part of a report that says what became of the sentence pairs."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..datasets.pair_rules import PairChecks
from ..datasets.sentence_pairs import PairSplit, SentencePairs
from ..datasets.text_description import quantiles
from ..reporting import Report, flattened
from .figures import draw_lengths
from .words import count_words

_LISTED_BAD_ROWS = 50


def add_data(report: Report, data: SentencePairs, facts: Mapping[str, Any]) -> None:
    """Counts, lengths, what the checks found, what was left out, and bad rows.

    Args:
        report: Goes on in it.
        data: The pairs.
        facts: What else there is to say of them, by a name for people or nested.
    """
    report.section("Data")
    lengths = {name: _lengths(data, split) for name, split in data.splits.items()}
    _add_lengths(report, data, lengths)
    _add_checks(report, data.checks)
    if facts:
        report.key_values("", flattened(facts))
    if len(data.encodings) > 1:
        report.key_values("Lines by encoding", data.encodings)
    if data.bad_rows:
        number = len(data.bad_rows)
        report.table(
            f"Rows that could not be used: {number:,}",
            ["Row"],
            [[str(row)] for row in data.bad_rows[:_LISTED_BAD_ROWS]],
            note=f"The first {_LISTED_BAD_ROWS} of them."
            if number > _LISTED_BAD_ROWS
            else "",
        )


def _lengths(data: SentencePairs, split: PairSplit) -> dict[str, np.ndarray]:
    """Words of each side's sentences, by language."""
    return {
        language: np.array([count_words(text) for text in texts])
        for language, texts in (
            (data.source, split.source),
            (data.target, split.target),
        )
    }


def _add_lengths(
    report: Report, data: SentencePairs, lengths: dict[str, dict[str, np.ndarray]]
) -> None:
    shares = list(quantiles([0]))
    report.table(
        "Words of a sentence, by share of the sentences that have no more",
        ["Split and language", "Pairs", *(f"{share} %" for share in shares)],
        [
            [
                f"{name}, {language}",
                len(data.splits[name]),
                *quantiles(counts.tolist()).values(),
            ]
            for name, sides in lengths.items()
            for language, counts in sides.items()
        ],
    )
    shown = next(iter(lengths))
    report.figure(
        f"Words of a sentence, {shown}",
        draw_lengths(lengths[shown]),
        "The longest sentences stand in the last bar.",
        name="sentence_lengths",
        description="Words of the sentences; the table has the quantiles.",
    )


def _add_checks(report: Report, checks: PairChecks) -> None:
    """What was found in the pairs as they were read, and what was left out."""
    splits = list(checks.found)
    names = list(next(iter(checks.found.values())))
    report.table(
        "What the checks found",
        ["Check", *splits, "For example"],
        [
            [
                check.capitalize(),
                *(checks.found[split][check] for split in splits),
                _first_example(checks, check),
            ]
            for check in names
        ],
        note="Counted in all pairs as they were read. For each character of the source "
        f"the target has {checks.usual_length_ratio:.2f}, in the middle.",
    )
    if checks.shared:
        report.table(
            "Duplicates across splits",
            ["Splits", "Equal pairs", "Equal sources"],
            [
                [
                    names.replace("/", " and "),
                    shared["pairs"],
                    shared["sources"],
                ]
                for names, shared in checks.shared.items()
            ],
            note="Pairs of the second split that the first one has too.",
        )
    if checks.dropped:
        report.table(
            "Training pairs left out",
            ["Rule", "Pairs"],
            [[rule.capitalize(), number] for rule, number in checks.dropped.items()],
            note="A pair counts at the first rule that it falls to. Pairs of "
            "validation and test all stay. data.rules of the configuration has the "
            "bounds.",
        )


def _first_example(checks: PairChecks, check: str) -> str:
    for examples in checks.examples.values():
        if check in examples:
            return examples[check][0]
    return ""
