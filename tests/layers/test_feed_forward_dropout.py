"""Feed-forward dropout against loops of the equations, outside and within the steps."""

import json

import keras
import numpy as np
import pytest

from recurra.layers import (
    RNN,
    CellRegulariser,
    FeedForwardDropout,
    LSTMCell,
    VanillaRNNCell,
    VariationalDropout,
    Zoneout,
)

from . import reference
from .cases import (
    BATCH,
    CELLS,
    FEATURES,
    PADDINGS,
    TIME,
    UNITS,
    randomise,
    record_noise,
    sequences,
    to_numpy,
    zeros,
)

INPUT, OUTPUT = 0.3, 0.4


@keras.saving.register_keras_serializable(package="recurra_tests")
class Opaque(CellRegulariser):
    """Does nothing, but so that what it wraps can act in the steps alone."""

    passes_inputs_through = False

    def call(self, inputs, states, training=False):
        return self.run_cell(inputs, states, training)


# Where the masks are applied: by the layer, before and after its loop, or by the steps.
PLACES = {"outside the steps": lambda cell: cell, "within the steps": Opaque}


def dropped(values, stays, rate, t):
    """One step's values, by the mask of that step, (batch, time, units)."""
    return values if stays is None else values * to_numpy(stays)[:, t] / (1 - rate)


def run(step, weights, inputs, states, masks, rates, padding=None, backwards=False):
    """The outputs at all steps, in the order run, and the last states."""
    output, outputs = 0.0, []
    times = range(inputs.shape[1])
    for t in reversed(times) if backwards else times:
        x = dropped(inputs[:, t], masks.get("input"), rates[0], t)
        new = step(weights, x, states, reference.Masks())
        new_output = dropped(new[0], masks.get("output"), rates[1], t)
        if padding is not None:
            real = padding[:, t, None]
            new = [np.where(real, a, b) for a, b in zip(new, states, strict=True)]
            new_output = np.where(real, new_output, output)
        states, output = new, new_output
        outputs.append(output)
    return np.stack(outputs, axis=1), states


def layer_of(cell, **arguments):
    layer = RNN(cell, return_sequences=True, return_state=True, **arguments)
    layer.build((BATCH, TIME, FEATURES))
    randomise(layer)
    return layer


def assert_equals_loop(layer, step, initial, padding):
    recorded = record_noise(layer)
    outputs, *states = layer(sequences(), mask=padding, training=True)
    (noise,) = (drawn for drawn in recorded[0] if not drawn.is_empty)
    assert not noise.per_sequence
    expected, expected_states = run(
        step,
        [np.asarray(weight, "float64") for weight in layer.get_weights()],
        sequences().astype("float64"),
        initial,
        noise.per_step,
        (INPUT, OUTPUT),
        padding,
        layer.go_backwards,
    )
    np.testing.assert_allclose(to_numpy(outputs), expected, atol=1e-5, rtol=0)
    states = keras.tree.flatten(states)
    for state, expected_state in zip(states, expected_states, strict=True):
        np.testing.assert_allclose(to_numpy(state), expected_state, atol=1e-5, rtol=0)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("cell", ["lstm", "keras gru", "user"])
def test_any_cell(cell, place, padding):
    make_cell, step = CELLS[cell]
    bare = make_cell(UNITS)
    layer = layer_of(PLACES[place](FeedForwardDropout(bare, INPUT, OUTPUT)))
    assert_equals_loop(layer, step, zeros(bare), PADDINGS[padding])


@pytest.mark.parametrize("padding", ["none", "holes"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("arguments", [{"unroll": True}, {"go_backwards": True}])
def test_any_way_to_run(arguments, place, padding):
    bare = LSTMCell(UNITS)
    cell = PLACES[place](FeedForwardDropout(bare, INPUT, OUTPUT))
    layer = layer_of(cell, **arguments)
    assert_equals_loop(layer, reference.lstm_step, zeros(bare), PADDINGS[padding])


@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("padding", PADDINGS)
def test_last_output_is_that_of_the_last_step(padding, go_backwards):
    arguments = {"seed": 4, "go_backwards": go_backwards}
    whole = RNN(
        FeedForwardDropout(LSTMCell(UNITS), INPUT, OUTPUT),
        return_sequences=True,
        **arguments,
    )
    last = RNN(FeedForwardDropout(LSTMCell(UNITS), INPUT, OUTPUT), **arguments)
    for layer in (whole, last):
        layer.build(sequences().shape)
        randomise(layer)
    mask = PADDINGS[padding]
    np.testing.assert_allclose(
        to_numpy(last(sequences(), mask=mask, training=True)),
        to_numpy(whole(sequences(), mask=mask, training=True))[:, -1],
        atol=1e-6,
    )


def test_same_numbers_outside_and_within_the_steps():
    outputs = []
    for place in PLACES.values():
        cell = FeedForwardDropout(LSTMCell(UNITS), INPUT, OUTPUT)
        layer = layer_of(place(cell), seed=5)
        outputs.append(layer(sequences(), mask=PADDINGS["holes"], training=True)[0])
    np.testing.assert_allclose(*map(to_numpy, outputs), atol=1e-6)


@pytest.mark.parametrize(
    ("place", "expected"),
    [("outside the steps", set()), ("within the steps", {"input", "output"})],
)
def test_steps_get_noise_only_where_they_must(place, expected, monkeypatch):
    """Nothing left for the steps is what opens a fused kernel."""
    layer = layer_of(PLACES[place](FeedForwardDropout(LSTMCell(UNITS), INPUT, OUTPUT)))
    handed_out = set()
    of_this_step = FeedForwardDropout.noise_of_this_step
    monkeypatch.setattr(
        FeedForwardDropout,
        "noise_of_this_step",
        lambda self, training: (
            handed_out.update(of_this_step(self, training))
            or of_this_step(self, training)
        ),
    )
    layer(sequences(), training=True)
    assert handed_out == expected


def test_stack_of_two_as_in_the_paper():
    bottom, top = LSTMCell(UNITS), LSTMCell(UNITS)
    layer = layer_of(
        [FeedForwardDropout(bottom, 0.2), FeedForwardDropout(top, 0.3, 0.4)]
    )
    recorded = record_noise(layer)
    outputs, *_ = layer(sequences(), mask=PADDINGS["right"], training=True)
    ((of_bottom, of_top),) = recorded
    weights, padding = layer.get_weights(), PADDINGS["right"]
    step = reference.lstm_step
    below, _ = run(
        step,
        weights[:3],
        sequences(),
        zeros(bottom),
        of_bottom.per_step,
        (0.2, 0),
        padding,
    )
    expected, _ = run(
        step, weights[3:], below, zeros(top), of_top.per_step, (0.3, 0.4), padding
    )
    np.testing.assert_allclose(to_numpy(outputs), expected, atol=1e-5, rtol=0)


def test_around_and_within_another_regulariser():
    """Masks on one input multiply, whichever stands outside."""
    layers = [
        layer_of(
            FeedForwardDropout(
                VariationalDropout(LSTMCell(UNITS), 0.3, 0.2, 0.2), INPUT, OUTPUT
            )
        ),
        layer_of(
            VariationalDropout(
                FeedForwardDropout(LSTMCell(UNITS), INPUT, OUTPUT), 0.3, 0.2, 0.2
            )
        ),
    ]
    noise = layers[0].draw_noise(BATCH, TIME)
    layers[0].draw_noise = lambda *_: noise
    layers[1].draw_noise = lambda *_: noise[::-1]
    outputs = [
        to_numpy(layer(sequences(), mask=PADDINGS["holes"], training=True)[0])
        for layer in layers
    ]
    np.testing.assert_allclose(*outputs, atol=1e-6)


def linear_layer(**rates):
    """A linear recurrence that forgets: each output is the input of its step."""
    cell = VanillaRNNCell(
        UNITS,
        activation=None,
        kernel_initializer="identity",
        recurrent_initializer="zeros",
    )
    return RNN(FeedForwardDropout(cell, **rates), return_sequences=True, seed=1)


@pytest.mark.parametrize("rates", [{"dropout": 0.2}, {"output_dropout": 0.75}])
def test_masks_have_their_rate_and_scale_and_are_drawn_anew_everywhere(rates):
    layer = linear_layer(**rates)
    (rate,) = rates.values()
    ones = np.ones((50, 60, UNITS), "float32")
    first, second = (to_numpy(layer(ones, training=True)) for _ in range(2))
    np.testing.assert_allclose(np.unique(first), [0, 1 / (1 - rate)], rtol=1e-6)
    # Six standard deviations of a mean over all draws.
    error = 6 * np.sqrt(rate * (1 - rate) / first.size)
    assert abs((first == 0).mean() - rate) < error
    by_chance = rate**2 + (1 - rate) ** 2
    assert abs((first == second).mean() - by_chance) < 0.03
    for axis in range(3):
        halves = np.array_split(first, 2, axis=axis)
        assert abs((halves[0] == halves[1]).mean() - by_chance) < 0.03
    steps = (first[:, 1:] == first[:, :-1]).mean()
    assert abs(steps - by_chance) < 0.03


def test_masks_of_input_and_output_differ():
    layer = layer_of(FeedForwardDropout(LSTMCell(UNITS), 0.5, 0.5))
    (noise,) = layer.draw_noise(40, 30)
    assert noise.per_step["input"].shape == (40, 30, FEATURES)
    assert noise.per_step["output"].shape == (40, 30, UNITS)
    for mask in noise.per_step.values():
        assert keras.backend.standardize_dtype(mask.dtype) == "bool"
    of_input, of_output = (to_numpy(noise.per_step[n]) for n in ("input", "output"))
    assert abs((of_input == of_output[..., :FEATURES]).mean() - 0.5) < 0.05


def test_same_seed_same_calls_and_every_call_draws_anew():
    layer, other = linear_layer(dropout=0.5), linear_layer(dropout=0.5)
    x = sequences(shape=(BATCH, TIME, UNITS))
    calls = [
        [to_numpy(each(x, training=True)) for _ in range(2)] for each in (layer, other)
    ]
    np.testing.assert_array_equal(*calls)
    assert np.abs(calls[0][0] - calls[0][1]).max() > 0.1


def test_cells_and_directions_share_no_masks():
    stack = RNN(
        [FeedForwardDropout(LSTMCell(UNITS), 0.5, 0.5) for _ in range(2)], seed=5
    )
    stack.build((None, None, UNITS))
    below, above = stack.draw_noise(8, 20)
    both = keras.layers.Bidirectional(
        RNN(FeedForwardDropout(LSTMCell(UNITS), 0.5, 0.5), seed=5)
    )
    both.build((8, 20, UNITS))
    (forward,), (backward,) = (
        layer.draw_noise(8, 20) for layer in (both.forward_layer, both.backward_layer)
    )
    for one, other in ((below, above), (forward, backward)):
        for name in ("input", "output"):
            same = to_numpy(one.per_step[name]) == to_numpy(other.per_step[name])
            assert 0.35 < same.mean() < 0.65


def test_inference_is_that_of_the_bare_cell():
    layer = layer_of(FeedForwardDropout(LSTMCell(UNITS), INPUT, OUTPUT))
    bare = layer_of(LSTMCell(UNITS))
    for ours, theirs in zip(layer(sequences()), bare(sequences()), strict=True):
        np.testing.assert_array_equal(to_numpy(ours), to_numpy(theirs))


CONFIGURED = {
    place: lambda put=put: RNN(
        put(FeedForwardDropout(LSTMCell(UNITS), INPUT, OUTPUT)), seed=3
    )
    for place, put in PLACES.items()
}


@pytest.mark.parametrize("make", CONFIGURED.values(), ids=CONFIGURED)
def test_configuration_and_file(make, tmp_path):
    layer = make()
    config = layer.get_config()
    assert RNN.from_config(json.loads(json.dumps(config))).get_config() == config
    model = keras.Sequential([keras.Input((None, FEATURES)), layer])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for training in (False, True):
        np.testing.assert_allclose(
            to_numpy(model(sequences(), training=training)),
            to_numpy(again(sequences(), training=training)),
            atol=1e-6,
        )


@pytest.mark.parametrize("make", CONFIGURED.values(), ids=CONFIGURED)
def test_noise_differs_between_training_steps(make):
    """Fitting with nothing to learn from: the loss moves by the noise alone."""
    inputs = keras.Input((None, FEATURES))
    model = keras.Model(inputs, make()(keras.layers.Masking()(inputs)))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x, y = sequences(), np.ones((BATCH, UNITS))
    assert len({model.train_on_batch(x, y) for _ in range(3)}) == 3
    assert len({model.test_on_batch(x, y) for _ in range(3)}) == 1


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a feature of TensorFlow"
)
def test_exported_saved_model(tmp_path):
    import tensorflow as tf

    inputs = keras.Input((None, FEATURES))
    layer = RNN(FeedForwardDropout(LSTMCell(UNITS), INPUT, OUTPUT))
    model = keras.Model(inputs, layer(keras.layers.Masking()(inputs)))
    model.export(tmp_path, verbose=False)
    served = tf.saved_model.load(str(tmp_path))
    x = sequences(shape=(2, 9, FEATURES))
    np.testing.assert_allclose(to_numpy(served.serve(x)), to_numpy(model(x)), atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("place", PLACES)
def test_dtype_policies(place, policy):
    cell = FeedForwardDropout(LSTMCell(UNITS, dtype=policy), INPUT, OUTPUT)
    layer = RNN(PLACES[place](cell), dtype=policy)
    outputs = layer(sequences(), mask=PADDINGS["right"], training=True)
    compute_dtype = keras.dtype_policies.get(policy).compute_dtype
    assert keras.backend.standardize_dtype(outputs.dtype) == compute_dtype


@pytest.mark.parametrize(
    "make",
    [
        lambda: FeedForwardDropout(LSTMCell(UNITS), 1.0),
        lambda: FeedForwardDropout(LSTMCell(UNITS), output_dropout=-0.1),
        lambda: FeedForwardDropout(keras.layers.GRUCell(UNITS, dropout=0.1), 0.1),
        lambda: Zoneout(FeedForwardDropout(LSTMCell(UNITS), output_dropout=0.1), 0.1),
        lambda: Zoneout(Opaque(FeedForwardDropout(LSTMCell(UNITS), 0.1, 0.1)), 0.1),
    ],
    ids=["one", "negative", "twice", "within zoneout", "deep within zoneout"],
)
def test_refused(make):
    with pytest.raises(ValueError, match=r" Received: "):
        make()


def test_input_mask_within_zoneout_is_fine():
    layer = layer_of(Zoneout(FeedForwardDropout(LSTMCell(UNITS), INPUT), 0.2, 0.3))
    assert layer(sequences(), training=True)[0].shape == (BATCH, TIME, UNITS)


def test_needs_a_layer_that_draws_the_noise():
    layer = keras.layers.RNN(FeedForwardDropout(LSTMCell(UNITS), 0.5))
    layer(sequences())
    with pytest.raises(ValueError, match=r"recurra\.layers\.RNN"):
        layer(sequences(), training=True)
