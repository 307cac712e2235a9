"""The workers of a training on a cluster, which Ray Train starts and restarts."""

import concurrent.futures
import contextlib
import logging
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
import ray.train
from ray.exceptions import ActorDiedError, RayError
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ..errors import Interrupted, UserError, WorkerLost
from ..runs import Run
from .children import Child
from .nodes import Nodes, Share, first_line, refuse_unseen, threads_of

if TYPE_CHECKING:
    from ..training import Progress

logger = logging.getLogger("recurra")

# How often Ray starts all workers again before the training is given up.
_RESTARTS = 10
# How often the actor that they speak by is made anew.
_TRIES = 5
_SECONDS_BETWEEN_LOOKS = 0.2
# For the workers to hear that, and Ray to put an end to them.
_SECONDS_TO_END = 15.0
# A worker that says nothing for so long is none.
_SECONDS_OF_SILENCE = 3.0

#: Its kind, and what it says; as `worker_process` has it.
_Message = tuple[str, Any]


def train_on_cluster(
    run: Run, number: int, nodes: Nodes, progress: "Progress | None"
) -> None:
    """Trains the model of a run, with its preprocessing fitted, by workers on nodes.

    If one is lost, Ray starts all again, and they go on from the last saved state.

    Args:
        run: Is left with the best weights among its checkpoints.
        number: Of workers. Each gets as many cores as the others.
        nodes: Of the cluster.
        progress: Hears of every step.

    Raises:
        Interrupted: After SIGINT or SIGTERM, when the state is saved.
        WorkerLost: Workers were lost again and again.
        Exception: What was raised in a worker.
    """
    from ..training import stop_requests

    post = _posted()
    lost, is_lost = "", False
    with (
        stop_requests() as stop_requested,
        _fitting(run, number, nodes.share(number), post) as fitting,
    ):
        while True:
            is_over = fitting.done()
            for kind, value in ray.get(post.hear.remote()):
                if kind == "raised":
                    raise value
                is_lost |= kind in ("lost", "broken", "again")
                if kind == "lost":
                    lost = value
                if kind == "again":
                    what = f" ({lost})" if lost else ""
                    logger.warning(
                        "A worker was lost%s; all go on from the last saved state", what
                    )
                if kind == "progress" and progress is not None:
                    name, arguments = value
                    getattr(progress, name)(*arguments)
            if is_over:
                break
            concurrent.futures.wait([fitting], _SECONDS_BETWEEN_LOOKS)
            if stop_requested.is_set() and not ray.get(post.stop.remote()):
                # The workers are not there, or not yet.
                raise Interrupted("stopped; the last saved state is kept")
        error = fitting.exception()
        if error is not None and not is_lost:
            raise error
        if error is not None:
            raise WorkerLost(
                f"{lost or first_line(error)}\nIt was tried {_RESTARTS} times again, "
                f"and the last saved state is kept. Go on with: {run.resume_command} "
                f"--workers {number} --cluster {nodes.address}"
            )


def _posted() -> Any:
    """A post on this node, where Ray Train has its controller too."""
    here = NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(), soft=False
    )
    maker = ray.remote(_Post).options(num_cpus=0, scheduling_strategy=here)
    for _ in range(_TRIES):
        post = maker.remote()
        # Of a driver that has just connected, Ray now and then takes an actor for one
        # that nobody refers to.
        with contextlib.suppress(ActorDiedError):
            ray.get(post.hear.remote())
            break
    return post


@contextlib.contextmanager
def _fitting(
    run: Run, number: int, share: Share, post: Any
) -> Iterator[concurrent.futures.Future]:
    """What Ray's trainer comes to, which ends with the context."""
    # It imports TensorFlow, which the actors of this module do without.
    from ray.train.tensorflow import TensorflowTrainer

    executor = concurrent.futures.ThreadPoolExecutor(1)
    # Ray wants a folder for checkpoints, of which it is given none.
    with tempfile.TemporaryDirectory(prefix=".ray-", dir=run.path) as storage:
        trainer = TensorflowTrainer(
            _work,
            train_loop_config={
                "path": run.path.absolute(),
                "folder": Path.cwd(),
                "share": share,
                "post": post,
            },
            scaling_config=ScalingConfig(
                num_workers=number, use_gpu="GPU" in share, resources_per_worker=share
            ),
            run_config=RunConfig(
                storage_path=str(Path(storage).absolute()),
                failure_config=FailureConfig(max_failures=_RESTARTS),
            ),
        )
        # In the main thread Ray would take Ctrl-C for itself.
        fitting = executor.submit(trainer.fit)
        try:
            yield fitting
        finally:
            with contextlib.suppress(RayError):
                ray.get(post.end.remote())
            concurrent.futures.wait([fitting], _SECONDS_TO_END)
            executor.shutdown(wait=False)


class _Post:
    """The actor by which the workers and the one who waits for them speak."""

    def __init__(self) -> None:
        self._messages: list[_Message] = []
        self._starts = 0
        self._wish = ""
        self._heard_first = -_SECONDS_OF_SILENCE

    def say(self, rank: int, messages: list[_Message]) -> str:
        """Takes what a worker says; gives whether it is to "stop" or "end"."""
        self._messages += messages
        if rank == 0:
            self._heard_first = time.monotonic()
            self._starts += ("begun", None) in messages
            if ("begun", None) in messages and self._starts > 1:
                self._messages.append(("again", None))
        return self._wish

    def hear(self) -> list[_Message]:
        """What was said since this was asked before."""
        messages, self._messages = self._messages, []
        return messages

    def stop(self) -> bool:
        """Asks the workers to stop; gives whether the first one is there to hear it."""
        self._wish = "stop"
        return time.monotonic() - self._heard_first < _SECONDS_OF_SILENCE

    def end(self) -> None:
        """Lets the workers end, also those that Ray is yet to start."""
        self._wish = "end"


def _work(given: dict[str, Any]) -> None:
    """What an actor of Ray's does: it has a process train, and hands on what it says.

    An error makes Ray start all workers again.
    """
    rank, post = ray.train.get_context().get_world_rank(), given["post"]

    def say(*messages: _Message) -> str:
        return ray.get(post.say.remote(rank, list(messages)))

    try:
        refuse_unseen(given["folder"], given["path"])
    except UserError as error:
        say(("raised", error))
        return
    say(("begun", None))
    is_told = False
    # It has the variable TF_CONFIG of this one, but not the other that Ray sets.
    child = Child(
        f"{__package__}.worker_process",
        (),
        [str(given["path"])],
        {**threads_of(given["share"]), "TF_USE_LEGACY_KERAS": "0"},
        given["folder"],
    )
    try:
        while True:
            messages = _said(child)
            wish = say(*messages)
            if wish == "end":
                return
            if wish == "stop" and rank == 0 and not is_told:
                # It tells the others, and all stop after the same step.
                child.stop()
                is_told = True
            last = messages[-1][0] if messages else ""
            if last in ("done", "raised"):
                return
            if last == "lost" and is_told:
                # It was not training at that time.
                say(("raised", Interrupted("stopped; the last saved state is kept")))
                return
            if last in ("broken", "lost"):
                raise WorkerLost(messages[-1][1])
    finally:
        child.end()


def _said(child: Child) -> list[_Message]:
    """What the process says for some time; how it was lost, if so."""
    messages: list[_Message] = []
    seconds = _SECONDS_BETWEEN_LOOKS
    try:
        while child.connection.poll(seconds):
            messages.append(child.connection.recv())
            if messages[-1][0] != "progress":
                break
            seconds = 0
    except (EOFError, ConnectionResetError):
        messages.append(("lost", f"it {child.last_words()}"))
    return messages
