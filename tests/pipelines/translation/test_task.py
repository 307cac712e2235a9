"""A whole run on a few generated pairs: trained, judged, scored, joined, exported."""

import shutil

import numpy as np
import pandas
import pytest

pytest.importorskip("sacrebleu")
pytest.importorskip("tensorflow_text")

from recurra.apps.predicting import ExportedModel  # noqa: E402
from recurra.pipelines import exporting, workflow  # noqa: E402
from recurra.pipelines.configuration import make_configuration  # noqa: E402
from recurra.pipelines.errors import UserError  # noqa: E402
from recurra.pipelines.files import read_json  # noqa: E402
from recurra.pipelines.runs import Run  # noqa: E402
from recurra.pipelines.training import Interrupted  # noqa: E402
from recurra.pipelines.translation.metrics import translation_metrics  # noqa: E402
from recurra.pipelines.translation.task import TranslationTask  # noqa: E402

SMALL = {
    "data": {"spec": "sample:180"},
    "subwords": {"vocabulary_size": 360},
    "model": {
        "embedding_size": 8,
        "encoder_units": 6,
        "decoder_units": 8,
        "attention_units": 5,
    },
    "decoding": {"beam_size": 2, "longest_share": 1.0, "longest_extra": 3},
    "training": {"epochs": 2, "averaged_epochs": 2, "bleu_sentences": 5},
}


def train(path, resume=False, progress=None, **sections):
    configuration = make_configuration(
        TranslationTask.configuration_class, [("test", {**SMALL, **sections})]
    )
    return workflow.train(
        TranslationTask, configuration, path, resume=resume, progress=progress
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [train(folder / str(seed), seed=seed) for seed in range(2)]


def test_a_run_tells_metrics_beside_baselines(runs):
    metrics = runs[0].read_metrics()
    assert metrics["split"] == "test"
    expected = {"bleu", "chrf", "bleu_lc_tok", "exact_match"}
    assert expected <= metrics["model"].keys()
    assert metrics["model"]["perplexity"] > 1
    assert {"copy", "lexicon"} <= metrics["baselines"].keys()
    assert set(metrics["validation"]["model"]) == set(metrics["model"])
    history = pandas.read_csv(runs[0].history)
    assert {"nll", "val_nll", "val_bleu"} <= set(history.columns)
    assert runs[0].report.is_file()


def test_a_resumed_run_comes_to_the_result_of_an_unbroken_one(tmp_path, stop_at):
    sections = {
        "subwords": SMALL["subwords"] | {"sampling_alpha": 0.5},
        "model": SMALL["model"] | {"zoneout_hidden": 0.1, "word_dropout": 0.1},
        "training": SMALL["training"] | {"batch_size": 32},
    }
    unbroken = train(tmp_path / "unbroken", **sections)
    path = tmp_path / "stopped"
    with pytest.raises(Interrupted):
        train(path, progress=stop_at(1, 2), **sections)
    resumed = train(path, resume=True, **sections)
    rows, expected = (
        pandas.read_csv(run.history).drop(columns="seconds")
        for run in (resumed, unbroken)
    )
    # Keras's means over an epoch begin anew where it goes on.
    means = ["loss", "nll"]
    pandas.testing.assert_frame_equal(
        rows.drop(columns=means), expected.drop(columns=means), atol=1e-5
    )
    assert resumed.read_metrics()["model"] == pytest.approx(
        unbroken.read_metrics()["model"], rel=1e-3
    )


def test_other_pairs_are_the_test(runs, tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("The king sleeps.\tDer König schläft.\n" * 3)
    evaluation = workflow.evaluate(runs[0], str(path))
    assert len(evaluation.predictions) == 3


def test_pairs_are_scored(runs):
    scores = workflow.score(runs[0], split="validation")
    assert (scores["log_probability"] < 0).all()
    validation = runs[0].read_metrics()["validation"]["model"]
    perplexity = np.exp(-scores["log_probability"].sum() / scores["pieces"].sum())
    assert perplexity == pytest.approx(validation["perplexity"], rel=1e-5)


def test_bleu_of_the_exported_model_is_the_same(runs, tmp_path):
    task, model = workflow.open_trained(runs[:1])
    exported = ExportedModel(exporting.export(task.servable(model), tmp_path, "one"))
    predictions = pandas.read_csv(runs[0].predictions, keep_default_na=False)
    answers = exported.translate(predictions["source"].tolist())
    translations = [answer["translation"] for answer in answers]
    assert translations == predictions["translation"].tolist()
    metrics = translation_metrics(
        translations, [predictions["reference"].tolist()], "de"
    )
    expected = runs[0].read_metrics()["model"]
    assert metrics == {name: expected[name] for name in metrics}


def test_decoding_is_set_afterwards(runs):
    greedy = {"decoding": {"beam_size": 1, "longest_share": 0.1, "longest_extra": 1}}
    task, _ = workflow.open_trained(runs, greedy)
    assert task.configuration.decoding.beam_size == 1
    assert task.configuration.model.decoder_units == 8
    short = workflow.evaluate(runs[0], changes=greedy).predictions["translation"]
    whole = workflow.evaluate(runs[0]).predictions["translation"]
    assert short.str.len().mean() < 0.5 * whole.str.len().mean()


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
        workflow.open_trained(runs, changes)


def test_runs_of_other_seeds_have_the_same_splits(runs):
    one, other = (read_json(run.data)["sha256"] for run in runs)
    assert one == other


def test_runs_are_joined(runs):
    task, model = workflow.open_trained(runs)
    card = task.servable(model).card
    assert card["models"] == 2
    assert len(card["metrics"]["members"]) == 2
    alone, both = (
        workflow.score(runs[0], split="test", others=others)["log_probability"]
        for others in ((), runs[1:])
    )
    assert not np.allclose(alone, both)


def test_runs_of_other_pairs_are_not_joined(runs, tmp_path):
    other = Run(shutil.copytree(runs[1].path, tmp_path / "other"))
    facts = other.data.read_text("utf-8")
    other.data.write_text(facts.replace('"source": "en"', '"source": "nl"'), "utf-8")
    task, unlike = (workflow.open_task(run) for run in (runs[0], other))
    with pytest.raises(UserError, match="other pairs or languages"):
        task.join([], [unlike])


def test_runs_with_other_subwords_are_not_joined(runs, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(runs[1].path, other)
    with (other / "assets" / "source.model").open("ab") as file:
        file.write(b"\0")
    task, unlike = (
        workflow.open_task(Run.open(path)) for path in (runs[0].path, other)
    )
    with pytest.raises(UserError, match="other subwords"):
        task.join([], [unlike])
