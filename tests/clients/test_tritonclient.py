"""Triton's clients, as they come from PyPI: REST with tensors as bytes, and gRPC."""

import numpy as np
import pytest

http = pytest.importorskip("tritonclient.http", exc_type=ImportError)
grpc = pytest.importorskip("tritonclient.grpc", exc_type=ImportError)
utils = pytest.importorskip("tritonclient.utils")


@pytest.fixture(params=[http, grpc], ids=["http", "grpc"])
def kind(request):
    return request.param


@pytest.fixture
def client(server, kind):
    address = server.rest if kind is http else server.grpc
    with kind.InferenceServerClient(address) as client:
        yield client


def infer(client, kind, arrays, signature="", outputs=None, **options):
    inputs = []
    for name, array in arrays.items():
        datatype = utils.np_to_triton_dtype(array.dtype)
        inputs.append(kind.InferInput(name, list(array.shape), datatype))
        inputs[-1].set_data_from_numpy(array)
    if signature:
        options["parameters"] = {"signature_name": signature}
    if outputs:
        outputs = [kind.InferRequestedOutput(name) for name in outputs]
    return client.infer("kinds", inputs, outputs=outputs, **options)


def test_health_and_metadata(client, kind):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("kinds")
    assert client.is_model_ready("kinds", "1")
    assert not client.is_model_ready("nothing")
    options = {} if kind is http else {"as_json": True}
    assert client.get_server_metadata(**options)["name"] == "recurra"
    metadata = client.get_model_metadata("kinds", **options)
    assert metadata["inputs"][0]["datatype"] == "FP32"
    config = client.get_model_config("kinds", **options)
    assert (config.get("config") or config)["name"] == "kinds"
    statistics = client.get_inference_statistics("kinds", **options)
    assert statistics["model_stats"][0]["version"] == "1"


def test_inference_with_outputs_left_out_and_named(client, kind):
    x = np.array([[1, 2], [3, 4]], np.float32)
    for outputs in (None, ["y"]):
        result = infer(client, kind, {"x": x}, outputs=outputs, request_id="7")
        assert result.as_numpy("y").tolist() == [[1.0, 4.0], [3.0, 8.0]]


TYPES = ("int8", "uint8", "int16", "int32", "uint32", "int64", "uint64", "float16")


def test_every_type_there_and_back(client, kind):
    arrays = {name: np.array([0, 100], name) for name in TYPES}
    arrays |= {
        "float32": np.array([0.5, np.inf], "f4"),
        "float64": np.array([1e300, 0]),
    }
    arrays["bool"] = np.array([True, False])
    arrays["string"] = np.array([b"\x00\xff", b""], np.object_)
    result = infer(client, kind, arrays, "types")
    for name, array in arrays.items():
        assert result.as_numpy(f"{name}_").tolist() == array.tolist()


def test_json_instead_of_bytes(server):
    x = http.InferInput("x", [1, 2], "FP32")
    x.set_data_from_numpy(np.array([[1, 2]], np.float32), binary_data=False)
    y = http.InferRequestedOutput("y", binary_data=False)
    with http.InferenceServerClient(server.rest) as client:
        result = client.infer("kinds", [x], outputs=[y])
    assert result.as_numpy("y").tolist() == [[1.0, 4.0]]


def test_a_zipped_body(server):
    x = np.array([[1, 2]], np.float32)
    with http.InferenceServerClient(server.rest) as client:
        result = infer(client, http, {"x": x}, request_compression_algorithm="gzip")
    assert result.as_numpy("y").tolist() == [[1.0, 4.0]]


def test_errors_are_said(client, kind):
    wrong = np.array([[1, 2, 3]], np.float32)
    with pytest.raises(utils.InferenceServerException, match="expected \\[-1,2\\]"):
        infer(client, kind, {"x": wrong})


def test_a_stream(server):
    received = []
    with grpc.InferenceServerClient(server.grpc) as client:
        client.start_stream(lambda result, error: received.append((result, error)))
        for value in (1.0, 2.0):
            x = grpc.InferInput("x", [1, 2], "FP32")
            x.set_data_from_numpy(np.array([[value, value]], np.float32))
            client.async_stream_infer("kinds", [x])
        client.stop_stream()
    assert [error for _, error in received] == [None, None]
    assert [result.as_numpy("y").tolist() for result, _ in received] == [
        *([[1.0, 2.0]], [[2.0, 4.0]]),
    ]


def test_models_are_unloaded_and_loaded(client, kind):
    client.unload_model("kinds")
    assert not client.is_model_ready("kinds")
    client.load_model("kinds")
    assert client.is_model_ready("kinds")
    options = {} if kind is http else {"as_json": True}
    index = client.get_model_repository_index(**options)
    models = index if kind is http else index["models"]
    assert [(each["name"], each["state"]) for each in models] == [("kinds", "READY")]
