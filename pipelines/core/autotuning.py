"""What tf.data's tuning of itself costs, and how to do without."""

import tensorflow as tf


def without_autotuning(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The data set, with numbers of parallel calls that stay as they are at first.

    TensorFlow tunes these in a thread that sleeps for longer and longer, up to a
    minute, and the end of an iterator now and then waits for it to wake up. What is
    trained on, evaluated and learned from is therefore made without it.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
