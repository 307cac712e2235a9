"""`recurra serve` as a process: a quiet start, a graceful stop."""

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import threading

import httpx
import pytest
import served_models

SERVE = [sys.executable, "-m", "recurra.apps.main", "serve"]
# Each some hundreds of milliseconds.
ROUNDS = 20_000
# A busy machine may take long.
SECONDS = 600


@contextlib.contextmanager
def running(models, *options):
    """The process and its REST API's address, once it is ready."""
    ports = ("--rest-port", "0", "--grpc-port", "0")
    with subprocess.Popen(
        [*SERVE, "--models", str(models), *ports, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            lines = []
            for line in process.stderr:
                lines.append(line)
                if line.startswith("gRPC on "):
                    break
            (rest,) = [line for line in lines if line.startswith("REST on ")]
            yield process, rest.removeprefix("REST on ").strip(), lines
        finally:
            if process.poll() is None:
                process.kill()


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    served_models.write_scaled(folder / "slow" / "1", 2, rounds=ROUNDS)
    return folder


def test_sigterm_ends_what_is_in_flight_and_answers_no_more(models):
    with running(models) as (process, url, lines):
        assert "Try the models" in httpx.get(f"{url}/ui/", timeout=SECONDS).text
        answers = []

        def send():
            body = {"instances": [1.0]}
            address = f"{url}/v1/models/slow:predict"
            answers.append(httpx.post(address, json=body, timeout=SECONDS))

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        queue = 'queue_length{model="slow",version="1"} 4.0'
        while queue not in httpx.get(f"{url}/metrics", timeout=SECONDS).text:
            assert len(answers) < 4, "the model is too fast for this test"
        process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        _, rest = process.communicate(timeout=SECONDS)
    assert [answer.json() for answer in answers] == [{"predictions": [2.0]}] * 4
    assert process.returncode == 0, rest
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    # Nothing but the server's own lines is on the screen.
    assert [line.split(" on ")[0].strip() for line in lines] == [
        *("slow version 1 is served", "REST", "gRPC")
    ]
    assert rest.splitlines() == [
        "Stopping: requests in flight are finished",
        "slow version 1 is no longer served",
    ]


def test_settings_come_from_a_file_and_sighup_reads_keys_and_models_anew(
    models, tmp_path
):
    keys, settings = tmp_path / "keys", tmp_path / "settings.yaml"
    keys.write_text("one\n")
    folder = tmp_path / "models"
    folder.mkdir()
    settings.write_text(
        f"{{models: nowhere, api_key_file: {keys}, poll_seconds: 3600, "
        "limits: {rows: 2}}\n"
    )
    with running(folder, "--settings", str(settings), "--no-ui") as (process, url, _):
        keys.write_text("two\n")
        shutil.copytree(models, folder, dirs_exist_ok=True)
        assert status(url, "slow", "two") == 401
        process.send_signal(signal.SIGHUP)
        lines = iter(process.stderr.readline, "")
        assert any("slow version 1 is served" in line for line in lines)
        assert status(url, "slow", "two") == 200
        too_many = httpx.post(
            f"{url}/v1/models/slow:predict",
            json={"instances": [1.0] * 3},
            headers={"x-api-key": "two"},
            timeout=SECONDS,
        )
        assert too_many.status_code == 413
        # What is wrong stays as it was.
        keys.write_text("")
        process.send_signal(signal.SIGHUP)
        assert any("holds no API key" in line for line in lines)
        assert status(url, "slow", "two") == 200


def status(url, model, key):
    headers = {"x-api-key": key}
    address = f"{url}/v1/models/{model}"
    return httpx.get(address, headers=headers, timeout=SECONDS).status_code


def test_what_is_wrong_at_the_start_is_one_line(recurra, models, tmp_path):
    ended = recurra("serve", "--models", tmp_path / "nowhere")
    assert ended.status == 2
    assert ended.messages.startswith("recurra: error: --models ")
    assert ended.messages.count("\n") == 1
    settings = tmp_path / "settings.yaml"
    settings.write_text("limits: {row: 2}\n")
    ended = recurra("serve", "--models", models, "--settings", settings)
    assert ended.status == 2
    assert "limits.row" in ended.messages
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = recurra("serve", "--models", models, "--rest-port", port)
    assert ended.status == 2
    assert "cannot be listened on" in ended.messages


@pytest.mark.parametrize("package", ["fastapi", "tensorflow"])
def test_a_missing_package_names_the_extra_that_brings_it(
    recurra, monkeypatch, package
):
    # As if it were not installed.
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "recurra.apps.serving.server", raising=False)
    ended = recurra("serve")
    assert ended.status == 2
    assert ended.messages.count("\n") == 1
    assert f"{package} is not installed" in ended.messages
    assert "pip install 'recurra[serve]'" in ended.messages
