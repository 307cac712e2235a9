"""Several processes come to the weights of one, stopped or killed or not."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pandas
import pytest
import tensorflow as tf
from prepared_runs import Recorder, assert_same, copy, prepared

from recurra.pipelines import train
from recurra.pipelines.core import workflow
from recurra.pipelines.core.errors import Interrupted, UserError, WorkerLost
from recurra.pipelines.core.parallel import children, processes
from recurra.pipelines.core.parallel.processes import train_in_processes
from recurra.pipelines.core.parallel.workers import Workers, connect


@pytest.fixture
def started(monkeypatch):
    """The processes that are started during the test."""
    found = []

    class Popen(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            found.append(self)

    monkeypatch.setattr(children.subprocess, "Popen", Popen)
    return found


def test_forecasting_by_two_that_are_stopped(tmp_path, started):
    hours = np.arange(300)
    noise = np.random.default_rng(0).normal(size=len(hours))
    frame = pandas.DataFrame(
        {
            "time": pandas.date_range("2021-01-01", periods=len(hours), freq="h"),
            "T": 10 + 5 * np.sin(hours / 24 * 2 * np.pi) + noise,
        }
    )
    frame.to_csv(tmp_path / "station.csv", index=False)
    alone = prepared(
        tmp_path / "alone",
        "weather",
        data={"spec": str(tmp_path / "station.csv"), "history": 12, "horizon": 3},
        model={
            **{"units": 4, "head_units": 4, "dropout": 0.2},
            **{"recurrent_dropout": 0.2, "zoneout_hidden": 0.2},
        },
        training={"batch_size": 31, "averaged_epochs": 2},
    )
    run = copy(alone, "two")
    workflow.train_part(alone, Workers())
    stopped = Recorder((1, 2), lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(Interrupted, match="the state is saved"):
        train_in_processes(run, 2, stopped)
    resumed = Recorder()
    # By another number of workers.
    workflow.train_part(run, Workers(), resumed)
    assert stopped.steps + resumed.steps == [
        (epoch, step + 1) for epoch in (0, 1) for step in range(resumed.of_epoch)
    ]
    assert stopped.steps[-1] != (1, resumed.of_epoch)
    assert [each.poll() is None for each in started] == 2 * [False]
    assert_same(run, alone)


def test_translation_by_two_of_which_one_is_killed(tmp_path, started):
    pytest.importorskip("tensorflow_text")
    alone = prepared(
        tmp_path / "alone",
        "translation",
        data={"spec": "sample:180"},
        subwords={"vocabulary_size": 360, "sampling_alpha": 0.3},
        model={
            **{"embedding_size": 8, "encoder_units": 4, "decoder_units": 6},
            **{"attention_units": 4, "word_dropout": 0.1, "zoneout_hidden": 0.2},
            **{"input_dropout": 0.2, "output_dropout": 0.2, "tied_embeddings": False},
        },
        decoding={"max_length_ratio": 1.0, "longest_extra": 3},
        training={"batch_size": 25, "measured_outputs": 3, "label_smoothing": 0.1},
    )
    run = copy(alone, "two")
    workflow.train_part(alone, Workers())
    with pytest.raises(WorkerLost) as error:
        train_in_processes(run, 2, Recorder((1, 2), lambda: started[1].kill()))
    lost, what_to_do = str(error.value).splitlines()
    assert lost == "worker 2 of 2 was killed by SIGKILL"
    assert what_to_do.endswith(f"{run.resume_command} --workers 2")
    assert [each.poll() is None for each in started] == 2 * [False]
    resumed = Recorder()
    workflow.train_part(run, Workers(), resumed)
    assert resumed.steps[0][0] == 1 and resumed.steps[0][1] > 1
    assert_same(run, alone)


def test_language_by_two_that_are_stopped(tmp_path):
    """The states that are carried over batches go to the one that goes on."""
    alone = prepared(
        tmp_path / "alone",
        "language",
        data={"spec": "sample:40"},
        units={"kind": "words"},
        model={
            **{"embedding_size": 8, "units": 6, "depth": 2, "directions": "both"},
            **{"word_dropout": 0.1, "zoneout_hidden": 0.2, "output_dropout": 0.2},
            **{"weight_dropout": 0.1, "temporal_activation_penalty": 1.0},
        },
        training={"batch_size": 5, "timesteps": 9, "cut_jitter": 2},
    )
    run = copy(alone, "two")
    workflow.train_part(alone, Workers())
    stopped = Recorder((1, 2), lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(Interrupted, match="the state is saved"):
        train_in_processes(run, 2, stopped)
    workflow.train_part(run, Workers(), resumed := Recorder())
    assert resumed.steps[0][0] == 1 and resumed.steps[0][1] > 1
    assert_same(run, alone, training_rtol=1e-3)


def test_sentiment_by_one_that_two_of_a_launcher_go_on_with(
    tmp_path, write_reviews, stop_at
):
    spec = str(write_reviews(tmp_path / "reviews.csv"))
    alone = prepared(
        tmp_path / "alone",
        "sentiment",
        data={"spec": spec, "validation_fraction": 0.2, "test_fraction": 0.2},
        model={
            **{"embedding_size": 8, "units": 4, "bidirectional": False},
            **{"word_dropout": 0.1, "input_dropout": 0.2, "zoneout_hidden": 0.2},
        },
        training={"batch_size": 7},
    )
    run = copy(alone, "two")
    workflow.train_part(alone, Workers())
    with pytest.raises(Interrupted):
        workflow.train_part(run, Workers(), stop_at(0, 3))
    addresses = processes._free_addresses(2)
    workers = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "recurra.apps.main", "train", "sentiment"),
                *("--run", str(run.path), "--resume"),
            ],
            env={**os.environ, "TF_CONFIG": _tf_config(rank, worker=addresses)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    said = [worker.communicate()[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    assert run.is_finished
    assert_same(run, alone, training_rtol=0.03)
    # The first alone shows progress.
    assert ["epoch 2/2" in each for each in said] == [True, False]


def _tf_config(rank, **jobs):
    return json.dumps({"cluster": jobs, "task": {"type": "worker", "index": rank}})


@pytest.mark.parametrize(
    "value", [None, "{}", _tf_config(0, worker=["127.0.0.1:2222"])]
)
def test_without_other_workers_a_process_is_alone(monkeypatch, value):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if value is not None:
        monkeypatch.setenv("TF_CONFIG", value)
    workers = connect()
    assert (workers.rank, workers.number) == (0, 1)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{", "TF_CONFIG: is no JSON"),
        ('{"cluster": 3}', "TF_CONFIG: is no JSON"),
        (_tf_config(0, worker=["a:1"], ps=["b:1"]), "has the jobs worker, ps"),
        (_tf_config(None, worker=["a:1", "b:1"]), "TF_CONFIG"),
        (_tf_config(2, worker=["a:1", "b:1"]), "worker 2, which the cluster has not"),
        ('{"cluster": {"worker": ["a:1", "b:1"]}}', "None None, which"),
    ],
)
def test_other_clusters_are_refused(monkeypatch, value, message):
    monkeypatch.setenv("TF_CONFIG", value)
    with pytest.raises(UserError, match=message):
        connect()


def test_a_worker_starts_no_workers(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", _tf_config(0, worker=["a:1", "b:1"]))
    with pytest.raises(UserError, match="--workers 3: .* one of 2 workers already"):
        connect("--workers 3")


def test_no_workers_are_refused():
    with pytest.raises(UserError, match="workers: is 0; give 1 or more"):
        train("sentiment", workers=0)


def test_cores_are_shared_out(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {4, 1, 2, 7, 8})
    assert children.shares_of_cores(2) == [[1, 2], [4, 7, 8]]
    assert children.shares_of_cores(6) == [[1], [2], [4], [7], [8], [1]]


def test_a_batch_is_cut_into_what_each_worker_counts(monkeypatch):
    weights = tf.constant([[1.0, 0], [1, 1], [1, 1]])
    for count, number, expected in (
        (3, 2, [([0], 1 / 5), ([1, 2], 4 / 5)]),
        (1, 2, [([0], 1 / 2), ([0], 1 / 2)]),
    ):
        for rank, (rows, fraction) in enumerate(expected):
            worker = object.__new__(_cluster_class())
            worker.rank, worker.number = rank, number
            worker._loss_weight = lambda batch: tf.reduce_sum(batch[1])
            batch = tf.range(3)[:count], weights[:count]
            (mine, _), part = worker._part_of(*batch)
            assert mine.numpy().tolist() == rows
            assert float(part.fraction) == pytest.approx(fraction)


def _cluster_class():
    from recurra.pipelines.core.parallel import workers

    return workers._Cluster
