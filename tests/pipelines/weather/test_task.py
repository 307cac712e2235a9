"""The task as a whole: from a messy file to metrics, report, export and predictions."""

import shutil

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from recurra.apps.main import run as recurra
from recurra.pipelines.cards import ForecastAnswer, read_card
from recurra.pipelines.core import workflow
from recurra.pipelines.core.configuration import make_configuration
from recurra.pipelines.core.errors import UserError
from recurra.pipelines.core.exporting import export
from recurra.pipelines.core.files import read_json
from recurra.pipelines.core.runs import Run
from recurra.pipelines.weather.config import (
    EvaluationConfig,
    WeatherConfig,
    WeatherDataConfig,
)
from recurra.pipelines.weather.task import WeatherTask

HOURS, LEADS = 700, 6
METRICS = {
    *("mae", "mse", "rmse", "mase", "bias", "crps"),
    *("mae_standardised", "mse_standardised", "coverage_80", "width_80"),
}
SETTINGS = {
    "data": {
        "targets": ["T", "p"],
        "history": 30,
        "horizon": LEADS,
        "station_column": "site",
        "max_bad_fraction": 0.2,
    },
    "model": {"units": 6, "head_units": 6, "recurrent_dropout": 0.1},
    "forecast": {"quantiles": [0.1, 0.5, 0.9]},
    "training": {"epochs": 2, "batch_size": 128, "learning_rate": 0.01},
}


def weather(hours: int = HOURS) -> pd.DataFrame:
    """Two stations with a daily cycle, interleaved, with what real files have."""
    rng = np.random.default_rng(0)
    times = pd.date_range("2021-03-01", periods=hours, freq="h")
    frames = []
    for site in ("north", "süd"):
        cycle = 8 * np.sin(2 * np.pi * times.hour / 24)
        frames.append(
            pd.DataFrame(
                {
                    "time": times,
                    "site": site,
                    "T (degC)": (10 + cycle + rng.normal(size=hours)).round(2),
                    "p (mbar)": 980 + rng.normal(size=hours).cumsum().round(1),
                    "wd (deg)": rng.uniform(0, 360, hours).round(),
                }
            )
        )
    frame = pd.concat(frames).sort_values(["time", "site"], ignore_index=True)
    frame.loc[40:60, "p (mbar)"] = -9999
    return frame.drop(index=range(300, 320)).astype({"time": str})


def configured(path, **data) -> WeatherConfig:
    settings = SETTINGS | {"data": SETTINGS["data"] | {"spec": str(path)} | data}
    return make_configuration(WeatherConfig, [("test", settings)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("weather")


@pytest.fixture(scope="module")
def run(folder):
    weather().to_csv(folder / "stations.csv", index=False)
    return workflow.train(
        WeatherTask, configured(folder / "stations.csv"), folder / "run"
    )


@pytest.fixture(scope="module")
def version(folder, run):
    task = workflow.open_task(run)
    card = {"task": "weather", "training_data": {}, "metrics": {}, "configuration": {}}
    servable = task.servable(workflow.best_model(task))
    return export(servable, folder / "models", "w", card)


def test_the_metrics_of_model_and_baselines(run):
    metrics = run.metrics
    assert list(metrics["baselines"]) == [
        "recurrent",
        "repeat_last",
        "seasonal_naive",
        "climatology",
        "ridge",
    ]
    for row in (metrics["model"], *metrics["baselines"].values()):
        assert set(row) == METRICS
        assert np.isfinite(list(row.values())).all()
    assert set(metrics["by_variable"]) == {"T", "p"}
    assert len(metrics["by_lead"]["mae"]) == LEADS
    combination = metrics["combination"]
    assert combination["members"] == list(metrics["baselines"])
    assert combination["leads"] == [[1, 1], [2, 2], [3, 4], [5, 6]]
    for weights in combination["weights"].values():
        np.testing.assert_allclose(np.sum(weights, axis=1), np.ones(4), rtol=1e-5)
    # Sums of a variable's errors over leads and over hours are the same sums.
    assert metrics["model"]["mae"] == pytest.approx(
        np.mean([row["mae"] for row in metrics["by_variable"].values()]), rel=0.05
    )
    assert set(metrics["validation"]["model"]) == METRICS
    kinds = {repair["kind"] for repair in metrics["repairs"]}
    assert any("sentinel" in kind for kind in kinds)
    assert any("gap" in kind for kind in kinds)


def test_the_mix_is_not_behind_its_members_where_it_was_fitted(run):
    rows = run.metrics["validation"]
    best = min(row["mae_standardised"] for row in rows["baselines"].values())
    assert rows["model"]["mae_standardised"] < 1.02 * best


def test_several_runs_are_one_model(run, folder, change_weights):
    other = Run(shutil.copytree(run.path, folder / "other"))
    change_weights(other)
    example = np.load(run.assets / "example.npz")

    def forecast(*runs):
        task, model = workflow.open_trained(runs)
        graph = task.servable(model).signatures["serving_default"]
        answer = graph(example["history"], example["start"].astype(object))
        return answer["forecast"].numpy(), answer["quantiles"].numpy()

    alone, changed, both = forecast(run), forecast(other), forecast(run, other)
    for one, two, mean in zip(alone, changed, both, strict=True):
        apart = np.abs(one - two).max()
        assert apart > 1e-3
        np.testing.assert_allclose(mean, (one + two) / 2, atol=0.1 * apart)
    metrics = workflow.evaluate([run, other]).as_json("weather")
    assert metrics["model"]["mae"] == pytest.approx(run.metrics["model"]["mae"], 0.1)
    assert metrics["combination"] == run.metrics["combination"]


def test_runs_that_combine_other_members_are_no_one_model(run, tmp_path):
    other = Run(shutil.copytree(run.path, tmp_path / "other"))
    (other.assets / "combination.npz").unlink()
    task, model = workflow.open_trained([run, other])
    with pytest.raises(UserError, match="combines other simple forecasts"):
        task.servable(model)


def test_metrics_are_those_of_the_predictions(run):
    """With so few windows all are kept."""
    table = pd.read_csv(run.predictions_file)
    assert set(table["station"]) == {"north", "süd"}
    error = (table["forecast"] - table["truth"]).dropna()
    metrics = run.metrics
    assert metrics["model"]["mae"] == pytest.approx(error.abs().mean(), rel=1e-4)
    assert metrics["model"]["bias"] == pytest.approx(error.mean(), abs=1e-3)
    assert (table["quantile_0.1"] <= table["quantile_0.9"]).all()
    there = table.dropna(subset="truth")
    below = (there["truth"] <= there["quantile_0.1"]).mean()
    assert metrics["observed_shares"][0] == pytest.approx(below, abs=1e-3)


def test_the_report_and_its_figures_are_there(run):
    assert "Ridge" in run.report.read_text(encoding="utf-8")
    assert (run.path / "figures" / "error_by_lead.png").stat().st_size > 10_000


def test_what_comes_after_the_training_part_does_not_move_the_scaling(run, folder):
    other = weather()
    late = other["time"] > other["time"].iloc[3 * len(other) // 4]
    other.loc[late, ["T (degC)", "p (mbar)"]] *= 3
    other.to_csv(folder / "other.csv", index=False)
    data = WeatherTask.load(configured(folder / "other.csv"))
    own = read_json(run.assets / "scaling.json")
    np.testing.assert_array_equal(own["mean"], data.fit_scaling().mean)
    np.testing.assert_array_equal(own["scale"], data.fit_scaling().scale)


def test_an_export_predicts_from_a_file_that_ends_at_the_origin(
    run, version, folder, monkeypatch, capsys
):
    """What the run predicted of a window, in memory and with the file's rest there, is
    what the export predicts where nothing after the origin exists."""
    monkeypatch.chdir(folder)
    table = pd.read_csv(run.predictions_file, parse_dates=["time"])
    origins = table["time"] - pd.to_timedelta(table["lead_steps"], unit="h")
    origin = origins.iloc[len(table) // 4]
    expected = table[origins == origin].set_index(
        ["station", "time", "lead_steps", "variable"]
    )
    assert len(expected) == 2 * LEADS * 2
    frame = weather()
    recent = frame[frame["time"] <= str(origin)].iloc[-150:]
    recent.to_csv(folder / "recent.csv", index=False)
    assert recurra(["predict", str(version), "--file", "recent.csv"]) == 0
    assert capsys.readouterr().out.split()[:2] == [
        "recent-forecast.csv",
        "recent-forecast.png",
    ]
    found = pd.read_csv("recent-forecast.csv", parse_dates=["time"])
    assert set(found["unit"]) == {"degC", "mbar"}
    found = found.set_index(list(expected.index.names)).loc[expected.index]
    for column in ("forecast", "quantile_0.1", "quantile_0.5", "quantile_0.9"):
        # Of degrees and millibars, the latter near a thousand.
        np.testing.assert_allclose(found[column], expected[column], atol=0.01)
    assert recurra(["predict", str(version), "--file", "recent.csv"]) == 2
    assert "exists already" in capsys.readouterr().err


def test_the_card_says_how_to_ask(version):
    card = read_card(version)
    answer = card.answer
    assert isinstance(answer, ForecastAnswer)
    assert [variable.name for variable in answer.variables] == ["T", "p", "wd"]
    assert answer.variables[2].rule == "circular"
    assert answer.targets == ["T", "p"]
    assert answer.step_seconds == 3600
    assert answer.lead_steps == list(range(1, LEADS + 1))
    assert card.inputs["history"].shape == ["N", 30, 3]
    keys = {*WeatherDataConfig.model_fields, "resample_rules"}
    assert set(answer.reading) <= keys
    served = tf.saved_model.load(str(version)).signatures["serving_default"]
    assert set(served.structured_input_signature[1]) == set(card.inputs)


def test_the_warmup_requests_are_windows_of_the_training_part(version):
    signatures = tf.saved_model.load(str(version)).signatures
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    asked = []
    for record in tf.data.TFRecordDataset(str(path)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        inputs = {
            name: tf.constant(tf.make_ndarray(proto), tf.as_dtype(proto.dtype))
            for name, proto in request.inputs.items()
        }
        answer = signatures[request.model_spec.signature_name](**inputs)
        assert np.isfinite(answer["forecast"]).all()
        assert np.nanstd(inputs["history"], axis=1).min() > 0
        asked.append(request.model_spec.signature_name)
    assert asked == ["serving_default"]


def test_backtest_has_the_metrics_of_each_stretch(run):
    result = workflow.evaluate([run], options=EvaluationConfig(backtest=3))
    metrics = result.as_json("weather")
    stretches = metrics["backtest"]
    assert len(stretches) == 3
    starts = [stretch["first_origin"] for stretch in stretches]
    assert starts == sorted(starts)
    errors = [stretch["model"]["mae"] for stretch in stretches]
    assert min(errors) < metrics["model"]["mae"] < max(errors)
    assert set(stretches[0]["baselines"]) == set(metrics["baselines"])
    (table,) = result.further_tables().values()
    assert [row[:2] for row in table.rows] == [
        [start, f"{error:.4f}"] for start, error in zip(starts, errors, strict=True)
    ]


def test_validation_is_what_the_run_says_without_its_kept_forecasts(run):
    """In training the forecasts that the correction was fitted to are used again."""
    result = workflow.evaluate([run], split="validation")
    for name, metrics in run.metrics["validation"]["baselines"].items():
        assert result.baselines[name] == pytest.approx(metrics)
    model = run.metrics["validation"]["model"]
    assert result.model == pytest.approx(model, rel=1e-3, abs=1e-3)


def test_other_data_are_the_test_as_a_whole(run, folder):
    frame = weather(200)
    frame = frame[frame["site"] == "süd"].rename(columns={"site": "place"})
    frame.to_csv(folder / "new.csv", index=False)
    spec = str(folder / "new.csv")
    result = workflow.evaluate([run], spec, station_column="place")
    assert result.split == "test"
    assert set(result.predictions()["station"]) == {"süd"}
    # Every window that fits into the file, not a last part of them.
    details = result.details()
    assert details["windows"] + details["left_out"]["test"] == 200 - 30 - LEADS + 1
