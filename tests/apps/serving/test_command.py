"""`recurra serve` as a process: a quiet start, a graceful stop; what it imports."""

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
        answers = []

        def send():
            body = {"instances": [1.0]}
            answers.append(httpx.post(f"{url}/v1/models/slow:predict", json=body))

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        queue = 'queue_length{model="slow",version="1"} 4.0'
        while queue not in httpx.get(f"{url}/metrics").text:
            assert len(answers) < 4, "the model is too fast for this test"
        process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        _, rest = process.communicate(timeout=60)
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


IMPORT = """
import sys
import recurra.apps.serving.server
print(*sys.modules)
"""


CARDS = ("answers", "model_card", "reading_plan")


def test_of_the_pipelines_the_server_imports_the_cards_alone():
    imported = subprocess.run(
        [sys.executable, "-c", IMPORT], capture_output=True, text=True, timeout=120
    )
    ours = [name for name in imported.stdout.split() if name.startswith("recurra.")]
    assert "recurra.apps.serving.server" in ours
    assert {name for name in ours if not name.startswith("recurra.apps")} == {
        "recurra.pipelines",
        "recurra.pipelines.cards",
        *(f"recurra.pipelines.cards.{part}" for part in CARDS),
    }


def test_settings_come_from_a_file_and_from_options(models, tmp_path):
    settings = tmp_path / "settings.yaml"
    settings.write_text("models: nowhere\nlimits: {rows: 2}\n")
    with running(models, "--settings", str(settings)) as (_, url, _):
        body = {"instances": [1.0] * 3}
        answer = httpx.post(f"{url}/v1/models/slow:predict", json=body)
        assert answer.status_code == 413


def test_sighup_reads_keys_and_models_anew(models, tmp_path):
    keys, settings = tmp_path / "keys", tmp_path / "settings.yaml"
    keys.write_text("one\n")
    folder = tmp_path / "models"
    folder.mkdir()
    settings.write_text(f"models: {folder}\napi_key_file: {keys}\npoll_seconds: 3600\n")
    with running(folder, "--settings", str(settings)) as (process, url, _):
        keys.write_text("two\n")
        shutil.copytree(models, folder, dirs_exist_ok=True)
        assert status(url, "slow", "two") == 401
        process.send_signal(signal.SIGHUP)
        lines = iter(process.stderr.readline, "")
        assert any("slow version 1 is served" in line for line in lines)
        assert status(url, "slow", "two") == 200
        # What is wrong stays as it was.
        keys.write_text("")
        process.send_signal(signal.SIGHUP)
        assert any("holds no API key" in line for line in lines)
        assert status(url, "slow", "two") == 200


def status(url, model, key):
    headers = {"x-api-key": key}
    return httpx.get(f"{url}/v1/models/{model}", headers=headers).status_code


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


WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None  # as if it were not installed
from recurra.apps.main import run
sys.exit(run(["serve"]))
"""


@pytest.mark.parametrize("package", ["fastapi", "tensorflow"])
def test_a_missing_package_names_the_extra_that_brings_it(package):
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT, package],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert f"{package} is not installed" in ended.stderr
    assert "pip install 'recurra[serve]'" in ended.stderr
