"""The part of a report that says what became of the sentence pairs."""

import functools

import numpy as np

from ..data.texts.pair_rules import PairChecks
from ..data.texts.sentence_pairs import PairSplit, SentencePairs
from ..data.texts.text_description import quantiles
from ..data.texts.words import count_words
from ..reporting.page import Report
from .figures import draw_lengths


def add_data(report: Report, data: SentencePairs) -> None:
    """Lengths, what the checks found, what was left out, and encodings."""
    lengths = {name: _lengths(data, split) for name, split in data.splits.items()}
    _add_lengths(report, data, lengths)
    _add_checks(report, data.checks)
    if len(data.encodings) > 1:
        report.key_values("Lines by encoding", data.encodings)


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
    report.table(
        "Words of a sentence, by percentage of the sentences that have no more",
        ["Split and language", "Pairs", *(f"{level} %" for level in quantiles([0]))],
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
        functools.partial(draw_lengths, lengths[shown]),
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
