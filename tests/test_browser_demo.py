"""docs/browser in a headless Chromium: its answers are those of the exported model.

`make test-browser-demo` builds what it needs; elsewhere it is skipped.
"""

import functools
import http.server
import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
BUILT = ROOT / "build" / "browser"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if not (BUILT / "model" / "model.onnx").is_file() or CHROMIUM is None:
    pytest.skip(
        "make test-browser-demo builds the page; it needs Chromium",
        allow_module_level=True,
    )
sync_api = pytest.importorskip("playwright.sync_api")

ODD = [
    *("", " ", "...", "'", "It's GREAT!!", "\u2019tis \u2018fine\u2019"),
    *("na\u00efve cafe\u0301", "A &amp; B &lt;3", "&#39;&#x27;&quot;"),
    *("<b>bo</b>ld<br/>new<p class='x'>line", "\uff26\uff35\uff2c\uff2c width"),
    *("\u3042\u308a\u304c\u3068\u3046", "\u4e2d\u6587\u548cEnglish"),
    *("\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "zero\u200bwidth", "soft\u00adhyphen"),
    *("I\u0130\u0131i", "\U0001f600 smile", "tab\tand\nline", "it''s ''quoted''"),
    *("a" * 70, "1,000.5"),
]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        """Says nothing."""


@pytest.fixture(scope="module")
def page():
    handler = functools.partial(Quiet, directory=str(BUILT))
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        sync_api.sync_playwright() as playwright,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        page.wait_for_selector("tbody tr", timeout=60_000)
        yield page
        browser.close()
        server.shutdown()


def texts():
    """Of the sample, and odd ones; one is so long that it is cut."""
    from recurra.pipelines.samples.reviews import sample_reviews

    sampled, _ = sample_reviews(100, 5).splits["train"]
    return [*sampled, *ODD, " ".join(sampled[:40])]


def test_answers_are_those_of_the_exported_model(page):
    from recurra.pipelines import load_model

    asked = texts()
    expected = load_model(BUILT / "model").run({"text": asked})
    found = page.evaluate(
        """async (texts) => {
          const answers = [];
          for (const text of texts) answers.push(await window.model.classify(text));
          return answers;
        }""",
        asked,
    )
    np.testing.assert_allclose(
        [each["probabilities"] for each in found], expected["probabilities"], atol=1e-4
    )
    labels = [label.decode() for label in expected["label"]]
    assert [each["labels"] for each in found] == [[label] for label in labels]


def test_it_answers_while_one_types(page):
    page.fill("#text", "The worst evening of my life, dreadful and boring.")
    page.wait_for_function(
        "document.querySelector('caption').textContent.startsWith('neg')"
    )
    shares = [float(cell) for cell in page.locator("td:last-child").all_inner_texts()]
    assert sum(shares) == pytest.approx(1, abs=1e-3)
    assert page.evaluate("document.body.scrollWidth <= window.innerWidth")
    settings = json.loads((BUILT / "model" / "preprocessing.json").read_text("utf-8"))
    assert page.locator("tbody tr").count() == len(settings["classes"])
