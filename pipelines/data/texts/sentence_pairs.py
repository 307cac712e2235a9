"""Sentence pairs from any spec, split and checked."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ...cards import ReadingPlan
from ...core.errors import UserError
from ..files.tables import BadRow
from ..reading import PlanBuilder
from ..sources import SENTENCE_PAIRS, read
from ..splits import check_bad_fraction, check_fractions, in_order, is_test
from .normalised_text import comparison_hashes
from .pair_rows import PairRows, PairSource, Sides
from .pair_rules import PairChecks, PairRulesConfig, check_pairs
from .stored_texts import Texts
from .text_description import quantiles
from .usual_names import SIDE_COLUMNS, SideColumns

logger = logging.getLogger("recurra")

_BAD_ROWS_LISTED = 20


@dataclass(frozen=True)
class PairSplit:
    """Sources in step with their targets.

    Args:
        source, target: strings in NFC, without control characters; what is no
            ``Texts`` becomes one.
    """

    source: Texts
    target: Texts

    def __post_init__(self) -> None:
        for side in ("source", "target"):
            object.__setattr__(self, side, Texts.of(getattr(self, side)))

    def __len__(self) -> int:
        return len(self.source)


@dataclass(frozen=True)
class SentencePairs:
    """What a spec brings, ready for training.

    Args:
        spec: as given.
        source, target: the languages.
        splits: "train", "validation" and test sets, whose names begin with "test".
        bad_rows: the rows left out, each with file, line and reason.
        checks: what was found, before any pair was left out and any split carved.
        encodings: lines of the files by the encoding they were decoded with.
        reading_plan: how the files were read.
    """

    spec: str
    source: str
    target: str
    splits: dict[str, PairSplit]
    bad_rows: tuple[BadRow, ...]
    checks: PairChecks
    encodings: dict[str, int] = field(default_factory=dict)
    reading_plan: ReadingPlan = ReadingPlan()

    @property
    def test_sets(self) -> tuple[str, ...]:
        """The names of the test sets."""
        return tuple(name for name in self.splits if is_test(name))

    def frame(self) -> pd.DataFrame:
        """All pairs: `split`, `source` and `target`."""
        parts = [
            pd.DataFrame(
                {
                    "split": name,
                    "source": np.asarray(split.source),
                    "target": np.asarray(split.target),
                }
            )
            for name, split in self.splits.items()
        ]
        return pd.concat(parts, ignore_index=True)

    def as_dict(self) -> dict[str, Any]:
        """What the data hold, for JSON."""
        return {
            "spec": self.spec,
            "source": self.source,
            "target": self.target,
            "splits": {
                name: {
                    "pairs": len(split),
                    "source_characters": _lengths(split.source),
                    "target_characters": _lengths(split.target),
                }
                for name, split in self.splits.items()
            },
            "bad_rows": len(self.bad_rows),
            "first_bad_rows": [str(row) for row in self.bad_rows[:_BAD_ROWS_LISTED]],
            "checks": asdict(self.checks),
            "encodings": self.encodings,
        }


def load_sentence_pairs(
    spec: str,
    *,
    source: str,
    target: str,
    pair_columns: Sequence[str] = (),
    side_columns: SideColumns = SIDE_COLUMNS,
    content: str = SENTENCE_PAIRS,
    rules: PairRulesConfig | None = None,
    validation_fraction: float = 0.05,
    test_fraction: float = 0.05,
    max_carved: int = 3_000,
    test_data: str | None = None,
    max_bad_fraction: float = 0.01,
    seed: int = 0,
    reading: Mapping[str, Any] | None = None,
) -> SentencePairs:
    """Loads sentence pairs, leaves out what ``rules`` say, and carves missing splits.

    Args:
        spec: ``sample`` or ``sample:NUMBER``, the embedded English-German pairs
            (``./sample`` is a path); ``tfds:NAME``, a set of sentence pairs of
            tensorflow-datasets; or files:

            - a folder or .zip of parallel text files ``train.en`` and ``train.de``,
              ``val.*`` (validation, valid, dev) and ``test*.*``, each also .gz, where
              line n of both is one pair. ``train.en.txt``, ``src-train.txt``,
              ``train_en.txt`` and the like are such names too, and so are those of the
              sets of WMT and IWSLT;
            - a folder or .zip of tables of such names;
            - one table: .tsv or .txt, .csv, .jsonl, .parquet or .tmx. Its columns are
              found by their names, else by what stands in them;
            - several of these with commas between them; a name that is no split's is
              to train on. ``corpus/train`` is short for ``corpus/train.en`` and
              ``corpus/train.de``.
        source, target: the languages: endings of files, names of columns, ``xml:lang``.
        pair_columns: names of a column whose values hold both sides, a text for each
            of several languages.
        side_columns: usual names of the columns of either side.
        content: that says which sources there are, as of ``data.sources``.
        rules: which training pairs are left out; the defaults if None.
        validation_fraction: the fraction of the training pairs to carve a validation
            split of, where the data bring none. 0: no validation split.
        test_fraction: the same for a test split, a fraction of the same pairs.
        max_carved: a carved split has at most about so many pairs.
        test_data: a second spec whose pairs are the test sets, read as
            ``load_test_pairs`` reads it.
        max_bad_fraction: the largest fraction of bad rows that is tolerated. A row is
            bad that cannot be read or lacks a side; an empty side is a matter of the
            rules.
        seed: the same seed carves the same splits. Pairs with the same source are
            never on two sides of a carved split.
        reading: how files are read, where that is given: values of the section
            ``data`` by key, such as ``source_column``.

    Raises:
        UserError: the data cannot be read, a language is not there, files that should
            run in step do not, more than ``max_bad_fraction`` of the rows are bad, or
            too few pairs are left.
    """
    check_fractions(validation_fraction, test_fraction)
    sides = Sides(source, target, pair_columns, side_columns, PlanBuilder(reading))
    pairs = _read(spec, content, sides, max_bad_fraction)
    if "train" not in pairs.splits:
        raise UserError(
            f"{spec}: has no training pairs; it has {', '.join(pairs.splits)}"
        )
    if test_data is not None:
        # The column that parts the rows is that of the training file.
        of_tests = {**(reading or {}), "split_column": None}
        plan = PlanBuilder(of_tests, sides.plan.plan())
        tests = _read_tests(
            test_data, content, dataclasses.replace(sides, plan=plan), max_bad_fraction
        )
        pairs.splits = {
            name: rows for name, rows in pairs.splits.items() if not is_test(name)
        } | tests.splits
        pairs.bad_rows += tests.bad_rows
        pairs.encodings += tests.encodings
    checks, kept = check_pairs(pairs.splits, rules or PairRulesConfig())
    if not len(kept):
        rule = max(checks.dropped, key=lambda name: checks.dropped[name])
        raise UserError(
            f"{spec}: not one training pair is left; {checks.dropped[rule]:,} of "
            f"{len(pairs.splits['train']):,} fell to the rule '{rule}'"
        )
    splits = {name: _split(rows) for name, rows in pairs.splits.items()}
    splits["train"] = _take(splits["train"], kept)
    fractions = {
        "test": 0.0 if any(map(is_test, splits)) else test_fraction,
        "validation": 0.0 if "validation" in splits else validation_fraction,
    }
    splits = _carve(splits, fractions, max_carved, seed, spec)
    return SentencePairs(
        spec,
        source,
        target,
        splits,
        tuple(pairs.bad_rows),
        checks,
        dict(pairs.encodings),
        sides.plan.plan(),
    )


def load_test_pairs(
    spec: str,
    *,
    source: str,
    target: str,
    pair_columns: Sequence[str] = (),
    side_columns: SideColumns = SIDE_COLUMNS,
    content: str = SENTENCE_PAIRS,
    max_bad_fraction: float = 0.01,
    reading: Mapping[str, Any] | None = None,
    kept: ReadingPlan | None = None,
) -> SentencePairs:
    """Loads the test sets of a spec; if it has none, all its pairs are "test".

    Files of a folder whose names are no split's are test sets here.

    Args:
        spec, source, target, pair_columns, side_columns, content: as in
            ``load_sentence_pairs``.
        max_bad_fraction, reading: likewise.
        kept: how the files of training were read.
    """
    plan = PlanBuilder(reading, kept)
    sides = Sides(source, target, pair_columns, side_columns, plan)
    pairs = _read_tests(spec, content, sides, max_bad_fraction)
    checks, _ = check_pairs(pairs.splits, PairRulesConfig())
    return SentencePairs(
        spec,
        source,
        target,
        {name: _split(rows) for name, rows in pairs.splits.items()},
        tuple(pairs.bad_rows),
        checks,
        dict(pairs.encodings),
        plan.plan(),
    )


def _read(spec: str, content: str, sides: Sides, max_bad_fraction: float) -> PairSource:
    if sides.source == sides.target:
        raise UserError(
            f"--source and --target are both {sides.source}; give two languages"
        )
    pairs: PairSource = read(spec, content, sides)
    check_bad_fraction(spec, pairs.bad_rows, pairs.number_of_rows, max_bad_fraction)
    pairs.splits = {
        name: pairs.splits[name]
        for name in in_order(pairs.splits)
        if len(pairs.splits[name])
    }
    return pairs


def _read_tests(
    spec: str, content: str, sides: Sides, max_bad_fraction: float
) -> PairSource:
    sides = dataclasses.replace(sides, are_tests=True)
    pairs = _read(spec, content, sides, max_bad_fraction)
    tests = {name: rows for name, rows in pairs.splits.items() if is_test(name)}
    if not tests:
        joined = PairRows()
        for rows in pairs.splits.values():
            joined.source += rows.source
            joined.target += rows.target
            joined.locations += rows.locations
        tests = {"test": joined}
    elif len(tests) < len(pairs.splits):
        others = ", ".join(name for name in pairs.splits if name not in tests)
        logger.info("%s: of this the test sets alone are read, not %s", spec, others)
    return PairSource(tests, pairs.bad_rows, pairs.encodings)


def _split(rows: PairRows) -> PairSplit:
    return PairSplit(Texts.of(rows.source), Texts.of(rows.target))


def _take(split: PairSplit, rows: np.ndarray) -> PairSplit:
    return PairSplit(split.source[rows], split.target[rows])


def _carve(
    splits: dict[str, PairSplit],
    fractions: dict[str, float],
    max_carved: int,
    seed: int,
    spec: str,
) -> dict[str, PairSplit]:
    """Holds out whole groups of pairs with one source, drawn at random."""
    train = splits["train"]
    groups = _source_groups(train)
    counts = np.bincount(groups)
    order = np.random.default_rng(seed).permutation(len(counts))
    carved: dict[str, PairSplit] = {}
    taken = 0
    for name, fraction in fractions.items():
        if fraction:
            wanted = max(1, min(round(fraction * len(train)), max_carved))
            sizes = np.cumsum(counts[order[taken:]])
            number = int(np.searchsorted(sizes, wanted)) + 1
            held = _are_among(order[taken : taken + number], len(counts))[groups]
            carved[name] = _take(train, np.flatnonzero(held))
            taken += number
    if taken >= len(counts):
        raise UserError(
            f"{spec}: too few pairs to carve {' and '.join(carved)} from; there are "
            f"{len(train):,} with {len(counts):,} different sources"
        )
    kept = _are_among(order[taken:], len(counts))[groups]
    whole = splits | carved | {"train": _take(train, np.flatnonzero(kept))}
    return {name: whole[name] for name in in_order(whole)}


def _are_among(numbers: np.ndarray, count: int) -> np.ndarray:
    """Of each number below the count whether it is one of these."""
    found = np.zeros(count, bool)
    found[numbers] = True
    return found


def _source_groups(split: PairSplit) -> np.ndarray:
    """For each pair the number of its source, in order of first appearance."""
    _, first, group = np.unique(
        comparison_hashes(split.source), return_index=True, return_inverse=True
    )
    number = np.empty(len(first), np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[group]


def _lengths(texts: Texts) -> dict[str, int]:
    return quantiles(texts.lengths())
