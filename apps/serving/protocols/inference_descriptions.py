"""What the Open Inference Protocol tells of a server and its models, as JSON has it."""

from importlib.metadata import version as package_version
from typing import Any

from ..models.signatures import TensorInfo
from ..models.versions import Repository, State, Version
from .inference_tensors import config_type, datatype, shape_of

PLATFORM = "tensorflow_savedmodel"

EXTENSIONS = (
    *("binary_tensor_data", "model_configuration", "statistics"),
    "model_repository",
)


def server() -> dict[str, Any]:
    """The server itself."""
    return {
        "name": "recurra",
        "version": package_version("recurra"),
        "extensions": list(EXTENSIONS),
    }


def metadata(repository: Repository, version: Version) -> dict[str, Any]:
    """Inputs and outputs of the default signature."""
    assert version.loaded is not None
    signature = version.loaded.signature("")
    available = repository.models[version.model].available
    return {
        "name": version.model,
        "versions": [str(number) for number in available],
        "platform": PLATFORM,
        "inputs": [_tensor(info) for info in signature.inputs.values()],
        "outputs": [_tensor(info) for info in signature.outputs.values()],
    }


def _tensor(info: TensorInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "datatype": datatype(info.dtype),
        "shape": shape_of(info),
    }


def config(version: Version, as_numbers: bool) -> dict[str, Any]:
    """The same as Triton's model configurations have it.

    Args:
        version: The model's.
        as_numbers: Whether types are numbers, as in messages, or names, as in JSON.
    """
    assert version.loaded is not None
    signature = version.loaded.signature("")

    def tensor(info: TensorInfo) -> dict[str, Any]:
        number, name = config_type(info.dtype)
        data_type = number if as_numbers else name
        return {"name": info.name, "data_type": data_type, "dims": shape_of(info)}

    return {
        "name": version.model,
        "platform": PLATFORM,
        "backend": "tensorflow",
        # The dims have the rows in them.
        "max_batch_size": 0,
        "input": [tensor(info) for info in signature.inputs.values()],
        "output": [tensor(info) for info in signature.outputs.values()],
    }


def statistics(versions: list[Version]) -> dict[str, Any]:
    """How often versions were asked and ran."""
    return {"model_stats": [_statistics(version) for version in versions]}


def _statistics(version: Version) -> dict[str, Any]:
    counted = version.statistics
    return {
        "name": version.model,
        "version": str(version.number),
        "last_inference": counted.last,
        "inference_count": counted.rows,
        "execution_count": counted.executions,
        "inference_stats": {
            "success": {"count": counted.successes, "ns": counted.success_time},
            "fail": {"count": counted.failures, "ns": counted.failure_time},
        },
    }


def index(repository: Repository, ready: bool) -> list[dict[str, Any]]:
    """All versions that are known, or those alone that are ready."""
    found = [
        {
            "name": version.model,
            "version": str(version.number),
            "state": _STATES.get(version.state, "UNAVAILABLE"),
            "reason": version.error,
        }
        for _, model in sorted(repository.models.items())
        for version in model.known.values()
        if not ready or version.state is State.AVAILABLE
    ]
    unloaded = [] if ready else sorted(repository.unloaded)
    return found + [
        {"name": name, "version": "", "state": "UNAVAILABLE", "reason": "unloaded"}
        for name in unloaded
    ]


_STATES = {
    State.LOADING: "LOADING",
    State.AVAILABLE: "READY",
    State.UNLOADING: "UNLOADING",
}
