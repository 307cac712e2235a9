"""Processes of this machine: each with a pipe to it and its part of the cores."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection, Pipe
from pathlib import Path


class Child:
    """A process that runs a module of recurra, and ends with this one.

    Attributes:
        process: The process.
        connection: The pipe to it.

    Args:
        module: Its `main` begins with `begin(pipe, cores)`.
        cores: That it may use; all if empty.
        arguments: Of the module, behind the pipe and the cores.
        environment: Further variables.
        folder: That its relative paths are of; this process's own if None.
    """

    def __init__(
        self,
        module: str,
        cores: Sequence[int],
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ):
        with contextlib.ExitStack() as ends:
            self._log = ends.enter_context(tempfile.TemporaryFile())
            self.connection, of_process = map(ends.enter_context, Pipe())
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", module, str(of_process.fileno())),
                    *(json.dumps(list(cores)), *arguments),
                ],
                env={
                    **os.environ,
                    "KERAS_BACKEND": "tensorflow",
                    **(environment or {}),
                },
                cwd=folder,
                # Closed by whatever ends this process, which the child notices.
                stdin=subprocess.PIPE,
                stdout=self._log,
                stderr=self._log,
                pass_fds=[of_process.fileno()],
                # Ctrl-C is for the parent, which tells its children.
                start_new_session=True,
            )
            of_process.close()
            self._ends = ends.pop_all()

    def stop(self) -> None:
        """Asks the process to stop, by SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """Ends the process, if it runs."""
        self.process.kill()
        # Waits for it, and closes its end of the pipe.
        self.process.communicate()
        self._ends.close()

    def last_words(self) -> str:
        """How it ended, and the last of what it wrote."""
        status = self.process.wait()
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        how = f"ended with status {status}"
        if status < 0:
            how = f"was killed by {signal.Signals(-status).name}"
        return "\n".join([how, *lines[-20:]] if status > 0 else [how])


def begin(pipe: str, cores: str) -> Connection:
    """What the process of a `Child` does first: its pipe to the parent.

    It must come before TensorFlow, which makes as many threads as there are cores.
    """
    if json.loads(cores):
        os.sched_setaffinity(0, json.loads(cores))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return Connection(int(pipe))


def _end_with_parent() -> None:
    # Not sys.stdin, whose lock would be held at the end of the process.
    while os.read(0, 1024):
        pass
    os._exit(1)


def shares_of_cores(number: int) -> list[list[int]]:
    """The cores of each process, side by side; more processes than cores share them."""
    if not hasattr(os, "sched_getaffinity"):
        return [[]] * number
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < number:
        return [[cores[rank % len(cores)]] for rank in range(number)]
    ends = [len(cores) * rank // number for rank in range(number + 1)]
    return [cores[begin:end] for begin, end in zip(ends, ends[1:], strict=False)]
