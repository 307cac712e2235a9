"""The page: a model is chosen, and its kind of answer decides what is shown below."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import gradio as gr
from gradio.blocks import Block

from ..errors import ServingError
from ..models.loading import LoadedModel
from . import markup
from .answer_page import AnswerPage, Choice, Shown, Updates
from .asking import Asker
from .form_page import FormPage
from .handlers import PRIVATE

POLL_SECONDS = 2.0

# Nobody has asked for what follows the folder of models.
_QUIET: dict[str, Any] = {**PRIVATE, "show_progress": "hidden"}


class _Section(NamedTuple):
    """An answer page within the page, seen while a model that it fits is chosen."""

    page: AnswerPage
    column: gr.Column
    components: Sequence[gr.Component]


def build(asker: Asker, answer_pages: Sequence[AnswerPage]) -> gr.Blocks:
    """The page.

    Args:
        asker: Puts its questions to the models.
        answer_pages: The first one that fits a model is the model's. A model that none
            fits has a form.
    """
    # Uploaded files go after an hour, and when the server stops.
    with gr.Blocks(
        title="Try the models", analytics_enabled=False, delete_cache=(600, 3600)
    ) as page:
        gr.Markdown("# Try the models", elem_classes="title")
        model = gr.Dropdown(label="Model", choices=[], filterable=False)
        about = gr.HTML(_nothing())
        known = gr.State([])
        choice = Choice(model, gr.State(None))
        sections = [
            _build_section(each, asker, choice) for each in (*answer_pages, FormPage())
        ]
        _follow_models(page, asker, model, known)
        _show_chosen(asker, choice, known, about, sections)
    page.queue(default_concurrency_limit=None)
    return page


def _build_section(page: AnswerPage, asker: Asker, choice: Choice) -> _Section:
    with gr.Column(visible=False) as column:
        return _Section(page, column, page.build(asker, choice))


def _follow_models(
    page: gr.Blocks, asker: Asker, model: gr.Dropdown, known: gr.State
) -> None:
    """Keeps the list of models in step with what is served."""

    async def follow(name: str | None, before: list, request: gr.Request) -> list:
        now = [(version.model, version.number) for version in asker.versions()]
        if now == before:
            return [gr.skip(), gr.skip()]
        wanted = name or request.query_params.get("model")
        names = [name for name, _ in now]
        first = names[0] if names else None
        choices = [(f"{name}, version {number}", name) for name, number in now]
        value = wanted if wanted in names else first
        return [gr.Dropdown(choices, value=value), now]

    triggers = [page.load, gr.Timer(POLL_SECONDS).tick]
    gr.on(triggers, follow, [model, known], [model, known], **_QUIET)


def _show_chosen(
    asker: Asker,
    choice: Choice,
    known: gr.State,
    about: gr.HTML,
    sections: Sequence[_Section],
) -> None:
    """Shows the section of the chosen model, and hides the others."""

    async def show(name: str | None, before: Shown | None) -> Updates:
        try:
            version = asker.find(name)
        except ServingError:
            hidden: Updates = {
                each.column: gr.Column(visible=False) for each in sections
            }
            return {about: _nothing(), choice.shown: None, **hidden}
        assert version.loaded is not None
        model = version.loaded
        section = _section_of(model, sections)
        shown = Shown(version.model, version.number, section.page.kind)
        updates: Updates = {about: _about(model), choice.shown: shown}
        for each in sections:
            updates[each.column] = gr.Column(visible=each is section)
        # What somebody has typed outlives a new version.
        if not before or (before.model, before.kind) != (shown.model, shown.kind):
            updates.update(section.page.filled(model))
        return updates

    outputs: list[Block] = [about, choice.shown]
    for section in sections:
        outputs += [section.column, *section.components]
    gr.on([choice.model.change, known.change], show, [*choice], outputs, **_QUIET)


def _section_of(model: LoadedModel, sections: Sequence[_Section]) -> _Section:
    return next(section for section in sections if section.page.fits(model))


def _nothing() -> str:
    return markup.note("No model is served yet; the page waits for one.")


def _about(model: LoadedModel) -> str:
    """A line about a model, from its card."""
    card = model.card
    if card is None:
        return ""
    parts = [f"Task: {card.task}", f"exported {card.created[:10]}"]
    spec = card.training_data.get("spec")
    if isinstance(spec, str):
        parts.append(f"trained on {os.path.basename(spec.rstrip('/'))}")
    return markup.note(" · ".join(parts))
