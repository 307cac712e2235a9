"""Processes on the nodes of a cluster of Ray.

Ray finds a node for each and notices if it is lost. The process is the one that would
run on this machine, with the same pipe, whose other end an actor of Ray holds there.
"""

import contextlib
import logging
import math
import os
import pickle
import platform
import signal
import socket
import threading
from collections.abc import Iterator
from fractions import Fraction
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ray
from ray.exceptions import RayError

from ..errors import UserError
from .children import Child

_SECONDS_TO_KNOCK = 10.0
# For a process that is lost to be asked how.
_SECONDS_FOR_WORDS = 10.0

Share = dict[str, float]


@contextlib.contextmanager
def reached(address: str) -> Iterator["Nodes"]:
    """The nodes of the cluster at an address, within the context.

    Raises:
        UserError: It cannot be reached.
    """
    if ray.is_initialized():
        # By the caller, who also ends it.
        yield Nodes(address)
        return
    is_main = threading.current_thread() is threading.main_thread()
    # Ray puts one of its own there.
    handler = signal.getsignal(signal.SIGTERM)
    # A cluster that is started here reports to nobody.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        _knock(address)
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        said = str(error).strip().partition("\n")[0]
        raise UserError(
            f"--cluster {address}: cannot be reached ({said}); 'ray start --head' "
            "starts a cluster"
        ) from None
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, handler)
    try:
        yield Nodes(address)
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raises OSError if nobody listens there, for which Ray takes minutes."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    if parts.port is not None:
        there = parts.hostname, parts.port
        socket.create_connection(there, _SECONDS_TO_KNOCK).close()


class Nodes:
    """The nodes of the cluster that this process is connected to.

    Args:
        address: Of the cluster.
    """

    def __init__(self, address: str):
        self.address = address

    def share(self, number: int) -> Share:
        """What each of so many processes gets of the cluster, as Ray names it.

        That is the most cores with which they all find place, if nothing else runs
        there; and a graphics card, where there are so many.
        """
        found = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        cores = [int(each.get("CPU", 0)) for each in found]
        parts = [
            *(Fraction(whole) for whole in range(max(cores, default=0), 0, -1)),
            *(Fraction(1, several) for several in range(2, number + 1)),
        ]
        fitting = (
            part for part in parts if sum(each // part for each in cores) >= number
        )
        # A cluster that has no cores yet may start nodes by itself.
        cores_of_each = next(fitting, Fraction(1))
        # Ray counts by these.
        share = {"CPU": math.floor(cores_of_each * 10_000) / 10_000}
        if sum(each.get("GPU", 0.0) for each in found) >= number:
            share["GPU"] = 1.0
        return share

    def shares(self, number: int) -> list[Share]:
        """That of each of so many processes."""
        return [self.share(number)] * number

    def start(self, needs: Path, module: str, share: Share) -> "RemoteChild":
        """Starts a process, on any node that has so much to give.

        Args:
            needs: What the process reads and writes.
            module: Of the process, as for a `Child`.
            share: Of the cluster.
        """
        return RemoteChild(needs, module, share)


class RemoteChild:
    """A process on a node, as a `Child` is one of this machine.

    Attributes:
        connection: The pipe to it.
    """

    def __init__(self, needs: Path, module: str, share: Share):
        self._reader, writer = Pipe(duplex=False)
        self._host = (
            ray.remote(_Host)
            .options(
                num_cpus=share["CPU"],
                num_gpus=share.get("GPU", 0),
                max_concurrency=4,
            )
            .remote()
        )
        started = self._host.start.remote(module, share, Path.cwd(), needs.absolute())
        self.connection = _Line(self._reader, self._host, started)
        threading.Thread(
            target=_hear, args=(self._host, started, writer), daemon=True
        ).start()

    def stop(self) -> None:
        """Asks the process to stop, by SIGTERM."""
        self._host.stop.remote()

    def end(self) -> None:
        """Ends the process, if it runs."""
        ray.kill(self._host)
        self._reader.close()

    def last_words(self) -> str:
        """How it ended, and the last of what it wrote."""
        try:
            return ray.get(self._host.last_words.remote(), timeout=_SECONDS_FOR_WORDS)
        except RayError as error:
            return f"was lost with its actor ({first_line(error)})"


class _Line:
    """The pipe to a process on a node."""

    def __init__(self, reader: Connection, host: Any, started: Any):
        self._reader, self._host, self._started = reader, host, started

    def fileno(self) -> int:
        return self._reader.fileno()

    def send(self, value: Any) -> None:
        self._host.send.remote(pickle.dumps(value), self._started)

    def recv(self) -> Any:
        return self._reader.recv()


def _hear(host: Any, started: Any, writer: Connection) -> None:
    """Writes what the process says, until one of the two ends has gone."""
    with writer, contextlib.suppress(EOFError, OSError, RayError):
        try:
            ray.get(started)
        except UserError as error:
            # As the answer to the first item.
            writer.send(("done", UserError(*error.args)))
            return
        while True:
            writer.send_bytes(ray.get(host.receive.remote()))


class _Host:
    """The actor on a node, which holds the pipe to the process there."""

    def start(self, module: str, share: Share, folder: Path, needs: Path) -> None:
        """Starts the process.

        Raises:
            UserError: The node does not see one of the folders.
        """
        refuse_unseen(folder, needs)
        self._child = Child(module, (), (), threads_of(share), folder)

    def send(self, message: bytes, started: None) -> None:
        """Hands a message to the process; Ray waits for the value of `started`."""
        self._child.connection.send_bytes(message)

    def receive(self) -> bytes:
        return self._child.connection.recv_bytes()

    def stop(self) -> None:
        self._child.stop()

    def last_words(self) -> str:
        return self._child.last_words()


def refuse_unseen(*paths: Path) -> None:
    """Raises UserError if this node does not see one of the paths of another."""
    for path in paths:
        if not path.exists():
            raise UserError(
                f"{path}: node {platform.node()} of the cluster does not see it; keep "
                "it on storage that all nodes share, under the same path"
            )


def threads_of(share: Share) -> dict[str, str]:
    """The variables by which TensorFlow takes so many threads as there are cores."""
    cores = str(max(1, int(share["CPU"])))
    return {
        "TF_NUM_INTRAOP_THREADS": cores,
        "TF_NUM_INTEROP_THREADS": cores,
        "OMP_NUM_THREADS": cores,
    }


def first_line(error: object) -> str:
    """The first line of what an error says."""
    return str(error).strip().partition("\n")[0]
