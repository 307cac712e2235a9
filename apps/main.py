"""The entry point of the `recurra` command: exit statuses and one-line errors.

0 done, 2 the user's input was wrong, 1 our fault, 130 stopped by the user.
"""

import logging
import os
import sys
from collections.abc import Sequence

# What the packages of the extras are imported as.
_SERVE_EXTRA = {
    "fastapi",
    "google",
    "grpc",
    "grpc_health",
    "grpc_reflection",
    "httptools",
    "orjson",
    "prometheus_client",
    "pydantic",
    "rich",
    "starlette",
    "tensorflow",
    "tensorflow_serving",
    "typer",
    "uvicorn",
    "uvloop",
    "yaml",
}
_TASKS_EXTRA = {
    "google",
    "importlib_resources",
    "jinja2",
    "joblib",
    "matplotlib",
    "pandas",
    "pyarrow",
    "pydantic",
    "rich",
    "scipy",
    "sklearn",
    "tensorflow",
    "tensorflow_datasets",
    "tensorflow_serving",
    "typer",
    "yaml",
}
_TRANSLATION_EXTRA = {"sacrebleu", "sentencepiece", "tensorflow_text"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and ends the process with its exit status."""
    # Some libraries give the root logger a handler, which would say all again.
    logging.getLogger("recurra").propagate = False
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit status."""
    # The pipelines are TensorFlow's; whichever backend the user's own work has.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        from .commands import app

        app(list(arguments), prog_name="recurra")
    except SystemExit as end:
        return _status(end)
    except KeyboardInterrupt:
        return _say("stopped", 130)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        user, extra, packages = "the command line", "tasks", _TASKS_EXTRA
        if list(arguments[:1]) == ["serve"]:
            user, extra, packages = "the server", "serve", _SERVE_EXTRA
        elif package in _TRANSLATION_EXTRA:
            user, extra, packages = "translation", "translation", _TRANSLATION_EXTRA
        if package not in packages:
            raise
        return _say(
            f"error: {package} is not installed; {user} needs the extra {extra}: "
            f"pip install 'recurra[{extra}]'",
            2,
        )
    except Exception as error:
        # Errors that are the user's to mend say so. Not by type, since the server has
        # one of its own and knows no pipelines.
        status = getattr(error, "exit_status", None)
        if status is None:
            raise
        return _say(f"error: {error}", status)
    return 0


def _status(end: SystemExit) -> int:
    """The exit status, where Typer ended the program."""
    # Typer catches these two before we can, and ends with its own status and no word.
    if isinstance(end.__context__, BrokenPipeError):
        # The reader of our output has gone, as `head` does; that is no error.
        return 0
    if end.__context__ and isinstance(end.__context__.__cause__, KeyboardInterrupt):
        return _say("stopped", 130)
    return end.code if isinstance(end.code, int) else 0


def _say(message: str, status: int) -> int:
    print(f"recurra: {message}", file=sys.stderr)
    return status


if __name__ == "__main__":
    main()
