"""Training by two workers against one: speed, bytes summed, and kills.

Each worker has one core. The second epoch is timed, since the first makes the graphs.
Then, on paper, what more workers on a network would do: the step of one worker shared
out, and the time to sum its gradients by a ring. Last, workers are killed at random and
the run is gone on with, until it ends: its weights are compared with an unbroken run's.
With `--cluster` these workers are of Ray Train, which starts them again by itself.

    python benchmarks/parallel.py
    python benchmarks/parallel.py --kills 0 --larger 4
    python benchmarks/parallel.py --cluster local
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from recurra.pipelines.core import workflow
from recurra.pipelines.core.configuration import make_configuration
from recurra.pipelines.core.errors import WorkerLost
from recurra.pipelines.core.parallel import processes
from recurra.pipelines.core.parallel.cluster import connected
from recurra.pipelines.core.registry import find_definition
from recurra.pipelines.core.runs import Run

if TYPE_CHECKING:
    from recurra.pipelines.core.parallel.nodes import Nodes

BYTES_PER_SECOND = 10e9 / 8
TASKS: dict[str, dict[str, Any]] = {
    "weather": {
        "data": {"history": 168, "horizon": 24},
        "model": {"units": 128, "recurrent_dropout": 0.1, "zoneout_hidden": 0.1},
        "training": {"epochs": 2, "batch_size": 256, "clip_norm": 0.1},
    },
    "translation": {
        "data": {"spec": "sample:6000"},
        "subwords": {"vocabulary_size": 1000},
        "model": {"embedding_size": 256, "encoder_units": 256, "decoder_units": 256},
        "training": {
            **{"epochs": 2, "batch_size": 128, "batch_tokens": 4096},
            **{"clip_norm": 0.1, "measured_outputs": 1},
        },
    },
}


class Clock:
    """The seconds of each step of the last epoch."""

    def epoch_started(self, epoch: int, epochs: int, step: int, steps: int) -> None:
        self.seconds: list[float] = []
        self._last = time.perf_counter()

    def step_done(self, step: int, loss: float) -> None:
        now = time.perf_counter()
        self.seconds.append(now - self._last)
        self._last = now

    def epoch_ended(self, row: Any, best: bool) -> None:
        """Nothing of validation is timed."""


class Killer(Clock):
    """Kills one of a run's two workers after some steps, counted over epochs."""

    def __init__(self, run: Run, steps: int, which: int):
        self._run, self._left, self._which = run, steps, which

    def step_done(self, step: int, loss: float) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(processes_of(self._run)[self._which], signal.SIGKILL)


def processes_of(run: Run) -> list[int]:
    """The numbers of a run's workers, which may be children of Ray's processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().decode(errors="replace")
            if "worker_process" in line and str(run.path) in line:
                found.append(int(path.parent.name))
    return sorted(found)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument(
        "--larger", type=int, default=1, help="times as many rows of a batch"
    )
    parser.add_argument("--cluster", help="of Ray, whose workers are killed")
    arguments = parser.parse_args()
    for task in arguments.tasks:
        with (
            tempfile.TemporaryDirectory() as folder,
            connected(arguments.cluster) as nodes,
        ):
            measure(task, Path(folder), arguments.kills, arguments.larger, nodes)


def measure(
    task: str, folder: Path, kills: int, larger: int, nodes: "Nodes | None"
) -> None:
    """Prints the figures of a task."""
    definition = find_definition(task)
    training = {
        key: value * larger if key.startswith("batch_") else value
        for key, value in TASKS[task]["training"].items()
    }
    layers = [("", {**TASKS[task], "training": training})]
    configuration = make_configuration(definition.config_class, layers)
    bound, data = workflow.prepare(
        definition.load(), configuration, folder / "prepared", None, []
    )
    steps = int(bound.data_module(data).training_batches(0).cardinality())
    size = 4 * sum(int(np.prod(w.shape)) for w in bound.build().trainable_weights)
    one, _ = train(copy(bound.run, "one"), 1)
    two, unbroken = train(copy(bound.run, "two"), 2)
    print(
        f"{task}: {steps} steps; {size / 1e6:.2f} MB summed a step; "
        f"{1e3 * one:.0f} ms a step by one worker, {1e3 * two:.0f} ms by two: "
        f"{one / two:.2f} times as fast",
        flush=True,
    )
    for workers in (8, 64):
        network = 2 * (workers - 1) / workers * size / BYTES_PER_SECOND
        on_paper = one / (one / workers + network)
        print(f"  on paper, {workers} workers at 10 Gbit/s: {on_paper:.1f} times")
    for number in range(kills):
        run = copy(bound.run, f"killed-{number}")
        generator = random.Random(number)
        step, which = generator.randrange(1, 2 * steps), generator.randrange(2)
        try:
            _, weights = train(run, 2, Killer(run, step, which), nodes)
        except WorkerLost:
            _, weights = train(run, 2)
        pairs = zip(weights, unbroken, strict=True)
        difference = max(float(np.abs(a - b).max()) for a, b in pairs)
        print(
            f"  worker {which} killed at step {step}: "
            f"largest difference {difference:.1e}",
            flush=True,
        )


def copy(run: Run, name: str) -> Run:
    """The prepared run under another name."""
    return Run(Path(shutil.copytree(run.path, run.path.parent / name)))


def train(
    run: Run, workers: int, clock: Clock | None = None, nodes: "Nodes | None" = None
) -> tuple[float, list[np.ndarray]]:
    """The median seconds of a step, and the best weights, by workers of a core each."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[:workers])
    clock = clock or Clock()
    try:
        if nodes:
            from recurra.pipelines.core.parallel import cluster_training

            cluster_training.train_on_cluster(run, workers, nodes, clock)
        else:
            processes.train_in_processes(run, workers, clock)
    finally:
        os.sched_setaffinity(0, cores)
    found: list[np.ndarray] = []
    with h5py.File(run.checkpoints / "best.weights.h5") as file:
        file.visititems(
            lambda name, value: (
                found.append(value[()])
                if isinstance(value, h5py.Dataset) and value.dtype.kind == "f"
                else None
            )
        )
    return statistics.median(clock.seconds or [0.0]), found


if __name__ == "__main__":
    main()
