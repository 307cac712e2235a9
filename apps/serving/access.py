"""API keys: a request without one learns that the server lives, and nothing else."""

import codecs
import contextlib
import hmac
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc

from .protocols.http import Receive, Request, Scope, Send, error_answer, send_answer
from .settings import StartError
from .ui.key_form import PAGE, answer_without_key, key_of_cookie

# What a load balancer asks, which has no key.
OPEN_PATHS = ("/", "/healthz", "/v2/health/live", "/v2/health/ready")
OPEN_CALLS = (
    "/grpc.health.v1.Health/",
    "/inference.GRPCInferenceService/ServerLive",
    "/inference.GRPCInferenceService/ServerReady",
)

MESSAGE = "An API key is needed: Authorization: Bearer KEY, or X-Api-Key: KEY"


# What Windows writes text files with, by how they begin.
_ENCODINGS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class Keys:
    """The keys of a file, one a line, as the file stands now.

    Args:
        file: Its path.

    Raises:
        StartError: If it cannot be read or holds none.
    """

    def __init__(self, file: Path):
        self._file = file
        self._content: bytes | None = None
        self._keys: frozenset[bytes] = frozenset()
        self.reload()

    def reload(self) -> None:
        """Reads the file, if it has changed.

        Raises:
            StartError: If it cannot be read or holds none. The keys are as before then.
        """
        try:
            content = self._file.read_bytes()
            if content == self._content:
                return
            keys = _keys(content)
        except OSError as error:
            raise StartError(f"{self._file}: cannot be read: {error}") from None
        if not keys:
            raise StartError(f"{self._file}: holds no API key; write one a line")
        self._content, self._keys = content, keys

    def __contains__(self, given: bytes) -> bool:
        # All are compared in constant time, so that the time taken reveals none of
        # them.
        return any([hmac.compare_digest(given, key) for key in self._keys])

    def are_in(self, headers: dict[str, bytes]) -> bool:
        """Whether the headers, by their names in lower case, carry one of the keys."""
        kind, _, bearer = headers.get("authorization", b"").partition(b" ")
        if kind.lower() == b"bearer":
            return bearer.strip() in self
        return headers.get("x-api-key", b"") in self


def _keys(content: bytes) -> frozenset[bytes]:
    """The keys, each as clients of either encoding of headers send it."""
    encoding = next(
        (name for begin, name in _ENCODINGS.items() if content.startswith(begin)), ""
    )
    try:
        text = content.decode(encoding or "utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    keys = {line.strip() for line in text.splitlines() if line.strip()}
    sent = {key.encode() for key in keys}
    for key in keys:
        with contextlib.suppress(UnicodeEncodeError):
            sent.add(key.encode("latin-1"))
    return frozenset(sent)


class HttpAccess:
    """ASGI middleware that asks for a key.

    Args:
        app: What answers those who have one.
        keys: The keys.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], keys: Keys):
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request by, or answers 401."""
        if scope["type"] == "lifespan" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value for name, value in scope["headers"]}
        is_page = scope["path"] == PAGE or scope["path"].startswith(f"{PAGE}/")
        if is_page and "cookie" in headers:
            # A browser sends no headers of ours.
            cookie = headers["cookie"].decode("latin-1")
            headers.setdefault("x-api-key", key_of_cookie(cookie).encode())
        if self._keys.are_in(headers):
            await self._app(scope, receive, send)
        elif is_page:
            await answer_without_key(Request(scope, receive, send), self._is_key, send)
        else:
            await send_answer(
                send, error_answer(MESSAGE, 401), [(b"www-authenticate", b"Bearer")]
            )

    def _is_key(self, key: str) -> bool:
        return key.encode() in self._keys


class GrpcAccess(grpc.aio.ServerInterceptor):
    """Asks for a key in the metadata of a call.

    Args:
        keys: The keys.
    """

    def __init__(self, keys: Keys):
        self._keys = keys

        async def refuse(request: Any, context: grpc.aio.ServicerContext) -> None:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, MESSAGE)

        self._refuse = grpc.unary_unary_rpc_method_handler(refuse)

    async def intercept_service(
        self, continuation: Callable[..., Awaitable[Any]], details: Any
    ) -> Any:
        """Lets a call by, or refuses it."""
        # Metadata of bytes that are no ASCII has a name of its own in gRPC.
        headers = {
            name.removesuffix("-bin"): value
            if isinstance(value, bytes)
            else value.encode()
            for name, value in details.invocation_metadata
        }
        if details.method.startswith(OPEN_CALLS) or self._keys.are_in(headers):
            return await continuation(details)
        return self._refuse
