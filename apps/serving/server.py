"""The server: both APIs over one set of models, from start to graceful stop."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from functools import partial

import fastapi
import grpc
import uvicorn
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tensorflow_serving.apis import (
    model_service_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2,
    prediction_service_pb2_grpc,
)

from . import metrics as metrics_page
from .access import GrpcAccess, HttpAccess, Keys
from .errors import ServingError
from .metrics import Metrics
from .models.configuration import (
    ModelConfig,
    read_model_configs,
    with_batching_parameters,
)
from .models.loading import set_aside
from .models.running import Runner
from .models.versions import Repository
from .protocols.connections import Connection
from .protocols.grpc_calls import Calls
from .protocols.grpc_inference import InferenceService
from .protocols.grpc_services import ModelService, PredictionService
from .protocols.http import JSON, Bodies, Endpoint, Receive, Scope, Send, error_answer
from .protocols.inference_messages import SERVICE as INFERENCE_SERVICE
from .protocols.kserve import KServeApi
from .protocols.openapi import describe
from .protocols.origins import Origins
from .protocols.prediction_log import ANSWERS
from .protocols.rest import RestApi
from .settings import Settings, StartError, port_taken
from .siblings import Sibling
from .ui.answer_page import PageFactory, no_pages
from .ui.asking import Asker
from .ui.mounting import mounted

logger = logging.getLogger("recurra.serving")

SERVICES = (
    prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"].full_name,
    model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name,
)

BACKLOG = 2048

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Server:
    """A server of a folder of models.

    Args:
        settings: The server's.
        pages: Makes the pages of kinds of answers, if there is a page at all.
        sibling: Of several processes that serve, this one.

    Raises:
        StartError: If a file of the settings is wrong.
    """

    def __init__(
        self,
        settings: Settings,
        pages: PageFactory = no_pages,
        sibling: Sibling | None = None,
    ):
        self.settings = settings
        self._sibling = sibling
        self._pages = pages
        if settings.batching_parameters_file:
            batching = with_batching_parameters(
                settings.batching, settings.batching_parameters_file
            )
            settings = settings.model_copy(update={"batching": batching})
            self.settings = settings
        if not settings.models.is_dir():
            raise StartError(
                f"--models {settings.models}: no such folder; give one that holds "
                "NAME/VERSION/saved_model.pb"
            )
        self._keys = Keys(settings.api_key_file) if settings.api_key_file else None
        self.metrics = Metrics(lambda: self.repository.models)
        self._configs = self._model_configs()
        self.repository = Repository(
            settings,
            self._configs,
            ANSWERS,
            self.metrics.ran,
            sibling.in_step if sibling else None,
        )
        self.runner = Runner(settings.limits)
        given = (self.repository, self.runner, Bodies(settings.limits))
        self._apis: dict[str, Callable[..., Awaitable[None]]] = {
            "v1": Endpoint(RestApi(*given), "rest", self.metrics),
            "v2": Endpoint(KServeApi(*given), "kserve", self.metrics),
        }
        self.app = self._make_app()
        self._health = health.aio.HealthServicer()

    def _model_configs(self) -> dict[str, ModelConfig] | None:
        file, alone = self.settings.model_config_file, self.settings.model_base_path
        if file is None and alone:
            return {self.settings.model_name: ModelConfig(alone)}
        return read_model_configs(file, self.settings.models) if file else None

    def _http(self) -> Callable[..., Awaitable[None]]:
        """What answers over HTTP, behind what refuses."""
        settings = self.settings
        app = HttpAccess(self, self._keys) if self._keys else self
        is_open = settings.host not in _LOOPBACK and not settings.hosts
        hosts = None if is_open else settings.hosts
        return Origins(app, hosts, settings.cors_origins)

    async def reload(self) -> bool:
        """Reads the files of keys and of models anew, and looks at the models.

        What is wrong is logged, and stays as it was.

        Returns:
            Whether all is as the files say.
        """
        try:
            if self._keys:
                self._keys.reload()
            configs = self._model_configs()
            if configs is None:
                await self.repository.refresh(at_once=True)
            else:
                await self.repository.reload(configs)
        except (StartError, ServingError) as error:
            logger.error("Not reloaded: %s", error)
            return False
        return True

    async def _watch_keys(self, keys: Keys) -> None:
        """Takes changed keys, until cancelled."""
        problem = _Problem()
        while True:
            await asyncio.sleep(self.settings.poll_seconds)
            with problem.logged():
                keys.reload()

    async def _watch_model_configs(self, seconds: float) -> None:
        """Takes a changed file of models, until cancelled."""
        problem = _Problem()
        while True:
            await asyncio.sleep(seconds)
            with problem.logged():
                configs = self._model_configs()
                # A label may wait for its version.
                if configs != self._configs and await self.reload():
                    self._configs = configs

    def _make_app(self) -> fastapi.FastAPI:
        # FastAPI's own pages of documentation load scripts from elsewhere.
        app = fastapi.FastAPI(docs_url=None, redoc_url=None)
        app.openapi = lambda: describe(self.repository.models)  # type: ignore[method-assign]
        app.router.routes += [
            Route(
                "/healthz", lambda request: Response("ok\n", media_type="text/plain")
            ),
            Route("/", lambda request: JSONResponse({"status": "alive"})),
            Route("/metrics", self._metrics_page),
            Route("/monitoring/prometheus/metrics", self._metrics_page),
        ]
        app.add_exception_handler(HTTPException, _not_served)
        return app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """All that is served over HTTP, as an ASGI application.

        The APIs stand before FastAPI, whose layers take longer than the rest of what
        happens to a request in Python.
        """
        room = scope["path"].partition("/")[2].partition("/")[0].lower()
        await self._apis.get(room, self.app)(scope, receive, send)

    async def _metrics_page(self, request: fastapi.Request) -> Response:
        sibling = self._sibling
        page = await sibling.page() if sibling else self.metrics.page()
        return Response(page, media_type=metrics_page.CONTENT_TYPE)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[int, int]]:
        """Serves within the context; gives the ports of REST and gRPC.

        Raises:
            StartError: If a port is taken.
        """
        settings = self.settings
        async with contextlib.AsyncExitStack() as ends:
            is_shared = self._sibling is not None
            listener = ends.enter_context(
                _listening(settings.host, settings.rest_port, is_shared)
            )
            if self._sibling is not None:
                await ends.enter_async_context(self._sibling.giving(self.metrics.page))
            grpc_server, grpc_port = self._grpc_server()
            app = await ends.enter_async_context(self.mounted())
            page_end = await ends.enter_async_context(self._page())
            await grpc_server.start()
            for service in ("", *SERVICES, INFERENCE_SERVICE):
                await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
            rest_server = _RestServer(
                uvicorn.Config(
                    app,
                    loop="none",
                    http=partial(Connection, settings.limits),  # type: ignore[arg-type]
                    ws="none",
                    lifespan="off",
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    proxy_headers=False,
                    backlog=BACKLOG,
                    timeout_keep_alive=settings.limits.keep_alive_seconds,  # type: ignore[arg-type]
                    timeout_graceful_shutdown=round(settings.stop_seconds),
                )
            )
            rest = asyncio.create_task(rest_server.serve([listener]))
            # The page too, beside the models.
            set_aside()
            try:
                yield listener.getsockname()[1], grpc_port
            finally:
                page_end.set()
                rest_server.should_exit = True
                await self._health.enter_graceful_shutdown()
                await asyncio.gather(rest, grpc_server.stop(settings.stop_seconds))

    @contextlib.asynccontextmanager
    async def mounted(self) -> AsyncIterator[Callable[..., Awaitable[None]]]:
        """Loads and watches the models within the context; gives what answers HTTP."""
        await self.repository.refresh(at_once=True)
        watches = [asyncio.create_task(each) for each in self._watches()]
        try:
            yield self._http()
        finally:
            for watch in watches:
                watch.cancel()
            await self.repository.close()

    def _watches(self) -> Iterator[Coroutine[None, None, None]]:
        yield self.repository.watch()
        if self._keys:
            yield self._watch_keys(self._keys)
        if self.settings.model_config_poll_seconds:
            yield self._watch_model_configs(self.settings.model_config_poll_seconds)

    @contextlib.asynccontextmanager
    async def _page(self) -> AsyncIterator[asyncio.Event]:
        """The page within the context; gives what ends its open connections."""
        if not self.settings.ui:
            yield asyncio.Event()
            return
        asker = Asker(self.repository, self.runner, self.metrics)
        most_bytes = self.settings.limits.body_bytes
        async with mounted(self.app, asker, self._pages, most_bytes) as end:
            yield end

    def _grpc_server(self) -> tuple[grpc.aio.Server, int]:
        settings = self.settings
        server = grpc.aio.server(
            interceptors=[GrpcAccess(self._keys)] if self._keys else [],
            maximum_concurrent_rpcs=settings.limits.connections,
            options=[
                ("grpc.max_receive_message_length", settings.limits.body_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", int(self._sibling is not None)),
            ],
        )
        calls = Calls(self.repository, self.runner, self.metrics)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(self.repository, calls), server
        )
        inference = InferenceService(self.repository, calls)
        server.add_generic_rpc_handlers((inference.handler(),))
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            ModelService(self.repository, settings.models, self._sibling is None),
            server,
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection(
            (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), server
        )
        try:
            port = server.add_insecure_port(f"{settings.host}:{settings.grpc_port}")
        except RuntimeError:
            raise port_taken("grpc", settings.host, settings.grpc_port) from None
        if settings.grpc_socket:
            try:
                server.add_insecure_port(f"unix:{settings.grpc_socket}")
            except RuntimeError:
                raise StartError(
                    f"grpc_socket {settings.grpc_socket}: cannot be listened on"
                ) from None
        return server, port


class _Problem:
    """What is wrong with a file that is looked at again and again."""

    def __init__(self) -> None:
        self._last = self._logged = ""

    @contextlib.contextmanager
    def logged(self) -> Iterator[None]:
        """Goes on after a StartError, and logs it once.

        The second look in turn logs it, since the file may be being written at the
        first.
        """
        try:
            yield
            self._last = self._logged = ""
        except StartError as error:
            text = str(error)
            if text == self._last and text != self._logged:
                logger.error("Not reloaded: %s", text)
                self._logged = text
            self._last = text


class _RestServer(uvicorn.Server):
    """Uvicorn, without its signal handlers: this server has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def _listening(host: str, port: int, is_shared: bool) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            listener.bind((host, port))
        except OSError:
            raise port_taken("rest", host, port) from None
        # From now on, so that who connects before the first answer waits for it.
        listener.listen(BACKLOG)
        yield listener


async def _not_served(request: fastapi.Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = error_answer(
        f"{error.detail}: {request.method} {request.url.path}", error.status_code
    )
    return Response(answer.body, answer.status, media_type=JSON)


def _reload_in_background(server: Server) -> Callable[[], None]:
    tasks: set[asyncio.Task] = set()

    def reload() -> None:
        task = asyncio.create_task(server.reload())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    return reload


async def serve(
    settings: Settings,
    pages: PageFactory = no_pages,
    sibling: Sibling | None = None,
    lines: asyncio.StreamReader | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT, and then ends what is in flight.

    Args:
        settings: The server's.
        pages: Makes the pages of kinds of answers, if there is a page at all.
        sibling: Of several processes that serve, this one.
        lines: What its parent says, whose end ends it too.

    Raises:
        StartError: If a file of the settings is wrong, or a port is taken.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = Server(settings, pages, sibling)
    if sibling is not None and lines is not None:
        hearing = asyncio.create_task(sibling.hear(lines))
        hearing.add_done_callback(lambda _: stop.set())
    async with server.running() as (rest_port, grpc_port):
        loop.add_signal_handler(signal.SIGHUP, _reload_in_background(server))
        if sibling is not None:
            sibling.ready()
        if not server.repository.models and _is_first(sibling):
            logger.warning("%s holds no models yet", settings.models)
        if sibling is None:
            logger.info("REST on http://%s:%d", settings.host, rest_port)
            logger.info("gRPC on %s:%d", settings.host, grpc_port)
        is_open = settings.host not in _LOOPBACK and not settings.api_key_file
        if is_open and _is_first(sibling):
            logger.warning("Other machines can send requests, and need no API key")
        await stop.wait()
        if sibling is None:
            logger.info("Stopping: requests in flight are finished")


def _is_first(sibling: Sibling | None) -> bool:
    return sibling is None or sibling.number == 1
