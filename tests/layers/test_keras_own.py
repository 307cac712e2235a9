"""Keras's own tests of its recurrent layers, run over ours in the place of Keras's."""

import importlib
import importlib.util
import types
import unittest

import keras
import keras.src.layers
import pytest

import recurra.layers

PACKAGE = "keras.src.layers.rnn"
MODULES = (
    "simple_rnn_test",
    "lstm_test",
    "gru_test",
    "rnn_test",
    "stacked_rnn_cells_test",
    "bidirectional_test",
)
OURS_BY_KERAS_NAME = {
    "RNN": "RNN",
    "SimpleRNN": "VanillaRNN",
    "SimpleRNNCell": "VanillaRNNCell",
    "LSTM": "LSTM",
    "LSTMCell": "LSTMCell",
    "GRU": "GRU",
    "GRUCell": "GRUCell",
}
OURS = {
    keras_name: getattr(recurra.layers, our_name)
    for keras_name, our_name in OURS_BY_KERAS_NAME.items()
    if hasattr(recurra.layers, our_name)
}

WITH_OURS = types.SimpleNamespace(**{**vars(keras.src.layers), **OURS})


def tests_of(module):
    cases = unittest.defaultTestLoader.loadTestsFromModule(module)
    return [case for of_class in cases for case in of_class]


TESTS = {}
for name in MODULES:
    module = importlib.import_module(f"{PACKAGE}.{name}")
    for case in tests_of(module):
        TESTS[f"{name}.{case._testMethodName}"] = (module, type(case), case._testMethodName)

@pytest.mark.parametrize("test", TESTS)
def test_k(test, monkeypatch):
    module, cls, method = TESTS[test]
    monkeypatch.setattr(module, "layers", WITH_OURS)
    cls(method).debug()
