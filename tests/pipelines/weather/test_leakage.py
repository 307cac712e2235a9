"""The whole way from a file to forecasts: nothing after an origin is known there."""

import numpy as np
import pandas as pd
import pytest

from recurra.pipelines.configuration import make_configuration
from recurra.pipelines.files import read_json
from recurra.pipelines.runs import Run
from recurra.pipelines.weather.config import WeatherConfiguration
from recurra.pipelines.weather.data import PreparedWindows, load_weather_data
from recurra.pipelines.weather.evaluation import (
    conformal_shifts,
    model_system,
    window_batches,
)
from recurra.pipelines.weather.forecaster import Forecaster
from recurra.pipelines.weather.model import build_model
from recurra.pipelines.weather.task import WeatherTask

KINDS = ("direct", "encoder_decoder", "segments")
HOURS, TRAINED, CUT = 400, 240, 350
FUTURES = {
    "shuffled": lambda rows: np.random.default_rng(5).permutation(rows),
    "shifted": lambda rows: np.roll(rows, 7, axis=0),
    "missing": lambda rows: np.full_like(rows, np.nan),
    "huge": lambda rows: np.full_like(rows, 3e30),
}


def weather():
    """With missing values, and a plan of the sunshine."""
    rng = np.random.default_rng(0)
    values = rng.normal([10, 990, 3, 200], [8, 5, 1, 90], (HOURS, 4))
    values[rng.random(values.shape) < 0.1] = np.nan
    times = pd.date_range("2021-03-01", periods=HOURS, freq="h")
    columns = ["T (degC)", "p (mbar)", "wv (m/s)", "plan"]
    frame = pd.DataFrame(values, columns=columns)
    frame.insert(0, "time", times)
    return frame


def changed_after(row, future, columns):
    """The same weather up to this row and with it."""
    frame = weather()
    rows = frame.loc[row + 1 :, columns].to_numpy()
    frame.loc[row + 1 :, columns] = FUTURES[future](rows)
    return frame


MEASURED = ["T (degC)", "p (mbar)", "wv (m/s)"]


def configured(path, kind="direct"):
    settings = {
        "data": {
            "spec": str(path),
            "targets": ["T", "wv"],
            "known_future": ["plan"],
            "history": 20,
            "horizon": 6,
            "split": {"train": 0.6, "validation": 0.2, "test": 0.2},
        },
        "model": {"kind": kind, "units": 6, "head_units": 6, "segment": 4},
    }
    return make_configuration(WeatherConfiguration, [("test", settings)])


def system_of(frame, path, kind):
    """The windows of the file, and a model whose every weight matters."""
    # Gaps too, as well after what is changed as before.
    frame.drop(index=[*range(300, 306), *range(370, 373)]).to_csv(path, index=False)
    configuration = configured(path, kind)
    data = load_weather_data(configuration.data)
    scaling = data.learn_scaling()
    prepared = PreparedWindows(data, scaling, configuration.data, 32, seed=0)
    model = build_model(configuration, data.shape, len(data.series.variables))
    rng = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.2, weight.shape))
    forecaster = Forecaster(model, scaling.of(data.shape.targets), None)
    return model_system(forecaster), prepared


def forecasts_of(frame, path, kind):
    """By origin, the point forecasts and the quantiles of the test part."""
    system, prepared = system_of(frame, path, kind)
    answers = {}
    for batch in window_batches(prepared.evaluation("test"), 32):
        point, quantiles = system(batch)
        for origin, *answer in zip(
            batch.origins.origins, point, quantiles, strict=True
        ):
            answers[int(origin)] = answer
    return answers


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def undisturbed(kind, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weather")
    return forecasts_of(weather(), folder / "weather.csv", kind)


@pytest.mark.parametrize("future", FUTURES)
def test_nothing_after_the_origin_changes_a_forecast(
    kind, undisturbed, future, tmp_path
):
    frame = changed_after(CUT, future, MEASURED)
    forecasts = forecasts_of(frame, tmp_path / "weather.csv", kind)
    common = [origin for origin in undisturbed if origin in forecasts]
    early = [origin for origin in common if origin <= CUT]
    assert len(early) > 20
    for origin in early:
        for one, other in zip(undisturbed[origin], forecasts[origin], strict=True):
            # Batches of another size, where windows are left out, round otherwise.
            np.testing.assert_allclose(one, other, rtol=1e-5)
    # The change is one that a forecast that may know of it feels.
    assert all(
        (undisturbed[origin][0] != forecasts[origin][0]).any()
        for origin in common
        if origin > CUT + 1
    )


def test_of_what_is_known_ahead_the_horizon_alone_is_known(kind, undisturbed, tmp_path):
    frame = changed_after(CUT, "shifted", ["plan"])
    forecasts = forecasts_of(frame, tmp_path / "weather.csv", kind)
    for origin in undisturbed:
        is_same = np.allclose(undisturbed[origin][0], forecasts[origin][0], rtol=1e-5)
        assert is_same == (origin + 6 <= CUT), origin


@pytest.mark.parametrize("future", ["shuffled", "missing"])
def test_the_test_part_changes_no_correction_of_the_quantiles(future, tmp_path):
    last = HOURS * 8 // 10 - 1
    shifts = []
    for number, frame in enumerate(
        (weather(), changed_after(last, future, [*MEASURED, "plan"]))
    ):
        system, prepared = system_of(frame, tmp_path / f"{number}.csv", "direct")
        windows = prepared.evaluation("validation")
        shifts.append(
            conformal_shifts(system, windows, 32, [0.1, 0.25, 0.5, 0.75, 0.9])
        )
    assert np.abs(shifts[0]).max() > 0
    np.testing.assert_array_equal(*shifts)


@pytest.mark.parametrize("future", ["shifted", "huge"])
def test_all_that_is_learned_is_of_the_training_part_alone(future, tmp_path):
    """Scaling, and the errors that MASE is a multiple of."""
    learned = []
    for number, row in enumerate((HOURS, TRAINED - 1, TRAINED - 40)):
        path = tmp_path / f"{number}.csv"
        changed_after(row, future, [*MEASURED, "plan"]).to_csv(path, index=False)
        configuration = configured(path)
        run = Run.create(tmp_path / f"run-{number}", "weather", configuration, [])
        task = WeatherTask(configuration, run)
        task.learn(task.load(configuration))
        learned.append(
            [read_json(run.assets / f"{name}.json") for name in ("scaling", "series")]
        )
    assert learned[0] == learned[1]
    # A change within the training part is one that is felt.
    assert learned[0][0] != learned[2][0] and learned[0][1] != learned[2][1]
