"""Requests on their way through a model: how many at once, and for how long."""

import asyncio
import collections
import contextlib
import contextvars
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from typing import TypeVar

from ..errors import timed_out, too_many
from ..settings import Limits
from . import deadlines
from .loading import LoadedModel
from .versions import Version

AnswerT = TypeVar("AnswerT")


class Runner:
    """Runs requests in threads, of which each waits in TensorFlow for its answer.

    Each model has its own threads, and as many requests may be on their way through it
    as if it were the only one.

    Args:
        limits: Beyond which requests are turned away.
    """

    def __init__(self, limits: Limits):
        self._limits = limits
        self._requests: collections.Counter[str] = collections.Counter()

    @contextlib.asynccontextmanager
    async def admitted(
        self, model: str, seconds: float | None = None
    ) -> AsyncIterator[None]:
        """Counts a request, from when it is there as a whole until it is answered.

        Args:
            model: That it asks.
            seconds: That it has, if that is less than what any request has.

        Raises:
            ServingError: If there are too many, or it has taken too long.
        """
        if self._requests[model] >= self._limits.requests:
            raise too_many(
                f"{self._requests[model]} requests are being answered by {model}, as "
                "many as are allowed at the same time; try again"
            )
        allowed = self._limits.seconds
        if seconds is not None:
            allowed = min(allowed, seconds)
        deadlines.current.set(deadlines.Deadline.after(allowed))
        self._requests[model] += 1
        try:
            async with asyncio.timeout(allowed):
                yield
        except TimeoutError:
            raise timed_out(allowed) from None
        finally:
            self._leave(model)

    def _leave(self, model: str) -> None:
        self._requests[model] -= 1
        if not self._requests[model]:
            del self._requests[model]

    async def run(
        self, version: Version, work: Callable[[LoadedModel], AnswerT]
    ) -> AnswerT:
        """Does the work of an admitted request in a thread.

        When the request's time is up, its thread may still be within TensorFlow. It
        counts as a request until it comes back.
        """
        loaded = version.hold()
        context = contextvars.copy_context()
        future = loaded.threads.submit(context.run, work, loaded)
        begun = time.perf_counter()
        failed = True
        try:
            answer = await asyncio.wrap_future(future)
            failed = False
            return answer
        finally:
            version.statistics.ended(time.perf_counter() - begun, failed)
            if future.done():
                version.release()
            else:
                self._requests[version.model] += 1
                self._release_later(future, version)

    def _release_later(self, future: Future, version: Version) -> None:
        loop = asyncio.get_running_loop()

        def release() -> None:
            self._leave(version.model)
            version.release()

        future.add_done_callback(lambda _: loop.call_soon_threadsafe(release))
