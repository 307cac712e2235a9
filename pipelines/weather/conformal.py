"""Split-conformal correction: quantiles that cover what they state."""

from collections.abc import Sequence

import numpy as np


def quantile_shifts(
    truth: np.ndarray, quantiles: np.ndarray, shares: Sequence[float]
) -> np.ndarray:
    """What to add to forecast quantiles so that they hold on new data what they state.

    For each lead time, target and share q the shift is an order statistic of the n
    differences truth less quantile: the ceil((n + 1) q)-th smallest from the median
    upwards, the floor((n + 1) q)-th below it, so an interval errs to the wide side.
    Were new windows exchangeable with these, the truth would lie at or below the
    shifted quantile with a probability of at least q (below the median: at most q).
    Weather is not, and neighbouring windows overlap, so the coverage that was reached
    on the test part is what counts. Source: Romano, Patterson and Candès 2019,
    "Conformalized Quantile Regression", one side at a time.

    Args:
        truth: `[N, H, T]`, NaN where missing.
        quantiles: `[N, H, T, Q]`, or `[N, H, T, 1]`, of which each is then shifted.
        shares: Of the quantiles, Q.

    Returns:
        float32 `[H, T, Q]`; 0 where no truth is there.
    """
    count = np.isfinite(truth).sum(axis=0)
    shifts = np.zeros((*truth.shape[1:], len(shares)), np.float32)
    for number, share in enumerate(shares):
        of_share = quantiles[..., min(number, quantiles.shape[-1] - 1)]
        # What is missing is sorted to the end.
        scores = np.sort(truth - of_share, axis=0)
        rank = (count + 1) * share
        rank = np.ceil(rank) if share >= 0.5 else np.floor(rank)
        place = np.clip(rank.astype(int), 1, np.maximum(count, 1)) - 1
        chosen = np.take_along_axis(scores, place[None], axis=0)[0]
        shifts[..., number] = np.where(count > 0, chosen, 0.0)
    return shifts
