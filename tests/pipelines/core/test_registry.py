"""Tasks are found by entry points, also those of other packages."""

import importlib
import sys

import pytest

from recurra.pipelines.core.errors import UserError
from recurra.pipelines.core.registry import (
    TaskDefinition,
    definitions,
    find_definition,
    find_task,
    task_names,
)
from recurra.pipelines.core.task import Task

MODULE = """
from pathlib import Path
from recurra.pipelines.core.registry import TaskDefinition
from recurra.pipelines.core.task_config import TaskConfig
import recurra.pipelines.core.task

class ChessTask(recurra.pipelines.core.task.Task):
    pass

TASK = TaskDefinition(
    name="chess",
    summary="Moves.",
    config_class=TaskConfig,
    implementation="{module}:ChessTask",
    description="{module}:describe",
    recipes=Path(__file__).parent,
)
CHECKERS = "no definition"
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Makes a package that brings entry points: name by place."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(package, **points):
        (tmp_path / f"{package}.py").write_text(MODULE.replace("{module}", package))
        folder = tmp_path / f"{package}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
        )
        lines = [f"{name} = {place}" for name, place in points.items()]
        text = "\n".join(["[recurra.tasks]", *lines, ""])
        (folder / "entry_points.txt").write_text(text)
        importlib.invalidate_caches()

    yield install
    for name in [name for name in sys.modules if name.startswith("games")]:
        del sys.modules[name]


def test_all_tasks_of_this_package_are_found_and_can_be_loaded():
    found = {definition.name: definition for definition in definitions()}
    assert sorted(found) == task_names()
    assert len(found) >= 3
    for definition in found.values():
        task = definition.load()
        assert issubclass(task, Task)
        assert task.definition is definition
        assert (definition.recipes / "sample.yaml").is_file()


def test_a_task_of_another_package_is_found(install):
    install("games", chess="games:TASK")
    assert "chess" in task_names()
    definition = find_definition("chess")
    assert isinstance(definition, TaskDefinition)
    assert find_task("chess").__name__ == "ChessTask"


def test_a_task_that_there_is_not_is_refused_with_the_nearest(install):
    install("games", chess="games:TASK")
    with pytest.raises(UserError, match="ches: no such task; did you mean chess?"):
        find_definition("ches")


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("games_gone:TASK", "games_gone"),
        ("games:NOTHING", "NOTHING"),
        ("games:CHECKERS", "is no TaskDefinition"),
    ],
)
def test_a_broken_task_is_named_and_left_out(install, caplog, place, reason):
    ours = task_names()
    install("games", checkers=place)
    with pytest.raises(UserError, match=f"task checkers of games.*{reason}"):
        find_definition("checkers")
    assert [definition.name for definition in definitions()] == ours
    assert "checkers of games" in caplog.text
    assert "left out" in caplog.text


def test_two_packages_with_a_task_of_one_name_are_refused(install):
    install("games", chess="games:TASK")
    install("games2", chess="games2:TASK")
    with pytest.raises(UserError, match="task chess: games and games2 bring one each"):
        find_definition("chess")
