"""The baselines, each against another way to compute it, and what they may know."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from recurra.pipelines.data.series.measured_variables import variables_of
from recurra.pipelines.data.series.steps import Step, parse_step
from recurra.pipelines.data.series.time_series import StationSeries, TimeSeries
from recurra.pipelines.weather.baselines import fit_baselines, season_steps
from recurra.pipelines.weather.config import WeatherDataConfig
from recurra.pipelines.weather.data import WeatherData, WindowDataModule
from recurra.pipelines.weather.directions import wrapped
from recurra.pipelines.weather.evaluation import window_batches
from recurra.pipelines.weather.members import SimpleMembers
from recurra.pipelines.weather.ridge import _solutions, _Sums
from recurra.pipelines.weather.windows import OriginBatch, WindowShape

START = np.datetime64("2020-02-03T05:00:00", "s")
HOUR, QUARTER_DAY = np.timedelta64(3600, "s"), np.timedelta64(6 * 3600, "s")
WEEK = np.timedelta64(7 * 86_400, "s")
NAMES = ("repeat_last", "seasonal_naive", "climatology", "ridge")
SHAPE = WindowShape(history=8, horizon=5, first_lead=1, targets=(0, 2))
PENALTIES = (1e-6, 1e-4, 1e-3, 1e-2, 10**-1.5, 1e-1, 10**-0.5, 1.0, 10.0)


def weather(steps, seed=0, missing=0.0, step=HOUR):
    """A daily and an annual cycle and what lasts for a while, float32[steps, 3]."""
    rng = np.random.default_rng(seed)
    hours = np.arange(steps) * step.astype(float) / 3600
    noise = rng.normal(size=(steps + 30, 3))
    lasting = pd.DataFrame(noise).ewm(halflife=4).mean().to_numpy(copy=True)[30:]
    cycle = np.sin(2 * np.pi * hours / 24)[:, None] * [4, 0, 1]
    year = np.cos(2 * np.pi * hours / 8766)[:, None] * [8, 3, 0]
    # The second variable comes to the first a step later.
    lasting[1:, 0] += lasting[:-1, 1]
    values = ([10, 990, 3] + cycle + year + 2 * lasting).astype(np.float32)
    values[rng.random(values.shape) < missing] = np.nan
    return values


def data_module_of(
    *stations,
    shape=SHAPE,
    step=HOUR,
    shares=(0.6, 0.8),
    names=("T (degC)", "p (mbar)", "wv (m/s)"),
):
    """Windows of these values, each station parted in the same places."""
    named = [
        StationSeries(f"s{number}", START, step, values)
        for number, values in enumerate(stations)
    ]
    rows = sum(len(values) for values in stations)
    series = TimeSeries("test", variables_of(names), tuple(named), (), (), rows)
    spans = []
    for values in stations:
        train, validation = (int(share * len(values)) for share in shares)
        spans.append(
            {
                "train": (0, train),
                "validation": (train, validation),
                "test": (validation, len(values)),
            }
        )
    data = WeatherData(series, tuple(spans), shape)
    config = WeatherDataConfig()
    return WindowDataModule(data, data.fit_scaling(), config, 64, seed=0)


def batch_of(data_module, split="test", every=1):
    windows = data_module.evaluation(split)
    numbers = np.arange(0, len(windows), every)
    return OriginBatch(*windows.locations(numbers), windows.target_times(numbers))


def forecast_of(name, data_module, split="test", every=1):
    batch = batch_of(data_module, split, every)
    baseline = fit_baselines(data_module)[name]
    return batch, baseline.forecast(batch, data_module.data.series)


def test_the_last_value_that_was_there():
    values = weather(400, missing=0.4)
    values[340:352] = np.nan  # Longer than a history.
    data_module = data_module_of(values)
    batch, forecast = forecast_of("repeat_last", data_module)
    filled = pd.DataFrame(values).ffill(limit=SHAPE.history - 1)
    expected = filled.fillna(pd.DataFrame(values[:240]).mean())
    expected = expected.to_numpy()[batch.origins][:, [0, 2]]
    assert forecast.shape == (len(batch.origins), 5, 2)
    for lead in range(5):
        np.testing.assert_allclose(forecast[:, lead], expected, rtol=1e-5)


def test_the_value_a_season_before():
    shape = WindowShape(history=8, horizon=30, first_lead=3, targets=(1,))
    values = weather(1200, missing=0.5)
    values[970:1165, 1] = np.nan  # Longer than seven seasons.
    data_module = data_module_of(values, shape=shape)
    batch, forecast = forecast_of("seasonal_naive", data_module, every=3)
    for row, origin in enumerate(batch.origins):
        known = values[: origin + 1, 1]
        recent = known[-8:][np.isfinite(known[-8:])]
        last = recent[-1] if len(recent) else data_module.source.scaling.mean[1]
        for column, lead in enumerate(shape.leads):
            # The places in the season that lie before the origin, latest first.
            places = np.arange(origin + lead, -1, -24)
            places = places[places <= origin][:7]
            found = known[places][np.isfinite(known[places])]
            expected = found[0] if len(found) else last
            assert forecast[row, column, 0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("seconds", "season"),
    [(600, 144), (3600, 24), (6 * 3600, 4), (86_400, 7), (7 * 86_400, 1), (5000, 1)],
)
def test_the_season_of_a_step(seconds, season):
    assert season_steps(Step(seconds)) == season


@pytest.mark.parametrize(
    ("step", "season"), [("MS", 12), ("ME", 12), ("QS", 4), ("YS", 1), ("B", 5)]
)
def test_the_season_of_a_step_of_the_calendar(step, season):
    assert season_steps(parse_step(step)) == season


def test_without_a_season_its_naive_forecast_is_the_last_value():
    data_module = data_module_of(weather(200, step=WEEK), step=WEEK)
    fitted = fit_baselines(data_module)
    assert fitted["seasonal_naive"] is fitted["repeat_last"]


def test_climatology_is_the_mean_of_hour_and_time_of_year():
    """Over the turn of the year, by station."""
    values = weather(24 * 420, missing=0.2), weather(24 * 420, seed=1)
    data_module = data_module_of(*values, shares=(0.9, 0.93))
    batch, forecast = forecast_of("climatology", data_module, every=31)
    hours = pd.date_range(START, periods=len(values[0]), freq="h")
    trained = hours[: int(0.9 * len(hours))]
    for row in range(0, len(batch.origins), 4):
        station = batch.stations[row]
        for column, time in enumerate(pd.DatetimeIndex(batch.target_times[row])):
            days = np.abs(trained.day_of_year - time.day_of_year)
            near = np.minimum(days, 366 - days) <= 15
            alike = values[station][: len(trained)][near & (trained.hour == time.hour)]
            expected = np.nanmean(alike[:, [0, 2]].astype(float), axis=0)
            found = forecast[row, column]
            np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_climatology_where_training_tells_nothing_of_the_hour_or_the_station():
    values, other = weather(24 * 30), weather(24 * 30, seed=1) + 5
    hour = (START.astype(object).hour + np.arange(len(values))) % 24
    values[hour == 9, 0] = np.nan
    data_module = data_module_of(values, other)
    fitted = fit_baselines(data_module)["climatology"]
    # All of the training part lies within 15 days of this.
    time = START + np.timedelta64(8 * 24 + 4, "h")
    batch = OriginBatch(np.array([0]), np.array([500]), np.array([[time]]))
    train = slice(0, int(0.6 * len(values)))
    # No value at nine: the mean of the station.
    found = fitted.forecast(batch, data_module.data.series)
    np.testing.assert_allclose(found[0, 0, 0], np.nanmean(values[train, 0]), rtol=1e-5)
    # A station that is not in training: what holds for all together.
    stranger = StationSeries("elsewhere", START, HOUR, values)
    series = TimeSeries("", data_module.data.series.variables, (stranger,), (), (), 0)
    found = fitted.forecast(batch, series)
    nine = np.concatenate(
        [values[train, 2][hour[train] == 9], other[train, 2][hour[train] == 9]]
    )
    np.testing.assert_allclose(found[0, 0, 1], nine.mean(), rtol=1e-5)


def test_ridge_is_the_best_in_validation_of_what_scikit_learn_fits():
    """Of lags with and without the level, all variables, the calendar, the penalty."""
    shape = WindowShape(history=5, horizon=3, first_lead=2, targets=(0, 2))
    values = weather(2600, step=QUARTER_DAY)
    data_module = data_module_of(values, shape=shape, step=QUARTER_DAY)
    batch, forecast = forecast_of("ridge", data_module)
    spans = data_module.data.spans[0]
    mean, deviation = (
        getattr(values[slice(*spans["train"])].astype(float), name)(axis=0)
        for name in ("mean", "std")
    )
    scaled = (values - mean) / deviation
    seconds = (START + np.arange(len(values)) * QUARTER_DAY).astype(float)
    angles = 2 * np.pi * seconds[:, None] / [86_400, 365.2425 * 86_400]
    calendar = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    origins = {
        "train": np.arange(4, spans["train"][1] - 4),
        "validation": np.arange(spans["train"][1] - 2, spans["validation"][1] - 4),
        "test": batch.origins,
    }

    def lags(split, variable):
        history = scaled[origins[split][:, None] + np.arange(-4, 1), variable]
        return np.concatenate([history[:, :-1] - history[:, -1:], history[:, -1:]], 1)

    for place, target in enumerate(shape.targets):
        inputs = {"changes": {}, "own": {}, "all": {}}
        change = {}
        for split, own in origins.items():
            inputs["changes"][split] = lags(split, target)[:, :-1]
            inputs["own"][split] = lags(split, target)
            inputs["all"][split] = np.hstack([lags(split, each) for each in range(3)])
            ahead = scaled[own[:, None] + np.array(shape.leads), target]
            change[split] = ahead - scaled[own, target][:, None]
        least, expected = np.inf, None
        for chosen in inputs.values():
            for with_calendar in (False, True):
                x = {
                    split: np.hstack([each, calendar[origins[split]]])
                    if with_calendar
                    else each
                    for split, each in chosen.items()
                }
                for penalty in PENALTIES:
                    model = make_pipeline(
                        StandardScaler(), SklearnRidge(penalty * len(x["train"]))
                    ).fit(x["train"], change["train"])
                    errors = model.predict(x["validation"]) - change["validation"]
                    if (errors**2).mean() < least:
                        least = (errors**2).mean()
                        expected = model.predict(x["test"])
        level = scaled[batch.origins, target][:, None]
        expected = (expected + level) * deviation[target] + mean[target]
        np.testing.assert_allclose(forecast[..., place], expected, rtol=1e-3, atol=1e-3)


def test_ridge_uses_another_variable_where_it_helps():
    """The first variable follows the second one, which a regression can tell."""
    data_module = data_module_of(weather(1500))
    first, _ = fit_baselines(data_module)["ridge"].regressions
    assert first.variables == (0, 1, 2)


FUTURES = {
    "shuffled": lambda rows: np.random.default_rng(5).permutation(rows),
    "shifted": lambda rows: np.roll(rows, 3, axis=0),
    "missing": lambda rows: np.full_like(rows, np.nan),
    "huge": lambda rows: np.full_like(rows, 3e38),
}


@pytest.mark.parametrize("future", FUTURES)
@pytest.mark.parametrize("split", ["validation", "test"])
def test_nothing_after_the_origin_changes_a_forecast(future, split):
    """From the last origin before the test part, fitting anew each time, too."""
    values = weather(500, missing=0.1)
    origin = {"validation": 399, "test": 450}[split]
    changed = values.copy()
    changed[origin + 1 :] = FUTURES[future](values[origin + 1 :])
    ahead = START + (origin + np.arange(1, 6)) * HOUR
    batch = OriginBatch(np.array([0]), np.array([origin]), ahead[None])
    forecasts = []
    for each in (values, changed):
        data_module = data_module_of(each)
        forecasts.append(
            {
                name: baseline.forecast(batch, data_module.data.series)
                for name, baseline in fit_baselines(data_module).items()
            }
        )
    for name in NAMES:
        # In the units of values that spread by about five.
        np.testing.assert_allclose(
            forecasts[0][name], forecasts[1][name], atol=1e-3, err_msg=name
        )


def test_the_validation_part_chooses_and_teaches_nothing():
    """Where nothing can be foreseen in it, ridge bounds its weights more."""
    values = weather(600)
    other = values.copy()
    other[360:480] = np.random.default_rng(1).normal(values.mean(axis=0), 4, (120, 3))
    usual, unusual = (fit_baselines(data_module_of(each)) for each in (values, other))
    for one, two in zip(
        usual["ridge"].regressions, unusual["ridge"].regressions, strict=True
    ):
        assert np.abs(two.weights[1:]).sum() < 0.9 * np.abs(one.weights[1:]).sum()
    climatologies = [fitted["climatology"].of_all for fitted in (usual, unusual)]
    np.testing.assert_array_equal(*climatologies)


@pytest.mark.parametrize("name", NAMES)
def test_each_station_is_forecast_as_if_it_were_alone(name):
    """From one fit: a batch may hold any stations in any order."""
    data_module = data_module_of(weather(300), weather(250, seed=1, missing=0.1))
    baseline, series = fit_baselines(data_module)[name], data_module.data.series
    batch = batch_of(data_module)
    order = np.random.default_rng(0).permutation(len(batch.origins))
    mixed = OriginBatch(
        batch.stations[order], batch.origins[order], batch.target_times[order]
    )
    forecast = np.empty((len(order), 5, 2), np.float32)
    for number in (0, 1):
        own = mixed.stations == number
        alone = OriginBatch(
            mixed.stations[own], mixed.origins[own], mixed.target_times[own]
        )
        forecast[own] = baseline.forecast(alone, series)
    np.testing.assert_allclose(baseline.forecast(mixed, series), forecast, atol=1e-3)


@pytest.mark.parametrize("missing", [0.1, 0.6])
def test_missing_values_are_survived(missing):
    """Many, a target that is never there in training, and the history as a whole."""
    values = weather(700, missing=missing)
    values[:420, 2] = np.nan
    values[600:640] = np.nan
    data_module = data_module_of(values)
    for name, baseline in fit_baselines(data_module).items():
        batch = batch_of(data_module)
        forecast = baseline.forecast(batch, data_module.data.series)
        assert forecast.dtype == np.float32
        assert np.isfinite(forecast).all(), name
        windows = data_module.evaluation("test")
        truth = windows.raw_targets(np.arange(len(windows)))
        # Somewhere near what came: a target without training is far off at worst.
        assert np.nanmean(np.abs(forecast - truth)[..., 0]) < 6, name


@pytest.mark.parametrize("name", NAMES)
def test_histories_of_the_largest_numbers_are_survived(name):
    data_module = data_module_of(weather(400))
    baseline, batch = fit_baselines(data_module)[name], batch_of(data_module)
    data_module.data.series.stations[0].values[320:] = 3e38
    assert np.isfinite(baseline.forecast(batch, data_module.data.series)).all()


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_the_members_of_a_model_forecast_as_the_baselines_do(missing):
    """From what a model is given, with a direction and the calendar."""
    shape = WindowShape(history=30, horizon=5, first_lead=2, targets=(2, 0))
    values = weather(1700, missing=missing, step=QUARTER_DAY)
    values[:, 2] = (values[:, 2] * 40) % 360
    names = ["T (degC)", "p (mbar)", "wd (deg)"]
    data_module = data_module_of(
        values, shape=shape, step=QUARTER_DAY, shares=(0.9, 0.95), names=names
    )
    baselines, source = fit_baselines(data_module), data_module.source
    members = SimpleMembers(baselines, shape, source.scaling)
    assert members.names == list(NAMES)
    (batch,) = window_batches(data_module.evaluation("test"), 256)
    points = members.forecast(batch.features).numpy()
    # A day beside that of the calendar is another mean of a month.
    near = {"climatology": 0.5}
    for number, name in enumerate(NAMES):
        expected = baselines[name].forecast(batch.origins, source.series)
        beside = points[..., number] - expected
        beside[..., 0] = wrapped(beside[..., 0]) / 40
        assert np.abs(beside).max() < near.get(name, 1e-2), name


def test_a_member_that_a_model_cannot_have_is_left_out():
    """The season is longer than the history, and there is no calendar."""
    shape = WindowShape(8, 5, 1, targets=(0, 2), calendar=False)
    data_module = data_module_of(weather(600), shape=shape)
    baselines = fit_baselines(data_module)
    members = SimpleMembers(baselines, shape, data_module.source.scaling)
    assert members.names == ["repeat_last", "ridge"]
    history = np.full((1, 8, 3), 3e38, np.float32)
    features = {"history": history, "observed": np.ones_like(history)}
    assert np.isfinite(members.forecast(features)).all()


def test_without_a_whole_year_of_training_ridge_has_no_calendar():
    assert not fit_baselines(data_module_of(weather(600)))["ridge"].inputs.calendar
    year = data_module_of(weather(366 * 8, step=QUARTER_DAY), step=QUARTER_DAY)
    assert fit_baselines(year)["ridge"].inputs.calendar


def test_a_constant_hour_of_the_day_is_no_input():
    """Strides of whole days leave the calendar constant, but for rounding."""
    rng = np.random.default_rng(0)
    for count, hour in ((1000, 5), (1691, 7), (2500, 13)):
        angle = 2 * np.pi * hour / 24
        lags = rng.normal(size=(count, 120))
        inputs = np.column_stack(
            [
                np.ones(count),
                np.full(count, np.sin(angle)),
                np.full(count, np.cos(angle)),
                lags,
                lags[:, 0] + 1e-9 * rng.normal(size=count),
            ]
        )
        outputs = lags[:, :1] + 0.1 * rng.normal(size=(count, 1))
        sums = _Sums(
            count,
            inputs.T @ inputs,
            (inputs.T @ outputs)[:, None],
            (outputs**2).sum(axis=0)[None],
        )
        found = list(_solutions(sums))
        assert all(np.isfinite(weights).all() for weights in found)
        assert not any(weights[1:3].any() for weights in found)
        without = np.delete(inputs, [1, 2], axis=1)
        scaled = make_pipeline(StandardScaler(), SklearnRidge(1e-2 * count))
        expected = scaled.fit(without[:, 1:], outputs[:, 0]).predict(without[:, 1:])
        np.testing.assert_allclose(inputs @ found[3][:, 0, 0], expected, atol=1e-6)


def test_a_stride_of_days_is_survived():
    values = weather(24 * 500)
    data_module = data_module_of(values)
    config = WeatherDataConfig(stride=24, evaluation_stride=24)
    scaling = data_module.data.fit_scaling()
    module = WindowDataModule(data_module.data, scaling, config, 64, seed=0)
    for name, baseline in fit_baselines(module).items():
        forecast = baseline.forecast(batch_of(module), module.data.series)
        assert np.isfinite(forecast).all(), name
