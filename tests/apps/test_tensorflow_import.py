"""What happens before the work: imports, TensorFlow's noise, missing packages."""

import io
import os
import subprocess
import sys

import pytest

from recurra.apps.tensorflow_import import import_tensorflow_quietly


def run_in_new_process(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
    )


HELP = """
import sys
from recurra.apps.main import run
assert run(["--help"]) == 0
for arguments in (["train"], ["evaluate"], ["predict"], ["data", "show"]):
    assert run([*arguments, "--help"]) == 0
assert run(["doctor"]) in (0, 2)
print("loaded:", *sys.modules)
"""


def test_help_imports_nothing_that_takes_time():
    ended = run_in_new_process(HELP)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    help_text, loaded = ended.stdout.rsplit("loaded:", 1)
    for command in ("train", "evaluate", "export", "predict", "data", "demo"):
        assert command in help_text
    slow = {"tensorflow", "keras", "numpy", "pandas", "pyarrow", "sklearn"}
    assert sorted(slow & set(loaded.split())) == []


def test_importing_tensorflow_leaves_the_error_stream_as_it_was(capfd):
    import_tensorflow_quietly()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_tensorflow_is_imported_also_without_a_real_error_stream(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    import_tensorflow_quietly()
    assert "tensorflow" in sys.modules


WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None  # as if it were not installed
from recurra.apps.main import run
sys.exit(run(sys.argv[2:]))
"""


@pytest.mark.parametrize(
    ("package", "arguments"),
    [("typer", ["--help"]), ("tensorflow", ["predict", "model", "a text"])],
)
def test_a_missing_package_names_the_extra_that_brings_it(package, arguments):
    ended = run_in_new_process(WITHOUT, package, *arguments)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith(f"recurra: error: {package} is not installed")
    assert "pip install 'recurra[tasks]'" in ended.stderr


def test_a_missing_package_of_another_kind_is_our_fault():
    ended = run_in_new_process(WITHOUT, "recurra.apps.tensorflow_import", "--help")
    assert ended.returncode == 1
    assert "ModuleNotFoundError" in ended.stderr


REAL_WORK = """
import sys
from recurra.apps.main import run
model, run_path, models = sys.argv[1:]
assert run(["predict", model, "What a lovely lamp!"]) == 0
print("loaded:", *sys.modules)
assert run(["export", run_path, "--to", models, "--name", "quiet"]) == 0
"""


@pytest.fixture(scope="module")
def real_work(sentiment_run, sentiment_model, tmp_path_factory):
    """A process that predicted and then exported, and the folder of its models."""
    models = tmp_path_factory.mktemp("models")
    ended = run_in_new_process(REAL_WORK, sentiment_model, sentiment_run.path, models)
    return ended, models


def test_commands_that_work_with_tensorflow_show_their_results_alone(real_work):
    ended, models = real_work
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    answer, loaded, version = ended.stdout.splitlines()
    assert answer.startswith(("good\t", "bad\t"))
    assert loaded.startswith("loaded:")
    assert version == str(models / "quiet" / "1")


def test_predict_loads_no_training_code(real_work):
    ended, _ = real_work
    loaded = set(ended.stdout.splitlines()[1].split())
    assert {"tensorflow", "recurra.pipelines.core.exported_model"} <= loaded
    # Keras is there all the same: TensorFlow itself imports it.
    training = (
        "recurra.layers",
        "recurra.pipelines.reporting",
        "recurra.pipelines.sentiment",
    )
    core = ("task", "training", "workflow", "exporting", "api")
    assert not [name for name in loaded if name.startswith(training)]
    assert not loaded & {f"recurra.pipelines.core.{name}" for name in core}


def test_a_reader_that_has_gone_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "recurra.apps.main", "--help"]
    ended = subprocess.run(
        command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=600
    )
    os.close(writer)
    assert ended.returncode == 0
    assert ended.stderr == ""
