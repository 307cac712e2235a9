"""The model by its parts and options, against Keras and NumPy."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from recurra.layers import GRU, LSTM, VanillaRNN
from recurra.pipelines.sentiment.config import SentimentConfig
from recurra.pipelines.sentiment.model import (
    NaiveBayesNgrams,
    build_model,
    compile_model,
    embedding_layer,
    embedding_model,
    recurrent_branch,
)
from recurra.pipelines.sentiment.preprocessing import PADDING

VOCABULARY, EMBEDDING, UNITS, NGRAMS, LONGEST, FOLDS = 30, 6, 5, 40, 2, 3
CELLS = ("vanilla", "lstm", "gru")
POOLINGS = ("last", "max", "mean", "attention")
LENGTHS = (7, 4, 1, 6)


def configured(wide=True, joint_loss=0.0, **model):
    return SentimentConfig.model_validate(
        {
            "ngrams": {"longest": LONGEST},
            "wide": {"enabled": wide, "dropout": 0.0, "joint_loss": joint_loss},
            "model": {
                "embedding_size": EMBEDDING,
                "units": UNITS,
                "ngram_features": False,
                "convolution_filters": 0,
                "stride": 1,
                "word_dropout": 0.2,
                "input_dropout": 0.3,
                "dropout": 0.5,
                **model,
            },
        }
    )


@pytest.fixture(scope="module", params=[2, 4], ids=["2 classes", "4 classes"])
def classes(request):
    return request.param


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """What fitting leaves, by number of classes."""
    return {
        classes: write_assets(tmp_path_factory.mktemp("assets"), classes)
        for classes in (2, 4)
    }


def write_assets(assets, classes):
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(VOCABULARY, EMBEDDING)).astype(np.float32)
    shape = (1 + FOLDS, 1 + NGRAMS, classes)
    ratios = generator.normal(size=shape).astype(np.float32)
    vectors[0] = ratios[:, 0] = 0
    np.save(assets / "word_vectors.npy", vectors)
    np.save(assets / "ngram_ratios.npy", ratios)
    return assets


def padded_rows(lengths, upper, padding, seed=0):
    generator = np.random.default_rng(seed)
    rows = np.zeros((len(lengths), max(lengths) + padding), np.int32)
    for row, length in enumerate(lengths):
        rows[row, :length] = generator.integers(1, upper, length)
    return rows


def features_of(wide=True, ratios_of=0, padding=0, lengths=LENGTHS):
    """Of random texts; n-gram features for so many classes, if any."""
    features = {"tokens": padded_rows(lengths, VOCABULARY, padding)}
    if wide:
        ngrams = [2 * length for length in lengths]
        features["ngrams"] = padded_rows(ngrams, 1 + NGRAMS, padding, seed=1)
    if ratios_of:
        ratios = 1 if ratios_of == 2 else ratios_of
        shape = (len(lengths), max(lengths), LONGEST * ratios)
        found = np.random.default_rng(3).normal(size=shape).astype(np.float32)
        found = np.pad(found, [(0, 0), (0, padding), (0, 0)])
        features["ngram_features"] = found * (features["tokens"] > 0)[..., None]
    return features


def one_row(features, row):
    """The row by itself, without any padding."""
    valid = {
        "tokens": features["tokens"][row] > 0,
        "ngram_features": features["tokens"][row] > 0,
        "ngrams": features.get("ngrams", features["tokens"])[row] > 0,
    }
    return {name: ids[row : row + 1, valid[name]] for name, ids in features.items()}


def answers(model, features):
    return model(features, training=False).numpy()


def give_random_weights(model):
    """So that nothing is zero that begins so, such as biases and n-gram weights."""
    generator = np.random.default_rng(2)
    for variable in model.trainable_variables:
        variable.assign(generator.normal(scale=0.5, size=variable.shape))


@pytest.mark.parametrize(
    ("cell", "bidirectional", "depth"),
    list(itertools.product(CELLS, (False, True), (1, 2))),
)
def test_every_architecture_answers_every_row_for_itself(
    folders, cell, bidirectional, depth
):
    configuration = configured(
        cell=cell, bidirectional=bidirectional, pooling=list(POOLINGS), depth=depth
    )
    model = build_model(configuration, 2, folders[2])
    give_random_weights(model)
    features = features_of()
    logits = answers(model, features)
    assert logits.shape == (len(LENGTHS), 2, 2)
    assert np.isfinite(logits).all()
    # Rows of different content get different answers, of either branch.
    for branch in (0, 1):
        assert len(np.unique(logits[:, branch].round(2), axis=0)) == len(LENGTHS)
    np.testing.assert_allclose(
        answers(model, features_of(padding=5)), logits, atol=1e-4
    )
    alone = answers(model, one_row(features, 1))
    np.testing.assert_allclose(alone[0], logits[1], atol=1e-4)


FRONTS = {
    "n-gram features": {"ngram_features": True},
    "convolution": {"convolution_filters": 6, "convolution_width": 3},
    "wide convolution": {"convolution_filters": 6, "convolution_width": 8},
    "stride 2": {"convolution_filters": 6, "stride": 2},
    "stride 3 and n-gram features": {
        "convolution_filters": 6,
        "stride": 3,
        "ngram_features": True,
    },
    "stride beyond all texts": {"convolution_filters": 6, "stride": 20},
}


@pytest.mark.parametrize("front", FRONTS.values(), ids=FRONTS)
def test_what_stands_before_the_recurrence_keeps_rows_and_padding_apart(folders, front):
    configuration = configured(pooling=list(POOLINGS), **front)
    model = build_model(configuration, 2, folders[2])
    give_random_weights(model)
    ratios_of = 2 if "ngram_features" in front else 0
    features = features_of(ratios_of=ratios_of)
    logits = answers(model, features)
    assert len(np.unique(logits[:, 0].round(4), axis=0)) == len(LENGTHS)
    for padding in (1, 2, 5):
        padded = features_of(ratios_of=ratios_of, padding=padding)
        np.testing.assert_allclose(answers(model, padded), logits, atol=1e-5)
    for row in range(len(LENGTHS)):
        alone = answers(model, one_row(features, row))
        np.testing.assert_allclose(alone[0], logits[row], atol=1e-5)


def test_ngram_features_reach_the_recurrent_branch_alone(folders):
    model = build_model(configured(ngram_features=True), 4, folders[4])
    give_random_weights(model)
    features = features_of(ratios_of=4)
    logits = answers(model, features)
    without = {**features, "ngram_features": np.zeros_like(features["ngram_features"])}
    moved = np.abs(answers(model, without) - logits) > 1e-5
    assert moved[:, 0].any(axis=1).all()
    assert not moved[:, 1].any()


def test_ngram_features_are_scaled(folders):
    features = features_of(ratios_of=2)
    found = []
    for scale in (1.0, 4.0):
        configuration = configured(ngram_features=True, ngram_feature_scale=scale)
        model = build_model(configuration, 2, folders[2])
        give_random_weights(model)
        given = {**features, "ngram_features": features["ngram_features"] / scale}
        found.append(answers(model, given))
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


def test_embedded_tokens_can_be_asked_for(folders):
    vectors = np.load(folders[2] / "word_vectors.npy")
    features = features_of(wide=False, ratios_of=2)
    tokens = features["tokens"]
    model = build_model(configured(), 2, folders[2])
    found = embedding_model(model)({"tokens": tokens}).numpy()
    np.testing.assert_array_equal(found, vectors[tokens])
    configuration = configured(ngram_features=True, ngram_feature_scale=2.0)
    model = build_model(configuration, 2, folders[2])
    found = embedding_model(model)(features, training=False).numpy()
    np.testing.assert_array_equal(found[..., :EMBEDDING], vectors[tokens])
    np.testing.assert_allclose(found[..., EMBEDDING:], 2 * features["ngram_features"])


def the_layer(model, kinds):
    (found,) = (layer for layer in model.layers if isinstance(layer, kinds))
    return found


def keras_twin(ours, final):
    """Keras's own layer with the weights of ours, giving the final output or all."""
    bidirectional = isinstance(ours, keras.layers.Bidirectional)
    inner = ours.forward_layer if bidirectional else ours
    twins = {
        LSTM: keras.layers.LSTM,
        GRU: keras.layers.GRU,
        VanillaRNN: keras.layers.SimpleRNN,
    }
    twin = twins[type(inner)](UNITS, return_sequences=not final)
    if bidirectional:
        twin = keras.layers.Bidirectional(twin)
    input_size = ours.get_weights()[0].shape[0]
    twin.build((None, None, input_size))
    twin.set_weights(ours.get_weights())
    return twin


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_last_pooling_is_the_final_state_of_keras_layers(cell, bidirectional, depth):
    section = configured(
        cell=cell, bidirectional=bidirectional, depth=depth, pooling=["last"]
    ).model
    branch = recurrent_branch(section, EMBEDDING, 3)
    give_random_weights(branch)
    recurrent = (LSTM, VanillaRNN, GRU, keras.layers.Bidirectional)
    ours = [layer for layer in branch.layers if isinstance(layer, recurrent)]
    assert len(ours) == depth
    twins = [keras_twin(layer, layer is ours[-1]) for layer in ours]
    dense = the_layer(branch, keras.layers.Dense)
    tokens = features_of()["tokens"]
    embedded = np.random.default_rng(4).normal(size=(*tokens.shape, EMBEDDING))
    embedded = embedded.astype(np.float32)
    logits = answers(branch, {"tokens": tokens, "embedded": embedded})
    for row, length in enumerate(LENGTHS):
        state = embedded[row : row + 1, :length]
        for twin in twins:
            state = twin(state)
        np.testing.assert_allclose(logits[row], dense(state).numpy()[0], atol=1e-5)


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_pooling_over_the_valid_steps_alone(pooling):
    section = configured(
        cell="vanilla", bidirectional=False, depth=1, pooling=[pooling]
    ).model
    branch = recurrent_branch(section, EMBEDDING, 3)
    give_random_weights(branch)
    twin = keras_twin(the_layer(branch, VanillaRNN), final=False)
    kernel, bias = the_layer(branch, keras.layers.Dense).get_weights()
    tokens = features_of(padding=2)["tokens"]
    embedded = np.random.default_rng(4).normal(size=(*tokens.shape, EMBEDDING))
    embedded = embedded.astype(np.float32)
    logits = answers(branch, {"tokens": tokens, "embedded": embedded})
    for row, length in enumerate(LENGTHS):
        states = twin(embedded[row : row + 1, :length]).numpy()[0]
        expected = getattr(states, pooling)(axis=0) @ kernel + bias
        np.testing.assert_allclose(logits[row], expected, atol=1e-5)


def test_the_number_of_classes_is_that_of_the_logits(folders, classes):
    model = build_model(configured(), classes, folders[classes])
    assert answers(model, features_of()).shape == (len(LENGTHS), 2, classes)


def test_without_a_wide_branch_there_are_tokens_and_one_branch(folders, classes):
    model = build_model(configured(wide=False), classes, folders[classes])
    assert [tensor.name for tensor in model.inputs] == ["tokens"]
    logits = answers(model, features_of(wide=False))
    assert logits.shape == (len(LENGTHS), 1, classes)
    assert np.isfinite(logits).all()


def test_the_branches_stand_apart(folders):
    """Tokens move the recurrent branch's logits alone, n-grams the wide one's."""
    model = build_model(configured(), 2, folders[2])
    give_random_weights(model)
    features = features_of()
    logits = answers(model, features)
    other_ngrams = {**features, "ngrams": (features["ngrams"] > 0) * np.int32(7)}
    moved = np.abs(answers(model, other_ngrams) - logits) > 1e-5
    assert not moved[:, 0].any()
    assert moved[:, 1].any()
    other_tokens = {**features, "tokens": (features["tokens"] > 0) * np.int32(7)}
    moved = np.abs(answers(model, other_tokens) - logits) > 1e-5
    assert moved[:, 0].any()
    assert not moved[:, 1].any()


def test_word_vectors_begin_as_fitted_and_are_trained(folders):
    layer = embedding_layer(configured().model, folders[2])
    layer.build()
    fitted = np.load(folders[2] / "word_vectors.npy")
    np.testing.assert_array_equal(layer.get_weights()[0], fitted)
    assert len(layer.trainable_variables) == 1


def wide_section(**wide):
    return SentimentConfig.model_validate({"wide": wide}).wide


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_naive_bayes_ngrams_by_hand(dropout, classes):
    generator = np.random.default_rng(5)
    ratios = generator.normal(size=(1 + NGRAMS, classes)).astype(np.float32)
    ratios[0] = 0
    wide = wide_section(dropout=dropout, rate=3.0)
    layer = NaiveBayesNgrams(ratios, wide)
    ngrams = padded_rows((9, 1, 4), 1 + NGRAMS, 3)
    ngrams[1] = PADDING
    assert not layer(ngrams).numpy().any()  # w and b begin at zero
    weights, bias = (
        generator.normal(size=variable.shape) for variable in layer.trainable_variables
    )
    for variable, value in zip(layer.trainable_variables, (weights, bias), strict=True):
        variable.assign(value)
    expected = []
    for row in ngrams:
        known = row[row > 0]
        parts = 3.0 * (weights[known] * ratios[known]).sum(axis=0)
        expected.append(bias + parts / np.sqrt(max(1, len(known))))
    found = layer(ngrams, training=False).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_naive_bayes_ratios_are_not_trained():
    ratios = np.ones((3, 2), np.float32)
    layer = NaiveBayesNgrams(ratios, configured().wide)
    layer(np.array([[1, 2]]))
    assert len(layer.trainable_variables) == 2
    assert any(np.array_equal(w, ratios) for w in layer.non_trainable_variables)


def test_ngram_dropout_acts_in_training_alone_and_keeps_the_mean():
    keras.utils.set_random_seed(0)
    layer = NaiveBayesNgrams(np.ones((2, 2), np.float32), wide_section(dropout=0.5))
    ngrams = np.ones((4000, 4), np.int32)
    layer(ngrams)
    for variable in layer.trainable_variables:
        variable.assign(np.ones(variable.shape))
    whole = layer(ngrams, training=False).numpy()
    dropped = layer(ngrams, training=True).numpy()
    assert not np.allclose(dropped, whole)
    assert dropped.mean() == pytest.approx(whole.mean(), rel=0.05)


def labels_of(classes):
    return np.arange(len(LENGTHS)) % classes


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_reach_every_trainable_variable(folders, cell):
    configuration = configured(
        cell=cell,
        depth=2,
        pooling=list(POOLINGS),
        ngram_features=True,
        convolution_filters=6,
        stride=2,
    )
    model = build_model(configuration, 2, folders[2])
    compile_model(model, configuration, steps_per_epoch=1)
    give_random_weights(model)
    with tf.GradientTape() as tape:
        logits = model(features_of(ratios_of=2), training=False)
        loss = model.compute_loss(y=labels_of(2), y_pred=logits)
    variables = model.trainable_variables
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        assert gradient is not None, variable.path
        size = np.abs(tf.convert_to_tensor(gradient).numpy()).max()
        assert size > 1e-7, variable.path


def log_softmax(logits):
    logits = logits.astype(np.float64)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


@pytest.mark.parametrize(
    ("wide", "joint_loss"), [(True, 0.0), (True, 0.7), (False, 0.0)]
)
def test_the_loss_is_the_documented_sum_and_the_metrics_are_of_the_mean(
    folders, classes, wide, joint_loss
):
    configuration = configured(wide=wide, joint_loss=joint_loss)
    model = build_model(configuration, classes, folders[classes])
    compile_model(model, configuration, steps_per_epoch=1)
    give_random_weights(model)
    features, labels = features_of(wide), labels_of(classes)
    logits = answers(model, features)
    rows = np.arange(len(labels))
    loss = -log_softmax(logits)[rows, :, labels].sum(axis=1)
    loss -= joint_loss * log_softmax(logits.sum(axis=1))[rows, labels]
    mean = logits.mean(axis=1)
    measured = model.test_on_batch(features, labels, return_dict=True)
    assert measured["loss"] == pytest.approx(loss.mean(), abs=1e-5)
    of_mean = -log_softmax(mean)[rows, labels].mean()
    assert measured["nll"] == pytest.approx(of_mean, abs=1e-5)
    right = (mean.argmax(axis=1) == labels).mean()
    assert measured["accuracy"] == pytest.approx(right)
    names = ("recurrent_nll", "wide_nll") if wide else ()
    for branch, name in enumerate(names):
        of_branch = -log_softmax(logits)[rows, branch, labels].mean()
        assert measured[name] == pytest.approx(of_branch, abs=1e-5)


def test_rows_count_in_the_loss_as_their_classes_weigh(folders):
    configuration = configured(wide=False)
    model = build_model(configuration, 2, folders[2])
    compile_model(model, configuration, 1, class_weights=[0.5, 3.0])
    give_random_weights(model)
    features, labels = features_of(False), labels_of(2)
    rows = np.arange(len(labels))
    losses = -log_softmax(answers(model, features)[:, 0])[rows, labels]
    measured = model.test_on_batch(features, labels, return_dict=True)
    expected = (np.array([0.5, 3.0])[labels] * losses).mean()
    assert measured["loss"] == pytest.approx(expected, abs=1e-5)
    assert measured["nll"] == pytest.approx(expected, abs=1e-5)
