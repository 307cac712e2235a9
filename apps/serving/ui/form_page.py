"""The page of a model that no other page fits: a form for the signature of choice."""

from collections.abc import Sequence

import gradio as gr

from ..errors import ServingError, as_serving_error
from ..models.loading import LoadedModel
from . import forms, markup
from .answer_page import Choice, Shown, Updates
from .asking import Asker
from .handlers import PRIVATE


class FormPage:
    """JSON for each input of a signature, JSON back."""

    kind = "form"

    def fits(self, model: LoadedModel) -> bool:
        """Any model has signatures."""
        return True

    def build(self, asker: Asker, choice: Choice) -> Sequence[gr.Component]:
        """A form that is built anew with the model, its version and the signature."""
        signature = gr.State(None)
        inputs = [choice.shown, signature]
        triggers = [choice.shown.change, signature.change]

        @gr.render(inputs=inputs, triggers=triggers)
        def form(shown: Shown | None, wanted: str | None) -> None:
            if shown is None or shown.kind != self.kind:
                return
            try:
                model = asker.find(shown.model).loaded
            except ServingError:
                model = None
            # A model may have gone a moment ago; the list follows.
            if model is not None:
                _build_form(asker, shown.model, model, wanted, signature)

        return []

    def filled(self, model: LoadedModel) -> Updates:
        """Nothing: the form is built with its examples."""
        return {}


def _build_form(
    asker: Asker,
    model_name: str,
    model: LoadedModel,
    wanted: str | None,
    chosen_signature: gr.State,
) -> None:
    names = forms.names(model)
    if not names:
        gr.HTML(markup.refusal(f"{model_name} has no signature that can be run."))
        return
    name = wanted if wanted in names else names[0]
    signature = gr.Dropdown(
        names, value=name, label="Signature", filterable=False, interactive=True
    )
    signature.input(lambda chosen: chosen, signature, chosen_signature, **PRIVATE)
    boxes = {
        key: gr.Textbox(label=label, value=value, max_lines=12, interactive=True)
        for key, label, value in forms.fields(model, name)
    }
    button = gr.Button("Run", variant="primary")
    refusal = gr.HTML("")
    answer = gr.Code(label="Answer", language="json", visible=False)

    async def run(*values: str) -> Updates:
        given = dict(zip(boxes, values, strict=True))
        try:
            found = await asker.ask(
                model_name, lambda model: forms.answer(model, name, given)
            )
        except Exception as error:
            message = as_serving_error(error).message
            return {refusal: markup.refusal(message), answer: gr.Code(visible=False)}
        return {refusal: "", answer: gr.Code(found, visible=True)}

    button.click(run, list(boxes.values()), [refusal, answer], **PRIVATE)
