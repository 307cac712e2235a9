"""What the page makes of several labels."""

import re

import pytest

pytest.importorskip("gradio")

from recurra.apps.answers import label_sets_page  # noqa: E402
from recurra.apps.serving.errors import ServingError  # noqa: E402


def words(html):
    """What a person reads of it."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def chosen(html):
    return re.findall(r'<div class="bar chosen"><span>(\w+)<', html)


def test_all_labels_that_reach_their_threshold_stand_out(models):
    html = label_sets_page.answer_html(models["label_sets"], "a good bad one")
    shown = words(html)
    assert shown.startswith("bad , good bad 75.0 % good 75.0 % never under 0.1 %")
    assert chosen(html) == ["bad", "good"]
    assert re.findall(r'left: ([\d.]+)%" title="threshold ([\d.]+)"', html) == [
        ("50.00", "0.5"),
        ("70.00", "0.7"),
        ("50.00", "0.5"),
    ]
    assert "confidence" not in shown
    assert "speaks for good, against it" in shown


def test_no_label_is_said(models):
    html = label_sets_page.answer_html(models["label_sets"], "one")
    assert words(html).startswith("None of the labels bad 25.0 %")
    assert chosen(html) == []


@pytest.mark.parametrize("text", ["", " \n"])
def test_no_text_is_asked_for(models, text):
    with pytest.raises(ServingError, match="Write a text first"):
        label_sets_page.answer_html(models["label_sets"], text)
