"""Which page a model gets."""

import pytest

pytest.importorskip("gradio")
pytest.importorskip("matplotlib")

from recurra.apps.answers.pages import make_pages  # noqa: E402

KINDS = ("labels", "label_sets", "forecast", "text")


def pages_of(model):
    return [page.kind for page in make_pages() if page.fits(model)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_card_and_the_signatures_decide_on_the_page(models, kind):
    assert pages_of(models[kind]) == [kind]


def test_a_model_without_a_card_has_no_page(models):
    assert models["kinds"].card is None
    assert pages_of(models["kinds"]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_card_that_the_signatures_do_not_bear_out_has_no_page(
    models, kind, monkeypatch
):
    monkeypatch.setattr(models["kinds"], "card", models[kind].card)
    assert pages_of(models["kinds"]) == []
