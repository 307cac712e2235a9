"""A search for a configuration: by trials, pruned, stopped and gone on with."""

import pandas
import pytest

from recurra.apps.main import run as run_command
from recurra.apps.options import parse_time
from recurra.pipelines import train, tune
from recurra.pipelines.core.configuration import make_configuration, read_yaml
from recurra.pipelines.core.errors import Interrupted, UserError
from recurra.pipelines.core.registry import find_definition, task_names
from recurra.pipelines.core.search_space import (
    Choice,
    Range,
    given_space,
    space_of,
    value_at,
)
from recurra.pipelines.core.tuning import Tuning

SMALL = ["training.epochs=3", "training.batch_size=16"]
RATES = ["training.learning_rate={low: 1.0e-4, high: 0.3, log: true}"]


def _tuned(path, **options):
    return tune("toy", run=path, settings=SMALL, space=RATES, **options)


def test_the_best_of_the_trials_is_a_configuration_to_train_with(toy, tmp_path):
    told = []
    tuning = _tuned(tmp_path / "a", trials=6, tried=lambda *trial: told.append(trial))
    trials = pandas.read_csv(tuning.trials_file)
    assert sorted(trials["trial"]) == list(range(6)) == [number for number, *_ in told]
    rates = trials.set_index("trial")["training.learning_rate"]
    assert rates[0] == pytest.approx(1e-3), "the first is what was given"
    done = trials[trials["state"] == "complete"]
    best = done.sort_values("val_loss").iloc[0]
    assert best["trial"] != 0
    values = read_yaml(tuning.best_file)
    assert values["training"]["learning_rate"] == best["training.learning_rate"]
    assert tuning.figure.stat().st_size > 0
    kept = [path.name for path in tuning.path.glob("trial-*")]
    assert kept == [f"trial-{int(best['trial']):04d}"]
    run = train("toy", config=tuning.best_file, run=tmp_path / "run", progress=False)
    history = pandas.read_csv(run.history_file)
    assert history["val_loss"].min() == pytest.approx(best["val_loss"], rel=1e-4)


@pytest.mark.parametrize("task", task_names())
def test_every_task_can_be_searched(task, tmp_path):
    definition = find_definition(task)
    configuration = definition.config_class()
    space = space_of(configuration, definition.search_space)
    made = Tuning.create(tmp_path / "a", task, configuration, space)
    assert Tuning.open(made.path) == made
    assert made.monitor.startswith("val_")


def test_a_search_that_was_stopped_goes_on(toy, tmp_path):
    path = tmp_path / "a"

    def stop(number, *_):
        if number == 1:
            raise Interrupted("stopped")

    with pytest.raises(Interrupted):
        _tuned(path, trials=4, tried=stop)
    assert len(pandas.read_csv(Tuning.open(path).trials_file)) == 2
    with pytest.raises(UserError, match="without options"):
        tune("toy", run=path, resume=True, settings=SMALL)
    tune("toy", run=path, resume=True, trials=4)
    assert len(pandas.read_csv(Tuning.open(path).trials_file)) == 4


def test_a_trial_that_a_kill_broke_off_is_tried_again(toy, tmp_path, monkeypatch):
    path = tmp_path / "a"
    broken = []

    def kill(self, model, data_module):
        if self.run.path.name == "trial-0001" and not broken:
            broken.append(self.run)
            raise KeyboardInterrupt
        return {}

    monkeypatch.setattr(toy.ToyTask, "epoch_metrics", kill)
    with pytest.raises(KeyboardInterrupt):
        _tuned(path, trials=2)
    tune("toy", run=path, resume=True, trials=2)
    trials = pandas.read_csv(Tuning.open(path).trials_file)
    assert sorted(trials["trial"]) == [0, 2]


def test_time_ends_a_search(toy, tmp_path):
    tuning = _tuned(tmp_path / "a", trials=1000, seconds=1e-9)
    assert len(list(tuning.path.glob("trial-*"))) == 0


def test_two_processes_and_the_command(tmp_path, reviews_csv, capsys):
    path = tmp_path / "a"
    settings = ("model.embedding_size=4", "model.units=4", "training.epochs=1")
    command = [
        *("tune", "sentiment", "--data", str(reviews_csv), "--run", str(path)),
        *("--trials", "3", "--workers", "2", "--search", "model.units=[2, 4]"),
        *(part for setting in settings for part in ("--set", setting)),
    ]
    assert run_command(command) == 0
    shown = capsys.readouterr()
    assert f"--config {path / 'best.yaml'}" in shown.err
    assert "trial 2 (of 3): " in shown.err
    assert "model.units" in shown.out
    assert len(pandas.read_csv(path / "trials.csv")) == 3


@pytest.mark.parametrize("name", task_names())
def test_every_task_has_a_space_of_its_configuration(name):
    definition = find_definition(name)
    configuration = definition.config_class()
    space = space_of(configuration, definition.search_space)
    assert "training.learning_rate" in space
    for key, values in space.items():
        value = value_at(configuration, key)
        tried = (
            values.values
            if isinstance(values, Choice)
            else (
                values.low,
                values.high,
            )
        )
        for each in tried:
            section, _, last = key.rpartition(".")
            make_configuration(
                definition.config_class, [("test", {section: {last: each}})]
            )
        assert type(tried[0]) is type(value) or value is None


def test_a_space_of_ones_own():
    values = {"model": {"units": [32, 64], "rate": {"low": 0.1, "high": 1}}}
    assert given_space(values) == {
        "model.units": Choice((32, 64)),
        "model.rate": Range(0.1, 1),
    }
    log = {"low": 0, "high": 1, "log": True}
    for wrong in ({"a": 3}, {"a": {"low": 2, "high": 1}}, {"a": log}):
        with pytest.raises(UserError, match="--search a"):
            given_space(wrong)


def test_times():
    assert [parse_time("--time", each) for each in ("90s", "30m", "1h30m")] == [
        *(90, 1800, 5400)
    ]
    for wrong in ("2", "", "h", "1d"):
        with pytest.raises(UserError, match="--time"):
            parse_time("--time", wrong)


def test_a_key_that_there_is_not_is_refused_before_anything_is_made(toy, tmp_path):
    with pytest.raises(UserError, match="no such key"):
        tune("toy", run=tmp_path / "a", space=["training.lr=[1, 2]"])
    assert not (tmp_path / "a").exists()
