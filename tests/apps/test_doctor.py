"""`recurra doctor`: what is there, and one line for each thing that is wrong."""

import json

import pytest

from recurra.apps import doctor


@pytest.fixture
def installed(monkeypatch):
    """Versions by package, over those that are installed; None for one that is not."""
    changed = {}
    actual = doctor._version
    monkeypatch.setattr(
        doctor, "_version", lambda name: changed.get(name, actual(name))
    )
    monkeypatch.setattr(
        doctor, "_devices", lambda: ["8 processor cores", "Card, 1 GiB"]
    )
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    return changed


def test_an_installation_without_a_fault(recurra, installed):
    installed["ray"] = None
    ended = recurra("doctor", "--json")
    found = json.loads(ended.output)
    assert (ended.status, found["problems"]) == (0, [])
    assert found["versions"].keys() == {"python", "recurra", "keras", "numpy"}
    assert found["backend"] == "tensorflow"
    assert found["extras"]["translation"] == []
    # What an extra brings along counts, and what another one lacks is no fault.
    assert "ray" in found["extras"]["bench"]
    assert "extra bench" in recurra("doctor").output


@pytest.mark.parametrize(
    ("package", "version", "what", "remedy"),
    [
        ("numpy", "1.26.4", "numpy is 1.26.4", "pip install 'numpy>=2.0'"),
        ("pandas", "2.0", "pandas is 2.0", "pip install 'pandas>="),
        ("keras", None, "keras is not installed", "pip install 'keras>="),
        ("tensorflow", None, "which is not installed", "set KERAS_BACKEND to jax"),
        ("tensorflow-text", "2.99.0", "another TensorFlow", "pip install 'tensorflow-"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(
    package, version, what, remedy, recurra, installed
):
    installed |= {"jax": "0.9", package: version}
    ended = recurra("doctor")
    assert ended.status == 2
    (line,) = ended.messages.splitlines()
    said, _, mends = line.partition("; ")
    assert what in said and mends.startswith(remedy)


def test_without_any_backend(installed):
    installed |= dict.fromkeys(("tensorflow", "jax", "torch"))
    (problem,) = doctor.examine().problems
    assert str(problem).endswith("pip install 'recurra[tasks]'")


def test_the_backend_that_kerass_file_names(installed, monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_BACKEND")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert doctor.examine().backend == "tensorflow"
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    assert doctor.examine().backend == "torch"


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("print('[\"gpu:0\"]')", ""),
        ("print('[\"cpu:0\"]')", "sees no graphics card"),
        ("raise OSError('no such library')", "(OSError: no such library)"),
        ("import time; time.sleep(60)", "within 1 seconds"),
    ],
)
def test_the_backend_is_checked_in_a_process_of_its_own(
    code, what, installed, monkeypatch
):
    monkeypatch.setattr(doctor, "_CHECK", code)
    monkeypatch.setattr(doctor, "_SECONDS_OF_CHECK", 1 if "sleep" in code else 60)
    found = doctor.examine(check_backend=True)
    assert [what in str(problem) for problem in found.problems] == [True] * bool(what)
