"""docs/deployment.md: its proxy, where nginx is installed, and its manifest."""

import re
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import grpc
import httpx
import pytest
import tensorflow as tf
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from recurra.apps.serving.access import OPEN_PATHS
from recurra.apps.serving.settings import Settings

NGINX = shutil.which("nginx")
DOCS = Path(__file__).parents[3] / "docs" / "deployment.md"
NAME = "models.example.org"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A file of a certificate that the proxy shows; its key lies beside it."""
    if not (NGINX and shutil.which("openssl")):
        pytest.skip("nginx and openssl are needed")
    folder = tmp_path_factory.mktemp("ssl")
    made = folder / "models.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        + ["-keyout", folder / "models.key", "-out", made, "-subj", f"/CN={NAME}"]
        + ["-addext", f"subjectAltName=DNS:{NAME}"],
        check=True,
        capture_output=True,
    )
    return made


@pytest.fixture(scope="module")
def proxied(serving, documented_models, certificate):
    """The port of the proxy in front of a server."""
    with serving(documented_models, ui=True, hosts=[NAME]) as server:
        (text,) = re.findall(r"```nginx\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
        port = free_port()
        folder = certificate.parent
        for old, new in {
            "/etc/ssl": str(folder),
            "127.0.0.1:8501": f"127.0.0.1:{server.rest_port}",
            "127.0.0.1:8500": f"127.0.0.1:{server.grpc_port}",
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        }.items():
            assert old in text
            text = text.replace(old, new)
        file = folder / "nginx.conf"
        file.write_text(
            f"pid {folder}/nginx.pid; error_log stderr; daemon off; events {{}}\n"
            f"http {{ access_log off;\n{text}\n}}"
        )
        command = [NGINX, "-c", str(file), "-e", "stderr"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            try:
                server.until(lambda: is_open(port) or process.poll() is not None)
                assert process.poll() is None, process.stderr.read()
                yield port
            finally:
                process.terminate()


def is_open(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def get(proxied, certificate):
    context = ssl.create_default_context(cafile=certificate)
    with httpx.Client(
        base_url=f"https://127.0.0.1:{proxied}",
        headers={"host": f"{NAME}:{proxied}"},
        verify=context,
        timeout=60,
    ) as client:
        yield lambda path, verb="GET", **options: client.request(
            verb, path, extensions={"sni_hostname": NAME}, **options
        )


def test_http(get):
    path = "/v1/models/half_plus_two:predict"
    answer = get(path, "POST", json={"instances": [1.0]})
    assert answer.json() == {"predictions": [2.5]}
    assert get("/v2/health/ready").status_code == 200
    assert get("/metrics").status_code == 404


def test_page(get, proxied):
    page = get("/ui/")
    assert page.status_code == 200
    # What the page loads, it loads by the name of the proxy.
    assert f"https://{NAME}:{proxied}/ui" in page.text
    assert get("/ui/gradio_api/info").status_code == 200


def test_grpc(proxied, certificate):
    credentials = grpc.ssl_channel_credentials(certificate.read_bytes())
    options = [("grpc.ssl_target_name_override", NAME)]
    address = f"127.0.0.1:{proxied}"
    with grpc.secure_channel(address, credentials, options) as channel:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "half_plus_two"
        request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0]))
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        assert stub.Predict(request, 30).outputs["y"].float_val == [2.5]
        health = health_pb2_grpc.HealthStub(channel)
        status = health.Check(health_pb2.HealthCheckRequest(), timeout=30).status
        assert status == health_pb2.HealthCheckResponse.SERVING


def test_manifest():
    """What the manifest of Kubernetes says of the server is so."""
    text = re.search(r"```yaml\n(apiVersion.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    deployment, service = yaml.safe_load_all(text[1])
    pod = deployment["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > Settings().stop_seconds
    (container,) = pod["containers"]
    probed = {
        probe["httpGet"]["path"]
        for name, probe in container.items()
        if name.endswith("Probe")
    }
    assert probed <= set(OPEN_PATHS)
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert ports == {"http": Settings().rest_port, "grpc": Settings().grpc_port}
    named = {each["targetPort"]: each["port"] for each in service["spec"]["ports"]}
    assert named == ports
