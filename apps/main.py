"""The entry point of the `recurra` command: exit statuses and one-line errors.

0 done, 2 the user's input was wrong, 1 our fault, 130 stopped by the user.
"""

import importlib.metadata
import logging
import os
import re
import sys
from collections.abc import Sequence

# Where the name to import is not the name to install.
_IMPORTED_AS = {"scikit-learn": "sklearn", "pyyaml": "yaml"}
# What other packages bring along, by the package that is named for it.
_BROUGHT_BY = {"google": "tensorflow", "joblib": "scikit-learn", "starlette": "fastapi"}
_EXTRA = re.compile(r"""^(?P<package>[\w-]+).*;\s*extra\s*==\s*['"](?P<extra>\w+)""")
# Of extras that have a package, the first of these is named.
_COMMON_EXTRAS = ("tasks", "serve", "web")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and ends the process with its exit status."""
    # Some libraries give the root logger a handler, which would say all again.
    logging.getLogger("recurra").propagate = False
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def model_server() -> None:
    """Runs the server as the command `tensorflow_model_server`."""
    main(["model-server", *sys.argv[1:]])


def run(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit status."""
    # The pipelines are TensorFlow's; whichever backend the user's own work has.
    if list(arguments[:1]) != ["doctor"]:
        os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        from .commands import make_app

        known = _completed()
        app = make_app(arguments if known is None else known)
        app(list(arguments), prog_name="recurra")
    except SystemExit as end:
        return _status(end)
    except KeyboardInterrupt:
        return _say("stopped", 130)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        extra = _extra_with(package, is_server=_is_server(arguments))
        if extra is None:
            raise
        return _say(
            f"error: {package} is not installed; this needs the extra {extra}: "
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


def _is_server(arguments: Sequence[str]) -> bool:
    return list(arguments[:1]) in (["serve"], ["model-server"])


def _completed() -> list[str] | None:
    """The arguments before the one that a shell completes; None if there is none."""
    if "_RECURRA_COMPLETE" not in os.environ:
        return None
    # Bash says the line in the first, other shells in the second.
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")
    words = line.split()
    return words[1:] if line.endswith((" ", "\n")) else words[1:-1]


def _extra_with(package: str, is_server: bool) -> str | None:
    """The extra that brings a package, by its name to import; None if none does."""
    wanted = _BROUGHT_BY.get(package, package)
    extras: list[str] = []
    for requirement in importlib.metadata.requires("recurra") or ():
        found = _EXTRA.match(requirement)
        # An extra of ours that brings another one is no package.
        if found is None or found["package"] == "recurra":
            continue
        name = found["package"].lower()
        if wanted in (name, _IMPORTED_AS.get(name, name.replace("-", "_"))):
            extras.append(found["extra"])
    common = ("serve", *_COMMON_EXTRAS) if is_server else _COMMON_EXTRAS
    ordered = [extra for extra in common if extra in extras] + extras
    return next((extra for extra in ordered if extra not in ("dev", "bench")), None)


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
