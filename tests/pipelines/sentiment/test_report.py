import html
import re

import numpy as np
import pandas
import pytest

from recurra.pipelines.data.files.tables import BadRow
from recurra.pipelines.data.texts.labelled_texts import LabelledTexts, Split
from recurra.pipelines.reporting.frame import write_report
from recurra.pipelines.sentiment import report
from recurra.pipelines.sentiment.config import SentimentConfig
from recurra.pipelines.sentiment.report import SentimentResult

TWO = ("negative", "positive")
HISTORY = """epoch,seconds,loss,val_loss,nll,val_nll,accuracy,val_accuracy
1,10.0,0.7,0.6,0.7,0.6,0.6,0.65
2,9.0,0.5,0.5,0.5,0.5,0.7,0.7
3,8.0,0.4,0.55,0.4,0.55,0.8,0.68
"""


def _result(classes=TWO, rows=200, probabilities=None, **changes):
    """By default random logits in favour of the label, calibrated by half."""
    generator = np.random.default_rng(0)
    number = len(classes)
    labels = generator.integers(number, size=rows)
    if probabilities is None:
        logits = generator.normal(size=(rows, number))
        logits[np.arange(rows), labels] += 1
    else:
        logits = 2 * np.log(np.maximum(probabilities, 1e-9))
    labels = changes.pop("labels", labels)
    texts = [f"Text {i} <br />and <i>more</i>." for i in range(rows)]
    split = Split(np.array(changes.pop("texts", texts), object), labels)
    data = LabelledTexts(
        spec="reviews.tsv",
        classes=tuple(classes),
        splits={"train": Split(split.texts[:0], labels[:0]), "validation": split},
        columns={"text": "review", "label": "stars", "group": None},
        bad_rows=changes.pop("bad_rows", (BadRow("reviews.tsv", 7, "no label"),)),
        duplicates={"within train": 17},
    )
    baseline = {"nb_logistic_regression": np.full((rows, number), 1 / number)}
    return SentimentResult(
        data,
        "validation",
        {"recurrent": logits},
        [0.5],
        {},
        changes.pop("baselines", baseline),
        lengths=lambda: generator.integers(1, 500, size=rows),
        padded_fraction=0.04,
        seed=0,
    )


def _write(folder, result, history=HISTORY):
    path = folder / "history.csv"
    if history:
        path.write_text(history, encoding="utf-8")
    write_report(result, folder, SentimentConfig(), path)
    page = (folder / "report.html").read_text(encoding="utf-8")
    return page.replace("\N{NO-BREAK SPACE}", " ")


def _headings(page):
    return re.findall("<h2 .*?>(.*?)</h2>", page)


def test_the_report_has_every_part(tmp_path):
    page = _write(tmp_path, _result())
    assert _headings(page) == [
        "Results",
        "By class",
        "Calibration",
        "By length of the text",
        "Worst mistakes",
        "Training",
        "Data",
        "Configuration",
    ]
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {
        "confusion_matrix",
        "reliability_before",
        "reliability_after",
        "accuracy_by_length",
        "learning_curve_nll",
        "learning_curve_accuracy",
    }
    assert page.count("data:image/png;base64,") == 6
    for part in (
        "NB n-grams + logistic regression",
        "ROC AUC",
        "temperature 2.000",
        "reviews.tsv, line 7: no label",
        "within train",
        "model.units",
    ):
        assert part in page


@pytest.mark.parametrize(
    "classes",
    [
        ("negative", "neutral $x$ & $", "positive"),
        tuple(f"topic {i}" for i in range(20)),
        tuple(f"{i} stars, and a very long name" for i in range(40)),
        ("差评", "好评"),
    ],
    ids=["three", "twenty", "forty", "chinese"],
)
@pytest.mark.filterwarnings("error")
def test_any_classes_can_be_shown(tmp_path, classes):
    page = _write(tmp_path, _result(classes), history=None)
    assert ("ROC AUC" in page) == (len(classes) == 2)
    for name in classes:
        assert html.escape(name) in page


def test_worst_mistakes_come_first_and_are_escaped(tmp_path):
    result = _result(
        rows=4,
        labels=np.array([0, 0, 1, 1]),
        probabilities=np.array([[0.9, 0.1], [0.3, 0.7], [0.95, 0.05], [0.1, 0.9]]),
    )
    page = _write(tmp_path, result)
    lines = re.findall('<p class="line">(.*?)</p>', page)
    assert lines == [
        "positive taken for negative, with probability 0.950 (row 3 of the split)",
        "negative taken for positive, with probability 0.700 (row 2 of the split)",
    ]
    assert "2 of 4 rows were predicted wrong" in page
    assert "Text 2 and &lt;i&gt;more&lt;/i&gt;." in page


def test_long_texts_keep_their_end(tmp_path):
    texts = ["Begins. " + "word " * 5_000 + "Ends."] * 200
    page = _write(tmp_path, _result(texts=texts))
    excerpts = re.findall("<blockquote.*?>(.*?)</blockquote>", page)
    assert len(excerpts) == 12
    for excerpt in excerpts:
        assert excerpt.startswith("Begins.")
        assert excerpt.endswith("Ends.")
        assert len(excerpt) < 750


def test_without_mistakes_training_baselines_or_bad_rows(tmp_path):
    result = _result(
        rows=2,
        labels=np.array([0, 1]),
        probabilities=np.eye(2),
        baselines={},
        bad_rows=(),
    )
    page = _write(tmp_path, result, history=None)
    assert "every row of this split was predicted right" in page
    assert "baseline" not in page.split("<h2")[0]
    assert "Training" not in _headings(page)
    assert "could not be used" not in page


@pytest.mark.parametrize(("baseline", "word"), [(0.9, "below"), (0.1, "above")])
def test_the_summary_compares_with_the_best_baseline(tmp_path, baseline, word):
    labels = np.arange(10) % 2
    wrong = np.eye(2)[1 - labels]

    def right_in(number):
        return np.where(np.arange(10)[:, None] < number, np.eye(2)[labels], wrong)

    result = _result(
        rows=10,
        labels=labels,
        probabilities=0.1 + 0.8 * right_in(6),
        baselines={
            "majority": right_in(0),
            "tfidf_logistic_regression": right_in(10 * baseline),
            # A member of the model is no baseline of it.
            "recurrent": right_in(10),
        },
    )
    page = _write(tmp_path, result)
    assert "On 10 rows (validation of reviews.tsv) the model is right in 60.0 %" in page
    assert "95 % interval" in page
    best = f"the best baseline, tf-idf + logistic regression, in {baseline:.0%}"
    assert best.removesuffix("%") in page
    assert f"percentage points {word} it." in page


def test_metrics_alone_cost_neither_intervals_nor_material(monkeypatch):
    def refuse(*arguments, **keywords):
        raise AssertionError

    result = _result()
    names = ("bootstrap_intervals", "confusion_matrix", "reliability_curve")
    for name in names:
        monkeypatch.setattr(report, name, refuse)
    metrics = result.metrics()
    assert set(metrics) == {"model", "baselines"}
    with pytest.raises(AssertionError):
        result.details()


def test_predictions_have_a_row_for_every_text():
    result = _result(("no", "so-so", "yes"), rows=30)
    predictions = result.predictions()
    assert isinstance(predictions, pandas.DataFrame)
    right = (predictions["predicted"] == predictions["label"]).mean()
    assert right == pytest.approx(result.model["accuracy"])
    columns = ["probability_no", "probability_so-so", "probability_yes"]
    np.testing.assert_allclose(predictions[columns].sum(axis=1), 1)
