"""`tensorflow_model_server`: the flags of TensorFlow Serving's own command."""

import logging
import sys

import grpc
import pytest
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

from recurra.apps.main import model_server
from recurra.apps.model_server import settings_of
from recurra.apps.serving.models.configuration import with_batching_parameters
from recurra.apps.serving.settings import Batching, StartError, make_settings


def settings(*flags):
    return make_settings(None, settings_of(flags))


def test_flags_become_settings(tmp_path):
    made = settings(
        *("--port=1", "--rest_api_port=2", "--rest_api_timeout_in_ms=1500"),
        *("--model_name=half", f"--model_base_path={tmp_path / 'half'}"),
        *("--file_system_poll_wait_seconds=5", "--enable_batching"),
        "--batching_parameters_file=batching.txt",
    )
    assert (made.grpc_port, made.rest_port, made.host) == (1, 2, "0.0.0.0")
    assert (made.limits.seconds, made.poll_seconds) == (1.5, 5)
    assert (made.model_name, made.model_base_path) == ("half", tmp_path / "half")
    assert made.batching.models == {"*"}
    assert str(made.batching_parameters_file) == "batching.txt"
    made = settings("--model_config_file=models", "--enable_batching=false")
    assert not made.batching.models
    assert str(made.model_config_file) == "models"


def test_what_has_no_effect_is_said(caplog):
    settings("--tensorflow_session_parallelism=4", "--monitoring_config_file=m")
    assert "--tensorflow_session_parallelism has no effect here" in caplog.text


@pytest.mark.parametrize("flag", ["--ssl_config_file=ssl", "--modelname=half"])
def test_what_cannot_be_left_out_silently_is_refused(flag, capsys):
    with pytest.raises(SystemExit):
        settings(flag)
    assert flag.partition("=")[0] in capsys.readouterr().err


PARAMETERS = """
max_batch_size { value: 128 }  # rows
batch_timeout_micros { value: 1500 }
max_enqueued_batches { value: 7 }
num_batch_threads { value: 3 }
allowed_batch_sizes: 1 allowed_batch_sizes: 128
pad_variable_length_inputs: true
"""


def test_batching_parameters_are_read(tmp_path):
    file = tmp_path / "batching"
    file.write_text(PARAMETERS)
    made = with_batching_parameters(Batching(models=["*"]), file)
    assert made == Batching(
        models=["*"], rows=128, delay_milliseconds=1.5, queued_batches=7, threads=3
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [("max_batch { }", "max_batch"), ("max_batch_size { value: 0 }", "rows")],
)
def test_batching_parameters_that_are_wrong(tmp_path, text, message):
    file = tmp_path / "batching"
    file.write_text(text)
    with pytest.raises(StartError, match=message):
        with_batching_parameters(Batching(), file)


def test_the_command_serves_one_model(
    serving, documented_models, monkeypatch, tmp_path
):
    flags = ["--port=0", "--rest_api_port=0", "--model_name=mine"]
    flags.append(f"--model_base_path={documented_models / 'half_plus_two'}")
    flags.append("--grpc_channel_arguments=grpc.max_connection_age_ms=2000")
    flags.append(f"--grpc_socket_path={tmp_path / 'socket'}")
    served = []

    async def serve(settings, pages):
        served.append(settings)

    monkeypatch.setattr("recurra.apps.serving.server.serve", serve)
    # What a process does with it for good.
    monkeypatch.setattr(logging.getLogger("recurra"), "propagate", True)
    monkeypatch.setattr(sys, "argv", ["tensorflow_model_server", *flags])
    with pytest.raises(SystemExit) as end:
        model_server()
    assert end.value.code == 0
    assert served == [settings(*flags)]
    values = settings_of(flags)
    with serving(values.pop("models"), **values) as running:
        answer = running.post("/v1/models/mine:predict", {"instances": [1.0]})
        with grpc.insecure_channel(f"unix:{tmp_path / 'socket'}") as channel:
            request = get_model_status_pb2.GetModelStatusRequest()
            request.model_spec.name = "mine"
            models = model_service_pb2_grpc.ModelServiceStub(channel)
            (status,) = models.GetModelStatus(request, 30).model_version_status
    assert answer.json() == {"predictions": [2.5]}
    assert status.version == 123
