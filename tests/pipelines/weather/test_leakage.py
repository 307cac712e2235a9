"""The whole way from a file to forecasts: nothing after an origin is known there."""

import functools

import numpy as np
import pandas as pd
import pytest

from recurra.pipelines.core.configuration import make_configuration
from recurra.pipelines.core.files import read_json
from recurra.pipelines.core.runs import Run
from recurra.pipelines.weather.baselines import fit_baselines
from recurra.pipelines.weather.combination import Combination
from recurra.pipelines.weather.config import WeatherConfig
from recurra.pipelines.weather.correction import Correction, TargetRanges
from recurra.pipelines.weather.data import WindowDataModule, load_weather_data
from recurra.pipelines.weather.evaluation import (
    ModelForecasts,
    ValidationForecasts,
    window_batches,
)
from recurra.pipelines.weather.forecaster import Forecaster
from recurra.pipelines.weather.members import SimpleMembers
from recurra.pipelines.weather.model import build_model
from recurra.pipelines.weather.task import WeatherTask

HOURS, TRAINED, CUT = 400, 240, 350
FUTURES = {
    "shuffled": lambda rows: np.random.default_rng(5).permutation(rows),
    "shifted": lambda rows: np.roll(rows, 7, axis=0),
    "missing": lambda rows: np.full_like(rows, np.nan),
    "huge": lambda rows: np.full_like(rows, 3e30),
}
MEASURED = ["T (degC)", "p (mbar)", "wv (m/s)"]
# Standard deviations of the targets. Batches of another size, where windows are left
# out, round otherwise: by far less than a thousandth of these.
SCALE = np.array([8.0, 1.0])
ROUNDING = 1e-3


def weather():
    """With missing values, and a plan of the sunshine."""
    rng = np.random.default_rng(0)
    values = rng.normal([10, 990, 3, 200], [8, 5, 1, 90], (HOURS, 4))
    values[rng.random(values.shape) < 0.1] = np.nan
    frame = pd.DataFrame(values, columns=[*MEASURED, "plan"])
    frame.insert(0, "time", pd.date_range("2021-03-01", periods=HOURS, freq="h"))
    return frame


def changed_after(row, future, columns):
    """The same weather up to this row and with it."""
    frame = weather()
    rows = frame.loc[row + 1 :, columns].to_numpy()
    frame.loc[row + 1 :, columns] = FUTURES[future](rows)
    return frame


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
    return make_configuration(WeatherConfig, [("test", settings)])


def data_module_of(frame, path):
    """The windows of the weather, read from a file."""
    # Gaps too, as well after what is changed as before.
    frame.drop(index=[*range(300, 306), *range(370, 373)]).to_csv(path, index=False)
    config = configured(path).data
    data = load_weather_data(config)
    return WindowDataModule(data, data.fit_scaling(), config, 32, seed=0)


class System:
    """A model whose every weight matters."""

    def __init__(self, kind, folder):
        data_module = data_module_of(weather(), folder / "weather.csv")
        data = data_module.data
        model = build_model(
            configured("sample", kind), data.shape, len(data.series.variables)
        )
        rng = np.random.default_rng(1)
        for weight in model.weights:
            weight.assign(rng.normal(0, 0.2, weight.shape))
        scaling = data_module.source.scaling.of(data.shape.targets)
        baselines = fit_baselines(data_module)
        members = SimpleMembers(baselines, data.shape, data_module.source.scaling)
        weights = rng.dirichlet(np.ones(1 + len(members.names)), (6, 2))
        forecaster = Forecaster(
            model,
            scaling,
            Correction(TargetRanges.of(data.series.variables[:2])),
            members,
            Combination(tuple(members.names), weights.astype(np.float32)),
        )
        self.forecast = ModelForecasts(forecaster).combined
        self.undisturbed = self.by_origin(data_module)

    def by_origin(self, data_module):
        """Of the test part the point and the quantiles, `[H, T, 1 + Q]`, in scales."""
        answers = {}
        for batch in window_batches(data_module.evaluation("test"), 32):
            point, quantiles = self.forecast(batch)
            joined = np.concatenate([point[..., None], quantiles], axis=-1)
            scaled = joined / SCALE[:, None]
            answers |= dict(zip(batch.origins.origins.tolist(), scaled, strict=True))
        return answers


@pytest.fixture(scope="module")
def system_of(tmp_path_factory):
    """A function of the kind of model, which makes one of each."""
    return functools.cache(
        lambda kind: System(kind, tmp_path_factory.mktemp("weather"))
    )


@pytest.mark.parametrize(
    ("kind", "future"),
    [
        *(("direct", future) for future in FUTURES),
        *(("encoder_decoder", future) for future in ("shuffled", "huge")),
        *(("segments", future) for future in ("shuffled", "huge")),
    ],
)
def test_nothing_after_the_origin_changes_a_forecast(system_of, kind, future, tmp_path):
    system = system_of(kind)
    frame = changed_after(CUT, future, MEASURED)
    forecasts = system.by_origin(data_module_of(frame, tmp_path / "weather.csv"))
    common = [origin for origin in system.undisturbed if origin in forecasts]
    changes = {
        origin: np.abs(system.undisturbed[origin] - forecasts[origin]).max()
        for origin in common
    }
    early = [changes[origin] for origin in common if origin <= CUT]
    assert len(early) > 20
    assert max(early) < ROUNDING
    # The change is one that a forecast that may know of it feels.
    late = [changes[origin] for origin in common if origin > CUT + 1]
    # Windows without any target that is there are left out.
    assert bool(late) == (future != "missing")
    assert min(late, default=1.0) > ROUNDING


@pytest.mark.parametrize("kind", ["direct", "encoder_decoder", "segments"])
def test_of_what_is_known_ahead_the_horizon_alone_is_known(system_of, kind, tmp_path):
    system = system_of(kind)
    frame = changed_after(CUT, "shifted", ["plan"])
    forecasts = system.by_origin(data_module_of(frame, tmp_path / "weather.csv"))
    for origin, undisturbed in system.undisturbed.items():
        change = np.abs(undisturbed - forecasts[origin]).max()
        assert (change < ROUNDING) == (origin + 6 <= CUT), (origin, change)


@pytest.mark.parametrize("future", ["shuffled", "missing"])
def test_the_test_part_changes_no_correction(system_of, future, tmp_path):
    system = system_of("direct")
    last = HOURS * 8 // 10 - 1
    levels = [0.1, 0.25, 0.5, 0.75, 0.9]
    shifts = []
    for number, frame in enumerate(
        (weather(), changed_after(last, future, [*MEASURED, "plan"]))
    ):
        windows = data_module_of(frame, tmp_path / f"{number}.csv").evaluation(
            "validation"
        )
        made = ValidationForecasts.make(system.forecast, windows, 32, len(levels))
        ranges = TargetRanges.of(windows.source.series.variables[:2])
        shifts.append(made.shifts(Correction(ranges, levels)) / SCALE[:, None])
    assert np.abs(shifts[0]).max() > 0.1
    np.testing.assert_allclose(*shifts, atol=ROUNDING)


@pytest.mark.parametrize("future", ["shifted", "huge"])
def test_all_that_is_fitted_is_of_the_training_part_alone(future, tmp_path):
    """Scaling, and the errors that MASE is a multiple of."""
    fitted = []
    for number, row in enumerate((HOURS, TRAINED - 1, TRAINED - 40)):
        path = tmp_path / f"{number}.csv"
        changed_after(row, future, [*MEASURED, "plan"]).to_csv(path, index=False)
        configuration = configured(path)
        run = Run.create(tmp_path / f"run-{number}", "weather", configuration, [])
        task = WeatherTask(configuration, run)
        task.fit_preprocessing(task.load(configuration))
        fitted.append(
            [read_json(run.assets / f"{name}.json") for name in ("scaling", "series")]
        )
    for one, other in zip(fitted[0], fitted[1], strict=True):
        numbers = ("mean", "scale", "naive_errors")
        assert {**one, **dict.fromkeys(numbers)} == {**other, **dict.fromkeys(numbers)}
        for name in one.keys() & set(numbers):
            # Huge numbers are kept in float64, which rounds otherwise.
            np.testing.assert_allclose(one[name], other[name], rtol=1e-6)
    # A change within the training part is one that is felt.
    assert fitted[0][0] != fitted[2][0] and fitted[0][1] != fitted[2][1]
