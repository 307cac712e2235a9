"""Weights files and paths of weights, which know of no regulariser."""

import h5py
import keras
import numpy as np
import pytest

from recurra.layers import (
    GRU,
    LSTM,
    RNN,
    LSTMCell,
    SimpleRNN,
    VariationalDropout,
    WeightDrop,
    Zoneout,
)

from .cases import FEATURES, UNITS, LeakyCell, randomise

RATES = [
    {},
    {"dropout": 0.2},
    {"zoneout_hidden": 0.1, "dropout": 0.1, "output_dropout": 0.2},
    {"weight_dropout": 0.3},
]
PAIRS = [
    (LSTM, keras.layers.LSTM),
    (GRU, keras.layers.GRU),
    (SimpleRNN, keras.layers.SimpleRNN),
]


def model_of(layer):
    model = keras.Sequential(
        [keras.Input((None, FEATURES)), layer, keras.layers.Dense(1)]
    )
    randomise(model, seed=len(layer.name))
    return model


def assert_loads(one, other, path):
    one.save_weights(path)
    other.load_weights(path)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_across_rates_and_keras_both_ways(ours, theirs, tmp_path):
    path = tmp_path / "model.weights.h5"
    for rates in RATES:
        for make, other in ((ours, theirs), (theirs, ours), (ours, ours)):
            arguments = rates if make is ours else {}
            assert_loads(
                model_of(make(UNITS, **arguments)),
                model_of(other(UNITS, name="another")),
                path,
            )
    model = model_of(ours(UNITS, **RATES[2]))
    model.save(tmp_path / "model.keras")
    model_of(ours(UNITS, name="another")).load_weights(tmp_path / "model.keras")


@pytest.mark.parametrize("rates", RATES)
def test_paths_name_no_wrapper(rates):
    layer = LSTM(UNITS, name="lstm", **rates)
    layer.build((None, None, FEATURES))
    assert [weight.path for weight in layer.weights] == [
        "lstm/lstm_cell/kernel",
        "lstm/lstm_cell/recurrent_kernel",
        "lstm/lstm_cell/bias",
    ]


def wrapped(cell):
    return VariationalDropout(Zoneout(cell, 0.1), output_dropout=0.2)


def test_files_with_a_level_for_each_wrapper_still_load(tmp_path):
    path = tmp_path / "model.weights.h5"
    model = model_of(RNN(wrapped(WeightDrop(LSTMCell(UNITS), 0.2))))
    expected = model.get_weights()
    model.save_weights(path)
    with h5py.File(path, "a") as file:
        layer = file["layers/rnn"]
        layer.move("cell", "kept")
        layer.require_group("cell/cell/cell")
        layer.move("kept", "cell/cell/cell/cell")
    randomise(model, seed=5)
    model.load_weights(path)
    for a, b in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(a, b)


class CellOfLayers(LeakyCell):
    """Its weights are those of a layer within it."""

    def build(self, input_shape):
        self.dense = keras.layers.Dense(self.units)
        self.dense.build(input_shape)

    def call(self, inputs, states):
        output = 0.5 * states[0] + self.dense(inputs)
        return output, [output]


@pytest.mark.parametrize("make", [LeakyCell, CellOfLayers])
def test_of_a_cell_of_ones_own(make, tmp_path):
    path = tmp_path / "model.weights.h5"
    assert_loads(
        model_of(RNN(wrapped(make(UNITS)))),
        model_of(RNN(wrapped(make(UNITS)), name="another")),
        path,
    )
    with h5py.File(path) as file:
        assert ("vars/0" in file["layers/rnn/cell"]) == (make is LeakyCell)
