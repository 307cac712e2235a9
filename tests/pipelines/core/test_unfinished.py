"""A run that was stopped is of use, and a run takes more epochs."""

import logging
import shlex

import pandas
import pytest

from recurra.apps.main import run
from recurra.pipelines import UserError, evaluate, export, open_run, train
from recurra.pipelines.core.configuration import read_yaml
from recurra.pipelines.core.errors import Interrupted

STEP = "training.batch_size=16"


@pytest.fixture
def stopped(toy, tmp_path, stop_at):
    """A run of 6 epochs that was stopped in its third; its folder has a space."""
    with pytest.raises(Interrupted):
        train(
            "toy",
            run=tmp_path / "my run" / "a",
            settings=["training.epochs=6", STEP],
            progress=stop_at(2, 2),
        )
    return open_run(tmp_path / "my run" / "a")


def contents(run):
    return {
        path: path.read_bytes()
        for path in run.path.rglob("*")
        if path.is_file() and "baselines" not in path.parts
    }


def test_its_best_epoch_is_evaluated_and_exported_and_says_so(toy, stopped, tmp_path):
    before = contents(stopped)
    mark = {"a": {"epoch": 2, "epochs": 6}}
    form = evaluate(stopped, unfinished=True).as_json("toy")
    assert form["unfinished"] == mark
    assert set(form["baselines"]) == {"zero", "one"}
    model = stopped.export(tmp_path / "models", unfinished=True)
    assert model.folder == tmp_path / "models" / "a" / "1"
    assert model.card.metrics["unfinished"] == mark
    assert model.card.metrics["model"] == pytest.approx(form["model"])
    # The baselines need no model: they are fitted once, for all that comes.
    assert toy.CALLS["zero"] == 1
    assert contents(stopped) == before
    assert not stopped.is_finished


def test_gone_on_with_it_comes_to_the_result_of_an_unbroken_run(toy, stopped, tmp_path):
    evaluate(stopped, unfinished=True)
    train("toy", run=stopped.path, resume=True, progress=False)
    unbroken = train(
        "toy",
        run=tmp_path / "unbroken",
        settings=["training.epochs=6", STEP],
        progress=False,
    )
    assert stopped.metrics["model"] == pytest.approx(unbroken.metrics["model"])
    assert "unfinished" not in stopped.metrics
    assert "unfinished" not in evaluate(stopped, unfinished=True).as_json("toy")


@pytest.mark.parametrize("use", [evaluate, lambda run: export([run])])
def test_without_the_flag_the_error_names_both_ways(stopped, use):
    with pytest.raises(UserError, match="--unfinished") as refused:
        use(stopped)
    hint = str(refused.value).partition("go on with: ")[2]
    assert shlex.split(hint) == [
        *("recurra", "train", "toy", "--run", str(stopped.path), "--resume")
    ]


def test_a_run_without_an_epoch_is_refused(toy, tmp_path, stop_at):
    with pytest.raises(Interrupted):
        train("toy", run=tmp_path / "a", settings=[STEP], progress=stop_at(0, 2))
    with pytest.raises(UserError, match="no epoch is finished yet.*--resume"):
        evaluate(tmp_path / "a", unfinished=True)


def test_the_command_line_takes_it_too(toy, stopped, tmp_path, capsys):
    texts = tmp_path / "texts.txt"
    texts.write_text("0.5\n-1\n")

    def recurra(*arguments):
        capsys.readouterr()
        return run([str(each) for each in arguments]), *capsys.readouterr()

    status, _, messages = recurra("predict", stopped.path, "--file", texts)
    assert status == 2
    for way in (f"recurra export '{stopped.path}'", "--unfinished"):
        assert way in messages
    use = (stopped.path, "--unfinished")
    status, printed, messages = recurra("predict", *use, "--file", texts)
    assert status == 0, messages
    assert len(printed.splitlines()) == 2
    assert "best epoch so far is 2 of 6" in messages
    status, printed, _ = recurra("evaluate", *use)
    assert status == 0
    assert "best epoch so far is 2 of 6" in " ".join(printed.split())
    status, printed, _ = recurra("export", *use, "--to", tmp_path / "models")
    assert (status, printed) == (0, f"{tmp_path / 'models' / 'a' / '1'}\n")
    version = printed.strip()
    status, _, messages = recurra("predict", version, "1", "--time-column", "t")
    assert status == 2


def test_a_run_is_not_evaluated_on_data_that_changed(toy, tmp_path, monkeypatch):
    settings = ["training.epochs=1"]
    run = train("toy", run=tmp_path / "run", settings=settings, progress=False)
    monkeypatch.setattr(toy.ToyData, "metadata", lambda data: {"rows": 1})
    with pytest.raises(UserError, match="the data have changed.*--data"):
        evaluate(run)


# More epochs


def test_a_run_keeps_the_length_that_a_rule_gave_it(toy, tmp_path, caplog, stop_at):
    settings = ["training.steps=12", "training.batch_size=16"]
    path = tmp_path / "run"
    with pytest.raises(Interrupted), caplog.at_level(logging.INFO, "recurra"):
        train("toy", run=path, settings=settings, progress=stop_at(1, 1))
    assert "training.epochs=2, training.patience=3" in caplog.text
    kept = read_yaml(path / "config.yaml")["training"]
    assert (kept["epochs"], kept["patience"]) == (2, 3)
    run = train("toy", run=path, resume=True, progress=False)
    assert len(pandas.read_csv(run.history_file)) == 2
    # What is left open again is as it was.
    train("toy", run=path, settings=["training.epochs=null"], resume=True)
    assert read_yaml(path / "config.yaml")["training"] == kept


def test_a_run_that_ended_takes_more_epochs(toy, tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    train("toy", run=run, settings=["training.epochs=2"], progress=False)
    more = ["training.epochs=4"]
    gone_on = train("toy", run=run, settings=more, resume=True, progress=False)
    at_once = train("toy", run=other, settings=more, progress=False)
    assert read_yaml(gone_on.config_file) == read_yaml(at_once.config_file)
    assert gone_on.metrics["model"] == pytest.approx(at_once.metrics["model"])
    assert list(pandas.read_csv(gone_on.history_file)["epoch"]) == [1, 2, 3, 4]
    assert toy.CALLS["preprocessing"] == 2
    # And without options it is finished.
    train("toy", run=run, resume=True, progress=False)


def test_a_stopped_run_takes_more_epochs(stopped):
    more = ["training.epochs=7"]
    run = train("toy", run=stopped.path, settings=more, resume=True, progress=False)
    assert len(pandas.read_csv(run.history_file)) == 7


def test_the_course_of_the_learning_rate_is_said(toy, tmp_path, caplog):
    settings = ["training.lr_schedule=cosine"]
    path = tmp_path / "run"
    train("toy", run=path, settings=[*settings, "training.epochs=2"], progress=False)
    with caplog.at_level(logging.INFO, "recurra"):
        train(
            "toy",
            run=path,
            settings=["training.epochs=3"],
            resume=True,
            progress=False,
        )
    assert "along the cosine course of 3 epochs" in caplog.text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["training.epochs=1"], "training.epochs=2.*takes more, not 1"),
        (["training.patience=9"], "has trained 2 epochs.*more training.epochs"),
        (["training.epochs=9", "seed=4"], "begun with another seed"),
        (["training.learning_rate=9"], "begun with another training.learning_rate"),
    ],
)
def test_what_it_does_not_take_is_refused_and_changes_nothing(
    toy, tmp_path, settings, message
):
    run = train(
        "toy", run=tmp_path / "run", settings=["training.epochs=2"], progress=False
    )
    before = contents(run)
    with pytest.raises(UserError, match=message):
        train("toy", run=run.path, settings=settings, resume=True, progress=False)
    assert contents(run) == before


def test_a_run_that_lost_patience_takes_more_of_it(toy, tmp_path):
    settings = ["training.epochs=20", "training.patience=1", "training.learning_rate=9"]
    run = train("toy", run=tmp_path / "run", settings=settings, progress=False)
    ended = len(pandas.read_csv(run.history_file))
    assert ended < 20
    with pytest.raises(UserError, match="without a better validation.*patience"):
        train(
            "toy",
            run=run.path,
            settings=["training.epochs=30"],
            resume=True,
            progress=False,
        )
    more = ["training.patience=20"]
    train("toy", run=run.path, settings=more, resume=True, progress=False)
    assert len(pandas.read_csv(run.history_file)) > ended
