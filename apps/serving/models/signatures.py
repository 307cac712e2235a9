"""What a signature takes and gives; requests to it, run alone or joined with others."""

import collections
import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from ..errors import invalid, too_large

Arrays = dict[str, np.ndarray]

# Arrays of the inputs in, arrays of the outputs out, before the request's deadline.
Run: TypeAlias = Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]]

DEFAULT_SIGNATURE = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY

# How long after a joined batch a request expects others, also if none runs just then.
COMPANY_SECONDS = 0.05


class TensorInfo(NamedTuple):
    """An input or output of a signature.

    Attributes:
        name: As clients call it.
        tensor: Its name in the graph.
        dtype: Of its values.
        shape: None where a dimension is open; None altogether if the rank is.
        strict: Whether only such shapes may be fed. A placeholder's shape is what the
            model asks for. That of an inner tensor is merely what is known of it:
            TensorFlow Serving's own half_plus_two is fed otherwise.
    """

    name: str
    tensor: str
    dtype: tf.DType
    shape: tuple[int | None, ...] | None
    strict: bool

    def shown_shape(self) -> str:
        """As clients know shapes from the metadata: -1 where a dimension is open."""
        if self.shape is None:
            return "of any rank"
        return shown([-1 if size is None else size for size in self.shape])

    def accepts(self, shape: Sequence[int]) -> bool:
        """Whether an array of this shape may be fed."""
        if not self.strict or self.shape is None:
            return True
        return len(shape) == len(self.shape) and all(
            expected is None or size == expected
            for size, expected in zip(shape, self.shape, strict=True)
        )


class Signature:
    """One signature of a loaded model.

    Args:
        name: As clients call it.
        definition: The SignatureDef.
        inputs: In the order in which `alone` and `queues` take them.
        outputs: In the order in which they give them.
        alone: Runs one request.
        queues: Each joins requests of one inner shape, and gives two arrays more than
            `alone`: see `batching.JoinedEnds`. None if requests cannot be joined.
        rows_joined: A request of more rows is run alone.
        most_rows: A request of more rows is not run.
        most_bytes: Nor is one with a larger array.
        ran: Called with the number of rows of every batch that has run.
    """

    def __init__(
        self,
        name: str,
        definition: Any,
        inputs: Sequence[TensorInfo],
        outputs: Sequence[TensorInfo],
        alone: Run,
        queues: Sequence[Run],
        rows_joined: int,
        most_rows: int,
        most_bytes: int,
        ran: Callable[[int], None],
    ):
        self.name = name
        self.definition = definition
        self.inputs = {info.name: info for info in inputs}
        self.outputs = {info.name: info for info in outputs}
        self._alone = alone
        self._queues = _QueuesByShape(queues)
        self._rows_joined = rows_joined
        self._most_rows = most_rows
        self._most_bytes = most_bytes
        self._ran = ran

    @property
    def joins(self) -> bool:
        """Whether concurrent requests can be joined."""
        return self._queues.number > 0

    def start_joining(self) -> None:
        """Joins requests from now on; until then each is run alone."""
        self._queues.open()

    def run(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        """Answers one request: one array per output.

        Args:
            arrays: One per input.

        Raises:
            ServingError: If an array does not fit its input.
            tf.errors.OpError: If the model itself fails.
        """
        fed = [arrays[name] for name in self.inputs]
        for info, array in zip(self.inputs.values(), fed, strict=True):
            if not info.accepts(array.shape):
                raise invalid(
                    f"Input {info.name} has shape {shown(array.shape)}; expected "
                    f"{info.shown_shape()}"
                )
            self.check_rows(info.name, len(array) if array.ndim else 0)
        if not self._can_be_joined(fed):
            return self._named(self._run_alone(fed))
        inner_shapes = tuple(array.shape[1:] for array in fed)
        with self._queues.entered(inner_shapes) as queue:
            if queue is None:
                return self._named(self._run_alone(fed))
            try:
                *answers, row_in_batch, rows_of_batch = queue(fed)
            except tf.errors.UnavailableError:
                # The queue is full.
                raise
            except tf.errors.OpError:
                # Another request of the batch may be the reason.
                return self._named(self._run_alone(fed))
        rows_together = int(rows_of_batch[0])
        if rows_together > len(fed[0]):
            self._queues.note_company()
        # Of all requests of a batch, the first one counts it.
        if row_in_batch[0] == 0:
            self._ran(rows_together)
        return self._named(answers)

    def check_rows(self, name: str, rows: int) -> None:
        """Refuses more rows than one request may have.

        Raises:
            ServingError: If there are more.
        """
        if rows > self._most_rows:
            raise too_large(
                f"Input {name} has {rows} rows; expected at most {self._most_rows}"
            )

    def check_bytes(self, name: str, number: int) -> None:
        """Refuses an array of more bytes than one request may have.

        Raises:
            ServingError: If it has more.
        """
        if number > self._most_bytes:
            raise too_large(
                f"Input {name} takes {number} bytes; expected at most "
                f"{self._most_bytes}"
            )

    def _can_be_joined(self, fed: Sequence[np.ndarray]) -> bool:
        rows = {len(array) if array.ndim else 0 for array in fed}
        return self.joins and len(rows) == 1 and 0 < rows.pop() <= self._rows_joined

    def _run_alone(self, fed: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        answers = self._alone(fed)
        self._ran(len(fed[0]) if fed and fed[0].ndim else 1)
        return answers

    def _named(self, answers: Sequence[np.ndarray]) -> Arrays:
        # A single string comes as bytes.
        return {
            name: np.array(answer, object) if isinstance(answer, bytes) else answer
            for name, answer in zip(self.outputs, answers, strict=True)
        }


class _QueuesByShape:
    """Which inner shape has which queue, as long as requests of that shape run."""

    def __init__(self, queues: Sequence[Run]):
        self.number = len(queues)
        self._shut = list(queues)
        self._free: list[Run] = []
        self._used: dict[tuple, Run] = {}
        self._running: collections.Counter[tuple] = collections.Counter()
        self._company_at = -math.inf
        self._lock = threading.Lock()

    def open(self) -> None:
        """Gives out queues from now on."""
        with self._lock:
            self._free, self._shut = self._free + self._shut, []

    @contextlib.contextmanager
    def entered(self, shapes: tuple) -> Iterator[Run | None]:
        """The queue of the requests of these shapes, while one of them runs.

        None if there is nothing to wait for, since no other runs and none was joined a
        moment ago, or if all queues are shut or taken by other shapes.
        """
        with self._lock:
            has_company = (
                self._running[shapes] > 0
                or time.monotonic() - self._company_at < COMPANY_SECONDS
            )
            queue = self._queue(shapes) if has_company else None
            self._running[shapes] += 1
        try:
            yield queue
        finally:
            with self._lock:
                self._running[shapes] -= 1
                if not self._running[shapes]:
                    del self._running[shapes]
                    if shapes in self._used:
                        self._free.append(self._used.pop(shapes))

    def note_company(self) -> None:
        """Requests were joined just now: more may come, as clients send their next."""
        self._company_at = time.monotonic()

    def _queue(self, shapes: tuple) -> Run | None:
        if shapes not in self._used and self._free:
            self._used[shapes] = self._free.pop()
        return self._used.get(shapes)


def shown(shape: Sequence[int]) -> str:
    """A shape as TensorFlow Serving writes it."""
    return f"[{','.join(map(str, shape))}]"
