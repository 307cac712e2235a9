"""Requests that nobody waits for any more, and what ends the work for them."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from ..errors import gone


class Cancellation:
    """Whether somebody waits for what a thread works on.

    Attributes:
        is_cancelled: Whether nobody does.
    """

    def __init__(self) -> None:
        self.is_cancelled = False
        self._end: Callable[[], None] | None = None
        self._lock = threading.Lock()

    def cancel(self) -> None:
        """Ends what runs now, and lets nothing run after it."""
        with self._lock:
            self.is_cancelled = True
            if self._end:
                self._end()

    @contextlib.contextmanager
    def ended_by(self, end: Callable[[], None]) -> Iterator[None]:
        """Within the context runs what `end` ends.

        Raises:
            ServingError: If nobody waits for it at its begin or end.
        """
        self._set(end)
        try:
            yield
        finally:
            self._set(None)

    def _set(self, end: Callable[[], None] | None) -> None:
        with self._lock:
            self._end = end
            if self.is_cancelled:
                raise gone()


#: Of what the current thread works on; None where that is no request.
current: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)
