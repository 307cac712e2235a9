"""Calls over gRPC that ask a model: found, run within the limits, counted."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeAlias, TypeVar

import grpc

from ..errors import as_serving_error
from ..metrics import Metrics
from ..models.loading import LoadedModel
from ..models.running import Runner
from ..models.signatures import Work
from ..models.versions import Repository, Version

Context: TypeAlias = grpc.aio.ServicerContext

# Name, number or None, label or None.
Spec: TypeAlias = tuple[str, int | None, str | None]

AnswerT = TypeVar("AnswerT")


class Calls:
    """Runs the calls of all services.

    Args:
        repository: The models.
        runner: Runs them.
        metrics: Counts the answers.
    """

    def __init__(self, repository: Repository, runner: Runner, metrics: Metrics):
        self._repository = repository
        self._runner = runner
        self._metrics = metrics

    async def run(
        self,
        seconds: float | None,
        method: str,
        spec: Callable[[], Spec],
        work: Callable[[LoadedModel], Work[AnswerT]],
        size: int,
    ) -> tuple[Version, AnswerT]:
        """What the work makes of a model, and the version that it was.

        Args:
            seconds: That the client waits; None without end.
            method: For the metrics.
            spec: Which model is asked.
            work: What is done.
            size: Bytes of the request.

        Raises:
            ServingError: If anything fails.
        """
        begun = time.perf_counter()
        model, code = "", grpc.StatusCode.OK
        try:
            name, number, label = spec()
            async with self._runner.admitted(name, seconds):
                version = self._repository.find(name, number, label)
                model = version.model
                return version, await self._runner.answer(version, work, size)
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED
            raise
        except Exception as error:
            answer = as_serving_error(error)
            code = answer.code
            raise answer from None
        finally:
            self._metrics.answered(model, "grpc", method, code.name, begun)
