"""How long a model trains where all is to be done within a time."""

import pytest

from recurra.apps.main import run as run_command
from recurra.pipelines import train
from recurra.pipelines.core import workflow
from recurra.pipelines.core.configuration import read_yaml
from recurra.pipelines.core.errors import UserError
from recurra.pipelines.core.task_config import TrainingConfig
from recurra.pipelines.core.time_limit import within
from recurra.pipelines.core.training import read_history

# 64 rows by 16 are 4 steps, and 16 rows of validation one more.
SETTINGS = ["training.batch_size=16"]


def _within(seconds, **given):
    """Of 100 steps of a second and 30 of validation, so 110 seconds an epoch."""
    found = within(TrainingConfig(**given), 100, 30, 1.0, seconds)
    return found.epochs, found.epoch_steps


@pytest.mark.parametrize(
    "seconds, expected",
    [
        # Three quarters of the time are for training: 1500 batches ask for 8 epochs.
        (10_000, (8, None)),
        (600, (4, None)),
        (147, (1, None)),
        (140, (1, 95)),
        (1, (1, 1)),
    ],
)
def test_as_many_epochs_as_fit(seconds, expected):
    assert _within(seconds) == expected


def test_given_epochs_are_the_most():
    assert _within(10_000, epochs=2) == (2, None)
    assert _within(300, epochs=20) == (2, None)


@pytest.fixture
def slow_step(monkeypatch):
    """A step counts as five seconds, whatever it takes."""
    monkeypatch.setattr(workflow, "measured_step", lambda *_: 5.0)


def test_the_run_says_how_long_it_trained(toy, tmp_path, slow_step):
    run = train("toy", run=tmp_path / "run", settings=SETTINGS, seconds=1000)
    kept = read_yaml(run.config_file)["training"]
    # Of 21.7 s each, in three quarters of what is left, which is hardly less.
    assert 10 < kept["epochs"] <= 34
    assert kept["epoch_steps"] is None
    with pytest.raises(UserError, match="leave the time out"):
        train("toy", run=run.path, settings=[], resume=True, seconds=100)


def test_an_epoch_may_be_a_part_of_the_data(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(workflow, "measured_step", lambda *_: 1000.0)
    path = tmp_path / "run"
    run = train("toy", run=path, settings=SETTINGS, seconds=2, progress=Steps())
    assert len(read_history(run)) == 1
    assert Steps.seen == [(1, 1)]


class Steps:
    """The step that was done last, and how many there were to be, of each epoch."""

    seen = []

    def epoch_started(self, epoch, epochs, step, steps):
        self.steps = steps
        Steps.seen.append((0, steps))

    def step_done(self, step, loss):
        Steps.seen[-1] = (step, self.steps)

    def epoch_ended(self, row, best):
        pass


def test_a_step_is_measured_without_a_trace_in_the_result(toy, tmp_path):
    settings = [*SETTINGS, "training.epochs=2"]
    plain = train("toy", run=tmp_path / "plain", settings=settings)
    timed = train("toy", run=tmp_path / "timed", settings=settings, seconds=600)
    assert timed.metrics == plain.metrics


def test_the_command_takes_one_model_alone(toy, tmp_path, capsys):
    arguments = ["train", "toy", "--run", str(tmp_path / "run"), "--time", "20m"]
    assert run_command([*arguments, "--seeds", "2"]) == 2
    assert "--time: is of one model" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
