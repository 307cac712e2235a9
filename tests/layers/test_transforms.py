"""What a backend does to whole layers: compiled by torch, differentiated by JAX, on
replicas of TensorFlow, called by several threads."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from recurra.layers import LSTM, RNN, FeedForwardDropout, GRUCell, Zoneout

from .cases import FEATURES, UNITS, randomise, sequences, to_numpy

BACKEND = keras.backend.backend()
MASK = np.array([[True, True, False], [True, True, True]])
INPUTS = sequences(shape=(2, 3, FEATURES))


def noisy_layer():
    layer = LSTM(
        UNITS,
        dropout=0.1,
        recurrent_dropout=0.2,
        zoneout_hidden=0.1,
        weight_dropout=0.2,
        return_sequences=True,
    )
    layer.build(INPUTS.shape)
    randomise(layer)
    return layer


@pytest.mark.skipif(BACKEND != "torch", reason="a compiler of torch")
@pytest.mark.parametrize(
    "make",
    [
        noisy_layer,
        lambda: LSTM(UNITS),
        lambda: RNN([Zoneout(FeedForwardDropout(GRUCell(UNITS), 0.1), 0.1)]),
    ],
)
def test_compiled_by_torch(make):
    import torch

    layer, x = make(), torch.tensor(INPUTS)
    layer(x)
    noise = layer.draw_noise(2, 3)
    layer.draw_noise = lambda *_: noise

    def run(x):
        return layer(x, training=True)

    expected = run(x)
    found = torch.compile(run, backend="eager")(x)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.skipif(BACKEND != "jax", reason="transformations of JAX")
@pytest.mark.parametrize("training", [False, True])
def test_differentiated_by_jax(training):
    import jax

    layer = noisy_layer()
    noise = layer.draw_noise(2, 3)
    layer.draw_noise = lambda *_: noise

    def loss(x):
        return layer(x, mask=MASK, training=training).sum()

    gradient = jax.grad(loss)(INPUTS)
    np.testing.assert_allclose(jax.jacfwd(loss)(INPUTS), gradient, atol=1e-5)
    _, along = jax.jvp(loss, (INPUTS,), (INPUTS,))
    np.testing.assert_allclose(along, (gradient * INPUTS).sum(), atol=1e-4)
    assert np.isfinite(jax.hessian(loss)(INPUTS)).all()


@pytest.mark.skipif(BACKEND != "jax", reason="transformations of JAX")
def test_batched_by_jax():
    import jax

    layer = noisy_layer()
    alone = jax.vmap(lambda x, mask: layer(x[None], mask=mask[None])[0])(INPUTS, MASK)
    np.testing.assert_allclose(alone, layer(INPUTS, mask=MASK), atol=1e-6)


def test_threads_share_a_layer():
    """The fused layer within is one for each way to run, and stays as it is."""
    layer = LSTM(UNITS, use_cudnn="auto")
    layer.build(INPUTS.shape)
    ways = [
        {"mask": None},
        {"mask": keras.ops.convert_to_tensor(MASK)},
    ]
    expected = [to_numpy(layer(INPUTS, **way)) for way in ways]
    with ThreadPoolExecutor(2) as threads:
        found = threads.map(lambda n: to_numpy(layer(INPUTS, **ways[n % 2])), range(20))
        for n, outputs in enumerate(found):
            np.testing.assert_allclose(outputs, expected[n % 2], atol=1e-6)


REPLICAS = """
import keras, tensorflow as tf
from recurra.layers import LSTM, WordDropout
cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(
    cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    layer = LSTM(8, recurrent_dropout=0.5, zoneout_hidden=0.5, seed=1)
    layer.build((None, 3, 2))

@tf.function
def masks():
    of_state, zoneout = (drawn for drawn in layer.draw_noise(4, 3)[::-1])
    return of_state.per_sequence["state"], zoneout.per_step["hidden"]

for drawn in strategy.run(masks):
    one, other = strategy.experimental_local_results(drawn)
    assert one.shape == other.shape and (one.numpy() != other.numpy()).any()
"""


@pytest.mark.skipif(BACKEND != "tensorflow", reason="a strategy of TensorFlow")
def test_replicas_draw_different_masks():
    done = subprocess.run(
        [sys.executable, "-c", REPLICAS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
