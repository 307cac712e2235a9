"""The gRPC services by their official stubs, health and reflection."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

from recurra.apps.serving.protocols import tensor_protos

SECONDS = 30


def predict_request(model="half_plus_two", signature="", **inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def test_predict_as_a_client_of_tensorflow_serving_reads_it(server):
    request = predict_request(x=np.float32([1.0, 2.0, 5.0]))
    response = server.predictions.Predict(request, SECONDS)
    assert response.model_spec.name == "half_plus_two"
    assert response.model_spec.version.value == 123
    assert response.model_spec.signature_name == "serving_default"
    output = response.outputs["y"]
    assert output.dtype == tf.float32.as_datatype_enum
    assert [dim.size for dim in output.tensor_shape.dim] == [3]
    assert list(output.float_val) == [2.5, 3.0, 4.5]
    assert tf.make_ndarray(output).tolist() == [2.5, 3.0, 4.5]


def test_every_type_there_and_back(server):
    values = {
        "bool": [True, False],
        "string": [b"\x00\xff", b"text"],
        **{
            dtype: np.array([0, 100], dtype)
            for dtype in (
                *("int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"),
                *("float16", "float32", "float64"),
            )
        },
    }
    request = predict_request("kinds", "types", **values)
    response = server.predictions.Predict(request, SECONDS)
    for name, sent in values.items():
        received = tf.make_ndarray(response.outputs[f"{name}_"])
        assert received.tolist() == np.array(sent, received.dtype).tolist()
        assert received.dtype == (object if name == "string" else name)


def test_a_signature_without_inputs(server):
    request = predict_request("kinds", "labels")
    response = server.predictions.Predict(request, SECONDS)
    assert list(response.outputs["labels"].string_val) == [b"no", b"yes"]
    answer = server.post(
        "/v1/models/kinds:predict", {"signature_name": "labels", "inputs": {}}
    )
    assert answer.status_code == 400
    assert answer.json() == {"error": "Failed to get input map for signature: labels"}


def test_a_single_string_both_ways(server):
    request = predict_request("kinds", "greeting", name="you")
    response = server.predictions.Predict(request, SECONDS)
    assert tf.make_ndarray(response.outputs["text"]).item() == b"hello you"
    body = {"signature_name": "greeting", "inputs": "you"}
    answer = server.post("/v1/models/kinds:predict", body)
    assert answer.json() == {"outputs": "hello you"}
    tensor = {"name": "name", "shape": [], "datatype": "BYTES", "data": ["you"]}
    body = {"parameters": {"signature_name": "greeting"}, "inputs": [tensor]}
    (output,) = server.post("/v2/models/kinds/infer", body).json()["outputs"]
    assert (output["shape"], output["data"]) == ([], ["hello you"])


def test_an_output_filter_chooses(server):
    request = predict_request("kinds", "binary", image=[b"1234"])
    request.output_filter.append("length")
    response = server.predictions.Predict(request, SECONDS)
    assert {name: list(value.int_val) for name, value in response.outputs.items()} == {
        "length": [4]
    }


def example(**features):
    values = {
        name: tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        for name, value in features.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=values))


def test_classify_and_regress(server):
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "half_plus_two"
    request.model_spec.signature_name = "classify_x_to_y"
    request.input.example_list.examples.append(example(x=2.0))
    response = server.predictions.Classify(request, SECONDS)
    (classification,) = response.result.classifications
    assert [(one.label, one.score) for one in classification.classes] == [("", 3.0)]

    request = regression_pb2.RegressionRequest()
    request.model_spec.name = "half_plus_three"
    request.model_spec.signature_name = "tensorflow/serving/regress"
    context = request.input.example_list_with_context
    context.context.CopyFrom(example(x=1.0))
    context.examples.add()
    response = server.predictions.Regress(request, SECONDS)
    assert [one.value for one in response.result.regressions] == [3.5]
    assert response.model_spec.version.value == 123


def multi_inference_request(*tasks):
    request = inference_pb2.MultiInferenceRequest()
    for signature, method in tasks:
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name = "half_plus_two"
        task.model_spec.signature_name = signature
    request.input.example_list.examples.append(example(x=2.0))
    return request


def test_several_tasks_on_the_same_examples(server):
    request = multi_inference_request(
        ("regress_x_to_y2", "regress"), ("classify_x_to_y", "classify")
    )
    results = server.predictions.MultiInference(request, SECONDS).results
    regressed, classified = results
    assert [each.value for each in regressed.regression_result.regressions] == [4.0]
    (row,) = classified.classification_result.classifications
    assert [each.score for each in row.classes] == [3.0]
    for result, signature in zip(
        results, ("regress_x_to_y2", "classify_x_to_y"), strict=True
    ):
        assert result.model_spec.signature_name == signature
        assert result.model_spec.version.value == 123


BAD_TASKS = {
    "none": ([], grpc.StatusCode.INVALID_ARGUMENT, "at least one task"),
    "twice": (
        [("regress_x_to_y", "regress")] * 2,
        grpc.StatusCode.INVALID_ARGUMENT,
        "Duplicate evaluation of signature: regress_x_to_y",
    ),
    "another method": (
        [("serving_default", "predict")],
        grpc.StatusCode.UNIMPLEMENTED,
        "Unsupported signature method_name: tensorflow/serving/predict",
    ),
}


@pytest.mark.parametrize(
    ("tasks", "code", "message"), BAD_TASKS.values(), ids=BAD_TASKS
)
def test_tasks_that_cannot_be_done(server, tasks, code, message):
    with pytest.raises(grpc.RpcError) as raised:
        server.predictions.MultiInference(multi_inference_request(*tasks), SECONDS)
    assert raised.value.code() is code
    assert message in raised.value.details()


def test_exports_of_tensorflow_2_classify_and_regress(server):
    """Their signatures are all of the method predict; their outputs are what counts."""
    for method, answer in (("classify", [[["", 4.0]]]), ("regress", [4.0])):
        body = {"signature_name": f"{method}_examples", "examples": [{"x": 2.0}]}
        response = server.post(f"/v1/models/kinds:{method}", body)
        assert response.json() == {"results": answer}


def test_metrics_by_the_names_of_tensorflow_serving(server):
    server.predictions.Predict(predict_request(x=[1.0]), SECONDS)
    page = server.http.get("/monitoring/prometheus/metrics").text
    name = ":tensorflow:serving:request_count"
    assert f'{name}{{model_name="half_plus_two",status="OK"}}' in page
    labels = 'API="Predict",entrypoint="GRPC",model_name="half_plus_two"'
    assert f":tensorflow:serving:request_latency_count{{{labels}}}" in page


def test_metadata(server):
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = "kinds"
    request.metadata_field.append("signature_def")
    response = server.predictions.GetModelMetadata(request, SECONDS)
    assert response.model_spec.version.value == 1
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    assert set(signatures.signature_def["several"].inputs) == {
        *("tag", "signal", "sensor")
    }


def test_status(server):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "half_plus_two"
    (status,) = server.models.GetModelStatus(request, SECONDS).model_version_status
    assert status.version == 123
    assert status.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE


def _incomplete(request):
    request.inputs["x"].tensor_shape.dim[0].size = -1
    return request


def _huge(request, axis=0):
    request.inputs["x"].tensor_shape.dim[axis].size = 2**40
    return request


def _deep(request):
    for _ in range(300):
        request.inputs["x"].tensor_shape.dim.add(size=2**62)
    return request


def _typed(request, number):
    request.inputs["x"].dtype = number
    return request


BAD = {
    "no model": (
        predict_request("nothing", x=[1.0]),
        grpc.StatusCode.NOT_FOUND,
        "Servable not found for request: Latest(nothing)",
    ),
    "no name": (
        predict_request("", x=[1.0]),
        grpc.StatusCode.INVALID_ARGUMENT,
        "ModelSpec has no name specified.",
    ),
    "no spec": (
        predict_pb2.PredictRequest(),
        grpc.StatusCode.INVALID_ARGUMENT,
        "Missing ModelSpec",
    ),
    "no signature": (
        predict_request(signature="none", x=[1.0]),
        grpc.StatusCode.INVALID_ARGUMENT,
        '"none" not found in signature def',
    ),
    "another input": (
        predict_request(z=[1.0]),
        grpc.StatusCode.INVALID_ARGUMENT,
        "Sent extra: {z}. Missing but required: {x}.",
    ),
    "another type": (
        predict_request(x=["text"]),
        grpc.StatusCode.INVALID_ARGUMENT,
        "Input x has type string; expected float32",
    ),
    "another shape": (
        predict_request("kinds", x=[[1.0, 2.0, 3.0]]),
        grpc.StatusCode.INVALID_ARGUMENT,
        "Input x has shape [1,3]; expected [-1,2]",
    ),
    "an open shape": (
        _incomplete(predict_request("kinds", x=[[1.0, 2.0]])),
        grpc.StatusCode.INVALID_ARGUMENT,
        "no complete shape",
    ),
    "a shape without its values": (
        _huge(predict_request("kinds", x=[[1.0, 2.0]])),
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "Input x has 1099511627776 rows; expected at most 4096",
    ),
    "few rows of a shape without its values": (
        _huge(predict_request(x=[[1.0]]), axis=1),
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "Input x takes 4398046511104 bytes",
    ),
    "many dimensions": (
        _deep(predict_request(x=[[1.0]])),
        grpc.StatusCode.INVALID_ARGUMENT,
        "Input x has 302 dimensions; expected at most 64",
    ),
    "a type that is none": (
        _typed(predict_request(x=[1.0]), 999),
        grpc.StatusCode.INVALID_ARGUMENT,
        "Input x has type 999, which is none; expected float32",
    ),
    "what the model refuses": (
        predict_request("kinds", "divided", x=[0.0]),
        grpc.StatusCode.INVALID_ARGUMENT,
        "assertion failed",
    ),
}


@pytest.mark.parametrize(("request_", "code", "message"), BAD.values(), ids=BAD)
def test_bad_requests_say_what_is_wrong(server, request_, code, message):
    with pytest.raises(grpc.RpcError) as raised:
        server.predictions.Predict(request_, SECONDS)
    assert raised.value.code() is code
    assert message in raised.value.details()
    assert "Traceback" not in raised.value.details()
    assert ".py" not in raised.value.details()


def test_health(server):
    stub = health_pb2_grpc.HealthStub(server.channel)
    for service in ("", "tensorflow.serving.PredictionService"):
        request = health_pb2.HealthCheckRequest(service=service)
        response = stub.Check(request, timeout=SECONDS)
        assert response.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_names_the_services_and_their_methods(server):
    database = ProtoReflectionDescriptorDatabase(server.channel)
    assert set(database.get_services()) >= {
        "tensorflow.serving.PredictionService",
        "tensorflow.serving.ModelService",
        "grpc.health.v1.Health",
    }
    service = DescriptorPool(database).FindServiceByName(
        "tensorflow.serving.PredictionService"
    )
    assert "Predict" in service.methods_by_name


def test_a_request_is_as_large_as_what_it_is_filled_to():
    """So that it is read in a thread, and not between other requests."""
    request = predict_pb2.PredictRequest()
    assert tensor_protos.bytes_of(request) == 0
    request.inputs["x"].tensor_shape.dim.add(size=1_000_000)
    assert request.ByteSize() < 100
    assert tensor_protos.bytes_of(request) == 8_000_000
