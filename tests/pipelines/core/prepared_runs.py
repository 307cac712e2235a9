"""Runs that are ready to be trained, and whether one came to what another did."""

import math
import shutil

import h5py
import numpy as np
import pandas

from recurra.pipelines.core import workflow
from recurra.pipelines.core.configuration import make_configuration
from recurra.pipelines.core.registry import find_definition
from recurra.pipelines.core.runs import Run

# Clipping at each step, early stopping, a state after each step.
TRAINING = {"epochs": 2, "patience": 1, "clip_norm": 0.1, "checkpoint_seconds": 1e-9}


def prepared(path, task, **sections):
    """A run of the task with its preprocessing fitted."""
    sections["training"] = {**TRAINING, **sections["training"]}
    definition = find_definition(task)
    configuration = make_configuration(definition.config_class, [("test", sections)])
    bound, _ = workflow.prepare(definition.load(), configuration, path, None, ["test"])
    return bound.run


def copy(run, name):
    return Run(shutil.copytree(run.path, run.path.parent / name))


def weights(run):
    """Of the best epoch, with the optimizer's moments, by name."""
    found = {}

    def keep(name, value):
        if isinstance(value, h5py.Dataset):
            found[name] = value[()]

    with h5py.File(run.checkpoints / "best.weights.h5") as file:
        file.visititems(keep)
    return found


def assert_same(run, expected, *, training_rtol=0.0):
    """The run came to the same.

    The means over training may differ by `training_rtol`: each worker counts a batch
    of fewer rows than there are workers, and penalties by its own rows.
    """
    found, others = weights(run), weights(expected)
    assert found.keys() == others.keys()
    for name, value in found.items():
        np.testing.assert_allclose(
            value, others[name], rtol=1e-5, atol=1e-5, err_msg=name
        )
    history, other = (pandas.read_csv(each.history_file) for each in (run, expected))
    assert list(history) == list(other)
    for name in other:
        rtol = 0.0 if name.startswith("val_") else training_rtol
        if name != "seconds":
            np.testing.assert_allclose(history[name], other[name], rtol, atol=1e-4)


class Recorder:
    """Keeps the steps it is told of, and acts at one of them."""

    def __init__(self, at=None, act=None):
        self.steps, self.epoch = [], None
        self.at, self.act = at, act

    def epoch_started(self, epoch, epochs, step, steps):
        self.epoch, self.of_epoch = epoch, steps

    def step_done(self, step, loss):
        assert math.isfinite(loss)
        self.steps.append((self.epoch, step))
        if (self.epoch, step) == self.at:
            self.act()

    def epoch_ended(self, row, best):
        """Nothing is to be done then."""
