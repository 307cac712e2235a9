"""API keys: a request without one learns that the server lives, and nothing else."""

import hmac
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import grpc

from .errors import StartError
from .protocols.http import Receive, Request, Scope, Send, error_answer, send_answer
from .ui.key_form import PAGE, answer_without_key, key_of_cookie

# What a load balancer asks, which has no key.
OPEN_PATHS = ("/healthz", "/v2/health/live", "/v2/health/ready")
OPEN_SERVICE = "/grpc.health.v1.Health/"

MESSAGE = "An API key is needed: Authorization: Bearer KEY, or X-Api-Key: KEY"


def read_keys(file: Path) -> frozenset[str]:
    """The keys of a file, one a line.

    Raises:
        StartError: If it cannot be read or holds none.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"{file}: cannot be read: {error}") from None
    keys = frozenset(line.strip() for line in lines if line.strip())
    if not keys:
        raise StartError(f"{file}: holds no API key; write one a line")
    return keys


def is_allowed(keys: Iterable[str], headers: dict[str, str]) -> bool:
    """Whether the headers, by their names in lower case, carry one of the keys."""
    kind, _, bearer = headers.get("authorization", "").partition(" ")
    given = bearer if kind.lower() == "bearer" else headers.get("x-api-key", "")
    # All are compared in constant time, so that the time taken reveals none of them.
    matches = [hmac.compare_digest(given.encode(), key.encode()) for key in keys]
    return any(matches)


class HttpAccess:
    """ASGI middleware that asks for a key.

    Args:
        app: What answers those who have one.
        keys: The keys.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], keys: frozenset[str]):
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request by, or answers 401."""
        if scope["type"] == "lifespan" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        is_page = scope["path"] == PAGE or scope["path"].startswith(f"{PAGE}/")
        if is_page and "cookie" in headers:
            # A browser sends no headers of ours.
            headers.setdefault("x-api-key", key_of_cookie(headers["cookie"]))
        if is_allowed(self._keys, headers):
            await self._app(scope, receive, send)
        elif is_page:
            await answer_without_key(Request(scope, receive), self._is_key, send)
        else:
            await send_answer(
                send, error_answer(MESSAGE, 401), [(b"www-authenticate", b"Bearer")]
            )

    def _is_key(self, key: str) -> bool:
        return is_allowed(self._keys, {"x-api-key": key})


class GrpcAccess(grpc.aio.ServerInterceptor):
    """Asks for a key in the metadata of a call.

    Args:
        keys: The keys.
    """

    def __init__(self, keys: frozenset[str]):
        self._keys = keys

        async def refuse(request: Any, context: grpc.aio.ServicerContext) -> None:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, MESSAGE)

        self._refuse = grpc.unary_unary_rpc_method_handler(refuse)

    async def intercept_service(
        self, continuation: Callable[..., Awaitable[Any]], details: Any
    ) -> Any:
        """Lets a call by, or refuses it."""
        headers = {name: value for name, value in details.invocation_metadata}
        if details.method.startswith(OPEN_SERVICE) or is_allowed(self._keys, headers):
            return await continuation(details)
        return self._refuse
