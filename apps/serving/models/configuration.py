"""Which models and versions are served: TensorFlow Serving's ModelServerConfig."""

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pydantic
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

from ..errors import ServingError, invalid
from ..settings import Batching, StartError

ModelServerConfig = model_server_config_pb2.ModelServerConfig


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """What is served of one model.

    Attributes:
        folder: With the versions.
        latest: So many of the largest versions, where `specific` and `all` say no more.
        specific: These versions.
        all: Every version.
        labels: Version by label.
    """

    folder: Path
    latest: int = 1
    specific: frozenset[int] = frozenset()
    all: bool = False
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def wanted(self, versions: Collection[int]) -> set[int]:
        """Which of the versions are to be served."""
        if self.specific:
            return set(versions) & self.specific
        if self.all:
            return set(versions)
        return set(sorted(versions)[-self.latest :])


def read_model_configs(file: Path, models: Path) -> dict[str, ModelConfig]:
    """The models that the file lists.

    Raises:
        StartError: If it cannot be read or is wrong.
    """
    try:
        config = text_format.Parse(
            file.read_text(encoding="utf-8"), ModelServerConfig()
        )
        return model_configs(config, models)
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise StartError(
            f"{file}: cannot be read as a ModelServerConfig: {error}"
        ) from None
    except ServingError as error:
        raise StartError(f"{file}: {error.message}") from None


def model_configs(config: Any, models: Path) -> dict[str, ModelConfig]:
    """The models that a ModelServerConfig lists.

    Args:
        config: The message.
        models: The folder of models. No model may stand outside of it.

    Raises:
        ServingError: If something in it is wrong.
    """
    if config.WhichOneof("config") == "custom_model_config":
        raise invalid("custom_model_config is not supported; list the models")
    configs = {}
    for each in config.model_config_list.config:
        if not each.name:
            raise invalid("A model has no name")
        if each.name in configs:
            raise invalid(f"Model {each.name} is listed twice")
        if each.model_platform not in ("", "tensorflow"):
            raise invalid(
                f"Model {each.name} has platform {each.model_platform}; expected "
                "tensorflow"
            )
        policy = each.model_version_policy
        choice = policy.WhichOneof("policy_choice")
        if choice == "specific" and not policy.specific.versions:
            raise invalid(f"Model {each.name}: specific names no versions")
        configs[each.name] = ModelConfig(
            folder=_folder(each.name, each.base_path, models),
            latest=policy.latest.num_versions or 1,
            specific=frozenset(policy.specific.versions),
            all=choice == "all",
            labels=dict(each.version_labels),
        )
    return configs


def with_batching_parameters(batching: Batching, file: Path) -> Batching:
    """The settings with those of a file as TensorFlow Serving has it.

    What is no limit of a batch in it has no effect: nothing is padded, and a batch may
    have any size up to the largest.

    Raises:
        StartError: If it cannot be read.
    """
    try:
        given = text_format.Parse(
            file.read_text(encoding="utf-8"), _batching_parameters()()
        )
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise StartError(
            f"{file}: cannot be read as BatchingParameters: {error}"
        ) from None
    values: dict[str, Any] = {}
    for field, key in _LIMITS_OF_BATCHES.items():
        if given.HasField(field):
            values[key] = getattr(given, field).value
    if given.HasField("batch_timeout_micros"):
        values["delay_milliseconds"] = given.batch_timeout_micros.value / 1000
    try:
        return Batching.model_validate({**batching.model_dump(), **values})
    except pydantic.ValidationError as error:
        problem = error.errors()[0]
        raise StartError(f"{file}: {problem['loc'][0]}: {problem['msg']}") from None


_LIMITS_OF_BATCHES = {
    "max_batch_size": "rows",
    "max_enqueued_batches": "queued_batches",
    "num_batch_threads": "threads",
}


def _batching_parameters() -> Any:
    """The message, which the packages of TensorFlow Serving's APIs leave out."""
    file = descriptor_pb2.FileDescriptorProto(
        name="recurra/batching_parameters.proto",
        package="recurra",
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    message = file.message_type.add(name="BatchingParameters")
    kinds = descriptor_pb2.FieldDescriptorProto
    wrapped = {
        "Int64Value": (*_LIMITS_OF_BATCHES, "batch_timeout_micros", *_OTHER_LIMITS),
        "StringValue": ("thread_pool_name",),
        "BoolValue": ("enable_large_batch_splitting",),
    }
    for kind, names in wrapped.items():
        for name in names:
            message.field.add(
                name=name,
                number=len(message.field) + 1,
                type=kinds.TYPE_MESSAGE,
                type_name=f".google.protobuf.{kind}",
                label=kinds.LABEL_OPTIONAL,
            )
    for name, kind, label in (
        ("allowed_batch_sizes", kinds.TYPE_INT64, kinds.LABEL_REPEATED),
        ("pad_variable_length_inputs", kinds.TYPE_BOOL, kinds.LABEL_OPTIONAL),
    ):
        number = len(message.field) + 1
        message.field.add(name=name, number=number, type=kind, label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName("recurra.BatchingParameters")
    )


_OTHER_LIMITS = ("max_execution_batch_size",)


def _folder(name: str, base_path: str, models: Path) -> Path:
    root = models.resolve()
    folder = (root / base_path).resolve()
    if folder == root or not folder.is_relative_to(root):
        raise invalid(f"Model {name}: base_path must be a folder within that of models")
    return folder
