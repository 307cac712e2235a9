"""What the page makes of labels."""

import re

import numpy as np
import pytest

pytest.importorskip("gradio")

from recurra.apps.answers import labels_page  # noqa: E402
from recurra.apps.serving.errors import ServingError  # noqa: E402


def words(html):
    """What a person reads of it."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_the_class_its_confidence_and_what_speaks_for_it(models):
    html = labels_page.answer_html(models["labels"], "a good one")
    assert "good with a calibrated confidence of 75.0 %" in words(html)
    assert "bad 25.0 % good 75.0 %" in words(html)
    marks = re.findall(
        r'<mark style="--part: ([\d.]+)" class="(\w+)" title="([^"]+)">(\w+)<', html
    )
    assert marks == [
        ("0.25", "against", "-0.250", "a"),
        ("1.00", "for", "+1.000", "good"),
        ("0.25", "against", "-0.250", "one"),
    ]


def test_what_a_person_writes_is_no_html(models):
    html = labels_page.answer_html(models["labels"], "<script>alert(1)</script> good")
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_no_certainty_that_there_is_not(models, monkeypatch):
    signature = models["labels"].signatures["serving_default"]
    answers = {
        "label": np.array([b"good"], object),
        "score": np.array([0.99999], np.float32),
        "probabilities": np.array([[0.00001, 0.99999]], np.float32),
    }
    monkeypatch.setattr(signature, "run", lambda arrays: answers)
    shown = words(labels_page.answer_html(models["labels"], "good"))
    assert "confidence of over 99.9 %" in shown
    assert "bad under 0.1 %" in shown


@pytest.mark.parametrize("text", ["", " \n"])
def test_no_text_is_asked_for(models, text):
    with pytest.raises(ServingError, match="Write a text first"):
        labels_page.answer_html(models["labels"], text)
