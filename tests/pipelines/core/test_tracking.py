"""Trackers are told of a run, as their own readers see it, and end none by failing."""

import json
import logging
import sys
import types

import pytest

from recurra.pipelines import UserError, train
from recurra.pipelines.core.tracking import tracking

SETTINGS = ["training.epochs=2", "training.batch_size=32"]
STEPS = 4  # 2 epochs of 64 rows


def trained(path, *names):
    settings = [*SETTINGS, f"training.trackers=[{','.join(names)}]"]
    return train("toy", run=path, settings=settings, progress=False)


class Spy:
    """A tracker that writes down what it is told; `fails` names what it cannot do."""

    fails = ()

    def __init__(self, run, known):
        self.identity = known or "spied"
        self.told = run.path / "told.jsonl"
        self._note("opened", known)

    def _note(self, what, value):
        if what in self.fails:
            raise ConnectionError(f"cannot be reached: {what}\nat line 3")
        with self.told.open("a") as file:
            print(json.dumps([what, value]), file=file)

    def configuration(self, values):
        self._note("configuration", values)

    def metrics(self, rows):
        self._note("metrics", rows)

    def results(self, values):
        self._note("results", values)

    def model(self, folder, card):
        self._note("model", [str(folder), card.name])

    def close(self, status):
        self._note("closed", status)


@pytest.fixture
def spy(monkeypatch):
    """Is what the name wandb stands for."""
    module = types.SimpleNamespace(TRACKER=type("Told", (Spy,), {}))
    place = f"{tracking.__package__}.wandb_tracker"
    monkeypatch.setitem(sys.modules, place, module)
    return module.TRACKER


def told(run):
    return [json.loads(line) for line in (run.path / "told.jsonl").open()]


def test_what_a_tracker_is_told(toy, spy, tmp_path):
    run = trained(tmp_path / "run", "wandb")
    notes = told(run)
    assert [what for what, _ in notes] == [
        *("opened", "configuration", "metrics", "metrics", "results", "closed")
    ]
    values = dict(notes)
    assert values["configuration"]["training.epochs"] == 2
    steps = [row for what, rows in notes if what == "metrics" for row in rows]
    assert [step for step, row in steps if "step/loss" in row] == [1, 2, 3, 4]
    assert [step for step, row in steps if "epoch/val_loss" in row] == [2, 4]
    results = {f"test/{key}": v for key, v in run.metrics["model"].items()}
    for name, row in run.metrics["baselines"].items():
        results |= {f"test/{name}/{key}": value for key, value in row.items()}
    assert values["results"] == results
    assert values["closed"] == "finished"


def test_an_export_and_a_resumed_run_are_told_to_the_same_one(toy, spy, tmp_path):
    run = trained(tmp_path / "run", "wandb")
    model = run.export(tmp_path / "models")
    more = ["training.epochs=3"]
    train("toy", run=run.path, resume=True, settings=more, progress=False)
    opened = [value for what, value in told(run) if what == "opened"]
    assert opened == [None, "spied", "spied"]
    assert ["model", [str(model.folder), "run"]] in told(run)


@pytest.mark.parametrize("fails", ["opened", "metrics"])
def test_a_tracker_that_fails_ends_no_run(fails, toy, spy, tmp_path, caplog):
    spy.fails = (fails,)
    with caplog.at_level(logging.WARNING, "recurra"):
        run = trained(tmp_path / "run", "wandb", "tensorboard")
    assert run.is_finished and not run.failed
    assert [each.message for each in caplog.records if each.name == "recurra"] == [
        f"tracker wandb failed and is told nothing more (cannot be reached: {fails})"
    ]
    # The others hear on.
    assert "test/mae" in scalars_of(run)


def test_a_tracker_hears_of_a_stop(toy, spy, tmp_path, stop_at):
    from recurra.pipelines.core.errors import Interrupted

    settings = [*SETTINGS, "training.trackers=[wandb]"]
    with pytest.raises(Interrupted):
        train("toy", run=tmp_path / "run", settings=settings, progress=stop_at(1, 1))
    run = types.SimpleNamespace(path=tmp_path / "run")
    assert told(run)[-1] == ["closed", "stopped"]


def test_a_missing_tracker_is_refused_before_anything_is_made(
    toy, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.delitem(
        sys.modules, f"{tracking.__package__}.mlflow_tracker", raising=False
    )
    with pytest.raises(UserError, match=r"pip install 'recurra\[mlflow\]'"):
        trained(tmp_path / "run", "tensorboard", "mlflow")
    assert not (tmp_path / "run").exists()


def test_without_trackers_none_is_imported(toy, tmp_path):
    for name in ("mlflow", "wandb", "tensorboard"):
        sys.modules.pop(f"{tracking.__package__}.{name}_tracker", None)
    trained(tmp_path / "run")
    ours = (name for name in sys.modules if name.startswith(tracking.__package__))
    assert not [name for name in ours if name.endswith("_tracker")]


def events_of(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(run.path / "tensorboard"))
    accumulator.Reload()
    return accumulator


def scalars_of(run):
    import tensorflow as tf

    events = events_of(run)
    return {
        name: [
            (event.step, float(tf.make_ndarray(event.tensor_proto)))
            for event in events.Tensors(name)
        ]
        for name in events.Tags()["tensors"]
        if events.SummaryMetadata(name).plugin_data.plugin_name == "scalars"
    }


def test_tensorboards_own_reader(toy, tmp_path):
    run = trained(tmp_path / "run", "tensorboard")
    scalars = scalars_of(run)
    assert [step for step, _ in scalars["step/loss"]] == [1, 2, 3, 4]
    assert [step for step, _ in scalars["epoch/val_loss"]] == [2, 4]
    assert scalars["test/mae"] == [(0, pytest.approx(run.metrics["model"]["mae"]))]
    run.export(tmp_path / "models")
    tags = set(events_of(run).Tags()["tensors"])
    assert {"configuration", "report"} <= tags
    figures = {figure.stem for figure in run.figures}
    assert figures and figures | {"model/run/1"} <= tags


@pytest.fixture
def store(tmp_path, monkeypatch):
    """MLflow with a store of its own, in SQLite."""
    mlflow = pytest.importorskip("mlflow", reason="make test-trackers has it")
    pytest.importorskip("alembic", reason="make test-trackers has it")
    monkeypatch.chdir(tmp_path)
    address = f"sqlite:///{tmp_path}/mlflow.db"
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(address)
    yield mlflow
    mlflow.set_tracking_uri(before)


def test_mlflow_keeps_the_run_and_serves_the_model(toy, store, tmp_path):
    import pandas as pd

    run = trained(tmp_path / "run", "mlflow")
    model = run.export(tmp_path / "models")
    client = store.MlflowClient()
    (kept,) = client.search_runs([client.get_experiment_by_name("toy").experiment_id])
    assert kept.info.run_name == "run" and kept.info.status == "FINISHED"
    assert kept.data.params["training.epochs"] == "2"
    assert kept.data.metrics["test/mae"] == pytest.approx(run.metrics["model"]["mae"])
    losses = client.get_metric_history(kept.info.run_id, "step/loss")
    assert sorted(each.step for each in losses) == [1, 2, 3, 4]
    artifacts = {file.path for file in client.list_artifacts(kept.info.run_id)}
    assert {"config.yaml", "report.html", "figures"} <= artifacts

    served = store.pyfunc.load_model("models:/run/1")
    assert served.metadata.signature.inputs.input_names() == ["text"]
    assert served.metadata.signature.outputs.input_names() == ["value"]
    texts = ["0.5", "-1"]
    answers = served.predict(pd.DataFrame({"text": texts}))
    expected = [answer["value"] for answer in model.predict(texts)]
    assert answers["value"].tolist() == pytest.approx(expected)
    with pytest.raises(Exception, match="missing inputs"):
        served.predict(pd.DataFrame({"words": texts}))


def test_wandb_offline(toy, tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="make test-trackers has it")
    monkeypatch.setenv("WANDB_MODE", "offline")
    run = trained(tmp_path / "run", "wandb")
    run.export(tmp_path / "models")
    assert list((run.path / "wandb").glob("offline-run-*/run-*.wandb"))
    assert json.loads((run.path / "trackers.json").read_text())["wandb"]
