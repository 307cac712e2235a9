"""The page of models that give a text any of some labels, each with its threshold."""

from html import escape

from recurra.pipelines.cards import LabelSetsAnswer

from ..serving.models.loading import LoadedModel
from . import markup
from .labels_page import LabelsPage, asked, explanation
from .served_model import answer_of, as_text, has

_INPUTS = {"text"}


class LabelSetsPage(LabelsPage):
    """A text in, its labels out."""

    kind = "label_sets"
    api_name = "label"

    def fits(self, model: LoadedModel) -> bool:
        """Whether the model gives texts any of its labels."""
        return answer_of(model, LabelSetsAnswer) is not None and has(
            model, _INPUTS, {"labels", "chosen", "probabilities"}
        )

    def html(self, model: LoadedModel, text: str) -> str:
        return answer_html(model, text)


def answer_html(model: LoadedModel, text: str) -> str:
    """The answer to a text, as HTML.

    Raises:
        ServingError: If there is no text.
    """
    texts = asked(text)
    found = model.signature("").run(texts)
    answer = answer_of(model, LabelSetsAnswer)
    assert answer is not None
    (decoded,) = answer.decode(found)
    names = decoded["labels"]
    bars = markup.bars(
        decoded["probabilities"].items(),
        *names,
        marks=dict(zip(answer.classes, answer.thresholds, strict=True)),
    )
    shown = ", ".join(f"<strong>{escape(name)}</strong>" for name in names)
    html = (
        f'<p class="answer">{shown or "None of the labels"}</p>{bars}'
        '<p class="note">A text gets each label whose probability reaches the line '
        "across its bar.</p>"
    )
    if has(model, _INPUTS, {"tokens", "attributions", "label"}, "explain"):
        explained = model.signature("explain").run(texts)
        html += explanation(explained, as_text(explained["label"][0]))
    return html
