"""Checks of sentence pairs, and the rules by which training pairs are left out."""

from dataclasses import dataclass

import numpy as np

from ..files.tables import show_location
from .normalised_text import comparison_key
from .pair_rows import PairRows
from .pair_rules_config import PairRulesConfig
from .stored_texts import Texts

# Added to the characters of both sides before they are compared, so that of short
# sentences little is asked.
_EASE = 10.0
_EXAMPLES = 5
# So many pairs are Python strings together.
_TOGETHER = 10_000


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
    facts = {name: _Facts.of(rows) for name, rows in splits.items()}
    usual = _usual_length_ratio(facts.get("train") or next(iter(facts.values())))
    flags = {name: _flags(of_split, rules, usual) for name, of_split in facts.items()}
    kept = np.zeros(0, np.int64)
    dropped: dict[str, int] = {}
    if "train" in splits:
        evaluation = [facts[name] for name in splits if name != "train"]
        leave = _rules(flags["train"], facts["train"], evaluation, rules)
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
        shared=_shared(facts),
        dropped=dropped,
        usual_length_ratio=usual,
    )
    return checks, kept


@dataclass(frozen=True)
class _Facts:
    """What pairs are checked by: of each `[N]`.

    Equal texts have equal hashes, and others do not; see `comparison_hashes`.

    Attributes:
        lengths: characters of source and target, int64 `[2, N]`.
        are_identical: whether both sides are one text.
        source: hash of the source as it stands.
        pair: hash of both sides as they stand.
        source_key: hash of what the source of another split is compared by: a test
            must not be known by heart.
        pair_key: the same of both sides.
    """

    lengths: np.ndarray
    are_identical: np.ndarray
    source: np.ndarray
    pair: np.ndarray
    source_key: np.ndarray
    pair_key: np.ndarray

    @classmethod
    def of(cls, rows: PairRows) -> "_Facts":
        source, target = Texts.of(rows.source), Texts.of(rows.target)
        are_identical, hashes = np.zeros(len(rows), bool), np.zeros((4, len(rows)), int)
        begin = 0
        for sources, targets in zip(
            source.parts(_TOGETHER), target.parts(_TOGETHER), strict=True
        ):
            part = slice(begin, begin + len(sources))
            pairs = list(zip(sources, targets, strict=True))
            keys = [comparison_key(text) for text in sources]
            pair_keys = zip(keys, map(comparison_key, targets), strict=True)
            are_identical[part] = [one == other for one, other in pairs]
            hashes[0, part] = list(map(hash, sources))
            hashes[1, part] = list(map(hash, pairs))
            hashes[2, part] = list(map(hash, keys))
            hashes[3, part] = list(map(hash, pair_keys))
            begin += len(sources)
        return cls(
            np.stack([source.lengths(), target.lengths()]), are_identical, *hashes
        )


def _usual_length_ratio(facts: _Facts) -> float:
    """The median of the target's characters for each of the source's; 1 if unknown."""
    source, target = facts.lengths[:, facts.lengths.min(axis=0) > 0]
    return float(np.median(target / source)) if len(source) else 1.0


def _flags(
    facts: _Facts, rules: PairRulesConfig, usual: float
) -> dict[str, np.ndarray]:
    lengths = facts.lengths
    shortest, longest = lengths.min(axis=0), lengths.max(axis=0)
    ratio = (lengths[1] + _EASE) / (lengths[0] * usual + _EASE)
    empty = shortest == 0
    return {
        "empty side": empty,
        "too short": ~empty & (shortest < rules.min_characters),
        "too long": longest > rules.max_characters,
        "identical sides": ~empty & facts.are_identical,
        "length ratio": ~empty
        & (np.maximum(ratio, 1 / ratio) > rules.max_length_ratio),
        "equal pairs": _repeated(facts.pair),
        "equal sources": _repeated(facts.source),
    }


def _rules(
    flags: dict[str, np.ndarray],
    facts: _Facts,
    evaluation: list[_Facts],
    rules: PairRulesConfig,
) -> dict[str, np.ndarray]:
    """By rule the training pairs that it leaves out."""
    nothing = np.zeros(len(facts.pair), bool)
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
    compared = {"pairs": "pair_key", "sources": "source_key"}.get(
        rules.seen_in_evaluation
    )
    leave["seen in evaluation"] = nothing
    if compared and evaluation:
        seen = np.concatenate([getattr(other, compared) for other in evaluation])
        leave["seen in evaluation"] = np.isin(getattr(facts, compared), seen)
    return leave


def _repeated(hashes: np.ndarray) -> np.ndarray:
    """Which stand behind an equal one."""
    repeated = np.ones(len(hashes), bool)
    repeated[np.unique(hashes, return_index=True)[1]] = False
    return repeated


def _shared(facts: dict[str, _Facts]) -> dict[str, dict[str, int]]:
    shared: dict[str, dict[str, int]] = {}
    names = list(facts)
    for position, later in enumerate(names):
        for earlier in names[:position]:
            one, other = facts[earlier], facts[later]
            shared[f"{earlier}/{later}"] = {
                "pairs": int(np.isin(other.pair_key, one.pair_key).sum()),
                "sources": int(np.isin(other.source_key, one.source_key).sum()),
            }
    return shared


def _locations(rows: PairRows, flag: np.ndarray) -> list[str]:
    return [
        show_location(rows.locations[number])
        for number in np.flatnonzero(flag)[:_EXAMPLES]
    ]
