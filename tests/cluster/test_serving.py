"""The server in Ray Serve, on two nodes."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest
import ray
import served_models
from ray import serve

from recurra.apps.serving.on_ray import application
from recurra.apps.serving.settings import Settings, StartError

SERVE = [sys.executable, "-m", "recurra.apps.main", "serve", "--cluster"]
ASK = {"instances": [1.0, 2.0]}
SECONDS = 120


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    served_models.write_half_plus(folder / "half" / "1", 2.0)
    return folder


class Load:
    """Asks from some threads until the context is left; a refused one twice."""

    def __init__(self, url, threads=4):
        self._url, self._over = url, threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]
        self.answers, self.retried, self.failed = 0, [], []

    def __enter__(self):
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *error):
        self._over.set()
        for each in self._threads:
            each.join()

    def _ask(self):
        with httpx.Client(timeout=30) as client:
            while not self._over.is_set():
                for last in (False, True):
                    answer = client.post(self._url, json=ASK)
                    if answer.json() == {"predictions": [2.5, 3.0]}:
                        self.answers += 1
                        break
                    if last:
                        self.failed.append((answer.status_code, answer.text))
                    self.retried.append(answer.status_code)


def started(address, models, port, *options):
    process = subprocess.Popen(
        [*SERVE, address, "--models", models, "--rest-port", str(port), *options],
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "REST on" in line:
            return process
    pytest.fail("".join(lines))


def end(process):
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, said


@pytest.fixture
def replicas(processes):
    """A function that gives the processes of the replicas."""
    return lambda: set(processes.running("ray::ServeReplica:recurra:models"))


def wait_for(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_killed_replica_and_an_upgrade_fail_no_request(cluster, models, replicas):
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1/models/half"
    first = started(cluster, models, port, "--processes", "2")
    ray.init(cluster, log_to_driver=False)
    try:
        begun = replicas()
        assert len(begun) == 2
        assert httpx.get(url).json()["model_version_status"][0]["state"] == "AVAILABLE"
        with Load(f"{url}:predict") as load:
            wait_for(lambda: load.answers > 50)
            os.kill(killed := min(begun), signal.SIGKILL)
            wait_for(lambda: len(replicas() - {killed}) == 2)
            before = load.answers
            second = started(cluster, models, port, "--processes", "3")
            wait_for(lambda: load.answers > before + 50)
        assert not load.failed
        print(f"{load.answers} answers, asked again: {load.retried}")
        assert len(replicas()) == 3 and not replicas() & begun
        # The first one leaves what the second has put in its place.
        end(first)
        assert httpx.post(f"{url}:predict", json=ASK).status_code == 200
        end(second)
        # The proxies hear of it a little later.
        wait_for(lambda: httpx.post(f"{url}:predict", json=ASK).status_code == 404)
    finally:
        serve.shutdown()
        ray.shutdown()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ui": True}, "--ui: .* or --cluster"),
        ({"model_control": True}, "model_control: .* or --cluster"),
        ({"deployment": {"replicas": 2}}, "deployment: .*replicas"),
        ({"deployment": {"num_replicas": -1}}, "deployment: .*num_replicas"),
    ],
)
def test_what_cannot_be_on_a_cluster(given, message):
    with pytest.raises(StartError, match=message):
        application(Settings(**given))


def test_options_of_a_deployment_are_those_of_ray(models):
    scaling = {"min_replicas": 1, "max_replicas": 4}
    options = {"autoscaling_config": scaling, "ray_actor_options": {"num_cpus": 2}}
    made = application(Settings(models=models, processes=2, deployment=options))
    deployment = made._bound_deployment
    assert deployment._deployment_config.autoscaling_config.max_replicas == 4
    assert deployment.ray_actor_options == {"num_cpus": 2}
    plain = application(Settings(models=models, processes=2))._bound_deployment
    assert plain.num_replicas == 2
