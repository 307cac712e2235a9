import math
import shutil
import signal
import threading
from pathlib import Path

import keras
import numpy as np
import pandas
import pytest
import tensorflow as tf

from recurra.layers import LSTM
from recurra.pipelines.core.runs import Run
from recurra.pipelines.core.task_config import TrainingConfig
from recurra.pipelines.core.training import (
    Interrupted,
    fit,
    learning_rate_schedule,
    load_best,
    make_optimizer,
)

STEPS = 7
EPOCHS = 3
TRAINING = TrainingConfig(
    epochs=EPOCHS,
    patience=EPOCHS,
    learning_rate=0.02,
    lr_schedule="cosine",
    weight_decay=0.1,
)
EVERY_STEP = TRAINING.model_copy(update={"checkpoint_seconds": 1e-9})


def _rows(seed, count, sign=1.0):
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(count, 3, 2)).astype("float32")
    return inputs, sign * inputs.sum(axis=(1, 2)).astype("float32")[:, None]


def _epoch_batches(epoch):
    return tf.data.Dataset.from_tensor_slices(_rows(epoch, 4 * STEPS)).batch(4)


VALIDATION = tf.data.Dataset.from_tensor_slices(_rows(100, 16)).batch(8)


def _model(training=TRAINING, seed=0, noise="dropout"):
    """A small model with noise, so that a resumed one is not the same by chance."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((3, 2))
    if noise == "dropout":
        hidden = keras.layers.Flatten()(inputs)
        hidden = keras.layers.Dense(8, "tanh")(hidden)
        hidden = keras.layers.Dropout(0.3)(hidden)
    else:
        hidden = LSTM(
            4, dropout=0.2, recurrent_dropout=0.2, zoneout_hidden=0.2, zoneout_cell=0.2
        )(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    model.compile(make_optimizer(training, STEPS), loss="mse", metrics=["mae"])
    return model


def _run(path, training=TRAINING):
    return Run.create(path, "sentiment", training, ["recurra"])


def _fit(run, training=TRAINING, *, seed=0, noise="dropout", **arguments):
    model = _model(training, seed, noise)
    batches = arguments.pop("batches", _epoch_batches)
    validation = arguments.pop("validation", VALIDATION)
    history = fit(model, training, run, batches, validation, **arguments)
    return model, history


class Recorder:
    """Keeps what it is told, and does something at one step of one epoch."""

    def __init__(self, at=None, act=None):
        self.told = []
        self.started = []
        self.ended = []
        self._at, self._act = at, act
        self._epoch = 0

    def epoch_started(self, epoch, epochs, step, steps):
        self._epoch = epoch
        self.started.append((epoch, epochs, step, steps))

    def step_done(self, step, loss):
        self.told.append((self._epoch, step))
        assert math.isfinite(loss)
        if (self._epoch, step) == self._at:
            self._act()

    def epoch_ended(self, row, best):
        self.ended.append((dict(row), best))


def _signal_myself(number, times=1):
    for _ in range(times):
        signal.raise_signal(number)


@pytest.fixture(scope="module")
def unbroken_run(tmp_path_factory):
    """A run that nothing disturbs."""
    return _run(tmp_path_factory.mktemp("runs") / "unbroken")


@pytest.fixture(scope="module")
def unbroken(unbroken_run):
    """Its model and history."""
    return _fit(unbroken_run)


def _assert_same(resumed, unbroken):
    """The resumed run came to the same."""
    (model, history), (expected_model, expected) = resumed, unbroken
    assert list(history.columns) == list(expected.columns)
    for column in ("epoch", "loss", "mae", "val_loss", "val_mae"):
        np.testing.assert_allclose(history[column], expected[column], atol=1e-6)
    for weight, other in zip(
        model.get_weights(), expected_model.get_weights(), strict=True
    ):
        np.testing.assert_allclose(weight, other, atol=1e-6)


# Learning rate


def _rates(training, steps_per_epoch, steps):
    schedule = learning_rate_schedule(training, steps_per_epoch)
    return [float(schedule(step)) if callable(schedule) else schedule for step in steps]


def _section(**values):
    return TrainingConfig(epochs=5, learning_rate=0.5, **values)


def _cosine(share):
    return 0.25 * (1 + math.cos(math.pi * share))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, [0.5] * 11),
        ({"lr_schedule": "linear"}, [0.05 * (10 - step) for step in range(11)]),
        ({"lr_schedule": "cosine"}, [_cosine(step / 10) for step in range(11)]),
        ({"warmup_steps": 4}, [0.125, 0.25, 0.375] + [0.5] * 8),
        (
            {"warmup_steps": 4, "lr_schedule": "linear"},
            [0.125, 0.25, 0.375, 0.5, *[0.5 * (10 - s) / 6 for s in range(4, 11)]],
        ),
        (
            {"warmup_steps": 4, "lr_schedule": "cosine"},
            [0.0, 0.125, 0.25, 0.375, *[_cosine((s - 4) / 6) for s in range(4, 11)]],
        ),
    ],
    ids=str,
)
def test_the_learning_rate_takes_its_course_over_all_epochs(values, expected):
    rates = _rates(_section(**values), steps_per_epoch=2, steps=range(11))
    np.testing.assert_allclose(rates, expected, atol=1e-7)


def test_the_rise_may_be_a_part_of_all_steps():
    rates = _rates(_section(warmup_fraction=0.4), 2, range(11))
    np.testing.assert_allclose(rates, [0.125, 0.25, 0.375] + [0.5] * 8)


def test_how_often_data_are_gone_through_falls_with_their_size():
    sizes = (1, 8, 80, 350, 1_500, 50_000)
    lengths = [TrainingConfig().settled(batches) for batches in sizes]
    assert [length.epochs for length in lengths] == [100, 51, 9, 3, 1, 1]
    assert [length.patience for length in lengths] == [34, 17, 3, 3, 3, 3]
    given = TrainingConfig(epochs=30, patience=1)
    assert given.settled(8) == given
    assert TrainingConfig(steps=100).settled(8).epochs == 7


@pytest.mark.parametrize("decay", ["constant", "linear", "cosine"])
def test_a_rise_longer_than_training_never_exceeds_the_learning_rate(decay):
    rates = _rates(_section(warmup_steps=1000, lr_schedule=decay), 2, range(11))
    assert all(0 <= rate <= 0.5 for rate in rates)
    assert rates[1] < rates[8]


def test_the_optimizer_follows_the_schedule(unbroken):
    model, history = unbroken
    # The model is left with what it was after its best epoch, optimizer included.
    steps = STEPS * (1 + int(history["val_loss"].idxmin()))
    assert int(model.optimizer.iterations) == steps
    assert float(model.optimizer.learning_rate) == pytest.approx(
        0.01 * (1 + math.cos(math.pi * steps / (EPOCHS * STEPS))), abs=1e-9
    )


def _words_of(rows, optimizer):
    """A table of word vectors and the optimizer's moments after one step on rows."""
    table = keras.Variable(np.zeros((3, 2), "float32"))
    optimizer.build([table])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(keras.ops.take(table, tf.constant(rows), axis=0))
    optimizer.apply([tape.gradient(loss, table.value)], [table])
    names = ("momentum", "velocity")
    return [
        keras.ops.convert_to_numpy(variable)
        for variable in optimizer.variables
        if variable.name.endswith(names)
    ]


def test_a_word_that_a_batch_names_often_has_the_sum_of_its_gradients():
    optimizer = make_optimizer(TrainingConfig(clip_norm=1.0), 10)
    first, second = _words_of([1, 1, 1, 1, 2, 2, 2], optimizer)
    # Of (0, 0), (4, 4), (3, 3), clipped to the norm 1.
    clipped = np.array([[0, 0], [4, 4], [3, 3]]) / math.sqrt(50)
    np.testing.assert_allclose(first, (1 - optimizer.beta_1) * clipped, rtol=1e-5)
    np.testing.assert_allclose(second, (1 - optimizer.beta_2) * clipped**2, rtol=1e-5)


# History, best weights, early stopping


def test_history_has_a_row_per_epoch_and_stands_in_the_run_after_each(tmp_path):
    run = _run(tmp_path / "a")
    rows_there = []

    class Reader(Recorder):
        def epoch_ended(self, row, best):
            super().epoch_ended(row, best)
            written = pandas.read_csv(run.history_file)
            rows_there.append(len(written))
            assert written.iloc[-1].to_dict() == pytest.approx(dict(row))

    _, history = _fit(run, progress=Reader())
    assert rows_there == [1, 2, 3]
    assert list(history["epoch"]) == [1, 2, 3]
    assert list(history.columns) == [
        *("epoch", "seconds", "loss", "mae", "val_loss", "val_mae")
    ]
    pandas.testing.assert_frame_equal(pandas.read_csv(run.history_file), history)


def test_progress_is_told_of_every_step(tmp_path):
    progress = Recorder()
    _, history = _fit(_run(tmp_path / "a"), progress=progress)
    assert progress.started == [(epoch, EPOCHS, 0, STEPS) for epoch in range(EPOCHS)]
    assert progress.told == [
        (epoch, step + 1) for epoch in range(EPOCHS) for step in range(STEPS)
    ]
    assert [row["val_loss"] for row, _ in progress.ended] == list(history["val_loss"])
    so_far = history["val_loss"].cummin()
    assert [best for _, best in progress.ended] == [
        number == 0 or so_far[number] < so_far[number - 1] for number in range(EPOCHS)
    ]


def _worse_from(epoch_number):
    """Batches that teach the truth at first and its opposite from some epoch on."""

    def batches(epoch):
        sign = 1.0 if epoch < epoch_number else -1.0
        rows = _rows(epoch, 4 * STEPS, sign)
        return tf.data.Dataset.from_tensor_slices(rows).batch(4)

    return batches


@pytest.mark.parametrize("patience", [1, 3])
def test_training_stops_when_patience_is_out_and_goes_back_to_the_best(
    tmp_path, patience
):
    training = TrainingConfig(epochs=20, patience=patience, learning_rate=0.02)
    run = _run(tmp_path / "a", training)
    model, history = _fit(run, training, batches=_worse_from(2))
    best = int(history["val_loss"].idxmin())
    assert best > 0
    assert len(history) == best + 1 + patience
    loss, _ = model.evaluate(VALIDATION, verbose=0)
    assert loss == pytest.approx(history["val_loss"][best], abs=1e-6)
    assert loss < history["val_loss"].iloc[-1] - 0.01


def test_the_best_epoch_is_judged_by_the_monitored_column(tmp_path):
    # By the loss the first epoch is best, by the other column the last.
    class Steps(keras.metrics.Metric):
        def __init__(self):
            super().__init__(name="steps_left")
            self.left = self.add_weight(initializer="zeros")

        def reset_state(self):
            """Counts over all epochs."""

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.left.assign_sub(1.0)

        def result(self):
            return self.left + 0.0

    training = TrainingConfig(epochs=4, patience=1, learning_rate=0.02)
    model = _model(training)
    model.compile("adam", loss="mse", metrics=[Steps()])
    run = _run(tmp_path / "a", training)
    batches = _worse_from(0)
    history = fit(model, training, run, batches, VALIDATION, monitor="val_steps_left")
    assert history["val_loss"].idxmin() == 0
    assert len(history) == 4
    assert model.evaluate(VALIDATION, verbose=0)[0] == pytest.approx(
        history["val_loss"].iloc[-1], abs=1e-6
    )


def test_the_best_weights_are_found_again_in_the_run(tmp_path):
    training = TrainingConfig(epochs=4, patience=4, learning_rate=0.02)
    run = _run(tmp_path / "a", training)
    model, _ = _fit(run, training, batches=_worse_from(1))
    uncompiled = keras.models.clone_model(model)
    load_best(uncompiled, run)
    for weight, other in zip(
        uncompiled.get_weights(), model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(weight, other)


def test_a_finished_training_is_not_trained_again(unbroken_run, unbroken):
    progress = Recorder()
    again = _fit(unbroken_run, seed=1, progress=progress)
    assert not progress.told
    _assert_same(again, unbroken)


def test_a_training_that_ran_out_of_patience_is_not_gone_on_with(tmp_path):
    training = TrainingConfig(epochs=20, patience=1, learning_rate=0.02)
    run = _run(tmp_path / "a", training)
    _, history = _fit(run, training, batches=_worse_from(1))
    progress = Recorder()
    _, again = _fit(run, training, batches=_worse_from(1), progress=progress)
    assert not progress.told
    pandas.testing.assert_frame_equal(again, history)


# Interruption and resume


@pytest.mark.parametrize(
    ("number", "at"),
    [
        (signal.SIGINT, (1, 4)),
        (signal.SIGTERM, (1, 4)),
        (signal.SIGINT, (1, STEPS)),
        (signal.SIGINT, (EPOCHS - 1, STEPS)),
    ],
)
def test_a_signal_stops_after_saving_and_the_run_is_gone_on_with(
    tmp_path, unbroken, number, at
):
    run = _run(tmp_path / "a")
    stopped = Recorder(at, lambda: _signal_myself(number))
    with pytest.raises(Interrupted, match="the state is saved"):
        _fit(run, progress=stopped)
    assert stopped.told[-1] == at
    resumed = Recorder()
    again = _fit(run, seed=1, progress=resumed)
    assert stopped.told + resumed.told == [
        (epoch, step + 1) for epoch in range(EPOCHS) for step in range(STEPS)
    ]
    _assert_same(again, unbroken)
    written = pandas.read_csv(run.history_file)
    pandas.testing.assert_frame_equal(written, again[1])


def test_a_run_may_be_stopped_again_and_again(tmp_path, unbroken):
    run = _run(tmp_path / "a")
    for at in ((0, 1), (0, 6)):
        with pytest.raises(Interrupted):
            _fit(run, progress=Recorder(at, lambda: _signal_myself(signal.SIGINT)))
    model, history = _fit(run)
    np.testing.assert_allclose(history["val_loss"], unbroken[1]["val_loss"], atol=1e-6)
    for weight, other in zip(
        model.get_weights(), unbroken[0].get_weights(), strict=True
    ):
        np.testing.assert_allclose(weight, other, atol=1e-6)


def test_the_noise_of_recurrent_layers_goes_on_where_it_stopped(tmp_path):
    expected = _fit(_run(tmp_path / "unbroken"), noise="recurrent")
    run = _run(tmp_path / "a")
    with pytest.raises(Interrupted):
        _fit(
            run,
            noise="recurrent",
            progress=Recorder((1, 4), lambda: _signal_myself(signal.SIGINT)),
        )
    again = _fit(run, seed=1, noise="recurrent")
    _assert_same(again, expected)


def test_a_signal_between_epochs_stops_after_saving(tmp_path, unbroken):
    run = _run(tmp_path / "a")

    class StopAfterEpoch(Recorder):
        def epoch_ended(self, row, best):
            super().epoch_ended(row, best)
            _signal_myself(signal.SIGINT)

    stopped = StopAfterEpoch()
    with pytest.raises(Interrupted, match="after epoch 1"):
        _fit(run, progress=stopped)
    assert len(stopped.ended) == 1
    resumed = Recorder()
    again = _fit(run, seed=1, progress=resumed)
    assert resumed.started[0] == (1, EPOCHS, 0, STEPS)
    _assert_same(again, unbroken)


def test_a_second_interrupt_acts_as_usual(tmp_path):
    impatient = Recorder((1, 2), lambda: _signal_myself(signal.SIGINT, times=2))
    # Whatever other tests of the process have left.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            _fit(_run(tmp_path / "a"), progress=impatient)
    finally:
        signal.signal(signal.SIGINT, before or signal.default_int_handler)


@pytest.mark.parametrize("stopped", [False, True])
def test_signals_act_as_before_when_training_is_over(tmp_path, stopped):
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    if stopped:
        progress = Recorder((0, 2), lambda: _signal_myself(signal.SIGTERM))
        with pytest.raises(Interrupted):
            _fit(_run(tmp_path / "a"), progress=progress)
    else:
        _fit(_run(tmp_path / "a"))
    assert [signal.getsignal(number) for number in numbers] == before


def test_training_runs_in_a_thread_too(tmp_path, unbroken):
    trained = []
    thread = threading.Thread(target=lambda: trained.append(_fit(_run(tmp_path / "a"))))
    thread.start()
    thread.join()
    _assert_same(trained[0], unbroken)


def test_a_run_killed_within_an_epoch_comes_to_the_same_result(tmp_path, unbroken):
    whole = _run(tmp_path / "a")
    killed_at = (1, 5)
    # What is on the disk within a step is what a kill leaves then.
    left = Recorder(killed_at, lambda: shutil.copytree(whole.path, tmp_path / "left"))
    _fit(whole, EVERY_STEP, progress=left)
    run = Run.open(tmp_path / "left")
    assert len(pandas.read_csv(run.history_file)) == 1
    progress = Recorder()
    again = _fit(run, seed=1, progress=progress)
    # The step in which it was killed is the first that was not saved.
    assert progress.started[0] == (1, EPOCHS, killed_at[1] - 1, STEPS)
    _assert_same(again, unbroken)


def test_a_save_that_is_cut_short_leaves_the_one_before(
    tmp_path, unbroken, monkeypatch
):
    run = _run(tmp_path / "a")
    save_weights = keras.Model.save_weights
    saves = []

    def cut_short(model, path, *rest, **further):
        saves.append(path)
        if len(saves) == STEPS + 5:
            Path(path).write_bytes(b"half of it")
            raise OSError("killed")
        save_weights(model, path, *rest, **further)

    with monkeypatch.context() as patch:
        patch.setattr(keras.Model, "save_weights", cut_short)
        with pytest.raises(OSError, match="killed"):
            _fit(run, EVERY_STEP)
    progress = Recorder()
    again = _fit(run, seed=1, progress=progress)
    assert progress.told[0] > (0, STEPS)
    _assert_same(again, unbroken)


def test_a_history_that_could_not_be_written_is_made_good(tmp_path):
    training = TrainingConfig(epochs=1)
    run = _run(tmp_path / "a", training)
    run.history_file.mkdir()
    with pytest.raises(OSError):
        _fit(run, training)
    run.history_file.rmdir()
    _, history = _fit(run, training)
    pandas.testing.assert_frame_equal(pandas.read_csv(run.history_file), history)


def test_old_states_are_removed(tmp_path, unbroken_run, unbroken):
    run = _run(tmp_path / "a")
    _fit(run, EVERY_STEP)
    saved_often, saved_seldom = (
        len(list(folder.iterdir()))
        for folder in (run.checkpoints, unbroken_run.checkpoints)
    )
    assert saved_often == saved_seldom


# Numbers that are none


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_training_and_says_where(tmp_path, number):
    def batches(epoch):
        inputs, targets = _rows(epoch, 4 * STEPS)
        if epoch == 1:
            targets[4 * 2] = number
        return tf.data.Dataset.from_tensor_slices((inputs, targets)).batch(4)

    run = _run(tmp_path / "a")
    with pytest.raises(FloatingPointError, match="epoch 2, step 3.*learning_rate"):
        _fit(run, batches=batches)
    assert len(pandas.read_csv(run.history_file)) == 1


def test_a_validation_loss_that_is_no_number_ends_training(tmp_path):
    inputs, targets = _rows(0, 8)
    targets[3] = math.nan
    validation = tf.data.Dataset.from_tensor_slices((inputs, targets)).batch(8)
    with pytest.raises(FloatingPointError, match="val_loss.*epoch 1"):
        _fit(_run(tmp_path / "a"), validation=validation)
