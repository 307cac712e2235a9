"""The page: a model is chosen, and its task decides what is shown below."""

import functools
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import gradio as gr

from ..errors import ServingError, as_serving_error
from ..loading import LoadedModel
from ..versions import Version
from . import forms, markup, sentiment, translation, weather
from .asking import Asker
from .signature_use import example_text

POLL_SECONDS = 2.0
# Of translations.
MOST_BEST = 10

# By name, what says whether a model is of the task. Any other has a form.
TASKS: dict[str, Callable[[LoadedModel], bool]] = {
    "sentiment": sentiment.fits,
    "weather": weather.fits,
    "translation": translation.fits,
}
FORM = "form"

# Programs ask the APIs, which stay as they are, and not the page.
PRIVATE: dict[str, Any] = {"api_visibility": "private"}

# Of a model: name, version, page. What is built for it is built anew with any of them.
Chosen = tuple[str, int, str]

Html = Callable[..., Awaitable[str]]


def build(asker: Asker) -> gr.Blocks:
    """The page.

    Args:
        asker: Its questions go through it.
    """
    # Uploaded files go after an hour, and when the server stops.
    with gr.Blocks(
        title="Try the models", analytics_enabled=False, delete_cache=(600, 3600)
    ) as page:
        gr.Markdown("# Try the models", elem_classes="title")
        model = gr.Dropdown(label="Model", choices=[], filterable=False)
        about = gr.HTML(_nothing())
        known = gr.State([])
        chosen = gr.State(None)
        with gr.Column(visible=False) as of_sentiment:
            of_text = _sentiment_page(asker, model)
        with gr.Column(visible=False) as of_weather:
            of_file = _weather_page(asker, model)
        with gr.Column(visible=False) as of_translation:
            of_source = _translation_page(asker, model)
        with gr.Column(visible=False) as of_any:
            _form_page(asker, chosen)
        columns = {
            "sentiment": of_sentiment,
            "weather": of_weather,
            "translation": of_translation,
            FORM: of_any,
        }

        async def follow(name: str | None, before: list, request: gr.Request) -> list:
            """Which models there are, if these are not those from before."""
            now = [(each.model, each.number) for each in asker.versions()]
            if now == before:
                return [gr.skip(), gr.skip()]
            wanted = name or request.query_params.get("model")
            names = [each for each, _ in now]
            first = names[0] if names else None
            choices = [(f"{each}, version {number}", each) for each, number in now]
            return [
                gr.Dropdown(choices, value=wanted if wanted in names else first),
                now,
            ]

        async def show(name: str | None, before: Chosen | None) -> list:
            """The page of the model that is chosen."""
            try:
                version = asker.find(name)
            except ServingError:
                hidden = [gr.Column(visible=False)] * len(columns)
                return [_nothing(), None, *hidden, *[gr.skip()] * len(filled)]
            assert version.loaded is not None
            loaded = version.loaded
            now = (version.model, version.number, page_of(loaded))
            return [
                _about(version),
                now,
                *(gr.Column(visible=each == now[2]) for each in columns),
                # What somebody has typed outlives a new version.
                *(
                    [gr.skip()] * len(filled)
                    if before and before[0] == now[0]
                    else _examples(loaded, now[2])
                ),
            ]

        filled = [*of_text, *of_file, *of_source]
        shown = [about, chosen, *columns.values(), *filled]
        quiet = {**PRIVATE, "show_progress": "hidden"}
        again = [page.load, gr.Timer(POLL_SECONDS).tick]
        gr.on(again, follow, [model, known], [model, known], **quiet)
        gr.on([model.change, known.change], show, [model, chosen], shown, **quiet)
    page.queue(default_concurrency_limit=None)
    return page


def page_of(model: LoadedModel) -> str:
    """Which page is the model's: that of its task, or the form."""
    return next((task for task, fits in TASKS.items() if fits(model)), FORM)


def told(function: Html) -> Html:
    """The function, but with an error said in its answer."""

    @functools.wraps(function)
    async def answered(*values: Any) -> str:
        try:
            return await function(*values)
        except Exception as error:
            return markup.refusal(as_serving_error(error).message)

    return answered


def _nothing() -> str:
    return markup.note("No model is served yet; the page waits for one.")


def _about(version: Version) -> str:
    """A line about a model, from its card."""
    assert version.loaded is not None
    card = version.loaded.card
    said = []
    if isinstance(card.get("task"), str):
        said.append(f"Task: {card['task']}")
    if isinstance(card.get("created"), str):
        said.append(f"exported {card['created'][:10]}")
    trained = card.get("training_data")
    if isinstance(trained, dict) and isinstance(trained.get("spec"), str):
        said.append(f"trained on {os.path.basename(trained['spec'].rstrip('/'))}")
    return markup.note(" · ".join(said)) if said else ""


def _examples(model: LoadedModel, task: str) -> list:
    """Fills all pages anew: with what warmed the model up, and without an answer."""
    text = example_text(model) if task in ("sentiment", "translation") else ""
    hint = sample = ""
    if task == "weather":
        hint, sample = weather.expected(model), weather.sample(model)
    link = markup.download("Download the sample (CSV)", "sample.csv", sample)
    return [text, "", hint, link if sample else "", "", text, ""]


def _sentiment_page(asker: Asker, model: gr.Dropdown) -> list[gr.Component]:
    text = gr.Textbox(label="Text", lines=4, max_lines=16)
    button = gr.Button("Classify", variant="primary")
    answer = gr.HTML()

    @told
    async def classify(name: str, text: str) -> str:
        return await asker.ask(name, lambda each: sentiment.answer(each, text or ""))

    button.click(classify, [model, text], answer, api_name="classify", **PRIVATE)
    return [text, answer]


def _weather_page(asker: Asker, model: gr.Dropdown) -> list[gr.Component]:
    hint = gr.HTML()
    file = gr.File(label="Measurements (CSV)", file_types=[".csv"], height=140)
    with gr.Row():
        button = gr.Button("Forecast", variant="primary")
        sampling = gr.Button("Use the sample")
    sample = gr.HTML()
    answer = gr.HTML()

    @told
    async def forecast(name: str, path: str | None) -> str:
        if not path:
            return markup.refusal("Choose a file first, or use the sample.")
        return await asker.ask(name, lambda each: weather.answer(each, Path(path)))

    @told
    async def forecast_sample(name: str) -> str:
        return await asker.ask(name, weather.answer_sample)

    button.click(forecast, [model, file], answer, api_name="forecast", **PRIVATE)
    sampling.click(
        forecast_sample, model, answer, api_name="forecast_sample", **PRIVATE
    )
    return [hint, sample, answer]


def _translation_page(asker: Asker, model: gr.Dropdown) -> list[gr.Component]:
    text = gr.Textbox(label="Text", lines=3, max_lines=16)
    number = gr.Slider(1, MOST_BEST, value=3, step=1, label="Translations")
    button = gr.Button("Translate", variant="primary")
    answer = gr.HTML()

    @told
    async def translate(name: str, text: str, number: int) -> str:
        def work(each: LoadedModel) -> str:
            return translation.answer(each, text or "", int(number))

        return await asker.ask(name, work)

    button.click(
        translate, [model, text, number], answer, api_name="translate", **PRIVATE
    )
    return [text, answer]


def _form_page(asker: Asker, chosen: gr.State) -> None:
    signature = gr.State(None)

    @gr.render(inputs=[chosen, signature], triggers=[chosen.change, signature.change])
    def form(now: Chosen | None, wanted: str | None) -> None:
        if now is None or now[2] != FORM:
            return
        try:
            loaded = asker.find(now[0]).loaded
        except ServingError:
            loaded = None
        if loaded is None:
            # It went a moment ago; the list follows.
            return
        names = forms.names(loaded)
        if not names:
            gr.HTML(markup.refusal(f"{now[0]} has no signature that can be run."))
            return
        name = wanted if wanted in names else names[0]
        choice = gr.Dropdown(
            names, value=name, label="Signature", filterable=False, interactive=True
        )
        choice.input(lambda each: each, choice, signature, **PRIVATE)
        boxes = {
            key: gr.Textbox(label=label, value=value, max_lines=12, interactive=True)
            for key, label, value in forms.fields(loaded, name)
        }
        button = gr.Button("Run", variant="primary")
        wrong = gr.HTML("")
        answer = gr.Code(label="Answer", language="json", visible=False)

        async def run(*values: str) -> list:
            given = dict(zip(boxes, values, strict=True))
            try:
                found = await asker.ask(
                    now[0], lambda each: forms.answer(each, name, given)
                )
            except Exception as error:
                message = as_serving_error(error).message
                return [markup.refusal(message), gr.Code(visible=False)]
            return ["", gr.Code(found, visible=True)]

        button.click(run, list(boxes.values()), [wrong, answer], **PRIVATE)
