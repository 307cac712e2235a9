"""The page of texts that go on: written before one's eyes, and blanks filled in."""

import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from html import escape

import gradio as gr

from recurra.pipelines.cards import BLANK, ContinuationAnswer

from ..serving.models import writing
from ..serving.models.loading import LoadedModel
from ..serving.ui.answer_page import Choice, Updates
from ..serving.ui.asking import Asker
from ..serving.ui.handlers import PRIVATE, with_errors_shown, with_errors_shown_behind
from ..serving.ui.markup import note
from . import markup
from .served_model import answer_of, example_text

_MOST_UNITS, _HOTTEST = 2_000, 2.0
_FILLINGS = 5
# Between two looks of a text that is being written.
_SECONDS = 0.05


class ContinuationPage:
    """A text in; what follows comes as it is written, or fillings of its blanks."""

    kind = "continuation"

    def fits(self, model: LoadedModel) -> bool:
        """Whether the model writes on behind a text."""
        return writing.writes(model)

    def build(self, asker: Asker, choice: Choice) -> Sequence[gr.Component]:
        """A text, how it goes on, buttons to write, stop and fill in, the answer."""
        self._text = gr.Textbox(label="Text", lines=3, max_lines=16)
        with gr.Row():
            self._temperature = gr.Slider(
                0, _HOTTEST, step=0.05, label="Temperature", info="0: the likeliest"
            )
            self._length = gr.Slider(
                1, _MOST_UNITS, step=1, label="Length", info="units at most"
            )
            self._seed = gr.Number(
                0, precision=0, label="Seed", info="the same writes the same"
            )
        with gr.Row():
            write = gr.Button("Write", variant="primary")
            stop = gr.Button("Stop")
            self._fill = gr.Button("Fill in the blanks")
        self._about_blanks = gr.HTML()
        self._answer = gr.HTML()

        @with_errors_shown_behind
        async def written(
            name: str, text: str, temperature: float, length: int, seed: int
        ) -> AsyncGenerator[str]:
            options = {
                "temperature": temperature,
                "length": int(length),
                "seed": int(seed or 0),
            }
            pieces = asker.pieces(
                name, lambda model: writing.write(model, text or "", options)
            )
            behind, shown_at = "", 0.0
            async with contextlib.aclosing(pieces):
                async for piece in pieces:
                    behind += piece
                    if time.monotonic() - shown_at > _SECONDS:
                        shown_at = time.monotonic()
                        yield written_html(text or "", behind)
            yield written_html(text or "", behind)

        @with_errors_shown
        async def filled(name: str, text: str) -> str:
            return await asker.ask(name, lambda model: filled_html(model, text or ""))

        writes = write.click(
            written,
            [
                choice.model,
                self._text,
                self._temperature,
                self._length,
                self._seed,
            ],
            self._answer,
            api_name="write",
            # It shows that it goes on by going on.
            show_progress="hidden",
            **PRIVATE,
        )
        stop.click(None, cancels=[writes], **PRIVATE)
        self._fill.click(
            filled,
            [choice.model, self._text],
            self._answer,
            api_name="fill",
            cancels=[writes],
            **PRIVATE,
        )
        return [
            self._text,
            self._temperature,
            self._length,
            self._fill,
            self._about_blanks,
            self._answer,
        ]

    def filled(self, model: LoadedModel) -> Updates:
        """The text that warmed the model up, its way to write, and no answer."""
        answer = answer_of(model, ContinuationAnswer)
        assert answer is not None
        fills = writing.fills(model)
        unit = answer.units.removesuffix("s")
        return {
            self._text: example_text(model),
            self._temperature: min(answer.temperature, _HOTTEST),
            self._length: min(answer.length, _MOST_UNITS),
            self._fill: gr.Button(visible=fills),
            self._about_blanks: note(f"{BLANK} in the text is a {unit} to be found.")
            if fills
            else "",
            self._answer: "",
        }


def written_html(prompt: str, text: str) -> str:
    """What was written behind a prompt, as HTML."""
    return f'<p class="written" dir="auto"><i>{escape(prompt)}</i>{escape(text)}</p>'


def filled_html(model: LoadedModel, text: str) -> str:
    """The fillings of each blank of a text, as HTML.

    Args:
        model: One that `ContinuationPage` fits.
        text: With blanks.

    Raises:
        ServingError: If there is no blank, or the model fills none.
    """
    blanks = writing.fill(model, text, _FILLINGS)
    best = [fillings[0]["filling"] for fillings in blanks]
    parts = text.split(BLANK)
    marked = escape(parts[0]) + "".join(
        f'<mark class="for" style="--part: .5">{escape(filling)}</mark>{escape(part)}'
        for filling, part in zip(best, parts[1:], strict=True)
    )
    bars = "".join(
        (markup.heading(f"Blank {number}") if len(blanks) > 1 else "")
        + markup.bars(
            [(each["filling"], each["probability"]) for each in fillings], best_one
        )
        for number, (fillings, best_one) in enumerate(zip(blanks, best, strict=True), 1)
    )
    return f'<p class="written" dir="auto">{marked}</p>{bars}'
