"""Whole runs on a few generated pairs: trained, evaluated, scored, as an ensemble."""

import shutil

import numpy as np
import pandas
import pytest

pytest.importorskip("sacrebleu")
pytest.importorskip("tensorflow_text")

from recurra.pipelines import evaluate, train  # noqa: E402
from recurra.pipelines.cards import TextAnswer  # noqa: E402
from recurra.pipelines.core import workflow  # noqa: E402
from recurra.pipelines.core.errors import UserError  # noqa: E402
from recurra.pipelines.core.files import read_json  # noqa: E402
from recurra.pipelines.core.runs import Run  # noqa: E402

SMALL = [
    "subwords.vocabulary_size=360",
    "model.embedding_size=8",
    "model.encoder_units=6",
    "model.decoder_units=8",
    "model.attention_units=5",
    "decoding.beam_size=1",
    "decoding.max_length_ratio=1.0",
    "decoding.longest_extra=3",
    "training.epochs=2",
    "training.averaged_epochs=2",
    "training.measured_outputs=5",
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A finished run, and a copy of it with other weights; not to be changed."""
    folder = tmp_path_factory.mktemp("runs")
    run = train("translation", "sample:180", run=folder / "0", settings=SMALL)
    other = Run(shutil.copytree(run.path, folder / "1"))
    model = workflow.best_model(workflow.open_task(other))
    model.set_weights([2 * weight for weight in model.get_weights()])
    model.save_weights(other.checkpoints / "best.weights.h5")
    return [run, other]


def test_a_run_has_metrics_beside_baselines(runs):
    metrics = runs[0].metrics
    assert metrics["split"] == "test"
    expected = {"bleu", "chrf", "bleu_lc_tok", "exact_match"}
    assert expected <= metrics["model"].keys()
    assert metrics["model"]["perplexity"] > 1
    assert {"copy", "lexicon"} <= metrics["baselines"].keys()
    assert set(metrics["validation"]["model"]) == set(metrics["model"])
    history = pandas.read_csv(runs[0].history_file)
    assert {"nll", "val_nll", "val_bleu"} <= set(history.columns)


def test_other_pairs_are_the_test(runs, tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("Der König schläft.\tThe king sleeps.\n" * 3)
    # By the columns of a file without a heading.
    task = workflow.open_task(runs[0])
    pairs = task.load_test(str(path), source="de", target="en")
    assert pairs.splits["test"].target.tolist() == ["The king sleeps."] * 3
    assert pairs.target == "en"
    assert task.load_test(str(path)).target == "de"


def test_pairs_are_scored(runs):
    scores = evaluate(runs[0], split="validation", score=True).scores
    assert list(scores) == ["log_probability", "pieces", "source", "target"]
    assert (scores["log_probability"] < 0).all()
    validation = runs[0].metrics["validation"]["model"]
    perplexity = np.exp(-scores["log_probability"].sum() / scores["pieces"].sum())
    assert perplexity == pytest.approx(validation["perplexity"], rel=1e-4)


def test_decoding_is_set_afterwards(runs):
    changes = {"decoding": {"max_length_ratio": 0.1, "longest_extra": 1}}
    task = workflow.open_task(runs[0], changes)
    assert task.configuration.decoding.max_length_ratio == 0.1
    assert task.configuration.decoding.beam_size == 1
    predictions = evaluate(runs[0], settings=changes).predictions()
    # There are no more words than pieces, and no more pieces than characters.
    most = np.ceil(0.1 * (predictions["source"].str.len() + 1)) + 1
    assert (predictions["translation"].str.split().str.len() <= most).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"decoder_units": 9}}, "--set model: .* keys of decoding"),
        ({"seed": 3}, "--set seed: .* train anew"),
        ({"decoding": {"beams": 3}}, "--set: unknown key decoding.beams"),
        ({"decoding": {"beam_size": 0}}, "--set: decoding.beam_size"),
    ],
)
def test_what_a_trained_model_depends_on_is_not_set_afterwards(runs, changes, message):
    with pytest.raises(UserError, match=message):
        workflow.open_task(runs[0], changes)


def test_runs_of_other_seeds_have_the_same_splits(runs):
    task = workflow.open_task(runs[0])
    other = task.configuration.model_copy(update={"seed": 1})
    assert task.metadata(task.load(other)) == read_json(runs[0].metadata_file)


def test_runs_are_an_ensemble(runs):
    task, model = workflow.open_trained(runs)
    servable = task.servable(model)
    assert servable.details["ensemble_size"] == 2
    assert servable.answer == TextAnswer(
        output="translation", action="Translate", source="en", target="de"
    )
    both, alone = (
        evaluate(of, score=True).scores["log_probability"] for of in (runs, runs[0])
    )
    assert not np.allclose(both, alone)


def test_runs_of_other_pairs_are_no_ensemble(runs, tmp_path):
    other = Run(shutil.copytree(runs[1].path, tmp_path / "other"))
    metadata = other.metadata_file.read_text("utf-8")
    changed = metadata.replace('"source": "en"', '"source": "nl"')
    other.metadata_file.write_text(changed, "utf-8")
    task, unlike = (workflow.open_task(run) for run in (runs[0], other))
    with pytest.raises(UserError, match="other data or splits"):
        task.ensemble([], [unlike])


def test_runs_with_other_subwords_are_no_ensemble(runs, tmp_path):
    other = Run(shutil.copytree(runs[1].path, tmp_path / "other"))
    with (other.assets / "source.model").open("ab") as file:
        file.write(b"\0")
    task, unlike = (workflow.open_task(run) for run in (runs[0], other))
    with pytest.raises(UserError, match=r"other preprocessing \(source.model\)"):
        task.ensemble([], [unlike])
