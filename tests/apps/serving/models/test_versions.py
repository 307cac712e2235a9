"""Versions that come, go, are broken or half there, while requests run."""

import os
import shutil
import threading

import grpc
import pytest
import served_models
from tensorflow_serving.apis import model_management_pb2

PREDICT = "/v1/models/scaled:predict"
ONE = {"instances": [1.0]}


class Load:
    """Good requests from several threads, until it is ended."""

    def __init__(self, server, threads=4):
        self.answers = []
        self._end = threading.Event()
        self._server = server
        self._threads = [threading.Thread(target=self._send) for _ in range(threads)]

    def _send(self):
        while not self._end.is_set():
            answer = self._server.post(PREDICT, ONE)
            self.answers.append((answer.status_code, answer.text))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._end.set()
        for thread in self._threads:
            thread.join()

    def check(self, *factors):
        assert {status for status, _ in self.answers} == {200}
        expected = {f'{{"predictions":[{factor}.0]}}' for factor in factors}
        assert {text for _, text in self.answers} == expected


def served_factor(server):
    answer = server.post(PREDICT, ONE)
    return answer.json()["predictions"][0] if answer.status_code == 200 else None


def test_versions_change_under_load_without_a_failed_request(serving, scaled, tmp_path):
    model = tmp_path / "scaled"
    served_models.put(scaled[1], model / "1")
    with serving(tmp_path) as server, Load(server) as load:
        # A new version takes over, and the old one is freed.
        served_models.put(scaled[2], model / "2")
        server.until(lambda: server.states("scaled") == {2: "AVAILABLE", 1: "END"})
        assert served_factor(server) == 2.0
        # A broken one does not, and the status says why.
        shutil.copytree(scaled[3], tmp_path / "copy")
        variables = tmp_path / "copy" / "variables" / "variables.data-00000-of-00001"
        os.truncate(variables, variables.stat().st_size // 2)
        (tmp_path / "copy").rename(model / "3")
        server.until(lambda: server.states("scaled").get(3) == "END")
        (broken,) = server.http.get("/v1/models/scaled/versions/3").json()[
            "model_version_status"
        ]
        assert broken["status"]["error_code"] == "UNKNOWN"
        assert broken["status"]["error_message"]
        assert server.states("scaled")[2] == "AVAILABLE"
        # Mended, it does.
        shutil.copy(scaled[3] / "variables" / variables.name, model / "3" / "variables")
        server.until(lambda: served_factor(server) == 3.0)
        # When it is deleted, the next largest takes over again.
        shutil.rmtree(model / "3")
        server.until(lambda: served_factor(server) == 2.0)
        server.until(lambda: 3 not in server.states("scaled"))
    load.check(1, 2, 3)


def test_a_version_that_is_still_being_copied_is_not_loaded(serving, scaled, tmp_path):
    model = tmp_path / "scaled"
    served_models.put(scaled[1], model / "1")
    with serving(tmp_path, poll_seconds=0.2) as server:
        (model / "2").mkdir()
        growing = model / "2" / "saved_model.pb"
        # As long as the folder changes between two looks, it is left alone.
        for size in range(1, 9):
            growing.write_bytes(b"\0" * size)
            seen = server.states("scaled").get(2)
            assert seen in (None, "START", "END")
            assert served_factor(server) == 1.0
        growing.unlink()
        shutil.copytree(scaled[2], model / "2", dirs_exist_ok=True)
        server.until(lambda: served_factor(server) == 2.0)


def test_at_the_start_the_largest_sound_version_is_served(serving, scaled, tmp_path):
    model = tmp_path / "scaled"
    served_models.put(scaled[1], model / "1")
    (model / "7").mkdir(parents=True)
    (model / ".partial-8").mkdir()
    (model / "notes").mkdir()
    with serving(tmp_path) as server:
        assert server.states("scaled") == {7: "END", 1: "AVAILABLE"}
        assert served_factor(server) == 1.0


def test_a_warm_up_request_that_fails_breaks_the_version(serving, tmp_path):
    served_models.write_scaled(tmp_path / "scaled" / "1", 1, warmup=[[[1.0]]])
    with serving(tmp_path) as server:
        (status,) = server.http.get("/v1/models/scaled").json()["model_version_status"]
        assert status["state"] == "END"
        assert "Warm-up request 0 failed" in status["status"]["error_message"]


def test_warm_up_requests_that_cannot_be_read_break_the_version(
    serving, scaled, tmp_path
):
    version = served_models.put(scaled[1], tmp_path / "scaled" / "1")
    requests = version / "assets.extra" / "tf_serving_warmup_requests"
    requests.write_bytes(requests.read_bytes()[:-1])
    with serving(tmp_path) as server:
        (status,) = server.http.get("/v1/models/scaled").json()["model_version_status"]
        assert status["state"] == "END"
        assert "tf_serving_warmup_requests: " in status["status"]["error_message"]


def test_models_appear_and_disappear(serving, scaled, tmp_path):
    with serving(tmp_path) as server:
        assert server.http.get("/v1/models/scaled").status_code == 404
        served_models.put(scaled[1], tmp_path / "scaled" / "1")
        server.until(lambda: served_factor(server) == 1.0)
        shutil.rmtree(tmp_path / "scaled")
        server.until(lambda: server.http.get("/v1/models/scaled").status_code == 404)
        answer = server.post(PREDICT, ONE)
        assert answer.json() == {
            "error": "Servable not found for request: Latest(scaled)"
        }


def test_what_cannot_be_read_is_served_on(serving, scaled, tmp_path, caplog):
    models = tmp_path / "models"
    served_models.put(scaled[1], models / "scaled" / "1")
    with serving(models) as server:
        models.rename(tmp_path / "away")
        server.until(lambda: "cannot be read" in caplog.text)
        assert served_factor(server) == 1.0
        (tmp_path / "away").rename(models)
        # And what comes then is seen again.
        served_models.put(scaled[2], models / "scaled" / "2")
        server.until(lambda: served_factor(server) == 2.0)
    assert caplog.text.count("cannot be read") == 1


def test_a_broken_model_keeps_nobody_from_the_others(serving, scaled, tmp_path):
    (tmp_path / "broken" / "1").mkdir(parents=True)
    with serving(tmp_path) as server:
        assert server.http.get("/v2/health/ready").status_code == 503
        served_models.put(scaled[1], tmp_path / "scaled" / "1")
        server.until(lambda: server.states("scaled") == {1: "AVAILABLE"})
        assert server.http.get("/v2/health/ready").status_code == 200
        assert server.http.get("/v2/models/scaled/ready").status_code == 200
        assert server.http.get("/v2/models/broken/ready").status_code == 404


def reload_request(**config):
    request = model_management_pb2.ReloadConfigRequest()
    one = request.config.model_config_list.config.add(
        name="scaled", base_path="scaled", model_platform="tensorflow"
    )
    if "versions" in config:
        one.model_version_policy.specific.versions.extend(config["versions"])
    for label, number in config.get("labels", {}).items():
        one.version_labels[label] = number
    return request


def test_named_versions_with_labels_that_move(serving, scaled, tmp_path):
    for factor, version in scaled.items():
        served_models.put(version, tmp_path / "scaled" / str(factor))
    config = tmp_path / "models.config"
    config.write_text(
        "model_config_list { config { name: 'scaled' base_path: 'scaled' "
        "model_platform: 'tensorflow' model_version_policy { specific { versions: 1 "
        "versions: 2 } } version_labels { key: 'stable' value: 1 } } }"
    )
    served_models.put(scaled[1], tmp_path / "unlisted" / "1")
    with serving(tmp_path, model_config_file=config) as server:
        # Versions that nobody asked for are not listed.
        assert server.states("scaled") == {2: "AVAILABLE", 1: "AVAILABLE"}
        assert server.http.get("/v1/models/unlisted").status_code == 404

        def labelled(label):
            answer = server.post(f"/v1/models/scaled/labels/{label}:predict", ONE)
            return answer.json().get("predictions", answer.json().get("error"))

        assert labelled("stable") == [1.0]
        assert labelled("canary") == "Unrecognized servable version label: canary"
        assert (
            server.http.get("/v1/models/scaled/labels/stable").json()[
                "model_version_status"
            ][0]["version"]
            == "1"
        )

        def reload(**given):
            return server.models.HandleReloadConfigRequest(
                reload_request(**given), 30
            ).status

        # Without an interval nobody looks at the file again.
        config.write_text(config.read_text().replace("'scaled'", "'unlisted'"))
        nothing = model_management_pb2.ReloadConfigRequest()
        assert (
            server.models.HandleReloadConfigRequest(nothing, 30).status.error_code == 0
        )
        refused = reload(versions=[3], labels={"stable": 3})
        assert refused.error_code == grpc.StatusCode.FAILED_PRECONDITION.value[0]
        assert "version 3 of model scaled" in refused.error_message
        assert labelled("stable") == [1.0]
        done = reload(versions=[2, 3], labels={"stable": 2})
        assert (done.error_code, done.error_message) == (0, "")
        assert labelled("stable") == [2.0]
        assert served_factor(server) == 3.0
        server.until(lambda: server.states("scaled")[1] == "END")
        assert server.http.get("/v1/models/unlisted").status_code == 404


def test_a_changed_file_of_models_is_taken_once_its_versions_are_there(
    serving, scaled, tmp_path, caplog
):
    served_models.put(scaled[1], tmp_path / "scaled" / "1")
    config = tmp_path / "models.config"
    one = "name: 'scaled' base_path: 'scaled' model_platform: 'tensorflow'"
    config.write_text(f"model_config_list {{ config {{ {one} }} }}")
    given = {"model_config_file": config, "model_config_poll_seconds": 0.05}
    with serving(tmp_path, **given) as server:
        label = "version_labels { key: 'next' value: 2 }"
        changed = tmp_path / "changed"
        changed.write_text(f"model_config_list {{ config {{ {one} {label} }} }}")
        changed.replace(config)
        path = "/v1/models/scaled/labels/next:predict"
        server.until(lambda: "label to version 2" in caplog.text)
        assert server.post(path, ONE).status_code == 400
        served_models.put(scaled[2], tmp_path / "scaled" / "2")
        server.until(lambda: server.post(path, ONE).json() == {"predictions": [2.0]})


@pytest.mark.parametrize("base_path", ["/etc", "..", "../other", "scaled/../.."])
def test_no_configuration_leads_out_of_the_folder(serving, scaled, tmp_path, base_path):
    models = tmp_path / "models"
    served_models.put(scaled[1], models / "scaled" / "1")
    with serving(models) as server:
        request = reload_request()
        request.config.model_config_list.config[0].base_path = base_path
        status = server.models.HandleReloadConfigRequest(request, 30).status
        assert "must be a folder within that of models" in status.error_message
        assert served_factor(server) == 1.0


def test_an_operation_that_is_not_there_is_named(serving, scaled, tmp_path):
    version = served_models.put(scaled[1], tmp_path / "scaled" / "1")
    served_models.rename_operations(version, "MatMul", "NoSuchMatMul")
    with serving(tmp_path) as server:
        (status,) = server.http.get("/v1/models/scaled").json()["model_version_status"]
        message = status["status"]["error_message"]
        assert "The operation NoSuchMatMul is not there" in message
        assert "tensorflow-text" in message


def test_a_module_that_holds_a_keras_model_is_served_too(serving, tmp_path):
    """Its variables are found by objects alone, and not by their names."""
    expected = served_models.write_keras(tmp_path / "keras" / "1")
    with serving(tmp_path) as server:
        answer = server.post("/v1/models/keras:predict", {"instances": [[1.0, 2.0]]})
        assert answer.json() == {"predictions": [[pytest.approx(expected, rel=1e-6)]]}
