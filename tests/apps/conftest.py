"""The command line run inside the test's process, which spares the start."""

import dataclasses

import pytest

from recurra.apps.main import run


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status and what it wrote."""

    status: int
    output: str
    messages: str


@pytest.fixture
def recurra(capsys):
    """A function of the command line's arguments that runs it."""

    def run_command(*arguments):
        capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        return Ended(status, *capsys.readouterr())

    return run_command
