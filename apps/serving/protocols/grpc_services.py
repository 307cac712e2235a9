"""TensorFlow Serving's gRPC services: predictions, metadata, status, reloading."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from ..errors import ServingError, as_serving_error, invalid
from ..models.configuration import model_configs
from ..models.loading import LoadedModel
from ..models.signatures import Work
from ..models.versions import Repository
from . import describing, examples, tensor_protos
from .grpc_calls import Calls, Context, Spec


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict, Classify, Regress, MultiInference and GetModelMetadata.

    Args:
        repository: The models.
        calls: Runs what asks them.
    """

    def __init__(self, repository: Repository, calls: Calls):
        self._repository = repository
        self._calls = calls

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

    async def MultiInference(
        self, request: inference_pb2.MultiInferenceRequest, context: Context
    ) -> inference_pb2.MultiInferenceResponse:
        """Runs classification and regression signatures on the same examples."""
        if not request.tasks:
            message = "MultiInferenceRequest must have at least one task"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, message)
        function = examples.multi_inference
        return await self._run("multi_inference", function, request, context)

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
            return describing.metadata(self._repository.find(*_spec(request)))
        except ServingError as error:
            await context.abort(error.code, error.message)
            raise

    async def _run(
        self,
        method: str,
        function: Callable[[LoadedModel, Any], Work[Any]],
        request: Any,
        context: Context,
    ) -> Any:
        # Tasks are of one model.
        asked = request.tasks[0] if method == "multi_inference" else request
        try:
            version, response = await self._calls.run(
                context.time_remaining(),
                method,
                partial(_spec, asked),
                lambda loaded: function(loaded, request),
                tensor_protos.bytes_of(request),
            )
        except ServingError as error:
            await context.abort(error.code, error.message)
            raise
        for answered in getattr(response, "results", [response]):
            answered.model_spec.name = version.model
            answered.model_spec.version.value = version.number
        return response


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus and HandleReloadConfigRequest.

    Args:
        repository: The models.
        models: The folder where they are.
        is_alone: Whether a request for other models reaches all that serve.
    """

    def __init__(self, repository: Repository, models: Path, is_alone: bool = True):
        self._repository = repository
        self._models = models
        self._is_alone = is_alone

    async def GetModelStatus(
        self, request: get_model_status_pb2.GetModelStatusRequest, context: Context
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """The versions of a model and their states."""
        try:
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
            if not self._is_alone:
                raise ServingError(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    "Several processes serve, of which this reaches one; change the "
                    "file of models and send SIGHUP",
                )
            await self._repository.reload(model_configs(request.config, self._models))
        except Exception as error:
            failure = as_serving_error(error)
            response.status.error_code = failure.code.value[0]
            response.status.error_message = failure.message
        return response


def _spec(request: Any) -> Spec:
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    spec = request.model_spec
    choice = spec.WhichOneof("version_choice")
    return (
        spec.name,
        spec.version.value if choice == "version" else None,
        spec.version_label if choice == "version_label" else None,
    )
