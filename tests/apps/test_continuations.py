"""Texts that are written on, and blanks, on the command line."""

import json

import pytest

from recurra.apps.answers import continuations
from recurra.pipelines.cards import ContinuationAnswer
from recurra.pipelines.core.errors import UserError


class Model:
    """Answers with what it was asked."""

    answer = ContinuationAnswer(units="words", vocabulary_size=3)

    def predict_texts(self, texts, **options):
        said = "".join(f" {key}={value}" for key, value in sorted(options.items()))
        return [{"continuation": f" on{said}"} for _ in texts]

    def write(self, text, **options):
        yield from (" by", " and", " by")

    def fill(self, texts, k):
        best = {"filling": "old", "probability": 0.75}
        return [[[best] * 2] * text.count("____") for text in texts]


def _printed(capsys, *texts, as_json=False, **options):
    continuations.predict(Model(), texts, None, as_json, **options)
    return capsys.readouterr().out


def test_prompts_are_printed_with_what_follows(capsys):
    assert _printed(capsys, "Go", "") == "Go on\n on\n"
    assert _printed(capsys, "Go", length=3, top_k=None) == "Go on length=3\n"
    assert _printed(capsys, "By", stream=True) == "By by and by\n"
    assert json.loads(_printed(capsys, "Go", as_json=True)) == [
        {"text": "Go", "continuation": " on"}
    ]


def test_blanks_are_listed_with_their_fillings(capsys):
    assert _printed(capsys, "The ____ man", fill=True) == "0.7500\told\n" * 2
    two = _printed(capsys, "The ____, ____ man", fill=True)
    assert two == "1\t0.7500\told\n" * 2 + "2\t0.7500\told\n" * 2
    assert len(json.loads(_printed(capsys, "____", as_json=True, fill=True))) == 1


def test_options_that_do_not_go_together_are_refused(capsys):
    with pytest.raises(UserError, match="--top-k"):
        _printed(capsys, "a ____", fill=True, top_k=3)
    with pytest.raises(UserError, match="--stream"):
        _printed(capsys, "a", stream=True, fill=True)
    with pytest.raises(UserError, match="--json"):
        _printed(capsys, "a", stream=True, as_json=True)


def test_a_request_has_what_the_card_says():
    request = Model.answer.request(["a"], temperature=0.5, seed=None)
    assert request == {
        "prompt": ["a"],
        **{"length": 200, "temperature": 0.5, "top_k": 0, "top_p": 1.0},
        **{"seed": 0, "stop": ""},
    }
