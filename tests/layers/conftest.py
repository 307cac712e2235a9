"""What several tests of manual backpropagation use."""

import keras
import pytest

from recurra.layers import backpropagation


@pytest.fixture
def automatic(monkeypatch):
    """Loops that the backend differentiates."""
    monkeypatch.setattr(backpropagation, "UNITS_TO_PAY_OFF", {})


@pytest.fixture
def manual(monkeypatch):
    """The list of what ran with manual backpropagation, however small it is."""
    monkeypatch.setattr(
        backpropagation, "UNITS_TO_PAY_OFF", {keras.backend.backend(): 1}
    )
    ran = []
    run = backpropagation.ManualBackpropagation.run
    monkeypatch.setattr(
        backpropagation.ManualBackpropagation,
        "run",
        lambda self, *args, **kwargs: ran.append(self) or run(self, *args, **kwargs),
    )
    return ran
