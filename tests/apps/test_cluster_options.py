"""--cluster without Ray, and beside what it does not go with."""

import json
import sys

import pytest

from recurra.apps.main import _extra_with
from recurra.pipelines import load_model, train
from recurra.pipelines.core.errors import UserError
from recurra.pipelines.core.parallel.workers import connect


@pytest.fixture
def no_ray(monkeypatch):
    """As where Ray is not installed."""
    monkeypatch.setitem(sys.modules, "ray", None)


@pytest.mark.parametrize(
    "command",
    [
        ["train", "sentiment", "--run", "run", "--workers", "2"],
        ["train", "sentiment", "--run", "run", "--seeds", "2"],
        ["train", "weather", "--run", "run", "--each-station"],
        ["tune", "sentiment", "--run", "run"],
        ["serve", "--models", "."],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_without_ray_the_extra_is_named(
    command, no_ray, recurra, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    ended = recurra(*command, "--cluster", "auto")
    assert ended.status == 2
    assert "--cluster auto: Ray is not installed" in ended.messages
    assert "pip install 'recurra[ray]'" in ended.messages
    assert not list(tmp_path.iterdir())


def test_predictions_without_ray(no_ray, recurra, sentiment_model, tmp_path):
    (tmp_path / "in.txt").write_text("a lovely lamp\n")
    to = tmp_path / "out.csv"
    command = ("predict", sentiment_model, "--file", tmp_path / "in.txt", "--to", to)
    ended = recurra(*command, "--cluster", "auto")
    assert ended.status == 2 and "recurra[ray]" in ended.messages
    with pytest.raises(UserError, match=r"recurra\[ray\]"):
        load_model(sentiment_model).predict_file("in.txt", to, cluster="auto")
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


def test_python_without_ray(no_ray, tmp_path):
    with pytest.raises(UserError, match=r"recurra\[ray\]"):
        train("sentiment", run=tmp_path / "run", cluster="auto")
    assert not (tmp_path / "run").exists()


def test_the_extra_brings_ray():
    assert _extra_with("ray", is_server=False) == "ray"


def test_texts_of_the_command_line_need_no_cluster(recurra, sentiment_model):
    ended = recurra("predict", sentiment_model, "a text", "--cluster", "auto")
    assert ended.status == 2
    assert "--cluster: answers the texts of a --file" in ended.messages


def test_a_worker_of_a_launcher_starts_none_on_a_cluster(monkeypatch):
    cluster = {"worker": ["a:1", "b:1"]}
    here = {"cluster": cluster, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(here))
    with pytest.raises(UserError, match="--cluster auto: .* one of 2 workers already"):
        connect("--cluster auto")
