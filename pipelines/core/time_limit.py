"""How long a model may train so that all is done within a given time."""

import time
from typing import Any

import keras

from .task import Task
from .task_config import TrainingConfig

# Of the time that is left when training begins; what follows has the rest.
_FOR_TRAINING = 0.75
# A step of validation, which has no gradients, as a part of one of training.
_OF_VALIDATION = 1 / 3
_MEASURED_STEPS = 8


def within(
    training: TrainingConfig,
    steps: int,
    validation_steps: int,
    seconds_of_step: float,
    seconds: float,
) -> TrainingConfig:
    """Epochs that fit, at most as many as there would be; of part of the data if none.

    Args:
        training: As it is given; `epochs` may be null.
        steps: Batches of an epoch.
        validation_steps: Batches of the validation part.
        seconds_of_step: That a training step takes.
        seconds: That are left for training and what follows it.
    """
    left = _FOR_TRAINING * seconds / seconds_of_step
    of_validation = _OF_VALIDATION * validation_steps
    fitting = int(left / (steps + of_validation))
    epochs = training.settled(steps).epochs
    assert epochs is not None
    if fitting:
        return training.model_copy(update={"epochs": min(epochs, fitting)})
    epoch_steps = max(1, int(left - of_validation))
    return training.model_copy(update={"epochs": 1, "epoch_steps": epoch_steps})


def measured_step(task: Task, data_module: Any) -> float:
    """Seconds of a training step, by some that are taken with a model of their own."""
    batches = data_module.training_batches(0)
    model = task.build()
    task.compile(model, int(batches.cardinality()))
    clock = _Clock()
    model.fit(batches.repeat().take(1 + _MEASURED_STEPS), callbacks=[clock], verbose=0)
    # The first makes the graph.
    first, *_, last = clock.ends
    return (last - first) / _MEASURED_STEPS


class _Clock(keras.callbacks.Callback):
    """When each step ended."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.ends.append(time.monotonic())
