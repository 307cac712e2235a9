"""Several processes that serve on the same ports."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time

import httpx
import pytest
import served_models

from recurra.apps.serving.processes import serve_by_processes
from recurra.apps.serving.settings import Settings, StartError
from recurra.apps.serving.siblings import joined

SERVE = [sys.executable, "-m", "recurra.apps.main", "serve", "--processes", "2"]


def test_pages_of_metrics_are_one_by_the_process():
    page = textwrap.dedent(
        """
        # HELP a_requests_total Requests.
        # TYPE a_requests_total counter
        a_requests_total{code="OK"} %d.0
        # HELP :b:c Named as others do.
        # TYPE :b:c gauge
        :b:c 1.0
        """
    )
    lines = joined([("1", page % 3), ("2", page % 4), ("3", "")]).decode().splitlines()
    assert lines.count("# TYPE a_requests_total counter") == 1
    assert {line for line in lines if line[0] != "#"} == {
        'a_requests_total{code="OK",process="1"} 3.0',
        'a_requests_total{code="OK",process="2"} 4.0',
        ':b:c{process="1"} 1.0',
        ':b:c{process="2"} 1.0',
    }


# Speaks as a process does, and writes down what it hears.
STUB = """
import json, os, pathlib, signal, sys
given = json.loads(sys.stdin.readline())
number, log = given["number"], pathlib.Path(sys.argv[1])
def note(what):
    with log.open("a") as file:
        file.write(f"{number} {what}\\n")
def end(*_):
    note("TERM")
    os._exit(0)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGHUP, lambda *_: note("HUP"))
if given["settings"]["model_name"] == "wrong":
    sys.exit(2)
note(f"starts {os.getpid()}")
print(json.dumps({"loaded": ["m", 1]}), flush=True)
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    note(line.strip())
"""


@pytest.fixture
def stub(tmp_path):
    """The command of the stub, and what it has written down so far, sorted."""
    script, log = tmp_path / "stub.py", tmp_path / "log"
    script.write_text(STUB)
    log.touch()
    return [sys.executable, str(script), str(log)], lambda: log.read_text().splitlines()


def settings_of(**values):
    return Settings(rest_port=0, grpc_port=0, processes=2, **values)


def test_processes_are_started_again_told_of_signals_and_ended(stub):
    command, heard = stub

    async def until(condition):
        while not condition():
            await asyncio.sleep(0.02)

    async def run():
        serving = asyncio.create_task(serve_by_processes(settings_of(), command))
        # A version goes when it is in all that run; who comes later goes at once.
        go = '{"go": ["m", 1]}'
        await until(lambda: {f"1 {go}", f"2 {go}"} <= set(heard()))
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: {"1 HUP", "2 HUP"} <= set(heard()))
        (first,) = [line for line in heard() if line.startswith("1 starts")]
        os.kill(int(first.split()[-1]), signal.SIGKILL)
        await until(lambda: heard().count(f"1 {go}") == 2)
        os.kill(os.getpid(), signal.SIGTERM)
        return await serving

    assert asyncio.run(run()) == 0
    assert {"1 TERM", "2 TERM"} <= set(heard())


def test_what_keeps_the_first_from_starting_ends_all(stub):
    command, heard = stub
    settings = settings_of(model_name="wrong")
    assert asyncio.run(serve_by_processes(settings, command)) == 2
    assert heard() == []


def test_what_is_for_one_process_is_refused(stub):
    for values in ({"model_control": True}, {"ui": True}, {"grpc_socket": "socket"}):
        with pytest.raises(StartError, match=next(iter(values))):
            asyncio.run(serve_by_processes(settings_of(**values), stub[0]))


def test_two_processes_answer_swap_together_and_survive_a_kill(tmp_path):
    served_models.write_scaled(tmp_path / "models" / "m" / "1", 2)
    served_models.write_scaled(tmp_path / "aside", 3)
    ports = ["--rest-port", "0", "--grpc-port", "0"]
    with subprocess.Popen(
        [*SERVE, "--models", str(tmp_path / "models"), *ports],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            for line in process.stderr:
                if line.startswith("REST on "):
                    url = line.removeprefix("REST on ").strip()
                if line.startswith("gRPC on "):
                    break

            def asked():
                body = {"instances": [1.0]}
                return httpx.post(f"{url}/v1/models/m:predict", json=body).json()

            assert {asked()["predictions"][0] for _ in range(20)} == {2.0}
            page = httpx.get(f"{url}/metrics").text
            for number in (1, 2):
                assert f'{{model="m",process="{number}",state="AVAILABLE"' in page
            (tmp_path / "aside").rename(tmp_path / "models" / "m" / "2")
            while asked()["predictions"] != [3.0]:
                pass
            time.sleep(0.1)
            assert {asked()["predictions"][0] for _ in range(20)} == {3.0}
            process.send_signal(signal.SIGTERM)
            process.communicate()
            assert process.returncode == 0
        finally:
            if process.poll() is None:
                process.kill()
