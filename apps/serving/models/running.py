"""Requests on their way through a model: how many at once, and for how long."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from ..errors import timed_out, too_many
from ..settings import Limits
from .loading import LoadedModel
from .versions import Version

AnswerT = TypeVar("AnswerT")


class Runner:
    """Runs requests in threads, of which each waits in TensorFlow for its answer.

    Args:
        limits: Beyond which requests are turned away.
    """

    def __init__(self, limits: Limits):
        self._limits = limits
        self._requests = 0
        self._threads = ThreadPoolExecutor(
            limits.requests, thread_name_prefix="request"
        )

    @contextlib.asynccontextmanager
    async def admitted(self, seconds: float | None = None) -> AsyncIterator[None]:
        """Counts a request, from before its body is read until it is answered.

        Args:
            seconds: That it has, if that is less than what any request has.

        Raises:
            ServingError: If there are too many, or it has taken too long.
        """
        if self._requests >= self._limits.requests:
            raise too_many(
                f"{self._requests} requests are being answered, as many as are allowed "
                "at the same time; try again"
            )
        allowed = min(self._limits.seconds, seconds or self._limits.seconds)
        self._requests += 1
        try:
            async with asyncio.timeout(allowed):
                yield
        except TimeoutError:
            raise timed_out(allowed) from None
        finally:
            self._requests -= 1

    async def run(
        self, version: Version, work: Callable[[LoadedModel], AnswerT]
    ) -> AnswerT:
        """Does the work of an admitted request in a thread.

        When the request's time is up, its thread may still be within TensorFlow. It
        counts as a request until it comes back.
        """
        future = self._threads.submit(work, version.hold())
        try:
            return await asyncio.wrap_future(future)
        finally:
            if future.done():
                version.release()
            else:
                self._requests += 1
                self._release_later(future, version)

    def _release_later(self, future: Future, version: Version) -> None:
        loop = asyncio.get_running_loop()

        def release() -> None:
            self._requests -= 1
            version.release()

        future.add_done_callback(lambda _: loop.call_soon_threadsafe(release))

    def close(self) -> None:
        """Ends the threads, once they have nothing to do."""
        self._threads.shutdown(wait=False)
