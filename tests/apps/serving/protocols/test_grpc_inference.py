"""The Open Inference Protocol over gRPC, by messages as they are on the wire."""

import grpc
import ml_dtypes
import numpy as np
import pytest

from recurra.apps.serving.protocols.inference_messages import SERVICE, message_class

SECONDS = 30


@pytest.fixture
def call(server):
    """A function of a method and the fields of its request."""

    def call(method, **fields):
        request = message_class(f"{method}Request")(**fields)
        return server.channel.unary_unary(
            f"/{SERVICE}/{method}",
            request_serializer=message_class(f"{method}Request").SerializeToString,
            response_deserializer=message_class(f"{method}Response").FromString,
        )(request, SECONDS)

    return call


def test_the_server_and_its_models_are_described(call):
    assert call("ServerLive").live
    assert call("ServerReady").ready
    assert call("ServerMetadata").name == "recurra"
    assert call("ModelReady", name="kinds", version="1").ready
    assert not call("ModelReady", name="kinds", version="2").ready
    assert not call("ModelReady", name="kinds", version="9" * 5000).ready
    metadata = call("ModelMetadata", name="kinds")
    assert list(metadata.versions) == ["1"]
    (x,) = metadata.inputs
    assert (x.name, x.datatype, list(x.shape)) == ("x", "FP32", [-1, 2])
    config = call("ModelConfig", name="kinds").config
    assert (config.input[0].data_type, list(config.input[0].dims)) == (11, [-1, 2])
    index = call("RepositoryIndex").models
    assert ("kinds", "1", "READY") in {(m.name, m.version, m.state) for m in index}


def parameter(text):
    return message_class("InferParameter")(string_param=text)


TYPES = {
    "bool": ("BOOL", "bool_contents", [True, False]),
    "int8": ("INT8", "int_contents", [-128, 127]),
    "uint8": ("UINT8", "uint_contents", [0, 255]),
    "int16": ("INT16", "int_contents", [-(2**15), 2**15 - 1]),
    "int32": ("INT32", "int_contents", [-(2**31), 2**31 - 1]),
    "uint32": ("UINT32", "uint_contents", [0, 2**32 - 1]),
    "int64": ("INT64", "int64_contents", [-(2**63), 2**63 - 1]),
    "uint64": ("UINT64", "uint64_contents", [0, 2**64 - 1]),
    "float32": ("FP32", "fp32_contents", [0.5, float("inf")]),
    "float64": ("FP64", "fp64_contents", [0.1, 1e300]),
    "string": ("BYTES", "bytes_contents", [b"\x00\xff", b""]),
}


def test_every_type_there_and_back_as_values(call):
    inputs = [
        {"name": name, "datatype": datatype, "shape": [2], "contents": {field: values}}
        for name, (datatype, field, values) in TYPES.items()
    ]
    response = call(
        "ModelInfer",
        model_name="kinds",
        id="7",
        parameters={"signature_name": parameter("wide")},
        inputs=inputs,
    )
    assert (response.model_name, response.model_version, response.id) == (
        *("kinds", "1", "7"),
    )
    found = {output.name: output for output in response.outputs}
    for name, (datatype, field, values) in TYPES.items():
        output = found[f"{name}_"]
        assert (output.datatype, list(output.shape)) == (datatype, [2])
        assert list(getattr(output.contents, field)) == values


def raw(dtype, values):
    if dtype == "string":
        parts = [len(each).to_bytes(4, "little") + each for each in values]
        return b"".join(parts)
    return np.array(values, dtype).tobytes()


def test_every_type_there_and_back_as_bytes(call):
    kinds = {
        **{name: (datatype, values) for name, (datatype, _, values) in TYPES.items()},
        "float16": ("FP16", [0.5, -2.0]),
        "bfloat16": ("BF16", [0.5, -2.0]),
    }
    dtypes = {name: name for name in kinds} | {"bfloat16": ml_dtypes.bfloat16}
    response = call(
        "ModelInfer",
        model_name="kinds",
        parameters={"signature_name": parameter("every")},
        inputs=[
            {"name": name, "datatype": datatype, "shape": [2]}
            for name, (datatype, _) in kinds.items()
        ],
        outputs=[{"name": f"{name}_"} for name in kinds],
        raw_input_contents=[
            raw(dtypes[name], values) for name, (_, values) in kinds.items()
        ],
    )
    assert [output.name for output in response.outputs] == [f"{n}_" for n in kinds]
    for sent, received in zip(kinds.items(), response.raw_output_contents, strict=True):
        name, (_, values) = sent
        assert received == raw(dtypes[name], values)


def x(**changed):
    return {"name": "x", "datatype": "FP32", "shape": [1, 2], **changed}


VALUES = {"fp32_contents": [1.0, 2.0]}

BAD = {
    "no model": (
        {"model_name": "nothing"},
        grpc.StatusCode.NOT_FOUND,
        "Latest(nothing)",
    ),
    "no inputs": ({}, grpc.StatusCode.INVALID_ARGUMENT, "inputs: missing x"),
    "another input": (
        {"inputs": [x(name="z")]},
        grpc.StatusCode.INVALID_ARGUMENT,
        "inputs[0].name: expected one of x",
    ),
    "another type": (
        {"inputs": [x(datatype="INT8")]},
        grpc.StatusCode.INVALID_ARGUMENT,
        "inputs[0].datatype: expected FP32",
    ),
    "another number of values": (
        {"inputs": [x(shape=[2, 2], contents=VALUES)]},
        grpc.StatusCode.INVALID_ARGUMENT,
        "as many values as shape [2, 2] has; received 2",
    ),
    "a shape of gigabytes": (
        {"inputs": [x(shape=[1, 2**40])], "raw_input_contents": [b""]},
        grpc.StatusCode.INVALID_ARGUMENT,
        "0 bytes, not",
    ),
    "many dimensions": (
        {"inputs": [x(shape=[1] + [2**62] * 300)], "raw_input_contents": [b""]},
        grpc.StatusCode.INVALID_ARGUMENT,
        "whole numbers, 64 at most",
    ),
    "too many rows": (
        {"inputs": [x(shape=[5000, 2], contents=VALUES)]},
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "5000 rows; expected at most 4096",
    ),
    "another number of bytes": (
        {"inputs": [x()], "raw_input_contents": [b"", b""]},
        grpc.StatusCode.INVALID_ARGUMENT,
        "expected one for each of 1 inputs; received 2",
    ),
    "another output": (
        {"inputs": [x(contents=VALUES)], "outputs": [{"name": "z"}]},
        grpc.StatusCode.INVALID_ARGUMENT,
        "outputs[0].name: expected one of y",
    ),
}


@pytest.mark.parametrize(("fields", "code", "message"), BAD.values(), ids=BAD)
def test_bad_requests(call, fields, code, message):
    with pytest.raises(grpc.RpcError) as raised:
        call("ModelInfer", **{"model_name": "kinds", **fields})
    assert raised.value.code() is code
    assert message in raised.value.details()


def test_a_stream_goes_on_after_an_error(server):
    request = message_class("ModelInferRequest")
    good = request(model_name="kinds", inputs=[x(contents=VALUES)])
    stream = server.channel.stream_stream(
        f"/{SERVICE}/ModelStreamInfer",
        request_serializer=request.SerializeToString,
        response_deserializer=message_class("ModelStreamInferResponse").FromString,
    )
    answers = stream(iter([good, request(model_name="kinds"), good]), SECONDS)
    first, second, third = answers
    assert list(first.infer_response.outputs[0].contents.fp32_contents) == [1.0, 4.0]
    assert "inputs: missing x" in second.error_message
    assert third == first


@pytest.mark.parametrize("method", ["Load", "Unload"])
def test_nobody_loads_or_unloads_unless_the_settings_say_so(call, method):
    with pytest.raises(grpc.RpcError) as raised:
        call(f"RepositoryModel{method}", model_name="kinds")
    assert raised.value.code() is grpc.StatusCode.PERMISSION_DENIED
