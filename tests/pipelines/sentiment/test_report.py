import html
import re

import numpy as np
import pandas
import pytest

from recurra.pipelines.sentiment.metrics import (
    bootstrap_intervals,
    classification_metrics,
    softmax,
)
from recurra.pipelines.sentiment.report import write_sentiment_report

HISTORY = pandas.DataFrame(
    {
        "epoch": [1, 2, 3],
        "seconds": [10.0, 9.0, 8.0],
        "loss": [0.7, 0.5, 0.4],
        "val_loss": [0.6, 0.5, 0.55],
        "accuracy": [0.6, 0.7, 0.8],
        "val_accuracy": [0.65, 0.7, 0.68],
    }
)


def _arguments(classes, rows=200, strength=1.0):
    generator = np.random.default_rng(0)
    number = len(classes)
    labels = generator.integers(number, size=rows)
    logits = generator.normal(size=(rows, number))
    logits[np.arange(rows), labels] += strength
    probabilities = softmax(logits / 2.0)
    baseline = np.full((rows, number), 1 / number)
    return {
        "data": "reviews.tsv",
        "split": "validation",
        "classes": classes,
        "texts": [f"Text {i} <br />and <i>more</i>." for i in range(rows)],
        "labels": labels,
        "probabilities": probabilities,
        "uncalibrated_probabilities": softmax(logits),
        "temperature": 2.0,
        "lengths": generator.integers(1, 500, size=rows),
        "metrics": classification_metrics(labels, probabilities),
        "intervals": bootstrap_intervals(labels, probabilities, seed=0, resamples=20),
        "baselines": {
            "nb_logistic_regression": classification_metrics(labels, baseline)
        },
        "baseline_intervals": {},
        "class_counts": {"train": [900] * number, "validation": [100] * number},
        "facts": {"padded share": 0.04, "duplicates": {"within train": 17}},
        "configuration": {"seed": 0, "model": {"units": 64}},
        "history": HISTORY,
        "bad_rows": ["reviews.tsv, line 7: no label"],
    }


def _write(directory, **arguments):
    write_sentiment_report(directory, **arguments)
    return (directory / "report.html").read_text(encoding="utf-8")


def _headings(page):
    return re.findall("<h2 .*?>(.*?)</h2>", page)


def test_report_has_each_part(tmp_path):
    page = _write(tmp_path, **_arguments(("negative", "positive")))

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
        "learning_curve_loss",
        "learning_curve_accuracy",
    }
    assert page.count("data:image/png;base64,") == 6
    for told in (
        "NB n-grams + logistic regression",
        "ROC AUC",
        "temperature 2.000",
        "3 epochs in 27 seconds, 9.0 seconds each",
        "reviews.tsv, line 7: no label",
        "duplicates.within train",
        "model.units",
        "900",
    ):
        assert told in page


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
    page = _write(tmp_path, **_arguments(classes))
    assert ("ROC AUC" in page) == (len(classes) == 2)
    for name in classes:
        assert html.escape(name) in page


def test_worst_mistakes_come_first_and_are_escaped(tmp_path):
    arguments = _arguments(("negative", "positive"), rows=4)
    arguments["labels"] = np.array([0, 0, 1, 1])
    arguments["probabilities"] = np.array(
        [[0.9, 0.1], [0.3, 0.7], [0.95, 0.05], [0.1, 0.9]]
    )
    page = _write(tmp_path, **arguments)

    lines = re.findall('<p class="line">(.*?)</p>', page)
    assert lines == [
        "positive taken for negative, with probability 0.950 (row 3 of the split)",
        "negative taken for positive, with probability 0.700 (row 2 of the split)",
    ]
    assert "2 of 4 rows were predicted wrong" in page
    assert "Text 2 and &lt;i&gt;more&lt;/i&gt;." in page


def test_long_texts_keep_their_end(tmp_path):
    arguments = _arguments(("negative", "positive"), strength=-3.0)
    arguments["texts"] = ["Begins. " + "word " * 5_000 + "Ends."] * 200
    page = _write(tmp_path, **arguments)
    excerpts = re.findall("<blockquote.*?>(.*?)</blockquote>", page)
    assert len(excerpts) == 12
    for excerpt in excerpts:
        assert excerpt.startswith("Begins.")
        assert excerpt.endswith("Ends.")
        assert len(excerpt) < 750


def test_without_mistakes_training_or_bad_rows(tmp_path):
    arguments = _arguments(("negative", "positive"), rows=2)
    arguments |= {
        "labels": np.array([0, 1]),
        "probabilities": np.eye(2),
        "uncalibrated_probabilities": np.eye(2),
        "baselines": {},
        "history": None,
        "bad_rows": (),
        "facts": {},
    }
    page = _write(tmp_path, **arguments)
    assert "every row of this split was predicted right" in page
    assert "Training" not in _headings(page)
    assert "could not be read" not in page


def test_many_bad_rows_are_counted_and_the_first_listed(tmp_path):
    arguments = _arguments(("negative", "positive"))
    arguments["bad_rows"] = [f"reviews.tsv, line {i}: no label" for i in range(1234)]
    page = _write(tmp_path, **arguments)
    assert "Rows that could not be read: 1,234" in page
    assert page.count(": no label") == 50
    assert "The first 50 of them." in page


@pytest.mark.parametrize(("accuracy", "word"), [(0.95, "below"), (0.1, "above")])
def test_summary_compares_with_the_best_baseline(tmp_path, accuracy, word):
    arguments = _arguments(("negative", "positive"))
    arguments["metrics"] = {**arguments["metrics"], "accuracy": 0.8}
    arguments["intervals"] = {"accuracy": (0.75, 0.85)}
    worse = dict(arguments["metrics"], accuracy=0.05)
    best = dict(arguments["metrics"], accuracy=accuracy)
    arguments["baselines"] = {"majority": worse, "tfidf_logistic_regression": best}
    page = _write(tmp_path, **arguments).replace("\N{NO-BREAK SPACE}", " ")
    assert (
        "On 200 rows (validation of reviews.tsv) the model is right in 80.0 %" in page
    )
    assert "(95 % interval 75.0 % to 85.0 %)" in page
    assert (
        f"the best baseline, tf-idf + logistic regression, in {accuracy:.1%}".replace(
            "%", " %"
        )
        in page
    )
    assert f"percentage points {word} it." in page
