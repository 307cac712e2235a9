"""Sentiment on the page: the class with its confidence, and what speaks for it."""

from html import escape

import numpy as np

from ..errors import invalid
from ..loading import LoadedModel
from ..signatures import Arrays
from . import markup
from .signature_use import as_text, has

_TEXT = {"text"}


def fits(model: LoadedModel) -> bool:
    """Whether this page is the model's."""
    return model.card.get("task") == "sentiment" and has(
        model, _TEXT, {"label", "score", "probabilities"}
    )


def answer(model: LoadedModel, text: str) -> str:
    """The answer to a text, as HTML.

    Raises:
        ServingError: If there is no text.
    """
    if not text.strip():
        raise invalid("Write a text first.")
    texts = {"text": np.array([text.encode()], object)}
    found = model.signature("").run(texts)
    html = _classes(model, found)
    if has(model, _TEXT, {"tokens", "attributions"}, "explain"):
        html += _explanation(
            model.signature("explain").run(texts), as_text(found["label"][0])
        )
    return html


def _classes(model: LoadedModel, found: Arrays) -> str:
    label, probabilities = as_text(found["label"][0]), found["probabilities"][0]
    names = model.card.get("classes", [])
    if len(names) != len(probabilities):
        names = [f"class {number}" for number in range(len(probabilities))]
    bars = "".join(
        f'<div class="bar{" chosen" if name == label else ""}">'
        f"<span>{escape(name)}</span>"
        f'<div><i style="width: {share:.2%}"></i></div>'
        f"<b>{_percent(share)}</b></div>"
        for name, share in zip(names, probabilities, strict=True)
    )
    return (
        f'<p class="answer"><strong>{escape(label)}</strong> '
        f"with a calibrated confidence of {_percent(found['score'][0])}</p>{bars}"
    )


def _percent(share: float) -> str:
    """Never a certainty that the model does not have."""
    if share > 0.999:
        return "over 99.9 %"
    return "under 0.1 %" if share < 0.001 else markup.percent(share)


def _explanation(found: Arrays, label: str) -> str:
    tokens = [as_text(token) for token in found["tokens"][0]]
    parts = found["attributions"][0]
    largest = max(float(np.abs(parts).max(initial=0.0)), 1e-6)
    marks = " ".join(
        f'<mark style="--part: {abs(part) / largest:.2f}" '
        f'class="{"for" if part >= 0 else "against"}" title="{part:+.3f}">'
        f"{escape(token)}</mark>"
        for token, part in zip(tokens, parts, strict=True)
        if token
    )
    return (
        markup.heading("What the answer rests on")
        + f'<p class="tokens">{marks}</p>'
        + '<p class="note"><mark class="for" style="--part: .8">speaks for</mark> '
        f'{escape(label)}, <mark class="against" style="--part: .8">against</mark> it; '
        "the stronger the colour, the more. Point at a word for its share.</p>"
    )
