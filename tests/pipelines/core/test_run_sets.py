"""Several runs from one command: by seed, and by group of the data."""

import dataclasses
import json
import shutil

import pandas
import pytest

from recurra.apps.main import run as run_command
from recurra.pipelines import train_many
from recurra.pipelines.core.errors import Interrupted, UserError
from recurra.pipelines.core.registry import Groups
from recurra.pipelines.core.run_sets import (
    RunSet,
    failed_of,
    groups_of,
    results_of,
    runs_at,
)

SMALL = ["training.epochs=2", "training.batch_size=16"]


def _many(path, **options):
    return train_many("toy", run=path, settings=SMALL, progress=False, **options)


def test_a_run_for_each_seed(toy, tmp_path):
    run_set = _many(tmp_path / "set", seeds=3)
    assert [run.name for run in run_set.runs.values()] == ["seed-0", "seed-1", "seed-2"]
    seeds = [run_set.configuration_of(name).seed for name in run_set.members]
    assert seeds == [0, 1, 2]
    results = results_of(run_set)
    assert results["mae"].nunique() == 3
    metrics = json.loads(run_set.metrics_file.read_text())
    assert metrics["members"] == results.to_dict("index")
    assert metrics["spread"]["mean"]["mae"] == pytest.approx(results["mae"].mean())
    assert metrics["spread"]["deviation"]["mae"] == pytest.approx(results["mae"].std())
    # It has no ensemble.
    assert "model" not in metrics
    written = pandas.read_csv(run_set.results_file, index_col="seed")
    pandas.testing.assert_frame_equal(written, results, check_names=False)


def test_a_set_that_was_stopped_goes_on(toy, tmp_path, stop_at):
    path = tmp_path / "set"
    with pytest.raises(Interrupted):
        train_many(
            *("toy",),
            seeds=2,
            run=path,
            settings=SMALL,
            progress=lambda name: stop_at(1, 2) if name == "seed-1" else None,
        )
    first = RunSet.open(path).runs["seed-0"].metrics_file.stat().st_mtime_ns
    with pytest.raises(UserError, match="seed-1: is not finished"):
        runs_at(path)
    with pytest.raises(UserError, match="resume it without options"):
        train_many("toy", run=path, resume=True, seeds=3)
    train_many("toy", run=path, resume=True, progress=False)
    assert runs_at(path)[0].metrics_file.stat().st_mtime_ns == first
    whole = _many(tmp_path / "whole", seeds=2)
    assert results_of(RunSet.open(path)).equals(results_of(whole))


@pytest.fixture
def grouped(toy, monkeypatch):
    """The toy with groups, of which one has no data."""

    class Grouped(toy.ToyTask):
        @classmethod
        def load(cls, configuration):
            if configuration.data.spec == "none":
                raise UserError("none: no such file")
            return super().load(configuration)

    definition = dataclasses.replace(
        toy.TASK, groups=Groups("place", "toy_task:places")
    )
    monkeypatch.setattr(toy, "TASK", definition)
    monkeypatch.setattr(toy, "ToyTask", Grouped)
    monkeypatch.setattr(Grouped, "definition", definition)
    places = {"one": {"spec": "sample"}, "no/ne": {"spec": "none"}, "b": {}}
    monkeypatch.setattr(toy, "places", lambda data: places, raising=False)


def test_a_group_that_fails_is_named_and_the_others_finish(grouped, tmp_path, capsys):
    path = tmp_path / "set"
    command = ["train", "toy", "--each-place", "--run", str(path)]
    settings = [part for setting in SMALL for part in ("--set", setting)]
    assert run_command([*command, *settings]) == 1
    shown = capsys.readouterr()
    assert "no-ne failed: none: no such file" in shown.err
    assert "--resume" in shown.err
    run_set = RunSet.open(path)
    assert set(run_set.runs) == {"one", "b"}
    assert failed_of(run_set) == {"no-ne": "none: no such file"}
    assert "one" in shown.out and "no-ne" not in shown.out
    with pytest.raises(UserError, match="are no one model"):
        runs_at(path)
    assert run_command(["train", "toy", "--run", str(path), "--resume"]) == 1
    # What is finished is evaluated and exported by itself.
    runs = [str(path / name) for name in ("one", "b")]
    assert run_command(["evaluate", runs[0]]) == 0
    assert run_command(["evaluate", str(path)]) == 2
    assert run_command([*command, "--seeds", "2"]) == 2


def test_groups_that_come_to_one_name_are_refused():
    assert groups_of({"a b/c": {"spec": "x"}}) == {"a-b-c": {"data": {"spec": "x"}}}
    with pytest.raises(UserError, match="the name a-b"):
        groups_of({"a b": {}, "a/b": {}})


def test_a_task_without_groups_has_no_models_of_each(toy, tmp_path):
    with pytest.raises(UserError, match="no groups"):
        _many(tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_two_processes_train_a_run_each(tmp_path, reviews_csv, capsys):
    """Their results are those of one after the other."""
    path = tmp_path / "set"
    settings = {"model.embedding_size": 8, "model.units": 4, "training.epochs": 1}
    run_set = train_many(
        "sentiment",
        reviews_csv,
        seeds=2,
        run=path,
        workers=2,
        settings=[f"{key}={value}" for key, value in settings.items()],
    )
    results = results_of(run_set)
    assert len(results.dropna()) == 2 and failed_of(run_set) == {}
    assert "seed-1: epoch 1/1: " in capsys.readouterr().out
    splits = {run_set.configuration_of(name).split_seed for name in run_set.members}
    assert splits == {0}
    shutil.rmtree(path / "seed-1")
    train_many("sentiment", run=path, resume=True, progress=False)
    again = results_of(run_set)
    pandas.testing.assert_frame_equal(again, results, atol=1e-5)
