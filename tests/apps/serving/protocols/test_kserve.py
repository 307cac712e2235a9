"""KServe's v2 API, case by case from the Open Inference Protocol."""

import base64
import json

import pytest

INFER = "/v2/models/kinds/infer"


def tensor(name, shape, datatype, data, **more):
    return {"name": name, "shape": shape, "datatype": datatype, "data": data, **more}


def test_health_and_server_metadata(server):
    assert server.http.get("/v2/health/live").json() == {"live": True}
    assert server.http.get("/v2/health/ready").json() == {"live": True}
    metadata = server.http.get("/v2").json()
    assert metadata["name"] == "recurra"
    assert metadata["extensions"] == []


def test_model_ready(server):
    answer = server.http.get("/v2/models/kinds/ready")
    assert answer.json() == {"name": "kinds", "ready": True}
    assert server.http.get("/v2/models/kinds/versions/1/ready").status_code == 200
    answer = server.http.get("/v2/models/nothing/ready")
    assert answer.status_code == 404
    assert answer.json() == {"name": "nothing", "ready": False}


def test_model_metadata(server):
    assert server.http.get("/v2/models/kinds").json() == {
        "name": "kinds",
        "versions": ["1"],
        "platform": "tensorflow_savedmodel",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 2]}],
    }


@pytest.mark.parametrize("data", [[1, 2, 3, 4], [[1, 2], [3, 4]]])
@pytest.mark.parametrize("path", [INFER, "/v2/models/kinds/versions/1/infer"])
def test_inference_of_flat_and_nested_data(server, path, data):
    body = {"id": "42", "inputs": [tensor("x", [2, 2], "FP32", data)]}
    answer = server.post(path, body)
    assert answer.status_code == 200
    assert answer.json() == {
        "model_name": "kinds",
        "model_version": "1",
        "id": "42",
        "outputs": [tensor("y", [2, 2], "FP32", [1.0, 4.0, 3.0, 8.0])],
    }


def test_another_signature_several_inputs_and_chosen_outputs(server):
    body = {
        "parameters": {"signature_name": "several"},
        "inputs": [
            tensor("tag", [1], "BYTES", ["foo"]),
            tensor("signal", [1, 5], "FP32", [1, 2, 3, 4, 5]),
            tensor("sensor", [1, 2, 2], "INT32", [1, 2, 3, 4]),
        ],
        "outputs": [{"name": "total"}, {"name": "tag"}],
    }
    assert server.post(INFER, body).json()["outputs"] == [
        tensor("total", [1], "FP32", [15.0]),
        tensor("tag", [1], "BYTES", ["FOO"]),
    ]


def test_binary_values_are_base64_where_it_is_said(server):
    image = base64.b64encode(b"\x00\xff").decode()
    encoded = {"parameters": {"content_type": "base64"}}
    body = {
        "parameters": {"signature_name": "binary"},
        "inputs": [tensor("image", [1], "BYTES", [image], **encoded)],
        "outputs": [{"name": "image_bytes"}],
    }
    assert server.post(INFER, body).json()["outputs"] == [
        tensor("image_bytes", [1], "BYTES", [image], **encoded)
    ]


def test_nan(server):
    body = '{"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [%s]'
    answer = server.post("/v2/models/half_plus_two/infer", body % "Infinity" + "}]}")
    assert json.loads(answer.text)["outputs"][0]["data"] == [float("inf")]


BAD = {
    "no model": (
        "/v2/models/nothing/infer",
        {"inputs": []},
        404,
        "Servable not found for request: Latest(nothing)",
    ),
    "no inputs": (INFER, {}, 400, "inputs: expected a list of objects"),
    "an input is missing": (INFER, {"inputs": []}, 400, "inputs: missing x"),
    "another name": (
        INFER,
        {"inputs": [tensor("z", [1], "FP32", [1])]},
        400,
        'inputs[0].name: expected one of x; received "z"',
    ),
    "another type": (
        INFER,
        {"inputs": [tensor("x", [1, 2], "INT32", [1, 2])]},
        400,
        'inputs[0].datatype: expected FP32; received "INT32"',
    ),
    "a wrong shape": (
        INFER,
        {"inputs": [tensor("x", [-1, 2], "FP32", [1, 2])]},
        400,
        "inputs[0].shape: expected a list of whole numbers",
    ),
    "a shape of other data": (
        INFER,
        {"inputs": [tensor("x", [2, 2], "FP32", [1, 2])]},
        400,
        "inputs[0].data: expected as many values as shape [2, 2] has; received 2",
    ),
    "a shape that the model does not take": (
        INFER,
        {"inputs": [tensor("x", [2, 1], "FP32", [1, 2])]},
        400,
        "Input x has shape [2,1]; expected [-1,2]",
    ),
    "a value of another type": (
        INFER,
        {"inputs": [tensor("x", [1, 2], "FP32", [1, "a"])]},
        400,
        "not of expected type: float: inputs[0].data[1]",
    ),
    "another output": (
        INFER,
        {"inputs": [tensor("x", [1, 2], "FP32", [1, 2])], "outputs": [{"name": "z"}]},
        400,
        'outputs[0].name: expected one of y; received "z"',
    ),
    "no such path": ("/v2/models/kinds/explain", {}, 404, "Not served"),
}


@pytest.mark.parametrize(("path", "body", "status", "message"), BAD.values(), ids=BAD)
def test_bad_requests(server, path, body, status, message):
    answer = server.post(path, body)
    assert answer.status_code == status
    assert message in answer.json()["error"]
