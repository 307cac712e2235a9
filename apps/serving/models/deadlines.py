"""How long the request that is being answered still has."""

import math
import time
from contextvars import ContextVar
from typing import NamedTuple


class Deadline(NamedTuple):
    """When a request is to be answered at the latest.

    Attributes:
        seconds: That it had at first.
        end: By `time.monotonic()`.
    """

    seconds: float
    end: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """The deadline of a request that begins now."""
        return cls(seconds, time.monotonic() + seconds)

    def left(self) -> float:
        """How many seconds there still are."""
        return self.end - time.monotonic()


NONE = Deadline(math.inf, math.inf)

#: Of the request that the current task or thread works on.
current: ContextVar[Deadline] = ContextVar("deadline", default=NONE)
