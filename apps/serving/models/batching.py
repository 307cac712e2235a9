"""Concurrent requests joined into one batch."""

import collections
import dataclasses
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeAlias

import numpy as np
import tensorflow as tf

from ..errors import too_many
from ..settings import Batching
from . import deadlines

# Arrays of the inputs in, arrays of the outputs out, before the request's deadline.
Run: TypeAlias = Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]]

# Requests are joined with others of the same.
_InnerShapes: TypeAlias = tuple[tuple[int, ...], ...]

# How long after a joined batch a request expects others, also if none runs just then.
COMPANY_SECONDS = 0.05

# How long after a request its model counts as one that is asked.
ASKED_SECONDS = 1.0


class Shares:
    """Shares the threads that run batches equally among the models that are asked.

    One that is asked alone has all of them. Beside others it leaves them theirs, so
    that short batches need not wait for processors until long ones are done.
    """

    def __init__(self) -> None:
        self._asked_at: dict[str, float] = {}

    def ask(self, model: str) -> None:
        """Counts a request to the model."""
        self._asked_at[model] = time.monotonic()

    def of(self, model: str, threads: int) -> int:
        """The share of a model that is asked: of so many threads, at least one."""
        begin = time.monotonic() - ASKED_SECONDS
        others = sum(
            at > begin for name, at in list(self._asked_at.items()) if name != model
        )
        return max(1, threads // (1 + others))


@dataclasses.dataclass(frozen=True)
class _Request:
    """A request that waits to be joined.

    Attributes:
        fed: Arrays of the inputs, of as many rows each.
        deadline: Its own.
        since: When it came, by `time.monotonic()`.
        answer: Arrays of the outputs, once it has run.
    """

    fed: Sequence[np.ndarray]
    deadline: deadlines.Deadline
    since: float = dataclasses.field(default_factory=time.monotonic)
    answer: "Future[Sequence[np.ndarray]]" = dataclasses.field(default_factory=Future)

    @property
    def rows(self) -> int:
        return len(self.fed[0])


class Joiner:
    """Joins concurrent requests to a signature, and runs them in its own threads.

    A batch is what waits when a thread is free. Where other requests run or just did,
    more are expected, and it waits for them a little. A batch that fails is run again
    request by request, since any of them may be the reason.

    Args:
        run: Runs a batch.
        settings: Limits of a batch.
        ran: Called with the number of rows of every batch that has run.
        model: Whose signature it is.
        shares: What the model has of the threads beside other models.
    """

    def __init__(
        self,
        run: Run,
        settings: Batching,
        ran: Callable[[int], None],
        model: str,
        shares: Shares,
    ):
        self._run = run
        self._model = model
        self._shares = shares
        self._settings = settings
        self._ran = ran
        self._threads = ThreadPoolExecutor(settings.threads, thread_name_prefix="batch")
        # Guards all below. Who gathers a batch waits for it.
        self._is_full = threading.Condition()
        self._waiting: dict[_InnerShapes, collections.deque[_Request]] = {}
        self._rows: collections.Counter[_InnerShapes] = collections.Counter()
        self._gathers = False
        self._running = 0
        self._company_at = -math.inf

    def submit(self, fed: Sequence[np.ndarray]) -> "Future[Sequence[np.ndarray]]":
        """Arrays of the outputs for those of the inputs, later.

        Raises:
            ServingError: If too many requests wait.
        """
        self._shares.ask(self._model)
        request = _Request(fed, deadlines.current.get())
        shapes = tuple(array.shape[1:] for array in fed)
        with self._is_full:
            most_waiting = self._settings.queued_batches * self._settings.rows
            if self._rows.total() + request.rows > most_waiting:
                raise too_many("The queue of the model is full")
            self._waiting.setdefault(shapes, collections.deque()).append(request)
            self._rows[shapes] += request.rows
            if self._gathers and self._rows[shapes] >= self._settings.rows:
                self._is_full.notify()
            self._go_on()
        return request.answer

    def close(self) -> None:
        """Ends the threads. No request may be running."""
        self._threads.shutdown(wait=False)

    def _go_on(self) -> None:
        """Has the next batch gathered, if a thread is free."""
        if not self._waiting or self._gathers:
            return
        if self._running < self._shares.of(self._model, self._settings.threads):
            self._gathers = True
            self._threads.submit(self._run_next)

    def _run_next(self) -> None:
        with self._is_full:
            batch = self._gathered()
            self._gathers = False
            self._running += 1
            self._go_on()
        if batch:
            self._answer(batch)
        with self._is_full:
            self._running -= 1
            if len(batch) > 1:
                self._company_at = time.monotonic()
            self._go_on()

    def _gathered(self) -> list[_Request]:
        """The oldest request and those that are joined with it."""
        shapes, queue = min(self._waiting.items(), key=lambda item: item[1][0].since)
        has_company = (
            self._running
            or self._rows[shapes] > queue[0].rows
            or time.monotonic() - self._company_at < COMPANY_SECONDS
        )
        if has_company:
            until = queue[0].since + self._settings.delay_milliseconds / 1000
            while self._rows[shapes] < self._settings.rows:
                if not self._is_full.wait(until - time.monotonic()):
                    break
        batch: list[_Request] = []
        rows = 0
        while queue and rows + queue[0].rows <= self._settings.rows:
            request = queue.popleft()
            self._rows[shapes] -= request.rows
            # One whose time was up before is not run.
            if request.answer.set_running_or_notify_cancel():
                batch.append(request)
                rows += request.rows
        if not queue:
            del self._waiting[shapes], self._rows[shapes]
        return batch

    def _answer(self, batch: list[_Request]) -> None:
        try:
            answers = self._together(batch)
        except tf.errors.OpError as error:
            if len(batch) == 1:
                batch[0].answer.set_exception(error)
                return
            for request in batch:
                self._answer([request])
        except BaseException as error:
            for request in batch:
                request.answer.set_exception(error)
        else:
            for request, answer in zip(batch, answers, strict=True):
                request.answer.set_result(answer)

    def _together(self, batch: list[_Request]) -> list[Sequence[np.ndarray]]:
        # Nobody waits for it longer than the most patient.
        latest = max(batch, key=lambda request: request.deadline.end)
        deadlines.current.set(latest.deadline)
        if len(batch) == 1:
            answers = self._run(batch[0].fed)
            self._ran(batch[0].rows)
            return [answers]
        columns = zip(*(each.fed for each in batch), strict=True)
        answers = self._run([np.concatenate(column) for column in columns])
        ends = np.cumsum([each.rows for each in batch])
        if any(len(answer) != ends[-1] for answer in answers):
            raise tf.errors.InvalidArgumentError(
                None, None, "An output has not the rows of its inputs"
            )
        self._ran(int(ends[-1]))
        parts = [np.split(answer, ends[:-1]) for answer in answers]
        return list(zip(*parts, strict=True))
