"""Scores, against plain sums over all elements at once."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_pinball_loss

from recurra.pipelines.weather.metrics import (
    SEASONS,
    ForecastScores,
    central_intervals,
    naive_errors,
)

TARGETS = ["T", "p", "rain"]
SCALE = np.array([8.0, 5.0, 0.1], np.float32)
NAIVE = np.array([2.0, np.nan, 0.25])
LEVELS = [0.1, 0.25, 0.5, 0.75, 0.9]
NAN = np.nan


def forecasts(windows=200, horizon=30, seed=0):
    """Truth with gaps, point, quantiles, and hourly times over a year."""
    generator = np.random.default_rng(seed)
    shape = windows, horizon, len(TARGETS)
    truth = generator.normal([10, 990, 0.2], SCALE, shape).astype(np.float32)
    truth[generator.random(shape) < 0.2] = NAN
    point = generator.normal([10, 991, 0.1], SCALE, shape).astype(np.float32)
    spread = np.array([-1.3, -0.7, 0, 0.7, 1.3], np.float32)
    quantiles = point[..., None] + spread * SCALE[:, None]
    origins = np.datetime64("2019-11-05T07:00:00", "s") + np.sort(
        generator.integers(0, 365 * 24, windows)
    ) * np.timedelta64(3600, "s")
    times = origins[:, None] + np.arange(1, horizon + 1) * np.timedelta64(3600, "s")
    return truth, point, quantiles, times


def scores_of(
    truth, point, quantiles, times, batch_size=64, levels=LEVELS, naive_error=NAIVE
):
    scores = ForecastScores(
        TARGETS,
        range(1, truth.shape[1] + 1),
        scale=SCALE,
        naive_error=naive_error,
        quantiles=levels,
    )
    for begin in range(0, len(truth), batch_size):
        own = slice(begin, begin + batch_size)
        scores.add(
            truth[own],
            point[own],
            None if quantiles is None else quantiles[own],
            times[own],
        )
    return scores


def elements(truth, point, quantiles, times):
    """A row for each element that is there."""
    windows, horizon, targets = truth.shape
    frame = pd.DataFrame(
        {
            "truth": truth.ravel().astype(np.float64),
            "point": point.ravel().astype(np.float64),
            "lead": np.tile(np.repeat(np.arange(horizon), targets), windows),
            "target": np.tile(np.arange(targets), windows * horizon),
            "time": np.repeat(times.ravel(), targets),
        }
    )
    for number, level in enumerate(LEVELS):
        frame[level] = quantiles[..., number].ravel().astype(np.float64)
    return frame.dropna()


def expected(rows):
    """All metrics of these rows."""
    error = rows["point"] - rows["truth"]
    scale, naive = SCALE[rows["target"]].astype(np.float64), NAIVE[rows["target"]]
    metrics = {
        "mae": error.abs().mean(),
        "mse": (error**2).mean(),
        "rmse": np.sqrt((error**2).mean()),
        "mase": (error.abs() / naive).mean(),
        "bias": error.mean(),
        "crps": np.mean(
            [
                2 * mean_pinball_loss(rows["truth"], rows[level], alpha=level)
                for level in LEVELS
            ]
        ),
        "mae_standardised": (error.abs() / scale).mean(),
        "mse_standardised": ((error / scale) ** 2).mean(),
    }
    for stated, low, high in ((80, 0.1, 0.9), (50, 0.25, 0.75)):
        inside = rows["truth"].between(rows[low], rows[high])
        metrics[f"coverage_{stated}"] = inside.mean()
        metrics[f"width_{stated}"] = (rows[high] - rows[low]).mean()
    return {
        name: None if np.isnan(value) else pytest.approx(value, rel=1e-9)
        for name, value in metrics.items()
    }


@pytest.mark.parametrize("batch_size", [200, 64, 1])
def test_overall(batch_size):
    made = forecasts()
    overall = scores_of(*made, batch_size=batch_size).overall()
    assert overall == expected(elements(*made))
    assert list(overall)[:6] == ["mae", "mse", "rmse", "mase", "bias", "crps"]


def test_by_lead():
    made = forecasts()
    by_lead = scores_of(*made).by_lead()
    rows = elements(*made)
    assert {len(values) for values in by_lead.values()} == {30}
    for lead in (0, 17, 29):
        at_lead = {name: values[lead] for name, values in by_lead.items()}
        assert at_lead == expected(rows[rows["lead"] == lead])


def test_by_variable():
    made = forecasts()
    by_variable = scores_of(*made).by_variable()
    rows = elements(*made)
    assert list(by_variable) == TARGETS
    for number, name in enumerate(TARGETS):
        assert by_variable[name] == expected(rows[rows["target"] == number])
    # The naive error of this one is not known.
    assert by_variable["p"]["mase"] is None


def test_by_season_and_by_hour():
    made = forecasts()
    scores, rows = scores_of(*made), elements(*made)
    by_season = scores.by_season()
    assert list(by_season) == list(SEASONS)
    for name, months in zip(
        SEASONS, ([12, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]), strict=True
    ):
        own = rows["time"].dt.month.isin(months)
        assert by_season[name] == expected(rows[own])
    by_hour = scores.by_hour()
    assert list(by_hour) == [str(hour) for hour in range(24)]
    for hour in (0, 7, 23):
        own = rows["time"].dt.hour == hour
        assert by_hour[str(hour)] == expected(rows[own])


def test_only_seasons_and_hours_that_occur():
    truth, point, quantiles, _ = forecasts(windows=3, horizon=1)
    times = np.array(["1969-12-31T23", "1970-03-01T00", "2024-02-29T23"], "M8[s]")
    truth[0] = NAN
    scores = scores_of(truth, point, quantiles, times[:, None])
    assert list(scores.by_season()) == ["Dec-Feb", "Mar-May"]
    assert list(scores.by_hour()) == ["0", "23"]
    truth[0] = 1.0
    before_1970 = scores_of(truth[:1], point[:1], quantiles[:1], times[:1, None])
    assert list(before_1970.by_season()) == ["Dec-Feb"]
    assert list(before_1970.by_hour()) == ["23"]


def test_a_point_stands_for_its_quantiles():
    truth, point, _, times = forecasts()
    overall = scores_of(truth, point, None, times).overall()
    assert overall["crps"] == overall["mae"]
    assert not [name for name in overall if name.startswith(("coverage", "width"))]
    every = np.repeat(point[..., None], len(LEVELS), axis=-1)
    of_equal = scores_of(truth, point, every, times).overall()
    assert of_equal["crps"] == pytest.approx(overall["mae"])
    assert of_equal["width_80"] == 0


def scores_of_one(truth, quantiles, levels=LEVELS):
    truth = np.asarray(truth, float).reshape(-1, 1, 1)
    scores = ForecastScores(
        ["T"], [1], scale=np.ones(1), naive_error=np.ones(1), quantiles=levels
    )
    every = np.broadcast_to(quantiles, (*truth.shape, len(levels)))
    times = np.full(truth.shape[:2], np.datetime64("2020-01-01", "s"))
    scores.add(truth, np.zeros_like(truth), every, times)
    return scores


@pytest.mark.parametrize(
    ("truth", "covered"),
    [
        ([3], 1),
        ([5], 0),
        # The zeros reach from level 0 to .625, and .525 of it lie above level .1.
        ([0], 0.525 / 0.625),
        # The end of the interval, from .825 to 1.
        ([4], 0.075 / 0.175),
        ([0, 5, 3, NAN], (1 + 0.525 / 0.625) / 3),
    ],
)
def test_zeros_count_by_the_share_of_their_mass(truth, covered):
    scores = scores_of_one(truth, [0, 0, 0, 2, 4])
    assert scores.overall()["coverage_80"] == pytest.approx(covered)
    observed = scores.observed_levels()
    assert observed[4] - observed[0] == pytest.approx(covered)


@pytest.mark.parametrize("dry", [0.0, 0.2, 0.6, 0.8, 0.97])
def test_the_coverage_of_a_right_forecast_is_what_it_states(dry):
    rng = np.random.default_rng(0)
    amounts = rng.exponential(size=20_000)
    truth = np.where(rng.random(20_000) < dry, 0, amounts)
    right = [max(0, -np.log((1 - level) / (1 - dry))) for level in LEVELS]
    overall = scores_of_one(truth, right).overall()
    assert overall["coverage_80"] == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(
    ("levels", "stated"),
    [
        ([0.5], []),
        ([0.1, 0.25, 0.5, 0.75, 0.9], ["80", "50"]),
        ([0.1, 0.5, 0.8], []),
        ([0.2, 0.5, 0.8, 0.9], ["60"]),
        ([0.9, 0.1], ["80"]),
        ([0.0125, 0.3, 0.7, 0.9875], ["97.5", "40"]),
    ],
)
def test_intervals_are_of_symmetric_quantiles(levels, stated):
    truth, point, _, times = forecasts(windows=5)
    quantiles = point[..., None] + np.array(levels, np.float32)
    overall = scores_of(truth, point, quantiles, times, levels=levels).overall()
    names = [name for name in overall if name.startswith("coverage")]
    assert names == [f"coverage_{percentage}" for percentage in stated]
    for (lower, upper, _), percentage in zip(
        central_intervals(levels), stated, strict=True
    ):
        assert 100 * (levels[upper] - levels[lower]) == pytest.approx(float(percentage))


def test_nothing_is_nan():
    truth, point, quantiles, times = forecasts()
    truth[:, 3] = NAN
    truth[:, :, 2] = np.inf
    scores = scores_of(
        truth, point, quantiles, times, naive_error=np.array([NAN, NAN, 1.0])
    )
    # Of the third, which alone has a naive error, no truth is there.
    assert "mase" not in scores.overall() and "mae" in scores.overall()
    assert scores.by_lead()["mae"][3] is None and scores.by_lead()["mae"][2] > 0
    assert set(scores.by_variable()["rain"].values()) == {None}
    every = [getattr(scores, name)() for name in ("overall", "by_lead", "by_season")]
    every += [scores.by_variable(), scores.by_hour()]
    json.dumps(every, allow_nan=False)
    empty = scores_of(np.full_like(truth, NAN), point, quantiles, times)
    assert empty.overall() == {} and empty.by_hour() == {}
    json.dumps(empty.by_lead(), allow_nan=False)


def test_large_numbers_are_summed_exactly_enough():
    truth, point, quantiles, times = forecasts()
    truth += 1e6
    made = truth, point, quantiles, times
    assert scores_of(*made).overall() == expected(elements(*made))
    truth[0, 0, 0] = 3e38
    point[0, 0, 0] = -3e38
    assert np.isfinite(list(scores_of(*made).overall().values())).all()


def test_forecasts_that_do_not_fit():
    truth, point, quantiles, times = forecasts()
    with pytest.raises(ValueError, match=r"\(200, 30, 3\).*Received: .*\(200, 30, 1\)"):
        scores_of(truth, point[..., :1], None, times, batch_size=200)
    with pytest.raises(ValueError, match=r"and 5\. Received: \(200, 30, 3, 4\)"):
        scores_of(truth, point, quantiles[..., 1:], times, batch_size=200)
    point[7, 8, 2] = NAN
    with pytest.raises(ValueError, match="finite forecasts. Received: 1 that are not"):
        scores_of(truth, point, quantiles, times, batch_size=200)


def test_naive_errors():
    generator = np.random.default_rng(0)
    parts = [generator.normal(size=(length, 2)).astype(np.float32) for length in (9, 6)]
    changes = [np.abs(part[4:].astype(float) - part[:-4]) for part in parts]
    np.testing.assert_allclose(
        naive_errors(parts, 4), np.concatenate(changes).mean(axis=0)
    )


def test_naive_errors_where_values_are_missing():
    column = [1, 2, NAN, 7, 3, np.inf, 5]
    # Of values two steps apart there are 2 and 7, and 3 and 5.
    constant, missing = [4.0] * 7, [NAN] * 7
    part = np.array([column, constant, missing], np.float32).T
    errors = naive_errors([part, part[:2], part[:0]], 2)
    assert errors[0] == pytest.approx((5 + 2) / 2)
    assert np.isnan(errors[1:]).all()
    assert np.isnan(naive_errors([part[:2]], 2)).all()
