"""Checks of sentence pairs, and the rules by which training pairs are left out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..files.tables import show_location
from .normalised_text import comparison_key
from .pair_rows import PairRows
from .pair_rules_config import Duplicates, PairRulesConfig

# Added to the characters of both sides before they are compared, so that of short
# sentences little is asked.
_EASE = 10.0
_EXAMPLES = 5


@dataclass(frozen=True)
class PairChecks:
    """What was found in the pairs as they were read.

    Args:
        found: by split and check how many pairs it is true of. "equal pairs" and
            "equal sources" count those after the first.
        examples: by split and check the locations of the first of them.
        shared: for "train/test" how many pairs of test stand in train too, under
            "pairs" the same pair, under "sources" the same source.
        dropped: by rule how many training pairs it left out; each counts once.
        usual_length_ratio: characters of the target for each of the source.
    """

    found: dict[str, dict[str, int]]
    examples: dict[str, dict[str, list[str]]]
    shared: dict[str, dict[str, int]]
    dropped: dict[str, int]
    usual_length_ratio: float


def check_pairs(
    splits: dict[str, PairRows], rules: PairRulesConfig
) -> tuple[PairChecks, np.ndarray]:
    """Checks all splits and says which training pairs stay.

    Returns:
        The checks, and the numbers of the training pairs that stay, in rising order.
        Without a training split there are none.
    """
    keys = {name: _Keys(rows) for name, rows in splits.items()}
    usual = usual_length_ratio(splits.get("train") or next(iter(splits.values())))
    flags = {name: _flags(rows, rules, usual) for name, rows in splits.items()}
    kept = np.zeros(0, np.int64)
    dropped: dict[str, int] = {}
    if "train" in splits:
        evaluation = [keys[name] for name in splits if name != "train"]
        leave = _rules(flags["train"], keys["train"], evaluation, rules)
        stays = np.ones(len(splits["train"]), bool)
        for rule, flag in leave.items():
            dropped[rule] = int((stays & flag).sum())
            stays &= ~flag
        kept = np.flatnonzero(stays)
    checks = PairChecks(
        found={
            name: {check: int(flag.sum()) for check, flag in by_check.items()}
            for name, by_check in flags.items()
        },
        examples={
            name: {
                check: _locations(splits[name], flag)
                for check, flag in by_check.items()
                if flag.any()
            }
            for name, by_check in flags.items()
        },
        shared=_shared(keys),
        dropped=dropped,
        usual_length_ratio=usual,
    )
    return checks, kept


def usual_length_ratio(rows: PairRows) -> float:
    """The median of the target's characters for each of the source's; 1 if unknown."""
    ratios = [
        len(target) / len(source)
        for source, target in zip(rows.source, rows.target, strict=True)
        if source and target
    ]
    return float(np.median(ratios)) if ratios else 1.0


class _Keys:
    """What pairs of two splits are compared by: a test must not be known by heart."""

    def __init__(self, rows: PairRows):
        self.source = [comparison_key(text) for text in rows.source]
        self.target = [comparison_key(text) for text in rows.target]
        self.pairs = list(zip(self.source, self.target, strict=True))


def _flags(
    rows: PairRows, rules: PairRulesConfig, usual: float
) -> dict[str, np.ndarray]:
    pairs = list(zip(rows.source, rows.target, strict=True))
    lengths = np.array(
        [[len(text) for text in side] for side in (rows.source, rows.target)], np.int64
    )
    shortest, longest = lengths.min(axis=0), lengths.max(axis=0)
    ratio = (lengths[1] + _EASE) / (lengths[0] * usual + _EASE)
    empty = shortest == 0
    return {
        "empty side": empty,
        "too short": ~empty & (shortest < rules.min_characters),
        "too long": longest > rules.max_characters,
        "identical sides": ~empty
        & np.array([one == other for one, other in pairs], bool),
        "length ratio": ~empty
        & (np.maximum(ratio, 1 / ratio) > rules.max_length_ratio),
        "equal pairs": _repeated(pairs),
        "equal sources": _repeated(rows.source),
    }


def _rules(
    flags: dict[str, np.ndarray],
    keys: _Keys,
    evaluation: list[_Keys],
    rules: PairRulesConfig,
) -> dict[str, np.ndarray]:
    """By rule the training pairs that it leaves out."""
    nothing = np.zeros(len(keys.pairs), bool)
    leave = {
        name: flags[name]
        for name in ("empty side", "too short", "too long", "identical sides")
    }
    if not rules.drop_identical:
        leave["identical sides"] = nothing
    leave["length ratio"] = flags["length ratio"]
    leave["duplicates"] = {
        "keep": nothing,
        "pairs": flags["equal pairs"],
        "sources": flags["equal sources"],
    }[rules.duplicates]
    seen: set[object] = set()
    for other in evaluation:
        seen.update(other.pairs, other.source)
    by_rule: dict[Duplicates, Sequence[object]] = {
        "keep": [],
        "pairs": keys.pairs,
        "sources": keys.source,
    }
    compared = by_rule[rules.seen_in_evaluation]
    leave["seen in evaluation"] = (
        np.array([key in seen for key in compared], bool) if compared else nothing
    )
    return leave


def _repeated(keys: Sequence[object]) -> np.ndarray:
    seen: set[object] = set()
    repeated = np.zeros(len(keys), bool)
    for number, key in enumerate(keys):
        repeated[number] = key in seen
        seen.add(key)
    return repeated


def _shared(keys: dict[str, _Keys]) -> dict[str, dict[str, int]]:
    shared: dict[str, dict[str, int]] = {}
    names = list(keys)
    for position, later in enumerate(names):
        for earlier in names[:position]:
            shared[f"{earlier}/{later}"] = {
                "pairs": _common(keys[earlier].pairs, keys[later].pairs),
                "sources": _common(keys[earlier].source, keys[later].source),
            }
    return shared


def _common(earlier: Sequence[object], later: Sequence[object]) -> int:
    known = set(earlier)
    return sum(count for key, count in Counter(later).items() if key in known)


def _locations(rows: PairRows, flag: np.ndarray) -> list[str]:
    return [
        show_location(rows.locations[number])
        for number in np.flatnonzero(flag)[:_EXAMPLES]
    ]
