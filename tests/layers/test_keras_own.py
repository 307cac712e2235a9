"""Keras's own tests of its recurrent layers, with our classes in place of Keras's.

The tests are those of the installed Keras, imported and not copied. While one runs, the
name `layers` of its module stands for Keras's layers with ours in their place.
"""

import functools
import importlib
import importlib.util
import types
import unittest

import keras
import keras.src.layers
import pytest

import recurra.layers

# Of the generators that Keras's test cases train on.
pytestmark = pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")

MODULES = (
    "simple_rnn_test",
    "lstm_test",
    "gru_test",
    "rnn_test",
    "stacked_rnn_cells_test",
    "bidirectional_test",
)
OURS = {
    "SimpleRNN": recurra.layers.VanillaRNN,
    "SimpleRNNCell": recurra.layers.VanillaRNNCell,
    "LSTM": recurra.layers.LSTM,
    "LSTMCell": recurra.layers.LSTMCell,
    "GRU": recurra.layers.GRU,
    "GRUCell": recurra.layers.GRUCell,
    "RNN": recurra.layers.RNN,
}
REPLACED = {getattr(keras.layers, name) for name in OURS}
WITH_OURS = types.SimpleNamespace(**{**vars(keras.src.layers), **OURS})

# Tests that hold of Keras's layers and not of ours, and why.
DIFFERS = {
    "bidirectional_test.SimpleRNNTest.test_fused_lstm_eligibility": (
        "It asks a private method of `Bidirectional` whether both directions may run "
        "as one cuDNN kernel, which Keras allows to `keras.layers.LSTM` alone; the "
        "kernel would pass over our regularisers."
    ),
    "bidirectional_test.SimpleRNNTest.test_fused_gru_eligibility": (
        "The same for `keras.layers.GRU`."
    ),
}


def gather_keras_tests():
    """By name, the test case and method of each test, or None for a missing module."""
    tests = {}
    for name in MODULES:
        path = f"keras.src.layers.rnn.{name}"
        if importlib.util.find_spec(path) is None:
            tests[name] = None
            continue
        for case in vars(importlib.import_module(path)).values():
            if getattr(case, "__module__", None) != path:
                continue
            if issubclass(case, unittest.TestCase):
                for method in unittest.defaultTestLoader.getTestCaseNames(case):
                    tests[f"{name}.{case.__name__}.{method}"] = (case, method)
    return tests


TESTS = gather_keras_tests()


def as_parameter(name, fails_because=None):
    """One of the tests, with the marks that Keras gives it."""
    if TESTS[name] is None:
        missing = f"the installed Keras does not ship {name}.py"
        return pytest.param(name, marks=pytest.mark.skip(reason=missing))
    case, method = TESTS[name]
    marks = [*getattr(getattr(case, method), "pytestmark", [])]
    if fails_because is not None:
        marks.append(
            pytest.mark.xfail(
                strict=True,
                raises=(AssertionError, ValueError),
                reason=fails_because,
            )
        )
    return pytest.param(name, marks=marks)


def run(name):
    case, method = TESTS[name]
    # Unlike run(), this lets failures and skips through to pytest.
    case(method).debug()


@pytest.fixture
def ours_in_place(monkeypatch):
    for module in {case.__module__ for case, _ in filter(None, TESTS.values())}:
        monkeypatch.setattr(importlib.import_module(module), "layers", WITH_OURS)


@pytest.fixture
def classes_called(monkeypatch):
    """The classes of all layers and cells that are called during a test."""
    classes = set()
    call = keras.layers.Layer.__call__

    @functools.wraps(call)
    def note_and_call(layer, *args, **kwargs):
        classes.add(type(layer))
        return call(layer, *args, **kwargs)

    monkeypatch.setattr(keras.layers.Layer, "__call__", note_and_call)
    return classes


@pytest.fixture(autouse=True)
def traceback_filtering_as_before():
    """Keras's test cases turn it off for good."""
    was_enabled = keras.config.is_traceback_filtering_enabled()
    yield
    if was_enabled:
        keras.config.enable_traceback_filtering()


@pytest.mark.parametrize(
    "name", [as_parameter(name, fails_because=DIFFERS.get(name)) for name in TESTS]
)
def test_passes_with_ours(name, ours_in_place, classes_called):
    run(name)
    assert not classes_called & REPLACED


def test_what_is_listed_exists():
    missing_modules = {name for name, test in TESTS.items() if test is None}
    gone = {name for name in DIFFERS if name not in TESTS}
    assert {name.split(".")[0] for name in gone} <= missing_modules


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        (
            "simple_rnn_test.SimpleRNNTest.test_statefulness",
            {"SimpleRNN", "SimpleRNNCell"},
        ),
        ("lstm_test.LSTMTest.test_statefulness", {"LSTM"}),
        ("gru_test.GRUTest.test_statefulness", {"GRU"}),
        ("rnn_test.RNNTest.test_go_backwards", {"RNN"}),
        (
            "stacked_rnn_cells_test.StackedRNNTest.test_stacked_lstm_cell_mask",
            {"RNN", "LSTMCell"},
        ),
        ("bidirectional_test.SimpleRNNTest.test_masking", {"GRU"}),
    ],
)
def test_ours_are_what_runs(name, ours, ours_in_place, classes_called):
    if name not in TESTS:
        pytest.skip(f"the installed Keras does not have {name}")
    run(name)
    assert {OURS[keras_name] for keras_name in ours} <= classes_called
