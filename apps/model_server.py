"""`tensorflow_model_server`: the server by the flags of TensorFlow Serving's own."""

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

logger = logging.getLogger("recurra.serving")

# What they say is settled otherwise here, or has no counterpart.
_WITHOUT_EFFECT = (
    *("allow_version_labels_for_unavailable_models", "enable_batching_per_model"),
    *("enable_model_warmup", "enable_per_model_batching_parameters"),
    *("enable_signature_method_name_check", "flush_filesystem_caches"),
    *("grpc_channel_arguments", "grpc_max_threads"),
    *("load_retry_interval_micros", "max_num_load_retries", "monitoring_config_file"),
    *("num_load_threads", "num_request_iterations_for_warmup", "num_unload_threads"),
    *("per_process_gpu_memory_fraction", "platform_config_file", "prefer_tflite_model"),
    *("rest_api_num_threads", "saved_model_tags", "tensorflow_inter_op_parallelism"),
    *("tensorflow_intra_op_parallelism", "tensorflow_session_parallelism"),
    *("thread_pool_factory_config_file", "total_model_memory_limit_bytes"),
    *("remove_unused_fields_from_bundle_metagraph", "skip_initialize_tpu"),
    *("enforce_session_run_timeout", "enable_cors_support", "use_tflite_model"),
)


def settings_of(arguments: Sequence[str]) -> dict[str, Any]:
    """The settings that flags of TensorFlow Serving ask for.

    Args:
        arguments: As its command takes them: `--port=8500`.

    Raises:
        SystemExit: If a flag is none of its, or asks for what this server must not
            leave out silently, as TLS is.
    """
    flags = _parser().parse_args(arguments)
    for name in _WITHOUT_EFFECT:
        if getattr(flags, name) is not None:
            logger.warning("--%s has no effect here", name)
    settings: dict[str, Any] = {
        "host": "0.0.0.0",
        "grpc_port": flags.port,
        "grpc_socket": flags.grpc_socket_path,
        "rest_port": flags.rest_api_port,
        "limits": {"seconds": flags.rest_api_timeout_in_ms / 1000},
        "model_config_poll_seconds": flags.model_config_file_poll_wait_seconds,
    }
    if flags.file_system_poll_wait_seconds > 0:
        settings["poll_seconds"] = flags.file_system_poll_wait_seconds
    if flags.model_config_file:
        settings["model_config_file"] = flags.model_config_file
        # As with TensorFlow Serving, the models stand anywhere.
        settings["models"] = Path(os.sep)
    elif flags.model_base_path:
        settings["model_name"] = flags.model_name
        settings["model_base_path"] = flags.model_base_path
        settings["models"] = flags.model_base_path.resolve().parent
    if flags.enable_batching in ("", "true", "1"):
        settings["batching"] = {"models": ["*"]}
        if flags.batching_parameters_file:
            settings["batching_parameters_file"] = flags.batching_parameters_file
    return settings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tensorflow_model_server",
        description="recurra serve, by the flags of TensorFlow Serving.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--port", type=int, default=8500, help="of gRPC")
    add("--grpc_socket_path", type=_path, help="of gRPC too")
    add("--rest_api_port", type=int, default=0, help="of REST; 0 for any")
    add("--rest_api_timeout_in_ms", type=int, default=30000)
    add("--model_name", default="default")
    add("--model_base_path", type=Path, help="folder of the versions of one model")
    add("--model_config_file", type=Path, help="models, versions and labels")
    add("--model_config_file_poll_wait_seconds", type=float, default=0)
    add("--file_system_poll_wait_seconds", type=float, default=1)
    add("--enable_batching", nargs="?", const="", help="joins requests of all models")
    add("--batching_parameters_file", type=Path)
    for name in _WITHOUT_EFFECT:
        add(f"--{name}", nargs="?", const="", help=argparse.SUPPRESS)
    return parser


def _path(text: str) -> Path | None:
    """The path, or None for the empty text that stands for none."""
    return Path(text) if text else None
