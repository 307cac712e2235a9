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
