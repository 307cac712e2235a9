"""The best epochs: by highest values, by further metrics, and averaged."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from recurra.pipelines.core.runs import Run
from recurra.pipelines.core.task_config import TrainingConfig
from recurra.pipelines.core.training import fit, load_best

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
