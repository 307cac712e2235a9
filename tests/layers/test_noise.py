"""How noise is drawn: seeds, freshness, independence and rates."""

import keras
import numpy as np
import pytest

from recurra.layers import (
    LSTM,
    RNN,
    LSTMCell,
    VanillaRNN,
    VariationalDropout,
    WeightDrop,
    Zoneout,
)

from .cases import UNITS, record_noise, sequences, to_numpy

NOISY = {
    "zoneout": {"zoneout_hidden": 0.4, "zoneout_cell": 0.4},
    "input": {"dropout": 0.4},
    "state": {"recurrent_dropout": 0.4},
    "output": {"output_dropout": 0.4},
    "untied": {"recurrent_dropout": 0.4, "tied_masks": False},
    "weight": {"weight_dropout": 0.4},
}


def flat(noise):
    """All masks of one call as one vector."""
    return np.concatenate(
        [
            to_numpy(mask).astype("float32").ravel()
            for drawn in noise
            for mask in (*drawn.per_sequence.values(), *drawn.per_step.values())
        ]
    )


@pytest.mark.parametrize("rates", NOISY.values(), ids=NOISY)
def test_same_seed_same_calls_and_every_call_draws_anew(rates):
    x = sequences()
    layer, other = (LSTM(UNITS, seed=5, **rates) for _ in range(2))
    layer.build(x.shape)
    other.build(x.shape)
    other.set_weights(layer.get_weights())
    first, second = (to_numpy(layer(x, training=True)) for _ in range(2))
    np.testing.assert_array_equal(first, to_numpy(other(x, training=True)))
    np.testing.assert_array_equal(second, to_numpy(other(x, training=True)))
    assert np.abs(first - second).max() > 1e-3


@pytest.mark.parametrize("rates", NOISY.values(), ids=NOISY)
def test_layers_without_seed_differ(rates):
    draws = []
    for _ in range(2):
        layer = LSTM(UNITS, **rates)
        layer.build((8, 20, UNITS))
        draws.append(flat(layer.draw_noise(8, 20)))
    assert not np.array_equal(*draws)


@pytest.mark.parametrize("seed", [None, 5])
@pytest.mark.parametrize("rates", NOISY.values(), ids=NOISY)
def test_directions_share_no_masks(rates, seed):
    both = keras.layers.Bidirectional(LSTM(UNITS, seed=seed, **rates))
    both.build((8, 20, UNITS))
    recorded = [record_noise(both.forward_layer), record_noise(both.backward_layer)]
    both(sequences(shape=(8, 20, UNITS)), training=True)
    forward, backward = (flat(noise[0]) for noise in recorded)
    assert forward.shape == backward.shape
    assert not np.array_equal(forward, backward)


def test_a_seeded_bidirectional_is_reproducible_from_its_configuration():
    both = keras.layers.Bidirectional(LSTM(UNITS, seed=5, recurrent_dropout=0.5))
    again = keras.layers.Bidirectional.from_config(both.get_config())
    both(sequences())
    again(sequences())
    again.set_weights(both.get_weights())
    np.testing.assert_array_equal(
        to_numpy(both(sequences(), training=True)),
        to_numpy(again(sequences(), training=True)),
    )


def test_no_noise_at_inference():
    layer = LSTM(
        UNITS,
        dropout=0.3,
        recurrent_dropout=0.3,
        zoneout_cell=0.3,
        weight_dropout=0.3,
    )
    recorded = record_noise(layer)
    first, second = (to_numpy(layer(sequences())) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert recorded == []


def test_zoneout_masks_have_their_rates_and_differ_everywhere():
    layer = LSTM(50, zoneout_hidden=0.1, zoneout_cell=0.5, seed=1)
    layer.build((None, None, 3))
    (noise,) = layer.draw_noise(40, 30)
    assert not noise.per_sequence
    hidden, cell = (to_numpy(noise.per_step[name]) for name in ("hidden", "cell"))
    assert hidden.shape == cell.shape == (40, 30, 50)
    # Six standard deviations of a mean over 60,000 draws.
    assert abs(hidden.mean() - 0.1) < 6 * np.sqrt(0.1 * 0.9 / hidden.size)
    assert abs(cell.mean() - 0.5) < 6 * np.sqrt(0.5 * 0.5 / cell.size)
    # Between sequences, steps and units, and between the two masks, half of the
    # draws agree by chance.
    for axis in range(3):
        halves = np.array_split(cell, 2, axis=axis)
        assert abs((halves[0] == halves[1]).mean() - 0.5) < 0.02
    low = cell & hidden
    assert abs(low.mean() - 0.05) < 6 * np.sqrt(0.05 * 0.95 / low.size)


def test_variational_masks_have_their_rates_and_scale():
    layer = LSTM(50, dropout=0.2, recurrent_dropout=0.5, output_dropout=0.75, seed=1)
    layer.build((None, None, 60))
    (noise,) = layer.draw_noise(400, 30)
    assert not noise.per_step
    for name, rate, units in (
        ("input", 0.2, 60),
        ("state", 0.5, 50),
        ("output", 0.75, 50),
    ):
        mask = to_numpy(noise.per_sequence[name])
        assert mask.shape == (400, units)
        np.testing.assert_allclose(np.unique(mask), [0, 1 / (1 - rate)], rtol=1e-6)
        dropped = (mask == 0).mean()
        assert abs(dropped - rate) < 6 * np.sqrt(rate * (1 - rate) / mask.size)


@pytest.mark.parametrize("batch", [1, 40])
def test_dropped_weights_have_their_rate_and_scale_whatever_the_batch(batch):
    cell = WeightDrop(LSTMCell(100), 0.2, ("kernel", "recurrent_kernel"))
    layer = RNN(cell, seed=1)
    layer.build((None, None, 60))
    (noise,) = layer.draw_noise(batch, 30)
    assert not noise.per_step
    for name, shape in (("kernel", (60, 400)), ("recurrent_kernel", (100, 400))):
        mask = to_numpy(noise.per_sequence[name])
        assert mask.shape == shape
        np.testing.assert_allclose(np.unique(mask), [0, 1 / 0.8], rtol=1e-6)
        assert abs((mask == 0).mean() - 0.2) < 6 * np.sqrt(0.2 * 0.8 / mask.size)
        # Neither gates nor units share their draws.
        for axis in range(2):
            halves = np.array_split(mask == 0, 2, axis=axis)
            agree_by_chance = 0.2**2 + 0.8**2
            assert abs((halves[0] == halves[1]).mean() - agree_by_chance) < 0.03


def test_untied_masks_differ_between_gates():
    layer = LSTM(50, dropout=0.5, recurrent_dropout=0.5, tied_masks=False, seed=1)
    layer.build((None, None, 60))
    (noise,) = layer.draw_noise(40, 30)
    assert noise.per_sequence["input"].shape == (40, 4, 60)
    state = to_numpy(noise.per_sequence["state"])
    assert state.shape == (40, 4, 50)
    for gate in range(3):
        assert abs((state[:, gate] == state[:, gate + 1]).mean() - 0.5) < 0.1


def test_tied_masks_hold_over_time():
    # Of a linear recurrence that reads a constant input and forgets its state, each
    # step shows the input mask.
    layer = VanillaRNN(
        6,
        activation=None,
        kernel_initializer="identity",
        recurrent_initializer="zeros",
        dropout=0.5,
        return_sequences=True,
    )
    outputs = to_numpy(layer(np.ones((4, 9, 6), "float32"), training=True))
    assert set(np.unique(outputs)) == {0, 2}
    np.testing.assert_array_equal(outputs, np.repeat(outputs[:, :1], 9, axis=1))


def test_zoneout_is_drawn_anew_at_each_step():
    # A state that counts its updates shows at which steps it was kept.
    layer = VanillaRNN(
        6,
        activation=None,
        kernel_initializer="identity",
        recurrent_initializer="identity",
        zoneout_hidden=0.5,
        return_sequences=True,
    )
    recorded = record_noise(layer)
    counts = to_numpy(layer(np.ones((4, 30, 6), "float32"), training=True))
    kept = np.diff(counts, axis=1, prepend=0) == 0
    np.testing.assert_array_equal(kept, to_numpy(recorded[0][0].per_step["hidden"]))
    assert 0.3 < (kept[:, 1:] == kept[:, :-1]).mean() < 0.7


def test_zoneout_in_training_averages_to_inference():
    # True of a linear recurrence, in which the expectation passes through.
    layer = VanillaRNN(1, activation=None, zoneout_hidden=0.3, seed=2)
    x = np.repeat(sequences(shape=(1, 6, 3)), 20000, axis=0)
    outputs = to_numpy(layer(x, training=True))
    error_of_mean = outputs.std() / np.sqrt(len(outputs))
    assert error_of_mean > 0
    expected = to_numpy(layer(x[:1]))[0, 0]
    assert abs(outputs.mean() - expected) < 6 * error_of_mean


def test_regularisers_of_one_layer_draw_apart():
    cell = Zoneout(Zoneout(LSTMCell(UNITS), 0.5), 0.5)
    layer = RNN(cell, seed=3)
    layer.build((None, None, 3))
    outer, inner = layer.draw_noise(8, 20)
    assert not np.array_equal(
        to_numpy(outer.per_step["hidden"]), to_numpy(inner.per_step["hidden"])
    )


def test_noise_needs_a_layer_that_draws_it():
    for cell in (
        Zoneout(LSTMCell(UNITS), 0.5),
        VariationalDropout(LSTMCell(UNITS), recurrent_dropout=0.5),
        WeightDrop(LSTMCell(UNITS), 0.5),
    ):
        layer = keras.layers.RNN(cell)
        layer(sequences())
        with pytest.raises(ValueError, match=r"recurra\.layers\.RNN"):
            layer(sequences(), training=True)
