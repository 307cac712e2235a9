"""The best epochs: by highest values, by further metrics, and averaged."""

import signal

import keras
import numpy as np
import pydantic
import pytest
import tensorflow as tf

from recurra.pipelines.core.errors import Interrupted, UserError
from recurra.pipelines.core.runs import Run
from recurra.pipelines.core.task_config import TrainingConfig
from recurra.pipelines.core.training import fit, load_best, make_optimizer

EPOCHS = 5
# Of each epoch, whatever the model does.
MEASURED = [1.0, 5.0, 4.0, 2.0, 3.0]


class Tick(keras.layers.Layer):
    """Its weight follows the target of an epoch at once: with a rate of 1 and no
    momentum the gradient of half the squared error takes it there."""

    def build(self, shape):
        self.value = self.add_weight((), "zeros", name="value")

    def call(self, inputs):
        return 0.0 * inputs + self.value


def _model():
    inputs = keras.Input((1,))
    model = keras.Model(inputs, Tick()(inputs))
    model.compile(keras.optimizers.SGD(0.5), loss="mse")
    return model


def _batches(epoch):
    """After this epoch the weight is the epoch's number."""
    rows = np.ones((1, 1), "float32")
    return tf.data.Dataset.from_tensors((rows, rows * epoch))


VALIDATION = _batches(2)


def _fit(path, measure, **options):
    training = TrainingConfig(epochs=EPOCHS, patience=EPOCHS, **options)
    run = Run.create(path, "translation", training, [])
    model = _model()
    history = fit(
        model, training, run, _batches, VALIDATION,
        monitor="bleu", highest=True, further_metrics=measure,
    )  # fmt: skip
    return model, history, run


def _measures(at_the_end):
    values = iter([*MEASURED, at_the_end])
    return lambda: {"bleu": next(values)}


def _weight(model):
    (value,) = model.get_weights()
    return float(value)


def test_the_highest_value_marks_the_best_epoch(tmp_path):
    model, history, run = _fit(tmp_path / "run", _measures(None))
    assert history["bleu"].tolist() == MEASURED
    assert _weight(model) == 1.0
    loaded = _model()
    load_best(loaded, run)
    assert _weight(loaded) == 1.0


def test_of_equal_epochs_that_with_the_smallest_validation_loss_is_the_best(tmp_path):
    training = TrainingConfig(epochs=EPOCHS, patience=1)
    run = Run.create(tmp_path / "run", "translation", training, [])
    model = _model()
    history = fit(
        model, training, run, _batches, VALIDATION,
        monitor="bleu", highest=True, further_metrics=lambda: {"bleu": 0.0},
    )  # fmt: skip
    assert _weight(model) == 2.0
    assert len(history) == 4


@pytest.mark.parametrize("at_the_end, expected", [(6.0, (1 + 2 + 4) / 3), (4.5, 1.0)])
def test_the_best_epochs_are_averaged_if_that_is_better(tmp_path, at_the_end, expected):
    model, _, run = _fit(tmp_path / "run", _measures(at_the_end), averaged_epochs=3)
    assert _weight(model) == pytest.approx(expected)
    loaded = _model()
    load_best(loaded, run)
    assert _weight(loaded) == pytest.approx(expected)


def test_no_more_epochs_are_kept_than_are_averaged(tmp_path):
    _, _, run = _fit(tmp_path / "run", _measures(6.0), averaged_epochs=2)
    kept = sorted(path.name for path in run.checkpoints.glob("best-epoch-*"))
    assert kept == ["best-epoch-0001.weights.h5", "best-epoch-0002.weights.h5"]


def test_a_high_value_late_stops_nothing_early(tmp_path):
    training = TrainingConfig(epochs=EPOCHS, patience=2)
    run = Run.create(tmp_path / "run", "translation", training, [])
    history = fit(
        _model(), training, run, _batches, VALIDATION,
        monitor="bleu", highest=True, further_metrics=_measures(None),
    )  # fmt: skip
    assert len(history) == 4


# The second is the best, so that the steps of the sixth are averaged.
LOSSES = [3.0, 1.0, 2.0, 2.0, 2.0, 2.0]
ROWS = np.random.default_rng(0).normal(size=(6, 4, 3)).astype("float32")


class Stops:
    """Says when an epoch is over, and then stops training."""

    def __init__(self, after=None):
        self.after = after

    def epoch_started(self, epoch, epochs, step, steps):
        self.weights = []

    def step_done(self, step, loss):
        if self.after is not None:
            self.after -= 1
            if self.after == 0:
                signal.raise_signal(signal.SIGINT)

    def epoch_ended(self, row, best):
        pass


class Line:
    """A regression by Adam whose weights after each step, and at each validation, are
    kept."""

    def __init__(self, path, after=None):
        self.training = TrainingConfig(
            epochs=6, patience=6, averaging_patience=3, learning_rate=0.1
        )
        inputs = keras.Input((2,))
        outputs = keras.layers.Dense(1, kernel_initializer="ones")(inputs)
        self.model = keras.Model(inputs, outputs)
        optimizer = make_optimizer(self.training, 3)
        self.model.compile(optimizer, loss="mse", run_eagerly=True)
        self.steps, self.validated = [], []
        optimizer_apply = optimizer.apply

        def apply(*arguments):
            optimizer_apply(*arguments)
            self.steps.append(self.weights())

        optimizer.apply = apply
        self.run = (
            Run.open(path)
            if Run.is_at(path)
            else Run.create(path, "translation", self.training, [])
        )
        self.history = fit(
            self.model,
            self.training,
            self.run,
            lambda epoch: _of(ROWS[epoch]).repeat(3),
            _of(ROWS[0]),
            monitor="measured",
            further_metrics=self._measure,
            progress=Stops(after),
        )

    def weights(self):
        return np.concatenate([w.numpy().ravel() for w in self.model.weights])

    def _measure(self):
        self.validated.append(self.weights())
        done = (
            len(self.run.history_file.read_text().splitlines()) - 1
            if (self.run.history_file.is_file())
            else 0
        )
        return {"measured": LOSSES[done]}


def _of(rows):
    return tf.data.Dataset.from_tensors((rows[:, :2], rows[:, 2:]))


def test_weights_are_averaged_once_validation_gets_no_better(tmp_path):
    line = Line(tmp_path / "run")
    for epoch in range(5):
        np.testing.assert_array_equal(line.validated[epoch], line.steps[3 * epoch + 2])
    np.testing.assert_allclose(
        line.validated[5], np.mean(line.steps[15:], 0), rtol=1e-6
    )


def test_an_average_outlives_a_stop(tmp_path):
    whole = Line(tmp_path / "whole")
    with pytest.raises(Interrupted):
        Line(tmp_path / "run", after=16)
    resumed = Line(tmp_path / "run")
    np.testing.assert_allclose(resumed.validated[-1], whole.validated[-1], rtol=1e-6)


def test_averages_that_would_come_too_late_are_refused():
    with pytest.raises(pydantic.ValidationError, match="averaging_patience: is 3"):
        TrainingConfig(patience=3, averaging_patience=3)


def test_an_optimizer_that_keeps_no_averages_is_refused_before_training(tmp_path):
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    model.compile(keras.optimizers.SGD(), loss="mse")
    training = TrainingConfig(epochs=6, patience=6, averaging_patience=3)
    with pytest.raises(UserError, match="averaging_patience: SGD keeps no averages"):
        fit(
            model,
            training,
            Run.create(tmp_path / "run", "translation", training, []),
            lambda epoch: None,
            None,
        )
