"""The weights of the members in the answer, fitted on held-out texts."""

import functools
from collections.abc import Sequence

import numpy as np

from .metrics import fit_branch_weights

# Training texts with which a recurrent member is worth half of what it is with many.
# Chosen on sets of benchmarks/varied_texts.py of 150 to 600 texts, by other seeds.
_HALFWAY = 300


def fit_member_weights(
    branches: np.ndarray,
    labels: np.ndarray,
    *,
    trained: int,
    texts: int,
    simple_weights: np.ndarray | None,
    prior: float,
    class_weights: Sequence[float] | None = None,
) -> np.ndarray:
    """The weights of the members' logits in their sum.

    Recurrent and simple members are calibrated by themselves: the first on validation,
    the simple ones on their held-out answers to the training texts, where there are
    such. Where nothing else is known, the answer has half of each, and of recurrent
    members that learned from few texts less: `texts / (texts + 300)` of their half.
    That is what the weights are drawn to. Many validation rows overrule it, and a few
    cannot: weights that are the fraction `d` of theirs off have to gain `prior * d^2`
    nats each.

    Args:
        branches: Logits on validation, `[N, B, C]`, those of recurrent members first.
        labels: int `[N]`, or bool `[N, C]` of rows that may have several.
        trained: How many members were trained with the recurrent one, and it.
        texts: That they learned from.
        simple_weights: `[B - trained]`, with which the sum of the simple members is
            most likely; found on validation if None.
        prior: In nats.
        class_weights: What a row of each class counts, `[C]`; one each if None.

    Returns:
        float64 `[B]`.
    """
    fit = functools.partial(fit_branch_weights, labels=labels, counts=class_weights)
    recurrent = fit(branches[:, :trained])
    if branches.shape[1] == trained:
        return recurrent
    if simple_weights is None:
        simple_weights = fit(branches[:, trained:])
    share = 0.5 * texts / (texts + _HALFWAY)
    parts = np.concatenate([share * recurrent, (1 - share) * simple_weights])
    return fit(branches, drawn_to=parts, nats=prior)
