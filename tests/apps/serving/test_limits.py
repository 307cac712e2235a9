"""Limits: what is beyond them is refused, and the server goes on."""

import asyncio
import contextlib
import gzip
import json
import socket
import threading

import grpc
import pytest
import served_models
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from recurra.apps.serving.errors import ServingError
from recurra.apps.serving.models import deadlines
from recurra.apps.serving.models.running import Runner
from recurra.apps.serving.protocols.http import Bodies, Request
from recurra.apps.serving.settings import Limits

ONE = {"instances": [1.0]}
FAST = "/v1/models/fast:predict"
SLOW = "/v1/models/slow:predict"
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST %b HTTP/1.1\r\nHost: localhost\r\n" % FAST.encode()
# Of 64 x 64 matrices: longer than any time that is allowed below.
ROUNDS = 10_000_000


@pytest.fixture(scope="module")
def models(scaled, tmp_path_factory):
    folder = tmp_path_factory.mktemp("limited")
    served_models.put(scaled[1], folder / "fast" / "1")
    served_models.write_scaled(folder / "slow" / "1", 1, rounds=ROUNDS)
    return folder


def queue_of_slow(server):
    lines = server.http.get("/metrics").text.splitlines()
    begin = 'recurra_serving_queue_length{model="slow",version="1"} '
    (value,) = [line.removeprefix(begin) for line in lines if line.startswith(begin)]
    return float(value)


def test_a_warm_up_may_take_longer_than_a_request(serving, tmp_path):
    served_models.write_scaled(
        tmp_path / "slow" / "1", 1, rounds=20_000, warmup=[[1.0]]
    )
    with serving(tmp_path, limits={"seconds": 1e-3}) as server:
        ready = server.http.get("/v1/models/slow/versions/1").json()
        assert ready["model_version_status"][0]["state"] == "AVAILABLE"
        assert server.post(SLOW, ONE).status_code == 504


def test_a_body_beyond_the_limit(serving, models):
    with serving(models, limits={"body_megabytes": 0.01}) as server:
        many = {"instances": [1.0] * 5000}
        said = server.post(FAST, many)
        assert said.status_code == 413
        assert said.json() == {"error": "The body is longer than 10485 bytes"}

        def in_parts():
            for _ in range(20):
                yield b" " * 1000

        assert server.http.post(FAST, content=in_parts()).status_code == 413
        bomb = gzip.compress(b" " * 1_000_000)
        zipped = server.post(FAST, bomb, headers={"content-encoding": "gzip"})
        assert zipped.status_code == 413
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "fast"
        request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0] * 5000))
        with pytest.raises(grpc.RpcError) as raised:
            server.predictions.Predict(request, 30)
        assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert server.post(FAST, ONE).json() == {"predictions": [1.0]}


def test_rows_beyond_the_limit(serving, models):
    with serving(models, limits={"rows": 3}) as server:
        answer = server.post(FAST, {"instances": [1.0] * 4})
        assert answer.status_code == 413
        assert answer.json() == {"error": "Input x has 4 rows; expected at most 3"}
        assert server.post(FAST, {"instances": [1.0] * 3}).status_code == 200


def test_time_beyond_the_limit_and_too_many_at_once(serving, models):
    with serving(models, limits={"seconds": 2.0, "requests": 3}) as server:
        slow = []
        threads = [
            threading.Thread(target=lambda: slow.append(server.post(SLOW, ONE)))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        server.until(lambda: queue_of_slow(server) == 3)
        refused = server.post(SLOW, ONE)
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "1"
        assert "as many as are allowed" in refused.json()["error"]
        # Another model has threads and a queue of its own.
        assert server.post(FAST, ONE).json() == {"predictions": [1.0]}
        assert not slow
        for thread in threads:
            thread.join()
        assert [answer.status_code for answer in slow] == [504] * 3
        assert slow[0].json() == {"error": "Timed out after 2 s"}
        # TensorFlow gives up too.
        server.until(lambda: queue_of_slow(server) == 0)


def test_a_deadline_of_a_grpc_client(serving, models):
    with serving(models, limits={"seconds": 300}) as server:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "slow"
        request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0]))
        with pytest.raises(grpc.RpcError) as raised:
            server.predictions.Predict(request, 1)
        assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        # The run ends too, long before any limit of the server.
        server.until(lambda: queue_of_slow(server) == 0)
        request.model_spec.name = "fast"
        assert server.predictions.Predict(request, 30).outputs["y"].float_val == [1.0]


def test_a_deadline_that_is_over():
    """gRPC gives 0 seconds then, and None where there is no deadline."""

    async def ask(seconds):
        async with Runner(Limits()).admitted("fast", seconds):
            await asyncio.sleep(0.001)
            return deadlines.current.get().seconds

    with pytest.raises(ServingError, match="Timed out after 0 s"):
        asyncio.run(ask(0.0))
    assert asyncio.run(ask(None)) == Limits().seconds


def test_a_full_queue_of_batches(serving, models):
    batching = {"rows": 1, "queued_batches": 1, "threads": 1, "models": ["slow"]}
    with serving(models, batching=batching, limits={"seconds": 2.0}) as server:
        refused = []

        def send():
            while not refused:
                answer = server.post(SLOW, ONE)
                assert answer.status_code in (429, 504)
                if answer.status_code == 429:
                    refused.append(answer)

        threads = [threading.Thread(target=send) for _ in range(6)]
        for thread in threads:
            thread.start()
        server.until(lambda: refused)
        for thread in threads:
            thread.join()
        assert refused[0].json() == {"error": "The queue of the model is full"}
        assert refused[0].headers["retry-after"] == "1"


@pytest.fixture(scope="module")
def impatient(serving, tmp_path_factory):
    """A server without models that waits for nobody."""
    limits = {
        "head_kilobytes": 4,
        "head_seconds": 0.5,
        "body_seconds": 0.5,
        "keep_alive_seconds": 0.5,
        "body_megabytes": 0.01,
        "bodies_megabytes": 0.015,
        "connections": 8,
    }
    with serving(tmp_path_factory.mktemp("none"), limits=limits) as running:
        yield running


def said(server, *parts):
    """The status line and the body that raw bytes are answered with, until the end."""
    with socket.create_connection(("127.0.0.1", server.rest_port), 60) as connection:
        for part in parts:
            connection.sendall(part)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while received := connection.recv(65536):
                answer += received
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.partition(b"\r\n")[0].decode(), body.decode()


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([b"GET /" + b"a" * 5000], "431"),
        ([b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n"], "431"),
        ([GET + b"X: " + b"a" * 5000], "431"),
        ([GET + b"X: a\r\n" * 1000], "431"),
        ([b"no HTTP\r\n\r\n"], "400"),
        # What never comes to its end.
        ([GET + b"X: a"], "408"),
        ([POST + b"Content-Length: 10\r\n\r\n{"], "408"),
        ([GET + b"Content-Length: 10\r\n\r\n"], "200"),
        ([POST + b"Content-Length: 99999999\r\n\r\n"], "413"),
        ([POST + b"Content-Length: %b\r\n\r\n" % (b"9" * 30)], "400"),
    ],
)
def test_what_comes_before_the_application_runs(impatient, parts, status):
    line, body = said(impatient, *parts)
    assert line.startswith(f"HTTP/1.1 {status} "), (line, body)
    if status != "200":
        assert set(json.loads(body)) == {"error"}


def test_who_says_nothing_is_let_go(impatient):
    assert said(impatient) == ("", "")
    # And who says nothing more.
    assert said(impatient, GET + b"\r\n")[0].startswith("HTTP/1.1 200 ")


def test_more_connections_than_there_may_be(impatient):
    address = ("127.0.0.1", impatient.rest_port)
    with contextlib.ExitStack() as connections:
        for _ in range(8):
            connections.enter_context(socket.create_connection(address, 60))
        line, body = said(impatient, GET + b"\r\n")
        assert line.startswith("HTTP/1.1 503 "), (line, body)
    impatient.until(
        lambda: said(impatient, GET + b"\r\n")[0].startswith("HTTP/1.1 200")
    )


def test_bodies_that_take_too_much_together(impatient):
    """A slow one holds its room until it is let go, and no slot of a model."""
    address = ("127.0.0.1", impatient.rest_port)
    with socket.create_connection(address, 60) as slow:
        slow.sendall(POST + b"Content-Length: 10000\r\n\r\n" + b" " * 9999)
        impatient.until(lambda: impatient.post(FAST, b" " * 9000).status_code == 429)
    impatient.until(lambda: impatient.post(FAST, b" " * 9000).status_code == 404)


def test_zipped_bodies_take_the_room_of_what_they_hold():
    bodies = Bodies(Limits(body_megabytes=0.01, bodies_megabytes=0.015))

    def body():
        async def receive():
            return {"type": "http.request", "body": gzip.compress(b" " * 9000)}

        headers = [(b"content-encoding", b"gzip")]
        scope = {"method": "POST", "raw_path": b"/", "headers": headers}
        return bodies.of(Request(scope, receive, None))

    async def ask():
        async with body() as first:
            assert len(first) == 9000
            with pytest.raises(ServingError, match="take all the room"):
                await body().__aenter__()
        async with body() as again:
            assert again == first

    asyncio.run(ask())
