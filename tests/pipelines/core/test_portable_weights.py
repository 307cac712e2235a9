"""Weights in fewer bytes make a smaller file, and answers that are nearly the same."""

import logging

import numpy as np
import pytest

from recurra.pipelines import UserError, export
from recurra.pipelines.core.portable_weights import keep_once, shrink

pytest.importorskip("onnxruntime")


def model_of(table, kernel):
    """Looks rows up in a table and multiplies them."""
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "ids"], ["rows"]),
            helper.make_node("MatMul", ["rows", "kernel"], ["products"]),
        ],
        "graph",
        [helper.make_tensor_value_info("ids", TensorProto.INT32, ["n"])],
        [helper.make_tensor_value_info("products", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(kernel, "kernel"),
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8)


def answers(model, given):
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {session.get_inputs()[0].name: given})[0]


@pytest.mark.parametrize(
    ("weights", "fraction", "error"), [("float16", 0.5, 2**-11), ("int8", 0.25, 0.5)]
)
def test_each_weight_is_as_near_as_its_type_can_be(weights, fraction, error):
    generator = np.random.default_rng(0)
    # Rows of very different sizes, which one scale for all would lose.
    sizes = 10.0 ** generator.integers(-3, 3, (500, 1))
    table = (generator.normal(size=(500, 64)) * sizes).astype(np.float32)
    table[7] = 0
    model = model_of(table, np.eye(64, dtype=np.float32))
    before = model.ByteSize()
    shrink(model, weights)
    assert model.ByteSize() < (fraction + 0.03) * before
    ids = np.arange(500, dtype=np.int32)
    steps = np.abs(table).max(axis=1, keepdims=True) / 127
    step = np.abs(table) + 1e-4 if weights == "float16" else steps
    assert (np.abs(answers(model, ids) - table) <= error * step * 1.001 + 1e-9).all()


def test_what_no_float16_holds_becomes_its_largest():
    table = np.full((300, 2), 1e6, np.float32)
    model = model_of(table, np.ones((2, 1), np.float32))
    shrink(model, "float16")
    assert answers(model, np.zeros(1, np.int32)) == pytest.approx(2 * 65504)


def test_weights_of_loops_are_found():
    from onnx import TensorProto, helper, numpy_helper

    tensor = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "own"], ["y"]),
            helper.make_node("Identity", ["own"], ["same"]),
            helper.make_node("Identity", ["go_on"], ["goes_on"]),
        ],
        "body",
        [
            *(
                tensor("step", TensorProto.INT64, []),
                tensor("go_on", TensorProto.BOOL, []),
            ),
            tensor("x", TensorProto.FLOAT, None),
            tensor("own", TensorProto.FLOAT, None),
        ],
        [
            tensor("goes_on", TensorProto.BOOL, []),
            tensor("y", TensorProto.FLOAT, None),
            tensor("same", TensorProto.FLOAT, None),
        ],
    )
    kernel = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32) / 6
    graph = helper.make_graph(
        [
            helper.make_node(
                "Loop", ["times", "", "in", "kernel"], ["out", "k"], body=body
            )
        ],
        "graph",
        [tensor("in", TensorProto.FLOAT, ["n", 40])],
        [tensor("out", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.array(3), "times"),
            numpy_helper.from_array(kernel, "kernel"),
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    before = model.ByteSize()
    shrink(model, "int8")
    assert model.ByteSize() < 0.4 * before
    given = np.eye(40, dtype=np.float32)
    found = answers(model, given)
    np.testing.assert_allclose(found, kernel @ kernel @ kernel, atol=0.02)


def test_small_and_other_arrays_stay():
    generator = np.random.default_rng(0)
    model = model_of(
        generator.normal(size=(9, 4)).astype(np.float32), np.eye(4, dtype=np.float32)
    )
    before = model.SerializeToString()
    shrink(model, "int8")
    assert model.SerializeToString() == before


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_what_is_there_transposed_too_is_kept_once(weights):
    table = np.random.default_rng(0).normal(size=(400, 50)).astype(np.float32)
    model = model_of(table, table.T.copy())
    before, ids = model.ByteSize(), np.arange(400, dtype=np.int32)
    keep_once(model)
    assert model.ByteSize() < 0.51 * before
    shrink(model, weights)
    error = 1e-4 if weights == "float32" else 0.5
    np.testing.assert_allclose(answers(model, ids), table @ table.T, atol=error)


@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_what_smaller_weights_cost_is_said(format, sentiment_run, tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="recurra"):
        model = export([sentiment_run], tmp_path, format=format, weights="int8")
    assert "int8 weights beside float32, over 24 rows: label differs in" in caplog.text
    lost = model.card.details["weights"]
    assert lost["type"] == "int8" and lost["rows"] == 24
    # Not 0, so the weights are others.
    assert (
        1e-7 < lost["mean"]["probabilities"] <= lost["largest"]["probabilities"] < 0.2
    )
    (answer,) = model.predict(["What a lovely lamp!"])
    assert answer["label"] in ("bad", "good")


def test_what_is_refused(sentiment_run, tmp_path):
    with pytest.raises(UserError, match="a SavedModel has float32; add --format onnx"):
        sentiment_run.export(tmp_path, weights="int8")
    with pytest.raises(UserError, match="there are float32, float16, int8"):
        sentiment_run.export(tmp_path, format="onnx", weights="int4")
    assert not list(tmp_path.iterdir())
