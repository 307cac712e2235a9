import getpass
import json
import os
import platform
import socket

import pytest
import yaml

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.core.files import write_json
from recurra.pipelines.core.runs import Run, next_free
from recurra.pipelines.core.task_config import TrainingConfig

CONFIGURATION = TrainingConfig(epochs=2)
COMMAND = ["recurra", "train", "sentiment", "--run", "a"]


def _create(path):
    return Run.create(path, "sentiment", CONFIGURATION, COMMAND)


def test_a_new_run_says_what_it_is_and_what_it_was_made_with(tmp_path):
    run = _create(tmp_path / "runs" / "a")
    assert run.path == tmp_path / "runs" / "a"
    assert (run.task, run.name, run.is_finished) == ("sentiment", "a", False)
    written = yaml.safe_load(run.config_file.read_text(encoding="utf-8"))
    assert written == CONFIGURATION.model_dump()
    assert all(
        folder.is_dir()
        for folder in (run.assets, run.checkpoints, run.baselines_file.parent)
    )
    assert Run.open(run.path).task == "sentiment"


def test_a_run_is_finished_when_its_metrics_are_there(tmp_path):
    run = _create(tmp_path / "a")
    write_json(run.metrics_file, {"model": {"accuracy": 0.5}})
    assert run.is_finished
    assert run.metrics == {"model": {"accuracy": 0.5}}


def test_environment_says_versions_and_command_and_no_name_of_machine_or_user(
    tmp_path,
):
    run = _create(tmp_path / "a")
    text = (run.path / "environment.json").read_text(encoding="utf-8")
    environment = json.loads(text)
    assert environment["command"] == COMMAND
    assert environment["python"] == platform.python_version()
    assert {"recurra", "tensorflow", "keras", "numpy"} <= set(environment["packages"])
    assert 1 <= environment["processors"] <= (os.cpu_count() or 1)
    words = {word.strip('",') for word in text.split()}
    assert socket.gethostname() not in words
    assert getpass.getuser() not in words


def test_an_existing_run_is_refused_and_left_as_it_is(tmp_path):
    run = _create(tmp_path / "a")
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    with pytest.raises(UserError) as refused:
        Run.create(run.path, "sentiment", TrainingConfig(epochs=9), [])
    assert str(refused.value).startswith(f"{run.path}: exists already")
    assert "--run" in str(refused.value)
    assert "--resume" in str(refused.value)
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before


def test_a_folder_with_anything_in_it_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work", encoding="utf-8")
    with pytest.raises(UserError, match="--run"):
        _create(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_at_the_path_is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / "a"
    path.write_text("a file", encoding="utf-8")
    with pytest.raises(UserError, match="exists already"):
        _create(path)
    assert path.read_text(encoding="utf-8") == "a file"


def test_an_empty_folder_becomes_a_run(tmp_path):
    path = tmp_path / "a"
    path.mkdir()
    assert _create(path).task == "sentiment"


@pytest.mark.parametrize("made", [True, False])
def test_what_is_no_run_cannot_be_opened(tmp_path, made):
    path = tmp_path / "a"
    if made:
        path.mkdir()
        (path / "config.yaml").write_text("seed: 0\n", encoding="utf-8")
    with pytest.raises(UserError) as refused:
        Run.open(path)
    assert str(refused.value).startswith(f"{path}: not a run directory")
    assert "recurra train" in str(refused.value)


def test_a_file_is_no_run(tmp_path):
    path = tmp_path / "run.json"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="not a run directory"):
        Run.open(path)


def test_a_parent_that_is_a_file_is_the_users_error(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="the run directory cannot be written"):
        _create(tmp_path / "file" / "a")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_parent_without_permission_is_the_users_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="the run directory cannot be written"):
        _create(tmp_path / "a")


def test_a_name_too_long_for_the_disk_is_the_users_error(tmp_path):
    path = tmp_path / ("a" * 300)
    with pytest.raises(UserError, match="cannot be a run directory: "):
        _create(path)
    with pytest.raises(UserError, match="not a run directory"):
        Run.open(path)


def test_the_name_of_a_run_is_that_of_its_folder_however_it_is_given(
    tmp_path, monkeypatch
):
    run = _create(tmp_path / "a")
    (run.path / "below").mkdir()
    monkeypatch.chdir(run.path / "below")
    assert Run.open(run.path / "below" / "..").name == "a"


def test_the_next_free_name_has_the_smallest_number_at_which_nothing_stands(tmp_path):
    folder = tmp_path / "runs"
    assert next_free(folder, "sentiment") == folder / "sentiment-1"
    for name in ("sentiment-1", "sentiment-3", "weather-2"):
        (folder / name).mkdir(parents=True)
    assert next_free(folder, "sentiment") == folder / "sentiment-2"
    (folder / "sentiment-2").write_text("a file", encoding="utf-8")
    assert next_free(folder, "sentiment") == folder / "sentiment-4"
    assert next_free(folder, "weather") == folder / "weather-1"


def test_what_a_notebook_shows(sentiment_run, sentiment_model, tmp_path):
    from recurra.pipelines import load_model

    shown = sentiment_run._repr_html_()
    accuracy = sentiment_run.metrics["model"]["accuracy"]
    assert f"<td>model</td><td>{accuracy:.4g}</td>" in shown
    assert all(
        f"<td>{name}</td>" in shown for name in sentiment_run.metrics["baselines"]
    )
    begun = _create(tmp_path / "a<b")
    assert "a&lt;b" in begun._repr_html_() and "not finished" in begun._repr_html_()
    shown = load_model(sentiment_model)._repr_html_()
    assert "<td>input</td><td>text</td><td>string</td><td>N</td>" in shown
