"""TensorFlow Serving's g3doc/api_rest.md, case by case, with its documented answers."""

import base64
import json
import math

import pytest

HALF = "/v1/models/half_plus_two"
THREE = "/v1/models/half_plus_three"
KINDS = "/v1/models/kinds"


def predicted(server, body, path=f"{KINDS}:predict"):
    answer = server.post(path, body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return json.loads(answer.text)


# Model status API


def test_status_of_all_versions(server):
    answer = server.http.get(THREE)
    assert answer.status_code == 200
    assert answer.json() == {
        "model_version_status": [
            {
                "version": "123",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }


def test_status_of_one_version(server):
    answer = server.http.get(f"{THREE}/versions/123")
    assert answer.json()["model_version_status"][0]["version"] == "123"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/v1/models/nothing", "Could not find any versions of model nothing"),
        (f"{THREE}/versions/7", "Could not find version 7 of model half_plus_three"),
    ],
)
def test_status_of_what_is_not_there(server, path, error):
    answer = server.http.get(path)
    assert answer.status_code == 404
    assert answer.json() == {"error": error}


# Model metadata API


@pytest.mark.parametrize("version", ["", "/versions/123"])
def test_metadata(server, version):
    answer = server.http.get(f"{HALF}{version}/metadata")
    assert answer.status_code == 200
    metadata = answer.json()
    assert metadata["model_spec"] == {
        "name": "half_plus_two",
        "signature_name": "",
        "version": "123",
    }
    signatures = metadata["metadata"]["signature_def"]["signature_def"]
    default = signatures["serving_default"]
    assert default["method_name"] == "tensorflow/serving/predict"
    assert default["inputs"]["x"] == {
        "dtype": "DT_FLOAT",
        "tensor_shape": {
            "dim": [{"size": "-1", "name": ""}, {"size": "1", "name": ""}],
            "unknown_rank": False,
        },
        "name": "x:0",
    }
    assert {"regress_x_to_y", "classify_x_to_y"} <= set(signatures)


# Classify and Regress API


def test_the_documented_regression(server):
    body = {
        "signature_name": "tensorflow/serving/regress",
        "examples": [{"x": 1.0}, {"x": 2.0}],
    }
    assert predicted(server, body, f"{THREE}:regress") == {"results": [3.5, 4.0]}


def test_regression_of_another_signature_and_of_lists(server):
    body = {"signature_name": "regress_x_to_y2", "examples": [{"x": [1.0]}]}
    assert predicted(server, body, f"{THREE}:regress") == {"results": [3.5]}


def test_classification_has_an_empty_label_where_the_model_has_none(server):
    body = {"signature_name": "classify_x_to_y", "examples": [{"x": 1.0}, {"x": 2.0}]}
    answer = predicted(server, body, f"{HALF}:classify")
    assert answer == {"results": [[["", 2.5]], [["", 3.0]]]}


def test_a_common_context_joins_each_example(server):
    body = {
        "signature_name": "regress_x_to_y",
        "context": {"x": 4.0},
        "examples": [{"x2": 1.0}, {}],
    }
    assert predicted(server, body, f"{HALF}:regress") == {"results": [4.0, 4.0]}


# Predict API: row format


@pytest.mark.parametrize("version", ["", "/versions/123", "/versions/00123"])
def test_the_documented_predictions(server, version):
    for model, expected in ((HALF, [2.5, 3.0, 4.5]), (THREE, [3.5, 4.0, 5.5])):
        body = {"instances": [1.0, 2.0, 5.0]}
        answer = predicted(server, body, f"{model}{version}:predict")
        assert answer == {"predictions": expected}


def test_two_dimensions_as_tensorflow_servings_own_test_has_them(server):
    body = {"instances": [[1.0, 2.0], [3.0, 4.0]]}
    answer = predicted(server, body, f"{HALF}:predict")
    assert answer == {"predictions": [[2.5, 3.0], [3.5, 4.0]]}


def test_a_named_signature(server):
    body = {"signature_name": "serving_default", "instances": [3.0, 4.0]}
    assert predicted(server, body, f"{HALF}:predict") == {"predictions": [3.5, 4.0]}


SEVERAL_ROWS = [
    {"tag": "foo", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]},
    {"tag": "bar", "signal": [3, 4, 1, 2, 5], "sensor": [[4, 5], [6, 8]]},
]


def test_several_named_inputs_in_rows(server):
    body = {"signature_name": "several", "instances": SEVERAL_ROWS}
    assert predicted(server, body) == {
        "predictions": [
            {"tag": "FOO", "total": 15.0, "sensor": [[2, 4], [6, 8]]},
            {"tag": "BAR", "total": 15.0, "sensor": [[8, 10], [12, 16]]},
        ]
    }


def test_one_named_input_in_objects(server):
    body = {"instances": [{"x": [1.0, 2.0]}, {"x": [3.0, 4.0]}]}
    assert predicted(server, body) == {"predictions": [[1.0, 4.0], [3.0, 8.0]]}


# Predict API: column format


def test_several_named_inputs_in_columns(server):
    columns = {name: [row[name] for row in SEVERAL_ROWS] for name in SEVERAL_ROWS[0]}
    body = {"signature_name": "several", "inputs": columns}
    assert predicted(server, body) == {
        "outputs": {
            "tag": ["FOO", "BAR"],
            "total": [15.0, 15.0],
            "sensor": [[[2, 4], [6, 8]], [[8, 10], [12, 16]]],
        }
    }


@pytest.mark.parametrize("inputs", [[[1.0, 2.0]], {"x": [[1.0, 2.0]]}])
def test_one_input_in_columns_with_and_without_its_name(server, inputs):
    assert predicted(server, {"inputs": inputs}) == {"outputs": [[1.0, 4.0]]}


def test_a_scalar_in_columns(server):
    body = {"signature_name": "scalar", "inputs": 3}
    assert predicted(server, body) == {"outputs": 6.0}


# Binary values


def test_binary_values_both_ways(server):
    image = bytes(range(256))
    encoded = {"b64": base64.b64encode(image).decode()}
    body = {"signature_name": "binary", "instances": [encoded, "text"]}
    assert predicted(server, body) == {
        "predictions": [
            {"image_bytes": encoded, "length": 256},
            {"image_bytes": {"b64": "dGV4dA=="}, "length": 4},
        ]
    }
    body = {"signature_name": "binary", "inputs": {"image": [encoded]}}
    assert predicted(server, body)["outputs"]["image_bytes"] == [encoded]


# JSON mapping

VALUES = {
    "bool": [True, False],
    "int8": [-128, 127],
    "uint8": [0, 255],
    "int16": [-(2**15), 2**15 - 1],
    "int32": [-(2**31), 2**31 - 1],
    "uint32": [0, 2**32 - 1],
    "int64": [-(2**63), 2**63 - 1],
    "uint64": [0, 2**64 - 1],
    "float16": [0.5, -2.0],
    "float32": [0.2, -3.5e10],
    "float64": [0.1, 1e300],
    "string": ["Hello World!", "\u00fc\U0001f600\u0000"],
}


def test_every_type_of_the_table_comes_back_as_it_was(server):
    body = {"signature_name": "types", "inputs": VALUES}
    outputs = predicted(server, body)["outputs"]
    assert outputs == {f"{name}_": values for name, values in VALUES.items()}
    kinds = {name: type(values[0]) for name, values in outputs.items()}
    assert kinds["float32_"] is kinds["float64_"] is float
    assert kinds["int64_"] is int


def test_whole_numbers_and_exponents_are_floats_too(server):
    body = '{"signature_name": "types", "inputs": %s}'
    values = json.dumps({**VALUES, "float32": [3, 0.25]}).replace("0.25", "25e-2")
    assert predicted(server, body % values)["outputs"]["float32_"] == [3.0, 0.25]


# JSON conformance


def test_nan_and_infinity_are_tokens_both_ways(server):
    answer = server.post(f"{HALF}:predict", '{"instances": [NaN, Infinity, -Infinity]}')
    assert answer.status_code == 200
    assert answer.text.replace(" ", "") == '{"predictions":[NaN,Infinity,-Infinity]}'
    mixed = server.post(f"{HALF}:predict", '{"inputs": [NaN, 0.4, 1.0]}')
    nan, *others = json.loads(mixed.text)["outputs"]
    assert math.isnan(nan)
    assert others == [2.2, 2.5]


def test_tokens_among_several_outputs(server):
    columns = {name: values[:1] for name, values in VALUES.items()}
    body = json.dumps(
        {
            "signature_name": "types",
            "instances": [
                {name: values[0] for name, values in columns.items()}
                | {"float32": math.inf}
            ],
        }
    )
    (row,) = json.loads(server.post(f"{KINDS}:predict", body).text)["predictions"]
    assert row["float32_"] == math.inf
    assert row["float16_"] == 0.5
    assert row["string_"] == "Hello World!"
    assert row["uint64_"] == 0


# Errors


def test_the_documented_error(server):
    answer = server.post("/v1/models/half:predict", {"instances": [1.0, 5.0]})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"error": "Servable not found for request: Latest(half)"}


MALFORMED = [
    ("GET", "/v1/foo"),
    ("POST", "/v1/foo"),
    ("GET", "/v1/models/debug/model_name"),
    ("POST", "/v1/models"),
    ("GET", "/v1/models/foo:predict"),
    ("GET", "/v1/models/foo/version/50:predict"),
    ("POST", "/v1/models/foo/version/50:regress"),
    ("POST", "/v1/models/foo/versions/HELLO:regress"),
    ("POST", "/v1/models/foo/metadata"),
    ("POST", "/v1/models/foo/label/some_label:regress"),
    ("POST", "/v1/models/foo/versions/50/labels/some_label:regress"),
    ("PUT", "/v1/models/foo:predict"),
    ("DELETE", "/v1/models/foo"),
]


@pytest.mark.parametrize(("verb", "path"), MALFORMED)
def test_unsupported_calls(server, verb, path):
    answer = server.http.request(verb, path)
    assert answer.status_code == 400
    assert answer.json() == {"error": f"Malformed request: {verb} {path}"}


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        (f"/v1/models/foo/versions/{2**64}:regress", 400, "Failed to convert version"),
        (f"{HALF}/versions/{'9' * 10_000}:predict", 400, "Failed to convert version"),
        (f"/v2/models/half_plus_two/versions/{'9' * 5000}/infer", 404, "No version"),
        ("/v1/models/foo:predict", 404, "Latest(foo)"),
        ("/v1/models/foo/versions/50:predict", 404, "Specific(foo, 50)"),
        (f"{HALF}/versions/99:predict", 404, "Specific(half_plus_two, 99)"),
        (f"{HALF}/labels/none:predict", 400, "Unrecognized servable version label"),
    ],
)
def test_names_and_versions_that_are_not_there(server, path, status, error):
    answer = server.post(path, {"instances": [1]})
    assert answer.status_code == status
    assert error in answer.json()["error"]


def test_a_status_needs_a_name(server):
    for path in ("/v1/models", "/v1/models/"):
        answer = server.http.get(path)
        assert answer.status_code == 400


def test_paths_are_case_insensitive_and_names_are_decoded(server):
    assert server.http.get("/V1/Models/half_plus_two/Metadata").status_code == 200
    assert server.http.get("/v1/models/half%5Fplus_two").status_code == 200
