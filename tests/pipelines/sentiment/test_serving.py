"""The exported graph: from raw strings to calibrated answers and their explanation."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from recurra.pipelines.datasets.labelled_texts import Split
from recurra.pipelines.sentiment.config import SentimentConfiguration
from recurra.pipelines.sentiment.learning import learn_preprocessing
from recurra.pipelines.sentiment.model import RECURRENT, build_model, compile_model
from recurra.pipelines.sentiment.preprocessing import Preprocessing, with_ratios
from recurra.pipelines.sentiment.serving import SentimentServing

CLASSES = ("negative", "neutral", "positive")
DECISIVE = {
    "negative": ["awful", "dreadful", "poor"],
    "neutral": ["average", "ordinary", "middling"],
    "positive": ["lovely", "superb", "great"],
}
FILLING = ["the", "film", "room", "story", "food", "was", "with", "and"]
MAX_TOKENS = 16
# What a model has beside its recurrent layers.
PARTS = [("wide", "evidence", "convolution"), ()]
STRANGE = {
    "empty": b"",
    "white space": b" \t\n\xe3\x80\x80",
    "100,000 words": b"lovely room " * 50_000,
    "not UTF-8": b"\xff\xfe lovely \xc3",
    "emoji": "😀👩‍👩‍👧🏳️‍🌈".encode(),
    "NUL": b"\x00lovely\x00",
    "one word": b"superb",
}


class Served(NamedTuple):
    """A trained model, what it was trained with, and what was exported of it."""

    model: keras.Model
    features: Callable[[Sequence[str | bytes]], dict[str, tf.Tensor]]
    branch_weights: list[float]
    classify: tf.types.experimental.GenericFunction
    explain: tf.types.experimental.GenericFunction


def some_texts(number, seed, longest=2 * MAX_TOKENS):
    """Texts of mixed length with the word that decides their class, and the class."""
    generator = np.random.default_rng(seed)
    texts, labels = [], []
    for row in range(number):
        label = row % len(CLASSES)
        words = generator.choice(FILLING, generator.integers(1, longest)).tolist()
        decisive = generator.choice(DECISIVE[CLASSES[label]])
        words.insert(generator.integers(len(words) + 1), decisive)
        texts.append(" ".join(words))
        labels.append(label)
    return np.array(texts, object), np.array(labels, np.int64)


@pytest.fixture(scope="module", params=PARTS, ids=["all parts", "recurrent alone"])
def served(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    configuration = SentimentConfiguration.model_validate(
        {
            "text": {"max_tokens": MAX_TOKENS, "head_share": 0.5, "min_count": 1},
            "ngrams": {"longest": 2, "min_count": 3, "smoothing": 1.0},
            "wide": {"enabled": "wide" in request.param, "rate": 1.0},
            "model": {
                "evidence": "evidence" in request.param,
                "evidence_scale": 0.3,
                "evidence_dropout": 0.0,
                "convolution_filters": 8 if "convolution" in request.param else 0,
                "stride": 2 if "convolution" in request.param else 1,
                "cell": "lstm",
                "units": 8,
                "embedding_size": 8,
                "pooling": ["max", "mean"],
                "word_dropout": 0.0,
                "input_dropout": 0.0,
                "dropout": 0.0,
            },
            "training": {"learning_rate": 0.01, "decay": "constant", "warmup_steps": 0},
        }
    )
    texts, labels = some_texts(300, seed=0, longest=MAX_TOKENS)
    learn_preprocessing(configuration, Split(texts, labels), len(CLASSES), folder)
    preprocessing = Preprocessing(configuration, folder)
    keras.utils.set_random_seed(0)
    model = build_model(configuration, len(CLASSES), folder)
    compile_model(model, configuration, steps_per_epoch=1)
    ratios = None
    if configuration.uses_ngrams:
        ratios = np.load(folder / "ngram_ratios.npy")[0]
    batch = (padded_features(preprocessing, ratios, texts), labels)
    data = tf.data.Dataset.from_tensors(batch).repeat(50)
    model.fit(data, shuffle=False, verbose=0)
    # As calibration leaves them: no ones.
    branch_weights = [0.7, 0.4] if configuration.wide.enabled else [0.7]
    serving = SentimentServing(model, preprocessing, ratios, CLASSES, branch_weights)
    signatures = {"serving_default": serving.classify, "explain": serving.explain}
    tf.saved_model.save(serving, str(folder / "model"), signatures)
    loaded = tf.saved_model.load(str(folder / "model"))
    return Served(
        model,
        functools.partial(padded_features, preprocessing, ratios),
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
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


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
    texts, _ = some_texts(300, seed=1)
    features = served.features(texts)
    branches = served.model.predict(features, batch_size=64, verbose=0)
    logits = sum(
        weight * branches[:, branch]
        for branch, weight in enumerate(served.branch_weights)
    )
    found = answers(served.classify, texts)["probabilities"]
    np.testing.assert_allclose(found, softmax(logits), atol=1e-5)
    assert found.std(axis=0).min() > 0.05  # the model says different things


def test_the_model_knows_what_it_was_taught(served):
    texts, labels = some_texts(60, seed=2, longest=10)
    names = np.array(CLASSES)[labels].astype(bytes)
    assert (answers(served.classify, texts)["label"] == names).mean() > 0.8


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


def attributed_quantity(served, texts):
    """What the attributions of each text have to add up to, from the model itself."""
    features = served.features(texts)
    weights = np.array(served.branch_weights)
    logits = np.einsum("nbc,b->nc", served.model(features).numpy(), weights)
    tokens = features["tokens"]
    branch = served.model.get_layer(RECURRENT)
    zeros = tf.zeros([*tokens.shape, branch.input["embedded"].shape[-1]])
    start = weights[0] * branch({"tokens": tokens, "embedded": zeros}).numpy()
    if "ngrams" in features:
        nothing = {**features, "ngrams": tf.zeros_like(features["ngrams"])}
        start = start + weights[1] * served.model(nothing).numpy()[:, 1]
    chosen = logits.argmax(axis=1)
    return contrast(logits, chosen) - contrast(start, chosen)


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
    attributions = answers(served.explain, texts)["attributions"]
    expected = attributed_quantity(served, texts)
    gaps = np.abs(attributions.sum(axis=1) - expected)
    # What the sum over so few steps misses of the integral, in the mean of the texts:
    # of a single one it may be more.
    assert gaps.mean() < 0.05 + 0.05 * np.abs(expected).mean()


def test_an_explanation_does_not_depend_on_its_batch(served):
    texts, _ = some_texts(5, seed=5)
    together = answers(served.explain, texts)["attributions"]
    for row, text in enumerate(texts):
        alone = answers(served.explain, [text])["attributions"][0]
        of_text = together[row, : len(alone)]
        np.testing.assert_allclose(of_text, alone, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", CLASSES)
def test_the_word_that_decides_the_class_has_the_largest_attribution(served, name):
    for word in DECISIVE[name]:
        text = f"the room with the {word} food and the story"
        assert answers(served.classify, [text])["label"][0] == name.encode()
        explained = answers(served.explain, [text])
        largest = explained["attributions"][0].argmax()
        assert explained["tokens"][0, largest] == word.encode()


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


def test_places_of_a_repeated_ngram_share_its_part_equally(served):
    # In the middle, which the recurrent branch does not read, between unknown words.
    once, thrice = (
        answers(served.explain, [" ".join(["zebra"] * 20 + words + ["zebra"] * 20)])
        for words in (["great"], ["great", "zebra", "great", "zebra", "great"])
    )
    (whole,) = once["attributions"][0][once["tokens"][0] == b"great"]
    parts = thrice["attributions"][0][thrice["tokens"][0] == b"great"]
    assert (abs(whole) > 0.01) == (len(served.branch_weights) > 1)
    np.testing.assert_allclose(parts, whole / 3, rtol=1e-4)
