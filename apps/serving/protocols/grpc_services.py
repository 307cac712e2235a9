"""TensorFlow Serving's gRPC services: predictions, metadata, status, reloading."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from ..errors import ServingError, as_serving_error, invalid
from ..metrics import Metrics
from ..models.configuration import model_configs
from ..models.loading import LoadedModel
from ..models.running import Runner
from ..models.versions import Repository, Version
from . import describing, examples, tensor_protos

Context: TypeAlias = grpc.aio.ServicerContext


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict, Classify, Regress and GetModelMetadata.

    Args:
        repository: The models.
        runner: Runs them.
        metrics: Counts the answers.
    """

    def __init__(self, repository: Repository, runner: Runner, metrics: Metrics):
        self._repository = repository
        self._runner = runner
        self._metrics = metrics

    async def Predict(
        self, request: predict_pb2.PredictRequest, context: Context
    ) -> predict_pb2.PredictResponse:
        """Runs a signature on tensors."""
        return await self._run("predict", tensor_protos.predict, request, context)

    async def Classify(
        self, request: classification_pb2.ClassificationRequest, context: Context
    ) -> classification_pb2.ClassificationResponse:
        """Runs a classification signature on examples."""
        return await self._run("classify", examples.classify, request, context)

    async def Regress(
        self, request: regression_pb2.RegressionRequest, context: Context
    ) -> regression_pb2.RegressionResponse:
        """Runs a regression signature on examples."""
        return await self._run("regress", examples.regress, request, context)

    async def GetModelMetadata(
        self,
        request: get_model_metadata_pb2.GetModelMetadataRequest,
        context: Context,
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """The signatures of a model."""
        try:
            fields = list(request.metadata_field)
            if not fields:
                raise invalid(
                    "GetModelMetadataRequest must specify at least one metadata_field"
                )
            for field in fields:
                if field != describing.SIGNATURES:
                    raise invalid(f"Metadata field {field} is not supported")
            return describing.metadata(_find(self._repository, request))
        except ServingError as error:
            await context.abort(error.code, error.message)
            raise

    async def _run(
        self,
        method: str,
        function: Callable[[LoadedModel, Any], Any],
        request: Any,
        context: Context,
    ) -> Any:
        begun = time.perf_counter()
        model, code = "", grpc.StatusCode.OK
        try:
            async with self._runner.admitted(context.time_remaining()):
                version = _find(self._repository, request)
                model = version.model
                response = await self._runner.run(
                    version, lambda loaded: function(loaded, request)
                )
            response.model_spec.name = version.model
            response.model_spec.version.value = version.number
            return response
        except Exception as error:
            answer = as_serving_error(error)
            code = answer.code
            await context.abort(code, answer.message)
        finally:
            self._metrics.answered(model, "grpc", method, code.name, begun)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus and HandleReloadConfigRequest.

    Args:
        repository: The models.
        models: The folder where they are.
    """

    def __init__(self, repository: Repository, models: Path):
        self._repository = repository
        self._models = models

    async def GetModelStatus(
        self, request: get_model_status_pb2.GetModelStatusRequest, context: Context
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """The versions of a model and their states."""
        try:
            if not request.HasField("model_spec"):
                raise invalid("Missing ModelSpec")
            return describing.status(self._repository.status(*_spec(request)))
        except ServingError as error:
            await context.abort(error.code, error.message)
            raise

    async def HandleReloadConfigRequest(
        self, request: model_management_pb2.ReloadConfigRequest, context: Context
    ) -> model_management_pb2.ReloadConfigResponse:
        """Serves other models, versions and labels than before."""
        response = model_management_pb2.ReloadConfigResponse()
        if request.config.WhichOneof("config") is None:
            # As in TensorFlow Serving, which takes no action for an empty one.
            return response
        try:
            await self._repository.reload(model_configs(request.config, self._models))
        except Exception as error:
            failure = as_serving_error(error)
            response.status.error_code = failure.code.value[0]
            response.status.error_message = failure.message
        return response


def _find(repository: Repository, request: Any) -> Version:
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    return repository.find(*_spec(request))


def _spec(request: Any) -> tuple[str, int | None, str | None]:
    spec = request.model_spec
    choice = spec.WhichOneof("version_choice")
    return (
        spec.name,
        spec.version.value if choice == "version" else None,
        spec.version_label if choice == "version_label" else None,
    )
