"""Trials, runs and predictions by processes on the nodes of a cluster."""

from pathlib import Path

import pandas
import pytest

from recurra.apps.main import run as run_command
from recurra.pipelines import load_model, train_many, tune
from recurra.pipelines.core import file_prediction
from recurra.pipelines.core.errors import UserError
from recurra.pipelines.core.parallel import nodes as cluster_nodes
from recurra.pipelines.core.parallel.cluster import connected
from recurra.pipelines.core.parallel.pool import Pool
from recurra.pipelines.core.run_sets import failed_of, results_of
from recurra.pipelines.data.texts import text_rows

SMALL = ["model.embedding_size=4", "model.units=4", "training.epochs=1"]


def test_two_trials(cluster, tmp_path, reviews_csv):
    tuning = tune(
        "sentiment",
        reviews_csv,
        run=tmp_path / "a",
        trials=2,
        workers=2,
        cluster=cluster,
        settings=SMALL,
        space=["model.units=[2, 4]"],
    )
    trials = pandas.read_csv(tuning.trials_file)
    assert sorted(trials["trial"]) == [0, 1]
    assert set(trials["state"]) <= {"complete", "pruned"}


def test_a_run_for_each_seed(cluster, tmp_path, reviews_csv, capsys):
    given = {"seeds": 2, "settings": SMALL}
    many = train_many(
        *("sentiment", reviews_csv),
        **given,
        run=tmp_path / "many",
        workers=2,
        cluster=cluster,
    )
    assert failed_of(many) == {}
    assert "seed-1: epoch 1/1: " in capsys.readouterr().out
    alone = train_many("sentiment", reviews_csv, **given, run=tmp_path / "alone")
    pandas.testing.assert_frame_equal(results_of(many), results_of(alone), atol=1e-5)


@pytest.mark.parametrize("what", ["actor", "process"])
def test_every_row_is_answered_once_if_one_is_killed(
    what, cluster, processes, sentiment_model, tmp_path, monkeypatch
):
    path, alone, to = (tmp_path / name for name in ("in.csv", "alone.csv", "two.csv"))
    monkeypatch.setattr(text_rows, "_ROWS", 64)
    frame = pandas.DataFrame({"text": [f"lamp {n}" for n in range(2_000)]})
    frame.to_csv(path, index=False)
    load_model(sentiment_model).predict_file(path, alone)
    killed = []
    keep = file_prediction._Unfinished.keep

    def kill_and_keep(self, answers):
        if not killed:
            name = ("ray::", "_Host") if what == "actor" else ("pool_process",)
            assert len(processes.running("pool_process")) == 2
            killed.append(processes.killed(*name))
        keep(self, answers)

    monkeypatch.setattr(file_prediction._Unfinished, "keep", kill_and_keep)
    command = ["predict", sentiment_model, "--file", path, "--to", to]
    command += ["--workers", "2", "--cluster", cluster]
    assert run_command(list(map(str, command))) == 0
    assert killed
    assert to.read_bytes() == alone.read_bytes()
    assert processes.gone("pool_process")


def _double(item, tell):
    return 2 * item


def test_a_node_that_does_not_see_the_files_says_so(cluster, tmp_path):
    with (
        connected(cluster) as nodes,
        Pool(1, 1, nodes, tmp_path / "gone") as pool,
        pytest.raises(UserError, match=f"^{tmp_path}/gone: node .* does not see it"),
    ):
        list(pool.in_order(_double, [1]))


def test_more_processes_than_cores_share_them(cluster, monkeypatch):
    found = [{"CPU": 8.0}, {"CPU": 2.0}, {"object_store_memory": 1.0}]
    resources = [{"Alive": True, "Resources": each} for each in found]
    resources.append({"Alive": False, "Resources": {"CPU": 64.0}})
    monkeypatch.setattr(cluster_nodes.ray, "nodes", lambda: resources)
    nodes = cluster_nodes.Nodes(cluster)
    shares = {number: nodes.share(number)["CPU"] for number in (1, 2, 3, 5, 10, 20, 60)}
    assert shares == {1: 8, 2: 4, 3: 2, 5: 2, 10: 1, 20: 0.5, 60: 0.1666}
    found[0]["GPU"] = 2.0
    assert nodes.share(2)["GPU"] == 1.0 and "GPU" not in nodes.share(3)


def test_a_cluster_that_is_not_there(tmp_path):
    command = ["train", "sentiment", "--run", str(tmp_path / "run")]
    assert run_command([*command, "--cluster", "127.0.0.1:1"]) == 2
    assert not Path(tmp_path / "run").exists()
