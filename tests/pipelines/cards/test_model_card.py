"""Cards are written and read, also those of format 1 and of unknown kinds."""

import json
import subprocess
import sys

import numpy as np
import pytest

from recurra.pipelines.cards import (
    CARD_FILE,
    Answer,
    CardError,
    ForecastAnswer,
    LabelsAnswer,
    LabelSetsAnswer,
    NumberAnswer,
    TextAnswer,
    parse_card,
    read_card,
)

CARD = {
    "format": 2,
    "name": "mine",
    "version": 3,
    "created": "2026-01-02T03:04:05+00:00",
    "task": "anything",
    "inputs": {"text": {"dtype": "string", "shape": ["N"]}},
    "outputs": {"score": {"dtype": "float32", "shape": ["N", 2, None]}},
}
FORECAST = {
    "variables": [
        {"name": "T", "column": "T (degC)", "unit": "degC", "rule": "mean", "x": 1},
        {"name": "p", "column": "p", "unit": "", "rule": "mean"},
    ],
    "targets": ["T"],
    "known_future": [],
    "step_seconds": 3600,
    "history_steps": 2,
    "lead_steps": [1, 2],
    "quantiles": [0.1, 0.9],
    "calendar": True,
}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"kind": "labels", "classes": ["a", "b"]}, LabelsAnswer),
        (
            {"kind": "label_sets", "classes": ["a", "b"], "thresholds": [0.5, 0.1]},
            LabelSetsAnswer,
        ),
        ({"kind": "number", "unit": "m"}, NumberAnswer),
        ({"kind": "text", "output": "answer", "target": "de"}, TextAnswer),
        ({"kind": "forecast", **FORECAST}, ForecastAnswer),
        ({"kind": "melody", "key": "C"}, Answer),
    ],
)
def test_a_card_is_read_as_it_was_written(tmp_path, answer, kind):
    file = tmp_path / CARD_FILE
    file.parent.mkdir()
    card = parse_card({**CARD, "answer": answer})
    file.write_text(card.model_dump_json(), encoding="utf-8")
    again = read_card(tmp_path)
    assert again == card
    assert type(again.answer) is kind
    assert again.model_dump()["answer"].items() >= answer.items()


FORMAT_1 = {key: value for key, value in CARD.items() if key != "format"}


def test_labels_of_format_1():
    answer = parse_card({**FORMAT_1, "classes": ["a", "b"]}).answer
    assert answer == LabelsAnswer(classes=["a", "b"])


def test_texts_of_format_1():
    outputs = {name: CARD["inputs"]["text"] for name in ("score", "answer")}
    card = parse_card({**FORMAT_1, "source": "en", "target": "de", "outputs": outputs})
    assert card.answer == TextAnswer(output="answer", source="en", target="de")
    assert card.requires == ["tensorflow_text"]


def test_forecasts_of_format_1():
    reading = {"min_share": 0.5, "max_bad_share": 0.1, "time_column": None}
    card = parse_card({**FORMAT_1, **FORECAST, "reading": reading, "more": 1})
    assert isinstance(card.answer, ForecastAnswer)
    assert card.answer.reading == {
        "min_fraction": 0.5,
        "max_bad_fraction": 0.1,
        "time_column": None,
    }
    assert card.answer.units() == ["degC"]
    assert card.model_extra == {"more": 1}


@pytest.mark.parametrize(
    "content",
    [None, "", "{", "[]", json.dumps({"name": "mine"}), json.dumps({**CARD})],
    ids=["missing", "empty", "broken", "list", "without keys", "without answer"],
)
def test_what_is_no_card_is_refused_with_its_place(tmp_path, content):
    file = tmp_path / CARD_FILE
    file.parent.mkdir()
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(CardError, match="no readable model card") as refused:
        read_card(tmp_path)
    assert str(file) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_answers_become_plain_values():
    labels = LabelsAnswer(classes=["a", "b"]).decode(
        {
            "label": np.array([b"b"], object),
            "score": np.array([0.75], np.float32),
            "probabilities": np.array([[0.25, 0.75]], np.float32),
        }
    )
    probabilities = {"a": 0.25, "b": 0.75}
    assert labels == [{"label": "b", "score": 0.75, "probabilities": probabilities}]
    assert NumberAnswer().decode({"value": np.array([1.5])}) == [{"value": 1.5}]
    texts = {"answer": np.array(["Öl".encode()], object), "score": np.array([-1.0])}
    assert TextAnswer(output="answer").decode(texts) == [{"answer": "Öl", "score": -1}]
    other = Answer(kind="melody").decode(
        {"notes": np.array([[1, 2]]), "name": np.array([b"\xff"], object)}
    )
    assert other == [{"notes": [1, 2], "name": "\N{REPLACEMENT CHARACTER}"}]
    json.dumps(other)


def test_cards_need_neither_tensorflow_nor_pandas():
    code = (
        "import recurra.pipelines.cards, sys; "
        "print({'tensorflow', 'keras', 'pandas'} & set(sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stdout.strip() == "set()", ended.stderr


@pytest.mark.parametrize(
    ("answer", "declared", "expected"),
    [
        # Cards of before the field was there.
        ({"kind": "labels", "classes": ["a"]}, {}, ["serving_default"]),
        ({"kind": "forecast", **FORECAST}, {}, ["serving_default"]),
        ({"kind": "text", "output": "translation"}, {}, ["serving_default"]),
        ({"kind": "number"}, {}, []),
        ({"kind": "line"}, {}, []),
        # Cards that say it.
        ({"kind": "labels", "classes": ["a"]}, {"independent_rows": []}, []),
        ({"kind": "number"}, {"independent_rows": ["explain"]}, ["explain"]),
    ],
)
def test_which_signatures_have_independent_rows(answer, declared, expected):
    card = parse_card({**CARD, "answer": answer, **declared})
    assert card.independent_rows == expected


def test_answers_of_several_labels_are_lists():
    answer = LabelSetsAnswer(classes=["a", "b"], thresholds=[0.5, 0.1])
    outputs = {
        "chosen": np.array([[False, True], [False, False]]),
        "labels": np.array([[b"b"], [b""]], object),
        "probabilities": np.array([[0.25, 0.125], [0.0, 0.0]], np.float32),
    }
    assert answer.decode(outputs) == [
        {"labels": ["b"], "probabilities": {"a": 0.25, "b": 0.125}},
        {"labels": [], "probabilities": {"a": 0.0, "b": 0.0}},
    ]
