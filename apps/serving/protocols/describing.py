"""Status and metadata of models, as the messages that both APIs send."""

from collections.abc import Sequence

import grpc
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from ..models.versions import Version

SIGNATURES = "signature_def"


def status(versions: Sequence[Version]) -> get_model_status_pb2.GetModelStatusResponse:
    """In which state the versions are, and why some cannot be served."""
    response = get_model_status_pb2.GetModelStatusResponse()
    for version in versions:
        one = response.model_version_status.add(
            version=version.number, state=int(version.state)
        )
        one.status.error_message = version.error
        if version.error:
            one.status.error_code = grpc.StatusCode.UNKNOWN.value[0]
    return response


def metadata(
    version: Version,
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """The signatures of a version."""
    assert version.loaded is not None
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in version.loaded.definitions.items():
        signatures.signature_def[name].CopyFrom(definition)
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = version.model
    response.model_spec.version.value = version.number
    response.metadata[SIGNATURES].Pack(signatures)
    return response


def unpacked(
    response: get_model_metadata_pb2.GetModelMetadataResponse,
) -> get_model_metadata_pb2.SignatureDefMap:
    """The signatures of such a response."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata[SIGNATURES].Unpack(signatures)
    return signatures
