"""HTTP beneath the APIs: bodies within their limit, answers and errors as JSON."""

import asyncio
import contextlib
import gzip
import io
import json
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..errors import as_serving_error, gone, invalid, too_large, too_many
from ..metrics import Metrics
from ..models.running import Runner
from ..models.versions import Repository
from ..settings import Limits

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

JSON = "application/json"
EVENTS = "text/event-stream; charset=utf-8"
RETRY_AFTER_SECONDS = 1


class Answer(NamedTuple):
    """What is sent back."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Request:
    """A request over HTTP.

    Attributes:
        verb: GET, POST, ...
        path: As it was sent, with its percent signs.
        model: The model that answers, for the metrics; "" until it is found.
        method: What is asked of it, for the metrics.
        is_read: Whether the whole body has been read.
        events: Where an answer goes that comes in parts.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send):
        self.verb: str = scope["method"]
        self.path = scope["raw_path"].decode("ascii", errors="replace")
        self.model = ""
        self.method = ""
        self.is_read = False
        self.events = Events(send)
        self._headers = dict(scope["headers"])
        self._receive = receive

    def header(self, name: bytes) -> bytes | None:
        """The value of a header, by its name in lower case."""
        return self._headers.get(name)

    async def body(
        self, most_bytes: int, took: Callable[[int], None] = lambda length: None
    ) -> bytes:
        """The whole body.

        Args:
            most_bytes: That it may have.
            took: Called with the length of each part of it; what it raises is raised.

        Raises:
            ServingError: If it is longer than that, or not encoded as it says.
        """
        said = self._headers.get(b"content-length", b"0")
        if said.isdigit() and int(said) > most_bytes:
            raise _too_long(most_bytes)
        parts = []
        length = 0
        while not self.is_read:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise gone()
            parts.append(message.get("body", b""))
            length += len(parts[-1])
            if length > most_bytes:
                raise _too_long(most_bytes)
            took(len(parts[-1]))
            self.is_read = not message.get("more_body")
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        encoding = self._headers.get(b"content-encoding", b"identity").lower()
        if encoding == b"gzip":
            # In a thread, since other requests go on meanwhile.
            return await asyncio.to_thread(_unzipped, body, most_bytes)
        if encoding != b"identity":
            raise invalid(
                f"Content-Encoding {encoding.decode('latin-1')} is not supported; "
                "expected gzip or none"
            )
        return body

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[Callable[[], None]]:
        """What raises a ServingError once the client has gone away.

        It is for the time after the body has been read.
        """

        async def watch() -> None:
            while (await self._receive())["type"] != "http.disconnect":
                pass

        def check() -> None:
            if watching.done():
                raise gone()

        watching = asyncio.create_task(watch())
        try:
            yield check
        finally:
            watching.cancel()


class Events:
    """Server-sent events, as which an answer comes that is not there at once.

    Args:
        send: Sends to the client.

    Attributes:
        have_begun: Whether one was sent: then the status is 200, and an error is an
            event too.
    """

    def __init__(self, send: Send):
        self._send = send
        self.have_begun = False

    async def send(self, data: Any, name: str = "") -> None:
        """Sends an event with its data as JSON, and its name if it has one."""
        if not self.have_begun:
            self.have_begun = True
            await self._send(
                {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": [
                        (b"content-type", EVENTS.encode()),
                        (b"cache-control", b"no-store"),
                        # Proxies would wait for more of it.
                        (b"x-accel-buffering", b"no"),
                    ],
                }
            )
        lines = f"data: {json.dumps(data, ensure_ascii=False)}\n\n"
        await self._body((f"event: {name}\n" if name else "") + lines, True)

    async def end(self) -> None:
        """Ends the answer."""
        await self._body("", False)

    async def _body(self, text: str, more: bool) -> None:
        await self._send(
            {
                "type": "http.response.body",
                "body": text.encode(),
                "more_body": more,
            }
        )


class Bodies:
    """Bodies of requests, from their first byte until the requests are answered.

    Args:
        limits: Of one and of all together.
    """

    def __init__(self, limits: Limits):
        self._limits = limits
        self._bytes = 0

    @contextlib.asynccontextmanager
    async def of(self, request: Request) -> AsyncIterator[bytes]:
        """The whole body of a request, within the context.

        Raises:
            ServingError: If it or all together are too long, or it is not encoded as
                it says.
        """
        taken = 0

        def take(length: int) -> None:
            nonlocal taken
            taken += length
            self._bytes += length
            if self._bytes > self._limits.bodies_bytes:
                raise too_many(
                    "Bodies of other requests take all the room there is; try again"
                )

        try:
            body = await request.body(self._limits.body_bytes, take)
            # Unzipped it may be larger than what came.
            take(max(0, len(body) - taken))
            yield body
        finally:
            self._bytes -= taken


def _unzipped(body: bytes, most_bytes: int) -> bytes:
    try:
        with gzip.open(io.BytesIO(body)) as file:
            unzipped = file.read(most_bytes + 1)
    except (OSError, EOFError, zlib.error):
        raise invalid("The body is not gzip, as its Content-Encoding says") from None
    if len(unzipped) > most_bytes:
        raise _too_long(most_bytes)
    return unzipped


def _too_long(most_bytes: int) -> Exception:
    return too_large(f"The body is longer than {most_bytes} bytes")


@dataclass(frozen=True)
class Api:
    """An API over HTTP, by what it answers requests from.

    Attributes:
        repository: The models.
        runner: Runs them.
        bodies: Reads bodies.
    """

    repository: Repository
    runner: Runner
    bodies: Bodies


class Endpoint:
    """An ASGI application around a function from request to answer.

    Args:
        handle: The function. What it raises is answered as an error. It gives None
            where it has sent its answer as events.
        api: For the metrics.
        metrics: Counts the answers.
    """

    def __init__(
        self,
        handle: Callable[[Request], Awaitable[Answer | None]],
        api: str,
        metrics: Metrics,
    ):
        self._handle = handle
        self._api = api
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        begun = time.perf_counter()
        request = Request(scope, receive, send)
        code = "OK"
        headers = []
        answer: Answer | None
        try:
            answer = await self._handle(request)
        except Exception as error:
            failure = as_serving_error(error)
            code = failure.code.name
            answer = error_answer(failure.message, failure.http_status)
            if failure.http_status == 429:
                headers.append((b"retry-after", b"%d" % RETRY_AFTER_SECONDS))
            if failure.http_status in (413, 429) and not request.is_read:
                headers.append((b"connection", b"close"))
        if request.events.have_begun:
            if answer is not None:
                await request.events.send(json.loads(answer.body), "error")
            await request.events.end()
        elif answer is not None:
            await send_answer(send, answer, headers)
        if request.method:
            self._metrics.answered(
                request.model, self._api, request.method, code, begun
            )


def error_answer(message: str, status: int) -> Answer:
    """An error in TensorFlow Serving's form."""
    return Answer(json.dumps({"error": message}, ensure_ascii=False).encode(), status)


async def send_answer(
    send: Send, answer: Answer, headers: list[tuple[bytes, bytes]]
) -> None:
    """Sends an answer with its headers and these."""
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [
                (b"content-type", answer.content_type.encode()),
                (b"content-length", b"%d" % len(answer.body)),
                *answer.headers,
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": answer.body})
