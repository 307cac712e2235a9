"""The page of texts that a model writes: the best ones, and where each piece looks."""

from collections.abc import Sequence

import gradio as gr
import numpy as np

from recurra.pipelines.cards import TextAnswer

from ..serving.errors import invalid
from ..serving.models.loading import LoadedModel
from ..serving.models.signatures import Arrays
from ..serving.ui.answer_page import Choice, Updates
from ..serving.ui.asking import Asker
from ..serving.ui.handlers import PRIVATE, with_errors_shown
from ..serving.ui.markup import note
from . import markup
from .attention_figure import attention
from .served_model import answer_of, as_text, example_text, has

# Beyond them nobody reads the picture.
MOST_PIECES = 60
MOST_TEXTS = 10

_INPUTS = {"text"}


class TextPage:
    """A text in, the best texts for it out."""

    kind = "text"

    def fits(self, model: LoadedModel) -> bool:
        """Whether the model writes a text for a text."""
        answer = answer_of(model, TextAnswer)
        return answer is not None and has(model, _INPUTS, {answer.output, "score"})

    def build(self, asker: Asker, choice: Choice) -> Sequence[gr.Component]:
        """A text, a number of answers, a button, the answers."""
        self._text = gr.Textbox(label="Text", lines=3, max_lines=16)
        number = gr.Slider(1, MOST_TEXTS, value=3, step=1, label="Answers")
        self._button = gr.Button("Answer", variant="primary")
        self._answer = gr.HTML()

        @with_errors_shown
        async def generate(name: str, text: str, number: int) -> str:
            return await asker.ask(
                name, lambda model: answer_html(model, text or "", int(number))
            )

        self._button.click(
            generate,
            [choice.model, self._text, number],
            self._answer,
            api_name="generate",
            **PRIVATE,
        )
        return [self._text, self._button, self._answer]

    def filled(self, model: LoadedModel) -> Updates:
        """The text that warmed the model up, what the model does, and no answer."""
        answer = answer_of(model, TextAnswer)
        return {
            self._text: example_text(model),
            self._button: answer.action if answer else "Answer",
            self._answer: "",
        }


def answer_html(model: LoadedModel, text: str, number: int) -> str:
    """The answer to a text, as HTML.

    Args:
        model: One that `TextPage` fits.
        text: What it gets.
        number: So many of the best texts.

    Raises:
        ServingError: If there is no text.
    """
    if not text.strip():
        raise invalid("Write a text first.")
    texts = {"text": np.array([text.encode()], object)}
    html = _ranked(model, texts, number)
    if has(model, _INPUTS, {"source_pieces", "target_pieces", "weights"}, "attend"):
        html += _attention(model.signature("attend").run(texts))
    return html


def _ranked(model: LoadedModel, texts: Arrays, number: int) -> str:
    answer = answer_of(model, TextAnswer)
    assert answer is not None
    output = answer.output
    if has(model, {"text", "k"}, {output, "score"}, "nbest"):
        inputs = {**texts, "k": np.array(number, np.int32)}
        found = model.signature("nbest").run(inputs)
        best, scores = found[output][0], found["score"][0]
    else:
        found = model.signature("").run(texts)
        best, scores = found[output], found["score"]
    rows = [
        (str(rank), as_text(written), f"{score:.2f}")
        for rank, (written, score) in enumerate(zip(best, scores, strict=True), 1)
    ]
    return (
        f'<div class="ranked">{markup.table(("", output, "score"), rows)}</div>'
        + note(
            "The score is a log-probability with the penalties of the search: "
            "the nearer to 0, the surer."
        )
    )


def _attention(found: Arrays) -> str:
    source = [as_text(piece) for piece in found["source_pieces"][0] if piece]
    target = [as_text(piece) for piece in found["target_pieces"][0] if piece]
    html = markup.heading("Where each piece of the best answer looks")
    if not source or not target:
        return ""
    if max(len(source), len(target)) > MOST_PIECES:
        return html + note(
            f"The picture is left out: there are more than {MOST_PIECES} pieces."
        )
    weights = found["weights"][0][: len(target), : len(source)]
    drawn = attention(source, target, weights)
    return (
        html
        + f'<div class="wide">{drawn}</div>'
        + note(
            "Each row is a piece of the answer, each column one of the text; the "
            "darker, the more weight. ▁ stands where a word begins."
        )
    )
