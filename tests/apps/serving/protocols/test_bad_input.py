"""Bad requests over REST: a status and a message of what is wrong and where."""

import gzip
import json

import pytest

HALF = "/v1/models/half_plus_two:predict"
KINDS = "/v1/models/kinds:predict"
REGRESS = "/v1/models/half_plus_two:regress"


def several(**changed):
    row = {"tag": "a", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]}
    return {"signature_name": "several", "instances": [row, {**row, **changed}]}


CASES = {
    "empty": (HALF, b"", 400, "JSON Parse error: The document is empty"),
    "no JSON": (
        HALF,
        b"instances = [1]",
        400,
        "JSON Parse error: Invalid value. at offset: 0",
    ),
    "cut off": (HALF, b'{"instances": [1', 400, "JSON Parse error: "),
    "not UTF-8": (HALF, b'{"instances": ["\xff"]}', 400, "Invalid encoding in string."),
    "half a surrogate pair": (
        HALF,
        rb'{"instances": ["\ud800"]}',
        400,
        "Invalid encoding in string.",
    ),
    "nested without end": (HALF, b"[" * 100_000, 400, "nested too deeply"),
    "no object": (HALF, [1, 2], 400, "JSON Value: [1, 2] Is not object"),
    "no input": (HALF, {}, 400, "Missing 'inputs' or 'instances' key"),
    "both formats": (
        HALF,
        {"instances": [1], "inputs": [1]},
        400,
        "expecting only one of 'inputs' or 'instances' keys to exist",
    ),
    "instances is no list": (HALF, {"instances": 1}, 400, "to be an list/array"),
    "no instances": (HALF, {"instances": []}, 400, "No values in 'instances' array"),
    "signature_name is no string": (
        HALF,
        {"signature_name": 100},
        400,
        "'signature_name' key must be a string value.",
    ),
    "no such signature": (
        HALF,
        {"signature_name": "none", "instances": [1]},
        400,
        'Serving signature name: "none" not found in signature def',
    ),
    "another type": (
        KINDS,
        {"instances": [[1.0, 2.0], [3.0, "x"]]},
        400,
        'JSON Value: "x" Type: String is not of expected type: float: instances[1][1]',
    ),
    "null": (KINDS, {"instances": [[1, None]]}, 400, "Type: Null is not of expected"),
    "true as a number": (KINDS, {"inputs": [[1, True]]}, 400, "float: inputs[0][1]"),
    "ragged": (
        KINDS,
        {"instances": [[1.0, 2.0], [3.0]]},
        400,
        "unexpected size: 1 at level: 1 expected size: 2: instances[1]",
    ),
    "mixed depth": (KINDS, {"instances": [[1.0, 2.0], 3.0]}, 400, "instances[1]"),
    "another shape": (
        KINDS,
        {"instances": [[1.0, 2.0, 3.0]]},
        400,
        "Expecting shape [-1,2] but got: [1,3] for input x: instances[0]",
    ),
    "too many dimensions": (
        KINDS,
        {"instances": [[[1.0], [2.0]]]},
        400,
        "[-1,2] but got: [1,2,1] for input x: instances[0][0]",
    ),
    "ragged in one of several": (
        KINDS,
        several(sensor=[[1, 2], [3]]),
        400,
        "instances[1].sensor[1]",
    ),
    "a missing input": (
        KINDS,
        {"signature_name": "several", "instances": [{"tag": "a"}]},
        400,
        "keys must be equal to: sensor,signal,tag",
    ),
    "a list where objects are needed": (
        KINDS,
        {"signature_name": "several", "instances": [1]},
        400,
        "expecting list of objects as multiple input tensors required",
    ),
    "a missing column": (
        KINDS,
        {"signature_name": "several", "inputs": {"tag": ["a"]}},
        400,
        "Missing named input: sensor in 'inputs' object.",
    ),
    "beyond int32": (KINDS, several(sensor=[[1, 2], [3, 2**31]]), 400, "int32"),
    "no whole number": (KINDS, several(sensor=[[1, 2], [3, 0.5]]), 400, "sensor[1][1]"),
    "beyond float32": (
        KINDS,
        {"instances": [[1.0, 1e39]]},
        400,
        "to float without loss of precision.: instances[0][1]",
    ),
    "no base64": (
        KINDS,
        {"signature_name": "binary", "instances": [{"b64": "?"}]},
        400,
        "Unable to base64 decode at instances[0]",
    ),
    "what the model refuses": (
        KINDS,
        {"signature_name": "divided", "instances": [0.0]},
        400,
        "assertion failed",
    ),
    "regress without examples": (REGRESS, {}, 400, "Key 'examples' is expected"),
    "regress with another signature": (
        REGRESS,
        {"signature_name": "classify_x_to_y", "examples": [{"x": 1.0}]},
        400,
        'Expected regression signature outputs to contain "outputs"',
    ),
    "an example of mixed types": (
        REGRESS,
        {"signature_name": "regress_x_to_y", "examples": [{"x": [1.0, "a"]}]},
        400,
        "Unexpected element type in feature: x",
    ),
    "an example without what is needed": (
        REGRESS,
        {"signature_name": "regress_x_to_y", "examples": [{}]},
        400,
        "Feature: x",
    ),
    "a name that leads out of the folder": (
        "/v1/models/..%2F..%2Fetc:predict",
        {"instances": [1]},
        404,
        "Servable not found for request: Latest(../../etc)",
    ),
    "an encoding that is none": (
        HALF,
        ("gzip", b"no gzip"),
        400,
        "The body is not gzip",
    ),
    "an encoding that is not supported": (HALF, ("br", b"x"), 400, "expected gzip"),
}


@pytest.mark.parametrize(
    ("path", "body", "status", "message"), CASES.values(), ids=CASES
)
def test_bad_requests(server, path, body, status, message):
    headers = {}
    if isinstance(body, tuple):
        encoding, body = body
        headers["content-encoding"] = encoding
    answer = server.post(path, body, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    (error,) = json.loads(answer.text).values()
    assert message in error
    assert "Traceback" not in error
    assert ".py" not in error


def test_a_zipped_body_is_read(server):
    body = gzip.compress(b'{"instances": [1.0]}')
    answer = server.post(HALF, body, headers={"content-encoding": "gzip"})
    assert answer.json() == {"predictions": [2.5]}


def test_what_is_not_served(server):
    for path in ("/etc/passwd", "/v1/../../etc/passwd", "/docs"):
        answer = server.http.get(path)
        assert answer.status_code in (400, 404)
        assert set(answer.json()) == {"error"}
