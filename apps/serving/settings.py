"""The settings of a server: one model with every default in it."""

import os
from pathlib import Path
from typing import Any

import pydantic
import yaml

# Stands for all of them in `batching.models`.
ALL_MODELS = "*"


class StartError(Exception):
    """The server cannot start with its settings; the message says what to do."""

    exit_status = 2


def port_taken(api: str, host: str, port: int) -> StartError:
    """What to raise where an API has no port."""
    return StartError(
        f"{host}:{port} cannot be listened on: it is taken, or not this machine's; "
        f"give another --{api}-port or --host"
    )


class _Section(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Batching(_Section):
    """How concurrent requests are joined into one batch."""

    models: frozenset[str] = pydantic.Field(
        frozenset(),
        description="whose requests are joined beside those whose card declares it: "
        "NAME, NAME:SIGNATURE or '*'; right only where no row of an answer depends on "
        "other rows",
    )
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
    bodies_megabytes: float = pydantic.Field(
        1024.0, gt=0, description="of all requests over HTTP at the same time"
    )
    rows: int = pydantic.Field(4096, ge=1, description="of one request")
    seconds: float = pydantic.Field(30.0, gt=0, description="per request")
    requests: int = pydantic.Field(
        128, ge=1, description="to one model at the same time"
    )
    head_kilobytes: float = pydantic.Field(
        64.0, gt=0, description="of the URL and headers of a request"
    )
    head_seconds: float = pydantic.Field(
        10.0, gt=0, description="that the URL and headers may take to come"
    )
    body_seconds: float = pydantic.Field(
        30.0, gt=0, description="that a body may take to come"
    )
    keep_alive_seconds: float = pydantic.Field(
        75.0, gt=0, description="that a connection over HTTP may idle"
    )
    connections: int = pydantic.Field(
        1024, ge=1, description="over HTTP, and requests over gRPC, at the same time"
    )

    @property
    def body_bytes(self) -> int:
        """Of one request."""
        return int(self.body_megabytes * 2**20)

    @property
    def bodies_bytes(self) -> int:
        """Of all requests over HTTP at the same time."""
        return int(self.bodies_megabytes * 2**20)


class Settings(_Section):
    """All settings of a server; unknown keys are errors."""

    models: Path = pydantic.Field(
        Path("saved_models"), description="folder of models, each a folder of versions"
    )
    host: str = "127.0.0.1"
    rest_port: int = pydantic.Field(8501, ge=0, le=65535)
    grpc_port: int = pydantic.Field(8500, ge=0, le=65535)
    grpc_socket: Path | None = pydantic.Field(
        None, description="a Unix socket on which gRPC is answered too"
    )
    model_config_file: Path | None = pydantic.Field(
        None,
        description="a ModelServerConfig as TensorFlow Serving reads it: which models "
        "and versions are served, and labels; all models if left out",
    )
    model_base_path: Path | None = pydantic.Field(
        None, description="folder of the versions of the only model that is served"
    )
    model_name: str = pydantic.Field("default", description="of that model")
    model_config_poll_seconds: float = pydantic.Field(
        0.0, ge=0, description="between two looks at that file; 0 for none"
    )
    api_key_file: Path | None = pydantic.Field(
        None, description="API keys, one a line; no key is asked for if left out"
    )
    hosts: frozenset[str] = pydantic.Field(
        frozenset(),
        description="names that the server is asked by, beside addresses and "
        "localhost; if left out, others are refused where only this machine can ask",
    )
    cors_origins: frozenset[str] = pydantic.Field(
        frozenset(),
        description="sites whose pages may ask the APIs, as https://example.org",
    )
    model_control: bool = pydantic.Field(
        False,
        description="whether requests of KServe's API may load and unload models",
    )

    @pydantic.field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, given: frozenset[str]) -> frozenset[str]:
        """As a browser sends them: in lower case, with no slash at the end."""
        origins = {origin.removesuffix("/").lower() for origin in given}
        for origin in origins:
            scheme, _, rest = origin.partition("://")
            if not scheme or not rest or "/" in rest:
                raise ValueError("expected SCHEME://HOST or SCHEME://HOST:PORT")
        return frozenset(origins)

    ui: bool = pydantic.Field(True, description="whether there is a page to try models")
    processes: int = pydantic.Field(1, ge=1, description="that serve on the same ports")
    cluster: str | None = pydantic.Field(
        None,
        description="address of a cluster of Ray, on which the processes are replicas "
        "in Ray Serve",
    )
    deployment: dict[str, Any] = pydantic.Field(
        {},
        description="there, further options of a deployment of Ray Serve, such as "
        "autoscaling_config",
    )
    poll_seconds: float = pydantic.Field(
        1.0, gt=0, description="between two looks at the folder of models"
    )
    stop_seconds: float = pydantic.Field(
        30.0, gt=0, description="that requests in flight have to end on SIGTERM"
    )
    batching_parameters_file: Path | None = pydantic.Field(
        None,
        description="BatchingParameters as TensorFlow Serving reads them, before those "
        "of batching",
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
