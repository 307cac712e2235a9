"""Translation on the page: the best translations, and where each piece looks."""

import numpy as np

from ..errors import invalid
from ..loading import LoadedModel
from ..signatures import Arrays
from . import markup
from .drawing import attention
from .signature_use import as_text, has

# Beyond them nobody reads the picture.
MOST_PIECES = 60

_TEXT = {"text"}


def fits(model: LoadedModel) -> bool:
    """Whether this page is the model's."""
    return model.card.get("task") == "translation" and has(
        model, _TEXT, {"translation", "score"}
    )


def answer(model: LoadedModel, text: str, number: int) -> str:
    """The answer to a text, as HTML.

    Args:
        model: Of translation.
        text: To translate.
        number: Of translations.

    Raises:
        ServingError: If there is no text.
    """
    if not text.strip():
        raise invalid("Write a text first.")
    texts = {"text": np.array([text.encode()], object)}
    html = _translations(model, texts, number)
    if has(model, _TEXT, {"source_pieces", "target_pieces", "weights"}, "attend"):
        html += _attention(model.signature("attend").run(texts))
    return html


def _translations(model: LoadedModel, texts: Arrays, number: int) -> str:
    if has(model, {"text", "k"}, {"translation", "score"}, "nbest"):
        given = {**texts, "k": np.array(number, np.int32)}
        found = model.signature("nbest").run(given)
        best, scores = found["translation"][0], found["score"][0]
    else:
        found = model.signature("").run(texts)
        best, scores = found["translation"], found["score"]
    rows = [
        (str(place + 1), as_text(each), f"{score:.2f}")
        for place, (each, score) in enumerate(zip(best, scores, strict=True))
    ]
    return (
        f'<div class="ranked">{markup.table(("", "translation", "score"), rows)}</div>'
        + markup.note(
            "The score is a log-probability with the penalties of the search: "
            "the nearer to 0, the surer."
        )
    )


def _attention(found: Arrays) -> str:
    source = [as_text(piece) for piece in found["source_pieces"][0] if piece]
    target = [as_text(piece) for piece in found["target_pieces"][0] if piece]
    html = markup.heading("Where each piece of the best translation looks")
    if not source or not target:
        return ""
    if max(len(source), len(target)) > MOST_PIECES:
        return html + markup.note(
            f"The picture is left out: there are more than {MOST_PIECES} pieces."
        )
    weights = found["weights"][0][: len(target), : len(source)]
    drawn = attention(source, target, weights)
    return (
        html
        + f'<div class="wide">{drawn}</div>'
        + markup.note(
            "Each row is a piece of the translation, each column one of the text; the "
            "darker, the more weight. ▁ stands where a word begins."
        )
    )
