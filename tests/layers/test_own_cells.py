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
    read_by_gates,
)

from .cases import (
    BATCH,
    FEATURES,
    PADDINGS,
    TIME,
    UNITS,
    randomise,
    sequences,
    with_one_noise,
)
from .differentiation import results


class LeakySteps(ManualSteps):
    """h_t = a h_{t-1} + (1 - a) tanh(x_t U + h_{t-1} W + b) with a = .3."""

    sums_apart = False
    reads_state_by_kernel_alone = False

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


class ProjectionSteps(ManualSteps):
    """An LSTM with peepholes, whose hidden state is a projection (Sak et al. 2014)."""

    sums_apart = False
    reads_state_by_kernel_alone = True
    weights = ("peepholes", "projection")

    @staticmethod
    def forward(from_input, from_state, states, peepholes, projection):
        i, f, g, o = keras.ops.split(from_input + from_state, 4, axis=-1)
        i = keras.ops.sigmoid(i + peepholes[0] * states[1])
        f = keras.ops.sigmoid(f + peepholes[1] * states[1])
        g = keras.ops.tanh(g)
        c = f * states[1] + i * g
        o = keras.ops.sigmoid(o + peepholes[2] * c)
        h = keras.ops.matmul(o * keras.ops.tanh(c), projection)
        return [h, c], [i, f, g, o, c]

    @staticmethod
    def backward(gradients, states, saved, peepholes, projection):
        (of_h, of_c), (i, f, g, o, c) = gradients, saved
        of_m = keras.ops.matmul(of_h, keras.ops.transpose(projection))
        squashed = keras.ops.tanh(c)
        delta_o = of_m * squashed * o * (1 - o)
        of_c = of_c + of_m * o * (1 - squashed**2) + delta_o * peepholes[2]
        delta_i = of_c * g * i * (1 - i)
        delta_f = of_c * states[1] * f * (1 - f)
        delta = keras.ops.concatenate(
            [delta_i, delta_f, of_c * i * (1 - g**2), delta_o], axis=-1
        )
        of_c = of_c * f + delta_i * peepholes[0] + delta_f * peepholes[1]
        return delta, delta, [keras.ops.zeros_like(of_h), of_c]

    @staticmethod
    def weight_gradients(delta, gradients, states, saved, peepholes, projection):
        delta_i, delta_f, _, delta_o = keras.ops.split(delta, 4, axis=-1)
        *_, o, c = saved
        of_peepholes = [
            keras.ops.sum(of_gate * read, axis=(0, 1))
            for of_gate, read in (
                (delta_i, states[1]),
                (delta_f, states[1]),
                (delta_o, c),
            )
        ]
        of_projection = keras.ops.einsum(
            "tbn,tbp->np", o * keras.ops.tanh(c), gradients[0]
        )
        return [keras.ops.stack(of_peepholes), of_projection]


class ProjectionCell(keras.layers.Layer):
    """As somebody writes it who knows the public names alone."""

    gates = 4
    takes_tied_masks = True
    has_bounded_states = True
    manual_steps = ProjectionSteps

    def __init__(self, units, projection_units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.state_size = [projection_units, units]
        self.output_size = projection_units

    def build(self, input_shape):
        read, units = self.state_size
        self.kernel = self.add_weight(shape=(input_shape[-1], 4 * units))
        self.recurrent_kernel = self.add_weight(shape=(read, 4 * units))
        self.bias = self.add_weight(shape=(4 * units,))
        self.peepholes = self.add_weight(shape=(3, units))
        self.projection = self.add_weight(shape=(units, read))

    def call(self, inputs, states, input_mask=None, state_mask=None):
        new_states, _ = ProjectionSteps.forward(
            read_by_gates(inputs, input_mask, self.kernel) + self.bias,
            read_by_gates(states[0], state_mask, self.recurrent_kernel),
            states,
            keras.ops.convert_to_tensor(self.peepholes),
            self.projection,
        )
        return new_states[0], new_states


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
    "projection": lambda: Zoneout(
        VariationalDropout(WeightDrop(ProjectionCell(6, UNITS), 0.3), 0.2, 0.3),
        0.2,
        0.1,
    ),
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


def test_untied_masks_of_a_cell_of_ones_own():
    layer = layer_of(VariationalDropout(ProjectionCell(6, UNITS), 0.3, 0.4, 0.0, False))
    (noise,) = layer.draw_noise()
    assert noise.per_sequence["state"].shape == (BATCH, 4, UNITS)
    assert noise.per_sequence["input"].shape == (BATCH, 4, FEATURES)
    layer(sequences(), training=True)

    class WithoutGates(ProjectionCell):
        gates = None

    with pytest.raises(ValueError, match="`gates`"):
        VariationalDropout(WithoutGates(6, UNITS), 0.3, tied_masks=False)


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
