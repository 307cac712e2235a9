import os
import signal
import stat
import subprocess
import sys

import pytest

from recurra.pipelines.core.files import (
    read_json,
    write_json,
    write_text,
    written_whole,
)


@pytest.fixture
def umask():
    """Sets the umask for one test."""
    usual = os.umask(0o022)
    yield os.umask
    os.umask(usual)


def test_a_file_is_written_and_nothing_beside_it(tmp_path):
    path = tmp_path / "history.csv"
    with written_whole(path) as partial:
        partial.write_text("epoch,loss\n", encoding="utf-8")
        assert not path.exists()
    assert path.read_text(encoding="utf-8") == "epoch,loss\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_replaced_in_one_go(tmp_path):
    path = tmp_path / "metrics.json"
    write_text(path, "old")
    with path.open(encoding="utf-8") as reader:
        with written_whole(path) as partial:
            partial.write_text("new", encoding="utf-8")
            assert path.read_text(encoding="utf-8") == "old"
        # Who was reading the old file reads it to its end.
        assert reader.read() == "old"
    assert path.read_text(encoding="utf-8") == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("fault", [OSError, KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("before", [None, "what was there"])
def test_a_writer_that_raises_changes_nothing(tmp_path, fault, before):
    path = tmp_path / "report.html"
    if before is not None:
        path.write_text(before, encoding="utf-8")
    with pytest.raises(fault), written_whole(path) as partial:
        partial.write_text("half of", encoding="utf-8")
        raise fault
    left = {file.name: file.read_text(encoding="utf-8") for file in tmp_path.iterdir()}
    assert left == ({} if before is None else {"report.html": before})


def test_a_killed_writer_changes_nothing_under_the_name(tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text("old", encoding="utf-8")
    script = (
        "import os, signal, sys, pathlib\n"
        "from recurra.pipelines.core.files import written_whole\n"
        "with written_whole(pathlib.Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('half of')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert path.read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_are_those_that_the_umask_leaves(tmp_path, umask, mask):
    umask(mask)
    path = tmp_path / "config.yaml"
    write_text(path, "seed: 0\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    assert os.umask(mask) == mask


def test_the_partial_file_keeps_the_ending_of_the_name(tmp_path):
    with written_whole(tmp_path / "best.weights.h5") as partial:
        assert partial.name.endswith(".weights.h5")
        assert partial.parent == tmp_path


def test_a_missing_folder_is_an_error(tmp_path):
    with (
        pytest.raises(FileNotFoundError),
        written_whole(tmp_path / "absent" / "a.txt"),
    ):
        pass


def test_text_is_utf8_whatever_the_locale(tmp_path):
    path = tmp_path / "vocabulary.txt"
    write_text(path, "größe\n日本語\n😀\n")
    assert path.read_bytes() == "größe\n日本語\n😀\n".encode()


def test_json_reads_back_equal(tmp_path):
    path = tmp_path / "data.json"
    value = {"classes": ["gut", "größer"], "rows": {"train": 3}, "none": None, "x": 0.1}
    write_json(path, value)
    assert read_json(path) == value
    text = path.read_text(encoding="utf-8")
    assert "größer" in text
    assert text.endswith("}\n")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_json_with_a_number_that_is_none_is_refused_and_nothing_written(
    tmp_path, number
):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "metrics.json", {"model": {"nll": number}})
    assert not list(tmp_path.iterdir())
