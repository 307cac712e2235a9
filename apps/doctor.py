"""What is installed, what it runs on, and what is wrong with it. Imports no backend."""

import dataclasses
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

_BACKENDS = ("tensorflow", "jax", "torch")
_PACKAGE = "recurra"
_SECONDS_OF_CHECK = 120

# What a model of the suite needs of a backend, and the devices that it computes on.
_CHECK = """
import json, keras, numpy
from recurra.layers import LSTM
model = keras.Sequential([keras.Input((3, 2)), LSTM(4), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(numpy.ones((2, 3, 2)), numpy.ones((2, 1)), verbose=0)
print(json.dumps(keras.distribution.list_devices()))
"""


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is wrong, and what mends it."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}"


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """The state of an installation.

    Attributes:
        versions: Of Python, of this package and of what it always needs, by name.
        backends: The version of each backend of Keras, None where it is not there.
        backend: The one that Keras takes.
        devices: Processors and graphics cards; with a check, as the backend names them.
        extras: By name the packages that are missing of each.
        problems: What is wrong.
    """

    versions: dict[str, str]
    backends: dict[str, str | None]
    backend: str
    devices: list[str]
    extras: dict[str, list[str]]
    problems: list[Problem]

    def rows(self) -> Iterator[tuple[str, str]]:
        """A name and what is to be said of it, line by line, without problems."""
        yield from self.versions.items()
        for name, version in self.backends.items():
            used = " (Keras uses it)" if name == self.backend else ""
            yield f"backend {name}", f"{version or 'not installed'}{used}"
        for device in self.devices:
            yield "device", device
        for name, missing in self.extras.items():
            lacks = f"lacks {', '.join(missing)}"
            yield f"extra {name}", lacks if missing else "complete"


def examine(*, check_backend: bool = False) -> Diagnosis:
    """Looks at the installation that this process runs in.

    Args:
        check_backend: Whether to train a small model on the backend, in a process of
            its own, which takes seconds.
    """
    own, extras = _requirements()
    versions = {"python": platform.python_version(), _PACKAGE: _version(_PACKAGE) or ""}
    versions |= {each.name: _version(each.name) or "" for each in own}
    backends = {name: _version(name) for name in _BACKENDS}
    backend, devices = _chosen_backend(), _devices()
    problems = [*_backend_problems(backends, backend), *_version_problems(own, extras)]
    if check_backend and backends.get(backend):
        devices, failure = _checked(backend, devices)
        problems += [failure] if failure else []
    return Diagnosis(
        versions,
        backends,
        backend,
        devices,
        {name: _missing(needed) for name, needed in extras.items()},
        problems,
    )


def _requirements() -> tuple[list[Requirement], dict[str, list[Requirement]]]:
    """What the package always needs, and what each extra adds, from its metadata."""
    metadata = importlib.metadata.metadata(_PACKAGE)
    every = list(map(Requirement, importlib.metadata.requires(_PACKAGE) or ()))
    own = [each for each in every if each.marker is None]

    def of(extra: str) -> Iterator[Requirement]:
        for each in every:
            if each.marker is None or not each.marker.evaluate({"extra": extra}):
                continue
            if each.name == _PACKAGE:
                for inner in each.extras:
                    yield from of(inner)
            else:
                yield each

    names = metadata.get_all("Provides-Extra") or []
    return own, {name: list({r.name: r for r in of(name)}.values()) for name in names}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _missing(needed: list[Requirement]) -> list[str]:
    return [each.name for each in needed if _version(each.name) is None]


def _chosen_backend() -> str:
    """As Keras chooses it: by the variable, by its file, or TensorFlow."""
    if "KERAS_BACKEND" in os.environ:
        return os.environ["KERAS_BACKEND"]
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    try:
        chosen = json.loads((Path(home) / "keras.json").read_text())["backend"]
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"
    return str(chosen)


def _devices() -> list[str]:
    """What the system knows of, whichever backend there is."""
    linux = sys.platform == "linux"
    cores = len(os.sched_getaffinity(0)) if linux else os.cpu_count() or 1
    devices = [f"{cores} processor cores, {platform.machine()}"]
    if shutil.which("nvidia-smi"):
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        devices += listed.stdout.splitlines() if listed.returncode == 0 else []
    return devices


def _backend_problems(
    backends: dict[str, str | None], backend: str
) -> Iterator[Problem]:
    there = [name for name, version in backends.items() if version]
    if not there:
        yield Problem(
            "no backend of Keras is installed", "pip install 'recurra[tasks]'"
        )
    elif backend not in there:
        yield Problem(
            f"Keras is told to use {backend}, which is not installed",
            f"set KERAS_BACKEND to {' or '.join(there)}, or pip install {backend}",
        )
    text, tensorflow = _version("tensorflow-text"), backends["tensorflow"]
    if text and tensorflow and text.split(".")[:2] != tensorflow.split(".")[:2]:
        yield Problem(
            f"tensorflow-text {text} is made for another TensorFlow than {tensorflow}",
            f"pip install 'tensorflow-text=={'.'.join(tensorflow.split('.')[:2])}.*'",
        )


def _version_problems(
    own: list[Requirement], extras: dict[str, list[Requirement]]
) -> Iterator[Problem]:
    """Of what is there, what is older than it must be; of what must be, what is not."""
    for each in own:
        if _version(each.name) is None:
            yield Problem(f"{each.name} is not installed", f"pip install '{each}'")
    every = {(each.name, str(each.specifier)): each for each in own}
    for needed in extras.values():
        every |= {(each.name, str(each.specifier)): each for each in needed}
    for each in every.values():
        version = _version(each.name)
        if version and not each.specifier.contains(version, prereleases=True):
            wanted = f"{each.name}{each.specifier}"
            yield Problem(
                f"{each.name} is {version}, and {wanted} is needed",
                f"pip install '{wanted}'",
            )


def _checked(backend: str, known: list[str]) -> tuple[list[str], Problem | None]:
    """The devices that the backend computes on, and what keeps it from that."""
    again = f"run KERAS_BACKEND={backend} python -c 'import keras' to see all of it"
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CHECK],
            env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS_OF_CHECK,
        )
    except subprocess.TimeoutExpired:
        what = f"{backend} trained no small model within {_SECONDS_OF_CHECK} seconds"
        return known, Problem(what, again)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        return known, Problem(f"{backend} trains no small model ({said})", again)
    found = json.loads(done.stdout.splitlines()[-1])
    devices = [known[0], *found]
    if len(known) > 1 and not any("gpu" in name or "cuda" in name for name in found):
        return devices, Problem(
            f"{backend} sees no graphics card, and the system has {known[1]}",
            f"install {backend} with CUDA, as its own page of installation says",
        )
    return devices, None
