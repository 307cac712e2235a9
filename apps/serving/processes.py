"""Several processes that serve on the same ports: started, watched, ended together.

The system deals connections out to those that listen on a port (SO_REUSEPORT). A
process that dies is started again; SIGHUP and SIGTERM are for all.
"""

import asyncio
import contextlib
import json
import logging
import signal
import socket
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator, Sequence
from pathlib import Path

from .settings import Settings, StartError, port_taken

logger = logging.getLogger("recurra.serving")

# Between two starts of a process that lived for less than this.
_SECONDS_OF_A_LIFE = 30.0
_FIRST_DELAY, _LONGEST_DELAY = 1.0, 30.0
# For what is behind the end of the last request.
_SECONDS_TO_END = 10.0


async def serve_by_processes(settings: Settings, command: Sequence[str]) -> int:
    """Serves by `settings.processes` processes until SIGTERM or SIGINT.

    Args:
        settings: Of each of them.
        command: Of a process. It gets a line of JSON by standard input: `settings`,
            the `number` of the process, and the `folder` of the sockets.

    Returns:
        The exit status: that of the first process, if it could not start; else 0.

    Raises:
        StartError: If a port is taken, or a setting is for one process alone.
    """
    if not hasattr(socket, "SO_REUSEPORT"):
        raise StartError("--processes: this system shares no port; leave it out")
    settings = for_several(settings, "--processes")
    with contextlib.ExitStack() as ends:
        ports = {
            f"{api}_port": ends.enter_context(
                _reserved(api, settings.host, getattr(settings, f"{api}_port"))
            )
            for api in ("rest", "grpc")
        }
        settings = settings.model_copy(update=ports)
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory()))
        return await _Parent(settings, command, folder).run()


def for_several(settings: Settings, option: str) -> Settings:
    """The settings of each of several processes.

    Args:
        settings: As they were given.
        option: By which there are several.

    Raises:
        StartError: A setting is for one process alone.
    """
    if settings.model_control:
        raise StartError(
            "model_control: such a request would reach one of the processes alone; "
            f"leave it out, or {option}"
        )
    if settings.grpc_socket:
        raise StartError(
            f"grpc_socket: one process alone can have it; leave it out, or {option}"
        )
    if settings.ui and "ui" in settings.model_fields_set:
        raise StartError(
            "--ui: the page keeps what it is asked in one process; leave it out, or "
            f"{option}"
        )
    if settings.ui:
        logger.info("The page to try models is left out, which needs one process")
    return settings.model_copy(update={"ui": False})


@contextlib.contextmanager
def _reserved(api: str, host: str, port: int) -> Iterator[int]:
    """The port, or a free one for 0, kept from others and free for the processes."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as alone:
            # Without sharing, to find out whether another server has it.
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind((host, port))
            port = alone.getsockname()[1]
        with socket.socket(family, socket.SOCK_STREAM) as shared:
            shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            shared.bind((host, port))
            yield port
    except OSError:
        raise port_taken(api, host, port) from None


class _Parent:
    def __init__(self, settings: Settings, command: Sequence[str], folder: Path):
        self._settings, self._command, self._folder = settings, command, folder
        self._processes: dict[int, Process] = {}
        self._ready = {
            number: asyncio.Event() for number in range(1, settings.processes + 1)
        }
        self._is_stopping = False
        # By version of a model, the processes that have loaded it.
        self._loaded: dict[tuple[str, int], set[int]] = {}
        self._agreed: set[tuple[str, int]] = set()

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._send, signal.SIGHUP)
        first, *others = self._ready
        # What is wrong with settings or models is said by the first alone.
        keeping = asyncio.create_task(self._keep(first))
        tasks: list[asyncio.Task] = [keeping]
        waiting = asyncio.create_task(self._ready[first].wait())
        await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not self._ready[first].is_set():
            return await keeping
        if not self._is_stopping:
            tasks += [asyncio.create_task(self._keep(each)) for each in others]
            tasks.append(asyncio.create_task(self._announce()))
        await asyncio.gather(*tasks)
        return 0

    async def _announce(self) -> None:
        settings = self._settings
        for ready in self._ready.values():
            await ready.wait()
        if self._is_stopping:
            return
        logger.info("%d processes serve", settings.processes)
        logger.info("REST on http://%s:%d", settings.host, settings.rest_port)
        logger.info("gRPC on %s:%d", settings.host, settings.grpc_port)

    async def _keep(self, number: int) -> int:
        """Keeps a process running; gives its status where it was never ready."""
        delay = _FIRST_DELAY
        while not self._is_stopping:
            begun = time.monotonic()
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, start_new_session=True
            )
            self._processes[number] = process
            self._say(
                number,
                {
                    "settings": self._settings.model_dump(mode="json"),
                    "number": number,
                    "folder": str(self._folder),
                },
            )
            assert process.stdout is not None
            async for line in process.stdout:
                self._hear(number, json.loads(line))
            status = await process.wait()
            del self._processes[number]
            for loaded in self._loaded.values():
                loaded.discard(number)
            self._agree()
            if not self._ready[number].is_set() and number == 1:
                return max(status, 1)
            if self._is_stopping:
                break
            how = f"ended with status {status}"
            if status < 0:
                how = f"was killed by {signal.Signals(-status).name}"
            if time.monotonic() - begun > _SECONDS_OF_A_LIFE:
                delay = _FIRST_DELAY
            logger.error("Process %d %s; it is started again", number, how)
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY)
        # Nobody is to wait for one that comes no more.
        self._ready[number].set()
        return 0

    def _hear(self, number: int, told: dict) -> None:
        if "ready" in told:
            self._ready[number].set()
            return
        model, version = told["loaded"]
        key = (model, version)
        self._loaded.setdefault(key, set()).add(number)
        if key in self._agreed:
            self._say(number, {"go": key})
        else:
            self._agree()

    def _agree(self) -> None:
        """Lets versions answer that are loaded in every process that runs."""
        for key, loaded in self._loaded.items():
            if key not in self._agreed and loaded and loaded == set(self._processes):
                self._agreed.add(key)
                for number in loaded:
                    self._say(number, {"go": key})

    def _say(self, number: int, what: dict) -> None:
        stdin = self._processes[number].stdin
        assert stdin is not None
        stdin.write(json.dumps(what).encode() + b"\n")

    def _send(self, number: signal.Signals) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)

    def _stop(self) -> None:
        if not self._is_stopping:
            self._is_stopping = True
            logger.info("Stopping: requests in flight are finished")
            seconds = self._settings.stop_seconds + _SECONDS_TO_END
            loop = asyncio.get_running_loop()
            loop.call_later(seconds, self._send, signal.SIGKILL)
        self._send(signal.SIGTERM)
