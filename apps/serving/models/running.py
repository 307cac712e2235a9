"""Requests on their way through a model: how many at once, and for how long."""

import asyncio
import collections
import contextlib
import contextvars
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

from ..errors import timed_out, too_many
from ..settings import Limits
from . import deadlines
from .loading import LoadedModel
from .signatures import Arrays, Question, Work
from .versions import Version

AnswerT = TypeVar("AnswerT")

# A request that is read within a millisecond or so, and an answer that is written so.
SMALL_BYTES = 16 * 1024
SMALL_VALUES = 4096


class Runner:
    """Runs requests within the limits.

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
        with _counted(version), _held(version) as loaded:
            return await self._in_thread(version, work, loaded)

    async def answer(
        self,
        version: Version,
        work: Callable[[LoadedModel], Work[AnswerT]],
        size: int,
    ) -> AnswerT:
        """Does the work of an admitted request, of which no thread waits for the model.

        What is small is read and written at once. What is not goes to a thread, since
        other requests go on meanwhile.

        Args:
            version: That answers.
            work: What is done.
            size: Bytes of the request.
        """
        with _counted(version), _held(version) as loaded:
            steps = work(loaded)
            is_small = size <= SMALL_BYTES
            answers: Arrays | None = None
            while True:
                if is_small:
                    step = _next_step(steps, answers)
                else:
                    step = await self._in_thread(version, _next_step, steps, answers)
                if isinstance(step, _Done):
                    return step.answer
                asked = step.signature
                answers = asked.named(
                    await self._until_done(version, asked.submit(step.arrays))
                )
                is_small = sum(each.size for each in answers.values()) <= SMALL_VALUES

    async def pieces(
        self, version: Version, work: Callable[[LoadedModel], Iterator[AnswerT]]
    ) -> AsyncGenerator[AnswerT]:
        """What the work of an admitted request gives, a piece at a time in a thread.

        The work goes on when the next piece is asked for. Who closes the iterator ends
        it, and the version stays until then.
        """
        with _counted(version), _held(version) as loaded:
            made = await self._in_thread(version, work, loaded)
            while True:
                piece = await self._in_thread(version, next, made, _NO_MORE)
                if isinstance(piece, _NoMore):
                    return
                yield piece

    async def _in_thread(
        self,
        version: Version,
        function: Callable[..., AnswerT],
        *arguments: Any,
    ) -> AnswerT:
        with _held(version) as loaded:
            context = contextvars.copy_context()
            future = loaded.threads.submit(context.run, function, *arguments)
            return await self._until_done(version, future)

    async def _until_done(self, version: Version, future: "Future[AnswerT]") -> AnswerT:
        """Waits for what the version does, which is not freed before that is done."""
        try:
            return await asyncio.wrap_future(future)
        finally:
            if not future.done():
                version.hold()
                self._requests[version.model] += 1
                self._release_later(future, version)

    def _release_later(self, future: Future, version: Version) -> None:
        loop = asyncio.get_running_loop()

        def release() -> None:
            self._leave(version.model)
            version.release()

        future.add_done_callback(lambda _: loop.call_soon_threadsafe(release))


class _Done(NamedTuple):
    """Stands behind the last question."""

    answer: Any


def _next_step(steps: Work, answers: Arrays | None) -> Question | _Done:
    try:
        return next(steps) if answers is None else steps.send(answers)
    except StopIteration as end:
        return _Done(end.value)


class _NoMore:
    """Stands behind the last piece."""


_NO_MORE = _NoMore()


@contextlib.contextmanager
def _held(version: Version) -> Iterator[LoadedModel]:
    """The version's model, which is not freed meanwhile."""
    try:
        yield version.hold()
    finally:
        version.release()


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
