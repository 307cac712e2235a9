"""How well units are predicted, from their log-probabilities to numbers."""

import math
from collections.abc import Sequence

import numpy as np

_RESAMPLES = 1_000
_PART_UNITS = 1_000


def prediction_metrics(
    log_probabilities: np.ndarray, characters: int, ranks: np.ndarray
) -> dict[str, float]:
    """The metrics of a text.

    - `nll`: the mean negative log-likelihood of a unit, in nats;
    - `perplexity`: `exp(nll)`;
    - `bits_per_character`: that of the whole text in bits, by its characters;
    - `top_1`, `top_5`: how often the unit is the likeliest, or one of five.

    Args:
        log_probabilities: Of each unit, `[units]`.
        characters: Of the text.
        ranks: How many units are likelier, `[ranked]`, of some of the units.
    """
    total = -float(log_probabilities.sum(dtype=np.float64))
    nll = total / len(log_probabilities)
    return {
        "nll": nll,
        "perplexity": math.exp(min(nll, 700.0)),
        "bits_per_character": total / math.log(2) / characters,
        "top_1": float((ranks < 1).mean()),
        "top_5": float((ranks < 5).mean()),
    }


def nll_interval(
    log_probabilities: np.ndarray, lengths: Sequence[int], seed: int
) -> tuple[float, float] | None:
    """The 95 % interval of `nll` by bootstrap over documents.

    A document of more than 1,000 units is cut into parts of 1,000, which are drawn by
    themselves: from one long document alone nothing could be drawn. Source: Carlstein,
    "The Use of Subseries Values for Estimating the Variance of a General Statistic from
    a Stationary Sequence", 1986.

    Args:
        log_probabilities: Of each unit, `[units]`.
        lengths: Units of each document, in their order.
        seed: Of the draws.

    Returns:
        Its ends, or None where there are not two parts.
    """
    parts = np.array(
        [
            min(_PART_UNITS, length - begin)
            for length in lengths
            for begin in range(0, length, _PART_UNITS)
        ]
    )
    if len(parts) < 2:
        return None
    begins = np.cumsum([0, *parts[:-1]])
    sums = -np.add.reduceat(log_probabilities.astype(np.float64), begins)
    generator = np.random.default_rng(seed)
    drawn = generator.integers(0, len(parts), (_RESAMPLES, len(parts)))
    means = sums[drawn].sum(axis=1) / parts[drawn].sum(axis=1)
    lower, upper = np.quantile(means, [0.025, 0.975])
    return float(lower), float(upper)


def nll_by_part(
    log_probabilities: np.ndarray, values: np.ndarray, edges: np.ndarray
) -> list[tuple[int, float]]:
    """Units and `nll` where a value of each unit lies from one edge up to the next."""
    part = np.digitize(values, edges) - 1
    return [
        (int((part == number).sum()), -float(log_probabilities[part == number].mean()))
        if (part == number).any()
        else (0, 0.0)
        for number in range(len(edges))
    ]
