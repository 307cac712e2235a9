"""What one of several processes that serve on the same ports shares with the others.

The parent and a process say to each other, a line of JSON each: `{"loaded": [MODEL,
VERSION]}` when a version is ready to answer or broken, and `{"go": [MODEL, VERSION]}`
when it is in all of them, so that all begin to answer with it at the same time. Metrics
are fetched over a socket of each process in a folder of theirs.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector, CollectorRegistry

# Another process may have to load a large model, or be starting.
_SECONDS_IN_STEP = 120.0
_SECONDS_FOR_METRICS = 2.0


class Sibling:
    """One of the processes, as it sees the others.

    Args:
        number: Of this process, from 1 on.
        folder: Of the sockets.
        say: Tells the parent a line.
    """

    def __init__(self, number: int, folder: Path, say: Callable[[str], None]):
        self.number, self._folder, self._say = number, folder, say
        self._going: dict[tuple[str, int], asyncio.Event] = {}

    def ready(self) -> None:
        """Tells the parent that this process answers."""
        self._say(json.dumps({"ready": True}))

    async def in_step(self, model: str, version: int) -> None:
        """Waits until all processes have loaded the version, or found it broken."""
        going = self._going[model, version] = asyncio.Event()
        self._say(json.dumps({"loaded": [model, version]}))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(going.wait(), _SECONDS_IN_STEP)
        del self._going[model, version]

    async def hear(self, lines: asyncio.StreamReader) -> None:
        """Hears the parent, until that has gone."""
        async for line in lines:
            model, version = json.loads(line)["go"]
            if (model, version) in self._going:
                self._going[model, version].set()

    @contextlib.asynccontextmanager
    async def giving(self, page: Callable[[], bytes]) -> AsyncIterator[None]:
        """Gives its metrics to the others within the context."""

        async def give(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(page())
            await writer.drain()
            writer.close()

        path = self._folder / str(self.number)
        # Of the process before it, which was killed.
        path.unlink(missing_ok=True)
        async with await asyncio.start_unix_server(give, path):
            yield

    async def page(self) -> bytes:
        """The metrics of all processes, each with the label `process`."""
        paths = sorted(self._folder.iterdir(), key=lambda path: int(path.name))
        pages = await asyncio.gather(*map(_fetched, paths))
        return joined(
            (path.name, page.decode()) for path, page in zip(paths, pages, strict=True)
        )


async def _fetched(path: Path) -> bytes:
    """The metrics of a process; empty if it has just died."""
    try:
        async with asyncio.timeout(_SECONDS_FOR_METRICS):
            reader, writer = await asyncio.open_unix_connection(path)
            page = await reader.read()
            writer.close()
            return page
    except (OSError, TimeoutError):
        return b""


def joined(pages: Iterable[tuple[str, str]]) -> bytes:
    """Pages of metrics as one, with a label of the process that each is of."""
    families: dict[str, Metric] = {}
    for process, page in pages:
        for family in text_string_to_metric_families(page):
            kept = families.setdefault(
                family.name, Metric(family.name, family.documentation, family.type)
            )
            kept.samples += [
                sample._replace(labels={"process": process, **sample.labels})
                for sample in family.samples
            ]
    registry = CollectorRegistry()
    registry.register(_Given(families.values()))
    return generate_latest(registry)


class _Given(Collector):
    def __init__(self, families: Iterable[Metric]):
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families
