"""How a server describes itself, and that no request it describes breaks it."""

import itertools

import hypothesis
import pytest
import schemathesis
import served_models
from schemathesis.checks import not_a_server_error


def test_openapi_has_an_example_per_signature_that_is_answered(server):
    description = server.http.get("/openapi.json").json()
    assert description["openapi"].startswith("3.")
    for model, path in itertools.product(
        ("half_plus_two", "half_plus_three", "kinds"),
        ("/v1/models/{}:predict", "/v2/models/{}/infer"),
    ):
        path = path.format(model)
        examples = content_of(description, path)["examples"]
        assert "serving_default" in examples
        for name, example in examples.items():
            answer = server.post(path, example["value"])
            # A graph does not say that its strings are tf.Examples.
            takes_examples = "plus" in model or name.endswith("_examples")
            if (model, name) != ("kinds", "divided") and not takes_examples:
                assert answer.status_code == 200, (name, answer.text)


def content_of(description, path):
    body = description["paths"][path]["post"]["requestBody"]
    return body["content"]["application/json"]


def test_classify_and_regress_are_described_with_what_warmed_the_model_up(
    serving, documented_models, tmp_path
):
    version = served_models.put(
        documented_models / "half_plus_two" / "00000123", tmp_path / "model" / "1"
    )
    served_models.write_example_requests(
        version, [({"x": [2.0]}, "regress_x_to_y"), ({"x": [3.0]}, "classify_x_to_y")]
    )
    with serving(tmp_path) as server:
        description = server.http.get("/openapi.json").json()
        for method, x in (("regress", 2.0), ("classify", 3.0)):
            path = f"/v1/models/model:{method}"
            content = content_of(description, path)
            example = content["examples"][f"{method}_x_to_y"]["value"]
            assert example["examples"] == [{"x": [x]}]
            assert server.post(path, example).status_code == 200
            (schema,) = content["schema"]["anyOf"]
            assert f"{method}_x_to_y" in schema["properties"]["signature_name"]["enum"]
    # A model without such signatures has no such operation.
    assert "/v1/models/kinds:classify" not in description["paths"]


def test_an_example_is_the_first_warm_up_request(serving, scaled, tmp_path):
    served_models.put(scaled[2], tmp_path / "scaled" / "1")
    with serving(tmp_path) as server:
        post = server.http.get("/openapi.json").json()["paths"][
            "/v1/models/scaled:predict"
        ]["post"]
    examples = post["requestBody"]["content"]["application/json"]["examples"]
    assert examples["serving_default"]["value"]["inputs"] == {"x": [1.0]}


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_no_request_to_what_is_described_breaks_the_server(server, mode):
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    answered = []
    for found in schema.get_all_operations():
        operation = found.ok()
        # What takes nothing cannot be given anything wrong.
        if mode is schemathesis.GenerationMode.NEGATIVE and not operation.body:
            continue

        @hypothesis.settings(
            max_examples=25,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def call(case):
            response = case.call()
            case.validate_response(response, checks=[not_a_server_error])
            assert "Traceback" not in response.text
            answered.append(response.status_code)

        call()
    assert len(answered) > 50
    assert max(answered) < 500


def samples(server):
    lines = server.http.get("/metrics").text.splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


def test_metrics_count_requests_errors_and_time(server):
    labels = 'api="rest",code="{}",method="predict",model="{}"'
    name = "recurra_serving_requests_total{{{}}}"
    ok = name.format(labels.format("OK", "kinds"))
    wrong = name.format(labels.format("INVALID_ARGUMENT", "kinds"))
    unknown = name.format(labels.format("NOT_FOUND", ""))
    before = samples(server)
    server.post("/v1/models/kinds:predict", {"instances": [[1.0, 2.0]]})
    server.post("/v1/models/kinds:predict", {"instances": ["x"]})
    server.post("/v1/models/unheard-of:predict", {"instances": [1.0]})
    after = samples(server)
    for key in (ok, wrong, unknown):
        assert float(after[key]) == float(before.get(key, 0)) + 1
    version = (
        'recurra_serving_model_version{model="kinds",state="AVAILABLE",version="1"}'
    )
    assert after[version] == "1.0"
    assert after['recurra_serving_queue_length{model="kinds",version="1"}'] == "0.0"
    seconds = "recurra_serving_request_seconds_count"
    assert any(key.startswith(seconds) for key in after)
    # What clients make up is no label.
    assert "unheard-of" not in server.http.get("/metrics").text


@pytest.mark.parametrize("path", ["/healthz", "/v2/health/live"])
def test_health(server, path):
    assert server.http.get(path).status_code == 200
