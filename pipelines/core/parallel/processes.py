"""The workers of one machine: started, listened to, and ended together."""

import contextlib
import json
import signal
import socket
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from ..errors import Interrupted, WorkerLost
from ..runs import Run
from .children import Child, shares_of_cores

if TYPE_CHECKING:
    from ..training import Progress

# How long what ended one worker may take to come to light in another one.
_SECONDS_TO_FIND_OUT = 10.0
_SECONDS_BETWEEN_LOOKS = 0.2


def train_in_processes(run: Run, number: int, progress: "Progress | None") -> None:
    """Trains the model of a run, with its preprocessing fitted, by so many processes.

    Args:
        run: Is left with the best weights among its checkpoints.
        number: Of workers. Each gets as many cores as the others.
        progress: Hears of every step.

    Raises:
        Interrupted: After SIGINT or SIGTERM, when the state is saved.
        WorkerLost: One has died. The others were ended.
        Exception: What was raised in a worker.
    """
    from ..training import stop_requests

    with stop_requests() as stop_requested, _started(run, number) as workers:
        is_told = False
        while any(worker.is_at_work for worker in workers):
            if stop_requested.is_set() and not is_told:
                # It tells the others, and all stop after the same step.
                workers[0].process.send_signal(signal.SIGTERM)
                is_told = True
            try:
                _listen(workers, progress, _SECONDS_BETWEEN_LOOKS)
            except WorkerLost as lost:
                if is_told:
                    # It was not training at that time.
                    raise Interrupted("stopped; the last saved state is kept") from None
                raise WorkerLost(
                    f"{lost}\nThe others were ended, and the last saved state is kept. "
                    f"Go on with: {run.resume_command} --workers {number}"
                ) from None


class _Worker(Child):
    """A process that trains, as its parent sees it."""

    def __init__(self, rank: int, run: Run, addresses: list[str], cores: list[int]):
        self.rank = rank
        self.is_at_work = True
        cluster = {
            "cluster": {"worker": addresses},
            "task": {"type": "worker", "index": rank},
        }
        super().__init__(
            f"{__package__}.worker_process",
            cores,
            [str(run.path)],
            {"TF_CONFIG": json.dumps(cluster)},
        )


def _listen(
    workers: list[_Worker], progress: "Progress | None", seconds: float
) -> None:
    """Hands on what the workers say within so many seconds; raises what they raised."""
    connections = {each.connection: each for each in workers if each.is_at_work}
    for connection in wait(list(connections), seconds):
        assert isinstance(connection, Connection)
        worker = connections[connection]
        try:
            kind, value = connection.recv()
        except (EOFError, ConnectionResetError):
            raise WorkerLost(
                f"worker {worker.rank + 1} of {len(workers)} {worker.last_words()}"
            ) from None
        if kind in ("done", "broken"):
            worker.is_at_work = False
        if kind == "broken":
            # Another one has died, or says why it gave up.
            _listen(workers, None, _SECONDS_TO_FIND_OUT)
            raise WorkerLost(value)
        if kind == "raised":
            raise value
        if kind == "progress" and progress is not None:
            name, arguments = value
            getattr(progress, name)(*arguments)


@contextlib.contextmanager
def _started(run: Run, number: int) -> Iterator[list[_Worker]]:
    """The workers, which are ended at the end, whatever they do then."""
    addresses = _free_addresses(number)
    workers = []
    with contextlib.ExitStack() as to_end:
        for rank, cores in enumerate(shares_of_cores(number)):
            worker = _Worker(rank, run, addresses, cores)
            to_end.callback(worker.end)
            workers.append(worker)
        yield workers


def _free_addresses(number: int) -> list[str]:
    with contextlib.ExitStack() as bound:
        sockets = [bound.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]


class Relay:
    """Progress of a worker that its parent hears of."""

    def __init__(self, connection: Any):
        self._connection = connection

    def epoch_started(self, *arguments: Any) -> None:
        self._tell("epoch_started", *arguments)

    def step_done(self, *arguments: Any) -> None:
        self._tell("step_done", *arguments)

    def epoch_ended(self, *arguments: Any) -> None:
        self._tell("epoch_ended", *arguments)

    def _tell(self, name: str, *arguments: Any) -> None:
        self._connection.send(("progress", (name, arguments)))
