"""The exported graph: from raw strings to calibrated answers and their explanation.

The weights are drawn, not trained: what is exported does not depend on how well, and
what is drawn by NumPy is the same on every machine.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from recurra.pipelines.data.texts.labelled_texts import Split
from recurra.pipelines.sentiment.config import SentimentConfig
from recurra.pipelines.sentiment.ensemble import Ensemble
from recurra.pipelines.sentiment.fit_preprocessing import fit_preprocessing
from recurra.pipelines.sentiment.integrated_gradients import TOLERANCE
from recurra.pipelines.sentiment.model import RECURRENT, branch_names, build_model
from recurra.pipelines.sentiment.preprocessing import (
    UNKNOWN,
    Preprocessing,
    load_ratios,
    with_ratios,
)
from recurra.pipelines.sentiment.serving import SentimentServing

CLASSES = ("negative", "neutral", "positive")
DECISIVE = ["awful", "poor", "average", "ordinary", "lovely", "great"]
FILLING = ["the", "film", "room", "food", "was", "with"]
MAX_TOKENS = 16
# What a model has beside its recurrent layers.
PARTS = [("wide", "ngram_features", "convolution"), ()]
STRANGE = {
    "empty": b"",
    "white space": b" \t\n\xe3\x80\x80",
    "100,000 words": b"lovely room " * 50_000,
    "not UTF-8": b"\xff\xfe lovely \xc3",
    "emoji": "😀👩‍👩‍👧🏳️‍🌈".encode(),
    "NUL": b"\x00lovely\x00",
    "one word": b"great",
}


class Served(NamedTuple):
    """A model, what it was built with, and what was exported of it."""

    model: keras.Model
    features: Callable[[Sequence[str | bytes]], dict[str, tf.Tensor]]
    branches: list[str]
    branch_weights: list[float]
    classify: tf.types.experimental.GenericFunction
    explain: tf.types.experimental.GenericFunction


def some_texts(number, seed, longest=2 * MAX_TOKENS):
    """Texts of mixed length with a word that decides their class, and the class."""
    generator = np.random.default_rng(seed)
    texts, labels = [], []
    for row in range(number):
        label = row % len(CLASSES)
        words = generator.choice(FILLING, generator.integers(1, longest)).tolist()
        decisive = generator.choice(DECISIVE[2 * label : 2 * label + 2])
        words.insert(generator.integers(len(words) + 1), decisive)
        texts.append(" ".join(words))
        labels.append(label)
    return np.array(texts, object), np.array(labels, np.int64)


def draw_weights(model):
    """Of a size that makes answers differ and the recurrence saturate."""
    generator = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(generator.normal(scale=0.8, size=variable.shape))
    # So that an unknown word brings nothing.
    vectors = model.get_layer("word_vectors")
    (values,) = vectors.get_weights()
    values[UNKNOWN] = 0
    vectors.set_weights([values])


@pytest.fixture(scope="module", params=PARTS, ids=["all parts", "recurrent alone"])
def served(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    configuration = SentimentConfig.model_validate(
        {
            "text": {"max_tokens": MAX_TOKENS, "head_fraction": 0.5, "min_count": 1},
            "ngrams": {"longest": 2, "min_count": 3, "smoothing": 1.0},
            "wide": {"enabled": "wide" in request.param, "rate": 1.0},
            "linear": {"enabled": "wide" in request.param},
            "model": {
                "ngram_features": "ngram_features" in request.param,
                "ngram_feature_scale": 0.3,
                "convolution_filters": 8 if "convolution" in request.param else 0,
                "stride": 2 if "convolution" in request.param else 1,
                "units": 6,
                "embedding_size": 6,
                "embedding_start": "random",
            },
        }
    )
    texts, labels = some_texts(90, seed=0, longest=MAX_TOKENS)
    fit_preprocessing(configuration, Split(texts, labels), len(CLASSES), folder)
    preprocessing = Preprocessing(configuration, folder)
    model = build_model(configuration, len(CLASSES), folder)
    draw_weights(model)
    ratios = load_ratios(folder)
    ratios = None if ratios is None else ratios[0]
    # As calibration leaves them: no ones.
    names = branch_names(configuration, folder)
    branch_weights = [0.7, 0.4, 0.2, 0.3][: len(names)]
    ensemble = Ensemble(("run",), (model,), tuple(names), np.array([branch_weights]))
    serving = SentimentServing(ensemble, preprocessing, ratios, CLASSES)
    tf.saved_model.save(serving, str(folder / "model"), serving.signatures())
    loaded = tf.saved_model.load(str(folder / "model"))
    return Served(
        model,
        functools.partial(padded_features, preprocessing, ratios),
        names,
        branch_weights,
        loaded.signatures["serving_default"],
        loaded.signatures["explain"],
    )


def padded_features(preprocessing, ratios, texts):
    tokens = preprocessing.tokens(tf.constant(list(texts), tf.string))
    features = preprocessing.features(tokens)
    features = {name: ids.to_tensor(0) for name, ids in features.items()}
    return features if ratios is None else with_ratios(features, ratios)


def answers(signature, texts):
    given = tf.constant(list(texts), tf.string)
    return {name: value.numpy() for name, value in signature(text=given).items()}


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def test_the_signatures_are_those_that_clients_were_promised(served):
    for signature in (served.classify, served.explain):
        _, inputs = signature.structured_input_signature
        assert list(inputs) == ["text"]
        assert inputs["text"].dtype == tf.string
        assert inputs["text"].shape.as_list() == [None]
    outputs = {
        name: (spec.dtype, spec.shape.as_list())
        for name, spec in served.classify.structured_outputs.items()
    }
    assert outputs["label"] == (tf.string, [None])
    assert outputs["score"] == (tf.float32, [None])
    dtype, shape = outputs["probabilities"]
    assert dtype == tf.float32
    assert len(shape) == 2
    assert set(outputs) == {"label", "score", "probabilities"}
    outputs = {
        name: (spec.dtype, len(spec.shape.as_list()))
        for name, spec in served.explain.structured_outputs.items()
    }
    assert outputs == {"tokens": (tf.string, 2), "attributions": (tf.float32, 2)}


def test_exported_probabilities_are_those_of_the_model_in_memory(served):
    texts, _ = some_texts(100, seed=1)
    features = served.features(texts)
    branches = served.model(features).numpy()
    logits = sum(
        weight * branches[:, branch]
        for branch, weight in enumerate(served.branch_weights)
    )
    found = answers(served.classify, texts)["probabilities"]
    np.testing.assert_allclose(found, softmax(logits), atol=1e-5)
    assert found.std(axis=0).min() > 0.05  # the model says different things


def test_label_and_score_are_those_of_the_largest_probability(served):
    texts, _ = some_texts(50, seed=3)
    found = answers(served.classify, texts)
    largest = found["probabilities"].argmax(axis=1)
    assert found["label"].tolist() == [CLASSES[row].encode() for row in largest]
    np.testing.assert_array_equal(found["score"], found["probabilities"].max(axis=1))


@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE)
def test_any_text_is_answered_and_explained(served, text):
    probabilities = answers(served.classify, [text])["probabilities"]
    assert np.isfinite(probabilities).all()
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)
    explained = answers(served.explain, [text])
    assert explained["tokens"].shape == explained["attributions"].shape
    assert explained["tokens"].shape[1] >= 1
    assert (explained["tokens"] != b"").all()
    assert np.isfinite(explained["attributions"]).all()


def test_strange_texts_beside_others_change_no_answer(served):
    texts = [*STRANGE.values(), b"the food was great"]
    together = answers(served.classify, texts)["probabilities"]
    alone = [answers(served.classify, [text])["probabilities"][0] for text in texts]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_no_text_at_all_has_no_answer(served):
    found = answers(served.classify, [])
    assert found["probabilities"].shape == (0, len(CLASSES))
    assert found["label"].shape == found["score"].shape == (0,)
    explained = answers(served.explain, [])
    assert explained["tokens"].shape[0] == explained["attributions"].shape[0] == 0


def test_explanations_name_every_token_and_pad_the_shorter_text(served):
    texts = ["The food, was lovely!", "great", "room " * 50]
    explained = answers(served.explain, texts)
    tokens, attributions = explained["tokens"], explained["attributions"]
    assert tokens.shape == attributions.shape == (3, 50)
    words = [b"the", b"food", b",", b"was", b"lovely", b"!"]
    assert tokens[0].tolist() == words + [b""] * 44
    assert tokens[1].tolist() == [b"great"] + [b""] * 49
    assert tokens[2].tolist() == [b"room"] * 50
    assert not attributions[tokens == b""].any()


def attributed_quantities(served, texts):
    """What the attributions of the branches have to add up to, from the model itself.

    Returns:
        `[B, N]`.
    """
    features = served.features(texts)
    weights = np.array(served.branch_weights)
    branches = served.model(features).numpy() * weights[:, np.newaxis]
    chosen = branches.sum(axis=1).argmax(axis=1)
    tokens = features["tokens"]
    branch = served.model.get_layer(RECURRENT)
    zeros = tf.zeros([*tokens.shape, branch.input["embedded"].shape[-1]])
    starts = [branch({"tokens": tokens, "embedded": zeros}).numpy()]
    for name in served.branches[1:]:
        nothing = tf.zeros_like(features["ngrams"])
        starts.append(served.model.get_layer(name)(nothing).numpy())
    return np.array(
        [
            contrast(branches[:, index], chosen)
            - contrast(weights[index] * start, chosen)
            for index, start in enumerate(starts)
        ]
    )


def contrast(logits, chosen):
    """The chosen class's logit less the mean of the others'."""
    rows = np.arange(len(logits))
    others = (logits.sum(axis=1) - logits[rows, chosen]) / (logits.shape[1] - 1)
    return logits[rows, chosen] - others


COMPLETENESS = {
    "mixed": some_texts(30, seed=4)[0].tolist(),
    "repeated n-grams": ["lovely food lovely food lovely food", "poor poor poor"],
    "longer than is read": ["the film was " * 30 + "awful", "great " + "room " * 60],
    "unknown words": ["zebra stripes", "", "zebra awful zebra"],
}


@pytest.mark.parametrize("texts", COMPLETENESS.values(), ids=COMPLETENESS)
def test_attributions_add_up_to_what_they_explain(served, texts):
    sums = answers(served.explain, texts)["attributions"].sum(axis=1)
    expected = attributed_quantities(served, texts)
    # The parts of n-grams are exact, and so many roundings add up to next to nothing.
    allowed = TOLERANCE * np.maximum(1, np.abs(expected[0])) + 1e-3
    assert (np.abs(sums - expected.sum(axis=0)) <= allowed).all()


def test_an_explanation_does_not_depend_on_its_batch(served):
    texts, _ = some_texts(5, seed=5)
    together = answers(served.explain, texts)["attributions"]
    for row, text in enumerate(texts):
        alone = answers(served.explain, [text])["attributions"][0]
        of_text = together[row, : len(alone)]
        np.testing.assert_allclose(of_text, alone, rtol=1e-3, atol=1e-5)


def test_tokens_that_bring_nothing_have_no_attribution(served):
    texts = ["zebra zebra great zebra", "zebra awful zebra lovely zebra"]
    explained = answers(served.explain, texts)
    words = np.isin(explained["tokens"], [b"great", b"awful", b"lovely"])
    np.testing.assert_array_equal(explained["attributions"] != 0, words)


def test_what_the_recurrent_branch_does_not_read_it_gives_no_part_to(served):
    """Unknown words between: no n-gram knows them, and the middle is not read."""
    text = " ".join(["great"] * 15 + ["zebra"] * 30 + ["great"] * 15)
    attributions = answers(served.explain, [text])["attributions"][0]
    head = tail = MAX_TOKENS // 2
    unread = attributions[head : len(attributions) - tail]
    assert attributions[:head].all()
    assert attributions[len(attributions) - tail :].all()
    assert not unread[15 - head : 45 - head].any()
    knows_ngrams = len(served.branch_weights) > 1
    assert unread[: 15 - head].any() == knows_ngrams


def test_occurrences_of_an_ngram_have_equal_parts_of_it(served):
    # In the middle, which the recurrent branch does not read, between unknown words.
    once, thrice = (
        answers(served.explain, [" ".join(["zebra"] * 20 + words + ["zebra"] * 20)])
        for words in (["great"], ["great", "zebra", "great", "zebra", "great"])
    )
    (whole,) = once["attributions"][0][once["tokens"][0] == b"great"]
    parts = thrice["attributions"][0][thrice["tokens"][0] == b"great"]
    assert (abs(whole) > 0.01) == (len(served.branch_weights) > 1)
    np.testing.assert_allclose(parts, whole / 3, rtol=1e-4)
