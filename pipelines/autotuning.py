"""What tf.data's tuning of itself costs, and how to do without."""

import tensorflow as tf


def without_autotuning(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The data set, with as many calls at once as there are cores.

    TensorFlow tunes that number in a thread that sleeps for longer and longer, up to a
    minute, and the end of an iterator now and then waits for it to wake up: an epoch of
    140 seconds would often take 200. Every data set that is gone through here for more
    than a moment is therefore made without it.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
