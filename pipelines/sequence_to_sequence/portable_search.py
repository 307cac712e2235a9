"""Beam search of one sentence by NumPy; see `decoding`, which it is equal to."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from ..core.portable import Arrays
from .special_tokens import BOS, EOS

_NEVER = np.float32(-1e9)


@dataclasses.dataclass(frozen=True)
class Search:
    """How it is searched; see `decoding.Search` and `decoding.Penalties`."""

    beams: int
    length_penalty: float
    coverage_penalty: float
    no_repeat_ngram: int

    def normaliser(self, pieces: int) -> np.float32:
        """What the log-probability of so many pieces is divided by."""
        return ((np.float32(5) + np.float32(pieces)) / np.float32(6)) ** np.float32(
            self.length_penalty
        )


#: Given the last pieces `[K]` and the states of hypotheses: log-probabilities `[K, V]`
#: of the next pieces, what they gave the source of attention, `[K, S]`, and the states.
Step = Callable[[np.ndarray, Arrays], tuple[np.ndarray, np.ndarray, Arrays]]


def beam_search(
    step: Step, states: Arrays, limit: int, search: Search
) -> tuple[list[int], float]:
    """The pieces of the best hypothesis, without its end, and its score.

    With one beam that is the greedy one: of the likeliest pieces.

    Args:
        step: Scores the next pieces.
        states: The first ones, of one row.
        limit: Pieces at most, without the end.
        search: Beams and ranking.
    """
    beams = search.beams
    states = {name: np.repeat(state, beams, 0) for name, state in states.items()}
    ids = np.full((beams, 1), BOS, np.int32)
    # At first all hypotheses are the same, so one alone counts.
    totals = np.array([0, *[2 * _NEVER] * (beams - 1)], np.float32)
    attended: np.ndarray | None = None
    pool: list[tuple[np.float32, list[int]]] = []
    for number in range(limit + 1):
        logs, attention, after = step(ids[:, -1], states)
        attended = attention if attended is None else attended + attention
        if number == limit:
            choices, values = np.full((beams, 1), EOS), logs[:, EOS, None]
        else:
            allowed = _without_repeats(logs, ids[:, 1:], search.no_repeat_ngram)
            # Each hypothesis can bring K that go on, and the one that ends here.
            choices = np.stack([_best(row, beams + 1) for row in allowed])
            values = np.take_along_axis(allowed, choices, 1)
        candidates = (totals[:, None] + values).ravel()
        best = _best(candidates, 2 * beams)
        parents = best // choices.shape[1]
        pieces = choices.ravel()[best].astype(np.int32)
        ends = pieces == EOS
        for parent, total in zip(
            parents[:beams][ends[:beams]],
            candidates[best[:beams]][ends[:beams]],
            strict=True,
        ):
            if total > _NEVER / 2:
                score = total / search.normaliser(number + 1)
                score += _coverage(attended[parent], search)
                pool.append((score, ids[parent, 1:].tolist()))
        # Those that came first stand before others of the same score.
        pool = sorted(pool, key=lambda each: -each[0])[:beams]
        go_on = np.flatnonzero(~ends)[:beams]
        if len(pool) == beams or not len(go_on):
            break
        totals, parents = candidates[best[go_on]], parents[go_on]
        # Nothing that goes on can come to more than this: no penalty is positive.
        if pool and pool[0][0] >= totals[0] / search.normaliser(limit + 1):
            break
        states = {name: state[parents] for name, state in after.items()}
        ids = np.concatenate([ids[parents], pieces[go_on, None]], 1)
        attended = attended[parents]
    score, found = pool[0]
    return found, float(score)


def _best(values: np.ndarray, number: int) -> np.ndarray:
    """The places of the largest, the first of equal ones first."""
    number = min(number, len(values))
    least = np.partition(values, -number)[-number]
    places = np.flatnonzero(values >= least)
    return places[np.argsort(-values[places], kind="stable")][:number]


def _coverage(attended: np.ndarray, search: Search) -> np.float32:
    if not search.coverage_penalty:
        return np.float32(0)
    logs = np.log(np.clip(attended, 1e-9, 1)).sum()
    return np.float32(search.coverage_penalty) * logs


def _without_repeats(logs: np.ndarray, ids: np.ndarray, size: int) -> np.ndarray:
    """Without the pieces that would make an n-gram of `ids` `[K, t]` stand twice."""
    if not size:
        return logs
    allowed = logs.copy()
    for row, said in zip(allowed, ids.tolist(), strict=True):
        row[_repeating(said, size)] = _NEVER
    return allowed


def _repeating(said: Sequence[int], size: int) -> list[int]:
    before = size - 1
    last = said[len(said) - before :]
    return [
        said[at] for at in range(before, len(said)) if said[at - before : at] == last
    ]
