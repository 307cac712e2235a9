"""A run of texts with several labels, or none: trained, judged, exported, asked."""

import json
import random
import shutil

import numpy as np
import pandas
import pytest
import scipy
import tensorflow as tf

from recurra.pipelines.cards import CARD_FILE, LabelSetsAnswer, read_card
from recurra.pipelines.core import workflow
from recurra.pipelines.core.api import train
from recurra.pipelines.core.errors import UserError
from recurra.pipelines.core.files import read_json, write_json
from recurra.pipelines.core.portable import MODEL_GRAPH
from recurra.pipelines.core.runs import Run
from recurra.pipelines.sentiment.config import DecisionConfig
from recurra.pipelines.sentiment.portable import PortableServing
from recurra.pipelines.sentiment.task import SentimentTask
from recurra.pipelines.testing import check_export, check_prediction, check_run

WORDS = {
    "food|drink": ("soup", "chef", "bakery"),
    "music": ("melody", "choir", "album"),
    "sport": ("goal", "striker", "league"),
}
SETTINGS = (
    "model.embedding_size=8",
    "model.units=4",
    "model.bidirectional=false",
    "training.epochs=2",
    "training.batch_size=16",
)


def generate(rows=160, seed=0):
    """Texts with words of their labels, and words of other labels that are denied."""
    generator = random.Random(seed)
    found = []
    for _ in range(rows):
        labels = [name for name in WORDS if generator.random() < 0.4]
        words = generator.choices(("the", "and", "of", "they", "say"), k=8)
        for name, own in WORDS.items():
            if name in labels:
                words.insert(generator.randrange(9), generator.choice(own))
            elif generator.random() < 0.2:
                words += ["no", generator.choice(own)]
        found.append({"text": " ".join(words), "labels": labels})
    return found


@pytest.fixture(scope="module")
def rows():
    return generate()


@pytest.fixture(scope="module")
def run(rows, tmp_path_factory):
    """A finished run; not to be changed."""
    path = tmp_path_factory.mktemp("data") / "topics.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return train(
        "sentiment",
        path,
        run=tmp_path_factory.mktemp("topics") / "run",
        settings=SETTINGS,
        progress=False,
        validation_fraction=0.2,
        test_fraction=0.2,
    )


@pytest.fixture(scope="module")
def opened(run):
    """The task with its model; and the batches of its data."""
    task, model = workflow.open_trained([run])
    return task, model, task.data_module(task.load(task.configuration))


@pytest.fixture(scope="module")
def model(run, tmp_path_factory):
    """The exported model, which answers as the one in memory."""
    return check_export(run, tmp_path_factory.mktemp("models"))[0]


def evaluate(opened, split="test", **decision):
    task, model, data_module = opened
    usual = task.configuration
    section = DecisionConfig(**decision)
    task.configuration = usual.model_copy(update={"decision": section})
    try:
        return task.evaluate(model, data_module, split, task.default_evaluation)
    finally:
        task.configuration = usual


def test_the_run_and_its_model_are_those_of_any_task(run, model):
    check_run(run)
    check_prediction(model)


def test_metrics_are_those_of_labels(run):
    metrics = run.metrics
    names = {
        *("micro_f1", "macro_f1", "average_precision", "roc_auc"),
        *("subset_accuracy", "hamming_loss", "nll", "ece"),
    }
    for system in (metrics["model"], *metrics["baselines"].values()):
        assert set(system) == names
    assert set(metrics["intervals"]["model"]) == names
    assert metrics["model"]["average_precision"] > 0.7
    assert metrics["baselines"]["majority"]["average_precision"] < 0.7
    assert [row["label"] for row in metrics["by_label"]] == list(WORDS)
    assert "confusion_matrix" not in metrics
    assert read_json(run.metadata_file)["label_sets"]["train"]["labels_per_row"] > 0.8


def test_predictions_have_joined_labels_and_a_probability_for_each(run):
    predictions = pandas.read_csv(run.predictions_file, keep_default_na=False)
    names = list(WORDS)
    columns = [f"probability_{name}" for name in names]
    probabilities = predictions[columns].to_numpy()
    assert probabilities.sum(axis=1).std() > 0.01
    for has, shown in zip(probabilities >= 0.5, predictions["predicted"], strict=True):
        labels = [name for name, is_there in zip(names, has, strict=True) if is_there]
        is_ambiguous = "food|drink" in labels
        assert shown == (json.dumps(labels) if is_ambiguous else "|".join(labels))


def test_the_report_has_a_table_of_labels_and_no_confusion(run):
    page = run.report.read_text(encoding="utf-8")
    assert "Scores of each label" in page
    assert "Confusion matrix" not in page
    assert "No label" in page
    figures = {path.stem for path in (run.path / "figures").iterdir()}
    assert {"reliability_before", "reliability_after"} <= figures
    assert "confusion_matrix" not in figures


def test_the_card_says_that_a_text_may_have_several_labels(model):
    answer = model.card.answer
    assert isinstance(answer, LabelSetsAnswer)
    assert answer.classes == list(WORDS)
    assert answer.thresholds == [0.5] * 3
    assert "one of its classes" not in " ".join(model.card.limits)
    raw = json.loads((model.folder / CARD_FILE).read_text("utf-8"))
    assert raw["answer"]["kind"] == "label_sets"
    assert read_card(model.folder).answer == answer


def test_the_model_answers_with_names_and_the_mask_of_them(model, rows):
    texts = [row["text"] for row in rows]
    found = model.run({"text": texts})
    chosen = found["probabilities"] >= np.float32(0.5)
    np.testing.assert_array_equal(found["chosen"], chosen)
    assert {0, 1, 2} <= set(chosen.sum(axis=1).tolist())
    names = np.array([name.encode() for name in WORDS], object)
    for has, labels in zip(chosen, found["labels"], strict=True):
        assert [name for name in labels if name] == names[has].tolist()
    answers = model.predict(texts[:5])
    for row, answer in zip(chosen, answers, strict=False):
        assert answer["labels"] == [n.decode() for n in names[row]]
        assert list(answer["probabilities"]) == list(WORDS)
    assert model.run({"text": []})["chosen"].shape == (0, 3)


def test_what_is_told_apart_was_learned(model):
    """Words of a label bring it, whatever other labels there are."""
    found = model.predict(["the goal of the choir", "a striker", "they say"])
    both, one, none = (answer["probabilities"] for answer in found)
    for name in ("music", "sport"):
        assert both[name] > none[name] + 0.1
    assert one["sport"] > none["sport"] + 0.1
    assert abs(one["music"] - none["music"]) < 0.3


def test_attributions_add_up_to_the_logit_of_the_label_they_name(opened):
    task, trained, _ = opened
    signatures = task.servable(trained).signatures
    texts = tf.constant(["the striker and the goal", "no choir of an album", ""])
    explained = signatures["explain"](texts)
    probabilities = signatures["serving_default"](texts)["probabilities"].numpy()
    logits = np.log(probabilities / (1 - probabilities))
    labels = [label.decode() for label in explained["label"].numpy()]
    assert labels == [list(WORDS)[number] for number in logits.argmax(axis=1)]
    numbers = [list(WORDS).index(label) for label in labels[:2]]
    from_nothing = logits[2, numbers]
    np.testing.assert_allclose(
        explained["attributions"].numpy().sum(-1)[:2],
        logits[[0, 1], numbers] - from_nothing,
        atol=0.05,
    )


def test_numbers_alone_come_to_the_same_answers(opened, rows):
    task, trained, _ = opened
    texts = [row["text"] for row in rows[:20]] + [""]
    made = task.portable(trained)
    numbers = made.graphs[MODEL_GRAPH]

    def run_graph(inputs):
        given = (tf.constant(inputs[spec.name]) for spec in numbers.signature)
        return {k: v.numpy() for k, v in numbers.function(*given).items()}

    settings = json.loads(json.dumps(made.settings))
    serving = PortableServing(settings, made.arrays, {MODEL_GRAPH: run_graph})
    found = serving.signatures()["serving_default"]({"text": texts})
    graph = task.servable(trained).signatures["serving_default"]
    expected = {k: v.numpy() for k, v in graph(tf.constant(texts)).items()}
    assert set(found) == set(expected)
    np.testing.assert_allclose(
        found["probabilities"], expected["probabilities"], atol=1e-5
    )
    assert found["labels"].tolist() == expected["labels"].tolist()
    assert found["chosen"].tolist() == expected["chosen"].tolist()


def test_thresholds_are_of_each_label(run, opened):
    usual = evaluate(opened)
    assert usual.model == pytest.approx(run.metrics["model"], abs=1e-5)
    given = evaluate(opened, thresholds={"sport": 0.99999999})
    assert not given.predicted[:, 2].any()
    np.testing.assert_array_equal(given.predicted[:, :2], usual.predicted[:, :2])
    for objective, metric, sign in (
        ("macro_f1", "macro_f1", 1),
        ("accuracy", "hamming_loss", -1),
    ):
        how = {"thresholds": "tuned", "tuned_for": objective}
        tuned = evaluate(opened, "validation", **how)
        stored = run.metrics["validation"]["model"][metric]
        assert sign * tuned.model[metric] >= sign * stored - 1e-6
        assert tuned.details()["thresholds"] == [
            row["threshold"] for row in tuned.details()["by_label"]
        ]


def test_several_runs_are_one_model(run, opened, tmp_path, change_weights):
    other = Run(shutil.copytree(run.path, tmp_path / "other"))
    change_weights(other)
    file = other.assets / "calibration.json"
    write_json(file, {**read_json(file), "label_biases": [0.5, -0.5, 1.0]})
    task, model, data_module = opened
    other_task, other_model = workflow.open_trained([other])
    both = task.ensemble([model, other_model], [other_task])

    def logits(task, model):
        result = task.evaluate(model, data_module, "test", task.default_evaluation)
        return result, scipy.special.logit(result.probabilities)

    (_, one), (_, two) = logits(task, model), logits(other_task, other_model)
    assert np.abs(one - two).max() > 0.2
    result, mean = logits(task, both)
    np.testing.assert_allclose(mean, (one + two) / 2, rtol=1e-3, atol=1e-3)
    assert list(result.baselines)[:2] == ["run", "other"]
    assert result.baselines["run"] == pytest.approx(run.metrics["model"], abs=1e-5)
    assert result.baselines["other"] != result.baselines["run"]


def test_a_run_of_one_class_is_not_joined_with_one_of_several(run, tmp_path):
    other = Run(shutil.copytree(run.path, tmp_path / "other"))
    (other.assets / "multi_label.json").unlink()
    task, unlike = map(workflow.open_task, (run, other))
    with pytest.raises(UserError, match=r"other preprocessing \(multi_label.json\)"):
        task.ensemble([], [unlike])


def test_other_data_of_another_form_are_read(run, tmp_path):
    texts = ["a striker", "the soup and the choir", "they say"]
    columns = {"sport": [1, 0, 0], "music": [0, 1, 0], "food|drink": [0, 1, 0]}
    path = tmp_path / "columns.csv"
    pandas.DataFrame({"text": texts, **columns}).to_csv(path, index=False)
    task = workflow.open_task(run)

    def labels(path, **options):
        return task.load_test(str(path), **options).splits["test"].labels.tolist()

    expected = [[False, False, True], [True, True, False], [False, False, False]]
    assert labels(path, label_columns=list(columns)) == expected
    path = tmp_path / "one.csv"
    path.write_text("text,labels\na striker,sport\nthe choir,music\n")
    assert labels(path) == [[False, False, True], [False, True, False]]
    path.write_text("text,labels\na striker,music/sport\n")
    assert labels(path, label_separator="/") == [[False, True, True]]
    path.write_text("text,labels\na striker,chess\n")
    with pytest.raises(UserError, match="line 2.*'chess' is not among those"):
        labels(path)


def test_rows_that_have_a_label_can_count_more(opened):
    task, _, data_module = opened
    labels = data_module.data.splits["train"].labels
    weights = task.target.class_weights("balanced", task.classes, labels)
    has = labels.sum(axis=0)
    np.testing.assert_allclose(weights, (len(labels) - has) / has)
    logits = tf.random.stateless_normal(labels.shape, (0, 1))
    plain = task.target.cross_entropy(labels, logits, None)
    expected = tf.nn.sigmoid_cross_entropy_with_logits(
        tf.cast(labels, tf.float32), logits
    )
    np.testing.assert_allclose(plain, tf.reduce_mean(expected, -1), rtol=1e-5)
    weighted = task.target.cross_entropy(labels, logits, [3.0, 1.0, 1.0])
    more = 2.0 * expected[:, 0] * labels[:, 0] / 3.0
    np.testing.assert_allclose(weighted, plain + more, rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"training": {"class_weight": {"sprot": 2.0}}}, "did you mean sport"),
        ({"decision": {"thresholds": {"chess": 0.5}}}, "'chess' is no class"),
        ({"decision": {"thresholds": {"sport": 1.0}}}, "a probability below 1"),
        ({"data": {"ordered": True}}, "several labels of a text have no order"),
    ],
)
def test_wrong_keys_are_refused_before_a_run_is_made(
    run, small_configuration, tmp_path, settings, message
):
    spec = run.metrics["data"]
    wrong = small_configuration(spec, **settings)
    with pytest.raises(UserError, match=message):
        workflow.train(SentimentTask, wrong, tmp_path / "run")
    assert not list(tmp_path.iterdir())
