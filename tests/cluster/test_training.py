"""Workers that Ray Train starts come to the weights of one process."""

import signal

import pytest
from prepared_runs import Recorder, assert_same, copy, prepared

from recurra.apps.main import run as run_command
from recurra.pipelines.core import workflow
from recurra.pipelines.core.errors import Interrupted, UserError
from recurra.pipelines.core.parallel.cluster import connected
from recurra.pipelines.core.parallel.cluster_training import train_on_cluster
from recurra.pipelines.core.parallel.workers import Workers
from recurra.pipelines.core.runs import Run


@pytest.fixture(scope="module")
def begun(tmp_path_factory, write_reviews):
    """A run with noise, of which nothing is trained; not to be changed."""
    folder = tmp_path_factory.mktemp("runs")
    return prepared(
        folder / "begun",
        "sentiment",
        data={
            "spec": str(write_reviews(folder / "reviews.csv")),
            **{"validation_fraction": 0.2, "test_fraction": 0.2},
        },
        model={
            **{"embedding_size": 8, "units": 4, "bidirectional": False},
            **{"word_dropout": 0.1, "input_dropout": 0.2, "zoneout_hidden": 0.2},
        },
        training={"batch_size": 7},
    )


@pytest.fixture(scope="module")
def alone(begun):
    """The same, trained by this process."""
    run = copy(begun, "alone")
    workflow.train_part(run, Workers())
    return run


def test_two_workers_come_to_the_result_of_one(begun, alone, cluster, processes):
    run = copy(begun, "two")
    heard = Recorder()
    with connected(cluster) as nodes:
        train_on_cluster(run, 2, nodes, heard)
    assert_same(run, alone, training_rtol=0.03)
    assert heard.steps == [
        (epoch, step + 1) for epoch in (0, 1) for step in range(heard.of_epoch)
    ]
    assert not list(run.path.glob(".ray-*"))
    assert processes.gone("worker_process", str(run.path))


@pytest.mark.parametrize("what", ["worker_process", "actor"])
def test_a_killed_worker_is_restarted(what, begun, alone, cluster, processes, caplog):
    run = copy(begun, f"killed-{what}")
    killed = []

    def kill():
        if killed:
            return
        parts = ("worker_process", str(run.path))
        assert len(processes.running(*parts)) == 2
        killed.append(
            processes.killed(*parts)
            if what == "worker_process"
            else processes.killed("ray::", "RayTrainWorker")
        )

    with connected(cluster) as nodes:
        train_on_cluster(run, 2, nodes, heard := Recorder((1, 2), kill))
    assert killed
    assert_same(run, alone, training_rtol=0.03)
    # From the saved state on, not from the beginning.
    assert heard.steps.count((0, 1)) == 1
    assert "A worker was lost" in caplog.text


def test_a_stopped_run_goes_on(begun, alone, cluster, processes):
    run = copy(begun, "stopped")
    stopped = Recorder((1, 2), lambda: signal.raise_signal(signal.SIGINT))
    with connected(cluster) as nodes:
        with pytest.raises(Interrupted, match="the state is saved"):
            train_on_cluster(run, 2, nodes, stopped)
        assert stopped.steps[-1][0] == 1 and stopped.steps[-1][1] < stopped.of_epoch
        assert processes.gone("worker_process", str(run.path))
        resumed = Recorder()
        train_on_cluster(run, 1, nodes, resumed)
    assert stopped.steps + resumed.steps == [
        (epoch, step + 1) for epoch in (0, 1) for step in range(resumed.of_epoch)
    ]
    assert_same(run, alone, training_rtol=0.03)


def test_what_a_worker_raises_ends_all(begun, cluster, tmp_path, write_reviews):
    run = copy(begun, "changed")
    own = str(run.path.parent / "reviews.csv")
    text = run.config_file.read_text()
    assert own in text
    other = write_reviews(tmp_path / "other.csv", rows=99)
    run.config_file.write_text(text.replace(own, str(other)))
    with connected(cluster) as nodes, pytest.raises(UserError, match="have changed"):
        train_on_cluster(run, 2, nodes, None)


def test_the_command_by_workers_of_a_new_cluster(tmp_path, write_reviews, capsys):
    path = tmp_path / "run"
    spec = str(write_reviews(tmp_path / "reviews.csv"))
    settings = ("model.embedding_size=4", "model.units=4", "training.epochs=1")
    command = [
        *("train", "sentiment", "--data", spec, "--run", str(path)),
        *("--workers", "2", "--cluster", "local"),
        *(part for setting in settings for part in ("--set", setting)),
    ]
    assert run_command(command) == 0
    shown = capsys.readouterr()
    assert "epoch 1/1: " in shown.err
    assert Run.open(path).is_finished
