"""The page `/ui` as a browser asks for it, over HTTP."""

import json
import os
import re
import shutil
import sys
import time
import uuid
from pathlib import Path

import answer_models
import httpx
import pytest
import served_models

from recurra.apps import answers
from recurra.apps.serving import ui
from recurra.apps.serving.ui import uploads

KEY = "se;cret key/1"


def make_pages():
    """The pages of all kinds of answers, imported when a server builds them."""
    from recurra.apps.answers.pages import make_pages

    return make_pages()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    answer_models.write_labels(folder / "labels" / "1")
    answer_models.write_forecast(folder / "forecast" / "1")
    served_models.write_half_plus(folder / "half_plus_two" / "123", 2)
    return folder


@pytest.fixture(scope="module")
def page(serving, folder):
    pytest.importorskip("gradio")
    with serving(folder, make_pages, ui=True) as running:
        yield running


class Visitor:
    """One visit of the page: sends what its frontend would."""

    def __init__(self, running):
        self._http = running.http
        self._session = uuid.uuid4().hex
        config = running.http.get("/ui/config").json()
        self._events = {each["api_name"]: each["id"] for each in config["dependencies"]}

    def press(self, name, *values):
        """What a button's function gives."""
        body = {
            "data": list(values),
            "fn_index": self._events[name],
            "session_hash": self._session,
        }
        self._http.post("/ui/gradio_api/queue/join?", json=body).raise_for_status()
        address = f"/ui/gradio_api/queue/data?session_hash={self._session}"
        with self._http.stream("GET", address) as stream:
            for line in stream.iter_lines():
                event = json.loads(line.removeprefix("data:")) if line else {}
                if event.get("msg") == "process_completed":
                    assert event["success"], event
                    return event["output"]["data"]
        raise AssertionError("no answer")

    def models(self):
        """The models to choose from, or None where they are as before."""
        (dropdown, _) = self.press("follow", None, None)
        choices = dropdown.get("choices")
        return choices and [label for label, _ in choices]


def test_the_page_asks_nobody_but_the_server(page):
    answer = page.http.get("/ui", follow_redirects=True)
    assert answer.status_code == 200
    assert "Try the models" in answer.text
    loaded = re.findall(
        r'<(?:script|link|img|iframe)\b[^>]*(?:src|href)="([^"]+)"', answer.text
    )
    assert loaded
    assert not [each for each in loaded if "//" in each]
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'")
    assert "http" not in policy
    theme = page.http.get("/ui/theme.css").text
    assert "@import" not in theme
    assert "@font-face" not in theme


def test_models_and_their_versions_are_followed(page, folder):
    visitor = Visitor(page)
    before = [
        "forecast, version 1",
        "half_plus_two, version 123",
        "labels, version 1",
    ]
    assert visitor.models() == before
    assert visitor.models() is None
    served_models.put(folder / "labels" / "1", folder / "labels" / "2")
    page.until(lambda: page.states("labels").get(2) == "AVAILABLE")
    assert visitor.models()[2] == "labels, version 2"
    shutil.rmtree(folder / "labels" / "2")
    page.until(lambda: page.states("labels").get(1) == "AVAILABLE")
    page.until(lambda: page.states("labels").get(2) != "AVAILABLE")
    assert visitor.models() == before


class Greeting:
    """A page for a kind of answer that this project never saw."""

    kind = "greeting"

    def fits(self, model):
        return model.card is not None and model.card.answer.kind == self.kind

    def build(self, asker, choice):
        import gradio as gr

        self._text = gr.Textbox()
        return [self._text]

    def filled(self, model):
        return {self._text: model.card.answer.words}


def test_a_new_kind_of_answer_is_a_page_that_the_server_is_given(
    serving, scaled, tmp_path
):
    pytest.importorskip("gradio")
    for name in ("first", "second"):
        version = served_models.put(scaled[1], tmp_path / name / "1")
        answer = {"kind": "greeting", "words": f"hello from {name}"}
        card = answer_models.card_of("polite", answer)
        (version / "assets.extra" / "model_card.json").write_text(json.dumps(card))
    served_models.put(scaled[1], tmp_path / "without_card" / "1")
    unchanged = {"__type__": "update"}
    with serving(tmp_path, lambda: [Greeting()], ui=True) as running:
        visitor = Visitor(running)
        visitor.models()

        def show(name):
            """What is seen of the greeting, its text, and whether the form is seen."""
            _, _, greeting, text, form = visitor.press("show", name, None)
            return greeting["visible"], text, form["visible"]

        assert show("first") == (True, "hello from first", False)
        # What somebody has typed stays while the model does.
        assert show("first") == (True, unchanged, False)
        assert show("second") == (True, "hello from second", False)
        assert show("without_card") == (False, unchanged, True)
        assert show("first") == (True, "hello from first", False)
        assert show(None) == (False, unchanged, False)


def test_a_text_is_classified_as_by_the_apis_and_counted(page):
    visitor = Visitor(page)
    visitor.models()
    (html,) = visitor.press("classify", "labels", "a good one")
    assert "calibrated confidence of 75.0 %" in html
    counted = (
        'recurra_serving_requests_total{api="page",code="OK",method="predict",'
        'model="labels"}'
    )
    assert counted in page.http.get("/metrics").text


def test_a_file_is_uploaded_and_forecast_from(page):
    visitor = Visitor(page)
    visitor.models()
    (html,) = visitor.press("forecast_sample", "forecast")
    assert 'alt="Forecast of T [degC]"' in html
    (html,) = visitor.press("forecast", "forecast", None)
    assert "Choose a file first" in html
    content = b"time,T,rain\n2020-01-01,1,0\n2020-01-01 01:00,2,0\n"
    answer = page.http.post(
        "/ui/gradio_api/upload", files={"files": ("up.csv", content)}
    )
    (path,) = answer.json()
    given = {"path": path, "meta": {"_type": "gradio.FileData"}}
    (html,) = visitor.press("forecast", "forecast", given)
    assert "2020-01-01 01:00" in html


def test_a_text_is_written_and_its_blanks_are_filled(serving, tmp_path):
    pytest.importorskip("gradio")
    answer_models.write_continuation(tmp_path / "stories" / "1")
    with serving(tmp_path, make_pages, ui=True) as running:
        visitor = Visitor(running)
        visitor.models()
        (html,) = visitor.press("write", "stories", "Up: <", 1.0, 3, 5)
        assert "<i>Up: &lt;</i> 5 6 7</p>" in html
        (html,) = visitor.press("write", "stories", "", 1.0, 3, 2**40)
        assert html.startswith('<p class="refusal"')
        (html,) = visitor.press("fill", "stories", "The ____ man")
        assert html.count('class="bar') == 2
        assert "75.0 %" in html
        assert "<span>&lt;b&gt;</span>" in html
        (html,) = visitor.press("fill", "stories", "The man")
        assert "The text has no blank" in html


def test_errors_are_sentences(page):
    visitor = Visitor(page)
    visitor.models()
    (html,) = visitor.press("classify", "labels", "")
    assert html == '<p class="refusal" role="alert">Write a text first.</p>'
    (html,) = visitor.press("classify", None, "a good one")
    assert "Choose a model first." in html


def test_the_limits_hold_for_the_page(serving, folder):
    pytest.importorskip("gradio")
    limits = {"body_megabytes": 0.01, "seconds": 1e-6}
    with serving(folder, make_pages, ui=True, limits=limits) as running:
        visitor = Visitor(running)
        visitor.models()
        (html,) = visitor.press("classify", "labels", "a good one")
        assert "Timed out" in html
        large = {"files": ("up.csv", b"x" * 20_000)}
        answer = running.http.post("/ui/gradio_api/upload", files=large)
        assert answer.status_code == 413


def test_what_is_turned_away_or_old_leaves_nothing_on_the_disk(serving, folder):
    pytest.importorskip("gradio")
    with serving(folder, ui=True, limits={"body_megabytes": 0.001}) as running:
        kept = Path(os.environ["GRADIO_TEMP_DIR"])
        address = "/ui/gradio_api/upload"

        def send(content):
            return running.http.post(address, files={"files": ("up.csv", content)})

        assert send(b"x" * 2000).status_code == 413
        # Of no length that is said.
        answer = running.http.post(address, content=iter([b"x" * 100]))
        assert answer.status_code == 413
        assert not [each for each in kept.rglob("*") if each.is_file()]
        codes = {send(b"%03d" % number * 200).status_code for number in range(150)}
        assert codes == {200, 429}
        size = sum(each.stat().st_size for each in kept.rglob("*") if each.is_file())
        assert size <= uploads.MOST_FILES * 1048
    assert not kept.exists()


def test_no_file_of_the_machine_can_be_read(page, folder):
    for path in ("/etc/passwd", str(folder / "labels" / "1" / "saved_model.pb")):
        answer = page.http.get(f"/ui/gradio_api/file={path}")
        assert answer.status_code in (403, 404)


def test_an_open_page_does_not_keep_the_server(serving, tmp_path):
    pytest.importorskip("gradio")
    with serving(tmp_path, ui=True) as running:
        address = f"{running.url}/ui/gradio_api/heartbeat/me"
        stream = httpx.stream("GET", address, timeout=60)
        opened = stream.__enter__()
        assert "ALIVE" in next(opened.iter_lines())
        begun = time.monotonic()
    # Requests in flight would have had 30 seconds.
    assert time.monotonic() - begun < 20
    stream.__exit__(None, None, None)


@pytest.fixture(scope="module")
def guarded(serving, folder, tmp_path_factory):
    pytest.importorskip("gradio")
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(f"{KEY}\nother\n")
    with serving(folder, ui=True, api_key_file=keys) as running:
        yield running


def test_who_has_no_key_is_asked_for_one(guarded):
    for path in ("/ui", "/ui/", "/ui/config", "/ui/gradio_api/info"):
        answer = guarded.http.get(path)
        assert answer.status_code == 401
        assert "This server asks for an API key" in answer.text
    answer = guarded.http.post("/ui/gradio_api/upload", files={"files": b"x"})
    assert answer.status_code == 401
    for given in ({"key": "wrong"}, {}, {"key": "x" * 10_000}):
        answer = guarded.http.post("/ui/key", data=given)
        assert answer.status_code == 401
        assert "not one of the server" in answer.text
        assert "set-cookie" not in answer.headers


def test_the_key_of_the_form_opens_the_page_and_no_api(guarded):
    with httpx.Client(base_url=guarded.url, timeout=60) as browser:
        answer = browser.post("/ui/key", data={"key": KEY})
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"]
        for each in ("Path=/ui", "HttpOnly", "SameSite=Strict"):
            assert each in cookie
        assert browser.get("/ui/").status_code == 200
        sent = {"cookie": cookie.partition(";")[0]}
        assert browser.get("/ui/config", headers=sent).status_code == 200
        assert browser.get("/v1/models/forecast", headers=sent).status_code == 401
    by_header = guarded.http.get("/ui/", headers={"x-api-key": "other"})
    assert by_header.status_code == 200


@pytest.mark.parametrize("package", ["gradio", "pandas", "matplotlib"])
def test_without_its_packages_the_page_names_the_extra(
    serving, folder, package, monkeypatch
):
    if package != "gradio":
        pytest.importorskip("gradio")
    for name in list(sys.modules):
        for room in (ui, answers):
            if name.startswith(f"{room.__name__}."):
                monkeypatch.delitem(sys.modules, name)
                monkeypatch.delattr(room, name.rpartition(".")[2])
    monkeypatch.setitem(sys.modules, package, None)
    with serving(folder, make_pages, ui=True) as running:
        answer = running.http.get("/ui")
        assert answer.status_code == 501
        assert answer.text.count("\n") == 1
        assert package in answer.text
        assert "pip install 'recurra[web]'" in answer.text
        assert running.http.get("/v1/models/forecast").status_code == 200


def test_the_page_can_be_left_out(server):
    assert server.http.get("/ui").status_code == 404
