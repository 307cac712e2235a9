"""How much of the disk uploaded files may take."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from ..errors import ServingError, too_large, too_many
from ..protocols.http import (
    RETRY_AFTER_SECONDS,
    Receive,
    Scope,
    Send,
    error_answer,
    send_answer,
)

UPLOAD = "/gradio_api/upload"

# Files of the largest size that are kept at the same time.
MOST_FILES = 64


class UploadLimits:
    """ASGI middleware that turns uploads away before anything of them is written.

    What gradio itself refuses half way leaves a file behind.

    Args:
        app: What takes the others.
        folder: Where they are kept.
        most_bytes: Of one.
    """

    def __init__(
        self, app: Callable[..., Awaitable[None]], folder: Path, most_bytes: int
    ):
        self._app = app
        self._folder = folder
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request by, or answers 413 or 429."""
        if scope["type"] == "http" and scope["path"].endswith(UPLOAD):
            try:
                self._check(dict(scope["headers"]).get(b"content-length", b""))
            except ServingError as error:
                headers = [(b"retry-after", b"%d" % RETRY_AFTER_SECONDS)]
                if not await self._is_read(receive):
                    headers.append((b"connection", b"close"))
                answer = error_answer(error.message, error.http_status)
                await send_answer(send, answer, headers)
                return
        await self._app(scope, receive, send)

    def _check(self, said: bytes) -> None:
        # Browsers say how long a file is. What does not may be of any length.
        if not said.isdigit() or int(said) > self._most_bytes:
            raise too_large(f"The file is longer than {self._most_bytes} bytes")
        kept = sum(
            each.stat().st_size for each in self._folder.rglob("*") if each.is_file()
        )
        if kept + int(said) > MOST_FILES * self._most_bytes:
            raise too_many("The server keeps as many files as it may; try again later")

    async def _is_read(self, receive: Receive) -> bool:
        """Reads a body that nobody wants, unless it is too long even for that.

        A connection that is closed before is a broken one to a browser, which then
        shows nothing of the answer.
        """
        length = 0
        while length <= self._most_bytes:
            message = await receive()
            length += len(message.get("body", b""))
            if not message.get("more_body"):
                return True
        return False
