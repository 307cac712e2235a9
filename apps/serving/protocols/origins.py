"""Which names the server goes by, and which pages of other sites may ask it."""

import ipaddress
from collections.abc import Awaitable, Callable, Collection
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware

from .http import Receive, Scope, Send, error_answer, send_answer

App = Callable[[Scope, Receive, Send], Awaitable[None]]

_APIS = ("/v1", "/v2")


class Origins:
    """ASGI middleware that refuses what a page of another site makes a browser send.

    Such a page reaches a server of the user's own machine or network by a name of its
    own that leads there (DNS rebinding), or by asking across sites.

    Args:
        app: What answers the others.
        hosts: The names that a request may be sent to, beside addresses and localhost;
            None for any.
        origins: The sites whose pages may ask the APIs.
    """

    def __init__(
        self, app: App, hosts: Collection[str] | None, origins: Collection[str]
    ):
        self._app = app
        self._hosts = None if hosts is None else {name.lower() for name in hosts}
        self._origins = {origin.encode() for origin in origins}
        self._across = CORSMiddleware(
            app,  # type: ignore[arg-type]
            allow_origins=list(origins),
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request by, or answers 421 or 403."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"")
        origin = headers.get(b"origin")
        if not self._is_ours(host):
            name = host.decode("latin-1")
            answer = error_answer(
                f"Host {name} is not a name of this server; the setting hosts lists "
                "those that it has",
                421,
            )
            await send_answer(send, answer, [])
        elif origin is None or origin.lower().partition(b"://")[2] == host.lower():
            await self._app(scope, receive, send)
        elif origin in self._origins and scope["path"].startswith(_APIS):
            await self._across(scope, receive, send)  # type: ignore[arg-type]
        else:
            answer = error_answer(
                f"Pages of {origin.decode('latin-1')} may not ask this server; the "
                "setting cors_origins lists those that may ask its APIs",
                403,
            )
            await send_answer(send, answer, [])

    def _is_ours(self, host: bytes) -> bool:
        if self._hosts is None or not host:
            return True
        try:
            name = urlsplit(b"//" + host).hostname or b""
            text = name.decode("ascii")
        except ValueError:
            return False
        return text == "localhost" or text in self._hosts or _is_address(text)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
