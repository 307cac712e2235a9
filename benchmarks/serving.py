"""What `recurra serve` stands: speed beside its peers, swaps under load, memory.

    python benchmarks/serving.py speed              # needs the extra bench
    python benchmarks/serving.py speed --servers "recurra serve" --processes 2
    python benchmarks/serving.py speed --servers "recurra serve --cluster"
    python benchmarks/serving.py beside
    python benchmarks/serving.py start
    python benchmarks/serving.py swaps
    python benchmarks/serving.py memory

The model takes raw texts and gives two classes: 256 tokens through a bidirectional LSTM
of 64 units. Every server is a process of its own, on this machine's loopback, and gets
the same requests, of one text of about 220 words, from a closed loop: each connection
sends its next request when it has its answer.

`speed` starts the servers one after another, several times round, measures each on 1,
32, 128 and 512 connections, and prints the medians, and beside them the processor time
of a request, which depends less on what else the machine does. `beside` asks one model
on 4 connections, alone and while 32 connections keep a slow one busy that writes step
by step. `start` takes the time from a start to the first answer, and what the server
takes then when nobody asks: memory and processor, with its page open in a browser too,
where a Chromium is installed. `swaps` sends requests on 32 connections, 1 % of them
malformed, while ten new versions take over in turn, then a broken one appears, and then
the served one is deleted. `memory` compares the server's memory after many requests
with that after few.

`beside` and `start` take models of yours: `--models saved_models`, and for `beside`
their names, `--asked sentiment --busy translation`. They are asked what warmed them up.
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
CONNECTIONS_BESIDE = {"asked": 4, "busy": 32}
SECONDS_IDLE = 20
# The model has no card that says so: the rows of a request do not depend on each other.
SETTINGS = "batching: {models: [reviews]}\nlimits: {requests: 512}\n"

OURS = "recurra serve"
ON_RAY = "recurra serve --cluster"
COMMANDS = {
    OURS: [sys.executable, "-m", "recurra.apps.main", "serve"],
    ON_RAY: [sys.executable, "-m", "recurra.apps.main", "serve", "--cluster", "local"],
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
    speed.add_argument("--connections", nargs="+", type=int, default=CONNECTIONS)
    speed.add_argument("--processes", type=int, default=1, help="of recurra serve")
    beside = commands.add_parser("beside")
    beside.add_argument("--seconds", type=float, default=20, help="per measurement")
    beside.add_argument("--asked", default="reviews")
    beside.add_argument("--busy", default="writer")
    start = commands.add_parser("start")
    for command in (beside, start):
        command.add_argument(
            "--models", type=Path, help="those of this file if left out"
        )
    commands.add_parser("swaps")
    memory = commands.add_parser("memory")
    memory.add_argument("--requests", type=int, default=100_000)
    memory.add_argument("--first", type=int, default=5_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        version = models / "reviews" / "1"
        if getattr(arguments, "models", None) is None:
            build(BUILD, version, str(WORDS), str(TOKENS))
        if arguments.command == "speed":
            compare_speed(version, arguments)
        elif arguments.command == "beside":
            if arguments.models is None:
                build(BUILD_WRITER, models / "writer" / "1")
            compare_beside(
                arguments.models or models,
                arguments.asked,
                arguments.busy,
                arguments.seconds,
            )
        elif arguments.command == "start":
            show_start(arguments.models or models)
        elif arguments.command == "swaps":
            swap_under_load(version)
        else:
            compare_memory(version, arguments.first, arguments.requests)


def build(code: str, version: Path, *arguments: str) -> None:
    """Runs what saves a model as a version, without its noise."""
    subprocess.run(
        [sys.executable, "-c", code, str(version), *arguments],
        check=True,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
    )


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


# Step by step, as a decoder does: nothing of it can be done at once.
BUILD_WRITER = """
import sys

import tensorflow as tf

UNITS, STEPS = 512, 60


class Writer(tf.Module):
    def __init__(self):
        super().__init__()
        generator = tf.random.Generator.from_seed(0)
        self.kernel = tf.Variable(generator.normal([UNITS, UNITS], stddev=0.04))
        self.words = tf.Variable(generator.normal([UNITS, 8000], stddev=0.04))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def write(self, text):
        length = tf.cast(tf.strings.length(text), tf.float32)
        state = tf.tile(length[:, tf.newaxis] / 1000.0, [1, UNITS])
        written = tf.zeros([tf.shape(text)[0]], tf.int64)
        for _ in tf.range(STEPS):
            state = tf.tanh(state @ self.kernel)
            written += tf.argmax(state @ self.words, 1)
        return {"written": written}


writer = Writer()
tf.saved_model.save(writer, sys.argv[1], {"serving_default": writer.write})
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


def example_requests(models: list[str]) -> dict[str, Requests]:
    """By model the request that the server gives as an example."""
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/openapi.json") as answer:
        paths = orjson.loads(answer.read())["paths"]
    found = {}
    for model in models:
        path = f"/v1/models/{model}:predict"
        content = paths[path]["post"]["requestBody"]["content"]["application/json"]
        body = orjson.dumps(content["examples"]["serving_default"]["value"])
        found[model] = Requests([_request(path, body)], [])
    return found


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

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return len(self.milliseconds) / self.seconds

    def percentile(self, share: float) -> float:
        """Milliseconds within which this share of the good answers came."""
        ordered = sorted(self.milliseconds)
        return ordered[int(len(ordered) * share)]

    def shown(self) -> str:
        """Requests per second and percentiles."""
        return (
            f"{self.rate:7.1f} requests/s, p50 {self.percentile(0.5):6.1f} ms, "
            f"p99 {self.percentile(0.99):6.1f} ms, {len(self.failed)} errors"
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
def served(name: str, version: Path, *options: str) -> Iterator[tuple[int, str]]:
    """A server, warm: its process and the path to post to."""
    if name in (OURS, ON_RAY):
        command = our_command(version.parent.parent, *options, name=name)
        path = f"/v1/models/{version.parent.name}:predict"
    else:
        command = [*COMMANDS[name], str(version), str(PORT)]
        path = "/predict"
    with started(command) as process:
        wait_until_answered(process, make_requests(path))
        uvloop.run(send_load(PORT, make_requests(path), 32, seconds=3))
        yield process.pid, path


def our_command(models: Path, *options: str, name: str = OURS) -> list[str]:
    """Serves a folder, with settings that its own file may have."""
    command = [*COMMANDS[name], "--models", str(models), "--rest-port", str(PORT)]
    if (models / "reviews").is_dir():
        settings = models / "settings.yaml"
        settings.write_text(SETTINGS, encoding="utf-8")
        command += ["--settings", str(settings)]
    return [*command, *(["--grpc-port", "0"] if name == OURS else []), *options]


@contextlib.contextmanager
def started(command: list[str]) -> Iterator[subprocess.Popen]:
    """A process, ended with all that it has started."""
    # Some peers start processes of their own, which end with their group.
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until_answered(process: subprocess.Popen, requests: Requests) -> None:
    """Waits until a request is answered well, two minutes at most."""
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError):
            if not uvloop.run(send_load(PORT, requests, 1, number=1)).failed:
                return
        time.sleep(0.2)
    raise SystemExit(f"{process.args}: no answer within two minutes")


def compare_speed(version: Path, arguments: argparse.Namespace) -> None:
    """Measures the servers in turn, and prints each, and the medians as a table."""
    measured: dict[tuple[str, int], list[tuple[float, ...]]] = {}
    for number in range(arguments.rounds):
        for name in arguments.servers:
            processes = ("--processes", str(arguments.processes))
            options = processes if name == OURS and arguments.processes > 1 else ()
            with served(name, version, *options) as (process, path):
                for connections in arguments.connections:
                    used = processor_seconds(process)
                    load = uvloop.run(
                        send_load(
                            PORT, make_requests(path), connections, arguments.seconds
                        )
                    )
                    used = processor_seconds(process) - used
                    used *= 1000 / len(load.milliseconds)
                    print(
                        f"round {number + 1}, {connections:3d} connections, "
                        f"{name:>13}: {load.shown()}, processor {used:5.2f} ms per "
                        "request",
                        flush=True,
                    )
                    measured.setdefault((name, connections), []).append(
                        (
                            load.rate,
                            *map(load.percentile, (0.5, 0.99)),
                            used,
                            len(load.failed),
                        )
                    )
    print(
        "\n| connections | server | requests/s | p50, ms | p99, ms | "
        "processor of a request, ms | failed | requests/s, by the best other |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    medians = {
        key: [statistics.median(each) for each in zip(*values, strict=True)]
        for key, values in measured.items()
    }
    for connections in arguments.connections:
        for name in arguments.servers:
            rate, p50, p99, used, failed = medians[name, connections]
            others = [medians[other, connections][0] for other in arguments.servers]
            others.remove(rate)
            ratio = f"{rate / max(others):.2f}" if others else ""
            print(
                f"| {connections} | {name} | {rate:.1f} | {p50:.1f} | {p99:.1f} | "
                f"{used:.2f} | {failed:.0f} | {ratio} |"
            )


def processor_seconds(process: int) -> float:
    """That a process and all that it has started have used so far."""
    parents, ticks = {}, {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = status.read_text().rpartition(")")[2].split()
            number = int(status.parent.name)
            # What is started apart has the process as its group or session.
            groups = {int(fields[2]), int(fields[3])}
            parents[number] = process if process in groups else int(fields[1])
            ticks[number] = int(fields[11]) + int(fields[12])
    family = {process}
    while grown := {each for each in parents if parents[each] in family} - family:
        family |= grown
    return sum(map(ticks.get, family)) / os.sysconf("SC_CLK_TCK")  # type: ignore[arg-type]


def compare_beside(models: Path, asked: str, busy: str, seconds: float) -> None:
    """Prints how one model answers alone, and while another is kept busy."""

    async def both(requests: dict[str, Requests]) -> tuple[Load, Load]:
        ended = asyncio.Event()
        busy_load = asyncio.create_task(
            send_load(PORT, requests[busy], CONNECTIONS_BESIDE["busy"], ended=ended)
        )
        await asyncio.sleep(2)
        load = await send_load(
            PORT, requests[asked], CONNECTIONS_BESIDE["asked"], seconds
        )
        ended.set()
        return load, await busy_load

    with started(our_command(models, "--no-ui")) as process:
        wait_until_there(process)
        requests = example_requests([asked, busy])
        if asked == "reviews":
            requests[asked] = make_requests(f"/v1/models/{asked}:predict")
        for model in requests.values():
            wait_until_answered(process, model)
        # Both joined and alone are warm then.
        uvloop.run(send_load(PORT, requests[asked], 32, seconds=3))
        alone = uvloop.run(
            send_load(PORT, requests[asked], CONNECTIONS_BESIDE["asked"], seconds)
        )
        beside, other = uvloop.run(both(requests))
    print("| | requests/s | p50, ms | p99, ms | failed |\n|---|---|---|---|---|")
    for name, load in (
        (f"{asked} alone", alone),
        (f"{asked} beside {busy}", beside),
        (busy, other),
    ):
        p50, p99 = map(load.percentile, (0.5, 0.99))
        print(
            f"| {name} | {load.rate:.1f} | {p50:.1f} | {p99:.1f} | {len(load.failed)} |"
        )
    ratio = beside.percentile(0.99) / alone.percentile(0.99)
    print(f"p99 beside {busy} is {ratio:.2f} times that alone")


def wait_until_there(process: subprocess.Popen) -> None:
    """Waits until the server says that models can be asked, two minutes at most."""
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/v2/health/ready").close()
            return
        time.sleep(0.02)
    raise SystemExit(f"{process.args}: not ready within two minutes")


def show_start(models: Path) -> None:
    """Prints the time until each model has answered once, and what idling takes."""
    begun = time.monotonic()
    with started(our_command(models)) as process:
        wait_until_there(process)
        ready = time.monotonic() - begun
        names = sorted(path.parent.name for path in models.glob("*/[0-9]*"))
        for requests in example_requests(sorted(set(names))).values():
            load = uvloop.run(send_load(PORT, requests, 1, number=1))
            assert not load.failed, load.failed
        answered = time.monotonic() - begun
        print(
            f"ready after {ready:.1f} s; each model had answered after {answered:.1f} s"
        )
        print(f"memory: {resident_megabytes(process.pid):.0f} MB")
        print(f"processor, page shut: {idle_percent(process.pid):.2f} % of a core")
        with page_open() as is_open:
            if is_open:
                used = idle_percent(process.pid)
                print(f"processor, page open: {used:.2f} % of a core")


def idle_percent(process: int) -> float:
    """Of a core, that a process uses when nobody asks."""
    time.sleep(2)
    used = processor_seconds(process)
    time.sleep(SECONDS_IDLE)
    return (processor_seconds(process) - used) / SECONDS_IDLE * 100


@contextlib.contextmanager
def page_open() -> Iterator[bool]:
    """The page in a browser within the context, if there is one."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        chromium = None
    if chromium is None:
        print("processor, page open: no Chromium or playwright is installed")
        yield False
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{PORT}/ui/")
        page.get_by_role("button").first.wait_for()
        yield True
        browser.close()


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
