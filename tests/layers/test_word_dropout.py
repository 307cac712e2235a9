import keras
import numpy as np
import pytest

from recurra.layers import WordDropout

from .cases import to_numpy


def token_ids(shape=(16, 40), vocabulary=12, seed=0):
    ids = np.random.default_rng(seed).integers(0, vocabulary, size=shape)
    return ids.astype("int32")


def factors(layer, ids):
    """What each token is multiplied with in one call, (batch, time)."""
    embedded = np.ones((*ids.shape, 3), "float32")
    dropped = to_numpy(layer(embedded, ids, training=True))
    np.testing.assert_array_equal(dropped, np.repeat(dropped[..., :1], 3, axis=-1))
    return dropped[..., 0]


def test_a_word_is_dropped_at_all_its_places_or_nowhere():
    ids = token_ids()
    found = factors(WordDropout(0.5, seed=1), ids)
    for row, sequence in zip(found, ids, strict=True):
        for word in set(sequence):
            assert len(set(row[sequence == word])) == 1
    assert set(np.unique(found)) == {0, 2}


def test_equals_one_draw_per_word_of_a_sequence():
    layer = WordDropout(0.4, seed=1)
    ids = token_ids()
    stays = layer.draw_noise(ids)
    layer.draw_noise = lambda _: stays
    embedded = np.random.default_rng(0).normal(size=(*ids.shape, 5)).astype("float32")
    dropped = to_numpy(layer(embedded, ids, training=True))
    for sequence in range(len(ids)):
        of_word = {}
        for t, word in enumerate(ids[sequence]):
            z = of_word.setdefault(word, to_numpy(stays)[sequence, t] / 0.6)
            np.testing.assert_allclose(
                dropped[sequence, t], embedded[sequence, t] * z, rtol=1e-5
            )


def test_rate_between_words_sequences_and_calls():
    layer = WordDropout(0.3, seed=1)
    # A vocabulary beyond any table, each word once.
    ids = (np.arange(200 * 100).reshape(200, 100) * 100_003).astype("int32")
    first, second = (factors(layer, ids) == 0 for _ in range(2))
    assert abs(first.mean() - 0.3) < 6 * np.sqrt(0.3 * 0.7 / first.size)
    by_chance = 0.3**2 + 0.7**2
    assert abs((first == second).mean() - by_chance) < 0.02
    assert abs((first[1:] == first[:-1]).mean() - by_chance) < 0.02
    assert abs((first[:, 1:] == first[:, :-1]).mean() - by_chance) < 0.02


def test_sequences_draw_apart_for_the_same_words():
    ids = np.tile(np.arange(50, dtype="int32"), (2, 1))
    first, second = factors(WordDropout(0.5, seed=1), ids)
    assert not np.array_equal(first, second)


def test_same_seed_same_words():
    ids = token_ids()
    np.testing.assert_array_equal(
        *(factors(WordDropout(0.5, seed=7), ids) for _ in range(2))
    )


def test_inference_leaves_everything():
    embedded = np.ones((2, 3, 4), "float32")
    ids = np.zeros((2, 3), "int32")
    np.testing.assert_array_equal(to_numpy(WordDropout(0.5)(embedded, ids)), embedded)


@pytest.mark.parametrize("shape", [(3, 1), (0, 4), (1, 5)])
def test_small_shapes(shape):
    assert factors(WordDropout(0.5), token_ids(shape)).shape == shape


def test_in_a_model_with_dynamic_time_and_padding(tmp_path):
    ids = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(12, 4, mask_zero=True)(ids)
    kept = WordDropout(0.5, seed=3)(embedded, ids)
    model = keras.Model(ids, keras.layers.LSTM(2)(kept))
    model.compile("sgd", "mse")
    for time in (4, 9):
        model.train_on_batch(token_ids((6, time)), np.zeros((6, 2)))

    path = tmp_path / "model.keras"
    model.save(path)
    again = keras.models.load_model(path)
    np.testing.assert_array_equal(
        model.predict(token_ids(), verbose=0), again.predict(token_ids(), verbose=0)
    )
    padded = np.array([[3, 5, 0, 0], [3, 5, 7, 0]], "int32")
    np.testing.assert_allclose(
        to_numpy(model(padded))[0], to_numpy(model(padded[:1, :2]))[0], atol=1e-6
    )


@pytest.mark.parametrize("rate", [-0.1, 1.0, "0.5", None, True])
def test_rate_is_checked(rate):
    with pytest.raises(ValueError, match=r"`rate` must be .*\. Received: "):
        WordDropout(rate)


def test_token_ids_must_be_integers():
    with pytest.raises(ValueError, match="Received: token_ids of dtype"):
        WordDropout(0.5)(np.ones((1, 2, 3), "float32"), np.ones((1, 2), "float32"))
