"""The messages of the Open Inference Protocol's gRPC service.

They stand in a pool of their own: the clients that are on PyPI each bring a file of
messages of these names, and one process has room for one of them in the common pool.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "inference"
SERVICE = f"{PACKAGE}.GRPCInferenceService"

_TENSOR = "string name=1; string datatype=2; repeated int64 shape=3"
_NAMED = "string name=1; string version=2"
# As KServe's clients write the first field and Triton's the second.
_CONTROLLED = "string repository_name=1; string model_name=2"

# Fields by message, as `type name=number`; `map` is one of parameters by name.
_MESSAGES = {
    "ServerLiveRequest": "",
    "ServerLiveResponse": "bool live=1",
    "ServerReadyRequest": "",
    "ServerReadyResponse": "bool ready=1",
    "ModelReadyRequest": _NAMED,
    "ModelReadyResponse": "bool ready=1",
    "ServerMetadataRequest": "",
    "ServerMetadataResponse": (
        "string name=1; string version=2; repeated string extensions=3"
    ),
    "ModelMetadataRequest": _NAMED,
    "TensorMetadata": _TENSOR,
    "ModelMetadataResponse": (
        "string name=1; repeated string versions=2; string platform=3; "
        "repeated TensorMetadata inputs=4; repeated TensorMetadata outputs=5"
    ),
    "InferParameter": (
        "bool bool_param=1; int64 int64_param=2; string string_param=3; "
        "double double_param=4; uint64 uint64_param=5"
    ),
    "InferTensorContents": (
        "repeated bool bool_contents=1; repeated int32 int_contents=2; "
        "repeated int64 int64_contents=3; repeated uint32 uint_contents=4; "
        "repeated uint64 uint64_contents=5; repeated float fp32_contents=6; "
        "repeated double fp64_contents=7; repeated bytes bytes_contents=8"
    ),
    "InferTensor": f"{_TENSOR}; map parameters=4; InferTensorContents contents=5",
    "InferRequestedOutputTensor": "string name=1; map parameters=2",
    "ModelInferRequest": (
        "string model_name=1; string model_version=2; string id=3; map parameters=4; "
        "repeated InferTensor inputs=5; repeated InferRequestedOutputTensor outputs=6; "
        "repeated bytes raw_input_contents=7"
    ),
    "ModelInferResponse": (
        "string model_name=1; string model_version=2; string id=3; map parameters=4; "
        "repeated InferTensor outputs=5; repeated bytes raw_output_contents=6"
    ),
    "ModelStreamInferResponse": (
        "string error_message=1; ModelInferResponse infer_response=2"
    ),
    "ModelConfigRequest": _NAMED,
    "ModelInput": "string name=1; int32 data_type=2; repeated int64 dims=4",
    "ModelOutput": "string name=1; int32 data_type=2; repeated int64 dims=3",
    "ModelConfig": (
        "string name=1; string platform=2; int32 max_batch_size=4; "
        "repeated ModelInput input=5; repeated ModelOutput output=6; string backend=17"
    ),
    "ModelConfigResponse": "ModelConfig config=1",
    "StatisticDuration": "uint64 count=1; uint64 ns=2",
    "InferStatistics": "StatisticDuration success=1; StatisticDuration fail=2",
    "ModelStatistics": (
        "string name=1; string version=2; uint64 last_inference=3; "
        "uint64 inference_count=4; uint64 execution_count=5; "
        "InferStatistics inference_stats=6"
    ),
    "ModelStatisticsRequest": _NAMED,
    "ModelStatisticsResponse": "repeated ModelStatistics model_stats=1",
    "RepositoryIndexRequest": "string repository_name=1; bool ready=2",
    "ModelIndex": "string name=1; string version=2; string state=3; string reason=4",
    "RepositoryIndexResponse": "repeated ModelIndex models=1",
    "RepositoryModelLoadRequest": _CONTROLLED,
    "RepositoryModelLoadResponse": "string model_name=1; bool isLoaded=2",
    "RepositoryModelUnloadRequest": _CONTROLLED,
    "RepositoryModelUnloadResponse": "string model_name=1; bool isUnloaded=2",
}

_FieldDescriptor = descriptor_pb2.FieldDescriptorProto


def _pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(
        name="recurra/inference.proto", package=PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in filter(None, fields.split("; ")):
            declared, _, number = field.partition("=")
            *labels, kind, field_name = f"optional {declared}".split()[-3:]
            if kind == "map":
                labels, kind = ["repeated"], _add_map_entry(message, field_name)
            _add(message, field_name, kind, int(number), labels[0])
        if name == "InferParameter":
            message.oneof_decl.add(name="parameter_choice")
            for each in message.field:
                each.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _add_map_entry(message: Any, field_name: str) -> str:
    entry = message.nested_type.add(name=f"{field_name.capitalize()}Entry")
    entry.options.map_entry = True
    _add(entry, "key", "string", 1, "optional")
    _add(entry, "value", "InferParameter", 2, "optional")
    return f"{message.name}.{entry.name}"


def _add(message: Any, name: str, kind: str, number: int, label: str) -> None:
    scalar = getattr(_FieldDescriptor, f"TYPE_{kind.upper()}", None)
    message.field.add(
        name=name,
        number=number,
        label=getattr(_FieldDescriptor, f"LABEL_{label.upper()}"),
        type=scalar or _FieldDescriptor.TYPE_MESSAGE,
        type_name=None if scalar else f".{PACKAGE}.{kind}",
    )


_POOL = _pool()


def message_class(name: str) -> Any:
    """The class of a message, by its name without the package."""
    found = _POOL.FindMessageTypeByName(f"{PACKAGE}.{name}")
    return message_factory.GetMessageClass(found)
