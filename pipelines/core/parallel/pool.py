"""Processes that run one function over many items: in their order, or as they come."""

import contextlib
import dataclasses
import functools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..errors import Interrupted, WorkerLost
from .children import Child, shares_of_cores

if TYPE_CHECKING:
    from .nodes import Nodes

Item = TypeVar("Item")
#: Tells the parent something, and gives what it answers.
Tell = Callable[[Any], Any]

_SECONDS_BETWEEN_LOOKS = 0.2
# For each process so many items may be done before their turn.
_AHEAD = 4


@dataclasses.dataclass
class _Call(Generic[Item]):
    number: int
    item: Item
    tries: int = 0


class Pool(contextlib.AbstractContextManager["Pool"]):
    """Processes of this machine or of a cluster, each with its part of the cores.

    A process that dies is started again. They are ended on leaving the context, and by
    whatever ends this process.

    Args:
        number: Of the processes.
        tries: How often an item is given to a process before its death is an error.
        nodes: Of the cluster that they run on; this machine if None.
        needs: What they read and write, which every node has to see.
    """

    def __init__(
        self,
        number: int,
        tries: int = 1,
        nodes: "Nodes | None" = None,
        needs: Path = Path(),
    ):
        self._number, self._tries = number, tries
        self._start: Callable[[str, Any], Any] = Child
        shares: list[Any] = shares_of_cores(number)
        if nodes is not None:
            self._start = functools.partial(nodes.start, needs)
            shares = nodes.shares(number)
        self._idle = deque(shares)
        # By the pipe to each.
        self._children: dict[Any, tuple[Any, Any]] = {}
        self._free: list[Any] = []
        self._at_work: dict[Any, _Call] = {}

    def __exit__(self, *error: object) -> None:
        for child, _ in self._children.values():
            child.end()
        self._children.clear()

    def in_order(
        self, function: Callable[[Item, Tell], Any], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Any]]:
        """Each item with what the function gives, in the order of the items.

        Items are taken from the iterator a few ahead of what is given.

        Raises:
            WorkerLost: An item has ended so many processes as there are tries.
            Exception: What the function raised.
        """
        position = 0
        done: dict[int, tuple[Item, Any]] = {}
        ahead = _AHEAD * self._number
        results = self._results(
            function, items, lambda number: number < position + ahead
        )
        for call, result in results:
            if isinstance(result, Exception):
                raise result
            done[call.number] = call.item, result
            while position in done:
                yield done.pop(position)
                position += 1

    def as_completed(
        self,
        function: Callable[[Item, Tell], Any],
        items: Iterable[Item],
        hear: Callable[[Item, Any], Any],
        stop: threading.Event,
    ) -> Iterator[tuple[Item, Any]]:
        """Each item with what the function gives or raises, as they come.

        Args:
            function: Of a module. It takes an item, and what tells this process.
            items: Taken when a process is free.
            hear: Gets an item and what was told of it, and gives the answer.
            stop: Once set, processes at work get SIGTERM and no item is begun.
        """
        for call, result in self._results(function, items, None, hear, stop):
            yield call.item, result

    def _results(
        self,
        function: Callable[[Item, Tell], Any],
        items: Iterable[Item],
        may_begin: Callable[[int], bool] | None,
        hear: Callable[[Item, Any], Any] | None = None,
        stop: threading.Event | None = None,
    ) -> Iterator[tuple[_Call[Item], Any]]:
        calls = (_Call(number, item) for number, item in enumerate(items))
        waiting: deque[_Call[Item]] = deque()
        is_told = False
        while True:
            is_stopping = stop is not None and stop.is_set()
            if is_stopping and not is_told:
                for connection in self._at_work:
                    self._children[connection][0].stop()
                is_told = True
            while len(self._at_work) < self._number and not is_stopping:
                call = waiting.popleft() if waiting else next(calls, None)
                if call is None:
                    break
                if may_begin is not None and not may_begin(call.number):
                    waiting.appendleft(call)
                    break
                self._begin(function, call)
            if not self._at_work:
                return
            ready: list[Any] = wait(list(self._at_work), _SECONDS_BETWEEN_LOOKS)
            for connection in ready:
                call = self._at_work[connection]
                try:
                    kind, value = connection.recv()
                except (EOFError, ConnectionResetError):
                    words = self._bury(connection)
                    call.tries += 1
                    if is_told:
                        yield call, Interrupted("stopped")
                    elif call.tries < self._tries:
                        waiting.appendleft(call)
                    else:
                        yield call, WorkerLost(f"the process {words}")
                    continue
                if kind == "told":
                    assert hear is not None
                    connection.send(hear(call.item, value))
                    continue
                del self._at_work[connection]
                self._free.append(connection)
                yield call, value

    def _begin(self, function: Callable[..., Any], call: _Call) -> None:
        if not self._free:
            share = self._idle.popleft()
            child = self._start(f"{__package__}.pool_process", share)
            self._children[child.connection] = child, share
            self._free.append(child.connection)
        connection = self._free.pop()
        self._at_work[connection] = call
        # One that has just died is found by its connection.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send((function, call.item))

    def _bury(self, connection: Any) -> str:
        """Forgets a process that has died; gives how."""
        del self._at_work[connection]
        child, share = self._children.pop(connection)
        words = child.last_words()
        child.end()
        self._idle.append(share)
        return words
