"""What `recurra serve` stands: speed beside its peers, swaps under load, memory.

    python benchmarks/serving.py speed              # needs the extra bench
    python benchmarks/serving.py swaps
    python benchmarks/serving.py memory

The model takes raw texts and gives two classes: 256 tokens through a bidirectional LSTM
of 64 units. Every server is a process of its own, on this machine's loopback, and gets
the same requests, of one text of about 220 words, from a closed loop: each connection
sends its next request when it has its answer.

`speed` starts the servers one after another, several times round, measures each on 1,
32, 128 and 512 connections, and prints the medians, and beside them the processor time
of a request, which depends less on what else the machine does. `swaps` sends requests
on 32 connections, 1 % of them malformed, while ten new versions take over in turn, then
a broken one appears, and then the served one is deleted. `memory` compares the server's
memory after many requests with that after few.
"""

import argparse
import asyncio
import contextlib
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httptools
import orjson
import uvloop

WORDS = 5000
TOKENS = 256
UNITS = 64
WORDS_OF_TEXT = 220
TEXTS = 64
CONNECTIONS = (1, 32, 128, 512)
# The model has no card that says so: the rows of a request do not depend on each other.
SETTINGS = "batching: {models: [reviews]}\nlimits: {requests: 512}\n"

OURS = "recurra serve"
COMMANDS = {
    OURS: [sys.executable, "-m", "recurra.apps.main", "serve"],
    "FastAPI": [sys.executable, "benchmarks/serving_peers/with_fastapi.py"],
    "LitServe": [sys.executable, "benchmarks/serving_peers/with_litserve.py"],
    "Ray Serve": [sys.executable, "benchmarks/serving_peers/with_ray.py"],
}
PORT = 18511


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    speed = commands.add_parser("speed")
    speed.add_argument("--seconds", type=float, default=20, help="per measurement")
    speed.add_argument("--rounds", type=int, default=1)
    speed.add_argument("--servers", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    commands.add_parser("swaps")
    memory = commands.add_parser("memory")
    memory.add_argument("--requests", type=int, default=100_000)
    memory.add_argument("--first", type=int, default=5_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        version = Path(folder) / "reviews" / "1"
        subprocess.run(
            [sys.executable, "-c", BUILD, str(version), str(WORDS), str(TOKENS)],
            check=True,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        )
        if arguments.command == "speed":
            compare_speed(
                version, arguments.servers, arguments.seconds, arguments.rounds
            )
        elif arguments.command == "swaps":
            swap_under_load(version)
        else:
            compare_memory(version, arguments.first, arguments.requests)


# In a process of its own, so that the one that sends requests holds no TensorFlow.
BUILD = f"""
import sys

import keras
import tensorflow as tf

path, words, tokens = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
keras.utils.set_random_seed(0)
vectorize = keras.layers.TextVectorization(
    vocabulary=[f"word{{number}}" for number in range(words)],
    output_sequence_length=tokens,
)
model = keras.Sequential([
    keras.Input([tokens], dtype="int64"),
    keras.layers.Embedding(words + 2, 64),
    keras.layers.Bidirectional(keras.layers.LSTM({UNITS})),
    keras.layers.Dense(2, activation="softmax"),
])


@tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
def classify(text):
    return {{"probabilities": model(vectorize(text))}}


# Not the model: TensorFlow Serving does not find the variables within Keras's.
module = tf.Module()
module.variables_ = [variable.value for variable in model.variables]
module.vectorize = vectorize
tf.saved_model.save(module, path, signatures={{"serving_default": classify}})
"""


class Requests(NamedTuple):
    """Good requests and malformed ones, ready to be sent."""

    good: list[bytes]
    malformed: list[bytes]


def make_requests(path: str) -> Requests:
    """Requests of one text each."""
    generator = random.Random(0)
    good = []
    for _ in range(TEXTS):
        number = round(WORDS_OF_TEXT * generator.uniform(0.8, 1.2))
        words = (f"word{generator.randrange(WORDS)}" for _ in range(number))
        good.append(_request(path, orjson.dumps({"instances": [" ".join(words)]})))
    malformed = [
        _request(path, body)
        for body in (b"{", b'{"instances": [1]}', b'{"instances": []}', b"[]", b"")
    ]
    return Requests(good, malformed)


def _request(path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Load(NamedTuple):
    """What came of sending requests.

    Attributes:
        milliseconds: Of each good request that was answered well.
        failed: What good requests were answered otherwise.
        malformed: How many malformed requests were refused.
        passed: How many malformed requests were not refused.
        seconds: That it took.
    """

    milliseconds: list[float]
    failed: list[bytes]
    malformed: int
    passed: int
    seconds: float

    def shown(self) -> str:
        """Requests per second and percentiles."""
        ordered = sorted(self.milliseconds)
        p50, p99 = (ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
        return (
            f"{len(ordered) / self.seconds:7.1f} requests/s, p50 {p50:6.1f} ms, "
            f"p99 {p99:6.1f} ms, {len(self.failed)} errors"
        )


class _Connection(asyncio.Protocol):
    """One connection of the closed loop."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_result(
                b"%d %b" % (self._parser.get_status_code(), self._body)
            )

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_result(b"the connection was closed")

    async def ask(self, request: bytes) -> bytes:
        """The status and the body that a request is answered with."""
        self._answer = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self._transport.write(request)  # type: ignore[attr-defined]
        return await self._answer


async def send_load(
    port: int,
    requests: Requests,
    connections: int,
    seconds: float = float("inf"),
    number: float = float("inf"),
    malformed_fraction: float = 0.0,
    ended: asyncio.Event | None = None,
) -> Load:
    """Sends requests in a closed loop, for so long, so many, or until it is ended."""
    generator = random.Random(1)
    milliseconds: list[float] = []
    failed: list[bytes] = []
    counts = {"refused": 0, "passed": 0, "sent": 0}
    begun = time.perf_counter()

    async def loop() -> None:
        _, connection = await asyncio.get_running_loop().create_connection(
            _Connection, "127.0.0.1", port
        )
        while time.perf_counter() - begun < seconds and counts["sent"] < number:
            if ended and ended.is_set():
                break
            counts["sent"] += 1
            if malformed_fraction and generator.random() < malformed_fraction:
                answer = await connection.ask(generator.choice(requests.malformed))
                counts["refused" if answer.startswith(b"400 ") else "passed"] += 1
                continue
            sent = time.perf_counter()
            answer = await connection.ask(generator.choice(requests.good))
            if answer.startswith(b"200 "):
                milliseconds.append((time.perf_counter() - sent) * 1000)
            else:
                failed.append(answer)

    await asyncio.gather(*(loop() for _ in range(connections)))
    return Load(
        milliseconds,
        failed,
        counts["refused"],
        counts["passed"],
        time.perf_counter() - begun,
    )


@contextlib.contextmanager
def served(name: str, version: Path) -> Iterator[tuple[int, str]]:
    """A server, warm: its process and the path to post to."""
    command = list(COMMANDS[name])
    if name == OURS:
        command += ["--models", str(version.parent.parent), "--rest-port", str(PORT)]
        command += ["--grpc-port", "0"]
        settings = version.parents[1] / "settings.yaml"
        settings.write_text(SETTINGS, encoding="utf-8")
        command += ["--settings", str(settings)]
        path = f"/v1/models/{version.parent.name}:predict"
    else:
        command += [str(version), str(PORT)]
        path = "/predict"
    # Some peers start processes of their own, which end with their group.
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    try:
        wait_until_answered(process, path)
        uvloop.run(send_load(PORT, make_requests(path), 32, seconds=3))
        yield process.pid, path
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until_answered(process: subprocess.Popen, path: str) -> None:
    """Waits until a request is answered well, two minutes at most."""
    requests = make_requests(path)
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError):
            if not uvloop.run(send_load(PORT, requests, 1, number=1)).failed:
                return
        time.sleep(0.2)
    raise SystemExit(f"{process.args}: no answer within two minutes")


def compare_speed(
    version: Path, servers: list[str], seconds: float, rounds: int
) -> None:
    """Measures the servers in turn, and prints each and the ratios of the medians."""
    rates: dict[tuple[str, int], list[float]] = {}
    for number in range(rounds):
        for name in servers:
            with served(name, version) as (process, path):
                for connections in CONNECTIONS:
                    used = processor_seconds(process)
                    load = uvloop.run(
                        send_load(PORT, make_requests(path), connections, seconds)
                    )
                    used = processor_seconds(process) - used
                    print(
                        f"round {number + 1}, {connections:3d} connections, "
                        f"{name:>13}: {load.shown()}, processor "
                        f"{used / len(load.milliseconds) * 1000:5.2f} ms per request",
                        flush=True,
                    )
                    rates.setdefault((name, connections), []).append(
                        len(load.milliseconds) / load.seconds
                    )
    if OURS not in servers or len(servers) < 2:
        return
    for connections in CONNECTIONS:
        medians = {
            name: statistics.median(rates[name, connections]) for name in servers
        }
        ours = medians.pop(OURS)
        best = max(medians, key=medians.__getitem__)
        print(
            f"{connections:3d} connections: {ours:.1f} requests/s, "
            f"{ours / medians[best]:.2f} times the best other ({best}, "
            f"{medians[best]:.1f})"
        )


def processor_seconds(group: int) -> float:
    """That the processes of a group have used so far."""
    ticks = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = status.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group or int(fields[3]) == group:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def swap_under_load(version: Path) -> None:
    """Changes the model's folder under load, and counts what went wrong."""
    model = version.parent
    ended = asyncio.Event()

    async def state_is(number: int, state: str) -> None:
        while (await asyncio.to_thread(states, model.name)).get(number) != state:
            await asyncio.sleep(0.2)

    async def change() -> None:
        for number in range(2, 12):
            shutil.copytree(version, model / str(number))
            await state_is(number, "AVAILABLE")
            await state_is(number - 1, "END")
            print(f"version {number} took over, {number - 1} is freed", flush=True)
        shutil.copytree(version, model / "12")
        for each in (model / "12" / "variables").iterdir():
            os.truncate(each, each.stat().st_size // 2)
        await state_is(12, "END")
        print("version 12, which is broken, did not take over", flush=True)
        shutil.rmtree(model / "11")
        await state_is(10, "AVAILABLE")
        print("version 11 was deleted, and 10 took over", flush=True)
        ended.set()

    async def load_meanwhile(path: str) -> Load:
        load, _ = await asyncio.gather(
            send_load(
                PORT, make_requests(path), 32, malformed_fraction=0.01, ended=ended
            ),
            change(),
        )
        return load

    with served(OURS, version) as (_, path):
        load = uvloop.run(load_meanwhile(path))
    print(f"{len(load.milliseconds):,} good requests: {load.shown()}")
    print(f"malformed: {load.malformed} refused, {load.passed} not")
    for answer in load.failed[:5]:
        print(f"failed: {answer[:200]!r}")


def states(model: str) -> dict[int, str]:
    """State by version."""
    url = f"http://127.0.0.1:{PORT}/v1/models/{model}"
    with urllib.request.urlopen(url, timeout=60) as answer:
        found = orjson.loads(answer.read())["model_version_status"]
    return {int(each["version"]): each["state"] for each in found}


def compare_memory(version: Path, first: int, requests: int) -> None:
    """Prints the server's memory after some requests and after many."""
    with served(OURS, version) as (process, path):
        sent = make_requests(path)
        memory = []
        for number in (first, requests - first):
            load = uvloop.run(send_load(PORT, sent, 32, number=number))
            assert not load.failed, load.failed[0]
            memory.append(resident_megabytes(process))
    print(f"after {first:,} requests: {memory[0]:.1f} MB")
    print(f"after {requests:,} requests: {memory[1]:.1f} MB")
    print(f"ratio: {memory[1] / memory[0]:.3f}")


def resident_megabytes(process: int) -> float:
    """Of a process, as the kernel counts it."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
