"""A server for clients that others wrote, which cannot be installed beside it.

`make test-clients` installs them by themselves; in the environment of all other tests
these are left out. The server runs there, as a process.
"""

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
SERVER_PYTHON = os.environ.get("RECURRA_PYTHON", str(ROOT / ".venv/bin/python"))

WRITE = """
import pathlib, sys
sys.path.insert(0, "tests/apps/serving")
import served_models
served_models.write_kinds(pathlib.Path(sys.argv[1]) / "kinds" / "1")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Addresses of a running server: `rest` and `grpc`."""
    models = tmp_path_factory.mktemp("models")
    python = [SERVER_PYTHON, "-c", WRITE, str(models)]
    subprocess.run(python, check=True, cwd=ROOT, capture_output=True)
    settings = models / "settings.yaml"
    settings.write_text(
        f"{{models: {models}, rest_port: 0, grpc_port: 0, ui: false, "
        "model_control: true}\n"
    )
    serve = [SERVER_PYTHON, "-m", "recurra.apps.main", "serve"]
    with subprocess.Popen(
        [*serve, "--settings", str(settings)], stderr=subprocess.PIPE, text=True
    ) as process:
        found = {}
        for line in process.stderr:
            kind, _, address = line.strip().partition(" on ")
            found[kind.lower()] = address.removeprefix("http://")
            if kind == "gRPC":
                break
        yield SimpleNamespace(**found)
        process.terminate()
