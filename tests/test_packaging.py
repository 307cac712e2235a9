"""A plain installation, as a user has it: the wheel, in an empty environment."""

import email
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path, PurePath
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("layers", "pipelines", "apps")
BUILT_FROM = (*ROOMS, "setup.cfg", "pyproject.toml", "README.md", "LICENSE")


class Installed(NamedTuple):
    """A wheel, the empty environment it was installed into, and its variables."""

    wheel: Path
    environment: Path
    variables: dict[str, str]


def _run(*command, **options):
    done = subprocess.run(
        list(map(str, command)), check=False, capture_output=True, text=True, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _source_files():
    """Every file of the three rooms, as the wheel should name it."""
    return {
        path.relative_to(ROOT)
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def _module_name(file):
    parts = ("recurra", *file.with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packaging")
    # Built from a copy: a build leaves folders behind, and what an earlier one left
    # would hide that a file is missing.
    source = folder / "source"
    source.mkdir()
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name,
                source / name,
                ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"),
            )
        else:
            shutil.copy(ROOT / name, source)
    build = (sys.executable, "-m", "build", "--wheel", "--no-isolation")
    _run(*build, "--outdir", folder, source)
    (wheel,) = folder.glob("*.whl")
    environment = folder / "environment"
    _run(sys.executable, "-m", "venv", "--without-pip", environment)
    pip = (sys.executable, "-m", "pip", "--python", environment / "bin" / "python")
    _run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel)
    # The dependencies of this environment, without its link to the source: that one
    # stands in a .pth file, which is read in site-packages and not in PYTHONPATH.
    variables = {
        **os.environ,
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    return Installed(wheel, environment, variables)


IMPORT_ALL = """
import importlib, json, sys

files = {}
for name in json.loads(sys.argv[1]):
    try:
        files[name] = importlib.import_module(name).__file__
    except Exception as error:
        files[name] = repr(error)
print(json.dumps(files))
"""


def test_every_module_can_be_imported(installed, tmp_path):
    names = sorted(
        _module_name(file) for file in _source_files() if file.suffix == ".py"
    )
    assert "recurra.pipelines.sentiment.task" in names
    output = _run(
        installed.environment / "bin" / "python",
        *("-c", IMPORT_ALL, json.dumps(names)),
        env=installed.variables,
        cwd=tmp_path,
    )
    files = json.loads(output.splitlines()[-1])
    strangers = {
        name: file
        for name, file in files.items()
        if not Path(file).is_relative_to(installed.environment)
    }
    # Whose extras are for `make test-trackers` and `make test-ray`.
    core = "recurra.pipelines.core"
    needed = {
        f"{core}.tracking.mlflow_tracker": "mlflow",
        f"{core}.tracking.wandb_tracker": "wandb",
        f"{core}.parallel.nodes": "ray",
        f"{core}.parallel.cluster_training": "ray",
        "recurra.apps.serving.on_ray": "ray",
    }
    for module, package in needed.items():
        if importlib.util.find_spec(package) is None:
            assert f"No module named '{package}'" in strangers.pop(module)
    assert not strangers


def test_the_wheel_holds_every_file_of_the_rooms_and_nothing_else(installed):
    with zipfile.ZipFile(installed.wheel) as wheel:
        names = {PurePath(name) for name in wheel.namelist()}
    held = {name.relative_to("recurra") for name in names if name.parts[0] == "recurra"}
    assert held == _source_files()
    others = {name for name in names if name.parts[0] != "recurra"}
    assert all(name.parts[0].endswith(".dist-info") for name in others)


def test_package_data_are_there(installed):
    with zipfile.ZipFile(installed.wheel) as wheel:
        names = wheel.namelist()
        sizes = {info.filename: info.file_size for info in wheel.infolist()}
    expected = {
        "recurra/pipelines/sentiment/recipes/imdb.yaml",
        "recurra/pipelines/sentiment/recipes/sample.yaml",
        "recurra/pipelines/weather/recipes/jena_24h.yaml",
        "recurra/pipelines/weather/recipes/sample.yaml",
        *("recurra/pipelines/reporting/report.html.jinja",),
        *(f"recurra/{room}/py.typed" for room in ROOMS),
    }
    assert expected <= set(names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert sizes["recurra/pipelines/reporting/report.html.jinja"] > 0


def test_without_extras_only_keras_and_numpy_come_along(installed):
    with zipfile.ZipFile(installed.wheel) as wheel:
        (name,) = (n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(wheel.read(name))
    plain = [
        requirement
        for requirement in metadata.get_all("Requires-Dist")
        if "extra ==" not in requirement
    ]
    assert sorted(requirement.split(">")[0] for requirement in plain) == [
        *("keras", "numpy")
    ]
    assert metadata["License"] == "Apache-2.0"
    assert {"tasks", "dev", "all"} <= set(metadata.get_all("Provides-Extra"))


def test_the_command_is_there(installed, tmp_path):
    output = _run(
        installed.environment / "bin" / "recurra",
        "--help",
        env=installed.variables,
        cwd=tmp_path,
    )
    for command in ("train", "evaluate", "export", "predict", "data"):
        assert command in output
