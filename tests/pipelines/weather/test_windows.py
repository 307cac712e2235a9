"""Windows: what they hold, in which order, and that they know nothing ahead."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.data.series.measured_variables import variables_of
from recurra.pipelines.data.series.time_series import StationSeries, TimeSeries
from recurra.pipelines.weather.config import WeatherDataConfig
from recurra.pipelines.weather.data import (
    WeatherData,
    WindowDataModule,
    load_weather_data,
)
from recurra.pipelines.weather.model_inputs import calendar_features, standardised
from recurra.pipelines.weather.scaling import Scaling
from recurra.pipelines.weather.windows import WindowShape, WindowSource

SHARED = Path(__file__).parents[4] / "shared/data"
JENA = SHARED / "jena_hourly.npz"
LONG_HORIZON = SHARED / "weather_ltsf_2020.csv.gz"
HOUR = np.timedelta64(3600, "s")
START = np.datetime64("2020-01-01T00:00:00", "s")
UNSCALED = Scaling(np.zeros(3, np.float32), np.ones(3, np.float32))
SHAPE = WindowShape(history=4, horizon=3, first_lead=1, targets=(0, 2))


def series_of(*lengths):
    """Value 1000 * station + step + variable / 10: each says where it stands."""
    stations = []
    for number, length in enumerate(lengths):
        values = 1000 * number + np.arange(length)[:, None] + np.arange(3) / 10
        stations.append(
            StationSeries(f"s{number}", START, HOUR, values.astype(np.float32))
        )
    variables = variables_of(["T (degC)", "p (mbar)", "wv (m/s)"])
    return TimeSeries("test", variables, tuple(stations), (), (), sum(lengths))


def spans_of(*cuts):
    train, validation, end = cuts
    return {
        "train": (0, train),
        "validation": (train, validation),
        "test": (validation, end),
    }


def numbers_of(batches):
    """The step of each origin, by the variable that is never missing there."""
    return [
        features["history"].numpy()[:, -1, 1].round().astype(int).tolist()
        for features, _, _ in batches
    ]


def test_a_window_holds_its_history_and_its_targets():
    source = WindowSource(series_of(30), UNSCALED, SHAPE)
    windows = source.windows([spans_of(20, 25, 30)], "train")
    features, targets, weights = next(iter(windows.batches(2)))
    np.testing.assert_allclose(features["history"][1, :, 0], [1, 2, 3, 4])
    np.testing.assert_allclose(targets[1, :, 0], [5, 6, 7])
    np.testing.assert_allclose(targets[1, :, 1], [5.2, 6.2, 7.2], rtol=1e-6)
    assert features["observed"].numpy().min() == weights.numpy().min() == 1
    assert features["known_history"].shape == (2, 4, 4)
    assert features["known_future"].shape == (2, 3, 4)


def test_a_later_first_lead():
    shape = WindowShape(history=2, horizon=1, first_lead=5, targets=(0,))
    source = WindowSource(series_of(30), UNSCALED, shape)
    windows = source.windows([spans_of(20, 25, 30)], "train")
    features, targets, _ = next(iter(windows.batches(1)))
    assert targets[0, 0, 0] - features["history"][0, -1, 0] == 5
    assert len(windows) == 20 - 2 - 5 + 1


@pytest.mark.parametrize("reaches_back", [True, False])
def test_no_window_lies_across_two_splits(reaches_back):
    source = WindowSource(series_of(60), UNSCALED, SHAPE)
    spans = spans_of(30, 45, 60)
    for split, (begin, end) in spans.items():
        windows = source.windows([spans], split, history_reaches_back=reaches_back)
        _, origins = windows.locations(np.arange(len(windows)))
        first, last = origins + 1, origins + 3
        assert first.min() >= begin and last.max() == end - 1
        oldest = (origins - 3).min()
        assert oldest == (
            0 if split == "train" else begin - 4 if reaches_back else begin
        )
        # The published protocols' counts.
        back = 0 if reaches_back and split != "train" else 4
        assert len(windows) == end - begin - back - 3 + 1


def test_windows_of_several_stations_do_not_mix():
    source = WindowSource(series_of(30, 9, 30), UNSCALED, SHAPE)
    spans = [spans_of(20, 25, 30), spans_of(3, 4, 9), spans_of(20, 25, 30)]
    windows = source.windows(spans, "train", stride=2)
    first = list(range(3, 17, 2))
    # The second station is too short for a window.
    expected = first + [2000 + each for each in first]
    assert sum(numbers_of(windows.batches(4)), []) == expected
    for features, targets, _ in windows.batches(3):
        steps = np.diff(features["history"][:, :, 0], axis=1)
        np.testing.assert_array_equal(steps, 1)
        ahead = targets[:, 0, 0] - features["history"][:, -1, 0]
        np.testing.assert_array_equal(ahead, 1)
    stations, origins = windows.locations(np.array([0, len(windows) - 1]))
    assert stations.tolist() == [0, 2] and origins.tolist() == [3, 15]


def test_an_epoch_has_each_window_once_in_its_own_order():
    source = WindowSource(series_of(400), UNSCALED, SHAPE)
    windows = source.windows([spans_of(300, 350, 400)], "train")
    in_order = sum(numbers_of(windows.batches(16)), [])
    first = numbers_of(windows.shuffled(16, seed=5, epoch=0))
    assert first == numbers_of(windows.shuffled(16, seed=5, epoch=0))
    others = [
        sum(numbers_of(windows.shuffled(16, seed=seed, epoch=epoch)), [])
        for seed, epoch in ((5, 1), (6, 0))
    ]
    for order in [sum(first, []), *others]:
        assert sorted(order) == in_order and order != in_order
    assert len({tuple(order) for order in [sum(first, []), *others]}) == 3
    # A run that is taken up again skips what it has seen.
    batches = windows.shuffled(16, seed=5, epoch=0)
    assert int(batches.cardinality()) == len(first)
    assert batches.options().autotune.enabled is False
    assert numbers_of(batches.skip(7)) == first[7:]


def test_missing_values_are_masked():
    series = series_of(30)
    series.stations[0].values[5] = np.nan
    series.stations[0].values[6, 1] = np.inf
    scaling = Scaling(np.full(3, 2, np.float32), np.full(3, 4, np.float32))
    source = WindowSource(series, scaling, SHAPE)
    windows = source.windows([spans_of(20, 25, 30)], "train")
    for features, targets, weights in windows.batches(5):
        history, observed = features["history"].numpy(), features["observed"].numpy()
        assert np.isfinite(history).all() and np.isfinite(targets).all()
        assert set(np.unique(observed)) <= {0.0, 1.0}
        filled = pd.DataFrame(history[0]).where(observed[0] > 0).ffill().fillna(0)
        np.testing.assert_array_equal(history[0], filled)
        np.testing.assert_array_equal(targets.numpy()[weights.numpy() == 0], 0)
    features, targets, weights = next(iter(windows.batches(3)))
    # Of the window that begins at step 2, step 5 is the last of its history.
    np.testing.assert_array_equal(features["observed"][2, :, 0], [1, 1, 1, 0])
    np.testing.assert_array_equal(weights[0, :, 0], [1, 0, 1])
    np.testing.assert_allclose(targets[0, 0, 0], (4 - 2) / 4)


def test_windows_without_a_target_are_left_out_and_counted():
    series = series_of(60)
    series.stations[0].values[20:25, [0, 2]] = np.nan
    windows = WindowSource(series, UNSCALED, SHAPE).windows(
        [spans_of(40, 50, 60)], "train"
    )
    assert windows.left_out == 3
    _, origins = windows.locations(np.arange(len(windows)))
    assert sorted(set(range(3, 37)) - set(origins)) == [19, 20, 21]
    assert sum(numbers_of(windows.batches(7)), []) == origins.tolist()


def test_known_future_columns():
    shape = WindowShape(4, 3, 1, (0,), known_future=(1,), calendar=False)
    series = series_of(30)
    series.stations[0].values[5, 1] = np.nan
    windows = WindowSource(series, UNSCALED, shape).windows(
        [spans_of(20, 25, 30)], "train"
    )
    features, _, _ = next(iter(windows.batches(1)))
    np.testing.assert_allclose(
        features["known_future"][0], [[4.1, 1], [0, 0], [6.1, 1]], rtol=1e-6
    )
    assert features["known_history"].shape == (1, 4, 2)


def test_without_known_inputs_there_are_none():
    shape = WindowShape(4, 3, 1, (0,), calendar=False)
    windows = WindowSource(series_of(30), UNSCALED, shape).windows(
        [spans_of(20, 25, 30)], "train"
    )
    features, _, _ = next(iter(windows.batches(1)))
    assert set(features) == {"history", "observed"}


def test_nothing_after_the_origin_changes_an_input():
    """Any other future gives the same inputs, up to the origin and with it."""
    generator = np.random.default_rng(0)
    series = series_of(200)
    values = series.stations[0].values
    values[generator.random(values.shape) < 0.1] = np.nan
    origin = 120
    shape = WindowShape(24, 12, 1, (0, 1, 2), known_future=())
    for future in ("shuffled", "shifted", "missing", "huge"):
        changed = values.copy()
        tail = changed[origin + 1 :]
        tail[:] = {
            "shuffled": generator.permutation(tail),
            "shifted": np.roll(tail, 7, axis=0),
            "missing": np.full_like(tail, np.nan),
            "huge": np.full_like(tail, 3e38),
        }[future]
        inputs = []
        for each in (values, changed):
            station = StationSeries("a", START, HOUR, each)
            own = TimeSeries("a", series.variables, (station,), (), (), 200)
            data = WeatherData(own, (spans_of(origin + 1, 160, 200),), shape)
            source = WindowSource(own, data.fit_scaling(), shape)
            place = tf.constant([0], tf.int64), tf.constant([origin], tf.int64)
            inputs.append(source.gather(*place)[0])
        for name in inputs[0]:
            np.testing.assert_array_equal(inputs[0][name], inputs[1][name], name)


def test_nothing_after_the_origin_in_the_file_changes_an_input(tmp_path):
    """Through reading, repair, resampling, scaling and windows."""
    generator = np.random.default_rng(0)
    times = pd.date_range("2020-01-01 00:10", periods=6 * 24 * 20, freq="10min")
    values = generator.normal(0, 5, (len(times), 2))
    values[generator.random(values.shape) < 0.1] = -9999
    origin = pd.Timestamp("2020-01-16 07:00")
    changed = values.copy()
    changed[times > origin] = generator.permutation(changed[times > origin]) + 3
    config = WeatherDataConfig(step="1h", history=24, horizon=12)
    inputs = []
    for number, each in enumerate((values, changed)):
        path = tmp_path / f"{number}.csv"
        frame = pd.DataFrame({"time": times, "T (degC)": each[:, 0], "wd": each[:, 1]})
        frame.to_csv(path, index=False)
        data = load_weather_data(config.model_copy(update={"spec": str(path)}))
        data_module = WindowDataModule(data, data.fit_scaling(), config, 8, seed=0)
        windows = data_module.evaluation("validation")
        starts = windows.origin_times(np.arange(len(windows)))
        (which,) = np.flatnonzero(starts == np.datetime64(origin, "s"))
        place = [
            tf.constant(each[which : which + 1])
            for each in windows.locations(np.arange(len(windows)))
        ]
        inputs.append(data_module.source.gather(*place))
    for name in inputs[0][0]:
        np.testing.assert_array_equal(inputs[0][0][name], inputs[1][0][name], name)
    # The targets did change, or this would show nothing.
    assert (inputs[0][1].numpy() != inputs[1][1].numpy()).any()


def test_the_scaling_is_of_the_training_part_alone():
    series = series_of(100, 50)
    spans = (spans_of(60, 80, 100), spans_of(30, 40, 50))
    data = WeatherData(series, spans, SHAPE)
    scaling = data.fit_scaling()
    series.stations[0].values[60:] = 1e6
    series.stations[1].values[30:] = np.nan
    again = data.fit_scaling()
    np.testing.assert_array_equal(scaling.mean, again.mean)
    np.testing.assert_array_equal(scaling.scale, again.scale)
    series.stations[1].values[29] = 1e6
    assert (data.fit_scaling().mean != scaling.mean).all()


def test_times_and_raw_targets():
    scaling = Scaling(np.full(3, 7, np.float32), np.full(3, 3, np.float32))
    source = WindowSource(series_of(30, 30), scaling, SHAPE)
    windows = source.windows([spans_of(20, 25, 30)] * 2, "test")
    numbers = np.arange(len(windows))
    assert windows.origin_times(numbers)[0] == START + 24 * HOUR
    assert windows.target_times(numbers).shape == (len(windows), 3)
    assert windows.target_times(numbers)[-1, -1] == START + 29 * HOUR
    raw = windows.raw_targets(numbers)
    np.testing.assert_allclose(raw[-1, -1], [1029, 1029.2])
    (batch,) = windows.batches(100)
    restored = scaling.of(SHAPE.targets).restore(batch[1].numpy())
    np.testing.assert_allclose(restored, raw, rtol=1e-5)
    inputs = windows.raw_inputs(numbers)
    np.testing.assert_allclose(inputs["history"][0, :, 1], [21.1, 22.1, 23.1, 24.1])
    assert inputs["start"][0] == "2020-01-02T00:00:00"
    assert inputs["known_future"].shape == (len(windows), 3, 0)


def test_stamps_of_rows_taken_as_steps_make_the_calendar():
    stamps = START + np.array([0, 1, 2, 3, 4, 9, 10, 11, 12, 13]) * HOUR
    values = np.arange(30, dtype=np.float32).reshape(10, 3)
    station = StationSeries("a", START, HOUR, values, stamps)
    series = TimeSeries("a", series_of(3).variables, (station,), (), (), 10)
    windows = WindowSource(series, UNSCALED, SHAPE).windows(
        [spans_of(8, 9, 10)], "train"
    )
    features, _, _ = next(iter(windows.batches(8)))
    hours = np.array([4, 9, 10]) * 2 * np.pi / 24
    np.testing.assert_allclose(
        features["known_future"][0, :, 0], np.sin(hours), atol=1e-6
    )
    assert windows.target_times(np.array([0]))[0].tolist() == stamps[4:7].tolist()


def test_the_calendar():
    noon = int(np.datetime64("2021-06-21T12:00:00", "s").astype(np.int64))
    features = calendar_features(tf.constant([noon, noon + 6 * 3600], tf.int64))
    np.testing.assert_allclose(features[:, :2], [[0, -1], [-1, 0]], atol=1e-5)
    assert features[0, 3] < -0.95
    before_1970 = calendar_features(tf.constant([-86_400 * 365 - 6 * 3600], tf.int64))
    np.testing.assert_allclose(before_1970[0, :2], [-1, 0], atol=1e-5)


def test_gradients_pass_missing_values_by():
    values = tf.constant([[1.0, np.nan]])
    with tf.GradientTape() as tape:
        tape.watch(values)
        standard, _ = standardised(values, tf.zeros(2), tf.ones(2))
        total = tf.reduce_sum(standard)
    assert tape.gradient(total, values).numpy().tolist() == [[1.0, 0.0]]


def test_the_data_of_a_configuration():
    config = WeatherDataConfig(
        targets=["T", "p (mbar)"],
        known_future=["SWDR"],
        step="6h",
        history=8,
        horizon=4,
    )
    data = load_weather_data(config)
    assert data.target_names == ("T", "p")
    assert data.metadata()["known_future"] == ["SWDR"]
    data_module = WindowDataModule(data, data.fit_scaling(), config, 32, seed=1)
    features, targets, _ = next(iter(data_module.training_batches(0)))
    # A direction is two of them.
    assert features["history"].shape == (32, 8, 17)
    assert targets.shape == (32, 4, 2)
    assert features["known_future"].shape == (32, 4, 4 + 2)
    assert int(data_module.validation_batches().cardinality()) > 1
    assert set(data_module.left_out()) == {"train", "validation", "test"}


def test_targets_that_are_not_there_and_parts_too_short():
    with pytest.raises(UserError, match="--target: no variable 'snow'; there are p, T"):
        load_weather_data(WeatherDataConfig(targets=["snow"]))
    config = WeatherDataConfig(step="1D", history=5, horizon=365)
    with pytest.raises(UserError, match=r"validation part has no window .* 5 \+ 365"):
        load_weather_data(config)


@pytest.mark.skipif(not JENA.is_file(), reason="no benchmark data")
@pytest.mark.parametrize("rows_are_steps", [True, False])
def test_the_published_naive_errors(rows_are_steps):
    config = WeatherDataConfig.model_validate(
        {
            "spec": str(JENA),
            "targets": ["T"],
            "rows_are_steps": rows_are_steps,
            "horizon": 1,
            "first_lead": 24,
            "split": {"train": 0.5, "validation": 0.25, "test": 0.25, "rest": "test"},
        }
    )
    data = load_weather_data(config)
    scaling = data.fit_scaling()
    data_module = WindowDataModule(data, scaling, config, 2048, seed=0)
    for split, published in (("validation", 2.44), ("test", 2.62)):
        total = count = 0.0
        for features, targets, weights in data_module.evaluation(split).batches(2048):
            both = weights[:, 0, 0] * features["observed"][:, -1, 0]
            error = tf.abs(targets[:, 0, 0] - features["history"][:, -1, 0])
            total += float(tf.reduce_sum(error * both)) * scaling.scale[0]
            count += float(tf.reduce_sum(both))
        assert round(total / count, 2) == published


@pytest.mark.skipif(not LONG_HORIZON.is_file(), reason="no benchmark data")
def test_the_published_windows_of_the_long_horizon_benchmark():
    config = WeatherDataConfig(
        spec=str(LONG_HORIZON),
        rows_are_steps=True,
        keep_sentinels=True,
        history=336,
        horizon=96,
        kinds={"wd": "number"},
    )
    data = load_weather_data(config)
    assert len(data.shape.targets) == 21
    data_module = WindowDataModule(data, data.fit_scaling(), config, 64, seed=0)
    counts = [len(data_module.evaluation(split)) for split in data.spans[0]]
    assert counts == [36_887 - 336 - 96 + 1, 5_270 - 96 + 1, 10_539 - 96 + 1]
    wind = data.target_names.index("wv")
    # -9999 is a value there, and everything is observed.
    assert data.series.stations[0].values[:, wind].min() == -9999
    features, targets, weights = next(iter(data_module.validation_batches()))
    assert features["history"].shape == (64, 336, 21)
    assert targets.shape == (64, 96, 21)
    assert float(tf.reduce_min(weights)) == 1
