"""TensorFlow Serving's requests, by the names of the tests of its own that send them.

What those ask is asked here of small models with the same signatures. The tables name
each test once: those below with what is answered, `ELSEWHERE` those that another file
here has, `LEFT_OUT` those that are not answered so, with the reason.
"""

import itertools
import json
import re
from pathlib import Path

import grpc
import numpy as np
import pytest
import served_models
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

from recurra.apps.serving.settings import StartError

TESTS = Path(__file__).parents[1]
DOCS = TESTS.parents[2] / "docs" / "serving.md"
SECONDS = 30
B64 = {"b64": "aGVsbG8="}


@pytest.fixture(scope="module")
def labelled(serving, tmp_path_factory):
    """A server of half_plus_two, whose version 123 is labelled, and of `echo`."""
    folder = tmp_path_factory.mktemp("requests")
    served_models.write_half_plus(folder / "half_plus_two" / "00000123", 2)
    served_models.write_echo(folder / "echo" / "1")
    config = folder / "models.config"
    named = "name: '{0}' base_path: '{0}' model_platform: 'tensorflow'"
    config.write_text(
        f"model_config_list {{ config {{ {named.format('half_plus_two')} "
        "model_version_policy { specific { versions: 123 } } "
        "version_labels { key: 'stable' value: 123 } } "
        f"config {{ {named.format('echo')} }} }}"
    )
    with serving(folder, model_config_file=config) as running:
        yield running


HALF, ECHO = "/v1/models/half_plus_two", "/v1/models/echo"
# By the test's name, requests: where to, what, and what is answered; a text is part of
# the error of a 400.
REST = {
    "http_rest_api_handler_test.Predict": [
        (
            f"{HALF}{version}:predict",
            {"instances": [1.0, 2.0]},
            {"predictions": [2.5, 3.0]},
        )
        for version in ("", "/versions/123", "/labels/stable")
    ],
    "http_rest_api_handler_test.Regress": [
        (
            f"{HALF}{version}:regress",
            {"signature_name": "regress_x_to_y", "examples": [{"x": 80.0}]},
            {"results": [42]},
        )
        for version in ("", "/versions/123", "/labels/stable")
    ],
    "http_rest_api_handler_test.Classify": [
        (
            f"{HALF}{version}:classify",
            {"signature_name": "classify_x_to_y", "examples": [{"x": 20.0}]},
            {"results": [[["", 12]]]},
        )
        for version in ("", "/versions/123", "/labels/stable")
    ],
}


def asks(name, signature, *asked, method="predict"):
    """Enters requests to a signature of `echo` under the name of a test."""
    for body, answer in asked:
        if isinstance(body, dict):
            body = json.dumps({"signature_name": signature, **body})
        REST.setdefault(name, []).append((f"{ECHO}:{method}", body, answer))


ROWS = [[1, 2], [3, 4], [5, 6]]
asks("json_tensor_test.SingleUnnamedTensor", "ints", ({"instances": ROWS}, ROWS))
MIXED = [1, 2.0, 3, 4, 5.25, 0.5, 0.0]
for kind in ("Float", "Double"):
    asks(
        f"json_tensor_test.MixedInputFor{kind}Tensor",
        f"{kind.lower()}s",
        ({"instances": MIXED}, MIXED),
    )
asks(
    "json_tensor_test.SingleUnnamedTensorWithSignature",
    "ints",
    ({"instances": [[1, 2]]}, [[1, 2]]),
)
asks(
    "json_tensor_test.SingleUnnamedTensorBase64Scalars",
    "strings",
    ({"instances": [B64, {"b64": "d29ybGQ="}]}, [B64, {"b64": "d29ybGQ="}]),
)
asks(
    "json_tensor_test.SingleUnnamedTensorBase64Lists",
    "strings",
    ({"instances": [[B64], [B64]]}, [[B64], [B64]]),
)
asks(
    "json_tensor_test.SingleNamedTensorBase64",
    "strings",
    ({"instances": [{"x": [[B64], [B64]]}]}, [[[B64], [B64]]]),
)
NAMED = [
    {"int": ROWS, "str": ["foo", "bar"], "flt": [1.0, np.nan], "dbl": [np.nan]},
    {"int": ROWS, "str": ["baz", "bat"], "flt": [2.0, np.inf], "dbl": [2.0]},
]
asks(
    "json_tensor_test.MultipleNamedTensor",
    "several",
    (
        {"instances": NAMED},
        [{f"{name}_": value for name, value in row.items()} for row in NAMED],
    ),
)
asks(
    "json_tensor_test.SingleUnnamedTensorColumnarFormat",
    "ints",
    ({"inputs": {"x": [ROWS]}}, {"outputs": [ROWS]}),
    ({"inputs": [ROWS]}, {"outputs": [ROWS]}),
)
asks(
    "json_tensor_test.MultipleNamedTensorColumnarFormat",
    "several",
    (
        {"inputs": {"int": [ROWS], "str": B64, "flt": [], "dbl": 2.5}},
        {"outputs": {"dbl_": 2.5, "flt_": [], "int_": [ROWS], "str_": "hello"}},
    ),
)
asks(
    "json_tensor_test.SingleUnnamedTensorErrors",
    "ints",
    ("", "document is empty"),
    ({"signature_name": 5, "instances": ROWS}, "must be a string value"),
    ({"instances": ROWS, "inputs": ROWS}, "Not formatted correctly"),
    ({"instances": [*ROWS[:2], [5, 6, 7]]}, "unexpected size: 3"),
    ({"instances": [*ROWS[:2], [[5], [6]]]}, "found at incorrect level"),
    ({"instances": [1, [1]]}, "found at incorrect level"),
    ({"instances": [[1, 2], ["a", "b"]]}, "not of expected type"),
)
for signature, value in (
    *(("floats", 1.7976931348623157e308), ("floats", 2**24 + 1)),
    ("doubles", 2**53 + 1),
):
    asks(
        "json_tensor_test.SingleUnnamedTensorErrors",
        signature,
        ({"instances": [value]}, "loss of precision"),
    )
asks(
    "json_tensor_test.MultipleNamedTensorErrors",
    "several",
    ({"instances": [NAMED[0], {**NAMED[1], "int": [ROWS]}]}, "unexpected size: 1"),
    ({"instances": [NAMED[0], {**NAMED[1], "int": ROWS[1:]}]}, "unexpected size: 2"),
    ({"instances": [NAMED[0], [1, 20, 30]]}, "Expecting object but got list"),
)
asks(
    "json_tensor_test.MultipleNamedTensorErrors",
    "strings",
    (
        {"instances": [["baz"], {"x": ["bar"]}]},
        "Expecting value/list but got object",
    ),
)
CUBE = [[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 0], [1, 2]]]
asks(
    "json_tensor_test.FromJsonSingleTensor",
    "ints",
    ({"instances": CUBE}, CUBE),
    ({"inputs": CUBE}, {"outputs": CUBE}),
)
asks(
    "json_tensor_test.FromJsonSingleScalarTensor",
    "ints",
    ({"instances": [1, 2, 3]}, [1, 2, 3]),
    ({"inputs": [1, 2, 3]}, {"outputs": [1, 2, 3]}),
)
asks(
    "json_tensor_test.FromJsonSingleBytesTensor",
    "strings",
    ({"instances": [["hello", "hello"]]}, [[B64, B64]]),
)
NUMBERS = [[9000000.0, 999999.0, 0.5], [0.0003, 3e-05, 555557.5]]
asks(
    "json_tensor_test.FromJsonSingleFloatTensorSixDigitPrecision",
    "floats",
    ({"instances": NUMBERS}, NUMBERS),
)
NOT_FINITE = [[np.nan, np.inf], [3.0, -np.inf]]
asks(
    "json_tensor_test.FromJsonSingleFloatTensorNonFinite",
    "floats",
    ({"instances": NOT_FINITE}, NOT_FINITE),
)
asks(
    "json_tensor_test.FromJsonSingleTensorErrors",
    "complex",
    ({"instances": [1.0]}, "tensor type: complex64"),
)
asks(
    "json_tensor_test.FromJsonSingleTensorErrors",
    "total",
    ({"instances": [1.0]}, "no shape information"),
)
FINITE = [{**row, "flt": [0.5], "dbl": 8.0} for row in NAMED]
asks(
    "json_tensor_test.FromJsonMultipleNamedTensors",
    "several",
    (
        {"instances": FINITE},
        [{f"{name}_": value for name, value in row.items()} for row in FINITE],
    ),
    (
        {"inputs": {name: [row[name] for row in FINITE] for name in FINITE[0]}},
        {"outputs": {f"{name}_": [row[name] for row in FINITE] for name in FINITE[0]}},
    ),
)
asks(
    "json_tensor_test.FromJsonMultipleNamedTensorsErrors",
    "uneven",
    ({"instances": [1.0, 2.0]}, "inconsistent batch size"),
)
asks(
    "json_tensor_test.FromJsonSingleZeroBatchTensor",
    "rest",
    ({"instances": [1.0]}, []),
)
asks(
    "json_tensor_test.FromJsonMultipleZeroBatchTensors",
    "rests",
    ({"instances": [1.0]}, []),
)
asks(
    "json_tensor_test.FromJsonMultipleZeroBatchTensorsErrors",
    "uneven",
    ({"instances": [1.0]}, "inconsistent batch size"),
)
asks(
    "json_tensor_test.RequestNoContext",
    "classify",
    (
        {
            "examples": [
                {"class": ["foo", "bar"], "score": [8.0, 9.0], "age": 20},
                {"class": ["baz", ""], "score": [6.0, 0.0]},
            ]
        },
        {"results": [[["foo", 8.0], ["bar", 9.0]], [["baz", 6.0], ["", 0.0]]]},
    ),
    method="classify",
)
asks(
    "json_tensor_test.RequestWithContextAndSignature",
    "classify",
    (
        {
            "context": {"query": "pizza", "where": ["sfo"]},
            "examples": [
                {
                    "class": ["foo", "bar", "baz"],
                    "score": [8.0, np.nan, np.inf],
                    "mixed": [1, True, False],
                },
                {"class": ["baz", B64, "b"], "score": [6.0, 1.0, -np.inf]},
            ],
        },
        {
            "results": [
                [["foo", 8.0], ["bar", np.nan], ["baz", np.inf]],
                [["baz", 6.0], ["hello", 1.0], ["b", -np.inf]],
            ]
        },
    ),
    method="classify",
)
for method in ("classify", "regress"):
    asks(
        "json_tensor_test.JsonErrors",
        method,
        *(
            ({"signature_name": ["a"], "examples": [{}]}, "key must be a string"),
            ({"context": [{}]}, "Example must be JSON object"),
            ({"examples": {}}, "list/array"),
            ({"examples": [[{}]]}, "Example must be JSON object"),
            *(
                ({"examples": [{"class": value}]}, message)
                for value, message in (
                    ([10, None], "class has element with unexpected JSON type: Null"),
                    ([10, 10.0], "feature: class expecting type: int64"),
                    ([10, {"a": 1}], "class has element with unexpected JSON type: Ob"),
                    ([[10], 20], "class has element with unexpected JSON type: Array"),
                    ([20, 2**64 - 13], "Only int64 is supported"),
                    (1.7976931348623157e308, "loss of precision"),
                )
            ),
        ),
        method=method,
    )
asks(
    "json_tensor_test.JsonFromClassificationResult",
    "classify",
    (
        {"examples": [{"class": ["car", "bike"], "score": [0.2, 0.7]}] * 2},
        {"results": [[["car", 0.2], ["bike", 0.7]]] * 2},
    ),
    method="classify",
)
for name, values in (
    ("JsonFromRegressionResult", [0.2, 0.9, 1.0]),
    ("JsonFromRegressionResultWithNonFinite", [0.2, np.inf, 1.0, -np.inf, np.nan]),
):
    asks(
        f"json_tensor_test.{name}",
        "regress",
        ({"examples": [{"score": value} for value in values]}, {"results": values}),
        method="regress",
    )
asks(
    "json_tensor_test.StatusError",
    "ints",
    ({"instances": [{'"a"': 1}]}, '{"\\"a\\"": 1} keys must be equal to: x'),
)
TWO = [
    {"class": ["dos", "uno"], "score": [2.0, 1.0]},
    {"class": ["cuatro", "tres"], "score": [4.0, 3.0]},
]
for name, signature, answer in (
    (
        "ExampleList",
        "classify",
        [[["dos", 2], ["uno", 1]], [["cuatro", 4], ["tres", 3]]],
    ),
    (
        *("ValidNamedSignature", "classify_plus_one"),
        [[["dos", 3], ["uno", 2]], [["cuatro", 5], ["tres", 4]]],
    ),
    (
        *("ClassesOnly", "classes"),
        [[["dos", 0], ["uno", 0]], [["cuatro", 0], ["tres", 0]]],
    ),
    ("ScoresOnly", "scores", [[["", 2], ["", 1]], [["", 4], ["", 3]]]),
    ("InvalidNamedSignature", "regress", 'at least one of "classes" or "scores"'),
    ("MalformedScores", "flat_scores", "Expected Tensor shape: [batch_size num_class"),
    ("ClassesIncorrectTensorBatchSize", "short_classes", "batch size"),
    (
        *("ClassesIncorrectTensorType", "classes_of_numbers"),
        "Expected classes Tensor of DT_STRING",
    ),
    ("ScoresIncorrectTensorBatchSize", "short_scores", "batch size"),
    (
        *("ScoresIncorrectTensorType", "scores_of_strings"),
        "Expected scores Tensor of DT_FLOAT",
    ),
    (
        *("MismatchedNumberOfTensorClasses", "fewer_classes"),
        "Tensors class and score should match in dim_size(1). Got 1 vs. 2",
    ),
    ("RunsFails", "failing", "assertion failed"),
    ("MissingClassificationSignature", "none", "No signature was found with the name"),
):
    result = answer if isinstance(answer, str) else {"results": answer}
    asks(
        f"classifier_test.{name}",
        signature,
        ({"examples": TWO}, result),
        method="classify",
    )
asks(
    "classifier_test.ZeroScoresArePresent",
    "scores",
    (
        {"examples": [{"score": [-1.0, 0.0, 1.0]}]},
        {"results": [[["", -1.0], ["", 0.0], ["", 1.0]]]},
    ),
    method="classify",
)
asks(
    "classifier_test.ExampleListWithContext",
    "classify",
    (
        {"context": TWO[0], "examples": [{}, {}]},
        {"results": [[["dos", 2], ["uno", 1]]] * 2},
    ),
    method="classify",
)
asks(
    "classifier_test.ExampleListWithContext_DuplicateFeatures",
    "classify",
    (
        {"context": TWO[1], "examples": [TWO[0], {}]},
        {"results": [[["cuatro", 4], ["tres", 3]]] * 2},
    ),
    method="classify",
)
SCORES = [{"score": 2.0}, {"score": 3.0}]
for name, signature, answer in (
    ("BasicExampleList", "regress", [2.0, 3.0]),
    ("ValidNamedSignature", "regress_plus_one", [3.0, 4.0]),
    ("InvalidNamedSignature", "classify", 'signature outputs to contain "outputs"'),
    ("UnexpectedOutputTensorSize", "short_outputs", "output batch size"),
    (
        *("UnexpectedOutputTensorType", "outputs_of_strings"),
        "Expected output Tensor of DT_FLOAT",
    ),
    ("RunsFails", "failing", "assertion failed"),
    ("MissingRegressionSignature", "none", "No signature was found with the name"),
):
    result = answer if isinstance(answer, str) else {"results": answer}
    asks(
        f"regressor_test.{name}",
        signature,
        ({"examples": SCORES}, result),
        method="regress",
    )
asks(
    "regressor_test.MalformedOutputs",
    "regress",
    ({"examples": TWO}, "output Tensor shape to be either [batch_size] or"),
    method="regress",
)
asks(
    "regressor_test.BasicExampleListWithContext",
    "regress",
    ({"context": {"score": 3.0}, "examples": [{}, {}]}, {"results": [3.0, 3.0]}),
    method="regress",
)


@pytest.mark.parametrize("name", REST)
def test_requests_over_rest(labelled, name):
    for path, body, answer in REST[name]:
        answered = labelled.post(path, body)
        if isinstance(answer, str):
            assert answered.status_code == 400, answered.text
            assert answer in answered.json()["error"]
        else:
            assert answered.status_code == 200, answered.text
            assert answered.headers["content-type"] == "application/json"
            if isinstance(answer, list):
                answer = {"predictions": answer}
            # NaN is not itself.
            assert repr(ordered(json.loads(answered.text))) == repr(ordered(answer))


def ordered(value):
    """A JSON value with its keys in order, and its numbers as floats."""
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [ordered(each) for each in value]
    return float(value) if isinstance(value, int | float) else value


INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND


def spec(message, name="half_plus_two", signature=None, version=None):
    if name is not None:
        message.model_spec.name = name
    if signature:
        message.model_spec.signature_name = signature
    if version:
        message.model_spec.version.value = version
    return message


def predict(inputs, name="half_plus_two", signature="", filters=(), version=123):
    request = spec(predict_pb2.PredictRequest(), name, signature, version)
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    request.output_filter.extend(filters)
    return request


def inferred(*tasks, inputs=({"x": 2.0},)):
    request = inference_pb2.MultiInferenceRequest()
    for signature, method, *name in tasks:
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        spec(task, *(name or ["half_plus_two"]), signature)
    for features in inputs:
        example = request.input.example_list.examples.add()
        for key, value in features.items():
            example.features.feature[key].float_list.value.append(value)
    return request


def examples_of(kind, context):
    """A request with an input of no examples, and maybe a context for them."""
    request = spec(kind(), "echo", "classify")
    request.input.SetInParent()
    if context:
        given = request.input.example_list_with_context.context
        given.features.feature["score"].float_list.value.append(3.0)
    elif context is not None:
        request.input.example_list.SetInParent()
    return request


CLASSIFY = classification_pb2.ClassificationRequest
REGRESS = regression_pb2.RegressionRequest
METADATA = get_model_metadata_pb2.GetModelMetadataRequest
STATUS = get_model_status_pb2.GetModelStatusRequest
X = {"x": np.float32(2.0)}
# By the test's name, requests and the codes and messages of their errors.
GRPC_ERRORS = {
    "get_model_status_impl_test.MissingOrEmptyModelSpecFailure": [
        (STATUS(), INVALID, "")
    ],
    "get_model_status_impl_test.InvalidModelNameFailure": [
        (spec(STATUS(), "nonexistent"), NOT_FOUND, "")
    ],
    "get_model_status_impl_test.InvalidModelVersionFailure": [
        (spec(STATUS(), version=125), NOT_FOUND, "")
    ],
    "get_model_metadata_impl_test.EmptyOrInvalidMetadataFieldList": [
        (spec(METADATA()), INVALID, "at least one metadata_field"),
        (spec(METADATA(metadata_field=["some_stuff"])), INVALID, "not supported"),
    ],
    "get_model_metadata_impl_test.MissingOrEmptyModelSpec": [
        (METADATA(metadata_field=["signature_def"]), INVALID, ""),
        (spec(METADATA(metadata_field=["signature_def"]), ""), INVALID, ""),
        (spec(METADATA(metadata_field=["signature_def"]), "test"), NOT_FOUND, ""),
    ],
    "predict_impl_test.MissingOrEmptyModelSpec": [
        (predict_pb2.PredictRequest(), INVALID, ""),
        (predict({}, "", version=None), INVALID, ""),
        (predict({}, "test", version=None), NOT_FOUND, ""),
    ],
    "predict_impl_test.EmptyInputList": [(predict({}), INVALID, "input size does")],
    "predict_impl_test.InputTensorsDontMatchModelSpecInputs": [
        (predict({"key": ["any_key"]}), INVALID, "Sent extra: {key}")
    ],
    "predict_impl_test.OutputFiltersDontMatchModelSpecOutputs": [
        (predict(X, filters=["output_filter"]), INVALID, "output_filter"),
        (predict(X, filters=["y", "y"]), INVALID, "duplicate output tensor alias"),
    ],
    "predict_impl_test.InputTensorsHaveWrongType": [
        (predict({"x": ["any_key"]}, filters=["y"]), INVALID, "type string")
    ],
    "multi_inference_test.MissingInputTest": [
        (inferred(("regress_x_to_y", "regress"), inputs=()), INVALID, "Input is empty")
    ],
    "multi_inference_test.UndefinedSignatureTest": [
        (inferred(("NoSuchSignature", "regress")), INVALID, "NoSuchSignature")
    ],
    "multi_inference_test.InconsistentModelSpecsInRequestTest": [
        (
            inferred(
                ("regress_x_to_y", "regress"), ("regress_x_to_y", "regress", "echo")
            ),
            INVALID,
            "must access the same model name",
        )
    ],
    "multi_inference_test.SignaturesWithDifferentInputsTest": [
        (
            inferred(
                *(("regress_x_to_y", "regress"), ("regress_x2_to_y3", "regress")),
                inputs=[{"x": 2.0, "x2": 2.0}],
            ),
            # Each signature is run by itself here.
            INVALID,
            "",
        )
    ],
    **{
        f"{suite}_test.{name}": [
            (examples_of(kind, context), INVALID, "Input is empty")
        ]
        for (suite, kind), (name, context) in itertools.product(
            (("classifier", CLASSIFY), ("regressor", REGRESS)),
            (
                ("EmptyInput", None),
                ("EmptyExampleList", False),
                ("EmptyExampleListWithContext", True),
            ),
        )
    },
}


def call(server, request):
    method = {
        STATUS: server.models.GetModelStatus,
        METADATA: server.predictions.GetModelMetadata,
        CLASSIFY: server.predictions.Classify,
        REGRESS: server.predictions.Regress,
        predict_pb2.PredictRequest: server.predictions.Predict,
        inference_pb2.MultiInferenceRequest: server.predictions.MultiInference,
    }[type(request)]
    return method(request, SECONDS)


@pytest.mark.parametrize("name", GRPC_ERRORS)
def test_errors_over_grpc(labelled, name):
    for request, code, message in GRPC_ERRORS[name]:
        with pytest.raises(grpc.RpcError) as raised:
            call(labelled, request)
        assert raised.value.code() is code
        assert message in raised.value.details()


# By the test's name, a PredictRequest and the output that it is answered with.
GRPC_PREDICTIONS = {
    "predict_impl_test.PredictionSuccess": (predict(X), "y", 3.0),
    "predict_impl_test.PredictionWithNamedRegressionSignature": (
        predict({"inputs": np.float32(2.0)}, signature="regress_x2_to_y3"),
        "outputs",
        4.0,
    ),
    "predict_impl_test.PredictionWithNamedClassificationSignature": (
        predict({"inputs": np.float32(2.0)}, signature="classify_x2_to_y3"),
        "scores",
        4.0,
    ),
}


@pytest.mark.parametrize("name", GRPC_PREDICTIONS)
def test_predictions_over_grpc(labelled, name):
    request, output, value = GRPC_PREDICTIONS[name]
    response = call(labelled, request)
    assert list(response.outputs) == [output]
    assert not response.outputs[output].tensor_shape.dim
    assert list(response.outputs[output].float_val) == [value]


INFERENCES = {
    "multi_inference_test.ValidSingleSignatureTest": {"regress_x_to_y": 3.0},
    "multi_inference_test.MultipleValidRegressSignaturesTest": {
        "regress_x_to_y": 3.0,
        "regress_x_to_y2": 4.0,
    },
}


@pytest.mark.parametrize("name", INFERENCES)
def test_several_regressions_over_grpc(labelled, name):
    expected = INFERENCES[name]
    request = inferred(*((signature, "regress") for signature in expected))
    results = call(labelled, request).results
    assert {
        each.model_spec.signature_name: each.regression_result.regressions[0].value
        for each in results
    } == expected


STATUSES = {
    "http_rest_api_handler_test.GetStatus": ("", "/versions/123", "/labels/stable"),
    "http_rest_api_handler_test.GetModelMetadata": (
        *("/metadata", "/versions/123/metadata", "/labels/stable/metadata"),
    ),
}


@pytest.mark.parametrize("name", STATUSES)
def test_what_is_read_by_version_and_label(labelled, name):
    answers = [labelled.http.get(f"{HALF}{path}") for path in STATUSES[name]]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1


BAD_CONFIG = "tensorflow_model_server_test.testBadModelConfig"


def test_a_bad_file_of_models(serving, tmp_path):
    config = tmp_path / "models.config"
    config.write_text("improperly formatted file")
    with (
        pytest.raises(StartError, match="cannot be read as a ModelServerConfig"),
        serving(tmp_path, model_config_file=config),
    ):
        pass


# By the test's name, where its requests are sent here.
ELSEWHERE = {
    f"{suite}.{name}": where
    for suite, names in {
        "tensorflow_model_server_test": {
            "testGetModelStatus": "protocols/test_grpc.py::test_status",
            "testGetModelMetadata": "protocols/test_grpc.py::test_metadata",
            "testClassify": "protocols/test_grpc.py::test_classify_and_regress",
            "testRegress": "protocols/test_grpc.py::test_classify_and_regress",
            "testMultiInference": "protocols/test_grpc.py"
            "::test_several_tasks_on_the_same_examples",
            "testPredictSavedModel": "protocols/test_grpc.py"
            "::test_predict_as_a_client_of_tensorflow_serving_reads_it",
            "testPredictBatching": "models/test_batching.py"
            "::test_graphs_of_tensorflow_1_are_joined_too",
            "testPredictUDS": "test_model_server.py::test_the_command_serves_one_model",
            "testGoodModelConfig": "models/test_versions.py"
            "::test_named_versions_with_labels_that_move",
            "testModelConfigReload": "models/test_versions.py"
            "::test_a_changed_file_of_models_is_taken_once_its_versions_are_there",
            "testModelConfigReloadWithZeroPollPeriod": "models/test_versions.py"
            "::test_named_versions_with_labels_that_move",
            "testGoodGrpcChannelArgs": "test_model_server.py"
            "::test_the_command_serves_one_model",
            "testClassifyREST": "protocols/test_rest_conformance.py"
            "::test_classification_has_an_empty_label_where_the_model_has_none",
            "testRegressREST": "protocols/test_rest_conformance.py"
            "::test_the_documented_regression",
            "testPredictREST": "protocols/test_rest_conformance.py"
            "::test_the_documented_predictions",
            "testPredictColumnarREST": "protocols/test_rest_conformance.py"
            "::test_one_input_in_columns_with_and_without_its_name",
            "testGetStatusREST": "protocols/test_rest_conformance.py"
            "::test_status_of_all_versions",
            "testGetModelMetadataREST": "protocols/test_rest_conformance.py"
            "::test_metadata",
            "testPrometheusEndpoint": "protocols/test_grpc.py"
            "::test_metrics_by_the_names_of_tensorflow_serving",
        },
        "http_rest_api_handler_test": {
            "UnsupportedApiCalls": "protocols/test_rest_conformance.py"
            "::test_unsupported_calls",
            "PredictModelNameVersionErrors": "protocols/test_rest_conformance.py"
            "::test_names_and_versions_that_are_not_there",
            "PredictRequestErrors": "protocols/test_bad_input.py::test_bad_requests",
        },
        "get_model_status_impl_test": {
            "AllVersionsSuccess": "models/test_versions.py"
            "::test_named_versions_with_labels_that_move",
            "SingleVersionSuccess": "protocols/test_grpc.py::test_status",
        },
        "get_model_metadata_impl_test": {
            "ReturnsSignaturesForValidModel": "protocols/test_grpc.py::test_metadata",
        },
        "multi_inference_test": {
            "EvaluateDuplicateSignaturesTest": "protocols/test_grpc.py"
            "::test_tasks_that_cannot_be_done",
            "UsupportedSignatureTypeTest": "protocols/test_grpc.py"
            "::test_tasks_that_cannot_be_done",
            "RegressAndClassifySignaturesTest": "protocols/test_grpc.py"
            "::test_several_tasks_on_the_same_examples",
        },
        "saved_model_counter": {
            "Predict of a signature without inputs": "protocols/test_grpc.py"
            "::test_a_signature_without_inputs",
        },
        "api_rest.md": {
            name: f"protocols/test_rest_conformance.py::{test}"
            for name, test in {
                "Model status": "test_status_of_all_versions",
                "Model metadata": "test_metadata",
                "Classify and Regress": "test_a_common_context_joins_each_example",
                "Predict, row format": "test_several_named_inputs_in_rows",
                "Predict, column format": "test_several_named_inputs_in_columns",
                "Binary values": "test_binary_values_both_ways",
                "JSON mapping": "test_every_type_of_the_table_comes_back_as_it_was",
                "JSON conformance": "test_nan_and_infinity_are_tokens_both_ways",
                "Float precision": "test_whole_numbers_and_exponents_are_floats_too",
                "Errors": "test_the_documented_error",
            }.items()
        },
        "serving_config.md": {
            name: f"{file}::{test}"
            for name, (file, test) in {
                "Serving a specific version": (
                    *("models/test_versions.py", "test_named_versions_with"),
                ),
                "Assigning labels": (
                    *("models/test_versions.py", "test_named_versions_with"),
                ),
                "Reloading by request": (
                    *("models/test_versions.py", "test_named_versions_with"),
                ),
                "Batching parameters": (
                    *("test_model_server.py", "test_batching_parameters_are_read"),
                ),
            }.items()
        },
        "saved_model_warmup.md": {
            "Warm-up requests": "models/test_versions.py"
            "::test_a_warm_up_request_that_fails_breaks_the_version",
        },
    }.items()
    for name, where in names.items()
}

LEFT_OUT = {
    "predict_impl_test.ModelMissingSignatures": "A model without signatures is "
    "INVALID_ARGUMENT here, as it is today in TensorFlow Serving for a SavedModel.",
    "tensorflow_model_server_test.testPredictOnTfLite": "Needs TensorFlow Lite.",
}


def test_each_request_is_answered_or_said_not_to_be():
    here = [*REST, *GRPC_ERRORS, *GRPC_PREDICTIONS, *INFERENCES, *STATUSES, BAD_CONFIG]
    names = [*here, *ELSEWHERE, *LEFT_OUT]
    assert len(names) == len(set(names))
    for where in ELSEWHERE.values():
        file, test = where.split("::")
        assert f"def {test}" in (TESTS / file).read_text("utf-8"), where
    answered = len(here) + len(ELSEWHERE)
    said = re.search(r"(\d+) of (\d+) requests", DOCS.read_text("utf-8"))
    assert tuple(map(int, said.groups())) == (answered, len(names))
