"""What is counted of a version, from when it was loaded."""

import threading
import time


class Statistics:
    """Counts of one version. Times are in nanoseconds.

    Attributes:
        successes: Requests that were answered.
        success_time: That these took.
        failures: Requests that were not.
        failure_time: That these took.
        executions: Runs of the model.
        rows: That it ran.
        last: When the last request ended, in milliseconds since 1970; 0 for never.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.successes = 0
        self.success_time = 0
        self.failures = 0
        self.failure_time = 0
        self.executions = 0
        self.rows = 0
        self.last = 0

    def ran(self, rows: int) -> None:
        """The model ran so many rows at once."""
        with self._lock:
            self.executions += 1
            self.rows += rows

    def ended(self, seconds: float, failed: bool) -> None:
        """A request took so long."""
        nanoseconds = round(seconds * 1e9)
        with self._lock:
            self.last = round(time.time() * 1000)
            if failed:
                self.failures += 1
                self.failure_time += nanoseconds
            else:
                self.successes += 1
                self.success_time += nanoseconds
