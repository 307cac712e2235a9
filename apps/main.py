"""The entry point of the `recurra` command: exit statuses and one-line errors.

0 done, 2 the user's input was wrong, 1 our fault, 130 stopped by the user.
"""

import os
import sys
from collections.abc import Sequence

# What the packages of the extra `tasks` are imported as.
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and ends the process with its exit status."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit status."""
    # The pipelines are TensorFlow's; whichever backend the user's own work has.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from recurra.pipelines.errors import UserError

    try:
        from .commands import app

        app(list(arguments), prog_name="recurra")
    except SystemExit as end:
        return _status(end)
    except UserError as error:
        return _say(f"error: {error}", 2)
    except KeyboardInterrupt:
        return _say("stopped", 130)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _TASKS_EXTRA:
            raise
        return _say(
            f"error: {package} is not installed; the command line needs the extra "
            "tasks: pip install 'recurra[tasks]'",
            2,
        )
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
