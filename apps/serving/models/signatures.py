"""What a signature takes and gives; requests to it, run alone or joined with others."""

import contextvars
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
import tensorflow as tf

from ..errors import invalid, too_large
from ..settings import Limits
from .batching import Joiner, Run

Arrays = dict[str, np.ndarray]

AnswerT = TypeVar("AnswerT")

DEFAULT_SIGNATURE = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY


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
        inputs: In the order in which `run` takes them.
        outputs: In the order in which it gives them.
        run: Runs part of the graph.
        threads: In which requests wait that are run alone.
        joiner: Joins requests; None if they cannot be joined.
        rows_joined: A request of more rows is run alone.
        limits: Beyond which a request is not run.
        ran: Called with the number of rows of every request that has run alone.
    """

    def __init__(
        self,
        name: str,
        definition: Any,
        inputs: Sequence[TensorInfo],
        outputs: Sequence[TensorInfo],
        run: Run,
        threads: ThreadPoolExecutor,
        joiner: Joiner | None,
        rows_joined: int,
        limits: Limits,
        ran: Callable[[int], None],
    ):
        self.name = name
        self.definition = definition
        self.inputs = {info.name: info for info in inputs}
        self.outputs = {info.name: info for info in outputs}
        self._run = run
        self._threads = threads
        self._joiner = joiner
        self._rows_joined = rows_joined
        self._limits = limits
        self._ran = ran

    @property
    def joins(self) -> bool:
        """Whether concurrent requests can be joined."""
        return self._joiner is not None

    def close(self) -> None:
        """Ends what waits for the model. No request may be running."""
        if self._joiner:
            self._joiner.close()

    def run(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        """Answers one request: one array per output.

        Args:
            arrays: One per input.

        Raises:
            ServingError: If an array does not fit its input.
            tf.errors.OpError: If the model itself fails.
        """
        fed = self._fed(arrays)
        joiner = self._joiner_of(fed)
        return self.named(joiner.submit(fed).result() if joiner else self._alone(fed))

    def submit(
        self, arrays: Mapping[str, np.ndarray]
    ) -> "Future[Sequence[np.ndarray]]":
        """Likewise, later: what `named` makes an answer of.

        Raises:
            ServingError: If an array does not fit its input, or too many requests wait.
        """
        fed = self._fed(arrays)
        if joiner := self._joiner_of(fed):
            return joiner.submit(fed)
        return self._threads.submit(contextvars.copy_context().run, self._alone, fed)

    def named(self, answers: Sequence[np.ndarray]) -> Arrays:
        """One array per output."""
        # A single string comes as bytes.
        return {
            name: np.array(answer, object) if isinstance(answer, bytes) else answer
            for name, answer in zip(self.outputs, answers, strict=True)
        }

    def check_rows(self, name: str, rows: int) -> None:
        """Refuses more rows than one request may have.

        Raises:
            ServingError: If there are more.
        """
        most_rows = self._limits.rows
        if rows > most_rows:
            raise too_large(
                f"Input {name} has {rows} rows; expected at most {most_rows}"
            )

    def check_bytes(self, name: str, number: int) -> None:
        """Refuses an array of more bytes than one request may have.

        Raises:
            ServingError: If it has more.
        """
        most_bytes = self._limits.body_bytes
        if number > most_bytes:
            raise too_large(
                f"Input {name} takes {number} bytes; expected at most {most_bytes}"
            )

    def _fed(self, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """The arrays in order, if they fit."""
        fed = [arrays[name] for name in self.inputs]
        for info, array in zip(self.inputs.values(), fed, strict=True):
            if not info.accepts(array.shape):
                raise invalid(
                    f"Input {info.name} has shape {shown(array.shape)}; expected "
                    f"{info.shown_shape()}"
                )
            self.check_rows(info.name, len(array) if array.ndim else 0)
        return fed

    def _joiner_of(self, fed: Sequence[np.ndarray]) -> Joiner | None:
        rows = {len(array) if array.ndim else 0 for array in fed}
        if len(rows) == 1 and 0 < rows.pop() <= self._rows_joined:
            return self._joiner
        return None

    def _alone(self, fed: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        answers = self._run(fed)
        self._ran(len(fed[0]) if fed and fed[0].ndim else 1)
        return answers


class Question(NamedTuple):
    """What is asked of a signature, on the way to an answer: one array per input."""

    signature: Signature
    arrays: Arrays


#: Yields what is asked of a model, is sent its answers, and returns what is made of
#: them. Who drives it decides where it waits.
Work: TypeAlias = Generator[Question, Arrays, AnswerT]


def answered(work: Work[AnswerT]) -> AnswerT:
    """Does the work, and waits for the model's answers in between."""
    try:
        question = next(work)
        while True:
            question = work.send(question.signature.run(question.arrays))
    except StopIteration as end:
        return end.value


def shown(shape: Sequence[int]) -> str:
    """A shape as TensorFlow Serving writes it."""
    return f"[{','.join(map(str, shape))}]"
