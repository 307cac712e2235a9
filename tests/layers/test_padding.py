"""Padded sequences with their real steps first, and back."""

import keras
import numpy as np
import pytest

from recurra.layers import padding
from recurra.layers.padding import Padding

from .cases import PADDINGS, sequences, to_numpy


def in_order_of_the_loop(values, go_backwards):
    return values[:, ::-1] if go_backwards else values


@pytest.mark.parametrize("dtype", ["float32", "bool"])
@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("places", ["right", "left", "holes"])
def test_real_steps_first(places, go_backwards, dtype):
    values = sequences() if dtype == "float32" else sequences() > 0
    mask = PADDINGS[places]
    found = to_numpy(
        Padding(keras.ops.convert_to_tensor(mask), go_backwards).real_steps_first(
            keras.ops.convert_to_tensor(values)
        )
    )
    assert found.dtype == dtype
    real_steps = values[mask]
    for row, real, moved in zip(
        in_order_of_the_loop(values, go_backwards),
        in_order_of_the_loop(mask, go_backwards),
        found,
        strict=True,
    ):
        number = real.sum()
        np.testing.assert_array_equal(moved[:number], row[real])
        if number:
            assert (moved[number:] == moved[number - 1]).all()
        else:
            assert (moved == moved[0]).all()
            assert (real_steps == moved[0]).all(axis=-1).any()


def test_noise_moves_without_a_gradient(monkeypatch):
    """Masks of noise are bool, on torch by a type of its own."""

    def no_gradient(function):
        raise AssertionError("nothing to differentiate here")

    monkeypatch.setattr(padding.ops, "custom_gradient", no_gradient)
    mask = keras.ops.convert_to_tensor(PADDINGS["holes"])
    Padding(mask, False).real_steps_first(keras.ops.convert_to_tensor(sequences() > 0))


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="elsewhere all sizes are known"
)
def test_states_of_a_graph_for_any_number_of_steps():
    import tensorflow as tf

    from recurra.layers import LSTM

    layer = LSTM(4, return_state=True)
    graph = tf.function(
        lambda values, mask: layer(values, mask=mask),
        input_signature=[
            tf.TensorSpec([None, None, sequences().shape[-1]]),
            tf.TensorSpec([None, None], tf.bool),
        ],
        autograph=False,
    )
    inputs = tf.constant(sequences()), tf.constant(PADDINGS["right"])
    for found, expected in zip(
        graph(*inputs), layer(inputs[0], mask=inputs[1]), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-6)
