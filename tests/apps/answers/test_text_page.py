"""What the page makes of texts that a model writes."""

import re

import pytest

pytest.importorskip("gradio")
pytest.importorskip("matplotlib")

from recurra.apps.answers import text_page  # noqa: E402
from recurra.apps.serving.errors import ServingError  # noqa: E402


def words(html):
    """What a person reads of it."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_the_best_texts_are_ranked_and_the_attention_is_drawn(models):
    html = text_page.answer_html(models["text"], "a dog", 2)
    assert "1 A DOG -0.50 2 A DOG! -1.50 The score" in words(html)
    assert 'alt="Attention of 2 pieces to 2"' in html


def test_a_long_text_has_no_picture(models):
    html = text_page.answer_html(models["text"], "dog " * 61, 1)
    assert "<img" not in html
    assert "more than 60 pieces" in words(html)


def test_what_a_person_writes_is_no_html(models):
    html = text_page.answer_html(models["text"], "<b>dog", 1)
    assert "<b>" not in html.lower()
    assert "&lt;b&gt;dog" in html.lower()


@pytest.mark.parametrize("text", ["", " \n"])
def test_no_text_is_asked_for(models, text):
    with pytest.raises(ServingError, match="Write a text first"):
        text_page.answer_html(models["text"], text, 1)
