"""Integrated gradients whose sum is what it must be, whatever the model's curvature."""

import functools
from collections.abc import Callable

import tensorflow as tf

#: Steps of every path.
STEPS = 16
#: Steps beyond which a path is not refined: 16 times 3 to the power of 4.
MAX_STEPS = 1296
#: The part of a difference, or of one if that is more, that attributions may miss.
TOLERANCE = 0.02

Function = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def integrated_gradients(function: Function, inputs: tf.Tensor) -> tf.Tensor:
    """Attributes function(inputs) - function(0) to the vectors of the inputs.

    The attributions (Sundararajan et al. 2017, "Axiomatic Attribution for Deep
    Networks") are the inputs times the mean of the gradients along the straight line
    from zero. The mean is over the middles of `STEPS` equal steps. Rows whose
    attributions do not add up to the difference, up to `TOLERANCE`, get three times as
    many steps, again and again up to `MAX_STEPS`; old middles are among the new ones.

    Args:
        function: Values `[M]` of the numbers of M rows, int64 `[M]`, and of inputs
            for these, `[M, T, D]`. A value depends on its own row alone.
        inputs: float32 `[N, T, D]`.

    Returns:
        float32 `[N, T]`.
    """
    rows = tf.range(tf.shape(inputs, tf.int64)[0])
    values = function(
        tf.tile(rows, [2]), tf.concat([inputs, tf.zeros_like(inputs)], axis=0)
    )
    difference = tf.subtract(*tf.split(values, 2))
    allowed = TOLERANCE * tf.maximum(1.0, tf.abs(difference))
    # Traced once for both of its calls.
    gradient = tf.function(
        functools.partial(_gradient, function),
        input_signature=[
            tf.TensorSpec([None], tf.int64),
            tf.TensorSpec([None, None, inputs.shape[-1]], tf.float32),
        ],
        autograph=False,
    )
    attributions = functools.partial(_attributions, gradient, inputs)

    def incomplete(found: tf.Tensor) -> tf.Tensor:
        return tf.abs(tf.reduce_sum(found, axis=1) - difference) > allowed

    def refine(steps: tf.Tensor, found: tf.Tensor) -> tuple:
        rows = tf.where(incomplete(found))[:, 0]
        # Of three new steps the middle one has the middle of the old step.
        of_old = tf.gather(found, rows)
        of_new = attributions(rows, _middles(3 * steps, new=True))
        refined = (of_old + 2.0 * of_new) / 3.0
        found = tf.tensor_scatter_nd_update(found, rows[:, tf.newaxis], refined)
        return 3 * steps, found

    _, found = tf.while_loop(
        lambda steps, found: (steps < MAX_STEPS) & tf.reduce_any(incomplete(found)),
        refine,
        (STEPS, attributions(rows, _middles(tf.constant(STEPS), new=False))),
    )
    return found


def _gradient(function: Function, rows: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = tf.reduce_sum(function(rows, inputs))
    return tape.gradient(value, inputs)


def _attributions(
    gradient: Function, inputs: tf.Tensor, rows: tf.Tensor, fractions: tf.Tensor
) -> tf.Tensor:
    """Of these rows, by the gradients at these fractions of the line: `[M, T]`."""
    steps = tf.size(fractions, tf.int64)
    points = tf.size(rows, tf.int64) * steps
    # As many at once as the batch has rows; of a single text, all steps.
    at_once = tf.maximum(tf.shape(inputs, tf.int64)[0], STEPS)

    def add_points(begin: tf.Tensor, total: tf.Tensor) -> tuple:
        point = tf.range(begin, tf.minimum(begin + at_once, points))
        index, step = point // steps, point % steps
        row = tf.gather(rows, index)
        ends = tf.gather(inputs, row)
        fraction = tf.gather(fractions, step)[:, tf.newaxis, tf.newaxis]
        parts = tf.reduce_sum(ends * gradient(row, fraction * ends), axis=-1)
        total = tf.tensor_scatter_nd_add(total, index[:, tf.newaxis], parts)
        return begin + at_once, total

    nothing = tf.zeros_like(tf.gather(inputs[..., 0], rows))
    _, total = tf.while_loop(
        lambda begin, total: begin < points,
        add_points,
        (tf.zeros([], tf.int64), nothing),
    )
    return total / tf.cast(steps, tf.float32)


def _middles(steps: tf.Tensor, new: bool) -> tf.Tensor:
    """The middles of equal steps from 0 to 1; the new ones: not of a third as many."""
    step = tf.range(steps)
    if new:
        step = tf.boolean_mask(step, step % 3 != 1)
    return (tf.cast(step, tf.float32) + 0.5) / tf.cast(steps, tf.float32)
