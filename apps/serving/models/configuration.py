"""Which models and versions are served: TensorFlow Serving's ModelServerConfig."""

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from ..errors import ServingError, StartError, invalid

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


def _folder(name: str, base_path: str, models: Path) -> Path:
    root = models.resolve()
    folder = (root / base_path).resolve()
    if folder == root or not folder.is_relative_to(root):
        raise invalid(f"Model {name}: base_path must be a folder within that of models")
    return folder
