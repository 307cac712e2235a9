"""The network by itself: both directions, the sampled softmax, going on to learn."""

from typing import get_args

import numpy as np
import pytest
import tensorflow as tf

from recurra.pipelines.language.config import ModelConfig
from recurra.pipelines.language.model import LanguageModel
from recurra.pipelines.language.scoring import Scorer
from recurra.pipelines.recurrent import CellName

from .conftest import TEXT


def _model(size=30, **keys):
    sizes = {"embedding_size": 6, "units": 5, "depth": 1}
    section = ModelConfig(**sizes, directions=keys.pop("directions", "forward"))
    model = LanguageModel(section, size, batch_size=2, seed=0, **keys)
    model.build()
    generator = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(generator.normal(0, 0.8, weight.shape))
    return model


def _losses(model, training):
    generator = np.random.default_rng(1)
    units = generator.integers(0, model.size, (2, 9))
    x = {"ids": tf.constant(units[:, :-1], tf.int32), "carry": tf.zeros(2)}
    y, weights = tf.constant(units[:, 1:], tf.int32), tf.ones([2, 8])
    return float(model.compute_loss(x, y, model(x), weights, training=training))


def test_the_backward_direction_sees_what_stands_behind_alone():
    model = _model(directions="both")
    generator = np.random.default_rng(2)
    ids = generator.integers(1, model.size, (2, 8)).astype(np.int32)
    inputs = {"ids": tf.constant(ids), "carry": tf.zeros(2)}
    _, behind = model(inputs)
    for place in range(8):
        # The outputs for a unit, by what stands behind it and nothing else.
        after = np.concatenate([np.zeros((2, 1), int), ids[:, :place:-1]], 1)
        expected = model.read_backward(tf.constant(after, tf.int32))[:, -1]
        np.testing.assert_allclose(
            behind[:, place], model.readouts(expected), atol=1e-5
        )
    assert _losses(model, training=False) > _losses(_model(), training=False)


def test_the_sampled_softmax_estimates_the_whole_one_and_validation_is_exact():
    exact = _losses(_model(), training=True)
    many, few = _model(sampled_units=50_000), _model(sampled_units=4)
    assert _losses(many, training=True) == pytest.approx(exact, rel=0.02)
    assert _losses(few, training=True) != pytest.approx(exact, rel=1e-3)
    assert _losses(few, training=False) == pytest.approx(exact)


def test_a_network_that_goes_on_learning_expects_what_comes_again(members, units):
    (ids,) = units.encode_all([TEXT])
    documents = [np.tile(ids, 6)]
    scorer = Scorer(members)
    before = [weight.numpy() for weight in members.model.trainable_weights]
    still = scorer.score(documents)
    unmoved = scorer.score_dynamically(documents, 20, rate=0.0, timesteps=7)
    np.testing.assert_allclose(
        unmoved.log_probabilities, still.log_probabilities, atol=1e-4
    )
    moved = scorer.score_dynamically(documents, 20, rate=0.5, timesteps=7)
    recurrent = members.names.index("recurrent")
    half = len(documents[0]) // 2
    gained = moved.log_probabilities - still.log_probabilities
    assert gained[half:, recurrent].mean() > 0.1
    assert len(moved.ranked) == len(moved.ranks) > 0
    for weight, value in zip(members.model.trainable_weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


@pytest.mark.parametrize("cell", get_args(CellName))
def test_unit_by_unit_it_is_the_same(cell):
    section = ModelConfig(embedding_size=6, units=8, depth=2, cell=cell)
    model = LanguageModel(section, 20, batch_size=2, seed=0)
    model.build()
    ids = tf.constant(np.random.default_rng(0).integers(0, 20, (2, 5)), tf.int32)
    states = [tf.zeros([2, size]) for size in model.state_sizes]
    expected, last = model.read(ids, states)
    for step in range(5):
        outputs, states = model.step(ids[:, step], states)
        np.testing.assert_allclose(outputs, expected[:, step], atol=1e-5)
    for state, other in zip(states, last, strict=True):
        np.testing.assert_allclose(state, other, atol=1e-5)
