"""The page of numbers: a text in, a number out."""

from collections.abc import Sequence
from html import escape

import gradio as gr
import numpy as np

from recurra.pipelines.cards import NumberAnswer

from ..serving.errors import invalid
from ..serving.models.loading import LoadedModel
from ..serving.ui.answer_page import Choice, Updates
from ..serving.ui.asking import Asker
from ..serving.ui.handlers import PRIVATE, with_errors_shown
from .served_model import answer_of, example_text, has


class NumberPage:
    """A text in, a number out."""

    kind = "number"

    def fits(self, model: LoadedModel) -> bool:
        """Whether the model gives a number to a text."""
        is_number = answer_of(model, NumberAnswer) is not None
        return is_number and has(model, {"text"}, {"value"})

    def build(self, asker: Asker, choice: Choice) -> Sequence[gr.Component]:
        """A text, a button, an answer."""
        self._text = gr.Textbox(label="Text", lines=4, max_lines=16)
        button = gr.Button("Rate", variant="primary")
        self._answer = gr.HTML()

        @with_errors_shown
        async def rate(name: str, text: str) -> str:
            return await asker.ask(name, lambda model: answer_html(model, text or ""))

        button.click(
            rate, [choice.model, self._text], self._answer, api_name="rate", **PRIVATE
        )
        return [self._text, self._answer]

    def filled(self, model: LoadedModel) -> Updates:
        """The text that warmed the model up, and no answer."""
        return {self._text: example_text(model), self._answer: ""}


def answer_html(model: LoadedModel, text: str) -> str:
    """The answer to a text, as HTML.

    Raises:
        ServingError: If there is no text.
    """
    if not text.strip():
        raise invalid("Write a text first.")
    answer = answer_of(model, NumberAnswer)
    assert answer is not None
    found = model.signature("").run({"text": np.array([text.encode()], object)})
    return (
        f'<p class="answer">{escape(answer.name)}: '
        f"<strong>{found['value'][0]:.4g}</strong> {escape(answer.unit)}</p>"
    )
