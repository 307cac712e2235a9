"""Forms for signatures; no page is needed for that."""

import pytest

from recurra.apps.serving.errors import ServingError
from recurra.apps.serving.models.loading import LoadedModel
from recurra.apps.serving.settings import Settings
from recurra.apps.serving.ui import forms


@pytest.fixture(scope="module")
def model(documented_models):
    model = LoadedModel(
        documented_models / "kinds" / "1", Settings(), lambda rows: None
    )
    yield model
    model.close()


def test_a_field_per_input_has_an_example_that_is_answered(model):
    assert forms.names(model)[0] == "serving_default"
    for name in forms.names(model):
        fields = forms.fields(model, name)
        assert [key for key, _, _ in fields] == list(model.signature(name).inputs)
        if name not in ("divided", "classify_examples", "regress_examples"):
            answer = forms.answer(model, name, {key: each for key, _, each in fields})
            assert answer.startswith("{")


def test_json_is_read_and_written(model):
    answer = forms.answer(model, "linear", {"x": "[[1.5, 2]]"})
    assert answer == '{\n  "y": [[1.5, 4.0]]\n}'


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("[1, oops", "x: this is not JSON"),
        ("", "x: this is not JSON: nothing"),
        ('[[1, 2]], "y": 3', "x: this is not JSON"),
        ("[[1, 2, 3]]", r"Expecting shape \[-1,2\]"),
        ('[["a", 2]]', r"inputs\.x\[0\]\[0\]"),
    ],
)
def test_what_is_wrong_is_said(model, given, message):
    with pytest.raises(ServingError, match=message):
        forms.answer(model, "linear", {"x": given})


def test_no_answer_that_a_browser_is_slow_with(model):
    rows = str([[0.0, 0.0]] * 2000)
    with pytest.raises(ServingError, match="ask for fewer rows"):
        forms.answer(model, "linear", {"x": rows})
