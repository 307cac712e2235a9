"""The settings of a server: one model with every default in it."""

import os
from pathlib import Path
from typing import Any

import pydantic
import yaml

from .errors import StartError


class _Section(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Batching(_Section):
    """How concurrent requests are joined into one batch."""

    rows: int = pydantic.Field(32, ge=1, description="in a batch at most")
    delay_milliseconds: float = pydantic.Field(
        4.0,
        ge=0,
        description="that a batch waits for more rows; a request never waits when no "
        "other runs",
    )
    queued_batches: int = pydantic.Field(
        64, ge=1, description="that wait per signature; beyond them answers are 429"
    )
    threads: int = pydantic.Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        description="that run batches of one signature at the same time",
    )


class Limits(_Section):
    """What one client can make the server do."""

    body_megabytes: float = pydantic.Field(16.0, gt=0, description="of one request")
    rows: int = pydantic.Field(4096, ge=1, description="of one request")
    seconds: float = pydantic.Field(30.0, gt=0, description="per request")
    requests: int = pydantic.Field(128, ge=1, description="at the same time")

    @property
    def body_bytes(self) -> int:
        """Of one request."""
        return int(self.body_megabytes * 2**20)


class Settings(_Section):
    """All settings of a server; unknown keys are errors."""

    models: Path = pydantic.Field(
        Path("saved_models"), description="folder of models, each a folder of versions"
    )
    host: str = "127.0.0.1"
    rest_port: int = pydantic.Field(8501, ge=0, le=65535)
    grpc_port: int = pydantic.Field(8500, ge=0, le=65535)
    model_config_file: Path | None = pydantic.Field(
        None,
        description="a ModelServerConfig as TensorFlow Serving reads it: which models "
        "and versions are served, and labels; all models if left out",
    )
    api_key_file: Path | None = pydantic.Field(
        None, description="API keys, one a line; no key is asked for if left out"
    )
    ui: bool = pydantic.Field(True, description="whether there is a page to try models")
    poll_seconds: float = pydantic.Field(
        1.0, gt=0, description="between two looks at the folder of models"
    )
    stop_seconds: float = pydantic.Field(
        30.0, gt=0, description="that requests in flight have to end on SIGTERM"
    )
    batching: Batching = Batching()
    limits: Limits = Limits()


def make_settings(file: Path | None, given: dict[str, Any]) -> Settings:
    """The settings of a YAML file and, before those, of the command line.

    Raises:
        StartError: If a key is unknown or a value is wrong.
    """
    values = {**(_read(file) if file else {}), **given}
    try:
        return Settings.model_validate(values)
    except pydantic.ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise StartError(
            f"{file or 'settings'}: {where}: {problem['msg']}; "
            f"received {problem['input']!r}"
        ) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise StartError(f"{file}: cannot be read as YAML: {reason}") from None
    if not isinstance(content, dict):
        raise StartError(f"{file}: expected 'key: value' lines")
    return content
