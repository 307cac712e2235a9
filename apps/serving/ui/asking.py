"""Questions of the page to the served models, on the way that the APIs' requests go."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import NamedTuple, TypeVar

from ..errors import ServingError, as_serving_error, not_found
from ..metrics import Metrics
from ..models.loading import LoadedModel
from ..models.running import Runner
from ..models.versions import Repository, Version

AnswerT = TypeVar("AnswerT")


class Asker:
    """Asks models within the limits that hold for every request.

    Args:
        repository: The models.
        runner: Runs them.
        metrics: Counts the answers.
    """

    def __init__(self, repository: Repository, runner: Runner, metrics: Metrics):
        self._repository = repository
        self._runner = runner
        self._metrics = metrics

    def versions(self) -> list[Version]:
        """The version of each model that answers, by the models' names."""
        models = sorted(self._repository.models.items())
        available = [model.available for _, model in models]
        return [versions[max(versions)] for versions in available if versions]

    def find(self, name: str | None) -> Version:
        """The version of a model that answers.

        Raises:
            ServingError: If there is none.
        """
        for version in self.versions():
            if version.model == name:
                return version
        raise not_found(
            f"{name} is not served any more; choose another model."
            if name
            else "Choose a model first."
        )

    async def ask(
        self, name: str | None, work: Callable[[LoadedModel], AnswerT]
    ) -> AnswerT:
        """What the work makes of a model; done in a thread.

        Raises:
            ServingError: If the model is gone, or a limit is passed.
        """
        with self._counted(self.find(name)) as version:
            async with self._runner.admitted(version.model):
                return await self._runner.run(version, work)

    async def pieces(
        self, name: str | None, work: Callable[[LoadedModel], Iterator[AnswerT]]
    ) -> AsyncGenerator[AnswerT]:
        """What the work gives, piece by piece, until the iterator is closed.

        Raises:
            ServingError: As `ask` does.
        """
        given: asyncio.Queue[AnswerT | _End] = asyncio.Queue(1)

        async def make() -> None:
            try:
                with self._counted(self.find(name)) as version:
                    async with (
                        self._runner.admitted(version.model),
                        contextlib.aclosing(
                            self._runner.pieces(version, work)
                        ) as pieces,
                    ):
                        async for piece in pieces:
                            await given.put(piece)
            except ServingError as error:
                await given.put(_End(error))
            else:
                await given.put(_End(None))

        # A task of its own, since the time limit ends the task that it stands in.
        making = asyncio.create_task(make())
        try:
            while not isinstance(piece := await given.get(), _End):
                yield piece
            if piece.error:
                raise piece.error
        finally:
            making.cancel()

    @contextlib.contextmanager
    def _counted(self, version: Version) -> Iterator[Version]:
        """Counts the question; what it raises becomes a ServingError."""
        begun = time.perf_counter()
        code = "OK"
        try:
            yield version
        except Exception as error:
            answer = as_serving_error(error)
            code = answer.code.name
            raise answer from None
        finally:
            self._metrics.answered(version.model, "page", "predict", code, begun)


class _End(NamedTuple):
    """Stands behind the last piece, with why there are no more if that is an error."""

    error: ServingError | None
