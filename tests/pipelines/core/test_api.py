"""The Python API: three lines from data to an answer."""

import pandas
import pytest

from recurra.pipelines import (
    UserError,
    evaluate,
    load_model,
    open_run,
    train,
)
from recurra.pipelines.core.files import read_json
from recurra.pipelines.data.texts.labelled_texts import load_labelled_texts

SMALL = [
    *("model.embedding_size=8", "model.units=4", "model.bidirectional=false"),
    *("training.epochs=1", "training.batch_size=16", "wide.enabled=false"),
]
OPTIONS = {"validation_fraction": 0.2, "test_fraction": 0.2}


@pytest.fixture(scope="module")
def frame(reviews_csv):
    return pandas.read_csv(reviews_csv)


@pytest.fixture(scope="module")
def run(frame, tmp_path_factory):
    """A run that was trained on a DataFrame; not to be changed."""
    path = tmp_path_factory.mktemp("api") / "run"
    return train("sentiment", frame, run=path, settings=SMALL, **OPTIONS)


@pytest.fixture(scope="module")
def model(run, tmp_path_factory):
    """Its export, under the name of the run; not to be changed."""
    return run.export(tmp_path_factory.mktemp("models"))


def test_a_data_frame_is_as_good_as_its_file(run, frame, reviews_csv):
    assert run.is_finished
    pandas.testing.assert_frame_equal(
        pandas.read_parquet(run.path / "frame.parquet"), frame, check_dtype=False
    )
    from_file = load_labelled_texts(str(reviews_csv), **OPTIONS).metadata()
    assert read_json(run.metadata_file)["sha256"] == from_file["sha256"]


def test_a_run_exports_and_the_model_predicts(model):
    assert model.folder.parts[-2:] == ("run", "1")
    (answer,) = model.predict(["What a lovely lamp!"])
    assert set(answer) == {"label", "score", "probabilities"}
    again = load_model(model.folder.parent).predict(["What a lovely lamp!"])
    assert again == [answer]


def test_a_run_is_opened_and_evaluated(run, frame):
    opened = open_run(run.path)
    assert opened.metrics == run.metrics
    own = evaluate(opened)
    assert dict(own.model) == pytest.approx(run.metrics["model"], abs=1e-5)
    other = opened.evaluate(
        frame.rename(columns={"text": "words"}), text_column="words"
    )
    assert other.split == "test"
    assert len(other.predictions()) == len(frame)


def test_a_data_frame_that_is_wrong_leaves_nothing(tmp_path):
    path = tmp_path / "run"
    for wrong in (
        pandas.DataFrame({"text": [], "label": []}),
        pandas.DataFrame({"text": ["a", "b"], "label": ["x", "x"]}),
        pandas.DataFrame({"text": ["a", 1], "label": ["x", "y"]}, dtype=object),
        pandas.DataFrame({"words": ["a", "b"], "mark": ["x", "y"]}),
    ):
        with pytest.raises(UserError):
            train("sentiment", wrong, run=path)
        assert not path.exists()


def test_options_that_are_not_the_tasks_are_refused(run, reviews_csv):
    with pytest.raises(UserError, match="time_column"):
        train("sentiment", reviews_csv, time_column="t")
    with pytest.raises(UserError, match="time_column"):
        evaluate(run, reviews_csv, time_column="t")


def test_a_single_text_is_refused(model):
    with pytest.raises(UserError, match="list of texts"):
        model.predict("one text")
    with pytest.raises(UserError, match="time_column"):
        model.predict(["one text"], time_column="t")


def test_resume_needs_a_run(reviews_csv):
    with pytest.raises(UserError, match="name the run"):
        train("sentiment", reviews_csv, resume=True)
