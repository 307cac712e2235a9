"""Exported models in the formats that Keras exports its own LSTM to."""

import keras
import numpy as np
import pytest

from recurra.layers import GRU, LSTM

from .cases import FEATURES, TIME, UNITS, sequences, to_numpy

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a feature of TensorFlow"
)
INPUTS = sequences(shape=(1, TIME, FEATURES))
LAYERS = {
    "keras": lambda **run: keras.layers.LSTM(UNITS, **run),
    "plain": lambda **run: LSTM(UNITS, **run),
    "zoneout": lambda **run: LSTM(UNITS, zoneout_hidden=0.1, zoneout_cell=0.3, **run),
    "masks": lambda **run: GRU(UNITS, dropout=0.1, recurrent_dropout=0.2, **run),
    "layer norm": lambda **run: LSTM(UNITS, layer_norm=True, **run),
}


def model_of(layer):
    x = keras.Input((TIME, FEATURES))
    model = keras.Model(x, layer(x))
    model(INPUTS)
    return model


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_litert(make, tmp_path):
    # A loop would need TensorFlow's own kernels beside LiteRT's, also of Keras's LSTM.
    import tensorflow as tf

    model = model_of(make(unroll=True, return_sequences=True))
    model.export(tmp_path / "model.tflite", format="litert", verbose=False)
    interpreter = tf.lite.Interpreter(str(tmp_path / "model.tflite"))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], INPUTS)
    interpreter.invoke()
    outputs = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(outputs, to_numpy(model(INPUTS)), atol=1e-5)


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_onnx(make, tmp_path):
    pytest.importorskip("tf2onnx")
    runtime = pytest.importorskip("onnxruntime")
    model = model_of(make(return_sequences=True))
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    (outputs,) = session.run(None, {session.get_inputs()[0].name: INPUTS})
    np.testing.assert_allclose(outputs, to_numpy(model(INPUTS)), atol=1e-5)
