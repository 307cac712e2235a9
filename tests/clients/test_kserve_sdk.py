"""KServe's own clients, as they come from PyPI."""

import asyncio

import numpy as np
import pytest

kserve = pytest.importorskip("kserve", exc_type=ImportError)


def request():
    x = kserve.InferInput("x", [2, 2], "FP32")
    x.set_data_from_numpy(np.array([[1, 2], [3, 4]], np.float32), binary_data=False)
    return kserve.InferRequest(model_name="kinds", infer_inputs=[x])


EXPECTED = [[1.0, 4.0], [3.0, 8.0]]


def test_rest(server):
    async def ask():
        config = kserve.RESTConfig(protocol="v2", retries=0)
        client = kserve.InferenceRESTClient(config)
        url = f"http://{server.rest}"
        assert await client.is_server_live(url)
        assert await client.is_server_ready(url)
        assert await client.is_model_ready(url, "kinds")
        return await client.infer(url, request(), model_name="kinds")

    answer = asyncio.run(ask())
    assert answer.outputs[0].as_numpy().tolist() == EXPECTED


def test_rest_of_version_1(server):
    async def ask():
        client = kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v1"))
        url = f"http://{server.rest}"
        assert await client.is_server_live(url)
        data = {"instances": [[1.0, 2.0]]}
        return await client.infer(url, data, model_name="kinds")

    assert asyncio.run(ask()) == {"predictions": [[1.0, 4.0]]}


@pytest.mark.parametrize("use_binary", [False, True])
def test_grpc(server, use_binary):
    async def ask():
        client = kserve.InferenceGRPCClient(server.grpc)
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready("kinds")
        asked = request()
        if use_binary:
            x = np.array([[1, 2], [3, 4]], np.float32)
            asked.inputs[0].set_data_from_numpy(x, binary_data=True)
        return await client.infer(asked)

    answer = asyncio.run(ask())
    assert answer.outputs[0].as_numpy().tolist() == EXPECTED
