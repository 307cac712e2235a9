"""Texts that a model writes, at once and as they come."""

import json

import answer_models
import pytest
import served_models

PATH = "/v1/models/stories:generate"
ENDLESS = {"prompt": "", "stream": True, "length": 10**9, "seed": -(2**30)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    answer_models.write_continuation(folder / "stories" / "1")
    served_models.write_half_plus(folder / "half" / "1", 2)
    return folder


@pytest.fixture(scope="module")
def running(serving, folder):
    with serving(folder) as running:
        yield running


def _events(running, **body):
    """The names and data of the events of an answer."""
    with running.http.stream("POST", PATH, json={"stream": True, **body}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        text = "".join(answer.iter_text())
    found = []
    for event in text.removesuffix("\n\n").split("\n\n"):
        lines = dict(line.split(": ", 1) for line in event.split("\n"))
        found.append((lines.get("event", ""), json.loads(lines["data"])))
    return found


def test_units_come_one_by_one_and_are_the_text_that_comes_at_once(running):
    asked = {"prompt": "Count:", "seed": 7, "length": 4}
    *pieces, end = _events(running, **asked)
    assert pieces == [("", {"text": f" {number}"}) for number in range(7, 11)]
    assert end == ("end", {})
    answer = running.post(PATH, asked)
    assert answer.json() == {"text": " 7 8 9 10"}
    versioned = "/v1/models/stories/versions/1:generate"
    assert running.post(versioned, asked).json() == answer.json()


def test_a_text_ends_by_itself_and_before_the_stop(running):
    assert running.post(PATH, {"prompt": "", "seed": 98}).json() == {"text": " 98 99"}
    asked = {"prompt": "", "seed": 8, "stop": "0 1"}
    assert running.post(PATH, asked).json() == {"text": " 8 9 1"}
    assert "".join(data.get("text", "") for _, data in _events(running, **asked)) == (
        " 8 9 1"
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "prompt: expected a text"),
        ({"prompt": ["a"]}, "prompt: expected a text"),
        ({"prompt": "a", "stream": "yes"}, "stream: expected true or false"),
        ({"prompt": "a", "temperature": -1, "stream": True}, "temperature: Input"),
        ({"prompt": "a", "lenght": 3}, "lenght: Extra"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(running, body, words):
    answer = running.post(PATH, body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]


def test_a_model_that_does_not_write_says_so(running):
    answer = running.post("/v1/models/half:generate", {"prompt": "a"})
    assert answer.status_code == 400
    assert "does not write" in answer.json()["error"]
    assert running.post("/v1/models/no:generate", {"prompt": "a"}).status_code == 404


def test_a_client_that_goes_away_ends_the_work(running):
    with running.http.stream("POST", PATH, json=ENDLESS) as answer:
        assert next(answer.iter_lines()).startswith("data: ")
    counted = (
        'recurra_serving_requests_total{api="rest",code="CANCELLED",'
        'method="generate",model="stories"} 1.0'
    )
    running.until(lambda: counted in running.http.get("/metrics").text)


def test_the_limits_hold_for_what_is_written(serving, folder):
    with serving(folder, limits={"seconds": 0.5, "requests": 1}) as running:
        with running.http.stream("POST", PATH, json=ENDLESS) as answer:
            lines = answer.iter_lines()
            next(lines)
            second = running.post(PATH, {"prompt": ""})
            assert second.status_code == 429
            last = list(lines)[-3:]
        assert last[0] == "event: error"
        assert json.loads(last[1].removeprefix("data: ")) == {
            "error": "Timed out after 0.5 s"
        }


def test_the_description_has_an_example_that_is_answered(running):
    description = running.http.get("/openapi.json").json()
    body = description["paths"][PATH]["post"]["requestBody"]["content"]
    (example,) = body["application/json"]["examples"].values()
    assert running.post(PATH, example["value"]).status_code == 200
    assert "/v1/models/half:generate" not in description["paths"]
