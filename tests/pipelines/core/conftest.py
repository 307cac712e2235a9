import importlib.metadata

import pytest

from recurra.pipelines.core import registry


@pytest.fixture
def toy(monkeypatch):
    """The module of the task `toy`, which is installed as long as the test runs."""
    import toy_task

    point = importlib.metadata.EntryPoint("toy", "toy_task:TASK", registry.GROUP)
    installed = registry._entry_points()
    monkeypatch.setattr(registry, "_entry_points", lambda: (*installed, point))
    monkeypatch.setattr(toy_task, "FAULTS", {})
    monkeypatch.setattr(toy_task, "CALLS", {})
    return toy_task
