"""Connections over HTTP, within limits that hold before a client is known."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ..settings import Limits
from .http import JSON, error_answer


class _HeadTooLong(Exception):
    pass


class Connection(HttpToolsProtocol):
    """Uvicorn's connection, with limits on what comes before the application runs.

    Tested on uvicorn 0.54.0, whose class is not part of its documented API.

    Args:
        limits: The server's.
        given: As uvicorn gives it.
    """

    def __init__(self, limits: Limits, **given: Any):
        super().__init__(**given)
        self._limits = limits
        self._head_bytes = 0
        # What is awaited of which request; the timer runs as long as that is so.
        self._requests = 0
        self._awaited: str | None = "head"
        self._timed: tuple[int, str | None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes a client, unless there are too many."""
        super().connection_made(transport)  # type: ignore[arg-type]
        if len(self.connections) > self._limits.connections:
            self._refuse(503, "The server has as many connections as it may; try again")
        self._time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the client."""
        if self._timer:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Reads on, unless the client has been refused."""
        if self.transport.is_closing():
            return
        self._head_bytes += len(data)
        super().data_received(data)
        if self._awaited == "head" and self._head_bytes > self._most_head_bytes:
            self._refuse_head()
        self._time()

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._requests += 1
        self._awaited = "head"

    def on_headers_complete(self) -> None:
        """Its URL and headers are there."""
        pairs = sum(len(name) + len(value) for name, value in self.headers)
        if len(self.url) + pairs > self._most_head_bytes:
            raise _HeadTooLong
        self._awaited = "body"
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Its body is there."""
        self._awaited = None
        self._head_bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP, and a head that came at once and is too long."""
        if self._awaited == "head" and self._head_bytes > self._most_head_bytes:
            self._refuse_head()
        else:
            self._refuse(400, msg)

    def timeout_keep_alive_handler(self) -> None:
        """Ends an idle connection, also one whose client does not read its answer."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    @property
    def _most_head_bytes(self) -> float:
        return self._limits.head_kilobytes * 1024

    def _refuse_head(self) -> None:
        self._refuse(
            431, f"URL and headers are longer than {self._limits.head_kilobytes:g} kB"
        )

    def _time(self) -> None:
        """Starts the timer of what is awaited now, if that has changed."""
        awaited = (self._requests, self._awaited)
        if awaited == self._timed:
            return
        self._timed = awaited
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._awaited and not self.transport.is_closing():
            limits = self._limits
            is_head = self._awaited == "head"
            seconds = limits.head_seconds if is_head else limits.body_seconds
            self._timer = self.loop.call_later(seconds, self._end_late, seconds)

    def _end_late(self, seconds: float) -> None:
        if self._requests == 0 or (self.cycle and self.cycle.response_started):
            self.transport.close()
        else:
            self._refuse(408, f"The request did not come within {seconds:g} s")

    def _refuse(self, status: int, message: str) -> None:
        answer = error_answer(message, status)
        self.transport.write(
            STATUS_LINE[status]
            + b"content-type: %b\r\n" % JSON.encode()
            + b"content-length: %d\r\n" % len(answer.body)
            + b"connection: close\r\n\r\n"
            + answer.body
        )
        self.transport.close()
