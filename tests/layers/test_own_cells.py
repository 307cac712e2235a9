"""A cell and a regulariser of a user's own, by public names, get what ours get."""

import keras
import numpy as np
import pytest

from recurra.layers import (
    RNN,
    CellNoise,
    CellRegulariser,
    LSTMCell,
    ManualSteps,
    StepNoise,
    TemporalSkip,
    VanillaRNNCell,
    VariationalDropout,
    WeightDrop,
    Zoneout,
    monte_carlo,
)

from .cases import PADDINGS, TIME, UNITS, randomise, sequences, with_one_noise
from .differentiation import results


class LeakySteps(ManualSteps):
    """h_t = a h_{t-1} + (1 - a) tanh(x_t U + h_{t-1} W + b) with a = .3."""

    sums_apart = False
    reads_state_by_kernel_alone = False
    sizes_saved = (1,)

    @staticmethod
    def forward(from_input, from_state, states):
        candidate = keras.ops.tanh(from_input + from_state)
        return [0.3 * states[0] + 0.7 * candidate], [candidate]

    @staticmethod
    def backward(gradients, states, saved):
        delta = 0.7 * gradients[0] * (1 - saved[0] ** 2)
        return delta, delta, [0.3 * gradients[0]]


class LeakyTanhCell(keras.layers.Layer):
    has_bounded_states = True
    manual_steps = LeakySteps

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units

    def build(self, input_shape):
        units = self.state_size
        self.kernel = self.add_weight(shape=(input_shape[-1], units))
        self.recurrent_kernel = self.add_weight(shape=(units, units))
        self.bias = self.add_weight(shape=(units,))

    def call(self, inputs, states):
        summed = keras.ops.matmul(inputs, self.kernel) + self.bias
        summed = summed + keras.ops.matmul(states[0], self.recurrent_kernel)
        state = 0.3 * states[0] + 0.7 * keras.ops.tanh(summed)
        return state, [state]


class SkippedSteps(CellRegulariser):
    """Sequences skip whole steps at random."""

    keeps_states_bounded = True

    def draw_noise(self, batch_size, timesteps, seed):
        shape = (batch_size, timesteps, 1)
        skipped = keras.random.uniform(shape, seed=seed) < 0.3
        skipped = keras.ops.repeat(skipped, self.state_sizes[0], axis=-1)
        return CellNoise(per_sequence={}, per_step={"skipped": skipped})

    def call(self, inputs, states, training=False):
        output, new_states = self.run_cell(inputs, states, training)
        skipped = self.noise_of_this_step(training).get("skipped")
        if skipped is not None:
            output = keras.ops.where(skipped, states[0], output)
        return output, [output, *new_states[1:]]

    def step_noise(self, noise):
        return StepNoise(keeps={0: noise.per_step["skipped"]})


OWN = {
    "cell": lambda: LeakyTanhCell(UNITS),
    "cell in ours": lambda: Zoneout(WeightDrop(LeakyTanhCell(UNITS), 0.3), 0.2),
    "regulariser": lambda: SkippedSteps(LSTMCell(UNITS)),
    "both": lambda: SkippedSteps(LeakyTanhCell(UNITS)),
}


def layer_of(cell):
    layer = RNN(cell, return_sequences=True, return_state=True)
    layer.build(sequences().shape)
    randomise(layer)
    with_one_noise(layer)
    return layer


def assert_same(found, expected):
    for ours, plain in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, plain, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("places", ["right", "left", "holes"])
@pytest.mark.parametrize("make", OWN.values(), ids=OWN)
def test_runs_past_padding(make, places, monkeypatch):
    layer = layer_of(make())
    assert layer.may_run_past_padding()
    found = results(layer, PADDINGS[places])
    monkeypatch.setattr(RNN, "may_run_past_padding", lambda self: False)
    assert_same(found, results(layer, PADDINGS[places]))


@pytest.mark.parametrize("places", ["none", "holes"])
@pytest.mark.parametrize("make", OWN.values(), ids=OWN)
def test_manual_backpropagation(make, places, request):
    layer = layer_of(make())
    expected = results(layer, PADDINGS[places])
    ran = request.getfixturevalue("manual")
    found = results(layer, PADDINGS[places])
    assert len(ran) == 2
    assert_same(found, expected)


class SubclassThatGrows(LeakyTanhCell):
    """What it inherits does not hold for its `call`."""

    def call(self, inputs, states):
        output, _ = super().call(inputs, states)
        return 2 * output, [2 * output]


class SubclassThatAnswers(SubclassThatGrows):
    has_bounded_states = True

    def call(self, inputs, states):
        return LeakyTanhCell.call(self, inputs, states)


class ScaledStates(CellRegulariser):
    """Says nothing of itself."""

    def call(self, inputs, states, training=False):
        return self.run_cell(inputs, [2 * states[0]], training)


class MaskedStates(ScaledStates):
    """Masks the hidden state for the whole cell."""

    def step_noise(self, noise):
        return StepNoise(state_mask=keras.ops.ones((1, UNITS)))


@pytest.mark.parametrize(
    "cell",
    [
        SubclassThatGrows(UNITS),
        ScaledStates(VanillaRNNCell(UNITS)),
        type("Subclass", (SkippedSteps,), {})(LSTMCell(UNITS)),
        Zoneout(ScaledStates(VanillaRNNCell(UNITS)), 0.1),
    ],
)
def test_what_does_not_answer_runs_the_safe_way(cell, manual):
    layer = layer_of(cell)
    assert not layer.may_run_past_padding()
    layer(sequences(), mask=PADDINGS["holes"], training=True)
    assert not manual


def test_a_subclass_may_answer_anew():
    assert RNN(SubclassThatAnswers(UNITS)).may_run_past_padding()


@pytest.mark.parametrize(
    "cell",
    [
        # The masked state would be kept, or carried on.
        MaskedStates(Zoneout(VanillaRNNCell(UNITS), 0.1)),
        VariationalDropout(LeakyTanhCell(UNITS), recurrent_dropout=0.3),
        # The cell reads other inputs.
        TemporalSkip(LeakyTanhCell(UNITS), steps=2),
        SkippedSteps(Zoneout(LeakyTanhCell(UNITS), 0.1)),
    ],
)
def test_what_manual_backpropagation_cannot_express(cell, manual):
    layer_of(cell)(sequences(), training=True)
    assert not manual


def test_a_mask_within_what_keeps_states_is_expressed(manual):
    cell = SkippedSteps(VariationalDropout(VanillaRNNCell(UNITS), 0.2, 0.3))
    layer_of(cell)(sequences(), training=True)
    assert manual


def test_monte_carlo_asks_layers():
    class Silent(SkippedSteps):
        makes_noise = False

    with pytest.warns(UserWarning, match="makes noise"):
        monte_carlo(RNN(Silent(LSTMCell(UNITS))), sequences(), 2)

    class OneForAll(keras.layers.Layer):
        makes_noise = shares_noise = True

        def call(self, x, training=False):
            return x * keras.random.uniform((1, TIME, 1))

    layer = OneForAll()
    assert float(keras.ops.max(monte_carlo(layer, sequences(), 3).spread)) > 0
    with pytest.raises(ValueError, match="share the noise"):
        monte_carlo(layer, sequences(), 4, passes_at_once=2)
