"""The noise of rows is what one process would have given them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from recurra.layers import GRU, LSTM, WordDropout
from recurra.pipelines.core.parallel.noise import Rows, noise_of

ROWS, STEPS, FEATURES = 7, 5, 4


class Folded(layers.Layer):
    """Dropout of what stands in a row, laid out as rows of its own."""

    def __init__(self):
        super().__init__()
        self.dropout = layers.Dropout(0.5)

    def call(self, inputs, training=False):
        return self.dropout(keras.ops.reshape(inputs, (-1, 2)), training=training)


class Words(layers.Layer):
    def __init__(self):
        super().__init__()
        self.dropout = WordDropout(0.5)

    def call(self, inputs, training=False):
        ids = keras.ops.cast(inputs[..., 0] > 0, "int32")
        return self.dropout(inputs, ids, training=training)


NOISY = {
    "dropout": lambda: layers.Dropout(0.5),
    "shared over steps": lambda: layers.Dropout(0.5, noise_shape=(None, 1, FEATURES)),
    "shared over rows": lambda: layers.Dropout(0.5, noise_shape=(1, STEPS, FEATURES)),
    "gaussian": lambda: layers.GaussianNoise(0.5),
    "folded": Folded,
    "words": Words,
    "zoneout": lambda: LSTM(3, zoneout_hidden=0.3, zoneout_cell=0.3),
    "variational": lambda: GRU(3, dropout=0.3, recurrent_dropout=0.3, tied_masks=False),
    "weights": lambda: GRU(3, weight_dropout=0.5, output_dropout=0.3),
}


@pytest.mark.parametrize("make", NOISY.values(), ids=NOISY)
def test_parts_of_a_batch_have_the_noise_of_the_whole(make):
    keras.utils.set_random_seed(0)
    layer = make()
    inputs = np.random.default_rng(0).normal(size=(ROWS, STEPS, FEATURES))
    signature = tf.TensorSpec([None, STEPS, FEATURES])

    @tf.function(input_signature=[signature])
    def whole(inputs):
        return layer(inputs, training=True)

    @tf.function(input_signature=[signature, tf.TensorSpec([], tf.int32)])
    def part(inputs, begin):
        with noise_of(Rows(begin, tf.shape(inputs)[0], tf.constant(ROWS))):
            return layer(inputs, training=True)

    inputs = tf.constant(inputs, tf.float32)
    layer.build(inputs.shape)
    seeds = [each for each in layer.variables if "seed" in each.path]
    states = [each.numpy() for each in seeds]
    answers = []
    for draw in (
        lambda: whole(inputs),
        lambda: part(inputs[:3], tf.constant(0)),
        lambda: part(inputs[3:], tf.constant(3)),
    ):
        for variable, state in zip(seeds, states, strict=True):
            variable.assign(state)
        answers.append(draw().numpy())
    expected, *parts = answers
    np.testing.assert_allclose(np.concatenate(parts), expected, atol=1e-6)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(whole(inputs).numpy(), expected, atol=1e-6)


def test_keras_draws_as_before_afterwards():
    before = tf.random.stateless_uniform, tf.nn.experimental.stateless_dropout
    with noise_of(Rows(*map(tf.constant, (0, 1, 2)))):
        assert tf.random.stateless_uniform is not before[0]
    assert before == (
        tf.random.stateless_uniform,
        tf.nn.experimental.stateless_dropout,
    )


@pytest.mark.parametrize(
    ("steps", "error"),
    [(None, tf.errors.InvalidArgumentError), (3, NotImplementedError)],
)
def test_noise_whose_rows_do_not_come_first_is_refused(steps, error):
    @tf.function(input_signature=[tf.TensorSpec([None, steps])])
    def turned(inputs):
        shape = [inputs.shape[1] or tf.shape(inputs)[1], tf.shape(inputs)[0]]
        with noise_of(Rows(*map(tf.constant, (0, 2, 4)))):
            return tf.random.stateless_uniform(shape, seed=[1, 2])

    with pytest.raises(error, match="train by one worker"):
        turned(tf.zeros([2, 3]))


def test_a_distribution_that_is_not_drawn_by_row_is_refused():
    with (
        noise_of(Rows(*map(tf.constant, (0, 2, 4)))),
        pytest.raises(NotImplementedError, match="train by one worker"),
    ):
        keras.random.gamma((2, 3), 1.0, seed=1)
