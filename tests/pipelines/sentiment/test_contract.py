"""A run of three oddly named classes passes the test that every task passes."""

import numpy as np
import pandas
import pytest

from recurra.pipelines.core import workflow
from recurra.pipelines.core.errors import UserError
from recurra.pipelines.testing import check_task

CLASSES = ("[red] so-so", "très bien", "😀")
WORDS = {"[red] so-so": "middling", "très bien": "lovely", "😀": "hilarious"}
# Other parts than those of `sentiment_run`.
SETTINGS = [
    "model.cell=gru",
    "model.weight_dropout=0.2",
    "model.recurrent_dropout=0.1",
    "model.zoneout_hidden=0.1",
    "model.layer_norm=true",
    "model.embedding_size=8",
    "model.embedding_start=random",
    "model.units=4",
    "model.bidirectional=false",
    "model.pooling=[last]",
    "model.ngram_features=false",
    "model.convolution_filters=0",
    "model.stride=1",
    "linear.enabled=false",
    "training.epochs=2",
    "training.batch_size=16",
]


@pytest.fixture(scope="module")
def three_classes(tmp_path_factory):
    """The run, without n-grams and without a test part, with its export beside it."""
    names = [CLASSES[row % 3] for row in range(90)]
    subjects = ("film", "room", "soup", "novel", "lamp")
    texts = [f"A {WORDS[name]} {subjects[row % 5]}" for row, name in enumerate(names)]
    frame = pandas.DataFrame({"Comment": texts, "Class": names})
    path = tmp_path_factory.mktemp("data") / "reviews.csv"
    frame.to_csv(path, index=False)
    return check_task(
        "sentiment",
        data=path,
        folder=tmp_path_factory.mktemp("three"),
        settings=SETTINGS,
        text_column="Comment",
        validation_fraction=0.2,
        test_fraction=0.0,
    )


def test_three_oddly_named_classes_without_ngrams(three_classes):
    metrics = three_classes.metrics
    assert metrics["split"] == "validation"
    assert "validation" not in metrics
    assert metrics["classes"] == list(CLASSES)
    assert "roc_auc" not in metrics["model"]
    assert set(metrics["branches"]) == {"recurrent"}
    assert len(metrics["branch_weights"]) == 1
    predictions = pandas.read_csv(three_classes.predictions_file)
    answers = predictions[[f"probability_{name}" for name in CLASSES]]
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)


def test_what_a_model_does_not_use_is_not_exported(three_classes):
    assets = three_classes.path.parent / "models" / "checked" / "1" / "assets"
    assert {path.name for path in assets.iterdir()} == {"vocabulary.txt"}


def test_other_data_are_read_by_the_columns_of_the_run(three_classes, tmp_path):
    rows = {"Comment": ["A lovely lamp", "A middling soup"]}
    frame = pandas.DataFrame({**rows, "Class": ["très bien", "[red] so-so"]})
    path = tmp_path / "other.csv"
    frame.to_csv(path, index=False)
    evaluation = workflow.evaluate([three_classes], str(path))
    assert evaluation.split == "test"
    predictions = evaluation.predictions()
    assert predictions["text"].tolist() == rows["Comment"]
    assert predictions["label"].tolist() == frame["Class"].tolist()


def test_other_data_with_a_class_that_the_model_does_not_know(three_classes, tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("Comment,Class\nA lovely lamp,excellent\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"line 2.*'excellent'"):
        workflow.evaluate([three_classes], str(path))
