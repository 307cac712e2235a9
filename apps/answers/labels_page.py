"""The page of labels: the class of a text, its confidence, and what speaks for it."""

from collections.abc import Sequence
from html import escape

import gradio as gr
import numpy as np

from recurra.pipelines.cards import LabelsAnswer

from ..serving.errors import invalid
from ..serving.models.loading import LoadedModel
from ..serving.models.signatures import Arrays
from ..serving.ui.answer_page import Choice, Updates
from ..serving.ui.asking import Asker
from ..serving.ui.handlers import PRIVATE, with_errors_shown
from . import markup
from .served_model import answer_of, as_text, example_text, has

_INPUTS = {"text"}


class LabelsPage:
    """A text in, its class out."""

    kind = "labels"
    api_name = "classify"

    def fits(self, model: LoadedModel) -> bool:
        """Whether the model classifies texts."""
        return answer_of(model, LabelsAnswer) is not None and has(
            model, _INPUTS, {"label", "score", "probabilities"}
        )

    def build(self, asker: Asker, choice: Choice) -> Sequence[gr.Component]:
        """A text, a button, an answer."""
        self._text = gr.Textbox(label="Text", lines=4, max_lines=16)
        button = gr.Button("Classify", variant="primary")
        self._answer = gr.HTML()

        @with_errors_shown
        async def classify(name: str, text: str) -> str:
            return await asker.ask(name, lambda model: self.html(model, text or ""))

        button.click(
            classify,
            [choice.model, self._text],
            self._answer,
            api_name=self.api_name,
            **PRIVATE,
        )
        return [self._text, self._answer]

    def html(self, model: LoadedModel, text: str) -> str:
        """The answer to a text."""
        return answer_html(model, text)

    def filled(self, model: LoadedModel) -> Updates:
        """The text that warmed the model up, and no answer."""
        return {self._text: example_text(model), self._answer: ""}


def answer_html(model: LoadedModel, text: str) -> str:
    """The answer to a text, as HTML.

    Raises:
        ServingError: If there is no text.
    """
    texts = asked(text)
    found = model.signature("").run(texts)
    html = _classes(model, found)
    if has(model, _INPUTS, {"tokens", "attributions"}, "explain"):
        html += explanation(
            model.signature("explain").run(texts), as_text(found["label"][0])
        )
    return html


def asked(text: str) -> dict[str, np.ndarray]:
    """The input of the model. Raises ServingError if there is no text."""
    if not text.strip():
        raise invalid("Write a text first.")
    return {"text": np.array([text.encode()], object)}


def _classes(model: LoadedModel, found: Arrays) -> str:
    label, probabilities = as_text(found["label"][0]), found["probabilities"][0]
    answer = answer_of(model, LabelsAnswer)
    names = answer.classes if answer else []
    if len(names) != len(probabilities):
        names = [f"class {number}" for number in range(len(probabilities))]
    bars = markup.bars(zip(names, probabilities, strict=True), label)
    confidence = markup.careful_percent(found["score"][0])
    return (
        f'<p class="answer"><strong>{escape(label)}</strong> '
        f"with a calibrated confidence of {confidence}</p>{bars}"
    )


def explanation(found: Arrays, label: str) -> str:
    """What speaks for a label, as the signature `explain` has it."""
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
