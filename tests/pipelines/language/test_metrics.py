"""How sure the metrics of a text are."""

import numpy as np
import pytest

from recurra.pipelines.language.metrics import nll_interval

NLL = 2.0


def interval(lengths):
    scores = -np.random.default_rng(0).exponential(NLL, sum(lengths))
    return nll_interval(scores, lengths, seed=0)


@pytest.mark.parametrize(
    "lengths", [[50_000], [100] * 500, [30_000, 1, 19_999]], ids=["one", "many", "few"]
)
def test_the_interval_is_as_wide_as_units_differ(lengths):
    low, high = interval(lengths)
    assert low < NLL < high
    # Of independent units, by the standard error of their mean.
    expected = 2 * 1.96 * NLL / np.sqrt(sum(lengths))
    assert high - low == pytest.approx(expected, rel=0.25)


def test_too_little_text_has_no_interval():
    assert interval([1_000]) is None
    assert interval([600, 400]) is not None
