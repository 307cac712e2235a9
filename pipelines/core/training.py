"""Training: the epoch loop with checkpoints, early stopping, resume and interruption.

The loop owns what `keras.Model.fit` has no answer for. Each epoch is one call of `fit`
on a data set that depends on the seed and the epoch's number alone, so a run that was
killed restores weights, optimizer and noise generators, skips the batches that it had
seen, and goes on to the result of an unbroken run. (`keras.callbacks.BackupAndRestore`
restores weights, but forgets what early stopping had seen and repeats data.)
"""

import dataclasses
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import keras
import numpy as np
import pandas
import tensorflow as tf

from .errors import Interrupted, UserError
from .files import read_json, write_json, written_whole
from .parallel.workers import Workers
from .runs import Run
from .task_config import TrainingConfig


class Progress(Protocol):
    """What is told while a model trains; the command line draws it."""

    def epoch_started(self, epoch: int, epochs: int, step: int, steps: int) -> None: ...

    def step_done(self, step: int, loss: float) -> None: ...

    def epoch_ended(self, row: Mapping[str, float], best: bool) -> None: ...


def learning_rate_schedule(
    training: TrainingConfig, steps_per_epoch: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """The learning rate, or its course over the steps of all epochs."""
    epochs = training.settled(steps_per_epoch).epochs
    assert epochs is not None
    total = epochs * steps_per_epoch
    warmup = training.warmup(total)
    if training.lr_schedule == "constant" and not warmup:
        return training.learning_rate
    if training.lr_schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else training.learning_rate,
            max(1, total - warmup),
            warmup_target=training.learning_rate if warmup else None,
            warmup_steps=warmup,
        )
    return _LinearSchedule(
        training.learning_rate, warmup, total, falls=training.lr_schedule == "linear"
    )


class _LinearSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear rise over `warmup` steps, then constant, or a linear fall to zero."""

    def __init__(self, peak: float, warmup: int, total: int, falls: bool):
        self.peak, self.warmup, self.total, self.falls = peak, warmup, total, falls

    def __call__(self, step: Any) -> Any:
        step = keras.ops.cast(step, "float32")
        rise = (step + 1.0) / max(1, self.warmup)
        fall = (self.total - step) / max(1, self.total - self.warmup)
        factor = keras.ops.minimum(1.0, rise)
        if self.falls:
            factor = keras.ops.minimum(factor, keras.ops.maximum(0.0, fall))
        return self.peak * factor

    def get_config(self) -> dict[str, Any]:
        return {
            "peak": self.peak,
            "warmup": self.warmup,
            "total": self.total,
            "falls": self.falls,
        }


class _WholeGradients:
    """An optimizer of gradients whose equal rows are summed, with averages if asked.

    The gradient of an embedding table is a list of rows, and a word that a batch names
    k times is k of them. Keras takes squares, of the global norm and of Adam's second
    moments, of each by itself, so that the norm is too large and Adam's steps of
    frequent words are too long. Adam updates every row of a table at each step either
    way, so whole gradients cost no more.

    Attributes:
        averages: Of each variable the mean of its values after each step from
            `first_averaged` on, and its value before that; empty if not asked for.
        first_averaged: The steps that were taken before the first of these.
    """

    keeps_averages = False
    averages: Sequence[keras.Variable] = ()
    first_averaged: keras.Variable

    def build(self, variables: Sequence[keras.Variable]) -> None:
        super().build(variables)  # type: ignore[misc]
        if self.keeps_averages and not self.averages:
            never = keras.initializers.Constant(2**31 - 1)
            self.first_averaged = self.add_variable(  # type: ignore[attr-defined]
                (), never, "int32", name="first_averaged"
            )
            self.averages = [
                self.add_variable_from_reference(  # type: ignore[attr-defined]
                    variable, name="average", initializer="zeros"
                )
                for variable in variables
            ]

    def apply(self, grads: Sequence[Any], trainable_variables: Any = None) -> None:
        whole = [
            gradient if gradient is None else tf.convert_to_tensor(gradient)
            for gradient in grads
        ]
        super().apply(whole, trainable_variables)  # type: ignore[misc]
        if self.averages:
            steps = self.iterations - self.first_averaged  # type: ignore[attr-defined]
            part = 1 / keras.ops.cast(keras.ops.maximum(steps, 1), "float32")
            for average, variable in zip(
                self.averages, trainable_variables, strict=True
            ):
                average.assign_add(part * (variable - average))


@keras.saving.register_keras_serializable(package="recurra")
class Adam(_WholeGradients, keras.optimizers.Adam):
    """Keras's Adam, of whole gradients."""


@keras.saving.register_keras_serializable(package="recurra")
class SGD(_WholeGradients, keras.optimizers.SGD):
    """Keras's stochastic gradient descent, of whole gradients."""


def make_optimizer(
    training: TrainingConfig,
    steps_per_epoch: int,
    optimizer: type[Adam] | type[SGD] = Adam,
) -> keras.optimizers.Optimizer:
    """With the schedule, clipping and, if there is any, decoupled weight decay."""
    made = optimizer(
        learning_rate_schedule(training, steps_per_epoch),
        # Of zero, Keras would still take a round over all weights at each step.
        weight_decay=training.weight_decay or None,
        global_clipnorm=training.clip_norm,
    )
    made.keeps_averages = training.averaging_patience is not None
    return made


@contextmanager
def _averages_of(model: keras.Model) -> Iterator[None]:
    """Gives the model the averages of its weights meanwhile, where there are any."""
    averages = getattr(model.optimizer, "averages", ())
    weights = model.trainable_variables if averages else []
    last = [weight.numpy() for weight in weights]
    for weight, average in zip(weights, averages, strict=True):
        weight.assign(average)
    yield
    for weight, value in zip(weights, last, strict=True):
        weight.assign(value)


@dataclasses.dataclass
class _State:
    """Where training stands: epochs done, batches done of the epoch that runs.

    Attributes:
        metrics: The values of the variables of the model's metrics over these batches.
    """

    epoch: int = 0
    step: int = 0
    rows: list[dict[str, float]] = dataclasses.field(default_factory=list)
    metrics: list[Any] = dataclasses.field(default_factory=list)


class _Checkpoints:
    """The state to go on from, and the best weights, in a folder.

    A state is a weights file and, written after it, the small file that names it; so
    whatever moment the process is killed at, the last whole state is found again.

    Args:
        folder: Of the run.
        writes: Whether this process saves, or leaves that to another one, whose model
            is the same.
    """

    def __init__(self, folder: Path, *, writes: bool = True):
        self.folder = folder
        self._writes = writes
        self.best = folder / "best.weights.h5"
        self._pointer = folder / "last.json"

    def save(self, model: keras.Model, state: _State) -> None:
        if not self._writes:
            return
        name = f"epoch-{state.epoch:04d}-step-{state.step:06d}.weights.h5"
        with written_whole(self.folder / name) as partial:
            model.save_weights(partial)
        noise = [value.numpy().tolist() for value in _noise_states(model)]
        write_json(
            self._pointer,
            {"weights": name, "noise": noise, **dataclasses.asdict(state)},
        )
        for old in self.folder.glob("epoch-*.weights.h5"):
            if old.name != name:
                old.unlink()

    def save_best(self, model: keras.Model) -> None:
        if not self._writes:
            return
        with written_whole(self.best) as partial:
            model.save_weights(partial)

    def keep_among_best(
        self, model: keras.Model, epoch: int, best_epochs: Sequence[int]
    ) -> None:
        """Keeps the weights of the best epochs; the model has those of `epoch`."""
        if not self._writes:
            return
        if epoch in best_epochs:
            with written_whole(self._of_epoch(epoch)) as partial:
                model.save_weights(partial)
        kept = {self._of_epoch(epoch) for epoch in best_epochs}
        for old in self.folder.glob("best-epoch-*.weights.h5"):
            if old not in kept:
                old.unlink()

    def average(self, model: keras.Model, epochs: Sequence[int]) -> None:
        """Gives the model the mean of the kept weights."""
        sums = [np.zeros(weight.shape) for weight in model.trainable_weights]
        for epoch in epochs:
            model.load_weights(self._of_epoch(epoch))
            for total, weight in zip(sums, model.trainable_weights, strict=True):
                total += keras.ops.convert_to_numpy(weight)
        for total, weight in zip(sums, model.trainable_weights, strict=True):
            weight.assign(total / len(epochs))

    def _of_epoch(self, epoch: int) -> Path:
        return self.folder / f"best-epoch-{epoch:04d}.weights.h5"

    def restore(self, model: keras.Model) -> _State:
        if not self._pointer.is_file():
            return _State()
        saved = read_json(self._pointer)
        model.load_weights(self.folder / saved.pop("weights"))
        for variable, value in zip(
            _noise_states(model), saved.pop("noise"), strict=True
        ):
            variable.assign(value)
        return _State(**saved)


def _noise_states(model: keras.Model) -> list[Any]:
    """The states of the model's random generators, which weights files leave out."""
    return [
        variable
        for variable in model.non_trainable_variables
        if variable.path.endswith("seed_generator_state")
    ]


def fit(
    model: keras.Model,
    training: TrainingConfig,
    run: Run,
    epoch_batches: Callable[[int], tf.data.Dataset],
    validation_batches: tf.data.Dataset,
    *,
    monitor: str = "val_loss",
    highest: bool = False,
    further_metrics: Callable[[], Mapping[str, float]] = dict,
    progress: Progress | None = None,
    workers: Workers | None = None,
    loss_weight: Callable[[Any], tf.Tensor] | None = None,
) -> pandas.DataFrame:
    """Trains the compiled model, and leaves it with its best weights.

    These are those of the best epoch, or the mean of those of the best
    `averaged_epochs`, if validation finds that better. Of several workers the first
    alone writes, is told and is left with these weights.

    Args:
        model: Compiled and built.
        training: Epochs, patience, seconds between states. As it is settled by the
            batches of the first epoch, where a rule has them.
        run: Where checkpoints and history.csv go; a state there is gone on from.
        epoch_batches: The batches of an epoch, given its number. The same number must
            give the same batches in the same order, of known cardinality.
        validation_batches: Evaluated after each epoch.
        monitor: The column whose smallest value marks the best epoch.
        highest: Whether its highest value does so instead.
        further_metrics: Further columns, measured after each epoch.
        progress: Told of each step.
        workers: Which of several processes this one is; alone if None.
        loss_weight: What a batch, or rows of one, count in the mean that the loss is:
            their number if None.

    Returns:
        The history: a row per epoch with `epoch`, `seconds` and Keras's logs.

    Raises:
        UserError: If weights are to be averaged and the optimizer cannot.
        Interrupted: After SIGINT or SIGTERM, when the state is saved.
        FloatingPointError: If the loss stops being a finite number.
    """
    workers = workers or Workers()
    workers.distribute(model, loss_weight or number_of_rows)
    checkpoints = _Checkpoints(run.checkpoints, writes=workers.is_first)
    # TensorFlow traces a step twice that makes variables; a saved state needs them too.
    model.optimizer.build(model.trainable_variables)
    if training.averaging_patience and not getattr(model.optimizer, "averages", ()):
        raise UserError(
            f"training.averaging_patience: {type(model.optimizer).__name__} keeps no "
            "averages; an optimizer of core.training.make_optimizer does"
        )
    state = checkpoints.restore(model)
    watched = _Monitor(monitor, highest)
    if training.epochs is None or training.patience is None:
        training = training.settled(int(epoch_batches(0).cardinality()))
    with stop_requests() as stop_requested:
        while not will_end(state.rows, training, monitor, highest):
            started = time.monotonic()
            batches = epoch_batches(state.epoch)
            steps = int(batches.cardinality())
            if progress:
                assert training.epochs is not None
                progress.epoch_started(state.epoch, training.epochs, state.step, steps)
            watcher = _EpochWatcher(
                checkpoints,
                state,
                steps,
                training.checkpoint_seconds,
                stop_requested,
                progress,
                workers,
            )
            history = model.fit(
                workers.rows_of(batches.skip(state.step)),
                initial_epoch=state.epoch,
                epochs=state.epoch + 1,
                callbacks=[watcher],
                shuffle=False,  # the batches come shuffled
                verbose=0,
            ).history
            row = workers.logs(
                model, {name: each[-1] for name, each in history.items()}
            )
            with _averages_of(model):
                row |= _validated(model, validation_batches, workers)
                row = {
                    "epoch": state.epoch + 1,
                    "seconds": round(time.monotonic() - started, 2),
                    **row,
                    **workers.from_first(lambda: dict(further_metrics())),
                }
                _refuse_no_numbers(row)
                state.rows.append(row)
                best_epochs = watched.best_epochs(state.rows, training.averaged_epochs)
                is_best = best_epochs[0] == state.epoch
                if is_best:
                    checkpoints.save_best(model)
                if training.averaged_epochs > 1:
                    checkpoints.keep_among_best(model, state.epoch, best_epochs)
            state.epoch, state.step, state.metrics = state.epoch + 1, 0, []
            if state.epoch - 1 - best_epochs[0] == training.averaging_patience:
                _begin_averaging(model.optimizer)
            if workers.is_first:
                with written_whole(run.history_file) as partial:
                    pandas.DataFrame(state.rows).to_csv(partial, index=False)
            # Last, since what it says is done is not done again.
            checkpoints.save(model, state)
            if progress:
                progress.epoch_ended(row, is_best)
            if workers.any(stop_requested.is_set()):
                raise Interrupted(
                    f"stopped after epoch {state.epoch}; the state is saved"
                )
    if not workers.is_first:
        return pandas.DataFrame(state.rows)
    if training.averaged_epochs > 1:
        best_epochs = watched.best_epochs(state.rows, training.averaged_epochs)
        checkpoints.average(model, best_epochs)
        row = _validated(model, validation_batches, Workers())
        row |= further_metrics()
        if watched.prefers(row, state.rows[best_epochs[0]]):
            checkpoints.save_best(model)
    model.load_weights(checkpoints.best)
    return pandas.DataFrame(state.rows)


def _begin_averaging(optimizer: Any) -> None:
    """Averages the weights from the next step on, if it does not do so yet."""
    steps = optimizer.iterations
    optimizer.first_averaged.assign(keras.ops.minimum(optimizer.first_averaged, steps))


def number_of_rows(batch: Any) -> tf.Tensor:
    """What a batch counts in a loss that is a mean over rows."""
    return tf.shape(tf.nest.flatten(batch)[0])[0]


def _validated(
    model: keras.Model, batches: tf.data.Dataset, workers: Workers
) -> dict[str, float]:
    """The model's metrics on the validation part."""
    model.reset_metrics()
    mine = workers.some_of(batches)
    # There may be fewer batches than workers, and Keras evaluates at least one.
    is_empty = int(mine.cardinality()) == 0
    logs = {} if is_empty else model.evaluate(mine, return_dict=True, verbose=0)
    return {f"val_{name}": value for name, value in workers.logs(model, logs).items()}


def load_best(model: keras.Model, run: Run) -> None:
    """Gives the model the best weights that the run found."""
    best = _Checkpoints(run.checkpoints).best
    # An uncompiled model takes the weights and leaves the optimizer's state aside.
    model.load_weights(best)


def _refuse_no_numbers(row: Mapping[str, float]) -> None:
    for name, value in row.items():
        if not math.isfinite(value):
            raise FloatingPointError(
                f"{name} is {value} after epoch {row['epoch']}; a smaller "
                "training.learning_rate or training.clip_norm may help"
            )


@dataclasses.dataclass(frozen=True)
class _Monitor:
    """The column of the history that tells which epochs are the best."""

    name: str
    highest: bool

    def best_epochs(
        self, rows: Sequence[Mapping[str, float]], number: int
    ) -> list[int]:
        """At most so many epochs, the best first.

        Of equal ones that with the smaller validation loss comes first, and of these
        the earlier: a measure may say nothing, as BLEU does of sentences of a word.
        """
        sign = -1.0 if self.highest else 1.0
        values = [(sign * row[self.name], row["val_loss"]) for row in rows]
        return sorted(range(len(rows)), key=values.__getitem__)[:number]

    def prefers(self, one: Mapping[str, float], other: Mapping[str, float]) -> bool:
        """Whether the first row is better."""
        return self.best_epochs([other, one], 1) == [1]


def read_history(run: Run) -> list[dict[str, float]]:
    """The rows of the run's history so far."""
    if not run.history_file.is_file():
        return []
    return pandas.read_csv(run.history_file).to_dict("records")  # type: ignore[return-value]


def best_epoch(rows: Sequence[Mapping[str, float]], monitor: str, highest: bool) -> int:
    """The number of the best epoch, counted from 1."""
    return 1 + _Monitor(monitor, highest).best_epochs(rows, 1)[0]


def will_end(
    rows: Sequence[Mapping[str, float]],
    training: TrainingConfig,
    monitor: str,
    highest: bool,
) -> bool:
    """Whether training, of settled length, is over after epochs of these rows."""
    assert training.epochs is not None and training.patience is not None
    if len(rows) >= training.epochs:
        return True
    if not rows:
        return False
    return len(rows) - best_epoch(rows, monitor, highest) >= training.patience


class _EpochWatcher(keras.callbacks.Callback):
    """Saves the state from time to time and on request, and tells of progress."""

    def __init__(
        self,
        checkpoints: _Checkpoints,
        state: _State,
        steps: int,
        seconds_between_saves: float,
        stop_requested: threading.Event,
        progress: Progress | None,
        workers: Workers,
    ):
        super().__init__()
        self._checkpoints = checkpoints
        self._state = state
        self._steps = steps
        self._seconds = seconds_between_saves
        self._stop_requested = stop_requested
        self._progress = progress
        self._workers = workers
        self._saved = time.monotonic()
        # Of the batches of this epoch that were done before a kill.
        self._earlier_metrics = state.metrics if workers.is_first else []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._state.step += 1
        if self._earlier_metrics:
            # Keras makes the variables of metrics, which are sums over all workers,
            # with the first batch.
            variables = self.model.metrics_variables
            for variable, value in zip(variables, self._earlier_metrics, strict=True):
                variable.assign_add(value)
            self._earlier_metrics = []
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"the training loss is {loss} in epoch {self._state.epoch + 1}, "
                f"step {self._state.step}; a smaller training.learning_rate or "
                "training.clip_norm may help"
            )
        if self._progress:
            self._progress.step_done(self._state.step, loss)
        stop, save = self._workers.any_at_step(
            self._stop_requested.is_set(),
            time.monotonic() - self._saved > self._seconds,
        )
        if self._state.step == self._steps:
            # The epoch is saved as a whole, after validation.
            return
        if stop or save:
            self._state.metrics = [
                total.tolist() for total in self._workers.metric_sums(self.model)
            ]
            self._checkpoints.save(self.model, self._state)
            self._saved = time.monotonic()
        if stop:
            raise Interrupted(
                f"stopped in epoch {self._state.epoch + 1} after step "
                f"{self._state.step}; the state is saved"
            )


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """An event that the first SIGINT or SIGTERM sets; a second one acts as usual."""
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested
        return
    usual = {number: signal.getsignal(number) for number in _STOP_SIGNALS}

    def request(number: int, frame: FrameType | None) -> None:
        requested.set()
        for each, handler in usual.items():
            signal.signal(each, handler)

    for number in _STOP_SIGNALS:
        signal.signal(number, request)
    try:
        yield requested
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)


_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
