"""What is shown while a model trains."""

import io

import pytest
import rich.console

from recurra.pipelines.core import progress as shown_progress
from recurra.pipelines.core.progress import TrainingProgress


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self):
        self.seconds = 1000.0

    def monotonic(self):
        return self.seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(shown_progress, "time", clock)
    return clock


def show_on(terminal):
    """Progress that goes to a file that is a terminal, or is none; and the file."""
    shown = io.StringIO()
    console = rich.console.Console(
        file=shown, force_terminal=terminal, width=100, highlight=False
    )
    return TrainingProgress(console), shown


ROW = {"epoch": 1.0, "seconds": 12.3, "loss": 0.5, "val_nll": 0.25}


def test_elsewhere_than_on_a_terminal_a_line_now_and_then(clock):
    progress, shown = show_on(terminal=False)
    progress.epoch_started(epoch=0, epochs=4, step=0, steps=100)
    progress.step_done(1, 0.9)
    assert shown.getvalue() == ""
    clock.seconds += 20
    progress.step_done(51, 0.75)
    progress.step_done(52, 0.74)
    # 50 of 400 steps took 20 s, so 349 take 140 s.
    assert shown.getvalue() == "epoch 1/4 step 51/100 loss 0.7500, 2 min left\n"


def test_the_time_left_counts_the_steps_of_this_session_alone(clock):
    """After a resume in the middle of the third epoch."""
    progress, shown = show_on(terminal=False)
    progress.epoch_started(epoch=2, epochs=4, step=49, steps=100)
    progress.step_done(50, 0.5)
    clock.seconds += 20
    progress.step_done(75, 0.5)
    # 25 steps took 20 s; 25 and 100 are left.
    assert shown.getvalue() == "epoch 3/4 step 75/100 loss 0.5000, 2 min left\n"
    clock.seconds += 20
    progress.step_done(100, 0.5)
    assert shown.getvalue().endswith("step 100/100 loss 0.5000, 80 s left\n")


@pytest.mark.parametrize("begun_at", [0, 60])
def test_the_first_step_of_a_session_is_left_out_of_the_time(clock, begun_at):
    """It makes the graph: 30 s, where others take a tenth of a second."""
    progress, shown = show_on(terminal=False)
    progress.epoch_started(epoch=0, epochs=1, step=begun_at, steps=300)
    clock.seconds += 30
    progress.step_done(begun_at + 1, 0.9)
    assert shown.getvalue().endswith(f"step {begun_at + 1}/300 loss 0.9000\n")
    clock.seconds += 16
    progress.step_done(begun_at + 161, 0.5)
    left = (300 - begun_at - 161) / 10
    assert shown.getvalue().endswith(f"loss 0.5000, {left:.0f} s left\n")


def test_an_epochs_end_is_a_line_with_its_losses(clock):
    progress, shown = show_on(terminal=False)
    progress.epoch_started(epoch=0, epochs=2, step=0, steps=1)
    progress.epoch_ended(ROW, best=True)
    progress.epoch_started(epoch=1, epochs=2, step=0, steps=1)
    progress.epoch_ended({**ROW, "epoch": 2.0}, best=False)
    assert shown.getvalue().splitlines() == [
        "epoch 1/2: loss 0.5000, val_nll 0.2500, 12.3 s (best so far)",
        "epoch 2/2: loss 0.5000, val_nll 0.2500, 12.3 s",
    ]


def test_on_a_terminal_there_is_a_bar_with_loss_and_time_left(clock):
    progress, shown = show_on(terminal=True)
    progress.epoch_started(epoch=1, epochs=3, step=0, steps=10)
    clock.seconds += 50
    progress.step_done(1, 0.7)
    clock.seconds += 6
    progress.step_done(4, 0.6543)
    progress.close()
    text = rich.text.Text.from_ansi(shown.getvalue()).plain
    assert "epoch 2/3" in text
    assert "4/10" in text
    assert "loss 0.6543, 32 s left" in text
    assert "━" in text


def test_on_a_terminal_the_bar_goes_and_the_epochs_line_stays(clock):
    progress, shown = show_on(terminal=True)
    progress.epoch_started(epoch=0, epochs=2, step=0, steps=10)
    progress.step_done(10, 0.5)
    progress.epoch_ended(ROW, best=False)
    progress.close()
    last = rich.text.Text.from_ansi(shown.getvalue()).plain.splitlines()[-1]
    assert last.startswith("epoch 1/2: loss 0.5000")
    # The cursor, which a bar hides, is there again.
    assert shown.getvalue().rindex("\x1b[?25h") > shown.getvalue().rindex("\x1b[?25l")
