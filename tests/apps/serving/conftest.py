"""A server in a thread of the test's process, and clients of it."""

import asyncio
import contextlib
import threading
import time

import grpc
import httpx
import pytest
import served_models
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

SECONDS = 60


class Running:
    """A running server: where it is, and clients of it."""

    def __init__(self, server, rest_port, grpc_port):
        self.server = server
        self.rest_port = rest_port
        self.grpc_port = grpc_port
        self.url = f"http://127.0.0.1:{rest_port}"
        # The server closes idle connections, and one that it closes just now cannot be
        # used again.
        limits = httpx.Limits(keepalive_expiry=1)
        self.http = httpx.Client(base_url=self.url, timeout=SECONDS, limits=limits)
        self.channel = grpc.insecure_channel(f"127.0.0.1:{grpc_port}")
        self.predictions = prediction_service_pb2_grpc.PredictionServiceStub(
            self.channel
        )
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def post(self, path, body, **options):
        """The answer to a body: bytes, a string, or what becomes JSON."""
        content = {"content": body} if isinstance(body, bytes | str) else {"json": body}
        return self.http.post(path, **content, **options)

    def states(self, model):
        """State by version, as the status of the model has it."""
        answer = self.http.get(f"/v1/models/{model}")
        return {
            int(each["version"]): each["state"]
            for each in answer.json().get("model_version_status", [])
        }

    def until(self, condition):
        """Waits for a condition, which comes or the test fails."""
        end = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < end, "it did not happen within a minute"
            time.sleep(0.02)


@contextlib.contextmanager
def _serving(models, pages=None, **values):
    from recurra.apps.serving.server import Server
    from recurra.apps.serving.settings import make_settings
    from recurra.apps.serving.ui.answer_page import no_pages

    given = {"models": models, "rest_port": 0, "grpc_port": 0, "poll_seconds": 0.05}
    # The page takes longer to build than all the rest.
    settings = make_settings(None, {"ui": False, **given, **values})
    server = Server(settings, pages or no_pages)
    started = threading.Event()
    running, failures, ends = [], [], []

    async def run():
        stop = asyncio.Event()
        ends.append((asyncio.get_running_loop(), stop))
        try:
            async with server.running() as ports:
                running.append(Running(server, *ports))
                started.set()
                await stop.wait()
        except Exception as error:
            failures.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    started.wait(SECONDS)
    if failures:
        thread.join()
        raise failures[0]
    try:
        yield running[0]
    finally:
        running[0].http.close()
        running[0].channel.close()
        loop, stop = ends[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(SECONDS)
        assert not thread.is_alive()
        assert not failures


@pytest.fixture(scope="session")
def serving():
    """A function of a folder of models, pages and settings: a server as a context."""
    return _serving


@pytest.fixture(scope="session")
def documented_models(tmp_path_factory):
    """half_plus_two, half_plus_three and `kinds`; not to be changed."""
    folder = tmp_path_factory.mktemp("documented")
    for name, addend in (("half_plus_two", 2), ("half_plus_three", 3)):
        served_models.write_half_plus(folder / name / "00000123", addend)
    served_models.write_kinds(folder / "kinds" / "1")
    return folder


@pytest.fixture(scope="session")
def server(documented_models):
    """A server of the documented models, for tests that change nothing."""
    with _serving(documented_models) as running:
        yield running


@pytest.fixture(scope="session")
def scaled(tmp_path_factory):
    """Versions of a model that multiplies by 1, 2 and 3; copied with `put`."""
    folder = tmp_path_factory.mktemp("scaled")
    return {
        factor: served_models.write_scaled(
            folder / str(factor), factor, warmup=[[1.0], [2.0, 3.0]]
        )
        for factor in (1, 2, 3)
    }
