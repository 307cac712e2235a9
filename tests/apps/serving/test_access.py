"""API keys."""

import grpc
import pytest
import served_models
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import get_model_status_pb2

from recurra.apps.serving.access import Keys
from recurra.apps.serving.settings import StartError

STATUS = "/v1/models/scaled"


@pytest.fixture(scope="module")
def guarded(serving, scaled, tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    served_models.put(scaled[1], folder / "models" / "scaled" / "1")
    keys = folder / "keys"
    keys.write_text("first-key\n\nsecond-key\nschlüssel\n")
    with serving(folder / "models", api_key_file=keys) as running:
        yield running


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer first-key"},
        {"authorization": "bearer second-key"},
        {"x-api-key": "first-key"},
    ],
)
def test_who_has_a_key_is_answered(guarded, headers):
    assert guarded.http.get(STATUS, headers=headers).status_code == 200


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_key_beyond_ascii_in_either_encoding_of_headers(guarded, encoding):
    headers = {"x-api-key": "schlüssel".encode(encoding)}
    assert guarded.http.get(STATUS, headers=headers).status_code == 200
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "scaled"
    key = (("x-api-key-bin", "schlüssel".encode(encoding)),)
    assert guarded.models.GetModelStatus(request, 30, metadata=key)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_a_file_of_keys_in_another_encoding(tmp_path, encoding):
    file = tmp_path / "keys"
    file.write_text("schlüssel\r\nother\n", encoding=encoding, newline="")
    keys = Keys(file)
    assert "schlüssel".encode("latin-1") in keys
    assert "schlüssel".encode() in keys
    assert b"other" in keys
    assert b"" not in keys


def test_a_file_of_keys_that_stays_empty_is_logged_once(guarded, caplog):
    keys = guarded.server.settings.api_key_file
    before = keys.read_text()
    try:
        keys.write_text("")
        guarded.until(lambda: "holds no API key" in caplog.text)
        headers = {"x-api-key": "first-key"}
        assert guarded.http.get(STATUS, headers=headers).status_code == 200
    finally:
        keys.write_text(before)
    assert caplog.text.count("Not reloaded") == 1


def test_keys_are_exchanged_while_the_server_runs(guarded):
    """Those of a file that is empty for a moment, too."""
    keys = guarded.server.settings.api_key_file
    before = keys.read_text()
    asked = {"headers": {"x-api-key": "third-key"}}
    try:
        keys.write_text("")
        keys.write_text(before + "third-key\n")
        guarded.until(lambda: guarded.http.get(STATUS, **asked).status_code == 200)
    finally:
        keys.write_text(before)
    guarded.until(lambda: guarded.http.get(STATUS, **asked).status_code == 401)
    headers = {"x-api-key": "first-key"}
    assert guarded.http.get(STATUS, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer other"}, {"x-api-key": ""}, {"x-api-key": "first"}],
)
def test_who_has_none_is_not(guarded, headers):
    for path in (STATUS, "/metrics", "/openapi.json", "/v2/models/scaled"):
        answer = guarded.http.get(path, headers=headers)
        assert answer.status_code == 401
        assert "API key" in answer.json()["error"]
    assert guarded.http.get("/healthz", headers=headers).status_code == 200


def test_the_same_holds_for_grpc(guarded):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "scaled"
    with pytest.raises(grpc.RpcError) as raised:
        guarded.models.GetModelStatus(request, 30)
    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
    key = (("authorization", "Bearer first-key"),)
    assert guarded.models.GetModelStatus(request, 30, metadata=key)
    health = health_pb2_grpc.HealthStub(guarded.channel)
    assert health.Check(health_pb2.HealthCheckRequest(), timeout=30)


@pytest.mark.parametrize("content", ["\n", ""])
def test_a_file_without_keys_is_no_open_door(serving, tmp_path, content):
    keys = tmp_path / "keys"
    keys.write_text(content)
    with (
        pytest.raises(StartError, match="holds no API key"),
        serving(tmp_path, api_key_file=keys),
    ):
        pass
