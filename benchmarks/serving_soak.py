"""An hour of everything at once: what `recurra serve` fails, and what it grows by.

    python benchmarks/serving_soak.py                   # an hour, 300 requests a second
    python benchmarks/serving_soak.py --minutes 10

Requests of all kinds (TensorFlow Serving's REST and gRPC, the Open Inference Protocol
with JSON and bytes, texts as events, status, metadata, metrics) on 24 connections, and
1 % that are malformed, endless, or given up half way. Meanwhile a new version of a
model takes over every minute, a broken one appears twice, and the server gets a SIGHUP
twice a minute. The models are the small ones of the tests.

It prints a line a minute, and at the end: good requests that failed, hostile ones that
were answered otherwise than by a refusal, the counts of each kind by what was answered,
and the server's memory after the first twentieth and at the end. It fails if a good
request did, or if memory has grown by more than 5 %.
"""

import argparse
import asyncio
import collections
import contextlib
import gzip
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import httptools
import numpy as np
from serving import PORT, our_command, resident_megabytes, started, states
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

CONNECTIONS = 24
HOSTILE_FRACTION = 0.01
SECONDS_BETWEEN_SWAPS = 60
SECONDS_BETWEEN_SIGHUPS = 30
GRPC_PORT = PORT + 1
TESTS = Path(__file__).parents[1] / "tests" / "apps" / "serving"

# The versions of `scaled` multiply by 1 and 2 in turn.
FACTORS = (1, 2)
BUILD = f"""
import pathlib, sys
sys.path.insert(0, {str(TESTS)!r})
import answer_models, served_models
folder = pathlib.Path(sys.argv[1])
served_models.write_half_plus(folder / "models" / "half_plus_two" / "1", 2)
served_models.write_kinds(folder / "models" / "kinds" / "1")
answer_models.write_continuation(folder / "models" / "stories" / "1")
for factor in {FACTORS}:
    served_models.write_scaled(folder / f"scaled-{{factor}}", factor, warmup=[[1.0]])
"""


class Answer:
    """Of a request over HTTP; reads one from a connection."""

    def __init__(self) -> None:
        self.body = b""
        self.is_whole = False

    def on_body(self, body: bytes) -> None:
        """Appends a part of the body."""
        self.body += body

    def on_message_complete(self) -> None:
        """Notes that all is there."""
        self.is_whole = True

    @classmethod
    async def read(cls, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        """The status and the body; 0 if the connection ends before."""
        answer = cls()
        parser = httptools.HttpResponseParser(answer)
        while not answer.is_whole:
            received = await reader.read(65536)
            if not received:
                return 0, answer.body
            parser.feed_data(received)
        return parser.get_status_code(), answer.body


def raw(verb: str, path: str, body: bytes = b"", *headers: str) -> bytes:
    """A request over HTTP as it is sent."""
    lines = [f"{verb} {path} HTTP/1.1", "Host: localhost", *headers]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def posted(path: str, document: object, *headers: str) -> bytes:
    """A request with a JSON body."""
    return raw("POST", path, json.dumps(document).encode(), *headers)


def are_scaled(values: list[float], x: float) -> bool:
    """Whether one of the versions of `scaled` has made these of x."""
    return values in [[x * factor] for factor in FACTORS]


def with_bytes(x: np.ndarray) -> bytes:
    """A request of the Open Inference Protocol with a tensor as bytes."""
    head = json.dumps(
        {
            "inputs": [
                {
                    "name": "x",
                    "shape": list(x.shape),
                    "datatype": "FP32",
                    "parameters": {"binary_data_size": x.nbytes},
                }
            ]
        }
    ).encode()
    header = f"Inference-Header-Content-Length: {len(head)}"
    return raw("POST", "/v2/models/kinds/infer", head + x.tobytes(), header)


EXAMPLE = {"signature_name": "classify_x_to_y", "examples": [{"x": 2.0}]}
# By kind, what is sent and whether the body of the answer is right.
GOOD: dict[str, tuple[bytes, Callable[[bytes], bool]]] = {
    "rows": (
        posted("/v1/models/scaled:predict", {"instances": [3.0]}),
        lambda body: are_scaled(json.loads(body)["predictions"], 3.0),
    ),
    "columns": (
        posted("/v1/models/kinds:predict", {"inputs": {"x": [[1.0, 2.0]]}}),
        lambda body: json.loads(body) == {"outputs": [[1.0, 4.0]]},
    ),
    "zipped": (
        raw(
            *("POST", "/v1/models/scaled:predict"),
            gzip.compress(b'{"instances": [3.0]}'),
            "Content-Encoding: gzip",
        ),
        lambda body: are_scaled(json.loads(body)["predictions"], 3.0),
    ),
    "classify": (
        posted("/v1/models/half_plus_two:classify", EXAMPLE),
        lambda body: json.loads(body) == {"results": [[["", 3.0]]]},
    ),
    "infer": (
        posted(
            "/v2/models/kinds/infer",
            {
                "inputs": [
                    {
                        "name": "x",
                        "shape": [1, 2],
                        "datatype": "FP32",
                        "data": [1.0, 2.0],
                    }
                ]
            },
        ),
        lambda body: json.loads(body)["outputs"][0]["data"] == [1.0, 4.0],
    ),
    "infer, bytes": (
        with_bytes(np.array([[1.0, 2.0]], "<f4")),
        lambda body: b'"data":[1.0,4.0]' in body,
    ),
    "events": (
        posted(
            "/v1/models/stories:generate",
            {"prompt": "Count:", "seed": 7, "length": 3, "stream": True},
        ),
        lambda body: body.endswith(b"event: end\ndata: {}\n\n"),
    ),
    "status": (
        raw("GET", "/v1/models/scaled"),
        lambda body: b"AVAILABLE" in body,
    ),
    "metadata": (
        raw("GET", "/v1/models/kinds/metadata"),
        lambda body: b"signature_def" in body,
    ),
    "metrics": (
        raw("GET", "/metrics"),
        lambda body: b"recurra_serving_requests_total" in body,
    ),
}
# Most requests ask models.
WEIGHTS = [1 if name in ("metadata", "metrics", "events") else 10 for name in GOOD]
GRPC_SHARE = 0.2

# What is sent, and which statuses refuse it; 0 is the end of the connection.
HOSTILE: dict[str, tuple[bytes, set[int]]] = {
    "cut off": (raw("POST", "/v1/models/scaled:predict", b'{"instances": ['), {400}),
    "nested": (raw("POST", "/v1/models/scaled:predict", b"[" * 100_000), {400}),
    "another type": (
        posted("/v1/models/scaled:predict", {"instances": ["x"]}),
        {400},
    ),
    "what the model refuses": (
        posted(
            "/v1/models/kinds:predict",
            {"signature_name": "divided", "instances": [0.0]},
        ),
        {400},
    ),
    "many rows": (
        posted("/v1/models/scaled:predict", {"instances": [1.0] * 5000}),
        {413},
    ),
    "no model": (posted("/v1/models/none:predict", {"instances": [1]}), {404}),
    "a long URL": (raw("GET", "/" + "a" * 100_000), {431, 0}),
    "another host": (b"GET /v2 HTTP/1.1\r\nHost: evil.example.org\r\n\r\n", {421}),
    "no HTTP": (b"\x16\x03\x01\x02\r\n\r\n", {400, 0}),
    "no gzip": (
        raw("POST", "/v1/models/scaled:predict", b"no", "Content-Encoding: gzip"),
        {400},
    ),
    "a shape of gigabytes": (
        posted(
            "/v2/models/kinds/infer",
            {
                "inputs": [
                    {"name": "x", "shape": [1, 2**40], "datatype": "FP32", "data": []}
                ]
            },
        ),
        {400, 413},
    ),
}
# Whose client has gone before the answer is there.
GIVEN_UP = {
    "half a body": raw("POST", "/v1/models/scaled:predict", b" " * 1000)[:-500],
    "an endless text": posted(
        "/v1/models/stories:generate",
        {"prompt": "", "stream": True, "length": 10**9, "seed": -(2**30)},
    ),
}


class Soak:
    """All that goes on at once, and what has come of it.

    Args:
        folder: With the models to serve, and the versions to add.
        process: The server's.
        seconds: How long.
        rate: Requests per second.
    """

    def __init__(self, folder: Path, process: int, seconds: float, rate: float):
        self._folder = folder
        self._process = process
        self._rate = rate
        self._random = random.Random(0)
        self._begun = time.monotonic()
        self._seconds = seconds
        self._sent = 0
        self.counts: collections.Counter[tuple[str, str]] = collections.Counter()
        self.failed: list[str] = []
        self.passed: list[str] = []
        self.memory: list[float] = []

    async def run(self) -> None:
        """Goes on until the time is over."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{GRPC_PORT}") as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            others: list[Callable[[], Awaitable[None]]] = [
                *(self._swap, self._send_signals, self._tell)
            ]
            tasks = [asyncio.create_task(each()) for each in others]
            clients = (self._client(stub) for _ in range(CONNECTIONS))
            await asyncio.gather(*clients)
            for task in tasks:
                task.cancel()
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                if not isinstance(ended, asyncio.CancelledError):
                    raise ended or AssertionError("it ended by itself")
        self.memory.append(resident_megabytes(self._process))

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._begun

    async def _client(
        self, stub: prediction_service_pb2_grpc.PredictionServiceStub
    ) -> None:
        reader, writer = await self._connected()
        while self._elapsed < self._seconds:
            self._sent += 1
            await asyncio.sleep(self._sent / self._rate - self._elapsed)
            if self._random.random() < HOSTILE_FRACTION:
                await self._send_hostile()
            elif self._random.random() < GRPC_SHARE:
                await self._ask_grpc(stub)
            else:
                (name,) = self._random.choices(list(GOOD), WEIGHTS)
                if not await self._ask(name, reader, writer):
                    writer.close()
                    reader, writer = await self._connected()
        writer.close()

    @staticmethod
    async def _connected() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", PORT)

    async def _ask(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Sends a good request; gives whether the connection is still of use."""
        request, is_right = GOOD[name]
        status, body = 0, b""
        with contextlib.suppress(OSError):
            writer.write(request)
            status, body = await Answer.read(reader)
        if status != 200 or not is_right(body):
            self.failed.append(f"{name}: {status} {body[:200]!r}")
        self.counts[name, str(status)] += 1
        return status != 0

    async def _ask_grpc(
        self, stub: prediction_service_pb2_grpc.PredictionServiceStub
    ) -> None:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "scaled"
        tensor = request.inputs["x"]
        tensor.dtype = 1
        tensor.tensor_shape.dim.add(size=1)
        tensor.float_val.append(3.0)
        code = "OK"
        try:
            response = await stub.Predict(request, timeout=60)
            if not are_scaled(list(response.outputs["y"].float_val), 3.0):
                self.failed.append(f"gRPC: {response}")
        except grpc.RpcError as error:
            code = error.code().name
            self.failed.append(f"gRPC: {code} {error.details()}")
        self.counts["gRPC", code] += 1

    async def _send_hostile(self) -> None:
        name = self._random.choice([*HOSTILE, *GIVEN_UP])
        reader, writer = await self._connected()
        status = "given up"
        with contextlib.suppress(OSError):
            if name in GIVEN_UP:
                writer.write(GIVEN_UP[name])
                await asyncio.sleep(self._random.random() / 2)
            else:
                request, refused = HOSTILE[name]
                answered = 0
                with contextlib.suppress(OSError):
                    writer.write(request)
                    answered, body = await Answer.read(reader)
                if answered not in refused:
                    self.passed.append(f"{name}: {answered} {body[:200]!r}")
                status = str(answered)
        writer.close()
        self.counts[f"hostile: {name}", status] += 1

    async def _swap(self) -> None:
        """Adds a version a minute; a broken one after a third and two thirds."""
        model = self._folder / "models" / "scaled"
        broken_after = [self._seconds / 3, 2 * self._seconds / 3]
        for number in itertools.count(2):
            await asyncio.sleep(SECONDS_BETWEEN_SWAPS)
            template = self._folder / f"scaled-{FACTORS[number % len(FACTORS)]}"
            is_broken = bool(broken_after) and self._elapsed > broken_after[0]
            if is_broken:
                broken_after.pop(0)
            await asyncio.to_thread(_put, template, model / str(number), is_broken)
            expected = "END" if is_broken else "AVAILABLE"
            while (await asyncio.to_thread(states, "scaled")).get(number) != expected:
                await asyncio.sleep(0.5)
            # As many as stay are those before it, of which the last sound one answers.
            for old in sorted(model.iterdir(), key=lambda each: int(each.name))[:-3]:
                await asyncio.to_thread(shutil.rmtree, old)

    async def _send_signals(self) -> None:
        while True:
            await asyncio.sleep(SECONDS_BETWEEN_SIGHUPS)
            os.kill(self._process, signal.SIGHUP)

    async def _tell(self) -> None:
        """Takes the first memory, and prints a line a minute."""
        await asyncio.sleep(self._seconds / 20)
        self.memory.append(resident_megabytes(self._process))
        while True:
            print(
                f"{self._elapsed / 60:5.1f} minutes: {self.counts.total():,} requests, "
                f"{len(self.failed)} failed, {len(self.passed)} not refused, "
                f"{resident_megabytes(self._process):.0f} MB",
                flush=True,
            )
            await asyncio.sleep(60)


def _put(template: Path, version: Path, is_broken: bool) -> None:
    """Puts a version in place at once, as one should."""
    aside = version.parents[2] / f"aside-{version.name}"
    shutil.copytree(template, aside)
    if is_broken:
        for each in (aside / "variables").iterdir():
            os.truncate(each, each.stat().st_size // 2)
    version.parent.mkdir(exist_ok=True)
    aside.rename(version)


def main() -> None:
    """Soaks a server, and prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=300, help="requests per second")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        subprocess.run(
            [sys.executable, "-c", BUILD, place], check=True, stderr=subprocess.DEVNULL
        )
        _put(folder / "scaled-1", folder / "models" / "scaled" / "1", is_broken=False)
        command = our_command(folder / "models", "--grpc-port", str(GRPC_PORT))
        with started(command) as process:
            seconds = arguments.minutes * 60
            soak = asyncio.run(_soaked(folder, process, seconds, arguments.rate))
    for (name, status), number in sorted(soak.counts.items()):
        print(f"{name:40} {status:20} {number:9,}")
    for title, found in (("failed", soak.failed), ("not refused", soak.passed)):
        print(f"{title}: {len(found)}")
        for each in found[:5]:
            print(f"    {each}")
    first, last = soak.memory
    print(f"memory: {first:.0f} MB at first, {last:.0f} MB at last: {last / first:.3f}")
    sys.exit(bool(soak.failed) or last > 1.05 * first)


async def _soaked(
    folder: Path, process: subprocess.Popen, seconds: float, rate: float
) -> Soak:
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError):
            if "AVAILABLE" in (await asyncio.to_thread(states, "scaled")).values():
                break
        await asyncio.sleep(0.2)
    if process.poll() is not None:
        raise SystemExit(f"{process.args}: ended; is port {PORT} taken?")
    soak = Soak(folder, process.pid, seconds, rate)
    await soak.run()
    return soak


if __name__ == "__main__":
    main()
