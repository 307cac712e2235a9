"""KServe's v2 API, case by case from the Open Inference Protocol."""

import base64
import json

import numpy as np
import pytest
import served_models

INFER = "/v2/models/kinds/infer"


def tensor(name, shape, datatype, data, **more):
    return {"name": name, "shape": shape, "datatype": datatype, "data": data, **more}


def test_health_and_server_metadata(server):
    assert server.http.get("/v2/health/live").json() == {"live": True}
    ready = server.http.get("/v2/health/ready")
    assert ready.json() == {"live": True, "ready": True}
    assert server.http.get("/").json() == {"status": "alive"}
    metadata = server.http.get("/v2").json()
    assert metadata["name"] == "recurra"
    assert "binary_tensor_data" in metadata["extensions"]


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


def as_bytes(document, *tensors):
    """A body with tensors as bytes, and its header."""
    head = json.dumps(document).encode()
    headers = {"inference-header-content-length": str(len(head))}
    return {"body": head + b"".join(tensors), "headers": headers}


def described(name, shape, datatype, size):
    parameters = {"binary_data_size": size}
    return {**tensor(name, shape, datatype, None), "parameters": parameters}


def read(answer):
    """The JSON of an answer, and the bytes of its tensors by name."""
    assert answer.status_code == 200, answer.text
    length = int(answer.headers["inference-header-content-length"])
    document, rest = json.loads(answer.content[:length]), answer.content[length:]
    tensors = {}
    for output in document["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is not None:
            tensors[output["name"]], rest = rest[:size], rest[size:]
    assert not rest
    return document, tensors


def test_tensors_as_bytes_both_ways(server):
    x = np.array([[1, 2], [3, 4]], "<f4")
    document = {
        "inputs": [described("x", [2, 2], "FP32", 16)],
        "outputs": [{"name": "y", "parameters": {"binary_data": True}}],
    }
    document, tensors = read(server.post(INFER, **as_bytes(document, x.tobytes())))
    assert document["outputs"][0]["shape"] == [2, 2]
    assert tensors == {"y": (x * np.float32([1, 2])).tobytes()}


def test_some_tensors_as_bytes_and_some_as_json(server):
    strings = b"\x03\x00\x00\x00foo\x00\x00\x00\x00"
    document = {
        "parameters": {"signature_name": "several", "binary_data_output": True},
        "inputs": [
            described("tag", [2], "BYTES", len(strings)),
            tensor("signal", [2, 5], "FP32", [1.0] * 10),
            described("sensor", [2, 2, 2], "INT32", 32),
        ],
        "outputs": [
            {"name": "tag"},
            {"name": "total", "parameters": {"binary_data": False}},
        ],
    }
    sensor = np.arange(8, dtype="<i4").tobytes()
    answer = server.post(INFER, **as_bytes(document, strings, sensor))
    document, tensors = read(answer)
    assert tensors == {"tag": b"\x03\x00\x00\x00FOO\x00\x00\x00\x00"}
    assert document["outputs"][1] == tensor("total", [2], "FP32", [5.0, 5.0])


BAD_BYTES = {
    "too few": ([2, 2], 12, b"\0" * 12, "12 bytes, not 16"),
    "more than there are": ([2, 2], 16, b"\0" * 12, "the body has 12 bytes left"),
    "of no input": ([2, 2], 16, b"\0" * 20, "4 bytes that are of no input"),
    "no size": ([2, 2], "16", b"\0" * 16, 'received "16"'),
    "too many rows": ([5000, 2], 8, b"\0" * 8, "has 5000 rows; expected at most 4096"),
    "many dimensions": ([1, *[2**62] * 300], 0, b"", "whole numbers, 64 at most"),
    "a size beyond int64": ([1, 2**63], 0, b"", "whole numbers, 64 at most"),
    "64 large sizes": ([1, *[2**62] * 63], 0, b"", "0 bytes, not "),
}


@pytest.mark.parametrize(
    ("shape", "size", "sent", "message"), BAD_BYTES.values(), ids=BAD_BYTES
)
def test_bytes_that_are_no_tensor(server, shape, size, sent, message):
    document = {"inputs": [described("x", shape, "FP32", size)]}
    answer = server.post(INFER, **as_bytes(document, sent))
    assert answer.status_code in (400, 413)
    assert message in answer.json()["error"]


@pytest.mark.parametrize("said", ["x", "-1", "9" * 30])
def test_a_length_of_json_that_is_none(server, said):
    headers = {"inference-header-content-length": said}
    answer = server.post(INFER, b"{}", headers=headers)
    assert answer.status_code == 400
    assert "Inference-Header-Content-Length" in answer.json()["error"]


@pytest.mark.parametrize(
    "strings", [b"\x03\x00\x00", b"\x03\x00\x00\x00fo", b"\xff\xff\xff\xfffoo"]
)
def test_bytes_that_are_no_strings(server, strings):
    document = {
        "parameters": {"signature_name": "binary"},
        "inputs": [described("image", [1], "BYTES", len(strings))],
    }
    answer = server.post(INFER, **as_bytes(document, strings))
    assert answer.status_code == 400
    assert "the bytes end within" in answer.json()["error"]


def test_model_configuration(server):
    config = server.http.get("/v2/models/kinds/versions/1/config").json()
    assert config["max_batch_size"] == 0
    assert config["input"] == [{"name": "x", "data_type": "TYPE_FP32", "dims": [-1, 2]}]


def test_statistics_count_requests_rows_and_runs(server):
    def counted():
        answer = server.http.get("/v2/models/half_plus_three/stats")
        (one,) = answer.json()["model_stats"]
        stats = one["inference_stats"]
        return (
            one["inference_count"],
            one["execution_count"],
            stats["success"]["count"],
            stats["fail"]["count"],
        )

    before = counted()
    path = "/v2/models/half_plus_three/infer"
    x = tensor("x", [3, 1], "FP32", [1, 2, 3])
    assert server.post(path, {"inputs": [x]}).status_code == 200
    assert server.post(path, {"inputs": []}).status_code == 400
    gained = [new - old for new, old in zip(counted(), before, strict=True)]
    assert gained == [3, 1, 1, 1]
    models = server.http.get("/v2/models/stats").json()["model_stats"]
    assert {each["name"] for each in models} == {
        *("half_plus_two", "half_plus_three", "kinds")
    }


def test_models_are_loaded_and_unloaded_by_request(serving, scaled, tmp_path):
    served_models.put(scaled[1], tmp_path / "scaled" / "1")
    with serving(tmp_path, model_control=True, poll_seconds=3600) as server:

        def index(**asked):
            models = server.post("/v2/repository/index", asked).json()
            return [(each["name"], each["version"], each["state"]) for each in models]

        ready = [("scaled", "1", "READY")]
        assert index() == ready
        control = "/v2/repository/models/{}/{}"
        assert server.post(control.format("scaled", "unload"), {}).status_code == 200
        assert server.http.get("/v2/models/scaled/ready").status_code == 404
        assert index() == [("scaled", "", "UNAVAILABLE")]
        assert index(ready=True) == []
        # To load one loads no other, which may be only half copied, however often one
        # asks.
        served_models.put(scaled[1], tmp_path / "other" / "1")
        for method in ("load", "unload", "load"):
            answer = server.post(control.format("scaled", method), {})
            assert answer.status_code == 200
        assert index() == ready
        for method in ("load", "unload"):
            answer = server.post(control.format("nothing", method), {})
            assert answer.status_code == 404


def test_nobody_loads_or_unloads_unless_the_settings_say_so(server):
    for method in ("load", "unload"):
        answer = server.post(f"/v2/repository/models/kinds/{method}", {})
        assert answer.status_code == 403
    assert server.http.get("/v2/models/kinds/ready").status_code == 200


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
