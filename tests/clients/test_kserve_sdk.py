"""KServe's own clients, as they come from PyPI."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
import yaml

kserve = pytest.importorskip("kserve", exc_type=ImportError)

DEPLOYMENT = Path(__file__).parents[2] / "docs" / "deployment.md"


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


def unknown(value, kind):
    """Paths of what a type of KServe's or Kubernetes' client has no attribute for."""
    import kubernetes.client

    kind = getattr(kserve, kind, None) or getattr(kubernetes.client, kind, None)
    for name, inner in value.items():
        if name not in (kind.attribute_map or {}).values():
            yield name
            continue
        (attribute,) = (a for a, key in kind.attribute_map.items() if key == name)
        types = kind.openapi_types[attribute]
        for each in inner if isinstance(inner, list) else [inner]:
            if isinstance(each, dict):
                item = types.removeprefix("list[").removeprefix("List[").rstrip("]")
                yield from (f"{name}.{path}" for path in unknown(each, item))


def test_the_manifest_of_the_docs_has_what_kserve_knows():
    (text,) = (
        part.split("```")[0]
        for part in DEPLOYMENT.read_text().split("```yaml\n")
        if "kind: InferenceService" in part
    )
    manifest = yaml.safe_load(text)
    assert not list(unknown(manifest, "V1beta1InferenceService"))
    (container,) = manifest["spec"]["predictor"]["containers"]
    container["ports"][0]["host"] = container["arg"] = None
    manifest["specs"] = {}
    assert list(unknown(manifest, "V1beta1InferenceService")) == [
        "spec.predictor.containers.ports.host",
        "spec.predictor.containers.arg",
        "specs",
    ]
