"""Graphs with custom gradients, which TensorFlow would keep for good, are freed."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf

from recurra.layers import LSTM
from recurra.pipelines.core.tensorflow_internals import gradients_forgotten

SEQUENCES = tf.constant(np.random.default_rng(0).normal(size=(2, 5, 3)), tf.float32)


def traced(layer):
    """A function whose graph has gradients of its own: those of padded sequences."""

    @tf.function
    def gradient(sequences, mask):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(sequences, mask=mask))
        return tape.gradient(loss, layer.trainable_variables)

    return gradient


def a_graph(layer):
    mask = tf.constant([[True] * 5, [True] * 3 + [False] * 2])
    function = traced(layer)
    gradients = function(SEQUENCES, mask)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    return function, weakref.ref(function.get_concrete_function(SEQUENCES, mask).graph)


@pytest.mark.parametrize("forgets", [True, False])
def test_graphs_go_with_what_was_traced(forgets):
    """Without it they stay, which is why it is there."""
    layer = LSTM(4)
    if forgets:
        with gradients_forgotten():
            function, graph = a_graph(layer)
    else:
        function, graph = a_graph(layer)
    # What was traced still runs, and is traced anew for other types.
    function(SEQUENCES, tf.constant([[True] * 5] * 2))
    function(SEQUENCES[:, :4], tf.constant([[True] * 4] * 2))
    del function
    gc.collect()
    assert (graph() is None) == forgets


def test_a_run_leaves_no_gradients_behind(sentiment_run):
    from tensorflow.python.framework import ops

    from recurra.pipelines.core import workflow

    before = set(ops.gradient_registry.list())
    workflow.evaluate([sentiment_run])
    assert set(ops.gradient_registry.list()) == before
