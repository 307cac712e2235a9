"""What the page makes of each task's answers; no page is needed for that."""

import base64
import io
import re

import numpy as np
import page_models
import pandas as pd
import pytest
import served_models

from recurra.apps.serving.errors import ServingError
from recurra.apps.serving.loading import LoadedModel
from recurra.apps.serving.settings import Settings

matplotlib = pytest.importorskip("matplotlib")

from recurra.apps.serving.ui import (  # noqa: E402
    forms,
    sentiment,
    translation,
    weather,
)

WRITERS = {
    "sentiment": page_models.write_sentiment,
    "weather": page_models.write_weather,
    "translation": page_models.write_translation,
    "kinds": served_models.write_kinds,
}
FITS = {"sentiment": sentiment, "weather": weather, "translation": translation}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    loaded = {
        name: LoadedModel(write(folder / name), Settings(), lambda rows: None)
        for name, write in WRITERS.items()
    }
    yield loaded
    for model in loaded.values():
        model.close()


def words(html):
    """What a person reads of it."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


@pytest.mark.parametrize("name", WRITERS)
def test_the_card_and_the_signatures_decide_on_the_page(models, name):
    assert [task for task, page in FITS.items() if page.fits(models[name])] == (
        [name] if name in FITS else []
    )


def test_a_card_that_the_signatures_do_not_bear_out_has_no_page(models, monkeypatch):
    for task, page in FITS.items():
        monkeypatch.setattr(models["kinds"], "card", {"task": task})
        assert not page.fits(models["kinds"])


def test_sentiment_tells_class_confidence_and_what_speaks_for_it(models):
    html = sentiment.answer(models["sentiment"], "a good one")
    told = words(html)
    assert "good with a calibrated confidence of 75.0 %" in told
    assert "bad 25.0 % good 75.0 %" in told
    marks = re.findall(
        r'<mark style="--part: ([\d.]+)" class="(\w+)" title="([^"]+)">(\w+)<', html
    )
    assert marks == [
        ("0.25", "against", "-0.250", "a"),
        ("1.00", "for", "+1.000", "good"),
        ("0.25", "against", "-0.250", "one"),
    ]


def test_what_a_person_writes_is_no_html(models):
    html = sentiment.answer(models["sentiment"], "<script>alert(1)</script> good")
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    html = translation.answer(models["translation"], "<b>dog", 1)
    assert "<b>" not in html.lower().replace("<b>75", "")


def test_no_certainty_that_there_is_not(models, monkeypatch):
    signature = models["sentiment"].signatures["serving_default"]
    answers = {
        "label": np.array([b"good"], object),
        "score": np.array([0.99999], np.float32),
        "probabilities": np.array([[0.00001, 0.99999]], np.float32),
    }
    monkeypatch.setattr(signature, "run", lambda arrays: answers)
    told = words(sentiment.answer(models["sentiment"], "good"))
    assert "confidence of over 99.9 %" in told
    assert "bad under 0.1 %" in told


@pytest.mark.parametrize("text", ["", " \n"])
def test_no_text_is_asked_for(models, text):
    for task in (sentiment, translation):
        given = (models[task.__name__.rpartition(".")[2]], text, 1)
        with pytest.raises(ServingError, match="Write a text first"):
            task.answer(*given[: 2 if task is sentiment else 3])


def csv_of(html):
    (content,) = re.findall(r'download="forecast.csv" href="data:[^,]*,([^"]+)"', html)
    return pd.read_csv(io.BytesIO(base64.b64decode(content)))


def test_weather_forecasts_from_the_sample(models):
    html = weather.answer_sample(models["weather"])
    assert "From 2020-06-30 12:00 , the last measurement, to 2020-06-30 15:00" in words(
        html
    )
    assert html.count("<img ") == 1
    assert 'alt="Forecast of T [degC]"' in html
    table = csv_of(html)
    assert table["time"].tolist() == [
        f"2020-06-30T{hour}:00:00" for hour in (13, 14, 15)
    ]
    # The sample's last T is 10; the model adds the lead.
    assert table["forecast"].tolist() == [11, 12, 13]
    assert table["quantile_0.1"].tolist() == [10, 11, 12]
    assert table["unit"].unique() == ["degC"]
    assert "11.0 (10.0 to 12.0)" in words(html)


def test_the_sample_is_a_file_that_the_page_reads(models, tmp_path):
    file = tmp_path / "sample.csv"
    file.write_text(weather.sample(models["weather"]))
    from_file = csv_of(weather.answer(models["weather"], file))
    assert from_file.equals(csv_of(weather.answer_sample(models["weather"])))


def test_weather_says_what_was_missing(models, tmp_path):
    file = tmp_path / "short.csv"
    file.write_text("time,T,rain\n2020-01-01 00:00,1,0\n2020-01-01 02:00,3,\n")
    told = words(weather.answer(models["weather"], file))
    assert "The file has 3 of the 6 rows that are read." in told
    # The row of one o'clock, and one value of rain.
    assert "Values missing in the rows that are read: 3." in told


def test_translation_ranks_what_was_found_and_draws_the_attention(models):
    html = translation.answer(models["translation"], "a dog", 2)
    assert "1 A DOG -0.50 2 A DOG! -1.50 The score" in words(html)
    assert 'alt="Attention of 2 pieces to 2"' in html


def test_a_long_text_has_no_picture(models):
    html = translation.answer(models["translation"], "dog " * 61, 1)
    assert "<img" not in html
    assert "more than 60 pieces" in words(html)


def test_a_form_has_a_field_per_input_with_an_example_that_is_answered(models):
    model = models["kinds"]
    assert forms.names(model)[0] == "serving_default"
    for name in forms.names(model):
        fields = forms.fields(model, name)
        assert [key for key, _, _ in fields] == list(model.signature(name).inputs)
        if name != "divided":
            answer = forms.answer(model, name, {key: each for key, _, each in fields})
            assert answer.startswith("{")


def test_a_form_reads_json_and_writes_it(models):
    answer = forms.answer(models["kinds"], "linear", {"x": "[[1.5, 2]]"})
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
def test_a_form_says_what_is_wrong(models, given, message):
    with pytest.raises(ServingError, match=message):
        forms.answer(models["kinds"], "linear", {"x": given})


def test_a_form_shows_no_answer_that_a_browser_is_slow_with(models):
    rows = str([[0.0, 0.0]] * 2000)
    with pytest.raises(ServingError, match="ask for fewer rows"):
        forms.answer(models["kinds"], "linear", {"x": rows})
