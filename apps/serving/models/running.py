"""Requests on their way through a model: how many at once, and for how long."""

import asyncio
import collections
import contextlib
import contextvars
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
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
        with _counted(version):
            return await self._in_thread(version, work)

    async def pieces(
        self, version: Version, work: Callable[[LoadedModel], Iterator[AnswerT]]
    ) -> AsyncGenerator[AnswerT]:
        """What the work of an admitted request gives, a piece at a time in a thread.

        The work goes on when the next piece is asked for. Who closes the iterator ends
        it, and the version stays until then.
        """
        version.hold()
        try:
            with _counted(version):
                made = await self._in_thread(version, work)
                while True:
                    piece = await self._in_thread(
                        version, lambda _: next(made, _NO_MORE)
                    )
                    if isinstance(piece, _NoMore):
                        return
                    yield piece
        finally:
            version.release()

    async def _in_thread(
        self, version: Version, work: Callable[[LoadedModel], AnswerT]
    ) -> AnswerT:
        loaded = version.hold()
        context = contextvars.copy_context()
        future = loaded.threads.submit(context.run, work, loaded)
        try:
            return await asyncio.wrap_future(future)
        finally:
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


class _NoMore:
    """Stands behind the last piece."""


_NO_MORE = _NoMore()


@contextlib.contextmanager
def _counted(version: Version) -> Iterator[None]:
    """Counts a request in the statistics of the version that answers it."""
    begun = time.perf_counter()
    failed = True
    try:
        yield
        failed = False
    except GeneratorExit:
        # Who asked has enough.
        failed = False
        raise
    finally:
        version.statistics.ended(time.perf_counter() - begun, failed)
