"""Mean and spread over the very passes made, for models of all shapes."""

import warnings

import keras
import numpy as np
import pytest

from recurra.layers import (
    LSTM,
    RNN,
    CellNoise,
    CellRegulariser,
    DeepRNN,
    LSTMCell,
    MonteCarlo,
    TemporalSkip,
    VariationalDropout,
    WeightDrop,
    WordDropout,
    Zoneout,
    monte_carlo,
)

from . import reference
from .cases import (
    BATCH,
    FEATURES,
    PADDINGS,
    TIME,
    UNITS,
    assert_close,
    masks_of,
    randomise,
    record_noise,
    sequences,
    to_numpy,
)

RATES = {"dropout": 0.3, "recurrent_dropout": 0.4, "zoneout_cell": 0.2}


def lstm(**arguments):
    layer = LSTM(UNITS, **arguments)
    layer.build(sequences().shape)
    randomise(layer)
    return layer


def masks_of_pass(masks, number):
    rows = slice(number * BATCH, (number + 1) * BATCH)
    drawn = {name: mask for name, mask in vars(masks).items() if mask is not None}
    return reference.Masks(**{name: mask[rows] for name, mask in drawn.items()})


def last_outputs_of_passes(layer, recorded, initial, padding):
    """Of all passes by the loops of the equations, (passes, batch, units)."""
    outputs = []
    for noise in recorded:
        masks = masks_of(noise)
        for number in range(len(masks.input) // BATCH):
            of_pass, _ = reference.run(
                reference.lstm_step,
                [np.asarray(weight, "float64") for weight in layer.get_weights()],
                sequences().astype("float64"),
                initial,
                masks_of_pass(masks, number),
                padding=padding,
            )
            outputs.append(of_pass[:, -1])
    return np.stack(outputs)


@pytest.mark.parametrize(
    ("passes_at_once", "calls", "padding"),
    [(None, 1, "none"), (None, 1, "holes"), (2, 3, "right"), (9, 1, "none")],
)
def test_mean_and_spread_of_the_very_passes(passes_at_once, calls, padding):
    layer = lstm(**RATES)
    recorded = record_noise(layer)
    padding = PADDINGS[padding]
    initial = [sequences(seed, (BATCH, UNITS)) for seed in (1, 2)]
    arguments = {} if padding is None else {"mask": padding}
    found = monte_carlo(
        layer,
        sequences(),
        5,
        passes_at_once=passes_at_once,
        initial_state=initial,
        **arguments,
    )
    assert len(recorded) == calls
    of_passes = last_outputs_of_passes(layer, recorded, initial, padding)
    assert of_passes.shape == (5, BATCH, UNITS)
    real = np.full(BATCH, True) if padding is None else padding.any(axis=1)
    assert isinstance(found, MonteCarlo)
    assert_close(to_numpy(found.mean)[real], of_passes.mean(axis=0)[real])
    assert_close(to_numpy(found.spread)[real], of_passes.std(axis=0)[real])
    assert of_passes.std(axis=0)[real].min() > 0


def test_spread_of_dropout_is_that_of_its_distribution():
    ones = np.ones((2, 50), "float32")
    mean, spread = monte_carlo(keras.layers.Dropout(0.2, seed=1), ones, 2000, 700)
    expected = np.sqrt(0.2 / 0.8)
    # Six standard deviations of a mean over all passes; of one, and of all units.
    assert np.abs(to_numpy(mean) - 1).max() < 6 * expected / np.sqrt(2000)
    assert abs(to_numpy(spread).mean() - expected) < 0.01


def model_of_dictionaries():
    words = keras.Input((None,), dtype="int32", name="words")
    more = keras.Input((2,), name="more")
    embedded = keras.layers.Embedding(9, 4, mask_zero=True)(words)
    stack = DeepRNN(LSTM(4, recurrent_dropout=0.4), 2, residual=True)(embedded)
    joined = keras.layers.Concatenate()([keras.layers.Dropout(0.3)(stack), more])
    outputs = {"logits": keras.layers.Dense(3)(joined), "plain": more * 2}
    return keras.Model({"words": words, "more": more}, outputs)


def test_nested_inputs_and_outputs():
    model = model_of_dictionaries()
    inputs = {
        "words": np.random.default_rng(0).integers(0, 9, (BATCH, TIME)).astype("int32"),
        "more": sequences(shape=(BATCH, 2)),
    }
    mean, spread = monte_carlo(model, inputs, 6)
    assert set(mean) == set(spread) == {"logits", "plain"}
    assert tuple(mean["logits"].shape) == (BATCH, 3)
    assert to_numpy(spread["logits"]).min() > 0
    assert_close(mean["plain"], 2 * inputs["more"])
    assert_close(spread["plain"], np.zeros((BATCH, 2)))


def test_list_of_inputs_and_states_as_outputs():
    left, right = keras.Input((None, FEATURES)), keras.Input((None, FEATURES))
    outputs = LSTM(UNITS, dropout=0.5, return_sequences=True, return_state=True)(
        left + right
    )
    model = keras.Model([left, right], outputs)
    mean, spread = monte_carlo(model, [sequences(0), sequences(1)], 4, 3)
    shapes = [tuple(part.shape) for part in keras.tree.flatten(mean)]
    assert shapes == [(BATCH, TIME, UNITS), (BATCH, UNITS), (BATCH, UNITS)]
    for part in keras.tree.flatten(spread):
        assert to_numpy(part).max() > 0


def test_every_call_draws_anew_and_seeds_hold():
    found = []
    for _ in range(2):
        layer = lstm(seed=3, **RATES)
        found.append([to_numpy(monte_carlo(layer, sequences(), 3).mean) for _ in "ab"])
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0][0] - found[0][1]).max() > 1e-3


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a feature of TensorFlow"
)
def test_within_tf_function():
    import tensorflow as tf

    layer, again = (lstm(seed=3, dropout=0.5, return_sequences=True) for _ in range(2))
    compiled = tf.function(
        lambda x, mask: monte_carlo(layer, x, 5, 3, mask=mask),
        input_signature=[
            tf.TensorSpec((None, None, FEATURES)),
            tf.TensorSpec((None, None), tf.bool),
        ],
    )
    mask = PADDINGS["right"]
    eager = monte_carlo(again, sequences(), 5, 3, mask=mask)
    found = compiled(sequences(), mask)
    assert isinstance(found, MonteCarlo)
    assert_close(found.mean, to_numpy(eager.mean))
    assert_close(found.spread, to_numpy(eager.spread))
    assert compiled(sequences(shape=(2, 4, FEATURES)), mask[:2, :4]).mean.shape == (
        2,
        4,
        UNITS,
    )


def test_inference_is_left_as_it_was():
    inputs = keras.Input((FEATURES,))
    normalised = keras.layers.BatchNormalization()
    model = keras.Model(inputs, keras.layers.Dropout(0.5)(normalised(inputs)))
    normalised.trainable = False
    x = sequences(shape=(BATCH, FEATURES))
    before, weights = to_numpy(model(x)), model.get_weights()
    mean, _ = monte_carlo(model, x, 2000, 1000)
    # Without dropout it would be what the model puts out at inference.
    assert np.abs(to_numpy(mean) - before).max() < 6 * np.abs(x).max() / np.sqrt(2000)
    np.testing.assert_array_equal(to_numpy(model(x)), before)
    for now, then in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, then)


def test_empty_batch():
    mean, spread = monte_carlo(keras.layers.Dropout(0.5), sequences()[:0], 3)
    assert mean.shape == spread.shape == (0, TIME, FEATURES)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_is_added_up_in_float32(policy):
    found = monte_carlo(LSTM(UNITS, dropout=0.5, dtype=policy), sequences(), 3)
    for part in found:
        assert keras.backend.standardize_dtype(part.dtype) == "float32"


class AddsNoise(CellRegulariser):
    """A regulariser as a user writes it."""

    def draw_noise(self, batch_size, timesteps, seed):
        shape = (batch_size, timesteps, self.state_sizes[0])
        mask = keras.random.uniform(shape, seed=seed) < 0.5
        return CellNoise(per_sequence={}, per_step={"mask": mask})

    def call(self, inputs, states, training=False):
        mask = self.noise_of_this_step(training).get("mask", 0)
        output, new_states = self.run_cell(inputs, states, training)
        return output + keras.ops.cast(mask, output.dtype), new_states


NOISY = {
    "ours": lambda: LSTM(2, zoneout_hidden=0.5),
    "wrapped": lambda: RNN(VariationalDropout(LSTMCell(2), output_dropout=0.5)),
    "of a user": lambda: RNN(AddsNoise(LSTMCell(2))),
    "keras": lambda: keras.layers.GRU(2, dropout=0.5),
    "gaussian": lambda: keras.layers.GaussianNoise(0.1),
    "deep": lambda: keras.Sequential([DeepRNN(LSTM(2, dropout=0.5), 2)]),
    "directions": lambda: keras.layers.Bidirectional(LSTM(2, dropout=0.5)),
}
QUIET = {
    "ours": lambda: LSTM(2),
    "keras": lambda: keras.layers.LSTM(2),
    "wrapped": lambda: RNN(TemporalSkip(LSTMCell(2), 2)),
    "rates of zero": lambda: RNN(Zoneout(LSTMCell(2))),
    "dense": lambda: keras.Sequential([keras.layers.Dense(2)]),
    "dropout of zero": lambda: keras.layers.Dropout(0.0),
}


@pytest.mark.parametrize("make", NOISY.values(), ids=NOISY)
def test_noise_is_found(make):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Nothing in the model makes noise")
        _, spread = monte_carlo(make(), sequences(), 4)
    assert to_numpy(spread).max() > 0


@pytest.mark.parametrize("make", QUIET.values(), ids=QUIET)
def test_warns_where_nothing_is_random(make):
    with pytest.warns(UserWarning, match="Nothing in the model makes noise"):
        _, spread = monte_carlo(make(), sequences(), 4)
    assert to_numpy(spread).max() < 1e-6


def weight_dropped():
    return RNN(WeightDrop(LSTMCell(UNITS), 0.5))


def dropped_alike():
    return keras.layers.Dropout(0.5, noise_shape=(1, None, None))


@pytest.mark.parametrize("make", [weight_dropped, dropped_alike])
def test_noise_shared_by_a_batch_takes_a_batch_for_each_pass(make):
    model, batches = keras.Sequential([make()]), []
    call = model.call
    model.call = lambda inputs, **arguments: (
        batches.append(len(inputs)) or call(inputs, **arguments)
    )
    _, spread = monte_carlo(model, sequences(), 6)
    assert batches[-6:] == [BATCH] * 6
    assert (to_numpy(spread) > 0).mean() > 0.5
    with pytest.raises(ValueError, match=r"share the noise.* Received: passes_at_once"):
        monte_carlo(model, sequences(), 6, passes_at_once=2)


def test_word_dropout_takes_the_words_along():
    ids = np.random.default_rng(0).integers(0, 5, (BATCH, TIME)).astype("int32")
    _, spread = monte_carlo(WordDropout(0.5), sequences(), 20, token_ids=ids)
    assert spread.shape == sequences().shape
    for row, of_row in zip(ids, to_numpy(spread) / np.abs(sequences()), strict=True):
        for word in set(row):
            same = of_row[row == word]
            assert_close(same, np.full_like(same, same[0, 0]), atol=1e-3)


def batch_normalised():
    inputs = keras.Input((FEATURES,))
    outputs = keras.layers.BatchNormalization()(keras.layers.Dropout(0.5)(inputs))
    return keras.Model(inputs, keras.Sequential([keras.layers.Dense(2)])(outputs))


def spectrally_normalised():
    dense = keras.layers.SpectralNormalization(keras.layers.Dense(2))
    return keras.Sequential([keras.layers.Dropout(0.5), dense])


REFUSED = {
    "stateful": (
        "stateful=False",
        lambda x: monte_carlo(LSTM(2, dropout=0.1, stateful=True), x, 3),
    ),
    "stateful within": (
        "stateful=False",
        lambda x: monte_carlo(
            keras.layers.Bidirectional(keras.layers.LSTM(2, stateful=True)), x, 3
        ),
    ),
    "batch normalisation": (
        "batch normalisation",
        lambda x: monte_carlo(batch_normalised(), x[:, 0], 3),
    ),
    "spectral normalisation": (
        "spectral normalisation",
        lambda x: monte_carlo(spectrally_normalised(), x[:, 0], 3),
    ),
    "one pass": ("`passes`", lambda x: monte_carlo(LSTM(2), x, 1)),
    "half a pass": ("`passes`", lambda x: monte_carlo(LSTM(2), x, 2.5)),
    "none at once": ("`passes_at_once`", lambda x: monte_carlo(LSTM(2), x, 3, 0)),
    "numbers": ("`inputs`", lambda x: monte_carlo(LSTM(2), x.tolist(), 3)),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_refused(case):
    reason, run = case
    with pytest.raises(ValueError, match=reason) as refusal:
        run(sequences())
    assert " Received: " in str(refusal.value)


def test_refuses_what_is_no_model():
    with pytest.raises(TypeError, match="Received: function"):
        monte_carlo(lambda x: x, sequences(), 3)
