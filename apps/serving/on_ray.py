"""The server in Ray Serve: replicas on the nodes of a cluster, behind Ray's proxies.

`application` is for Ray Serve's own configuration files:

```yaml
applications:
  - name: recurra
    import_path: recurra.apps.serving.on_ray:application
    args: {models: /shared/saved_models}
```
"""

import contextlib
import logging
import signal
import threading
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import fastapi
from ray import serve

from .processes import for_several
from .server import Server
from .settings import Settings, StartError

logger = logging.getLogger("recurra.serving")

_NAME = "recurra"


def application(settings: Settings) -> serve.Application:
    """The server as an application of Ray Serve.

    Over HTTP it answers as `recurra serve` does. There is no gRPC and no page.

    Args:
        settings: Of each replica. Host and ports are those of Ray's proxies.

    Raises:
        StartError: A setting is for one process alone, or no option of a deployment.
    """
    return _application(settings, "")


def _application(settings: Settings, sign: str) -> serve.Application:
    several = for_several(settings, "--cluster")
    paths = {
        name: value.absolute() for name, value in several if isinstance(value, Path)
    }
    # Without what was left out, which may follow from the node.
    given = several.model_copy(update=paths).model_dump(mode="json", exclude_unset=True)

    def make_app() -> fastapi.FastAPI:
        return _app(Settings.model_validate(given))

    options: dict[str, Any] = {
        "name": "models",
        "max_ongoing_requests": settings.limits.connections,
        "graceful_shutdown_timeout_s": settings.stop_seconds,
        **settings.deployment,
    }
    if "autoscaling_config" not in options:
        options.setdefault("num_replicas", settings.processes)
    try:
        return serve.deployment(serve.ingress(make_app)(_Models), **options).bind(sign)
    except (TypeError, ValueError) as error:
        said = " ".join(str(error).split())
        raise StartError(f"deployment: Ray Serve does not take it ({said})") from None


class _Models:
    """A replica, which knows who has deployed it."""

    def __init__(self, sign: str):
        self._sign = sign

    def sign(self) -> str:
        return self._sign


def _app(settings: Settings) -> fastapi.FastAPI:
    """The server, which lives as long as the application around it."""

    @contextlib.asynccontextmanager
    async def living(app: fastapi.FastAPI) -> AsyncIterator[None]:
        async with Server(settings).mounted() as answering:
            app.mount("/", answering)
            yield

    return fastapi.FastAPI(
        docs_url=None, redoc_url=None, openapi_url=None, lifespan=living
    )


def serve_on_cluster(settings: Settings) -> None:
    """Serves on the cluster that this process is connected to, until told to stop.

    What an earlier call serves there is exchanged replica by replica, and stays when
    that is told to stop.

    Raises:
        StartError: A setting is wrong, or the replicas do not start.
    """
    if not settings.models.is_dir():
        raise StartError(f"--models {settings.models}: no such folder")
    sign = uuid.uuid4().hex
    app = _application(settings, sign)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    serve.start(
        proxy_location="EveryNode",
        http_options={"host": settings.host, "port": settings.rest_port},
    )
    try:
        replicas = serve.run(app, name=_NAME, route_prefix="/")
    except RuntimeError as error:
        raise StartError(f"--cluster {settings.cluster}: {error}") from None
    logger.info("REST on http://%s:%d of each node", settings.host, settings.rest_port)
    stop.wait()
    # Where no replica answers, nothing is known of who has deployed them.
    with contextlib.suppress(TimeoutError):
        is_there = _NAME in serve.status().applications
        if is_there and replicas.sign.remote().result(timeout_s=10.0) == sign:
            logger.info("Stopping: requests in flight are finished")
            serve.delete(_NAME)
