"""Attributions add up to the difference, however curved the function is."""

import numpy as np
import tensorflow as tf

from recurra.pipelines.sentiment import integrated_gradients as module
from recurra.pipelines.sentiment.integrated_gradients import (
    MAX_STEPS,
    STEPS,
    TOLERANCE,
    integrated_gradients,
)


def some_inputs(rows=5, length=3, size=2):
    shape = (rows, length, size)
    return np.random.default_rng(0).uniform(0.5, 1.5, shape).astype(np.float32)


def sharp_slopes(rows, inputs):
    """Rises by ten, at a part of the line that shrinks with the number of the row."""
    sharpness = 10.0 ** (1.0 + tf.cast(rows, tf.float32) / 2.0)
    return 10.0 * tf.sigmoid(sharpness * (tf.reduce_sum(inputs, [1, 2]) - 0.8) / 3.0)


def gaps(function, inputs, attributions):
    rows = tf.range(len(inputs), dtype=tf.int64)
    difference = function(rows, inputs) - function(rows, np.zeros_like(inputs))
    gap = np.abs(attributions.numpy().sum(axis=1) - difference.numpy())
    return gap / np.maximum(1, np.abs(difference))


def test_a_linear_function_is_attributed_exactly():
    inputs = some_inputs()
    weights = np.random.default_rng(1).normal(size=inputs.shape).astype(np.float32)

    def linear(rows, points):
        return tf.reduce_sum(points * tf.gather(weights, rows), [1, 2])

    found = integrated_gradients(linear, inputs)
    np.testing.assert_allclose(found, (weights * inputs).sum(axis=2), atol=1e-5)


def test_sums_are_right_where_the_first_steps_miss(monkeypatch):
    inputs = some_inputs()
    found = integrated_gradients(sharp_slopes, inputs)
    assert gaps(sharp_slopes, inputs, found).max() <= TOLERANCE + 1e-5
    monkeypatch.setattr(module, "MAX_STEPS", STEPS)
    coarse = integrated_gradients(sharp_slopes, inputs)
    missed = gaps(sharp_slopes, inputs, coarse)
    assert missed.max() > 10 * TOLERANCE
    # Rows that were right from the beginning are left as they are.
    complete = missed < 0.5 * TOLERANCE
    assert complete.any()
    np.testing.assert_allclose(found[complete], coarse[complete], rtol=1e-6)


def test_a_row_does_not_depend_on_its_batch():
    inputs = some_inputs()
    together = integrated_gradients(sharp_slopes, inputs).numpy()
    for row in range(len(inputs)):
        alone = integrated_gradients(
            lambda rows, points, row=row: sharp_slopes(rows + row, points),
            inputs[row : row + 1],
        )
        np.testing.assert_allclose(together[row], alone[0], rtol=1e-4)


def test_refinement_comes_to_an_end():
    """At a leap there is no gradient: more steps do not find it."""
    seen = tf.Variable(0)

    def leap(rows, points):
        seen.assign_add(tf.size(rows))
        total = tf.reduce_sum(points, [1, 2])
        return 5.0 * tf.cast(total > 1.0, tf.float32) + total

    inputs = some_inputs(rows=2)
    found = integrated_gradients(leap, inputs)
    np.testing.assert_allclose(found, inputs.sum(axis=2), rtol=1e-4)
    ends = 2 * 2
    assert int(seen) - ends == 2 * MAX_STEPS


def test_no_rows_have_no_attributions():
    found = integrated_gradients(sharp_slopes, np.zeros((0, 3, 2), np.float32))
    assert found.shape == (0, 3)
